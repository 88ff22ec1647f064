// SPDX-License-Identifier: Apache-2.0
//! The proof that the firmware crates cannot panic and have no heap.
//!
//! The programs of this crate are linked, not run. Their panic handler calls a function that does not exist, so the linker fails as
//! long as one panic can be reached after optimisation; every value a function gets comes from [`any`], of which the optimiser knows
//! nothing. `client` is a client as an application makes it, and its size is what the client costs; `every` calls every public
//! function of the firmware crates. `cargo xtask nopanic` links both, checks their symbols, and checks that with the feature
//! `one_index` the link does fail.
#![no_std]

pub mod any;
pub mod ports;

/// Called by the panic handler and defined nowhere: its name in a linker's message means that a panic can be reached.
#[cfg(all(feature = "proof", not(feature = "explain")))]
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn mender_panic_is_reachable() -> !;
    }
    // SAFETY: the program does not link when this call is in it, so it never runs.
    unsafe { mender_panic_is_reachable() }
}

/// Keeps the places of panics in the program, for `cargo xtask nopanic` to find.
#[cfg(feature = "explain")]
#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    any::see(info.location());
    loop {
        core::hint::spin_loop();
    }
}
