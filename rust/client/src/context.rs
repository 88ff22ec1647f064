// SPDX-License-Identifier: Apache-2.0
//! What all work of the client shares: ports, buffers, connections, records.

use crate::client::LastError;
use crate::io::Io;
use crate::log::DeploymentLog;
use crate::{Config, DEPLOYMENT_LOG};
use mender_base::json::text_of;
use mender_base::{Error, Event, Level};
use mender_port::{Channel, Errno, Platform, Received, RecordId, Store};
use mender_records::{Record, Writer};
use mender_update::Checkpoint;

/// One step of a piece of work: in how many ms to go on, 0 for at once.
pub(crate) type Step = Result<u32, Error>;

/// How soon a stream that had nothing to give is looked at again. Platforms that can wait for their sockets wake the client earlier.
pub(crate) const IO_WAIT_MS: u32 = 20;

/// How soon the platform is asked again whether there is a network: an eighth later each time, so that a device that is off the network for long
/// sleeps, and is back after at most an eighth of the time that it was away.
const NETWORK_WAIT_MS: u32 = 1000;
const NETWORK_WAIT_MAX_MS: u32 = 60_000;

#[repr(C)]
pub(crate) struct Context<'b, P> {
    /// A deployment is on record: warnings and errors go to its log.
    pub(crate) logging: bool,
    pub(crate) api_open: bool,
    pub(crate) storage_open: bool,
    /// The server answered 404 to version 2 of `next`, and not to version 1.
    pub(crate) no_v2: bool,
    /// A token was got since this was last looked at.
    pub(crate) authenticated: bool,
    /// A copy could not be read, so "no record" does not mean "new device", and the other copy may be the older.
    pub(crate) store_unreadable: bool,
    /// The copy that is written next.
    older: RecordId,
    pub(crate) last_error: Option<LastError>,
    generation: u32,
    pub(crate) network_wait_ms: u32,
    /// 0: no token.
    pub(crate) token_len: usize,
    pub(crate) uri_len: usize,
    /// First bytes of the hash of the inventory the server has; 0: it must be sent.
    pub(crate) inventory_sent: u32,
    /// The same of the one that is being sent.
    pub(crate) inventory_hash: u32,
    /// Unix time at boot in ms, by the server's `Date`; 0 where that is not known.
    pub(crate) boot_unix_ms: u64,
    pub(crate) io: Io<'b>,
    pub(crate) token: &'b mut [u8],
    pub(crate) uri: &'b mut [u8],
    pub(crate) config: Config<'b>,
    pub(crate) ports: P,
    pub(crate) log: DeploymentLog,
}

impl<'b, P: Platform> Context<'b, P> {
    #[inline(always)]
    pub(crate) fn new(
        config: Config<'b>,
        io: Io<'b>,
        token: &'b mut [u8],
        uri: &'b mut [u8],
        ports: P,
    ) -> Self {
        Self {
            ports,
            config,
            io,
            token,
            token_len: 0,
            uri,
            uri_len: 0,
            log: const { DeploymentLog::new() },
            logging: false,
            api_open: false,
            storage_open: false,
            no_v2: false,
            boot_unix_ms: 0,
            inventory_sent: 0,
            inventory_hash: 0,
            authenticated: false,
            last_error: None,
            generation: 0,
            network_wait_ms: NETWORK_WAIT_MS,
            older: RecordId::A,
            store_unreadable: false,
        }
    }

    /// The artifact's URL.
    pub(crate) fn uri(&self) -> &str {
        text_of(self.uri, self.uri_len)
    }

    // ---- time

    /// The low half of the clock, for differences.
    pub(crate) fn now(&mut self) -> u32 {
        low(self.ports.now_ms())
    }

    /// The server's clock, in seconds since 1970.
    pub(crate) fn set_date(&mut self, date_s: u32) {
        self.boot_unix_ms = u64::from(date_s).saturating_mul(1000).saturating_sub(self.ports.now_ms());
    }

    // ---- log

    /// Logs an event; warnings and errors of a deployment also go to its log.
    #[inline(never)]
    pub(crate) fn event(&mut self, event: Event, a: u32, b: i32, text: &str) {
        self.ports.log(event, a.into(), b.into(), text);
        if DEPLOYMENT_LOG && self.logging && event.level() <= Level::Warning {
            let since_boot = self.boot_unix_ms.saturating_add(self.ports.now_ms());
            let at_ms = self.ports.unix_ms().unwrap_or(since_boot);
            self.log.push(at_ms, event, a.into(), b.into(), text);
        }
    }

    /// Logs an event without numbers. Most have none, so what a call of this spares is worth the function.
    #[inline(never)]
    pub(crate) fn say(&mut self, event: Event, text: &str) {
        self.event(event, 0, 0, text);
    }

    /// Logs an event that tells of an error.
    #[inline(never)]
    pub(crate) fn blame(&mut self, event: Event, error: Error, b: i32, text: &str) {
        self.event(event, error.number().into(), b, text);
    }

    /// Logs a port's failure and keeps it for the application.
    pub(crate) fn port_failed(&mut self, error: Error, errno: Errno) -> Error {
        self.failed(Event::PortFailed, error, errno, "")
    }

    /// Logs that a call came to nothing and keeps why; where a port failed, that has been kept, with its number.
    pub(crate) fn call_failed(&mut self, error: Error, name: &str) {
        if self.last_error.is_none_or(|last| last.error != error) {
            self.last_error = Some(LastError { error, errno: 0 });
        }
        self.blame(Event::CallFailed, error, 0, name);
    }

    #[inline(never)]
    fn failed(&mut self, event: Event, error: Error, errno: Errno, text: &str) -> Error {
        self.last_error = Some(LastError { error, errno: errno.0 });
        self.blame(event, error, errno.0, text);
        error
    }

    // ---- connections

    /// Notes how opening a channel went. `false`: there is no network yet.
    pub(crate) fn opened(
        &mut self,
        channel: Channel,
        opened: mender_port::Result<()>,
        host: &str,
    ) -> Result<bool, Error> {
        *self.is_open(channel) = opened.is_ok();
        match opened {
            Ok(()) => {
                self.network_wait_ms = NETWORK_WAIT_MS;
                Ok(true)
            }
            Err(Errno::EAGAIN) => {
                let eighth = self.network_wait_ms.wrapping_shr(3);
                self.network_wait_ms = self.network_wait_ms.saturating_add(eighth).min(NETWORK_WAIT_MAX_MS);
                Ok(false)
            }
            Err(errno) => Err(self.failed(Event::ConnectionFailed, Error::Connect, errno, host)),
        }
    }

    fn is_open(&mut self, channel: Channel) -> &mut bool {
        match channel {
            Channel::Storage => &mut self.storage_open,
            Channel::Api | Channel::Connect => &mut self.api_open,
        }
    }

    #[inline(never)]
    pub(crate) fn close(&mut self, channel: Channel) {
        if core::mem::take(self.is_open(channel)) {
            self.ports.close(channel);
        }
        self.io.fresh();
    }

    /// Sends a prefix of the first `len` bytes of the IO buffer.
    pub(crate) fn send(&mut self, channel: Channel, len: usize) -> Result<usize, Error> {
        let bytes = self.io.fresh().get(..len).unwrap_or_default();
        let sent = self.ports.send(channel, bytes);
        sent.map_err(|errno| self.failed(Event::ConnectionFailed, Error::Send, errno, ""))
    }

    /// Receives into the empty IO buffer, `room` bytes at the most.
    pub(crate) fn receive(&mut self, channel: Channel, room: usize) -> Result<Received, Error> {
        let mut buf = self.io.fresh();
        if room < buf.len() {
            buf = buf.get_mut(..room).unwrap_or_default();
        }
        let received = self.ports.receive(channel, buf);
        if let Ok(Received::Data(len)) = received {
            self.io.received(len);
        }
        received.map_err(|errno| self.failed(Event::ConnectionFailed, Error::Receive, errno, ""))
    }

    // ---- records

    /// Writes the checkpoint over the older copy, and the deployment log if it changed. The IO buffer must be empty.
    pub(crate) fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        if DEPLOYMENT_LOG && self.logging {
            self.save_log(checkpoint)?;
        }
        let id = self.older;
        let generation = self.generation.saturating_add(1);
        let mut writer = Writer::new(self.io.fresh(), generation);
        checkpoint.encode(&mut writer);
        let written = writer.finish().map(|bytes| Store::write(&mut self.ports, id, bytes))?;
        written.map_err(|errno| self.port_failed(Error::StoreWrite, errno))?;
        (self.older, self.generation) = (other(id), generation);
        let times = i32::try_from(generation).unwrap_or(i32::MAX);
        self.event(Event::Saved, checkpoint.phase.number().into(), times, "");
        Ok(())
    }

    fn save_log(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let Some(bytes) = self.log.unsaved() else { return Ok(()) };
        let mut writer = Writer::new(self.io.fresh(), 0);
        writer.entry(LOG_OF, checkpoint.id.as_bytes());
        writer.entry(LOG_ENTRIES, bytes);
        // A log that cannot be kept does not stop a deployment.
        if let Err(errno) =
            writer.finish().map(|bytes| Store::write(&mut self.ports, RecordId::Log, bytes))?
        {
            self.port_failed(Error::StoreWrite, errno);
        }
        Ok(())
    }

    /// Reads the newest valid checkpoint, and its deployment's log; `false` when there is none.
    #[inline(never)]
    pub(crate) fn load(&mut self, checkpoint: &mut Checkpoint) -> bool {
        // It may be readable by now.
        self.store_unreadable = false;
        let a = self.generation_of(RecordId::A);
        let b = self.generation_of(RecordId::B);
        // A copy that could not be used is overwritten first; generations go on from the highest that was seen.
        self.generation = a.max(b);
        let newer = if b > a { RecordId::B } else { RecordId::A };
        let loaded = self.load_copy(newer, checkpoint) || self.load_copy(other(newer), checkpoint);
        if !loaded {
            checkpoint.reset(self.config.artifact_name);
        } else if DEPLOYMENT_LOG && !checkpoint.id.is_empty() {
            self.load_log(checkpoint);
        }
        loaded
    }

    #[inline(never)]
    fn load_copy(&mut self, id: RecordId, checkpoint: &mut Checkpoint) -> bool {
        let copy = self.read(id).and_then(|len| self.io.fresh().get(..len));
        let loaded =
            copy.is_some_and(|copy| Record::parse(copy).is_ok_and(|record| checkpoint.load(&record)));
        if loaded {
            self.older = other(id);
        }
        loaded
    }

    /// The generation of a copy; 0, which none has, where there is no valid one.
    fn generation_of(&mut self, id: RecordId) -> u32 {
        let Some(len) = self.read(id) else { return 0 };
        match Record::parse(self.io.fresh().get(..len).unwrap_or_default()) {
            Ok(record) => record.generation(),
            Err(error) => {
                self.unreadable(id, error, 0);
                0
            }
        }
    }

    /// Reads a copy into the IO buffer.
    fn read(&mut self, id: RecordId) -> Option<usize> {
        match Store::read(&mut self.ports, id, self.io.fresh()) {
            Ok(len) => len,
            Err(errno) => {
                self.store_unreadable = true;
                self.unreadable(id, Error::StoreRead, errno.0);
                None
            }
        }
    }

    fn unreadable(&mut self, id: RecordId, error: Error, errno: i32) {
        let name = if id == RecordId::A { "A" } else { "B" };
        self.blame(Event::RecordUnreadable, error, errno, name);
    }

    fn load_log(&mut self, checkpoint: &Checkpoint) {
        let Ok(Some(len)) = Store::read(&mut self.ports, RecordId::Log, self.io.fresh()) else { return };
        let Some(Ok(record)) = self.io.fresh().get(..len).map(Record::parse) else { return };
        if record.get(LOG_OF) == Some(checkpoint.id.as_bytes()) {
            self.log.load(record.get(LOG_ENTRIES).unwrap_or_default());
        }
    }
}

/// The other of the two copies.
fn other(id: RecordId) -> RecordId {
    match id {
        RecordId::A => RecordId::B,
        RecordId::B | RecordId::Log => RecordId::A,
    }
}

/// The low half of a time in ms.
pub(crate) fn low(ms: u64) -> u32 {
    u32::try_from(ms & u64::from(u32::MAX)).unwrap_or(0)
}

const LOG_OF: u8 = 1;
const LOG_ENTRIES: u8 = 2;
