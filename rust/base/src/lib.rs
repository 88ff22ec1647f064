// SPDX-License-Identifier: Apache-2.0
//! Words that every room of the Mender client shares: limits, errors, log events, bounded text, JSON, SHA-256.
//!
//! Knows: bytes and numbers. Does not know: servers, artifacts, flash, time.
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

pub mod base64;
pub mod error;
pub mod event;
pub mod glob;
pub mod json;
pub mod limits;
pub mod pairs;
pub mod sha256;
pub mod status;
pub mod text;
pub mod words;

pub use error::Error;
pub use event::{Event, Level};
pub use status::Status;
