// SPDX-License-Identifier: Apache-2.0
//! The download of an artifact: one request where the link allows, taken up where it broke where it does not (protocol §2.5).
//!
//! `receive` and `body` run for every piece that comes in; what runs seldom is kept out of them by `#[inline(never)]`, and with it what
//! it needs on the stack.

use crate::USER_AGENT;
use crate::call::{Call, What};
use crate::context::{Context, Step};
use crate::exchange::{Came, Exchange};
use crate::intake::{Intake, Taken};
use mender_api::{Call as Asked, Download as Range, Request, Url, Window};
use mender_artifact::{Piece, Reader, Unsigned};
use mender_base::json::text_of;
use mender_base::sha256::Hasher;
use mender_base::text::Text;
use mender_base::{Error, Event, Status, limits};
use mender_port::{Channel, Notice, Platform, Received};
use mender_update::{Backoff, Checkpoint};

/// The application hears of progress this often, in bytes.
const NOTICE_BYTES: u32 = 16 * 1024;
/// Fewer bytes than this within the total time-out is no download but somebody holding the line (protocol §9.3).
const SLOWEST_BYTES: u32 = 1024;
/// Progress of so many bytes makes the next break count as the first.
const PROGRESS_BYTES: u32 = 16 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The artifact is here, all of it.
    Done,
    Start,
    Send,
    Receive,
    /// A call of the device API comes between: a fresh URL, or a look for an abort.
    Aside,
    /// So many ms from then on nothing is done.
    Wait {
        since: u32,
        ms: u32,
    },
}

#[repr(C)]
pub(crate) struct Download<H: Hasher> {
    stage: Stage,
    unsigned: Unsigned,
    /// And so much came the time before.
    steady: bool,
    tries: u8,
    backoff: Backoff,
    redirects: u8,
    /// TLS was used: no redirect leads back to clear text.
    tls: bool,
    /// A fresh URL was asked for.
    refreshed: bool,
    /// The download was begun anew because the artifact had changed.
    restarted: bool,
    /// The artifact is complete; what follows can only be padding.
    complete: bool,
    /// Artifact bytes that were used; the next request asks for what follows.
    received: u32,
    /// Length of what was received last.
    received_len: usize,
    /// Length of the artifact, where the store said it; else 0.
    total: u32,
    /// Bytes of this reply that were used before: a store without ranges sends them again.
    skip: u32,
    tried_at: u32,
    /// Since when, and from which byte of the reply's body on, the rate is measured.
    measured: u32,
    measured_at: u32,
    /// The last look for an abort.
    probed: u32,
    noticed: u32,
    intake: Intake,
    exchange: Exchange,
    etag: Text<{ limits::ETAG_MAX }>,
    reader: Reader<H>,
}

impl<H: Hasher> Download<H> {
    /// No download. All zeros, so that memory can be filled with it in one go.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self {
            stage: Stage::Done,
            unsigned: Unsigned::Refuse,
            reader: Reader::IDLE,
            intake: Intake::new(),
            exchange: Exchange::new(),
            received: 0,
            received_len: 0,
            steady: false,
            total: 0,
            etag: Text::new(),
            skip: 0,
            tries: 0,
            tried_at: 0,
            backoff: Backoff::new(),
            redirects: 0,
            tls: false,
            measured: 0,
            measured_at: 0,
            refreshed: false,
            restarted: false,
            complete: false,
            probed: 0,
            noticed: 0,
        }
    }

    /// Begins a download.
    #[inline(never)]
    pub(crate) fn begin(&mut self, unsigned: Unsigned, now: u32) {
        self.unsigned = unsigned;
        self.forget();
        (self.redirects, self.tls) = (0, false);
        (self.refreshed, self.restarted) = (false, false);
        self.probed = now;
        (self.received_len, self.steady) = (0, false);
    }

    /// Begins with the artifact's first byte.
    fn forget(&mut self) {
        self.stage = Stage::Start;
        self.reader.reset(self.unsigned);
        self.intake = const { Intake::new() };
        (self.received, self.total, self.complete) = (0, 0, false);
        (self.tries, self.tried_at, self.noticed) = (0, 0, 0);
        self.backoff.reset();
        self.etag.clear();
    }

    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Goes one step further. `call` is free for calls that come between.
    ///
    /// # Errors
    /// The download has failed.
    #[inline(never)]
    pub(crate) fn step<P: Platform<Hasher = H>>(
        &mut self,
        cx: &mut Context<'_, P>,
        call: &mut Call,
        checkpoint: &mut Checkpoint,
        now: u32,
    ) -> Step {
        let stepped = match self.stage {
            Stage::Start => self.start(cx, call),
            Stage::Send => self.send(cx, now),
            Stage::Receive => self.receive(cx, call, checkpoint, now),
            Stage::Aside => {
                let wait_ms = call.step(cx, checkpoint, now);
                if call.is_done() { self.answered(cx, call, checkpoint, now) } else { Ok(wait_ms) }
            }
            Stage::Wait { since, ms } => {
                let left_ms = ms.saturating_sub(now.wrapping_sub(since));
                if left_ms == 0 {
                    self.stage = Stage::Start;
                }
                Ok(left_ms)
            }
            Stage::Done => Ok(0),
        };
        match stepped {
            Err(error) if is_transport(error) => self.broke(cx, error, now),
            Err(error) => {
                cx.close(Channel::Storage);
                cx.blame(Event::ArtifactRefused, error, 0, "");
                Err(error)
            }
            ok => ok,
        }
    }

    #[inline(never)]
    fn start<P: Platform>(&mut self, cx: &mut Context<'_, P>, call: &mut Call) -> Step {
        cx.close(Channel::Storage);
        if cx.uri_len == 0 {
            self.refresh(call);
            return Ok(0);
        }
        let url = Url::parse(text_of(cx.uri, cx.uri_len))?;
        if !url.tls && (self.tls || !cx.config.allow_http) {
            return Err(Error::ClearText);
        }
        self.tls = url.tls;
        let opened = cx.ports.open(Channel::Storage, url.host, url.port, url.tls);
        if !cx.opened(Channel::Storage, opened, "artifact store")? {
            return Ok(cx.network_wait_ms);
        }
        self.measured = cx.now();
        self.measured_at = 0;
        self.exchange.begin(Channel::Storage, u32::MAX, self.measured);
        self.stage = Stage::Send;
        cx.event(Event::DownloadStarted, self.received, 0, "");
        Ok(0)
    }

    /// Asks the server for a fresh URL.
    fn refresh(&mut self, call: &mut Call) {
        self.stage = Stage::Aside;
        self.redirects = 0;
        call.begin(What::Check);
    }

    #[inline(never)]
    fn send<P: Platform>(&mut self, cx: &mut Context<'_, P>, now: u32) -> Step {
        let url = Url::parse(text_of(cx.uri, cx.uri_len))?;
        let again = self.is_resumed();
        let range = Range {
            range: again.then_some((self.received, None)),
            if_match: (again && !self.etag.is_empty()).then_some(&self.etag),
        };
        let mut window = Window::new(cx.io.fresh(), self.exchange.sent);
        Request { url: &url, user_agent: USER_AGENT, call: Asked::Download(range) }.write(&mut window);
        let (len, total) = (window.written().len(), window.total());
        let wait_ms = self.exchange.send(cx, len, now)?;
        if self.exchange.sent >= total {
            self.stage = Stage::Receive;
        }
        Ok(wait_ms)
    }

    /// So many bytes were received.
    fn came(&mut self, len: usize) {
        self.steady = len == self.received_len;
        self.received_len = len;
    }

    /// How many bytes to receive at the most, so that the next ones begin on a whole block.
    ///
    /// SHA-256 takes whole blocks where they lie, and flash is programmed in whole granules and erased by the page; the ends of a piece that
    /// does not begin on one are copied. Tar puts every file on a multiple of 512 bytes, so where a stream comes in equal pieces, one
    /// that is cut shorter spares the others that.
    fn room(&self) -> usize {
        let over = usize::try_from(self.received).unwrap_or(0).wrapping_add(self.received_len) & 511;
        match self.received_len.checked_sub(over) {
            Some(room) if self.steady && over > 0 && room > 0 => room,
            _ => usize::MAX,
        }
    }

    fn receive<P: Platform<Hasher = H>>(
        &mut self,
        cx: &mut Context<'_, P>,
        call: &mut Call,
        checkpoint: &mut Checkpoint,
        now: u32,
    ) -> Step {
        if cx.io.is_empty() {
            if self.probe_is_due(cx, now) {
                self.stage = Stage::Aside;
                call.begin(What::Status(Status::Downloading));
                return Ok(0);
            }
            match self.exchange.receive(cx, self.room(), now)? {
                Received::Data(len) => {
                    self.came(len);
                    self.check_rate(cx, now)?;
                }
                Received::Nothing => return self.exchange.silence(cx, now),
                Received::Closed => return self.end(cx),
            }
        }
        loop {
            match self.exchange.next(cx)? {
                Came::Nothing => return Ok(0),
                Came::Head => {
                    self.head(cx, call, checkpoint)?;
                    if !matches!(self.stage, Stage::Receive) {
                        return Ok(0);
                    }
                }
                Came::Body(len) => {
                    if !self.body(cx, checkpoint, len)? {
                        return Ok(0);
                    }
                    if self.complete && self.exchange.reply.head().content_length.is_none() {
                        // A body without a stated end is not waited for.
                        return self.end(cx);
                    }
                    if cx.io.is_empty() && self.exchange.reply.is_in_body() {
                        return Ok(0);
                    }
                }
                Came::End => return self.end(cx),
            }
        }
    }

    fn check_rate<P>(&mut self, cx: &Context<'_, P>, now: u32) -> Result<(), Error> {
        if now.wrapping_sub(self.measured) < cx.config.total_timeout_ms {
            return Ok(());
        }
        // Not of what is received: a store without ranges first sends again what was.
        let body = self.exchange.reply.body_len();
        let progress = body.saturating_sub(self.measured_at);
        (self.measured, self.measured_at) = (now, body);
        if progress < SLOWEST_BYTES { Err(Error::IdleTimeout) } else { Ok(()) }
    }

    fn probe_is_due<P: Platform>(&mut self, cx: &Context<'_, P>, now: u32) -> bool {
        let every_ms = cx.config.abort_probe_ms;
        let due = every_ms > 0 && P::SESSIONS > 1 && now.wrapping_sub(self.probed) >= every_ms;
        if due {
            self.probed = now;
        }
        due
    }

    /// What the status means. Where this reply's body is not the artifact, another stage comes.
    #[inline(never)]
    fn head<P: Platform<Hasher = H>>(
        &mut self,
        cx: &mut Context<'_, P>,
        call: &mut Call,
        checkpoint: &mut Checkpoint,
    ) -> Result<(), Error> {
        let head = self.exchange.reply.head();
        let total = self.total;
        match head.status {
            200 => {
                let length = head.content_length.unwrap_or(0);
                let same_length = length == 0 || total == 0 || length == total;
                if self.is_resumed() && !(same_length && self.has_same_etag()) {
                    return self.restart(checkpoint);
                }
                self.total = length;
                self.skip = self.received;
                self.etag.clone_from(&head.etag);
            }
            206 if self.is_resumed() => {
                let fits = head.content_range.is_some_and(|r| {
                    let whole = if r.total > 0 { r.total } else { total };
                    let to_the_end = whole == 0 || r.last.saturating_add(1) == whole;
                    r.first == self.received && to_the_end && (total == 0 || whole == total)
                });
                if !fits || !self.has_same_etag() {
                    return self.restart(checkpoint);
                }
                self.skip = 0;
            }
            412 | 416 if self.is_resumed() => return self.restart(checkpoint),
            301 | 302 | 303 | 307 | 308 => {
                // The address lies in the URL's buffer, where the reply's reader has put it; `start` looks at it.
                self.redirects = self.redirects.saturating_add(1);
                let len = head.location_len.filter(|len| *len > 0).ok_or(Error::Redirect)?;
                if self.redirects > limits::REDIRECTS_MAX {
                    return Err(Error::Redirect);
                }
                cx.uri_len = len;
                self.stage = Stage::Start;
            }
            403 if !core::mem::replace(&mut self.refreshed, true) => {
                cx.close(Channel::Storage);
                self.refresh(call);
            }
            404 | 408 | 425 | 429 | 500.. => return Err(Error::ServerStatus),
            _ => return Err(Error::DownloadStatus),
        }
        Ok(())
    }

    /// Bytes of the artifact were received by an earlier request.
    fn is_resumed(&self) -> bool {
        self.received > 0
    }

    /// As far as both tags are known.
    fn has_same_etag(&self) -> bool {
        let etag = &self.exchange.reply.head().etag;
        self.etag.is_empty() || etag.is_empty() || *etag == self.etag
    }

    /// The artifact is not the one that was begun: once more from its start, once.
    #[inline(never)]
    fn restart(&mut self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        if core::mem::replace(&mut self.restarted, true) {
            return Err(Error::DownloadChanged);
        }
        self.forget();
        let name: Text<{ limits::NAME_MAX }> =
            mender_base::text::text(checkpoint.provides.incoming_name()).unwrap_or_default();
        let begun = checkpoint.provides.begin(&name);
        begun.map_err(|mender_base::pairs::Full| Error::ProvidesFull)
    }

    /// Feeds body bytes of the IO buffer to the reader; `false` when the sink wants to be called again.
    fn body<P: Platform<Hasher = H>>(
        &mut self,
        cx: &mut Context<'_, P>,
        checkpoint: &mut Checkpoint,
        len: usize,
    ) -> Result<bool, Error> {
        let skipped = len.min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        if skipped > 0 {
            self.used(cx, skipped, false);
            self.skip = self.skip.saturating_sub(u32::try_from(skipped).unwrap_or(u32::MAX));
        }
        let mut left = len.saturating_sub(skipped);
        while left > 0 {
            let data = cx.io.data().get(..left).unwrap_or_default();
            let (mut used, piece) = self.reader.feed(data)?;
            let mut again = true;
            match piece {
                None => {}
                Some(Piece::Payload { index, offset, data }) => {
                    match self.intake.payload(index, offset, data, &mut cx.ports) {
                        Ok(count) => {
                            self.reader.take(data.get(..count).unwrap_or_default())?;
                            used = count;
                            again = count == data.len();
                        }
                        Err(error) => return Err(self.refused(cx, error)),
                    }
                }
                Some(piece) => {
                    match self.intake.piece(piece, cx.config.device_type, &mut cx.ports, checkpoint) {
                        Ok(Taken::All) => {}
                        Ok(Taken::Signature) => self.reader.signature(true)?,
                        Ok(Taken::End) => self.complete = true,
                        Err(error) => return Err(self.refused(cx, error)),
                    }
                }
            }
            self.used(cx, used, true);
            left = left.saturating_sub(used);
            if !again {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The error of a piece; what a port said of it is noted.
    #[inline(never)]
    fn refused<P: Platform>(&mut self, cx: &mut Context<'_, P>, error: Error) -> Error {
        match self.intake.failed.take() {
            Some(errno) => cx.port_failed(error, errno),
            None => error,
        }
    }

    fn used<P: Platform>(&mut self, cx: &mut Context<'_, P>, len: usize, new: bool) {
        self.exchange.take(cx, len);
        if new {
            self.received = self.received.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
            if self.received.saturating_sub(self.noticed) >= NOTICE_BYTES || self.complete {
                self.noticed = self.received;
                cx.ports.notice(Notice::Progress { received: self.received, total: self.total });
            }
        }
    }

    /// The reply has ended: so must the artifact have.
    #[inline(never)]
    fn end<P: Platform>(&mut self, cx: &mut Context<'_, P>) -> Step {
        cx.close(Channel::Storage);
        if !self.complete && self.exchange.reply.head().content_length.is_none() {
            // Nobody said how long the body is: the link may have broken.
            return Err(Error::HttpTruncated);
        }
        self.reader.finish()?;
        cx.event(Event::Downloaded, self.received, 0, "");
        self.stage = Stage::Done;
        Ok(0)
    }

    /// The connection broke, or the store is out of order: wait, as long as the store says at least, then go on from where it broke.
    #[inline(never)]
    fn broke<P: Platform>(&mut self, cx: &mut Context<'_, P>, error: Error, now: u32) -> Step {
        cx.close(Channel::Storage);
        if self.stage == Stage::Receive && (300..400).contains(&self.exchange.reply.head().status) {
            // Part of a redirect's address may lie over the URL.
            cx.uri_len = 0;
        }
        if self.received.saturating_sub(self.tried_at) >= PROGRESS_BYTES {
            self.tries = 0;
            self.refreshed = false;
            self.backoff.reset();
            self.tried_at = self.received;
        }
        self.tries = self.tries.saturating_add(1);
        if self.tries >= cx.config.download_tries.max(1) {
            return Err(error);
        }
        let received = i32::try_from(self.received).unwrap_or(i32::MAX);
        cx.blame(Event::DownloadBroke, error, received, "");
        let timing = &cx.config.timing;
        let random = cx.ports.random();
        let ms = self.backoff.next_ms(timing.retry_ms, timing.retry_cap_ms, random);
        let wished_s = self.exchange.reply.head().retry_after_s.filter(|_| error == Error::ServerStatus);
        self.wait(cx, ms, wished_s.unwrap_or(0).saturating_mul(1000), now)
    }

    /// `wished_ms` is what a server asked for.
    fn wait<P>(&mut self, cx: &Context<'_, P>, ms: u32, wished_ms: u32, now: u32) -> Step {
        let ms = ms.max(wished_ms.min(cx.config.timing.poll_ms));
        self.stage = Stage::Wait { since: now, ms };
        Ok(ms)
    }

    /// A call that came between has ended.
    #[inline(never)]
    fn answered<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        call: &Call,
        checkpoint: &Checkpoint,
        now: u32,
    ) -> Step {
        if call.what == What::Check {
            // What else is answered is no word of Mender's about the deployment.
            if !matches!(call.status(), 200 | 204 | 409) {
                // Half a URL may lie over the other one, which was of no use anyway.
                cx.uri_len = 0;
                let ms = self.broke(cx, Error::HttpClosed, now)?;
                return self.wait(cx, ms, call.retry_after_ms.unwrap_or(0), now);
            }
            let offer = call.offer(cx).and_then(Result::ok);
            self.stage = Stage::Start;
            return if offer.is_some_and(|offer| offer.id == checkpoint.id) {
                Ok(0)
            } else {
                Err(Error::DownloadStatus)
            };
        }
        self.stage = Stage::Receive;
        // The download was not listened to meanwhile.
        (self.exchange.heard, self.measured, self.measured_at) = (now, now, self.exchange.reply.body_len());
        if call.is_aborted() { Err(Error::Aborted) } else { Ok(0) }
    }
}

/// Whether the link failed, not the artifact.
fn is_transport(error: Error) -> bool {
    matches!(
        error,
        Error::Connect
            | Error::Send
            | Error::Receive
            | Error::IdleTimeout
            | Error::HttpClosed
            | Error::HttpTruncated
            | Error::HttpSyntax
            | Error::HttpHeaders
            | Error::HttpFraming
            | Error::HttpChunk
            | Error::ServerStatus
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mender_base::sha256::Soft;

    /// Receives pieces of `len` bytes, or what there is room for, of a stream whose first `head` bytes are not the artifact's; the
    /// lengths that came.
    fn lengths(head: u32, len: usize) -> [usize; 6] {
        let mut download = Download::<Soft>::new();
        download.begin(Unsigned::Accept, 0);
        let mut skip = head;
        core::array::from_fn(|_| {
            let now = len.min(download.room());
            download.came(now);
            let body = u32::try_from(now).unwrap().saturating_sub(skip);
            skip = 0;
            download.received += body;
            now
        })
    }

    #[test]
    fn a_steady_stream_is_taken_up_at_whole_blocks() {
        assert_eq!(lengths(43, 512), [512, 512, 43, 512, 512, 512]);
        assert_eq!(lengths(43, 1024), [1024, 1024, 555, 1024, 1024, 1024][..]);
        assert_eq!(lengths(0, 1024), [1024; 6]);
        assert_eq!(lengths(500, 4096), [4096, 4096, 4084, 4096, 4096, 4096][..]);
        // Too short to reach the next block.
        assert_eq!(lengths(43, 10)[..3], [10; 3]);
    }
}
