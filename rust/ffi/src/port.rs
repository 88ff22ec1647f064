// SPDX-License-Identifier: Apache-2.0
//! The ports of the client, made of the platform's C functions and the application's callbacks.

mod application;
#[cfg(feature = "port-sha256")]
mod hash;
mod modules;
mod platform;

pub(crate) use platform::{level, log};

use crate::types::{MenderCallbacks, MenderUpdateModule};
use mender_base::Error;
use mender_port::{Errno, Progress, Result};

/// What a platform and an application give.
pub(crate) struct Ports {
    pub(crate) callbacks: MenderCallbacks,
    pub(crate) modules:
        heapless::Vec<(&'static str, &'static MenderUpdateModule), { crate::types::MENDER_MODULES_MAX }>,
    /// Artifact bytes received, and in all, of the deployment in progress.
    pub(crate) progress: (u32, u32),
    /// Why the last deployment failed.
    pub(crate) deployment_error: Option<Error>,
}

/// 0, or an error.
fn done(answer: i32) -> Result<()> {
    if answer == 0 { Ok(()) } else { Err(Errno(answer)) }
}

/// A number from 0, or an error.
fn count(answer: i32) -> Result<u32> {
    u32::try_from(answer).ok().ok_or(Errno(answer))
}

/// 0, "again", or an error.
fn progress(answer: i32) -> Result<Progress> {
    match answer {
        crate::types::MENDER_AGAIN => Ok(Progress::Pending),
        other => done(other).map(|()| Progress::Done),
    }
}
