// SPDX-License-Identifier: Apache-2.0
//! What is said to the machine and by it: events in, actions out.

use mender_base::words::{ModuleState, Progress, Stage as Ask, Verdict};
use mender_base::{Error, Status};

/// Intervals and limits, all in milliseconds but the counts.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between update checks.
    pub poll_ms: u32,
    /// Between looks at the inventory; it is sent only when it changed.
    pub inventory_ms: u32,
    /// First wait after a failure; doubles every third try.
    pub retry_ms: u32,
    /// Longest wait after failures.
    pub retry_cap_ms: u32,
    /// Tries of the abort probe before a commit.
    pub probe_tries: u8,
    /// Time for the abort probe.
    pub probe_ms: u32,
    /// From the boot of a new image until its commit; then it is given up.
    pub commit_deadline_ms: u32,
    /// Between questions to an application that defers.
    pub defer_ms: u32,
    /// Upper end of the random wait before the first check, so that a fleet does not come at once.
    pub first_check_ms: u32,
}

impl Timing {
    pub(crate) const NONE: Self = Self {
        poll_ms: 0,
        inventory_ms: 0,
        retry_ms: 0,
        retry_cap_ms: 0,
        probe_tries: 0,
        probe_ms: 0,
        commit_deadline_ms: 0,
        defer_ms: 0,
        first_check_ms: 0,
    };
}

impl Default for Timing {
    /// What protocol §8.1 and §8.2 recommend for a device of the standard tier.
    fn default() -> Self {
        Self {
            poll_ms: 1_800_000,
            inventory_ms: 28_800_000,
            retry_ms: 60_000,
            retry_cap_ms: 300_000,
            probe_tries: 10,
            probe_ms: 900_000,
            commit_deadline_ms: 1_800_000,
            defer_ms: 10_000,
            first_check_ms: 30_000,
        }
    }
}

/// What runs after a start of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The running image's hash is the one recorded at install.
    pub new: bool,
    /// It will still run after a reset.
    pub confirmed: bool,
    /// MCUboot can go back.
    pub can_revert: bool,
    /// The inactive slot shows that MCUboot refused the image.
    pub refused: bool,
}

/// How a status report ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Stored.
    Accepted,
    /// 409 or 404: the deployment is aborted, or unknown.
    Aborted,
    /// Not delivered.
    Failed {
        /// `false`: for the server accepts no such device, or no such request.
        accepted: bool,
        /// The server's `Retry-After`, in ms.
        retry_after_ms: Option<u32>,
    },
}

/// What happened. Every action but [`Action::Wait`] is answered by exactly one of these; a wait by [`Event::Woke`].
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The wait is over.
    Woke,
    /// A deployment is offered.
    Offered {
        /// Its id, of the right shape.
        id: &'a str,
        /// Its artifact's name; may be empty when it is not usable.
        artifact_name: &'a str,
        /// Why it cannot be tried at all.
        usable: Result<(), Error>,
    },
    /// No deployment is offered.
    NothingOffered,
    /// 409: what the device said of itself disagrees with the deployment in progress, which the server has failed.
    Conflict,
    /// The check could not be made.
    CheckFailed {
        /// `false`: for the server accepts no such device, or no such request.
        accepted: bool,
        /// The server's `Retry-After`, in ms.
        retry_after_ms: Option<u32>,
    },
    /// The inventory is at the server, or had not changed.
    InventorySent,
    /// The inventory could not be sent.
    InventoryFailed {
        /// The server's `Retry-After`, in ms.
        retry_after_ms: Option<u32>,
    },
    /// The checkpoint is on flash, or is not.
    Saved(Result<(), Error>),
    /// A report ended.
    Reported(Report),
    /// The artifact is in the slot or with the module, all hashes right. `checkpoint.kind` and what belongs to it are set.
    Downloaded,
    /// It is not; [`Error::Aborted`] when the server said so.
    DownloadFailed(Error),
    /// The application has spoken.
    Answered(Verdict),
    /// A module state, the self-test, arming or disarming was run.
    Ran(Result<Progress, Error>),
    /// `ArtifactInstall` is done, and this is the module's answer.
    Installed {
        /// The module needs a restart.
        needs_reboot: bool,
    },
    /// The log is uploaded, or given up.
    LogUploaded,
    /// The restart did not happen.
    RebootReturned,
}

/// What to do next. One at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing until [`Machine::wake_at_ms`](crate::Machine::wake_at_ms).
    Wait,
    /// Ask the server for a deployment.
    Check,
    /// Send the inventory if it changed, or the server may not have it.
    SendInventory,
    /// Write the checkpoint to flash.
    Save,
    /// Report a status.
    Report(Status),
    /// Authenticate afresh, then report `installing`: does the new software reach the server, and is the deployment still wanted?
    Probe,
    /// Stream the artifact.
    Download,
    /// Ask the application.
    Ask(Ask),
    /// Run a state of the update module; for an image `ArtifactCommit` confirms it.
    Run(ModuleState),
    /// Ask MCUboot for a test swap.
    Arm,
    /// Make MCUboot ignore the slot.
    Disarm,
    /// Ask the application to test the new firmware.
    SelfTest,
    /// Upload the deployment log.
    UploadLog,
    /// Restart the device.
    Reboot,
}
