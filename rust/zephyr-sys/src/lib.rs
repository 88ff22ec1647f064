// SPDX-License-Identifier: Apache-2.0
//! The platform as `include/mender_port.h` declares it: the functions every platform defines, errno numbers, and on Zephyr the
//! integers of the module's Kconfig.
//!
//! bindgen reads the header with the flags of the very C compiler that builds the platform's side (`build.rs`). The documentation of
//! each function stands in the header.
//!
//! Does not know: what any of it is for.
#![no_std]

#[allow(non_camel_case_types, missing_docs, reason = "C's names; their documentation is the header's")]
#[allow(unreachable_pub, reason = "some functions are offered below, as safe ones")]
mod bindings {
    include!(env!("ZEPHYR_SYS_BINDINGS"));
}

pub use bindings::*;

/// Functions that get no pointer, and give none, are safe to call: whatever they do wrong is the platform's own affair.
macro_rules! safe {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $answer:ty)?;)+) => {
        $(
            /// As the header says.
            #[inline(always)]
            pub fn $name($($argument: $type),*) $(-> $answer)? {
                // SAFETY: no memory of ours crosses; the header promises a function of this type.
                unsafe { bindings::$name($($argument),*) }
            }
        )+
    };
}

safe! {
    mender_port_lock() -> u32;
    mender_port_unlock(key: u32);
    mender_port_clock_wait(ms: u32);
    mender_port_clock_wake();
    mender_port_clock_now_ms() -> u64;
    mender_port_clock_unix_ms() -> u64;
    mender_port_transport_close(channel: i32);
    mender_port_slot_begin(size: u32) -> i32;
    mender_port_slot_finish() -> i32;
    mender_port_slot_invalidate() -> i32;
    mender_port_boot_is_confirmed() -> i32;
    mender_port_boot_confirm() -> i32;
    mender_port_boot_request_swap() -> i32;
    mender_port_boot_can_revert() -> i32;
    mender_port_boot_swap_state() -> i32;
    mender_port_crypto_device_key() -> i32;
    mender_port_crypto_make_device_key() -> i32;
    mender_port_crypto_verification_key(index: u32) -> i32;
    mender_port_crypto_random() -> u32;
    mender_port_system_reset_cause() -> i32;
    mender_port_system_reboot();
}

// What Kconfig lets a user choose must be what the library takes.
#[cfg(zephyr)]
const _: () = {
    assert!(
        CONFIG_MENDER_MCU_IO_BUFFER_SIZE >= MENDER_IO_BUFFER_MIN,
        "CONFIG_MENDER_MCU_IO_BUFFER_SIZE is too small"
    );
};
