// SPDX-License-Identifier: Apache-2.0
//! Words that the state machine, the ports and the C ABI share.

/// The states of an update module after its `Download`, as Mender names them
/// (<https://docs.mender.io/artifact-creation/create-a-custom-update-module>). Numbers cross the C ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ModuleState {
    /// Install what was downloaded.
    ArtifactInstall = 1,
    /// Prepare the restart; the client restarts the device after it.
    ArtifactReboot = 2,
    /// After the restart: is the new software running?
    ArtifactVerifyReboot = 3,
    /// Make it permanent.
    ArtifactCommit = 4,
    /// Undo the installation.
    ArtifactRollback = 5,
    /// Prepare the restart into the old software.
    ArtifactRollbackReboot = 6,
    /// After that restart: is the old software running?
    ArtifactVerifyRollbackReboot = 7,
    /// The deployment has failed.
    ArtifactFailure = 8,
    /// The deployment is over, for better or worse.
    Cleanup = 9,
}

impl ModuleState {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::ArtifactInstall,
        Self::ArtifactReboot,
        Self::ArtifactVerifyReboot,
        Self::ArtifactCommit,
        Self::ArtifactRollback,
        Self::ArtifactRollbackReboot,
        Self::ArtifactVerifyRollbackReboot,
        Self::ArtifactFailure,
        Self::Cleanup,
    ];

    /// Mender's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArtifactInstall => "ArtifactInstall",
            Self::ArtifactReboot => "ArtifactReboot",
            Self::ArtifactVerifyReboot => "ArtifactVerifyReboot",
            Self::ArtifactCommit => "ArtifactCommit",
            Self::ArtifactRollback => "ArtifactRollback",
            Self::ArtifactRollbackReboot => "ArtifactRollbackReboot",
            Self::ArtifactVerifyRollbackReboot => "ArtifactVerifyRollbackReboot",
            Self::ArtifactFailure => "ArtifactFailure",
            Self::Cleanup => "Cleanup",
        }
    }
}

/// Where an update stops for the application's word. Reported to the server as `pause_before_…` when deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// The artifact is downloaded and verified.
    Install = 0,
    /// The next step restarts the device.
    Reboot = 1,
    /// The new firmware has proved itself and is about to be confirmed.
    Commit = 2,
}

/// The application's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Approve,
    /// Ask again later.
    Defer,
    /// Give this deployment up; it is reported as `failure`.
    Refuse,
}

/// Whether a piece of work is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Progress {
    /// Finished.
    Done,
    /// Call again soon.
    Pending,
}
