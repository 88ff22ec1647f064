// SPDX-License-Identifier: Apache-2.0
//! Whatever goes wrong, and however often, a device comes back, tells its server one true end, and takes the next update.
//!
//! The client runs on ports that are all in memory: flash that can lose power at every operation, MCUboot, a server, a network that
//! breaks, a clock that goes on when it is told to. A run is a function of its scenario, its seed and the faults planned: the same
//! again gives the same trace. [`Sweep`] tries every place at which one fault can strike, and pairs and mixtures of them; [`oracle`]
//! judges flash and server after each, without a look at the client.
//!
//! Knows: the client's API, its ports, the device API and the layout of records. Does not know: the client's states.

pub mod clock;
pub mod keys;
pub mod modules;
pub mod mutations;
pub mod net;
pub mod oracle;
pub mod plan;
pub mod random;
pub mod records;
pub mod run;
pub mod server;
pub mod story;
pub mod sweep;
pub mod trace;
pub mod world;

pub use sweep::{Failed, Sweep, Tally};
