// SPDX-License-Identifier: Apache-2.0
//! Host models of every port: NOR flash that can lose power, MCUboot, sockets with TLS, keys, records, modules.
//!
//! Knows: the port traits, MCUboot's image and trailer formats. Does not know: the client, which runs on [`Host`] as it runs on Zephyr.
//!
//! Everything that outlives a power cut is in one [`Flash`], which is stricter than real flash and counts its operations. A [`Cut`]
//! makes the power go at a chosen one, in the middle of it if wanted; [`mcuboot::boot`] is what happens when it comes back.

pub mod application;
pub mod bootloader;
pub mod clock;
pub mod flash;
pub mod host;
pub mod keys;
pub mod layout;
pub mod log;
pub mod mcuboot;
pub mod modules;
mod pages;
pub mod power;
mod reports;
pub mod slot;
pub mod store;
pub mod trailer;
pub mod transport;

pub use flash::{Flash, FlashError};
pub use host::Host;
pub use layout::{Area, Layout};
pub use power::{Cut, Moment, Power, Tear};

#[cfg(test)]
mod testdir;
#[cfg(test)]
use testdir::scratch_dir;
