// SPDX-License-Identifier: Apache-2.0
//! The device's sockets, watched.

use std::cell::RefCell;
use std::rc::Rc;

use mender_port::{Channel, Received, Result, Transport};
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

/// Sockets, and a list of what was opened on them.
pub struct Net {
    sockets: Sockets,
    opened: Rc<RefCell<Vec<Opened>>>,
    /// Peers take nothing: nothing that is sent goes out.
    pub mute: bool,
}

impl Net {
    pub(crate) fn new(sockets: Sockets, opened: Rc<RefCell<Vec<Opened>>>) -> Self {
        Self { sockets, opened, mute: false }
    }
}

impl Transport for Net {
    const SESSIONS: usize = Sockets::SESSIONS;

    fn open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        let opened = self.sockets.open(channel, host, port, tls);
        let host = host.to_owned();
        self.opened.borrow_mut().push(Opened { channel, host, port, tls, ok: opened.is_ok() });
        opened
    }

    fn send(&mut self, channel: Channel, data: &[u8]) -> Result<usize> {
        if self.mute { Ok(0) } else { self.sockets.send(channel, data) }
    }

    fn receive(&mut self, channel: Channel, buf: &mut [u8]) -> Result<Received> {
        self.sockets.receive(channel, buf)
    }

    fn close(&mut self, channel: Channel) {
        self.sockets.close(channel);
    }
}
