// SPDX-License-Identifier: Apache-2.0
//! Clocks: the host's, and one that only tests move.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mender_port::Clock;

/// The host's clocks; the monotonic one starts with the value.
#[derive(Clone, Copy, Debug)]
pub struct HostClock(Instant);

impl HostClock {
    /// Boot is now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for HostClock {
    fn now_ms(&mut self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn unix_ms(&mut self) -> Option<u64> {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
    }
}

/// Time that stands still until it is moved; clones share it. There is no wall clock.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Rc<Cell<u64>>);

impl ManualClock {
    /// Lets time pass.
    pub fn advance(&self, ms: u64) {
        self.0.set(self.0.get() + ms);
    }
}

impl Clock for ManualClock {
    fn now_ms(&mut self) -> u64 {
        self.0.get()
    }

    fn unix_ms(&mut self) -> Option<u64> {
        None
    }
}
