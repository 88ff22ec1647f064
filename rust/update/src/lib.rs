// SPDX-License-Identifier: Apache-2.0
//! THE state machine of an update: events in, actions out, time and randomness are arguments.
//!
//! Knows: the order of things, what must be on flash before what, and what a restart means in each phase. Does not know:
//! sockets, HTTP, tar, flash. The sequence is that of Mender's update modules (protocol §8.3, §8.4); `docs/state-machine.md` has the table.
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

mod backoff;
mod checkpoint;
mod event;
mod machine;
mod provides;

pub use backoff::{Backoff, jittered};
pub use checkpoint::{Checkpoint, Kind, Phase};
pub use event::{Action, Event, Report, Running, Timing};
pub use machine::Machine;
pub use provides::Provides;
