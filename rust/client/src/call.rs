// SPDX-License-Identifier: Apache-2.0
//! One call of the device API: connect if needed, authenticate if needed, send, read the reply, repeat where it helps.
//!
//! A token that is refused is dropped and got anew once per call (protocol §1.6). A kept connection that turns out dead costs
//! nothing; other transport failures are tried [`TRIES`] times in all. Everything beyond is the state machine's back-off.

use crate::DEPLOYMENT_LOG;
use crate::context::{Context, IO_WAIT_MS, NETWORK_WAIT_MS, Step};
use crate::inventory::Inventory;
use mender_api::{
    Authenticate, Call as Asked, ErrorBody, Message, Next, Offer, Part, Refusal, Refused, Reply, Request,
    TokenReader, Url, Window, der,
};
use mender_base::pairs::Pairs;
use mender_base::sha256::Hasher;
use mender_base::{Error, Event, Status, limits};
use mender_port::{Channel, DeviceKey, Errno, Notice, Platform, Received};
use mender_update::Checkpoint;

const TRIES: u8 = 3;
/// First wait between quick tries; doubles.
const QUICK_MS: u32 = 200;
/// For one JSON string of a reply: a name, a device type.
const SCRATCH: usize = limits::NAME_MAX;

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

/// A whole reply, with a status that is the caller's affair.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What a check brought with status 200.
    pub(crate) offer: Option<Result<Offer, Refused>>,
}

/// No useful reply.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) retry_after_ms: Option<u32>,
}

enum Stage {
    Start,
    Sign,
    Send { sent: u32 },
    Receive,
}

/// What the body of the reply is read by.
#[allow(clippy::large_enum_variant, reason = "no heap to put the largest on")]
enum Reading {
    Nothing,
    Token(TokenReader),
    Next(Next),
    Error(ErrorBody),
}

pub(crate) struct Call {
    what: What,
    stage: Stage,
    /// The request in hand is for a token; `what` comes after it.
    authenticating: bool,
    reauthenticated: bool,
    /// The connection served before, so the peer may have closed it.
    kept: bool,
    tries: u8,
    not_before_ms: u64,
    started_ms: u64,
    heard_ms: u64,
    signature: heapless::Vec<u8, { mender_api::DER_MAX }>,
    reply: Reply,
    reading: Reading,
    scratch: [u8; SCRATCH],
}

type Outcome = Result<Answer, Failure>;

impl Call {
    pub(crate) fn new(what: What) -> Self {
        Self {
            what,
            stage: Stage::Start,
            authenticating: false,
            reauthenticated: false,
            kept: false,
            tries: 0,
            not_before_ms: 0,
            started_ms: 0,
            heard_ms: 0,
            signature: heapless::Vec::new(),
            reply: Reply::new(limits::API_REPLY_MAX),
            reading: Reading::Nothing,
            scratch: [0; SCRATCH],
        }
    }

    pub(crate) fn what(&self) -> What {
        self.what
    }

    /// Goes one step further.
    pub(crate) fn step<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        checkpoint: &mut Checkpoint,
        now_ms: u64,
    ) -> Step<Outcome> {
        if now_ms < self.not_before_ms {
            return Step::Wait(u32::try_from(self.not_before_ms.saturating_sub(now_ms)).unwrap_or(u32::MAX));
        }
        let stepped = match self.stage {
            Stage::Start => self.start(cx, now_ms),
            Stage::Sign => self.sign(cx, checkpoint),
            Stage::Send { sent } => self.send(cx, checkpoint, sent, now_ms),
            Stage::Receive => return self.receive(cx, now_ms),
        };
        match stepped {
            Ok(step) => step,
            Err(error) => self.broken(cx, error, now_ms),
        }
    }

    fn start<P: Platform>(&mut self, cx: &mut Context<'_, P>, now_ms: u64) -> Result<Step<Outcome>, Error> {
        self.authenticating = cx.token_len == 0;
        self.kept = cx.api_open;
        (self.started_ms, self.heard_ms) = (now_ms, now_ms);
        self.reply = Reply::new(limits::API_REPLY_MAX);
        self.reading = Reading::Nothing;
        if !cx.api_open {
            if !cx.open_api()? {
                return Ok(Step::Wait(NETWORK_WAIT_MS));
            }
            // Connecting may have taken long; the time-outs are for the exchange.
            let now_ms = cx.ports.now_ms();
            (self.started_ms, self.heard_ms) = (now_ms, now_ms);
        }
        self.stage = if self.authenticating { Stage::Sign } else { Stage::Send { sent: 0 } };
        Ok(Step::Again)
    }

    /// Hashes the authentication body window by window and signs the hash.
    fn sign<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        checkpoint: &mut Checkpoint,
    ) -> Result<Step<Outcome>, Error> {
        if let Err((error, errno)) = ready_key(cx, checkpoint) {
            cx.event(Event::KeyFailed, error.number().into(), errno.0.into(), "");
            // No network is at fault, so nothing is gained by trying again soon.
            return Ok(Step::Done(Err(Failure { error, retry_after_ms: None })));
        }
        let mut hash = P::Hasher::new();
        let mut done: u32 = 0;
        loop {
            let (len, total) = self.window(cx, checkpoint, done, true)?;
            hash.update(cx.io.fresh().get(..len).unwrap_or_default());
            done = done.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
            if len == 0 || done >= total {
                break;
            }
        }
        let mut raw = [0; 64];
        let signed = cx.ports.sign(&hash.finish(), &mut raw);
        signed.map_err(|errno| cx.port_failed(Error::Sign, errno))?;
        self.signature = der(&raw)?;
        self.stage = Stage::Send { sent: 0 };
        Ok(Step::Again)
    }

    fn send<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        checkpoint: &Checkpoint,
        sent: u32,
        now_ms: u64,
    ) -> Result<Step<Outcome>, Error> {
        let (len, total) = self.window(cx, checkpoint, sent, false)?;
        let count = cx.send(Channel::Api, len)?;
        if count == 0 {
            return Ok(self.silence(cx, now_ms));
        }
        self.heard_ms = now_ms;
        let sent = sent.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.stage = if sent >= total { Stage::Receive } else { Stage::Send { sent } };
        Ok(self.late(cx, now_ms).unwrap_or(Step::Again))
    }

    /// Writes the window of the request (or of its body alone) that begins at `skip` into the IO buffer: its length, and the whole's.
    fn window<P: Platform>(
        &self,
        cx: &mut Context<'_, P>,
        checkpoint: &Checkpoint,
        skip: u32,
        body_only: bool,
    ) -> Result<(usize, u32), Error> {
        let identity = identity(&cx.ports)?;
        let mut public_key = [0; 65];
        if self.authenticating {
            let read = cx.ports.public_key(&mut public_key);
            read.map_err(|errno| cx.port_failed(Error::KeyRead, errno))?;
        }
        let (config, provides) = (&cx.config, &checkpoint.provides);
        let token =
            cx.token.get(..cx.token_len).and_then(|t| core::str::from_utf8(t).ok()).unwrap_or_default();
        let inventory = Inventory { device_type: config.device_type, provides, application: &cx.ports };
        let message = match self.what {
            What::Check if cx.no_v2 => {
                Message::NextV1 { device_type: config.device_type, artifact_name: provides.artifact_name() }
            }
            What::Check => {
                Message::NextV2 { device_type: config.device_type, provides: provides.stored_bytes() }
            }
            What::Status(status) => Message::Status { id: &checkpoint.id, status, substate: None },
            What::Log if !DEPLOYMENT_LOG => return Err(Error::Internal),
            What::Log => Message::Log { id: &checkpoint.id, entries: &cx.log },
            What::Inventory => Message::Inventory(&inventory),
        };
        let asked = if self.authenticating {
            let body = Authenticate {
                identity: identity.as_bytes(),
                public_key: &public_key,
                tenant_token: config.tenant_token,
                tier: config.tier,
            };
            Asked::Authenticate { body, signature: &self.signature }
        } else {
            Asked::Device { token, message }
        };
        let url = Url::server(config.server_url)?;
        let mut window = Window::new(cx.io.fresh(), skip);
        if body_only {
            asked.body(&mut window);
        } else {
            Request { url: &url, user_agent: config.user_agent, call: asked }.write(&mut window);
        }
        Ok((window.written().len(), window.total()))
    }

    fn receive<P: Platform>(&mut self, cx: &mut Context<'_, P>, now_ms: u64) -> Step<Outcome> {
        if cx.io.is_empty() {
            match cx.receive(Channel::Api, usize::MAX) {
                Ok(Received::Data(_)) => self.heard_ms = now_ms,
                Ok(Received::Nothing) => return self.silence(cx, now_ms),
                Ok(Received::Closed) => {
                    let ended = self.reply.closed();
                    cx.close(Channel::Api);
                    return match ended {
                        Ok(()) => self.finish(cx, now_ms),
                        Err(error) => self.broken(cx, error, now_ms),
                    };
                }
                Err(error) => return self.broken(cx, error, now_ms),
            }
        }
        loop {
            let (used, part) = match self.reply.feed(cx.io.data(), &mut []) {
                Ok(fed) => fed,
                Err(error) => return self.broken(cx, error, now_ms),
            };
            let mut consumed = used;
            match part {
                None => {
                    cx.io.consume(consumed);
                    return self.late(cx, now_ms).unwrap_or(Step::Again);
                }
                Some(Part::Head) => self.reading = self.reading_for(self.reply.head().status),
                Some(Part::Body(data)) => {
                    let len = data.len();
                    if let Err(error) = self.read(used, len, cx) {
                        return self.broken(cx, error, now_ms);
                    }
                    self.reply.take(len);
                    consumed = used.saturating_add(len);
                }
                Some(Part::End) => {
                    cx.io.consume(consumed);
                    if !self.reply.head().keep_alive || !cx.io.is_empty() {
                        cx.close(Channel::Api);
                    }
                    return self.finish(cx, now_ms);
                }
            }
            cx.io.consume(consumed);
        }
    }

    fn reading_for(&self, status: u16) -> Reading {
        match (status, self.authenticating, self.what) {
            (200, true, _) => Reading::Token(TokenReader::new()),
            (200, false, What::Check) => Reading::Next(Next::new()),
            (403, _, _) => Reading::Error(ErrorBody::new()),
            _ => Reading::Nothing,
        }
    }

    /// Hands body bytes of the IO buffer to their reader.
    fn read<P: Platform>(&mut self, start: usize, len: usize, cx: &mut Context<'_, P>) -> Result<(), Error> {
        let end = start.saturating_add(len);
        let data = cx.io.data().get(start..end).unwrap_or_default();
        match &mut self.reading {
            Reading::Nothing => Ok(()),
            Reading::Token(reader) => {
                reader.feed(data, cx.token);
                Ok(())
            }
            Reading::Next(reader) => reader.feed(data, cx.config.device_type, cx.uri, &mut self.scratch),
            Reading::Error(reader) => {
                reader.feed(data, &mut self.scratch);
                Ok(())
            }
        }
    }

    /// The peer takes or gives nothing now.
    fn silence<P: Platform>(&mut self, cx: &mut Context<'_, P>, now_ms: u64) -> Step<Outcome> {
        if now_ms.saturating_sub(self.heard_ms) >= cx.config.idle_timeout_ms.into() {
            return self.broken(cx, Error::IdleTimeout, now_ms);
        }
        self.late(cx, now_ms).unwrap_or(Step::Wait(IO_WAIT_MS))
    }

    /// A peer that drips a byte now and then is not waited for either.
    fn late<P: Platform>(&mut self, cx: &mut Context<'_, P>, now_ms: u64) -> Option<Step<Outcome>> {
        let late = now_ms.saturating_sub(self.started_ms) >= cx.config.total_timeout_ms.into();
        late.then(|| self.broken(cx, Error::TotalTimeout, now_ms))
    }

    /// The exchange broke: try again now, soon, or not at all.
    fn broken<P: Platform>(&mut self, cx: &mut Context<'_, P>, error: Error, now_ms: u64) -> Step<Outcome> {
        cx.close(Channel::Api);
        let dead_before_use = matches!(error, Error::HttpClosed | Error::Send | Error::Receive);
        let free = core::mem::take(&mut self.kept) && dead_before_use;
        self.stage = Stage::Start;
        if free {
            return Step::Again;
        }
        self.tries = self.tries.saturating_add(1);
        if self.tries >= TRIES {
            return Step::Done(Err(Failure { error, retry_after_ms: None }));
        }
        let wait_ms = QUICK_MS.checked_shl(u32::from(self.tries).saturating_sub(1)).unwrap_or(QUICK_MS);
        self.not_before_ms = now_ms.saturating_add(wait_ms.into());
        Step::Wait(wait_ms)
    }

    /// The reply is whole.
    fn finish<P: Platform>(&mut self, cx: &mut Context<'_, P>, now_ms: u64) -> Step<Outcome> {
        let head = self.reply.head();
        let status = head.status;
        let retry_after_ms = head.retry_after_s.map(|s| s.saturating_mul(1000));
        if let Some(date_s) = head.date_s {
            cx.boot_unix_ms = u64::from(date_s).saturating_mul(1000).checked_sub(now_ms);
        }
        let name = if self.authenticating { "authentication" } else { self.what.name() };
        cx.event(Event::Answered, status.into(), 0, name);
        let failed = |error| Step::Done(Err(Failure { error, retry_after_ms }));
        let reading = core::mem::replace(&mut self.reading, Reading::Nothing);
        if self.authenticating {
            return match (status, reading) {
                (200, Reading::Token(reader)) => match reader.finish() {
                    Ok(len) => self.authenticated(cx, len),
                    Err(error) => failed(error),
                },
                (401 | 403, _) => failed(Error::Unauthorized),
                (429, _) => failed(Error::RateLimited),
                _ => failed(Error::ServerStatus),
            };
        }
        let add_on = matches!(&reading, Reading::Error(body) if body.refusal() == Refusal::AddOn);
        if status == 401 || (status == 403 && !add_on) {
            cx.token_len = 0;
            if core::mem::replace(&mut self.reauthenticated, true) {
                return failed(Error::Unauthorized);
            }
            self.stage = Stage::Start;
            return Step::Again;
        }
        if status == 404 && self.what == What::Check && !cx.no_v2 {
            cx.no_v2 = true;
            self.stage = Stage::Start;
            return Step::Again;
        }
        match status {
            429 => failed(Error::RateLimited),
            500.. => failed(Error::ServerStatus),
            _ => Step::Done(Ok(Answer { status, offer: offer(cx, reading) })),
        }
    }

    fn authenticated<P: Platform>(&mut self, cx: &mut Context<'_, P>, token_len: usize) -> Step<Outcome> {
        cx.token_len = token_len;
        cx.authenticated = true;
        // A server that had to be told anew who this is may have forgotten the inventory, too.
        cx.inventory_sent = None;
        self.reauthenticated = true;
        self.stage = Stage::Start;
        self.tries = 0;
        cx.event(Event::Authenticated, 0, 0, "");
        cx.ports.notice(Notice::Authenticated);
        Step::Again
    }
}

/// What a check brought, its URL kept.
fn offer<P>(cx: &mut Context<'_, P>, reading: Reading) -> Option<Result<Offer, Refused>> {
    let Reading::Next(reader) = reading else { return None };
    let offer = reader.finish(cx.uri);
    cx.uri_len = offer.as_ref().map_or(0, |o| o.uri_len);
    Some(offer)
}

fn identity<P: Platform>(ports: &P) -> Result<Pairs<{ limits::IDENTITY }>, Error> {
    let mut pairs = Pairs::new();
    let mut fits = true;
    ports.identity(&mut |key, value| fits &= pairs.push(key, value).is_ok());
    if fits && !pairs.is_empty() { Ok(pairs) } else { Err(Error::ConfigIdentity) }
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
        Ok(DeviceKey::Absent) if cx.store_unreadable => return Err((Error::StoreRead, Errno(0))),
        Ok(DeviceKey::Absent) => {
            cx.ports.make_device_key().map_err(|errno| (Error::KeyMake, errno))?;
            cx.event(Event::KeyMade, 0, 0, "");
        }
    }
    checkpoint.key_made = true;
    // Without this record the key is still found; only its loss could not be told from a first start.
    if let Err(error) = cx.save(checkpoint) {
        cx.event(Event::KeyFailed, error.number().into(), 0, "");
    }
    Ok(())
}
