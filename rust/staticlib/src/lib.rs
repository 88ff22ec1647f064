// SPDX-License-Identifier: Apache-2.0
//! `libmender_mcu.a`: the C API, and nothing to panic with.
//!
//! The panic handler calls a function that nobody defines. In the release profile the optimiser drops it together with the last
//! panic that can be reached, so a panic that can be reached is an error of the linker. A debug build keeps it: whoever links one
//! defines `mender_panic_reached`.
#![cfg_attr(feature = "firmware", no_std)]

#[cfg(feature = "firmware")]
pub use mender_ffi::*;

// `cargo check --all-targets` looks at every library as a test too, and a test brings its own.
#[cfg(all(feature = "firmware", not(test)))]
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn mender_panic_reached() -> !;
    }
    // SAFETY: a program in which this can run does not link, or defines a function that does not return.
    unsafe { mender_panic_reached() }
}
