// SPDX-License-Identifier: Apache-2.0
//! The device's sockets, watched.

use std::cell::RefCell;
use std::rc::Rc;

use mender_port::{Channel, Errno, Received, Result, Transport};
use mender_sim::clock::ManualClock;
use mender_sim::transport::Sockets;

/// A connection the client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// For what.
    pub channel: Channel,
    /// Where to.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// Encrypted.
    pub tls: bool,
    /// It came about.
    pub ok: bool,
}

/// Most streams a small device has.
const STREAMS_MAX: usize = 2;

/// Sockets, and a list of what was opened on them. Fails a test that asks more of a transport than its documentation allows.
pub struct Net {
    sockets: Sockets,
    opened: Rc<RefCell<Vec<Opened>>>,
    open: [bool; 3],
    /// What was offered and not taken, and must be offered again.
    refused: [Vec<u8>; 3],
    calls: usize,
    /// Peers take nothing: nothing that is sent goes out.
    pub mute: bool,
    /// Most bytes that go through in one call; and every seventh call finds nothing.
    pub drop_by_drop: Option<usize>,
    /// No peer can be reached, and it takes so many ms to find that out.
    pub unreachable_ms: Option<u64>,
    clock: ManualClock,
}

impl Net {
    pub(crate) fn new(sockets: Sockets, opened: Rc<RefCell<Vec<Opened>>>, clock: ManualClock) -> Self {
        Self {
            sockets,
            opened,
            open: [false; 3],
            refused: Default::default(),
            calls: 0,
            mute: false,
            drop_by_drop: None,
            unreachable_ms: None,
            clock,
        }
    }

    /// The network goes: every stream is gone.
    pub fn hang_up(&mut self) {
        for channel in [Channel::Api, Channel::Storage, Channel::Connect] {
            self.sockets.close(channel);
        }
    }

    /// Whether this call is one that finds nothing.
    fn stutters(&mut self) -> bool {
        self.calls += 1;
        self.mute || (self.drop_by_drop.is_some() && self.calls.is_multiple_of(7))
    }

    fn at_once(&self, len: usize) -> usize {
        self.drop_by_drop.unwrap_or(len).min(len)
    }
}

impl Transport for Net {
    const SESSIONS: usize = STREAMS_MAX;

    fn open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        let opened = match self.unreachable_ms {
            Some(ms) => {
                self.clock.advance(ms);
                Err(Errno(-110))
            }
            None => self.sockets.open(channel, host, port, tls),
        };
        self.open[channel as usize] = opened.is_ok();
        self.refused[channel as usize].clear();
        assert!(self.open.iter().filter(|open| **open).count() <= STREAMS_MAX, "too many streams");
        let host = host.to_owned();
        self.opened.borrow_mut().push(Opened { channel, host, port, tls, ok: opened.is_ok() });
        opened
    }

    fn send(&mut self, channel: Channel, data: &[u8]) -> Result<usize> {
        assert!(!data.is_empty(), "nothing to send");
        let refused = std::mem::take(&mut self.refused[channel as usize]);
        assert!(data.starts_with(&refused), "other bytes than those that could not be sent");
        let sent = if self.stutters() {
            0
        } else {
            self.sockets.send(channel, &data[..self.at_once(data.len())])?
        };
        if sent == 0 {
            self.refused[channel as usize] = data.to_vec();
        }
        Ok(sent)
    }

    fn receive(&mut self, channel: Channel, buf: &mut [u8]) -> Result<Received> {
        assert!(!buf.is_empty(), "nowhere to receive to");
        if self.stutters() {
            return Ok(Received::Nothing);
        }
        let len = self.at_once(buf.len());
        self.sockets.receive(channel, &mut buf[..len])
    }

    fn close(&mut self, channel: Channel) {
        self.open[channel as usize] = false;
        self.sockets.close(channel);
    }
}
