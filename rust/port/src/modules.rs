// SPDX-License-Identifier: Apache-2.0
//! Update modules: what installs the payload types that are not built in.
//!
//! States and their meaning are those of Mender's update modules
//! (<https://docs.mender.io/artifact-creation/create-a-custom-update-module>).

use crate::{ModuleState, Progress, Result};

/// A module, by the platform's own numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleId(pub u8);

/// The registered update modules. Payload types `zephyr-image` and none (`null`) are built into the client and never come here.
pub trait Modules {
    /// The module for a payload type. The same for the same type after a restart.
    fn find(&mut self, payload_type: &str) -> Option<ModuleId>;

    /// The device must restart for the new software to run. Asked once, after `ArtifactInstall`; the record keeps it over a restart.
    fn needs_reboot(&mut self, module: ModuleId) -> bool;

    /// The module can undo what it did.
    fn supports_rollback(&mut self, module: ModuleId) -> bool;

    /// A download for this module begins (Mender's state `Download`): meta-data, then files. What an earlier one left is void.
    ///
    /// # Errors
    /// The deployment fails.
    fn download(&mut self, module: ModuleId) -> Result<()> {
        // A module that keeps nothing between downloads has nothing to do here.
        let _ = module;
        Ok(())
    }

    /// A piece of the artifact's meta-data (JSON). It is not yet verified: keep it, do not act on it before `begin` or `ArtifactInstall`.
    ///
    /// # Errors
    /// The deployment fails.
    fn meta_data(&mut self, module: ModuleId, piece: &[u8]) -> Result<()>;

    /// A payload file begins. Called again for file 0 after a download that was cut: what was written before is void.
    ///
    /// # Errors
    /// The deployment fails.
    fn begin(&mut self, module: ModuleId, file: u8, name: &str, size: u32) -> Result<()>;

    /// Bytes of a payload file at `offset`; returns how many were taken. 0 means: offer them again.
    ///
    /// # Errors
    /// The deployment fails.
    fn write(&mut self, module: ModuleId, file: u8, offset: u32, data: &[u8]) -> Result<usize>;

    /// A payload file is whole and its hash is right.
    ///
    /// # Errors
    /// The deployment fails.
    fn end(&mut self, module: ModuleId, file: u8) -> Result<()>;

    /// Runs a state, or goes on with it after [`Progress::Pending`].
    ///
    /// # Errors
    /// The state failed; what follows is the state machine's affair.
    fn run(&mut self, module: ModuleId, state: ModuleState) -> Result<Progress>;
}
