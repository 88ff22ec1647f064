// SPDX-License-Identifier: Apache-2.0
//! Streaming reader of Mender artifacts.
#![no_std]
#![deny(
    clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used,
    clippy::panic, clippy::unreachable, clippy::string_slice, clippy::integer_division, clippy::as_conversions,
    clippy::wildcard_enum_match_arm, clippy::disallowed_macros
)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::string_slice, clippy::integer_division, reason = "tests may panic"))]
