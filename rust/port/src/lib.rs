// SPDX-License-Identifier: Apache-2.0
//! What a platform gives the client: one trait per need, the same names in Rust, C, Zephyr and the simulator.
//!
//! Rules for all ports: a call returns 0 or −errno at once and changes nothing on error, unless it says otherwise; it is
//! bounded (at most one page erase, no wait longer than its documentation says); it is called only from `poll`,
//! and from what stands in its place (`confirm`, `public_key`), never from two at a time.
//! The client never calls a port from within a port, and never keeps a borrowed slice.
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
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::string_slice,
        clippy::integer_division,
        reason = "tests may panic"
    )
)]

mod application;
mod boot;
mod crypto;
mod modules;
mod slot;
mod store;
mod system;
mod transport;

pub use application::{Application, Notice};
pub use boot::{Boot, SwapState};
pub use crypto::{Crypto, DeviceKey, KeyKind};
pub use mender_base::words::{ModuleState, Progress, Stage, Verdict};
pub use modules::{ModuleId, Modules};
pub use slot::Slot;
pub use store::{RecordId, Store};
pub use system::{Clock, Log, ResetCause, System};
pub use transport::{Channel, Received, Transport};

/// A platform's own error number, negative (`-EIO`, …). It is kept for the report, never interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// For hosts and models that have no better number.
    pub const EIO: Self = Self(-5);
    /// The thing does not fit.
    pub const ENOSPC: Self = Self(-28);
    /// Not now: the same call is worth making again.
    pub const EAGAIN: Self = Self(-11);
    /// The arguments make no sense.
    pub const EINVAL: Self = Self(-22);
}

/// What a port call gives.
pub type Result<T> = core::result::Result<T, Errno>;

/// All ports in one value, so that the client has one type parameter.
pub trait Platform:
    Transport + Slot + Boot + Store + Crypto + Clock + Log + System + Application + Modules
{
}

impl<P> Platform for P where
    P: Transport + Slot + Boot + Store + Crypto + Clock + Log + System + Application + Modules
{
}
