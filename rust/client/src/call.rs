// SPDX-License-Identifier: Apache-2.0
//! One call of the device API: connect if needed, authenticate if needed, send, read the reply, repeat where it helps.
//!
//! A token that is refused is dropped and got anew once per call (protocol §1.6). A kept connection that turns out dead costs
//! nothing; other transport failures are tried [`TRIES`] times in all. Everything beyond is the state machine's back-off.

use crate::context::{Context, Step};
use crate::exchange::{Came, Exchange};
use crate::inventory::Inventory;
use crate::io::Io;
use crate::{Config, DEPLOYMENT_LOG, USER_AGENT};
use mender_api::{
    Authenticate, Call as Asked, ErrorBody, Message, Next, Offer, Refusal, Refused, Request, TokenReader,
    Url, Window, der,
};
use mender_base::json::text_of;
use mender_base::pairs::Pairs;
use mender_base::sha256::{Hasher, Sha256};
use mender_base::{Error, Event, Status, limits};
use mender_port::{Channel, DeviceKey, Errno, Notice, Platform, Received};
use mender_update::{Checkpoint, Kind};

const TRIES: u8 = 3;
/// First wait between quick tries; doubles.
const QUICK_MS: u32 = 200;

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Check,
    Status(Status),
    Log,
    Inventory,
}

impl What {
    /// The word for it in the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            What::Check => "check for update",
            What::Status(status) => status.name(),
            What::Log => "log upload",
            What::Inventory => "inventory",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Done,
    Start,
    Sign,
    Send,
    Receive,
}

/// What the body of the reply is read by. A word before the readers leaves no gap, which would be copied with them.
#[repr(u32)]
enum Reading {
    Nothing,
    Token(TokenReader),
    Next(Next),
    Error(ErrorBody),
}

/// A call, and when it is done its outcome.
#[repr(C)]
pub(crate) struct Call {
    pub(crate) what: What,
    stage: Stage,
    /// The request in hand is for a token; `what` comes after it.
    authenticating: bool,
    reauthenticated: bool,
    /// The connection served before, so the peer may have closed it.
    kept: bool,
    tries: u8,
    reading: Reading,
    signature: heapless::Vec<u8, { mender_api::DER_MAX }>,
    /// Nothing is done before so many ms have gone by since then.
    wait_ms: u32,
    since: u32,
    started: u32,
    exchange: Exchange,
    /// Why there was no useful reply.
    pub(crate) error: Option<Error>,
    /// What the server wishes, in ms.
    pub(crate) retry_after_ms: Option<u32>,
}

impl Call {
    /// No call. All zeros, so that memory can be filled with it in one go.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self {
            what: What::Status(Status::Downloading),
            stage: Stage::Done,
            authenticating: false,
            reauthenticated: false,
            kept: false,
            tries: 0,
            wait_ms: 0,
            since: 0,
            started: 0,
            signature: heapless::Vec::new(),
            exchange: Exchange::new(),
            reading: Reading::Nothing,
            error: None,
            retry_after_ms: None,
        }
    }

    /// Begins another call.
    #[inline(never)]
    pub(crate) fn begin(&mut self, what: What) {
        self.what = what;
        self.stage = Stage::Start;
        (self.reauthenticated, self.kept) = (false, false);
        (self.tries, self.wait_ms, self.error) = (0, 0, None);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Nothing was sent or received yet, so the IO buffer is free.
    pub(crate) fn is_at_start(&self) -> bool {
        self.stage == Stage::Start
    }

    /// Status of the reply, which is the caller's affair; 0 when there was no useful one.
    pub(crate) fn status(&self) -> u16 {
        if self.error.is_some() { 0 } else { self.exchange.reply.head().status }
    }

    /// The server says that the deployment is aborted, or that there is none such. Others than the server answer 404, too, when it is away.
    pub(crate) fn is_aborted(&self) -> bool {
        match (self.status(), &self.reading) {
            (409, _) => true,
            (404, Reading::Error(body)) => body.is_menders(),
            _ => false,
        }
    }

    /// Whether the same may be taken soon. Not where the server accepts no such device, and not where a reply says that the request is at
    /// fault: only a person changes that. A 404 may be a proxy's, and goes as the server comes back.
    pub(crate) fn is_soon_worth_a_try(&self) -> bool {
        let status = self.exchange.reply.head().status;
        match self.error {
            Some(Error::Unauthorized) => false,
            None | Some(Error::ServerStatus) => {
                !matches!(status, 400..=403 | 405..=407 | 409..=424 | 426..=428 | 430..=499)
            }
            Some(_) => true,
        }
    }

    /// What a check brought with status 200; its URL is in its buffer.
    pub(crate) fn offer<'a, P>(&self, cx: &'a Context<'_, P>) -> Option<Result<Offer<'a>, Refused<'a>>> {
        match &self.reading {
            Reading::Next(reader) if self.error.is_none() => Some(reader.finish(cx.uri, cx.io.scratch())),
            Reading::Next(_) | Reading::Nothing | Reading::Token(_) | Reading::Error(_) => None,
        }
    }

    /// Ends the call without a useful reply.
    pub(crate) fn give_up(&mut self, error: Error) {
        (self.stage, self.error, self.retry_after_ms) = (Stage::Done, Some(error), None);
    }

    /// Goes one step further; in how many ms to go on.
    pub(crate) fn step<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        checkpoint: &mut Checkpoint,
        now: u32,
    ) -> u32 {
        let waited = now.wrapping_sub(self.since);
        if waited < self.wait_ms {
            return self.wait_ms.wrapping_sub(waited);
        }
        self.wait_ms = 0;
        let stepped = match self.stage {
            Stage::Start => self.start(cx, now),
            Stage::Sign => self.sign(cx, checkpoint),
            Stage::Send => self.send(cx, checkpoint, now),
            Stage::Receive => self.receive(cx, now),
            Stage::Done => Ok(0),
        };
        stepped.unwrap_or_else(|error| self.broken(cx, error, now))
    }

    fn start<P: Platform>(&mut self, cx: &mut Context<'_, P>, now: u32) -> Step {
        self.authenticating = cx.token_len == 0;
        self.kept = cx.api_open;
        self.reading = Reading::Nothing;
        self.retry_after_ms = None;
        self.started = now;
        if !cx.api_open {
            let url = Url::server(cx.config.server_url)?;
            let opened = cx.ports.open(Channel::Api, url.host, url.port, url.tls);
            if !cx.opened(Channel::Api, opened, url.host)? {
                return Ok(cx.network_wait_ms);
            }
            cx.event(Event::Connected, url.port.into(), 0, url.host);
            // Connecting may have taken long; the time-outs are for the exchange.
            self.started = cx.now();
        }
        self.exchange.begin(Channel::Api, limits::API_REPLY_MAX, self.started);
        self.stage = if self.authenticating { Stage::Sign } else { Stage::Send };
        Ok(0)
    }

    /// Signs the hash of the authentication body. The signing takes most of the stack, so what was hashed is gone by then.
    #[inline(never)]
    fn sign<P: Platform>(&mut self, cx: &mut Context<'_, P>, checkpoint: &mut Checkpoint) -> Step {
        if let Err((error, errno)) = ready_key(cx, checkpoint) {
            cx.blame(Event::KeyFailed, error, errno.0, "");
            // No network is at fault, so nothing is gained by trying again soon.
            return self.failed(error);
        }
        let (mut key, mut hash, mut raw) = ([0; 65], [0; 32], [0; 64]);
        public_key(cx, &mut key)?;
        self.authenticate(cx, &key, Some(&mut hash))?;
        let signed = cx.ports.sign(&hash, &mut raw);
        signed.map_err(|errno| cx.port_failed(Error::Sign, errno))?;
        der(&raw, &mut self.signature)?;
        self.stage = Stage::Send;
        Ok(0)
    }

    fn send<P: Platform>(&mut self, cx: &mut Context<'_, P>, checkpoint: &Checkpoint, now: u32) -> Step {
        let (len, total) = if self.authenticating {
            let mut key = [0; 65];
            public_key(cx, &mut key)?;
            self.authenticate(cx, &key, None)?
        } else {
            self.ask(cx, checkpoint)?
        };
        let wait_ms = self.exchange.send(cx, len, now)?;
        if self.exchange.sent >= total {
            self.stage = Stage::Receive;
        }
        self.in_time(cx, wait_ms, now)
    }

    /// Hashes the body of the request for a token, or writes a window of the request: its length, and the whole's.
    #[inline(never)]
    fn authenticate<P: Platform>(
        &self,
        cx: &mut Context<'_, P>,
        public_key: &[u8; 65],
        hash_to: Option<&mut Sha256>,
    ) -> Result<(usize, u32), Error> {
        let mut identity = Pairs::<{ limits::IDENTITY }>::new();
        let mut fits = true;
        cx.ports.identity(&mut |key, value| fits &= identity.push(key, value).is_ok());
        if !fits || identity.is_empty() {
            return Err(Error::ConfigIdentity);
        }
        let Config { tenant_token, tier, server_url, .. } = cx.config;
        let body = Authenticate { identity: identity.as_bytes(), public_key, tenant_token, tier };
        let asked = Asked::Authenticate { body, signature: &self.signature };
        match hash_to {
            None => window(&mut cx.io, server_url, &asked, self.exchange.sent),
            Some(to) => {
                *to = hash::<P::Hasher>(&mut cx.io, &asked);
                Ok((0, 0))
            }
        }
    }

    /// Writes a window of any other request, as above.
    #[inline(never)]
    fn ask<P: Platform>(
        &self,
        cx: &mut Context<'_, P>,
        checkpoint: &Checkpoint,
    ) -> Result<(usize, u32), Error> {
        let Context { config, ports, io, log, .. } = cx;
        let (device_type, provides) = (config.device_type, &checkpoint.provides);
        let inventory = Inventory { device_type, provides, application: ports };
        let message = match self.what {
            What::Check if cx.no_v2 => {
                Message::NextV1 { device_type, artifact_name: provides.artifact_name() }
            }
            What::Check => Message::NextV2 { device_type, provides: provides.stored_bytes() },
            What::Status(status) => {
                let one_way = status == Status::Success
                    && checkpoint.kind == Kind::Image
                    && !checkpoint.supports_rollback;
                let substate = one_way.then_some("could not have been rolled back");
                Message::Status { id: &checkpoint.id, status, substate }
            }
            What::Log if !DEPLOYMENT_LOG => return Err(Error::Internal),
            What::Log => Message::Log { id: &checkpoint.id, entries: log },
            What::Inventory => Message::Inventory(&inventory),
        };
        let token = text_of(cx.token, cx.token_len);
        let asked = Asked::Device { token, message };
        window(io, config.server_url, &asked, self.exchange.sent)
    }

    fn receive<P: Platform>(&mut self, cx: &mut Context<'_, P>, now: u32) -> Step {
        if cx.io.is_empty() {
            let room = cx.io.before_scratch();
            match self.exchange.receive(cx, room, now)? {
                Received::Data(_) => {}
                Received::Nothing => {
                    let wait_ms = self.exchange.silence(cx, now)?;
                    return self.in_time(cx, wait_ms, now);
                }
                Received::Closed => {
                    cx.close(Channel::Api);
                    return self.finish(cx);
                }
            }
        }
        loop {
            match self.exchange.next(cx)? {
                Came::Nothing => return self.in_time(cx, 0, now),
                Came::Head => self.choose_reading(),
                Came::Body(len) => {
                    self.read(cx, len)?;
                    self.exchange.take(cx, len);
                }
                Came::End => {
                    if !self.exchange.reply.head().keep_alive || !cx.io.is_empty() {
                        cx.close(Channel::Api);
                    }
                    return self.finish(cx);
                }
            }
        }
    }

    /// Makes the reader for the body, in its place: constants of zeros.
    #[inline(never)]
    fn choose_reading(&mut self) {
        match (self.exchange.reply.head().status, self.authenticating, self.what) {
            (200, true, _) => self.reading = Reading::Token(const { TokenReader::new() }),
            (200, false, What::Check) => self.reading = Reading::Next(const { Next::new() }),
            (403, _, _) | (404, false, What::Status(_)) => {
                self.reading = Reading::Error(const { ErrorBody::new() });
            }
            _ => self.reading = Reading::Nothing,
        }
    }

    /// Hands `len` bytes of the body to their reader.
    #[inline(never)]
    fn read<P: Platform>(&mut self, cx: &mut Context<'_, P>, len: usize) -> Result<(), Error> {
        let (data, scratch) = cx.io.data_and_scratch();
        let data = data.get(..len).unwrap_or_default();
        match &mut self.reading {
            Reading::Nothing => {}
            Reading::Token(reader) => reader.feed(data, cx.token),
            Reading::Next(reader) => reader.feed(data, cx.config.device_type, cx.uri, scratch)?,
            Reading::Error(reader) => reader.feed(data, scratch),
        }
        Ok(())
    }

    /// A peer that drips a byte now and then is not waited for either.
    fn in_time<P: Platform>(&self, cx: &Context<'_, P>, wait_ms: u32, now: u32) -> Step {
        let late = now.wrapping_sub(self.started) >= cx.config.total_timeout_ms;
        if late { Err(Error::TotalTimeout) } else { Ok(wait_ms) }
    }

    /// The exchange broke: try again now, soon, or not at all.
    #[inline(never)]
    fn broken<P: Platform>(&mut self, cx: &mut Context<'_, P>, error: Error, now: u32) -> u32 {
        cx.close(Channel::Api);
        let dead_before_use = matches!(error, Error::HttpClosed | Error::Send | Error::Receive);
        let free = core::mem::take(&mut self.kept) && dead_before_use;
        self.stage = Stage::Start;
        if free {
            return 0;
        }
        self.tries = self.tries.saturating_add(1);
        if self.tries >= TRIES {
            self.give_up(error);
            return 0;
        }
        self.since = now;
        self.wait_ms = QUICK_MS.checked_shl(u32::from(self.tries).saturating_sub(1)).unwrap_or(QUICK_MS);
        self.wait_ms
    }

    /// Ends without a useful reply.
    fn failed(&mut self, error: Error) -> Step {
        (self.stage, self.error) = (Stage::Done, Some(error));
        Ok(0)
    }

    /// The reply is whole.
    #[inline(never)]
    fn finish<P: Platform>(&mut self, cx: &mut Context<'_, P>) -> Step {
        let head = self.exchange.reply.head();
        let status = head.status;
        self.retry_after_ms = head.retry_after_s.map(|s| s.saturating_mul(1000));
        if let Some(date_s) = head.date_s {
            cx.set_date(date_s);
        }
        let name = if self.authenticating { "authentication" } else { self.what.name() };
        cx.event(Event::Answered, status.into(), 0, name);
        self.stage = Stage::Start;
        if self.authenticating {
            return match (status, &self.reading) {
                (200, Reading::Token(reader)) => match reader.finish() {
                    Ok(len) => {
                        self.authenticated(cx, len);
                        Ok(0)
                    }
                    Err(error) => self.failed(error),
                },
                (401 | 403, _) => self.failed(Error::Unauthorized),
                (429, _) => self.failed(Error::RateLimited),
                _ => self.failed(Error::ServerStatus),
            };
        }
        let add_on = matches!(&self.reading, Reading::Error(body) if body.refusal() == Refusal::AddOn);
        if status == 401 || (status == 403 && !add_on) {
            cx.token_len = 0;
            if core::mem::replace(&mut self.reauthenticated, true) {
                return self.failed(Error::Unauthorized);
            }
            return Ok(0);
        }
        if status == 404 && self.what == What::Check {
            // What works is remembered. Where neither does, the server is not there, and the next check begins anew.
            cx.no_v2 = !cx.no_v2;
            if cx.no_v2 {
                return Ok(0);
            }
        }
        self.stage = Stage::Done;
        match status {
            429 => return self.failed(Error::RateLimited),
            500.. => return self.failed(Error::ServerStatus),
            _ => {}
        }
        if let Some(offer) = self.offer(cx) {
            cx.uri_len = offer.map_or(0, |offer| offer.uri_len);
        }
        Ok(0)
    }

    fn authenticated<P: Platform>(&mut self, cx: &mut Context<'_, P>, token_len: usize) {
        cx.token_len = token_len;
        cx.authenticated = true;
        // A server that had to be told anew who this is may have forgotten the inventory, too.
        cx.inventory_sent = 0;
        // And may have learnt version 2 meanwhile, or was never asked: a proxy answered for it.
        cx.no_v2 = false;
        self.reauthenticated = true;
        self.tries = 0;
        cx.say(Event::Authenticated, "");
        cx.ports.notice(Notice::Authenticated);
    }
}

/// Writes the window of a request that begins at `skip` into the IO buffer: its length, and the whole's.
fn window(io: &mut Io<'_>, server_url: &str, call: &Asked<'_>, skip: u32) -> Result<(usize, u32), Error> {
    let url = Url::server(server_url)?;
    let mut window = Window::new(io.fresh(), skip);
    Request { url: &url, user_agent: USER_AGENT, call: *call }.write(&mut window);
    Ok((window.written().len(), window.total()))
}

/// The hash of a request's body, which is written to the IO buffer window by window.
#[inline(never)]
pub(crate) fn hash<H: Hasher>(io: &mut Io<'_>, asked: &Asked<'_>) -> Sha256 {
    let mut hash = H::new();
    let mut done: u32 = 0;
    loop {
        let mut window = Window::new(io.fresh(), done);
        asked.body(&mut window);
        hash.update(window.written());
        let (len, total) = (window.written().len(), window.total());
        done = done.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        if len == 0 || done >= total {
            return hash.finish();
        }
    }
}

/// Reads the public half of the device key to where it is used.
#[inline(never)]
pub(crate) fn public_key<P: Platform>(cx: &mut Context<'_, P>, key: &mut [u8; 65]) -> Result<(), Error> {
    cx.ports.public_key(key).map_err(|errno| cx.port_failed(Error::KeyRead, errno))
}

/// Makes a device key where there is none.
pub(crate) fn make_key<P: Platform>(cx: &mut Context<'_, P>) -> Result<(), (Error, Errno)> {
    if cx.store_unreadable {
        return Err((Error::StoreRead, Errno(0)));
    }
    cx.ports.make_device_key().map_err(|errno| (Error::KeyMake, errno))?;
    cx.say(Event::KeyMade, "");
    Ok(())
}

/// Makes the device key if there never was one.
///
/// The order keeps the identity: the key is made only when the key store was read and is empty, no record says that one was
/// made, and the records could be read at all.
pub(crate) fn ready_key<P: Platform>(
    cx: &mut Context<'_, P>,
    checkpoint: &mut Checkpoint,
) -> Result<(), (Error, Errno)> {
    match cx.ports.device_key() {
        Err(errno) => return Err((Error::KeyRead, errno)),
        Ok(DeviceKey::Present) if checkpoint.key_made => return Ok(()),
        Ok(DeviceKey::Present) => {}
        Ok(DeviceKey::Absent) if checkpoint.key_made => return Err((Error::KeyLost, Errno(0))),
        Ok(DeviceKey::Absent) => make_key(cx)?,
    }
    checkpoint.key_made = true;
    // Without this record the key is still found; only its loss could not be told from a first start.
    if let Err(error) = cx.save(checkpoint) {
        cx.blame(Event::KeyFailed, error, 0, "");
    }
    Ok(())
}
