// SPDX-License-Identifier: Apache-2.0
//! What is installed, what is offered, and what the flash and the files say runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mender_server::{DeploymentSpec, Server};
use mender_sim::trailer::SwapType;
use mender_sim::{Area, Flash, Layout, bootloader, mcuboot};
use mender_testkit::artifact::Artifact;
use mender_testkit::image::{self, Behaviour, Image, Version};

use crate::plan::Scenario;

/// The device type of all devices.
pub(crate) const DEVICE_TYPE: &str = "sigkill";
/// 32 KiB: several pages, and many times the client's IO buffer.
const IMAGE_SIZE: usize = 32 * 1024;
/// Lines of the module's file.
const LINES: usize = 300;

/// What is or should be on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Software {
    /// Version of the image in the primary slot.
    pub(crate) version: String,
    /// Its hash.
    pub(crate) hash: [u8; 32],
    /// The file that the module installed.
    pub(crate) file: Option<String>,
    /// What the device provides, its type aside.
    pub(crate) provides: BTreeMap<String, String>,
}

impl Software {
    /// The artifact that counts as installed.
    pub(crate) fn name(&self) -> &str {
        self.provides.get("artifact_name").map_or("", String::as_str)
    }
}

/// What runs, beside the software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// `provides` is empty.
    pub(crate) software: Software,
    /// The image stays at the next restart.
    pub(crate) confirmed: bool,
    /// The next restart would swap.
    pub(crate) swap_pending: bool,
}

/// Reads flash and files of a device that is not at work.
pub(crate) fn look(state: &Path, layout: Layout) -> Result<State, String> {
    let bytes = fs::read(state.join("flash.bin")).map_err(|e| format!("flash: {e}"))?;
    if bytes.len() != layout.total() as usize {
        return Err(format!("the flash has {} bytes", bytes.len()));
    }
    let flash = Flash::from_bytes(layout, bytes);
    let image = image::check(flash.view(Area::Slot0)).map_err(|e| format!("primary slot: {e:?}"))?;
    let software = Software {
        version: image.version.to_string(),
        hash: image.hash,
        file: fs::read_to_string(state.join("modules/files/current/notes.txt")).ok(),
        provides: BTreeMap::new(),
    };
    Ok(State {
        software,
        confirmed: bootloader::is_confirmed(&flash),
        swap_pending: mcuboot::swap_type(&flash) != SwapType::None,
    })
}

/// Deploys an update that makes `old` another software. Returns the deployment and the software.
pub(crate) fn offer(
    server: &Server,
    scenario: Scenario,
    old: &Software,
    version: &str,
) -> Result<(String, Software), String> {
    let name = format!("release-{version}");
    let mut new = old.clone();
    new.provides.insert("artifact_name".to_owned(), name.clone());
    let artifact = Artifact::new(&name, DEVICE_TYPE);
    let artifact = match scenario {
        Scenario::GoodImage | Scenario::BadImage => {
            let behaviour = if scenario.is_good() { Behaviour::Fine } else { Behaviour::FailsSelfTest };
            let number = Version::parse(version).ok_or("not a version")?;
            let image = Image::new(number, behaviour).size(IMAGE_SIZE).build();
            new.version = version.to_owned();
            new.hash = image::hash_of(&image).ok_or("the image has no hash")?;
            new.provides.insert("rootfs-image.zephyr-image.version".to_owned(), name.clone());
            artifact.file("zephyr.signed.bin", image)
        }
        Scenario::GoodModule | Scenario::BadModule => {
            let file = format!("notes of {name}\n").repeat(LINES);
            new.file = Some(file.clone());
            new.provides.insert("rootfs-image.files.version".to_owned(), name.clone());
            artifact.payload_type("files").file("notes.txt", file)
        }
    };
    server.upload(artifact.build()).map_err(|e| e.to_string())?;
    let deployment = server.deploy(DeploymentSpec::all(&name)).map_err(|e| e.to_string())?;
    Ok((deployment, new))
}
