// SPDX-License-Identifier: Apache-2.0
//! Directories of their own for tests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Removed with all that is in it when it goes out of scope.
pub(crate) struct ScratchDir(PathBuf);

impl ScratchDir {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

pub(crate) fn scratch_dir(name: &str) -> ScratchDir {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("mender-sim-{name}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("the temporary directory is writable");
    ScratchDir(dir)
}
