// SPDX-License-Identifier: Apache-2.0
//! The Mender client: the update state machine, the device API and the artifact reader, run on ports by one loop.
//!
//! [`Client::poll`] is that loop's body. Each call does one bounded piece of work: at most one IO buffer is received or sent, at
//! most two pages are erased. It never waits, but for what a port documents (connecting, signing).
//!
//! Knows: in what order actions run and how their outcomes become events. Does not know: the platform.
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

mod act;
mod call;
mod client;
mod config;
mod context;
mod download;
mod exchange;
mod image;
mod intake;
mod inventory;
mod io;
mod log;
mod signature;

pub use client::{Client, LastError, POLL_MAX_MS, Snapshot};
pub use config::{Buffers, Config};
pub use mender_api::{Entry, PEM_LEN, Tier};
pub use mender_update::{Phase, Timing};

/// What is built in; constants, so that the rest goes without a trace.
const MODULES: bool = cfg!(feature = "modules");
const SIGNATURES: bool = cfg!(feature = "signatures");
const DEPLOYMENT_LOG: bool = cfg!(feature = "deployment-log");

/// Version of this client, as servers see it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Value of `User-Agent`.
const USER_AGENT: &str = concat!("Mender/", env!("CARGO_PKG_VERSION"), " MCU");
