// SPDX-License-Identifier: Apache-2.0
//! An update module whose storage outlives the power. What the file it is given says decides how it behaves.

use std::cell::RefCell;
use std::rc::Rc;

use mender_port::{Errno, ModuleId, ModuleState, Modules, Progress, Result};

/// The payload type of the module.
pub const FILES: &str = "files";

/// What the module keeps: each change is done at once or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    download: Option<Vec<u8>>,
    /// The installed file.
    pub current: Option<Vec<u8>>,
    previous: Option<Option<Vec<u8>>>,
    /// The module resets the device: it runs no further.
    pub reset: bool,
    /// States that were run, over all boots.
    pub states: u32,
}

/// The module, made anew at each boot around its shelf.
#[derive(Debug)]
pub struct Module(pub Rc<RefCell<Shelf>>);

/// A file that makes the module do something at a state: `reboot`, `fail <state>`, `reset <state>`, `no-rollback`, one per line.
fn says(content: Option<&Vec<u8>>, line: &str) -> bool {
    content.is_some_and(|bytes| bytes.split(|byte| *byte == b'\n').any(|have| have == line.as_bytes()))
}

impl Shelf {
    /// The file that the deployment is about: the new one, wherever it is by now.
    fn subject(&self) -> Option<&Vec<u8>> {
        self.download.as_ref().or(self.current.as_ref())
    }

    fn run(&mut self, state: ModuleState) -> Result<Progress> {
        self.states += 1;
        if says(self.subject(), &format!("reset {}", state.name())) {
            self.reset = true;
            return Ok(Progress::Pending);
        }
        if says(self.subject(), &format!("fail {}", state.name())) {
            return Err(Errno::EIO);
        }
        match state {
            ModuleState::ArtifactInstall => {
                if let Some(new) = self.download.take() {
                    self.previous = Some(self.current.replace(new));
                }
            }
            ModuleState::ArtifactRollback => {
                if let Some(old) = self.previous.take() {
                    self.current = old;
                }
            }
            ModuleState::Cleanup => (self.download, self.previous) = (None, None),
            ModuleState::ArtifactReboot
            | ModuleState::ArtifactVerifyReboot
            | ModuleState::ArtifactCommit
            | ModuleState::ArtifactRollbackReboot
            | ModuleState::ArtifactVerifyRollbackReboot
            | ModuleState::ArtifactFailure => {}
        }
        Ok(Progress::Done)
    }
}

impl Modules for Module {
    fn find(&mut self, payload_type: &str) -> Option<ModuleId> {
        (payload_type == FILES).then_some(ModuleId(0))
    }

    fn needs_reboot(&mut self, _module: ModuleId) -> bool {
        says(self.0.borrow().subject(), "reboot")
    }

    fn supports_rollback(&mut self, _module: ModuleId) -> bool {
        !says(self.0.borrow().subject(), "no-rollback")
    }

    fn meta_data(&mut self, _module: ModuleId, _piece: &[u8]) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, _module: ModuleId, _file: u8, _name: &str, _size: u32) -> Result<()> {
        self.0.borrow_mut().download = Some(Vec::new());
        Ok(())
    }

    fn write(&mut self, _module: ModuleId, _file: u8, offset: u32, data: &[u8]) -> Result<usize> {
        let mut shelf = self.0.borrow_mut();
        let download = shelf.download.as_mut().ok_or(Errno::EINVAL)?;
        download.truncate(offset as usize);
        download.extend_from_slice(data);
        Ok(data.len())
    }

    fn end(&mut self, _module: ModuleId, _file: u8) -> Result<()> {
        Ok(())
    }

    fn run(&mut self, _module: ModuleId, state: ModuleState) -> Result<Progress> {
        self.0.borrow_mut().run(state)
    }
}
