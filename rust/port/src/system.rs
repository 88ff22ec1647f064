// SPDX-License-Identifier: Apache-2.0
//! Time, log, identity and restart.

use mender_base::Event;

/// Monotonic time.
pub trait Clock {
    /// Milliseconds since boot; never goes back.
    fn now_ms(&mut self) -> u64;

    /// Milliseconds since 1970 UTC if a clock that is trusted knows them; the client else derives them from the server's `Date`, for the
    /// deployment log alone.
    fn unix_ms(&mut self) -> Option<u64>;
}

/// The device log.
pub trait Log {
    /// One event; [`mender_base::event::render`] makes its text. `text` is good for the call only.
    fn log(&mut self, event: Event, a: i64, b: i64, text: &str);
}

/// Why the device started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetCause {
    /// The platform cannot tell.
    Unknown,
    /// Power came, or came back.
    Power,
    /// The reset pin, or a debugger.
    Pin,
    /// The firmware asked for it.
    Software,
    /// A watchdog was not fed.
    Watchdog,
    /// The processor locked up, or memory, clock or temperature failed.
    Fault,
}

impl ResetCause {
    /// One or two words for a log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ResetCause::Unknown => "unknown",
            ResetCause::Power => "power",
            ResetCause::Pin => "reset pin",
            ResetCause::Software => "software",
            ResetCause::Watchdog => "watchdog",
            ResetCause::Fault => "hardware fault",
        }
    }
}

/// The device as a whole.
pub trait System {
    /// Why the device started, of several causes the gravest, and forgets it: the next start has a cause of its own. Asked once after
    /// each start.
    fn reset_cause(&mut self) -> ResetCause;

    /// The identity: 1…8 pairs that never change, for instance `mac`. The server hashes them (protocol §1.2), so even the case of a
    /// letter matters. Must give the same pairs at each call.
    fn identity(&self, pair: &mut dyn FnMut(&str, &str));

    /// Restarts the device. On hardware it does not return; where it returns, the client waits for the restart.
    fn reboot(&mut self);
}
