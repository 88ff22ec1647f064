// SPDX-License-Identifier: Apache-2.0
//! Byte streams to servers.

use crate::Result;

/// Which connection. Each has its own trust anchors: the storage host is usually not the Mender server (protocol §9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Channel {
    /// The Mender server's device API.
    Api = 0,
    /// The artifact store.
    Storage = 1,
    /// The Mender server's WebSocket; closed during an update where [`Transport::SESSIONS`] is 1.
    Connect = 2,
}

/// What [`Transport::receive`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// That many bytes, at least one, lie at the start of the buffer.
    Data(usize),
    /// Nothing yet.
    Nothing,
    /// The peer has ended the stream; all its bytes were delivered.
    Closed,
}

/// TCP or TLS streams, one per [`Channel`].
pub trait Transport {
    /// How many streams may be open at once.
    const SESSIONS: usize;

    /// Resolves `host` and connects; with `tls` the handshake is done, the chain and the host name are verified, or it fails.
    ///
    /// `host` is a name or an address literal without brackets. May block, for a time the platform bounds and documents. A
    /// stream that is open on the channel is closed first.
    ///
    /// # Errors
    /// No stream is open afterwards. [`Errno::EAGAIN`](crate::Errno::EAGAIN): there is no network yet, nothing was tried; the client
    /// asks again, and counts no failure.
    fn open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()>;

    /// Sends a prefix of `data` without waiting; 0 means not now. After 0 the client offers the same bytes again, as many, or
    /// closes: a TLS library may hold them already.
    ///
    /// # Errors
    /// The stream is of no more use.
    fn send(&mut self, channel: Channel, data: &[u8]) -> Result<usize>;

    /// Receives what is there without waiting.
    ///
    /// # Errors
    /// The stream is of no more use.
    fn receive(&mut self, channel: Channel, buf: &mut [u8]) -> Result<Received>;

    /// Closes the stream, if one is open.
    fn close(&mut self, channel: Channel);
}
