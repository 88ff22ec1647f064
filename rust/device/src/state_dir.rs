// SPDX-License-Identifier: Apache-2.0
//! The state directory: the flash file, the modules' folders, and a generated identity.

use std::fs;
use std::path::{Path, PathBuf};

use mender_sim::keys::Random;
use mender_sim::{Area, Flash, Layout, mcuboot};
use mender_testkit::image::{Behaviour, Image, Version};

use crate::settings::Settings;

/// Opens the flash, making a new device of an empty directory.
///
/// # Errors
/// A sentence for a person.
pub(crate) fn open_flash(settings: &Settings) -> Result<(Flash, bool), String> {
    let dir = &settings.state_dir;
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let path = dir.join("flash.bin");
    let new = !path.exists();
    if new {
        provision(&settings.layout, settings.image.as_deref(), &path)?;
    }
    let flash = Flash::open(settings.layout, &path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok((flash, new))
}

/// Makes the flash of a new device. A file that is there is whole: it gets its name last.
fn provision(layout: &Layout, image: Option<&Path>, path: &Path) -> Result<(), String> {
    let image = match image {
        Some(file) => fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?,
        None => {
            let version = Version { major: 1, minor: 0, revision: 0, build: 0 };
            Image::new(version, Behaviour::Fine).build()
        }
    };
    let mut flash = Flash::new(*layout);
    let fits = flash.provision(Area::Slot0, &image);
    fits.map_err(|_too_long| format!("the image has {} bytes and does not fit a slot", image.len()))?;
    mcuboot::check(&flash, Area::Slot0).map_err(|e| format!("the image would not boot: {e:?}"))?;
    let unfinished: PathBuf = path.with_extension("new");
    let written = fs::write(&unfinished, flash.bytes()).and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|e| format!("{}: {e}", path.display()))
}

/// The identity: as set, else a random MAC address that was made once and kept.
///
/// # Errors
/// A sentence for a person.
pub(crate) fn identity(settings: &Settings) -> Result<Vec<(String, String)>, String> {
    if !settings.identity.is_empty() {
        return Ok(settings.identity.clone());
    }
    let path = settings.state_dir.join("mac");
    if let Ok(mac) = fs::read_to_string(&path) {
        return Ok(vec![("mac".to_owned(), mac.trim().to_owned())]);
    }
    let mut random = Random::system();
    let [a, b, c, d] = random.number().to_be_bytes();
    let [e, ..] = random.number().to_be_bytes();
    // The second lowest bit of the first byte: locally administered.
    let mac = format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}");
    let unfinished = path.with_extension("new");
    let written = fs::write(&unfinished, format!("{mac}\n")).and_then(|()| fs::rename(&unfinished, &path));
    written.map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(vec![("mac".to_owned(), mac)])
}
