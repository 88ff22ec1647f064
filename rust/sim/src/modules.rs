// SPDX-License-Identifier: Apache-2.0
//! The `Modules` port: one update module that writes the payload files into a folder.
//!
//! Per payload type there is a folder with `download`, `current` and `previous`. Installing turns `current` into `previous` and
//! `download` into `current`; rolling back turns them back. Every step is a rename and can be done again, so that a power cut
//! anywhere is harmless.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mender_port::{Errno, ModuleId, ModuleState, Modules, Progress, Result};

/// Longest meta-data that is kept, bytes.
const META_DATA_MAX: u64 = 64 * 1024;

/// A state of Mender's update modules in which the module can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailAt {
    /// While the files come in.
    Download,
    /// In that state.
    State(ModuleState),
}

impl FailAt {
    const STATES: [(&'static str, Self); 10] = [
        ("Download", Self::Download),
        ("ArtifactInstall", Self::State(ModuleState::ArtifactInstall)),
        ("ArtifactReboot", Self::State(ModuleState::ArtifactReboot)),
        ("ArtifactVerifyReboot", Self::State(ModuleState::ArtifactVerifyReboot)),
        ("ArtifactCommit", Self::State(ModuleState::ArtifactCommit)),
        ("ArtifactRollback", Self::State(ModuleState::ArtifactRollback)),
        ("ArtifactRollbackReboot", Self::State(ModuleState::ArtifactRollbackReboot)),
        ("ArtifactVerifyRollbackReboot", Self::State(ModuleState::ArtifactVerifyRollbackReboot)),
        ("ArtifactFailure", Self::State(ModuleState::ArtifactFailure)),
        ("Cleanup", Self::State(ModuleState::Cleanup)),
    ];

    /// The state of Mender's name for it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::STATES.iter().find(|(known, _)| *known == name).map(|(_, state)| *state)
    }

    /// Mender's names of all states.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::STATES.iter().map(|(name, _)| *name)
    }
}

/// The module. The public fields may be changed at any time.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    types: Vec<String>,
    names: HashMap<(u8, u8), String>,
    trace: Vec<(ModuleId, ModuleState)>,
    /// The new files need a restart to take effect.
    pub needs_reboot: bool,
    /// The module can undo an installation.
    pub supports_rollback: bool,
    /// Where it fails.
    pub fail_at: Vec<FailAt>,
    /// How often each state says [`Progress::Pending`] before it is done.
    pub pending: u32,
    waited: u32,
}

impl Folder {
    /// A module for these payload types (at most 256) with folders under `root`; it needs a reboot and supports rollback.
    #[must_use]
    pub fn new(root: &Path, types: Vec<String>) -> Self {
        Self {
            root: root.to_owned(),
            types,
            names: HashMap::new(),
            trace: Vec::new(),
            needs_reboot: true,
            supports_rollback: true,
            fail_at: Vec::new(),
            pending: 0,
            waited: 0,
        }
    }

    /// The folder with the files that are installed for a payload type.
    #[must_use]
    pub fn current(&self, payload_type: &str) -> PathBuf {
        self.folder(payload_type).join("current")
    }

    /// The states that were run to their end or failure, in order, since the start.
    #[must_use]
    pub fn trace(&self) -> &[(ModuleId, ModuleState)] {
        &self.trace
    }

    fn folder(&self, payload_type: &str) -> PathBuf {
        // A payload type may hold anything; a folder name may not.
        let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        self.root.join(payload_type.chars().map(safe).collect::<String>())
    }

    fn folder_of(&self, module: ModuleId) -> Result<PathBuf> {
        let name = self.types.get(usize::from(module.0)).ok_or(Errno::EINVAL)?;
        Ok(self.folder(name))
    }

    fn fails_at(&self, state: FailAt) -> Result<()> {
        if self.fail_at.contains(&state) { Err(Errno::EIO) } else { Ok(()) }
    }

    fn install(folder: &Path) -> io::Result<()> {
        let (download, current, previous) =
            (folder.join("download"), folder.join("current"), folder.join("previous"));
        if !download.exists() {
            // An artifact without files, or this was done before the power went.
            return Ok(());
        }
        if current.exists() {
            remove(&previous)?;
            fs::rename(&current, &previous)?;
        }
        // Nothing was installed before: an empty `previous` says so to a rollback.
        fs::create_dir_all(&previous)?;
        fs::rename(&download, &current)
    }

    fn roll_back(folder: &Path) -> io::Result<()> {
        let (current, previous) = (folder.join("current"), folder.join("previous"));
        if !previous.exists() {
            // Nothing was installed yet, or this was done before the power went.
            return Ok(());
        }
        remove(&current)?;
        fs::rename(&previous, &current)
    }

    fn clean_up(folder: &Path) -> io::Result<()> {
        remove(&folder.join("download"))?;
        remove(&folder.join("previous"))
    }

    fn file(&mut self, module: ModuleId, file: u8) -> Result<PathBuf> {
        let name = self.names.get(&(module.0, file)).ok_or(Errno::EINVAL)?;
        Ok(self.folder_of(module)?.join("download").join(name))
    }
}

impl Modules for Folder {
    fn find(&mut self, payload_type: &str) -> Option<ModuleId> {
        let index = self.types.iter().position(|known| known == payload_type)?;
        u8::try_from(index).ok().map(ModuleId)
    }

    fn needs_reboot(&mut self, _module: ModuleId) -> bool {
        self.needs_reboot
    }

    fn supports_rollback(&mut self, _module: ModuleId) -> bool {
        self.supports_rollback
    }

    fn download(&mut self, module: ModuleId) -> Result<()> {
        let folder = self.folder_of(module)?;
        fs::create_dir_all(&folder).map_err(errno)?;
        remove(&folder.join("meta-data.json")).map_err(errno)
    }

    fn meta_data(&mut self, module: ModuleId, piece: &[u8]) -> Result<()> {
        let path = self.folder_of(module)?.join("meta-data.json");
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(errno)?;
        if file.metadata().map_err(errno)?.len() + piece.len() as u64 > META_DATA_MAX {
            return Err(Errno::ENOSPC);
        }
        io::Write::write_all(&mut file, piece).map_err(errno)
    }

    fn begin(&mut self, module: ModuleId, file: u8, name: &str, size: u32) -> Result<()> {
        self.fails_at(FailAt::Download)?;
        let download = self.folder_of(module)?.join("download");
        if file == 0 {
            remove(&download).map_err(errno)?;
            self.names.retain(|(of, _), _| *of != module.0);
        }
        // The reader of the artifact refuses such names; a module must not rely on it.
        if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
            return Err(Errno::EINVAL);
        }
        self.names.insert((module.0, file), name.to_owned());
        fs::create_dir_all(&download).map_err(errno)?;
        let made = fs::File::create(download.join(name)).map_err(errno)?;
        made.set_len(size.into()).map_err(errno)
    }

    fn write(&mut self, module: ModuleId, file: u8, offset: u32, data: &[u8]) -> Result<usize> {
        let path = self.file(module, file)?;
        let file = OpenOptions::new().write(true).open(path).map_err(errno)?;
        file.write_all_at(data, offset.into()).map_err(errno)?;
        Ok(data.len())
    }

    fn end(&mut self, module: ModuleId, file: u8) -> Result<()> {
        self.file(module, file).map(drop)
    }

    fn run(&mut self, module: ModuleId, state: ModuleState) -> Result<Progress> {
        if self.waited < self.pending {
            self.waited += 1;
            return Ok(Progress::Pending);
        }
        self.waited = 0;
        self.trace.push((module, state));
        self.fails_at(FailAt::State(state))?;
        let folder = self.folder_of(module)?;
        let done = match state {
            ModuleState::ArtifactInstall => Self::install(&folder),
            ModuleState::ArtifactRollback => Self::roll_back(&folder),
            ModuleState::Cleanup => {
                Self::clean_up(&folder).and_then(|()| remove(&folder.join("meta-data.json")))
            }
            ModuleState::ArtifactReboot
            | ModuleState::ArtifactVerifyReboot
            | ModuleState::ArtifactCommit
            | ModuleState::ArtifactRollbackReboot
            | ModuleState::ArtifactVerifyRollbackReboot
            | ModuleState::ArtifactFailure => Ok(()),
        };
        done.map_err(errno).map(|()| Progress::Done)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

fn errno(e: io::Error) -> Errno {
    e.raw_os_error().map_or(Errno::EIO, |number| Errno(-number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn download(modules: &mut Folder, content: &[u8]) -> ModuleId {
        let id = modules.find("files").unwrap();
        modules.begin(id, 0, "config.txt", content.len() as u32).unwrap();
        let half = content.len() / 2;
        modules.write(id, 0, 0, &content[..half]).unwrap();
        modules.write(id, 0, half as u32, &content[half..]).unwrap();
        modules.end(id, 0).unwrap();
        id
    }

    fn current(modules: &Folder) -> Option<Vec<u8>> {
        fs::read(modules.current("files").join("config.txt")).ok()
    }

    fn folder(dir: &Path) -> Folder {
        Folder::new(dir, vec!["files".into()])
    }

    #[test]
    fn an_installation_can_be_undone_and_repeated() {
        let dir = crate::scratch_dir("modules");
        let mut modules = folder(dir.path());
        for (content, keep) in
            [(&b"undone"[..], false), (b"first", true), (b"second", false), (b"third", true)]
        {
            let before = current(&modules);
            let id = download(&mut modules, content);
            assert_eq!(current(&modules), before, "a download installs nothing");
            for _ in 0..2 {
                modules.run(id, ModuleState::ArtifactInstall).unwrap();
                assert_eq!(current(&modules).as_deref(), Some(content));
            }
            if !keep {
                for _ in 0..2 {
                    modules.run(id, ModuleState::ArtifactRollback).unwrap();
                    assert_eq!(current(&modules), before);
                }
            }
            modules.run(id, ModuleState::Cleanup).unwrap();
        }
        assert_eq!(current(&modules).as_deref(), Some(&b"third"[..]));
        assert_eq!(modules.find("other"), None);
    }

    #[test]
    fn the_module_fails_and_waits_where_it_is_told_to() {
        let dir = crate::scratch_dir("modules");
        let mut modules = folder(dir.path());
        let id = download(&mut modules, b"x");
        modules.pending = 2;
        for expected in [Progress::Pending, Progress::Pending, Progress::Done] {
            assert_eq!(modules.run(id, ModuleState::ArtifactInstall), Ok(expected));
        }
        modules.pending = 0;
        for name in FailAt::names() {
            modules.fail_at = vec![FailAt::from_name(name).unwrap()];
            match FailAt::from_name(name).unwrap() {
                FailAt::Download => assert!(modules.begin(id, 0, "f", 1).is_err()),
                FailAt::State(state) => assert!(modules.run(id, state).is_err(), "{name}"),
            }
        }
    }

    #[test]
    fn a_file_name_cannot_leave_the_folder() {
        let dir = crate::scratch_dir("modules");
        let mut modules = folder(dir.path());
        for name in ["", ".", "..", "../x", "/etc/passwd", "a\0b"] {
            assert_eq!(modules.begin(ModuleId(0), 0, name, 1), Err(Errno::EINVAL), "{name:?}");
        }
        assert!(modules.folder("../../x").starts_with(dir.path()));
        assert_eq!(modules.folder("../../x").parent(), Some(dir.path()));
    }
}
