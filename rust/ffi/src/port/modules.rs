// SPDX-License-Identifier: Apache-2.0
//! The application's update modules.

use super::{Ports, done, progress};
use crate::types::{MENDER_AGAIN, MenderUpdateModule};
use mender_base::{Error, limits};
use mender_port::{Errno, ModuleId, ModuleState, Modules, Progress, Result};

impl Ports {
    /// Takes a module for `payload_type` into the table.
    pub(crate) fn register(
        &mut self,
        payload_type: &'static str,
        module: &'static MenderUpdateModule,
    ) -> core::result::Result<(), Error> {
        if module.begin.is_none() || module.write.is_none() {
            return Err(Error::NullPointer);
        }
        let built_in = payload_type == "zephyr-image";
        if payload_type.is_empty() || payload_type.len() > limits::PAYLOAD_TYPE_MAX || built_in {
            return Err(Error::Argument);
        }
        if self.modules.iter().any(|(known, _)| *known == payload_type) {
            return Err(Error::ModuleTable);
        }
        self.modules.push((payload_type, module)).ok().ok_or(Error::ModuleTable)
    }

    fn module(&self, id: ModuleId) -> Result<&'static MenderUpdateModule> {
        self.modules.get(usize::from(id.0)).map(|(_, module)| *module).ok_or(Errno::EINVAL)
    }
}

impl Modules for Ports {
    fn find(&mut self, payload_type: &str) -> Option<ModuleId> {
        let index = self.modules.iter().position(|(known, _)| *known == payload_type)?;
        u8::try_from(index).ok().map(ModuleId)
    }

    fn needs_reboot(&mut self, id: ModuleId) -> bool {
        let Ok(module) = self.module(id) else { return false };
        // SAFETY: the application's callback gets its own pointer.
        module.needs_reboot.is_some_and(|needs| unsafe { needs(module.user) } > 0)
    }

    fn supports_rollback(&mut self, id: ModuleId) -> bool {
        self.module(id).is_ok_and(|module| module.artifact_rollback.is_some())
    }

    fn download(&mut self, id: ModuleId) -> Result<()> {
        let module = self.module(id)?;
        let Some(download) = module.download else { return Ok(()) };
        // SAFETY: the application's callback gets its own pointer.
        done(unsafe { download(module.user) })
    }

    fn meta_data(&mut self, id: ModuleId, piece: &[u8]) -> Result<()> {
        let module = self.module(id)?;
        let Some(meta_data) = module.meta_data else { return Ok(()) };
        let len = u32::try_from(piece.len()).ok().ok_or(Errno::EINVAL)?;
        // SAFETY: the application's callback gets its own pointer, and bytes that outlive the call.
        done(unsafe { meta_data(module.user, piece.as_ptr(), len) })
    }

    fn begin(&mut self, id: ModuleId, file: u8, name: &str, size: u32) -> Result<()> {
        let module = self.module(id)?;
        let begin = module.begin.ok_or(Errno::EINVAL)?;
        let mut with_nul = [0u8; limits::FILE_NAME_MAX + 1];
        if name.len() >= with_nul.len() {
            return Err(Errno::EINVAL);
        }
        for (to, from) in with_nul.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        // SAFETY: the application's callback gets its own pointer, and a name that ends with NUL and outlives the call.
        done(unsafe { begin(module.user, file, with_nul.as_ptr().cast(), size) })
    }

    fn write(&mut self, id: ModuleId, file: u8, offset: u32, data: &[u8]) -> Result<usize> {
        let module = self.module(id)?;
        let write = module.write.ok_or(Errno::EINVAL)?;
        let len = u32::try_from(data.len()).ok().ok_or(Errno::EINVAL)?;
        // SAFETY: the application's callback gets its own pointer, and bytes that outlive the call.
        match unsafe { write(module.user, file, offset, data.as_ptr(), len) } {
            0 => Ok(data.len()),
            MENDER_AGAIN => Ok(0),
            errno => Err(Errno(errno)),
        }
    }

    fn end(&mut self, id: ModuleId, file: u8) -> Result<()> {
        let module = self.module(id)?;
        let Some(end) = module.end else { return Ok(()) };
        // SAFETY: the application's callback gets its own pointer.
        done(unsafe { end(module.user, file) })
    }

    fn run(&mut self, id: ModuleId, state: ModuleState) -> Result<Progress> {
        let module = self.module(id)?;
        let callback = match state {
            ModuleState::ArtifactInstall => module.artifact_install,
            ModuleState::ArtifactReboot => module.artifact_reboot,
            ModuleState::ArtifactVerifyReboot => module.artifact_verify_reboot,
            ModuleState::ArtifactCommit => module.artifact_commit,
            ModuleState::ArtifactRollback => module.artifact_rollback,
            ModuleState::ArtifactRollbackReboot => module.artifact_rollback_reboot,
            ModuleState::ArtifactVerifyRollbackReboot => module.artifact_verify_rollback_reboot,
            ModuleState::ArtifactFailure => module.artifact_failure,
            ModuleState::Cleanup => module.cleanup,
        };
        let Some(callback) = callback else { return Ok(Progress::Done) };
        // SAFETY: the application's callback gets its own pointer.
        progress(unsafe { callback(module.user) })
    }
}
