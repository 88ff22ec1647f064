// SPDX-License-Identifier: Apache-2.0
//! One request and its reply on one channel: what calls of the device API and downloads have in common.
//!
//! Times here are the low 32 bits of the clock: only differences count, and none comes near 49 days.

use crate::context::{Context, IO_WAIT_MS, Step};
use mender_api::{Part, Reply};
use mender_base::Error;
use mender_port::{Channel, Platform, Received};

#[repr(C)]
pub(crate) struct Exchange {
    pub(crate) channel: Channel,
    /// Bytes of the request that were sent.
    pub(crate) sent: u32,
    /// When the peer last took or gave something.
    pub(crate) heard: u32,
    pub(crate) reply: Reply,
}

/// What a reply brought; lengths are of bytes at the start of the IO buffer's data.
pub(crate) enum Came {
    /// More must be received.
    Nothing,
    Head,
    Body(usize),
    End,
}

impl Exchange {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { channel: Channel::Api, reply: Reply::IDLE, sent: 0, heard: 0 }
    }

    /// Begins with the request.
    pub(crate) fn begin(&mut self, channel: Channel, body_max: u32, now: u32) {
        self.channel = channel;
        self.reply.reset(body_max);
        self.sent = 0;
        self.heard = now;
    }

    /// Sends some of the request, `len` bytes of which lie in the IO buffer from what was sent on. In how many ms to go on.
    pub(crate) fn send<P: Platform>(&mut self, cx: &mut Context<'_, P>, len: usize, now: u32) -> Step {
        let count = cx.send(self.channel, len)?;
        if count == 0 {
            return self.silence(cx, now);
        }
        self.heard = now;
        self.sent = self.sent.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        Ok(0)
    }

    /// Receives into the empty IO buffer, `room` bytes at the most.
    #[inline(always)]
    pub(crate) fn receive<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        room: usize,
        now: u32,
    ) -> Result<Received, Error> {
        let received = cx.receive(self.channel, room)?;
        match received {
            Received::Data(_) => self.heard = now,
            Received::Nothing => {}
            Received::Closed => self.reply.closed()?,
        }
        Ok(received)
    }

    /// Reads on in what was received. What is not body is used up.
    #[inline(always)]
    pub(crate) fn next<P>(&mut self, cx: &mut Context<'_, P>) -> Result<Came, Error> {
        // Nobody but the artifact store may send a device elsewhere.
        let location = if self.channel == Channel::Storage { &mut *cx.uri } else { &mut [] };
        let (used, part) = self.reply.feed(cx.io.data(), location)?;
        let came = match part {
            None => Came::Nothing,
            Some(Part::Head) => Came::Head,
            Some(Part::Body(data)) => Came::Body(data.len()),
            Some(Part::End) => Came::End,
        };
        cx.io.consume(used);
        Ok(came)
    }

    /// So many bytes of the body were used.
    #[inline(always)]
    pub(crate) fn take<P>(&mut self, cx: &mut Context<'_, P>, len: usize) {
        cx.io.consume(len);
        self.reply.take(len);
    }

    /// The peer takes or gives nothing now.
    pub(crate) fn silence<P: Platform>(&self, cx: &Context<'_, P>, now: u32) -> Step {
        if now.wrapping_sub(self.heard) >= cx.config.idle_timeout_ms {
            Err(Error::IdleTimeout)
        } else {
            Ok(IO_WAIT_MS)
        }
    }
}
