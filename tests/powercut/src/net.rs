// SPDX-License-Identifier: Apache-2.0
//! The network between device and server: connections in memory that break, lose and repeat where they are told to.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use mender_port::{Channel, Errno, Received, Result, Transport};

use crate::clock::Clock;
use crate::plan::NetFault;
use crate::random::Random;
use crate::server::{API_HOST, STORE_HOST, Server, request_len};

/// A server ends a connection on which nothing happened for so long.
const KEEP_ALIVE_MS: u64 = 60_000;
/// How long a server takes to come back.
const DOWN_MS: u64 = 90_000;
/// A late reply comes when the client has stopped to wait for it.
const LATE_MS: u64 = 45_000;

/// What lies between a device and its server. Shared by all boots of a device.
pub struct Link {
    /// The other end.
    pub server: Server,
    /// What goes wrong, and has not yet.
    pub faults: Vec<NetFault>,
    /// What went wrong.
    pub hits: u32,
    /// Bytes the device has sent.
    pub sent: u64,
    /// Bytes it has received.
    pub received: u64,
    /// Requests that the server has answered.
    pub requests: u64,
    /// Bytes come in pieces of random sizes, by these numbers.
    pub pieces: Option<Random>,
    clock: Clock,
    down_until_ms: u64,
    /// A clock has jumped: the device may be too late to wait for what is on its way.
    jumped: bool,
    /// Requests that were answered 403.
    pub forbidden: u32,
    /// A request that is still on its way, and the host it was sent to.
    overtaken: Option<(&'static str, Vec<u8>)>,
    streams: [Option<Stream>; 3],
}

struct Stream {
    host: &'static str,
    inbox: Vec<u8>,
    /// Replies, and when they arrive.
    outbox: VecDeque<(u64, Vec<u8>)>,
    used_ms: u64,
    broken: bool,
}

impl Link {
    /// A network on which nothing goes wrong.
    #[must_use]
    pub fn new(server: Server, clock: Clock) -> Self {
        Self {
            server,
            faults: Vec::new(),
            hits: 0,
            sent: 0,
            received: 0,
            requests: 0,
            pieces: None,
            clock,
            down_until_ms: 0,
            jumped: false,
            forbidden: 0,
            overtaken: None,
            streams: [const { None }; 3],
        }
    }

    /// The same in another world, without its connections.
    #[must_use]
    pub fn fork(&self, clock: Clock) -> Self {
        Self {
            server: self.server.clone(),
            faults: self.faults.clone(),
            pieces: self.pieces.clone(),
            down_until_ms: self.down_until_ms,
            jumped: self.jumped,
            forbidden: self.forbidden,
            overtaken: self.overtaken.clone(),
            hits: self.hits,
            sent: self.sent,
            received: self.received,
            requests: self.requests,
            ..Self::new(Server::default(), clock)
        }
    }

    /// The device is gone.
    pub fn hang_up(&mut self) {
        self.streams = [const { None }; 3];
    }

    /// A fault that strikes now is struck off the list.
    fn strikes(&mut self, what: impl Fn(&NetFault) -> bool) -> bool {
        let at = self.faults.iter().position(what);
        let hit = at.map(|at| self.faults.remove(at)).is_some();
        self.hits += u32::from(hit);
        self.server.faults += u32::from(hit);
        hit
    }

    fn open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        let now_ms = self.clock.wall_ms();
        let host = [API_HOST, STORE_HOST].into_iter().find(|known| *known == host).ok_or(Errno(-2))?;
        if port != 80 || tls || now_ms < self.down_until_ms {
            return Err(Errno(-111));
        }
        let stream =
            Stream { host, inbox: Vec::new(), outbox: VecDeque::new(), used_ms: now_ms, broken: false };
        self.streams[channel as usize] = Some(stream);
        Ok(())
    }

    fn stream(&mut self, channel: Channel) -> Result<&mut Stream> {
        let now_ms = self.clock.wall_ms();
        let stream = self.streams[channel as usize].as_mut().ok_or(Errno(-107))?;
        stream.broken |= now_ms.saturating_sub(stream.used_ms) > KEEP_ALIVE_MS;
        Ok(stream)
    }

    fn send(&mut self, channel: Channel, data: &[u8]) -> Result<usize> {
        let mut len = data.len();
        if let Some(random) = &mut self.pieces {
            len = len.min(1 + random.below(300) as usize);
        }
        if self.stream(channel)?.broken {
            return Err(Errno(-104));
        }
        let (from, to) = (self.sent, self.sent + len as u64);
        let cut = self.faults.iter().find_map(|fault| match fault {
            NetFault::CutSend(at) if (from..to).contains(at) => Some(*at),
            _ => None,
        });
        let arrives = cut.map_or(len, |at| (at - from) as usize);
        self.sent += arrives as u64;
        self.stream(channel)?.inbox.extend_from_slice(&data[..arrives]);
        self.deliver(channel)?;
        if let Some(at) = cut {
            self.strikes(|fault| *fault == NetFault::CutSend(at));
            let stream = self.stream(channel)?;
            (stream.broken, stream.outbox) = (true, VecDeque::new());
        }
        Ok(len)
    }

    /// Lets the server act on every whole request of a stream.
    fn deliver(&mut self, channel: Channel) -> Result<()> {
        let now_ms = self.clock.wall_ms();
        loop {
            let stream = self.stream(channel)?;
            stream.used_ms = now_ms;
            let host = stream.host;
            let len = match request_len(&stream.inbox) {
                Ok(Some(len)) => len,
                Ok(None) => return Ok(()),
                Err(why) => {
                    stream.broken = true;
                    self.server.complaints.push(why);
                    return Ok(());
                }
            };
            let request: Vec<u8> = stream.inbox.drain(..len).collect();
            self.requests += 1;
            let number = self.requests;
            if self.strikes(|fault| *fault == NetFault::Restart(number)) {
                self.down_until_ms = now_ms + DOWN_MS;
                self.streams.iter_mut().flatten().for_each(|stream| stream.broken = true);
                return Ok(());
            }
            if let Some(reply) = self.refusal(number) {
                self.stream(channel)?.outbox.push_back((now_ms, reply));
                continue;
            }
            if self.strikes(|fault| *fault == NetFault::Expire(number)) {
                self.server.expire_tokens();
            }
            let jumps = self.faults.contains(&NetFault::Jump(number));
            if jumps {
                let back = number.is_multiple_of(2);
                let years = 5 * 365 * 86_400;
                self.server.unix_s =
                    if back { self.server.unix_s - years } else { self.server.unix_s + years };
            }
            if self.strikes(|fault| *fault == NetFault::Twice(number)) {
                self.unheard(host, &request);
            }
            if self.strikes(|fault| *fault == NetFault::Overtaken(number)) {
                self.overtaken = Some((host, request));
                self.stream(channel)?.broken = true;
                return Ok(());
            }
            // A device that has stopped to wait for a reply goes on with another request, which is no quicker.
            if self.jumped && self.overtaken.as_ref().is_some_and(|(_, other)| *other != request) {
                self.arrives_at_last();
            }
            let reply = self.server.answer(host, &request);
            self.arrives_at_last();
            // It strikes once the request has arrived, as all does that keeps the device from its reply.
            if jumps {
                self.strikes(|fault| *fault == NetFault::Jump(number));
                self.jumped = true;
                self.clock.jump(3_600_000);
            }
            let lost = self.strikes(|fault| *fault == NetFault::LoseReply(number));
            let late = self.strikes(|fault| *fault == NetFault::Late(number));
            let stream = self.stream(channel)?;
            if lost {
                stream.broken = true;
            } else {
                stream.outbox.push_back((now_ms + if late { LATE_MS } else { 0 }, reply));
            }
        }
    }

    /// The reply to a request that is refused.
    fn refusal(&mut self, number: u64) -> Option<Vec<u8>> {
        let refusals = [
            (NetFault::Forbid(number), 403),
            (NetFault::Limit(number), 429),
            (NetFault::Unavailable(number), 503),
        ];
        let (_, status) = refusals.into_iter().find(|(refusal, _)| self.strikes(|f| f == refusal))?;
        self.forbidden += u32::from(status == 403);
        let reply = self.server.refuse(status);
        self.arrives_at_last();
        Some(reply)
    }

    /// What was overtaken.
    fn arrives_at_last(&mut self) {
        if let Some((host, request)) = self.overtaken.take() {
            self.unheard(host, &request);
        }
    }

    /// What the device has not read of a reply by then it will not hear.
    fn close(&mut self, channel: Channel) {
        let closed = self.streams[channel as usize].take();
        let unread = closed.is_some_and(|stream| !stream.outbox.is_empty());
        self.server.faults += u32::from(self.jumped && unread);
    }

    /// A request of which nobody hears the reply.
    fn unheard(&mut self, host: &str, request: &[u8]) {
        self.server.unheard = true;
        self.server.answer(host, request);
        self.server.unheard = false;
    }

    fn receive(&mut self, channel: Channel, buf: &mut [u8]) -> Result<Received> {
        let now_ms = self.clock.wall_ms();
        let mut room = buf.len();
        if let Some(random) = &mut self.pieces {
            if random.below(8) == 0 {
                return Ok(Received::Nothing);
            }
            room = room.min(1 + random.below(1200) as usize);
        }
        let from = self.received;
        let cuts = self.faults.iter().filter_map(|fault| match fault {
            NetFault::CutReply(at) if *at >= from => Some(*at),
            _ => None,
        });
        // The first to come, in whatever order they were planned.
        let cut = cuts.min();
        let stream = self.stream(channel)?;
        let Some((ready_ms, reply)) = stream.outbox.front_mut() else {
            // A break shows as an end, or as an error.
            return match (stream.broken, from.is_multiple_of(2)) {
                (false, _) => Ok(Received::Nothing),
                (true, true) => Ok(Received::Closed),
                (true, false) => Err(Errno(-104)),
            };
        };
        if now_ms < *ready_ms {
            return Ok(Received::Nothing);
        }
        let mut len = room.min(reply.len());
        let cut = cut.filter(|at| *at < from + len as u64);
        if let Some(at) = cut {
            len = (at - from) as usize;
        }
        buf[..len].copy_from_slice(&reply[..len]);
        reply.drain(..len);
        stream.used_ms = now_ms;
        if reply.is_empty() {
            stream.outbox.pop_front();
        }
        self.received += len as u64;
        if let Some(at) = cut {
            let stream = self.stream(channel)?;
            (stream.broken, stream.outbox) = (true, VecDeque::new());
            self.strikes(|fault| *fault == NetFault::CutReply(at));
            if len == 0 {
                return self.receive(channel, buf);
            }
        }
        Ok(Received::Data(len))
    }
}

/// The device's end of the link.
pub struct Net(pub Rc<RefCell<Link>>);

impl Transport for Net {
    const SESSIONS: usize = 2;

    fn open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        self.0.borrow_mut().open(channel, host, port, tls)
    }

    fn send(&mut self, channel: Channel, data: &[u8]) -> Result<usize> {
        self.0.borrow_mut().send(channel, data)
    }

    fn receive(&mut self, channel: Channel, buf: &mut [u8]) -> Result<Received> {
        self.0.borrow_mut().receive(channel, buf)
    }

    fn close(&mut self, channel: Channel) {
        self.0.borrow_mut().close(channel);
    }
}
