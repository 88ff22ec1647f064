// SPDX-License-Identifier: Apache-2.0
//! The download of an artifact: one request where the link allows, taken up where it broke where it does not (protocol §2.5).
//!
//! `receive` and `body` run for every piece that comes in; what runs seldom is kept out of them by `#[inline(never)]`, and with it what
//! it needs on the stack.

use crate::call::{Answer, Call, What};
use crate::context::{Context, IO_WAIT_MS, NETWORK_WAIT_MS, Step};
use crate::intake::{Intake, Taken};
use mender_api::{Call as Asked, Download as Range, Part, Reply, Request, Url, Window};
use mender_artifact::{Piece, Reader, Unsigned};
use mender_base::sha256::Hasher;
use mender_base::text::Text;
use mender_base::{Error, Event, Status, limits};
use mender_port::{Channel, Errno, Notice, Platform, Received};
use mender_update::{Backoff, Checkpoint};

/// The application hears of progress this often, in bytes.
const NOTICE_BYTES: u32 = 16 * 1024;
/// Fewer bytes than this within the total time-out is no download but somebody holding the line (protocol §9.3).
const SLOWEST_BYTES: u32 = 1024;
/// Progress of so many bytes makes the next break count as the first.
const PROGRESS_BYTES: u32 = 16 * 1024;

#[allow(clippy::large_enum_variant, reason = "no heap to put the largest on")]
enum Stage {
    Start,
    Send {
        sent: u32,
    },
    Receive,
    /// A call of the device API comes between: a fresh URL, or a look for an abort.
    Aside(Call),
    Wait {
        until_ms: u64,
    },
}

pub(crate) struct Download<H: Hasher> {
    stage: Stage,
    unsigned: Unsigned,
    reader: Reader<H>,
    intake: Intake,
    reply: Reply,
    /// Artifact bytes that were used; the next request asks for what follows.
    received: u32,
    /// Length of what was received last.
    received_len: usize,
    /// And so much came the time before.
    steady: bool,
    /// Length of the artifact, where the store said it; else 0.
    total: u32,
    etag: Text<{ limits::ETAG_MAX }>,
    /// Bytes of this reply that were used before: a store without ranges sends them again.
    skip: u32,
    tries: u8,
    tried_at: u32,
    backoff: Backoff,
    redirects: u8,
    /// TLS was used: no redirect leads back to clear text.
    tls: bool,
    /// Since when, and from which byte of the reply's body on, the rate is measured.
    measured_ms: u64,
    measured_at: u32,
    /// A fresh URL was asked for.
    refreshed: bool,
    /// The download was begun anew because the artifact had changed.
    restarted: bool,
    /// The artifact is complete; what follows can only be padding.
    complete: bool,
    heard_ms: u64,
    probe_at_ms: u64,
    noticed: u32,
}

impl<H: Hasher> Download<H> {
    #[inline(never)]
    pub(crate) fn new(unsigned: Unsigned) -> Self {
        Self {
            stage: Stage::Start,
            unsigned,
            reader: Reader::new(unsigned),
            intake: Intake::default(),
            reply: Reply::new(u32::MAX),
            received: 0,
            received_len: 0,
            steady: false,
            total: 0,
            etag: Text::new(),
            skip: 0,
            tries: 0,
            tried_at: 0,
            backoff: Backoff::default(),
            redirects: 0,
            tls: false,
            measured_ms: 0,
            measured_at: 0,
            refreshed: false,
            restarted: false,
            complete: false,
            heard_ms: 0,
            probe_at_ms: 0,
            noticed: 0,
        }
    }

    /// Goes one step further.
    #[inline(never)]
    pub(crate) fn step<P: Platform<Hasher = H>>(
        &mut self,
        cx: &mut Context<'_, P>,
        checkpoint: &mut Checkpoint,
        now_ms: u64,
    ) -> Step<Result<(), Error>> {
        let stepped = match &mut self.stage {
            Stage::Start => self.start(cx, now_ms),
            Stage::Send { sent } => {
                let sent = *sent;
                self.send(cx, sent, now_ms)
            }
            Stage::Receive => self.receive(cx, checkpoint, now_ms),
            Stage::Aside(call) => match call.step(cx, checkpoint, now_ms) {
                Step::Again => return Step::Again,
                Step::Wait(ms) => return Step::Wait(ms),
                Step::Done(answer) => {
                    let what = call.what();
                    self.answered(what, answer.ok(), checkpoint, now_ms)
                }
            },
            Stage::Wait { until_ms } if now_ms < *until_ms => {
                Ok(Step::Wait(u32::try_from(until_ms.saturating_sub(now_ms)).unwrap_or(u32::MAX)))
            }
            Stage::Wait { .. } => {
                self.stage = Stage::Start;
                Ok(Step::Again)
            }
        };
        match stepped {
            Ok(step) => step,
            Err(error) if is_transport(error) => self.broke(cx, error, now_ms),
            Err(error) => {
                cx.close(Channel::Storage);
                cx.event(Event::ArtifactRefused, error.number().into(), 0, "");
                Step::Done(Err(error))
            }
        }
    }

    #[inline(never)]
    fn start<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        now_ms: u64,
    ) -> Result<Step<Result<(), Error>>, Error> {
        cx.close(Channel::Storage);
        let (uri, config) = (cx.uri.get(..cx.uri_len).unwrap_or_default(), &cx.config);
        let url = Url::parse(core::str::from_utf8(uri).unwrap_or_default())?;
        if !url.tls && (self.tls || !config.allow_http) {
            return Err(Error::ClearText);
        }
        self.tls = url.tls;
        let opened = cx.ports.open(Channel::Storage, url.host, url.port, url.tls);
        cx.storage_open = opened.is_ok();
        if let Err(errno) = opened {
            if errno == Errno::EAGAIN {
                return Ok(Step::Wait(NETWORK_WAIT_MS));
            }
            return cx.connection_failed(Error::Connect, errno, "artifact store");
        }
        self.reply = Reply::new(u32::MAX);
        self.stage = Stage::Send { sent: 0 };
        self.heard_ms = cx.ports.now_ms();
        (self.measured_ms, self.measured_at) = (self.heard_ms, 0);
        if self.probe_at_ms == 0 {
            self.probe_at_ms = now_ms.saturating_add(cx.config.abort_probe_ms.into());
        }
        cx.event(Event::DownloadStarted, self.received.into(), 0, "");
        Ok(Step::Again)
    }

    #[inline(never)]
    fn send<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        sent: u32,
        now_ms: u64,
    ) -> Result<Step<Result<(), Error>>, Error> {
        let uri = cx.uri.get(..cx.uri_len).unwrap_or_default();
        let url = Url::parse(core::str::from_utf8(uri).unwrap_or_default())?;
        let again = self.is_resumed();
        let range = Range {
            range: again.then_some((self.received, None)),
            if_match: (again && !self.etag.is_empty()).then_some(&self.etag),
        };
        let mut window = Window::new(cx.io.fresh(), sent);
        Request { url: &url, user_agent: cx.config.user_agent, call: Asked::Download(range) }
            .write(&mut window);
        let (len, total) = (window.written().len(), window.total());
        let count = cx.send(Channel::Storage, len)?;
        if count == 0 {
            return self.silence(cx, now_ms);
        }
        let sent = sent.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.heard_ms = now_ms;
        self.stage = if sent >= total { Stage::Receive } else { Stage::Send { sent } };
        Ok(Step::Again)
    }

    /// The peer takes or gives nothing now.
    fn silence<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        now_ms: u64,
    ) -> Result<Step<Result<(), Error>>, Error> {
        let silent = now_ms.saturating_sub(self.heard_ms) >= cx.config.idle_timeout_ms.into();
        if silent { Err(Error::IdleTimeout) } else { Ok(Step::Wait(IO_WAIT_MS)) }
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
        checkpoint: &mut Checkpoint,
        now_ms: u64,
    ) -> Result<Step<Result<(), Error>>, Error> {
        if cx.io.is_empty() {
            if self.probe_is_due(cx, now_ms) {
                self.stage = Stage::Aside(Call::new(What::Status(Status::Downloading)));
                return Ok(Step::Again);
            }
            match cx.receive(Channel::Storage, self.room())? {
                Received::Data(len) => {
                    self.came(len);
                    self.heard_ms = now_ms;
                    self.check_rate(cx, now_ms)?;
                }
                Received::Nothing => return self.silence(cx, now_ms),
                Received::Closed => {
                    self.reply.closed()?;
                    return self.end(cx);
                }
            }
        }
        loop {
            let (used, part) = self.reply.feed(cx.io.data(), cx.uri)?;
            let body = match part {
                Some(Part::Body(data)) => data.len(),
                _ => 0,
            };
            let (nothing, head, end) =
                (part.is_none(), matches!(part, Some(Part::Head)), matches!(part, Some(Part::End)));
            cx.io.consume(used);
            if nothing {
                return Ok(Step::Again);
            }
            if head && let Some(step) = self.head(cx, checkpoint, now_ms)? {
                return Ok(step);
            }
            if end {
                return self.end(cx);
            }
            if body > 0 && !self.body(cx, checkpoint, body)? {
                return Ok(Step::Again);
            }
            if self.complete && self.reply.head().content_length.is_none() {
                // A body without a stated end is not waited for.
                return self.end(cx);
            }
            if cx.io.is_empty() && self.reply.is_in_body() {
                return Ok(Step::Again);
            }
        }
    }

    fn check_rate<P: Platform>(&mut self, cx: &Context<'_, P>, now_ms: u64) -> Result<(), Error> {
        if now_ms.saturating_sub(self.measured_ms) < cx.config.total_timeout_ms.into() {
            return Ok(());
        }
        // Not of what is received: a store without ranges first sends again what was.
        let body = self.reply.body_len();
        let progress = body.saturating_sub(self.measured_at);
        (self.measured_ms, self.measured_at) = (now_ms, body);
        if progress < SLOWEST_BYTES { Err(Error::IdleTimeout) } else { Ok(()) }
    }

    fn probe_is_due<P: Platform>(&mut self, cx: &Context<'_, P>, now_ms: u64) -> bool {
        let due = cx.config.abort_probe_ms > 0 && P::SESSIONS > 1 && now_ms >= self.probe_at_ms;
        if due {
            self.probe_at_ms = now_ms.saturating_add(cx.config.abort_probe_ms.into());
        }
        due
    }

    /// What the status means; `Some` when this reply's body is not the artifact.
    #[inline(never)]
    fn head<P: Platform<Hasher = H>>(
        &mut self,
        cx: &mut Context<'_, P>,
        checkpoint: &mut Checkpoint,
        now_ms: u64,
    ) -> Result<Option<Step<Result<(), Error>>>, Error> {
        let head = self.reply.head();
        match head.status {
            200 => {
                let total = head.content_length.unwrap_or(0);
                let same_length = total == 0 || self.total == 0 || total == self.total;
                if self.is_resumed() && !(same_length && self.has_same_etag()) {
                    return self.restart(checkpoint).map(Some);
                }
                self.total = total;
                self.skip = self.received;
                self.etag = head.etag.clone();
                Ok(None)
            }
            206 if self.is_resumed() => {
                let fits = head.content_range.is_some_and(|r| {
                    let total = r.total.unwrap_or(self.total);
                    let to_the_end = total == 0 || r.last.saturating_add(1) == total;
                    r.first == self.received && to_the_end && (self.total == 0 || total == self.total)
                });
                if !fits || !self.has_same_etag() {
                    return self.restart(checkpoint).map(Some);
                }
                self.skip = 0;
                Ok(None)
            }
            412 | 416 if self.is_resumed() => self.restart(checkpoint).map(Some),
            301 | 302 | 303 | 307 | 308 => self.redirect(cx).map(Some),
            403 if !core::mem::replace(&mut self.refreshed, true) => {
                cx.close(Channel::Storage);
                self.stage = Stage::Aside(Call::new(What::Check));
                Ok(Some(Step::Again))
            }
            404 | 429 | 500.. => Ok(Some(self.broke(cx, Error::ServerStatus, now_ms))),
            _ => Err(Error::DownloadStatus),
        }
    }

    /// Bytes of the artifact were received by an earlier request.
    fn is_resumed(&self) -> bool {
        self.received > 0
    }

    /// As far as both tags are known.
    fn has_same_etag(&self) -> bool {
        let etag = &self.reply.head().etag;
        self.etag.is_empty() || etag.is_empty() || *etag == self.etag
    }

    /// The address now lies in the URL's buffer, where [`Reply::feed`] has put it; `start` looks at it.
    fn redirect<P: Platform>(&mut self, cx: &mut Context<'_, P>) -> Result<Step<Result<(), Error>>, Error> {
        self.redirects = self.redirects.saturating_add(1);
        let len = self.reply.head().location_len.ok_or(Error::Redirect)?;
        if self.redirects > limits::REDIRECTS_MAX {
            return Err(Error::Redirect);
        }
        cx.uri_len = len;
        self.stage = Stage::Start;
        Ok(Step::Again)
    }

    /// The artifact is not the one that was begun: once more from its start, once.
    #[inline(never)]
    fn restart(&mut self, checkpoint: &mut Checkpoint) -> Result<Step<Result<(), Error>>, Error> {
        if core::mem::replace(&mut self.restarted, true) {
            return Err(Error::DownloadChanged);
        }
        self.reader = Reader::new(self.unsigned);
        self.intake = Intake::default();
        self.received = 0;
        self.etag.clear();
        self.stage = Stage::Start;
        let name: Text<{ limits::NAME_MAX }> =
            mender_base::text::text(checkpoint.provides.incoming_name()).unwrap_or_default();
        let begun = checkpoint.provides.begin(&name);
        begun.map_err(|mender_base::pairs::Full| Error::ProvidesFull)?;
        Ok(Step::Again)
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
                    let mut failed = None;
                    let taken = self.intake.payload(index, offset, data, &mut cx.ports, &mut failed);
                    match taken {
                        Ok(count) => {
                            self.reader.take(data.get(..count).unwrap_or_default())?;
                            used = count;
                            again = count == data.len();
                        }
                        Err(error) => return Err(port_failed(cx, error, failed)),
                    }
                }
                Some(piece) => {
                    let mut failed = None;
                    let taken = self.intake.piece(
                        piece,
                        cx.config.device_type,
                        &mut cx.ports,
                        checkpoint,
                        &mut failed,
                    );
                    match taken {
                        Ok(Taken::All) => {}
                        Ok(Taken::Signature) => self.reader.signature(true)?,
                        Ok(Taken::End) => self.complete = true,
                        Err(error) => return Err(port_failed(cx, error, failed)),
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

    fn used<P: Platform>(&mut self, cx: &mut Context<'_, P>, len: usize, new: bool) {
        cx.io.consume(len);
        self.reply.take(len);
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
    fn end<P: Platform>(&mut self, cx: &mut Context<'_, P>) -> Result<Step<Result<(), Error>>, Error> {
        cx.close(Channel::Storage);
        if !self.complete && self.reply.head().content_length.is_none() {
            // Nobody said how long the body is: the link may have broken.
            return Err(Error::HttpTruncated);
        }
        self.reader.finish()?;
        cx.event(Event::Downloaded, self.received.into(), 0, "");
        Ok(Step::Done(Ok(())))
    }

    /// The connection broke, or the store is out of order: wait, then go on from where it broke.
    #[inline(never)]
    fn broke<P: Platform>(
        &mut self,
        cx: &mut Context<'_, P>,
        error: Error,
        now_ms: u64,
    ) -> Step<Result<(), Error>> {
        cx.close(Channel::Storage);
        if self.received.saturating_sub(self.tried_at) >= PROGRESS_BYTES {
            self.tries = 0;
            self.backoff.reset();
            self.tried_at = self.received;
        }
        self.tries = self.tries.saturating_add(1);
        if self.tries >= cx.config.download_tries.max(1) {
            return Step::Done(Err(error));
        }
        cx.event(Event::DownloadBroke, error.number().into(), self.received.into(), "");
        let timing = &cx.config.timing;
        let random = cx.ports.random();
        let wait_ms = self.backoff.next_ms(timing.retry_ms, timing.retry_cap_ms, random);
        self.stage = Stage::Wait { until_ms: now_ms.saturating_add(wait_ms.into()) };
        Step::Wait(wait_ms)
    }

    /// A call that came between has ended.
    #[inline(never)]
    fn answered(
        &mut self,
        what: What,
        answer: Option<Answer>,
        checkpoint: &Checkpoint,
        now_ms: u64,
    ) -> Result<Step<Result<(), Error>>, Error> {
        if what == What::Check {
            let Some(answer) = answer else {
                self.refreshed = false;
                return Err(Error::HttpClosed);
            };
            let same = answer.offer.and_then(Result::ok).is_some_and(|o| o.id == checkpoint.id);
            self.stage = Stage::Start;
            return if same { Ok(Step::Again) } else { Err(Error::DownloadStatus) };
        }
        self.stage = Stage::Receive;
        // The download was not listened to meanwhile.
        self.heard_ms = now_ms;
        (self.measured_ms, self.measured_at) = (now_ms, self.reply.body_len());
        match answer {
            Some(Answer { status: 404 | 409, .. }) => Err(Error::Aborted),
            _ => Ok(Step::Again),
        }
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
    )
}

/// The error of a piece; what a port said of it is noted.
#[inline(never)]
fn port_failed<P: Platform>(cx: &mut Context<'_, P>, error: Error, failed: Option<Errno>) -> Error {
    match failed {
        Some(errno) => cx.port_failed(error, errno),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mender_base::sha256::Soft;

    /// Receives pieces of `len` bytes, or what there is room for, of a stream whose first `head` bytes are not the artifact's; the
    /// lengths that came.
    fn lengths(head: u32, len: usize) -> [usize; 6] {
        let mut download = Download::<Soft>::new(Unsigned::Accept);
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
