// SPDX-License-Identifier: Apache-2.0
//! The C API of the client and the C ports it runs on: argument checks, numbers for errors, nothing else.
//!
//! `include/mender_mcu.h` is made from [`types`] and [`api`] by `cargo xtask header`; their documentation is written for C.
//!
//! Rules of the C API: codes are `int32_t`, 0 is good, negative is an error of [`mender_base::Error`]; enums go out as integers, and
//! integers that come in are checked; outputs are written only on success, but where it is said; every pointer is checked for NULL.
//! Only `poll` touches the client. Every other call sets a request under the platform's lock, or reads a copy of the status.
//!
//! Knows: C's types and who may touch what when. Does not know: any protocol. `unsafe` code lives here, and pointers become
//! references in `raw.rs` alone.
#![no_std]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::string_slice,
    clippy::integer_division,
    clippy::as_conversions,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_macros
)]

pub mod api;
mod config;
mod port;
mod raw;
mod singleton;
mod text;
pub mod types;
