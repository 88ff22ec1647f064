// SPDX-License-Identifier: Apache-2.0
//! What all work of the client shares: ports, buffers, connections, records.

use crate::client::LastError;
use crate::io::Io;
use crate::log::DeploymentLog;
use crate::{Config, DEPLOYMENT_LOG};
use mender_api::Url;
use mender_base::{Error, Event, Level};
use mender_port::{Channel, Errno, Platform, Received, RecordId, Store};
use mender_records::{Record, Writer};
use mender_update::Checkpoint;

/// One step of a piece of work.
pub(crate) enum Step<T> {
    /// More can be done at once.
    Again,
    /// Nothing can be done for so many ms, or until something comes in.
    Wait(u32),
    /// It is done.
    Done(T),
}

/// How soon a stream that had nothing to give is looked at again. Platforms that can wait for their sockets wake the client earlier.
pub(crate) const IO_WAIT_MS: u32 = 20;

/// How soon the platform is asked again whether there is a network.
pub(crate) const NETWORK_WAIT_MS: u32 = 1000;

pub(crate) struct Context<'b, P> {
    pub(crate) ports: P,
    pub(crate) config: Config<'b>,
    pub(crate) io: Io<'b>,
    pub(crate) token: &'b mut [u8],
    /// 0: no token.
    pub(crate) token_len: usize,
    pub(crate) uri: &'b mut [u8],
    pub(crate) uri_len: usize,
    pub(crate) log: DeploymentLog,
    /// A deployment is on record: warnings and errors go to its log.
    pub(crate) logging: bool,
    pub(crate) api_open: bool,
    pub(crate) storage_open: bool,
    /// The server answered 404 to version 2 of `next` since boot.
    pub(crate) no_v2: bool,
    /// Unix time at boot in ms, by the server's `Date`.
    pub(crate) boot_unix_ms: Option<u64>,
    /// First bytes of the hash of the inventory the server has; none: it must be sent.
    pub(crate) inventory_sent: Option<u64>,
    /// A token was got since this was last looked at.
    pub(crate) authenticated: bool,
    pub(crate) last_error: Option<LastError>,
    generation: u32,
    newest: Option<RecordId>,
    /// A record could not be read, so "no record" does not mean "new device".
    pub(crate) store_unreadable: bool,
}

impl<'b, P: Platform> Context<'b, P> {
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
            log: DeploymentLog::default(),
            logging: false,
            api_open: false,
            storage_open: false,
            no_v2: false,
            boot_unix_ms: None,
            inventory_sent: None,
            authenticated: false,
            last_error: None,
            generation: 0,
            newest: None,
            store_unreadable: false,
        }
    }

    // ---- log

    /// Logs an event; warnings and errors of a deployment also go to its log.
    pub(crate) fn event(&mut self, event: Event, a: i64, b: i64, text: &str) {
        self.ports.log(event, a, b, text);
        if DEPLOYMENT_LOG && self.logging && event.level() <= Level::Warning {
            let now_ms = self.ports.now_ms();
            let at = self.ports.unix_ms().or_else(|| Some(self.boot_unix_ms?.saturating_add(now_ms)));
            self.log.push(at.unwrap_or(now_ms), event, a, b, text);
        }
    }

    /// Logs a port's failure and keeps it for the application.
    pub(crate) fn port_failed(&mut self, error: Error, errno: Errno) -> Error {
        self.last_error = Some(LastError { error, errno: errno.0 });
        self.event(Event::PortFailed, error.number().into(), errno.0.into(), "");
        error
    }

    // ---- connections

    /// Opens a channel to the origin of `url` unless it is open. `false`: there is no network yet.
    pub(crate) fn open(&mut self, channel: Channel, url: &Url<'_>) -> Result<bool, Error> {
        match self.ports.open(channel, url.host, url.port, url.tls) {
            Ok(()) => {
                *self.is_open(channel) = true;
                self.event(Event::Connected, url.port.into(), 0, url.host);
                Ok(true)
            }
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => {
                *self.is_open(channel) = false;
                self.connection_failed(Error::Connect, errno, url.host)
            }
        }
    }

    pub(crate) fn connection_failed<T>(
        &mut self,
        error: Error,
        errno: Errno,
        host: &str,
    ) -> Result<T, Error> {
        self.last_error = Some(LastError { error, errno: errno.0 });
        self.event(Event::ConnectionFailed, error.number().into(), errno.0.into(), host);
        Err(error)
    }

    /// The API connection, to the configured server.
    pub(crate) fn open_api(&mut self) -> Result<bool, Error> {
        let url = self.config.server_url;
        self.open(Channel::Api, &Url::server(url)?)
    }

    pub(crate) fn is_open(&mut self, channel: Channel) -> &mut bool {
        match channel {
            Channel::Storage => &mut self.storage_open,
            Channel::Api | Channel::Connect => &mut self.api_open,
        }
    }

    pub(crate) fn close(&mut self, channel: Channel) {
        if core::mem::take(self.is_open(channel)) {
            self.ports.close(channel);
        }
        self.io.fresh();
    }

    /// Sends a prefix of the first `len` bytes of the IO buffer.
    pub(crate) fn send(&mut self, channel: Channel, len: usize) -> Result<usize, Error> {
        let bytes = self.io.fresh().get(..len).unwrap_or_default();
        self.ports.send(channel, bytes).or_else(|errno| self.connection_failed(Error::Send, errno, ""))
    }

    /// Receives into the empty IO buffer, `room` bytes at the most.
    pub(crate) fn receive(&mut self, channel: Channel, room: usize) -> Result<Received, Error> {
        let mut buf = self.io.fresh();
        if room < buf.len() {
            buf = buf.get_mut(..room).unwrap_or_default();
        }
        match self.ports.receive(channel, buf) {
            Ok(Received::Data(len)) => {
                self.io.received(len);
                Ok(Received::Data(len))
            }
            Ok(other) => Ok(other),
            Err(errno) => self.connection_failed(Error::Receive, errno, ""),
        }
    }

    // ---- records

    /// Writes the checkpoint over the older copy, and the deployment log if it changed. The IO buffer must be empty.
    pub(crate) fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        if DEPLOYMENT_LOG && self.logging {
            self.save_log(checkpoint)?;
        }
        let id = match self.newest {
            Some(RecordId::A) => RecordId::B,
            _ => RecordId::A,
        };
        let generation = self.generation.saturating_add(1);
        let mut writer = Writer::new(self.io.fresh(), generation);
        checkpoint.encode(&mut writer);
        let written = writer.finish().map(|bytes| Store::write(&mut self.ports, id, bytes))?;
        written.map_err(|errno| self.port_failed(Error::StoreWrite, errno))?;
        (self.newest, self.generation) = (Some(id), generation);
        self.event(Event::Saved, i64::from(checkpoint.phase.number()), generation.into(), "");
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

    /// The newest valid checkpoint, and its deployment's log.
    pub(crate) fn load(&mut self) -> Option<Checkpoint> {
        // It may be readable by now.
        self.store_unreadable = false;
        let a = self.generation_of(RecordId::A);
        let b = self.generation_of(RecordId::B);
        let order =
            if b > a { [(RecordId::B, b), (RecordId::A, a)] } else { [(RecordId::A, a), (RecordId::B, b)] };
        let found = order.into_iter().find_map(|(id, generation)| {
            let generation = generation?;
            let len = Store::read(&mut self.ports, id, self.io.fresh()).ok()??;
            let record = Record::parse(self.io.fresh().get(..len)?).ok()?;
            Some((Checkpoint::decode(&record)?, id, generation))
        });
        // A copy that could not be used is overwritten first; generations go on from the highest that was seen.
        self.generation = a.max(b).unwrap_or(0);
        let (checkpoint, id, _) = found?;
        self.newest = Some(id);
        if DEPLOYMENT_LOG && !checkpoint.id.is_empty() {
            self.load_log(&checkpoint);
        }
        Some(checkpoint)
    }

    fn generation_of(&mut self, id: RecordId) -> Option<u32> {
        let name = if id == RecordId::A { "A" } else { "B" };
        let read = match Store::read(&mut self.ports, id, self.io.fresh()) {
            Ok(len) => len?,
            Err(errno) => {
                self.store_unreadable = true;
                self.event(Event::RecordUnreadable, Error::StoreRead.number().into(), errno.0.into(), name);
                return None;
            }
        };
        match Record::parse(self.io.fresh().get(..read).unwrap_or_default()) {
            Ok(record) => Some(record.generation()),
            Err(error) => {
                self.event(Event::RecordUnreadable, error.number().into(), 0, name);
                None
            }
        }
    }

    fn load_log(&mut self, checkpoint: &Checkpoint) {
        let Ok(Some(len)) = Store::read(&mut self.ports, RecordId::Log, self.io.fresh()) else { return };
        let Some(Ok(record)) = self.io.fresh().get(..len).map(Record::parse) else { return };
        if record.get(LOG_OF) == Some(checkpoint.id.as_bytes()) {
            self.log.load(record.get(LOG_ENTRIES).unwrap_or_default());
        }
    }
}

const LOG_OF: u8 = 1;
const LOG_ENTRIES: u8 = 2;
