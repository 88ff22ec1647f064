// SPDX-License-Identifier: Apache-2.0
//! The official `mender-artifact`, where installed: writes the same artifact, or judges one.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use crate::artifact::Artifact;
use crate::key::Key;
use crate::tar::Meta;

/// The tool's name, looked up in `PATH`.
pub const MENDER_ARTIFACT: &str = "mender-artifact";

/// Who writes an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `mender-artifact`, which must be installed.
    Official,
    /// This crate.
    Own,
    /// `mender-artifact` where installed, else this crate.
    Auto,
}

/// Why the official tool gave no answer, or a bad one.
#[derive(Debug)]
pub enum ToolError {
    /// There is no such program in `PATH`.
    NotInstalled,
    /// It ended with a failure; this is what it printed.
    Failed(String),
    /// Its files could not be written or read.
    Io(io::Error),
}

impl std::fmt::Display for ToolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotInstalled => write!(f, "{MENDER_ARTIFACT} is not installed"),
            Self::Failed(output) => write!(f, "{MENDER_ARTIFACT} failed: {output}"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ToolError {}

impl From<io::Error> for ToolError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes an artifact with the tool asked for; says whether the official one did it.
///
/// # Errors
/// See [`ToolError`]; [`Tool::Own`] never fails.
pub fn build(artifact: &Artifact, tool: Tool) -> Result<(Vec<u8>, bool), ToolError> {
    if tool == Tool::Own {
        return Ok((artifact.build(), false));
    }
    match build_official(artifact) {
        Err(ToolError::NotInstalled) if tool == Tool::Auto => Ok((artifact.build(), false)),
        result => result.map(|bytes| (bytes, true)),
    }
}

/// Has the official tool write an artifact from the same inputs. Owners and the time of `header.tar` are
/// those of this run.
///
/// # Errors
/// See [`ToolError`].
pub fn build_official(artifact: &Artifact) -> Result<Vec<u8>, ToolError> {
    let folder = Folder::new()?;
    let output = folder.path.join("output.mender");
    let mut arguments = artifact.arguments(&folder)?;
    arguments.extend(["-o".into(), output.clone().into()]);
    let printed = run(&arguments)?;
    // The tool may end with success and write nothing.
    fs::read(output).map_err(|error| ToolError::Failed(format!("{error}: {printed}")))
}

/// Asks the official tool whether an artifact is valid, with this key where given; returns what it printed.
///
/// # Errors
/// See [`ToolError`]; [`ToolError::Failed`] when it finds the artifact invalid.
pub fn validate(artifact: &[u8], key: Option<&Key>) -> Result<String, ToolError> {
    judge("validate", artifact, key)
}

/// Has the official tool print what an artifact holds.
///
/// # Errors
/// See [`ToolError`]; [`ToolError::Failed`] when it cannot read the artifact.
pub fn read(artifact: &[u8]) -> Result<String, ToolError> {
    judge("read", artifact, None)
}

fn judge(command: &str, artifact: &[u8], key: Option<&Key>) -> Result<String, ToolError> {
    let folder = Folder::new()?;
    let mut arguments = vec![command.into()];
    if let Some(key) = key {
        let file = folder.file("public.pem", &Meta::file(), key.public_pem().as_bytes())?;
        arguments.extend(["-k".into(), file.into()]);
    }
    arguments.push(folder.file("input.mender", &Meta::file(), artifact)?.into());
    run(&arguments)
}

fn run(arguments: &[OsString]) -> Result<String, ToolError> {
    let output = match Command::new(MENDER_ARTIFACT).args(arguments).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ToolError::NotInstalled),
        output => output?,
    };
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(ToolError::Failed(text)) }
}

impl Artifact {
    /// The command line that makes the official tool write this artifact; inputs are put into `folder`.
    fn arguments(&self, folder: &Folder) -> io::Result<Vec<OsString>> {
        let subcommand = match self.payload_type.as_deref() {
            None => "bootstrap-artifact",
            Some("rootfs-image") => "rootfs-image",
            Some(_) => "module-image",
        };
        let mut words: Vec<OsString> = vec!["write".into(), subcommand.into()];
        let mut option = |name: &str, value: &str| words.extend([name.into(), value.into()]);
        option("-n", &self.name);
        option("--compression", self.compression.name());
        self.device_types.iter().for_each(|value| option("-t", value));
        self.depends_names.iter().for_each(|value| option("-N", value));
        self.depends_groups.iter().for_each(|value| option("-G", value));
        self.group.iter().for_each(|value| option("-g", value));
        self.provides.iter().for_each(|(key, value)| option("-p", &format!("{key}:{value}")));
        self.depends.iter().for_each(|(key, value)| option("-d", &format!("{key}:{value}")));
        self.clears.iter().for_each(|value| option("--clears-provides", value));
        if subcommand == "module-image" {
            self.payload_type.iter().for_each(|value| option("-T", value));
        }
        if let Some((filesystem, name, version)) = &self.software {
            option("--software-filesystem", filesystem);
            option("--software-name", name);
            option("--software-version", version);
        }
        for (wanted, flag) in [
            (self.default_software_version, "--no-default-software-version"),
            (self.default_clears_provides, "--no-default-clears-provides"),
            (self.checksum_provide, "--no-checksum-provide"),
        ] {
            // Bootstrap artifacts have no such defaults, and no flags against them.
            if !wanted && self.payload_type.is_some() {
                words.push(flag.into());
            }
        }
        for (flag, files) in [("-s", &self.scripts), ("-f", &self.files)] {
            for (name, meta, content) in files {
                words.extend([flag.into(), folder.file(name, meta, content)?.into()]);
            }
        }
        if let Some(meta_data) = &self.meta_data {
            let text = meta_data.to_string();
            words.extend(["-m".into(), folder.file("meta-data", &Meta::file(), text.as_bytes())?.into()]);
        }
        if let Some(key) = &self.key {
            let text = key.private_pem();
            words.extend(["-k".into(), folder.file("private.pem", &Meta::stream(), text.as_bytes())?.into()]);
        }
        Ok(words)
    }
}

/// A temporary folder, removed with all in it when dropped.
struct Folder {
    path: PathBuf,
    files: Cell<u32>,
}

impl Folder {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mender-testkit-{}-{count}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self { path, files: Cell::new(0) })
    }

    fn file(&self, name: &str, meta: &Meta, content: &[u8]) -> io::Result<PathBuf> {
        // One folder per file: the tool takes the bare name, and names may repeat.
        let folder = self.path.join(self.files.get().to_string());
        self.files.set(self.files.get() + 1);
        fs::create_dir(&folder)?;
        let path = folder.join(name);
        fs::write(&path, content)?;
        File::options()
            .write(true)
            .open(&path)?
            .set_modified(UNIX_EPOCH + Duration::from_secs(meta.mtime))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(meta.mode))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{}: {error}", self.path.display());
        }
    }
}
