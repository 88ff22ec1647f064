// SPDX-License-Identifier: Apache-2.0
//! What the application may say and hear.

use crate::{Progress, Stage, Verdict};
use mender_base::Error;

/// What the application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The server accepted the device.
    Authenticated,
    /// A deployment was offered and begins.
    DeploymentStarted,
    /// Artifact bytes received so far, and their total where the server said it (else 0).
    Progress {
        /// Bytes received.
        received: u32,
        /// Bytes in all, or 0.
        total: u32,
    },
    /// The device restarts now.
    Restarting,
    /// The deployment ended well.
    DeploymentSucceeded,
    /// The deployment failed or was aborted, for that reason.
    DeploymentFailed(Error),
}

/// The application on the device.
pub trait Application {
    /// Asks for approval. Called again, at intervals of some seconds, after [`Verdict::Defer`].
    fn approve(&mut self, stage: Stage) -> Verdict;

    /// Tests the new firmware before it is confirmed. Called again while [`Progress::Pending`], until the commit deadline.
    ///
    /// # Errors
    /// The firmware is bad: the device falls back.
    fn self_test(&mut self) -> crate::Result<Progress>;

    /// The application's own inventory attributes; must give the same at each call until something changed.
    fn inventory(&self, attribute: &mut dyn FnMut(&str, &str));

    /// Something happened.
    fn notice(&mut self, notice: Notice);
}
