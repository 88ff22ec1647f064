// SPDX-License-Identifier: Apache-2.0
//! Time that goes on only when it is told to.

use std::cell::Cell;
use std::rc::Rc;

/// The world's time, and the device's since its boot. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    wall_ms: Rc<Cell<u64>>,
    booted_ms: Rc<Cell<u64>>,
    jumped_ms: Rc<Cell<u64>>,
}

impl Clock {
    /// A clock of its own that shows the same time.
    #[must_use]
    pub fn fork(&self) -> Self {
        let copy = |cell: &Cell<u64>| Rc::new(Cell::new(cell.get()));
        Self {
            wall_ms: copy(&self.wall_ms),
            booted_ms: copy(&self.booted_ms),
            jumped_ms: copy(&self.jumped_ms),
        }
    }

    /// Time goes on for everybody.
    pub fn advance(&self, ms: u64) {
        self.wall_ms.set(self.wall_ms.get() + ms);
    }

    /// The device's clock leaps ahead, as after a sleep or a starved thread.
    pub fn jump(&self, ms: u64) {
        self.jumped_ms.set(self.jumped_ms.get() + ms);
    }

    /// The device boots.
    pub fn boot(&self) {
        self.booted_ms.set(self.wall_ms.get());
        self.jumped_ms.set(0);
    }

    /// Time of the world.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        self.wall_ms.get()
    }
}

impl mender_port::Clock for Clock {
    fn now_ms(&mut self) -> u64 {
        self.wall_ms.get() - self.booted_ms.get() + self.jumped_ms.get()
    }

    fn unix_ms(&mut self) -> Option<u64> {
        None
    }
}
