// SPDX-License-Identifier: Apache-2.0
//! What a server with a data folder keeps over restarts: keys, artifacts, devices, deployments.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::{Artifact, Deployment, Device};
use crate::stamp;
use crate::state::{State, Stored};

const STATE_FILE: &str = "state.json";
const ARTIFACTS: &str = "artifacts";

#[derive(Serialize)]
struct Saved<'a> {
    devices: Vec<&'a Device>,
    live: &'a HashSet<String>,
    artifacts: Vec<&'a Artifact>,
    deployments: &'a [Deployment],
    last_link: u64,
    last_expired_link: u64,
}

#[derive(Deserialize)]
struct Loaded {
    devices: Vec<Device>,
    live: HashSet<String>,
    artifacts: Vec<Artifact>,
    deployments: Vec<Deployment>,
    last_link: u64,
    last_expired_link: u64,
}

/// Replaces `file` as a whole, or not at all.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_as(file, bytes, 0o644)
}

/// Like [`write`], readable by its owner only.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_as(file, bytes, 0o600)
}

fn write_as(file: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let failed = || Error::io(file.display().to_string());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed())?;
    }
    let new = file.with_extension("new");
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&new)
        .map_err(failed())?;
    out.write_all(bytes).map_err(failed())?;
    fs::rename(&new, file).map_err(failed())
}

/// 32 secret bytes: those in `data`, made there the first time, or fresh ones without a folder.
pub(crate) fn secret(data: Option<&Path>, name: &str) -> Result<Vec<u8>, Error> {
    let Some(folder) = data else { return Ok(stamp::random::<32>().to_vec()) };
    let file = folder.join(name);
    if file.exists() {
        return fs::read(&file).map_err(Error::io(file.display().to_string()));
    }
    let bytes = stamp::random::<32>();
    write_private(&file, &bytes)?;
    Ok(bytes.to_vec())
}

pub(crate) fn save(folder: &Path, state: &State) -> Result<(), Error> {
    let saved = Saved {
        devices: state.devices.values().collect(),
        live: &state.live,
        artifacts: state.artifacts.values().map(|stored| &stored.artifact).collect(),
        deployments: &state.deployments,
        last_link: state.last_link,
        last_expired_link: state.last_expired_link,
    };
    let json = serde_json::to_vec_pretty(&saved).map_err(|error| Error::Invalid(error.to_string()))?;
    write_private(&folder.join(STATE_FILE), &json)
}

/// Keeps the bytes of an artifact.
pub(crate) fn save_artifact(folder: &Path, id: &str, bytes: &[u8]) -> Result<(), Error> {
    write(&folder.join(ARTIFACTS).join(format!("{id}.mender")), bytes)
}

pub(crate) fn load(folder: &Path) -> Result<State, Error> {
    let file = folder.join(STATE_FILE);
    if !file.exists() {
        return Ok(State::default());
    }
    let json = fs::read(&file).map_err(Error::io(file.display().to_string()))?;
    let loaded: Loaded = serde_json::from_slice(&json)
        .map_err(|error| Error::Invalid(format!("{}: {error}", file.display())))?;
    let mut artifacts = BTreeMap::new();
    for artifact in loaded.artifacts {
        let file = folder.join(ARTIFACTS).join(format!("{}.mender", artifact.id));
        let bytes = Arc::from(fs::read(&file).map_err(Error::io(file.display().to_string()))?);
        artifacts.insert(artifact.id.clone(), Stored { artifact, bytes });
    }
    Ok(State {
        devices: loaded.devices.into_iter().map(|device| (device.id.clone(), device)).collect(),
        live: loaded.live,
        artifacts,
        deployments: loaded.deployments,
        last_link: loaded.last_link,
        last_expired_link: loaded.last_expired_link,
        ..State::default()
    })
}
