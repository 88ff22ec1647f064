// SPDX-License-Identifier: Apache-2.0
//! The application's callbacks.

use super::{Ports, progress};
use crate::api::code;
use crate::raw::Receiver;
use crate::types::{
    MENDER_AGAIN, MENDER_NOTICE_AUTHENTICATED, MENDER_NOTICE_DEPLOYMENT_FAILED,
    MENDER_NOTICE_DEPLOYMENT_STARTED, MENDER_NOTICE_DEPLOYMENT_SUCCEEDED, MENDER_NOTICE_PROGRESS,
    MENDER_NOTICE_RESTARTING, MENDER_STAGE_COMMIT, MENDER_STAGE_INSTALL, MENDER_STAGE_REBOOT, MenderNotice,
};
use mender_port::{Application, Notice, Progress, Result, Stage, Verdict};

impl Application for Ports {
    fn approve(&mut self, stage: Stage) -> Verdict {
        let Some(approve) = self.callbacks.approve else { return Verdict::Approve };
        let stage = match stage {
            Stage::Install => MENDER_STAGE_INSTALL,
            Stage::Reboot => MENDER_STAGE_REBOOT,
            Stage::Commit => MENDER_STAGE_COMMIT,
        };
        // SAFETY: the application's callback gets its own pointer.
        match unsafe { approve(self.callbacks.user, stage) } {
            0 => Verdict::Approve,
            MENDER_AGAIN => Verdict::Defer,
            _ => Verdict::Refuse,
        }
    }

    fn self_test(&mut self) -> Result<Progress> {
        let Some(self_test) = self.callbacks.self_test else { return Ok(Progress::Done) };
        // SAFETY: the application's callback gets its own pointer.
        progress(unsafe { self_test(self.callbacks.user) })
    }

    fn inventory(&self, attribute: &mut dyn FnMut(&str, &str)) {
        let Some(inventory) = self.callbacks.inventory else { return };
        let mut receiver = Receiver::new(attribute);
        // SAFETY: the application's callback gets its own pointer, and a receiver that outlives the call.
        unsafe { inventory(self.callbacks.user, receiver.as_pairs()) };
    }

    fn notice(&mut self, notice: Notice) {
        let mut out = MenderNotice { kind: 0, error: 0, received: 0, total: 0 };
        match notice {
            Notice::Authenticated => out.kind = MENDER_NOTICE_AUTHENTICATED,
            Notice::DeploymentStarted => {
                out.kind = MENDER_NOTICE_DEPLOYMENT_STARTED;
                self.progress = (0, 0);
            }
            Notice::Progress { received, total } => {
                (out.kind, out.received, out.total) = (MENDER_NOTICE_PROGRESS, received, total);
                self.progress = (received, total);
            }
            Notice::Restarting => out.kind = MENDER_NOTICE_RESTARTING,
            Notice::DeploymentSucceeded => {
                out.kind = MENDER_NOTICE_DEPLOYMENT_SUCCEEDED;
                self.deployment_error = None;
            }
            Notice::DeploymentFailed(error) => {
                (out.kind, out.error) = (MENDER_NOTICE_DEPLOYMENT_FAILED, code(Some(error)));
                self.deployment_error = Some(error);
            }
        }
        if let Some(tell) = self.callbacks.notice {
            // SAFETY: the application's callback gets its own pointer, and a notice that outlives the call.
            unsafe { tell(self.callbacks.user, &raw const out) };
        }
    }
}
