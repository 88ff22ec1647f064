// SPDX-License-Identifier: Apache-2.0
//! Calls every public function of the firmware crates with values of which nothing is known.
//!
//! `cargo xtask nopanic` reads these files too: a public function that is not named here as `Type::function` or
//! `module::function` fails the check.
#![no_std]
#![no_main]

#[path = "../every/api.rs"]
mod api;
#[path = "../every/artifact.rs"]
mod artifact;
#[path = "../every/base.rs"]
mod base;
#[path = "../every/client.rs"]
mod client;
#[path = "../every/update.rs"]
mod update;

/// Where the linked program begins.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    base::every();
    artifact::every();
    api::every();
    update::records();
    update::every();
    client::every();
    loop {
        core::hint::spin_loop();
    }
}
