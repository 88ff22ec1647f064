// SPDX-License-Identifier: Apache-2.0
//! A simulated device and a real server in one process, for tests that read as dialogues.
//!
//! Time is the device's own: it jumps over every wait of the client and stands still while bytes travel, so hours of back-off
//! pass in milliseconds.

mod checks;
mod device;
mod net;
mod server;
mod store;

pub use checks::{QUICK_TRIES, a_spoilt_check_is_made_again_later, the_next_update_succeeds};
pub use device::{DEVICE_TYPE, Device, MODULE, Ports};
pub use net::{Net, Opened};
pub use server::{
    artifact, deploy, deploy_bytes, deploy_image, dialogue, final_statuses, http, https, module_artifact,
    reports, status,
};
pub use store::{Store, ok};

use mender_testkit::image::{Behaviour, Image, Version};

/// An image of 48 KiB that behaves as told.
#[must_use]
pub fn image(version: &str, behaviour: Behaviour) -> Vec<u8> {
    sized_image(version, behaviour, 48 * 1024)
}

/// An image of so many bytes.
///
/// # Panics
/// When `version` is none.
#[must_use]
pub fn sized_image(version: &str, behaviour: Behaviour, bytes: usize) -> Vec<u8> {
    Image::new(Version::parse(version).expect("a version"), behaviour).size(bytes).build()
}

/// An image that works.
#[must_use]
pub fn good(version: &str) -> Vec<u8> {
    image(version, Behaviour::Fine)
}
