// SPDX-License-Identifier: Apache-2.0
//! What happened, as a hash that two runs can be compared by, and as text for who reads a failure.

use std::cell::RefCell;
use std::rc::Rc;

use mender_base::Event;
use mender_sim::log::{Sink, text_of};

/// Highest number of an event, rounded up.
const EVENTS: usize = 4096;

/// The trace of a world; clones share it.
#[derive(Clone, Debug)]
pub struct Trace(Rc<RefCell<Told>>);

#[derive(Clone, Debug)]
struct Told {
    hash: u64,
    seen: Vec<u64>,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace; with its text, if wanted.
    #[must_use]
    pub fn new(text: bool) -> Self {
        Self(Rc::new(RefCell::new(Told {
            hash: 0xcbf2_9ce4_8422_2325,
            seen: vec![0; EVENTS / 64],
            lines: text.then(Vec::new),
        })))
    }

    /// A trace of its own that goes on from here.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// The hash of all so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.0.borrow().hash
    }

    /// The numbers of the events that came, one bit each.
    #[must_use]
    pub fn seen(&self) -> Vec<u64> {
        self.0.borrow().seen.clone()
    }

    /// The text so far, if it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.borrow().lines.as_deref().unwrap_or_default().join("\n")
    }

    /// Adds what the client does not know of.
    pub fn tell(&self, wall_ms: u64, text: &str) {
        let mut told = self.0.borrow_mut();
        told.mix(&wall_ms.to_le_bytes());
        told.mix(text.as_bytes());
        if told.lines.is_some() {
            let line = format!("{wall_ms:>9} {text}");
            told.lines.get_or_insert_default().push(line);
        }
    }
}

impl Told {
    /// FNV-1a, by the word where it can be.
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Sink for Trace {
    fn event(&mut self, now_ms: u64, event: Event, a: i64, b: i64, text: &str) {
        let mut told = self.0.borrow_mut();
        let number = event.number();
        if let Some(word) = told.seen.get_mut(usize::from(number) / 64) {
            *word |= 1 << (number % 64);
        }
        told.mix(&now_ms.to_le_bytes());
        told.mix(&number.to_le_bytes());
        told.mix(&a.to_le_bytes());
        told.mix(&b.to_le_bytes());
        told.mix(text.as_bytes());
        if told.lines.is_some() {
            let line = format!("{now_ms:>9}   {}", text_of(event, a, b, text));
            told.lines.get_or_insert_default().push(line);
        }
    }

    fn note(&mut self, now_ms: u64, what: &str, text: &str) {
        self.tell(now_ms, &format!("{what}: {text}"));
    }
}
