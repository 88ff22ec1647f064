// SPDX-License-Identifier: Apache-2.0
//! Writes artifacts and MCUboot images for tests and demos, right ones to the last byte and wrong ones on
//! purpose.
//!
//! Knows: the Mender artifact format, tar, signatures, MCUboot's image format. Does not know: the firmware's
//! reader; the two share no code, so that neither can hide the other's mistakes.
//!
//! ```
//! use mender_testkit::artifact::Artifact;
//! use mender_testkit::image::{Behaviour, Image, Version};
//! use mender_testkit::key::Key;
//!
//! let image = Image::new(Version::parse("2.0.0").unwrap(), Behaviour::Fine).size(32 * 1024).build();
//! let artifact = Artifact::new("release-2", "board").file("app.signed.bin", image).sign(&Key::generate());
//! let good = artifact.build();
//! let forged = artifact.raw().edit_outer(|tar| tar.member("manifest.sig").data[0] ^= 1).bytes();
//! assert_eq!(good.len(), forged.len());
//! ```

pub mod artifact;
pub mod image;
pub mod json;
pub mod key;
pub mod pem;
pub mod raw;
pub mod tar;
pub mod tool;
