// SPDX-License-Identifier: Apache-2.0
//! The `Transport` port: TCP, and TLS by rustls with the ring provider.
//!
//! `open` blocks for name resolution, TCP and the handshake, at most twice the connect timeout beside the resolver's own; everything
//! else is non-blocking. A stream that ends without TLS's close_notify is an error, so that a cut cannot pass for an end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mender_port::{Channel, Errno, Received, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

const EPROTO: Errno = Errno(-71);
const ECONNRESET: Errno = Errno(-104);
const ENOTCONN: Errno = Errno(-107);
const EHOSTUNREACH: Errno = Errno(-113);
const EKEYREJECTED: Errno = Errno(-129);
const CHANNELS: usize = 3;

/// Trust anchors and time-outs.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
}

impl Trust {
    /// Trusts the certificates of PEM files, and no others. With no file, no TLS server is trusted.
    ///
    /// # Errors
    /// A file cannot be read or holds no certificate.
    pub fn from_pem_files<'a>(files: impl IntoIterator<Item = &'a Path>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for file in files {
            let wrong = |what: String| io::Error::other(format!("{}: {what}", file.display()));
            let certificates = CertificateDer::pem_file_iter(file).map_err(|e| wrong(e.to_string()))?;
            let before = roots.len();
            for certificate in certificates {
                let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
                roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
            }
            if roots.len() == before {
                return Err(wrong("no certificate in PEM form".into()));
            }
        }
        Ok(Self::from_roots(roots))
    }

    /// Trusts these anchors.
    ///
    /// # Panics
    /// Never: the ring provider has what TLS 1.2 and 1.3 need.
    #[must_use]
    pub fn from_roots(roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { config: Arc::new(config) }
    }
}

struct Stream {
    socket: TcpStream,
    tls: Option<ClientConnection>,
}

/// Streams over the host's sockets.
pub struct Sockets {
    trust: [Trust; CHANNELS],
    streams: [Option<Stream>; CHANNELS],
    connect_timeout: Duration,
    last_error: Option<String>,
}

impl Sockets {
    /// No streams yet. `api` is trusted for the Mender server, `storage` for artifact stores.
    #[must_use]
    pub fn new(api: Trust, storage: Trust, connect_timeout: Duration) -> Self {
        Self {
            trust: [api.clone(), storage, api],
            streams: [None, None, None],
            connect_timeout,
            last_error: None,
        }
    }

    /// What the last failure was, in words, once; for the device log, where an errno says too little.
    pub fn take_error(&mut self) -> Option<String> {
        self.last_error.take()
    }

    fn failed(&mut self, e: &io::Error, errno: Errno) -> Errno {
        self.last_error = Some(e.to_string());
        errno
    }

    fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut last = io::Error::new(ErrorKind::NotFound, format!("{host} has no address"));
        let deadline = Instant::now() + self.connect_timeout;
        for address in (host, port).to_socket_addrs()? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    return Ok(socket);
                }
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    fn handshake(
        &self,
        channel: Channel,
        host: &str,
        socket: &mut TcpStream,
    ) -> io::Result<ClientConnection> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = Arc::clone(&self.trust[channel as usize].config);
        let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let deadline = Instant::now() + self.connect_timeout;
        while tls.is_handshaking() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            socket.set_read_timeout(Some(left))?;
            socket.set_write_timeout(Some(left))?;
            tls.complete_io(socket)?;
        }
        Ok(tls)
    }

    fn try_open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        let mut socket = match self.connect(host, port) {
            Ok(socket) => socket,
            Err(e) => return Err(self.failed(&e, errno(&e, EHOSTUNREACH))),
        };
        let tls = match tls.then(|| self.handshake(channel, host, &mut socket)).transpose() {
            Ok(tls) => tls,
            Err(e) => return Err(self.failed(&e, tls_errno(&e))),
        };
        if let Err(e) = socket.set_nonblocking(true) {
            return Err(self.failed(&e, Errno::EIO));
        }
        self.streams[channel as usize] = Some(Stream { socket, tls });
        Ok(())
    }
}

impl mender_port::Transport for Sockets {
    const SESSIONS: usize = CHANNELS;

    fn open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        self.close(channel);
        self.try_open(channel, host, port, tls)
    }

    fn send(&mut self, channel: Channel, data: &[u8]) -> Result<usize> {
        let Some(stream) = &mut self.streams[channel as usize] else { return Err(ENOTCONN) };
        stream.send(data).map_err(|e| self.failed(&e, errno(&e, EPROTO)))
    }

    fn receive(&mut self, channel: Channel, buf: &mut [u8]) -> Result<Received> {
        let Some(stream) = &mut self.streams[channel as usize] else { return Err(ENOTCONN) };
        stream.receive(buf).map_err(|e| self.failed(&e, errno(&e, EPROTO)))
    }

    fn close(&mut self, channel: Channel) {
        if let Some(Stream { mut socket, tls: Some(mut tls) }) = self.streams[channel as usize].take() {
            tls.send_close_notify();
            // The peer may be gone already; then there is nobody to tell.
            tls.write_tls(&mut socket).ok();
        }
    }
}

impl Stream {
    fn send(&mut self, data: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return not_now(self.socket.write(data));
        };
        if !flush(tls, &mut self.socket)? {
            return Ok(0);
        }
        let taken = tls.writer().write(data)?;
        flush(tls, &mut self.socket)?;
        Ok(taken)
    }

    fn receive(&mut self, buf: &mut [u8]) -> io::Result<Received> {
        let Some(tls) = &mut self.tls else {
            return match self.socket.read(buf) {
                Ok(0) if !buf.is_empty() => Ok(Received::Closed),
                read => Ok(not_now(read)?.into_received()),
            };
        };
        flush(tls, &mut self.socket)?;
        loop {
            match tls.reader().read(buf) {
                Ok(0) => return Ok(Received::Closed),
                Ok(len) => return Ok(Received::Data(len)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
            match tls.read_tls(&mut self.socket) {
                // rustls says with the next read whether this end was announced.
                Ok(_) => {
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Received::Nothing),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

trait IntoReceived {
    fn into_received(self) -> Received;
}

impl IntoReceived for usize {
    fn into_received(self) -> Received {
        if self == 0 { Received::Nothing } else { Received::Data(self) }
    }
}

/// Writes what TLS has ready; whether all of it is out.
fn flush(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<bool> {
    while tls.wants_write() {
        if not_now(tls.write_tls(socket))? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn not_now(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        other => other,
    }
}

fn errno(e: &io::Error, otherwise: Errno) -> Errno {
    match (e.raw_os_error(), e.kind()) {
        (Some(number), _) => Errno(-number),
        (None, ErrorKind::TimedOut | ErrorKind::WouldBlock) => Errno(-110),
        (None, ErrorKind::UnexpectedEof) => ECONNRESET,
        (None, _) => otherwise,
    }
}

fn tls_errno(e: &io::Error) -> Errno {
    if e.raw_os_error() == Some(11) {
        // A read timeout of a blocking socket.
        return Errno(-110);
    }
    let inner = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => EKEYREJECTED,
        Some(_) => EPROTO,
        None => errno(e, EPROTO),
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
