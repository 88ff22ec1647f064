// SPDX-License-Identifier: Apache-2.0
//! The deployment statuses a device may report (Mender device API, deployments v1 `status`).

/// A deployment status, as the server names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The artifact is being downloaded.
    Downloading,
    /// The artifact is being installed; also sent before the commit to learn of an abort.
    Installing,
    /// The device is about to restart.
    Rebooting,
    /// Final: the update is committed.
    Success,
    /// Final: the device runs what it ran before.
    Failure,
    /// The application holds the installation back.
    PauseBeforeInstalling,
    /// The application holds the restart back.
    PauseBeforeRebooting,
    /// The application holds the commit back.
    PauseBeforeCommitting,
}

impl Status {
    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Status::Downloading => "downloading",
            Status::Installing => "installing",
            Status::Rebooting => "rebooting",
            Status::Success => "success",
            Status::Failure => "failure",
            Status::PauseBeforeInstalling => "pause_before_installing",
            Status::PauseBeforeRebooting => "pause_before_rebooting",
            Status::PauseBeforeCommitting => "pause_before_committing",
        }
    }

    /// The deployment is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Status::Success | Status::Failure)
    }
}
