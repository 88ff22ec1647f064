// SPDX-License-Identifier: Apache-2.0
//! Replies: HTTP/1.1 (RFC 9112) from chunks of any size, without a line buffer.

use mender_base::text::{Text, hex_digit, parse_decimal, parse_u32, same_word, utf8};
use mender_base::{Error, limits};

use crate::time;

/// What a reply yields next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'i> {
    /// The head is complete: see [`Reply::head`].
    Head,
    /// Body bytes that lie in the input, at least one. Say with [`Reply::take`] how many were used.
    Body(&'i [u8]),
    /// The reply is complete. What follows in the input belongs to nobody: close the connection.
    End,
}

/// Where the bytes of a partial reply (206) belong. First and last are in order and below the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Offset of the first byte.
    pub first: u32,
    /// Offset of the last byte.
    pub last: u32,
    /// Length of the whole; 0 when the server does not know it.
    pub total: u32,
}

/// What the head of a reply says. Lengths and offsets are bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Head {
    /// Status code, 200…599.
    pub status: u16,
    /// The connection can serve another request after the end of this reply.
    pub keep_alive: bool,
    /// Length of the body, where the head says it.
    pub content_length: Option<u32>,
    /// Seconds to wait before asking again, as the server wants it: clamp it. A date is measured by the reply's own clock;
    /// one in the past is 0, what makes no sense is none.
    pub retry_after_s: Option<u32>,
    /// The server's clock, seconds since 1970.
    pub date_s: Option<u32>,
    /// Range of a partial reply; none when missing or malformed.
    pub content_range: Option<ContentRange>,
    /// Length of a redirect's (3xx) `Location` in the lent buffer; none when missing, malformed or longer than that buffer.
    pub location_len: Option<usize>,
    /// Entity tag with its quotes, visible ASCII; empty when missing or longer than [`limits::ETAG_MAX`].
    pub etag: Text<{ limits::ETAG_MAX }>,
}

impl Head {
    #[inline(always)]
    const fn new() -> Self {
        Self {
            status: 0,
            keep_alive: false,
            content_length: None,
            retry_after_s: None,
            date_s: None,
            content_range: None,
            etag: Text::new(),
            location_len: None,
        }
    }

    /// In place: a new one would be put together on the stack.
    fn clear(&mut self) {
        (self.status, self.keep_alive, self.content_length) = (0, false, None);
        (self.retry_after_s, self.date_s, self.content_range) = (None, None, None);
        self.etag.clear();
        self.location_len = None;
    }
}

/// Header fields that matter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    // Zero is left to `None`.
    ContentLength = 1,
    TransferEncoding,
    ContentEncoding,
    Connection,
    RetryAfter,
    Date,
    ContentRange,
    ETag,
    Location,
}

const FIELDS: [(&[u8], Field); 9] = [
    (b"content-length", Field::ContentLength),
    (b"transfer-encoding", Field::TransferEncoding),
    (b"content-encoding", Field::ContentEncoding),
    (b"connection", Field::Connection),
    (b"retry-after", Field::RetryAfter),
    (b"date", Field::Date),
    (b"content-range", Field::ContentRange),
    (b"etag", Field::ETag),
    (b"location", Field::Location),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Within `HTTP/1.x nnn`, at that byte.
    Status(u8),
    Reason,
    /// At the start of a header line.
    Line,
    Name,
    /// Before the first character of a value.
    Space,
    Value,
    ChunkSize,
    ChunkExtension,
    /// Behind a chunk's data.
    ChunkEnd,
    /// At the start of a trailer line.
    Trailer,
    TrailerRest,
    /// Behind a CR; what the LF leads to.
    LineFeed(After),
    /// A body with a known length, or a chunk of one: `remaining` bytes are to come.
    Body {
        chunk: bool,
    },
    /// A body that ends with the connection.
    UntilClosed,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Line,
    Head,
    ChunkData,
    ChunkSize,
    Trailer,
    End,
}

/// What the head says about framing, and what has to wait for its end.
#[derive(Default)]
struct Framing {
    http_1_0: bool,
    chunked: bool,
    close: bool,
    retry_at_s: Option<u32>,
}

/// Reads one reply to a request that was not `HEAD`.
///
/// Feed it until it yields `None`, then receive more. After an error it is of no more use, nor is the connection.
#[repr(C)]
pub struct Reply {
    fields: u8,
    interim: u8,
    field: Option<Field>,
    too_long: bool,
    /// The chunk size has a digit.
    sized: bool,
    framing: Framing,
    state: State,
    /// Bytes that the current header section or chunk line may still have.
    budget: u32,
    remaining: u32,
    body: u32,
    body_max: u32,
    head: Head,
    /// A field's name, then its value.
    text: heapless::Vec<u8, { limits::HTTP_VALUE_MAX }>,
}

impl Reply {
    /// To be [reset](Self::reset) before use. All zeros, so that memory can be filled with it in one go.
    pub const IDLE: Self = Self {
        state: State::Status(0),
        head: Head::new(),
        framing: Framing { http_1_0: false, chunked: false, close: false, retry_at_s: None },
        budget: 0,
        fields: 0,
        interim: 0,
        field: None,
        text: heapless::Vec::new(),
        too_long: false,
        sized: false,
        remaining: 0,
        body: 0,
        body_max: 0,
    };

    /// Nothing read yet. A body of more than `body_max` bytes is an error once it gets there.
    #[must_use]
    pub fn new(body_max: u32) -> Self {
        let mut reply = Self::IDLE;
        reply.reset(body_max);
        reply
    }

    /// Begins with another reply.
    pub fn reset(&mut self, body_max: u32) {
        self.begin_head();
        (self.interim, self.remaining, self.body, self.body_max) = (0, 0, 0, body_max);
    }

    /// At the first byte of a head: the reply's own, or the one after an interim reply.
    fn begin_head(&mut self) {
        self.state = State::Status(0);
        self.head.clear();
        self.framing = Framing::default();
        (self.budget, self.fields) = (limits::HTTP_HEADERS_MAX, 0);
    }

    /// The head; complete once [`Part::Head`] was yielded.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Body bytes taken so far.
    #[must_use]
    pub const fn body_len(&self) -> u32 {
        self.body
    }

    /// Reads on in `input`: how many bytes were used, and what they led to.
    ///
    /// Bytes of a [`Part::Body`] are not counted as used: [`take`](Self::take) them, drop as many from the input and feed the rest.
    /// `None`: all was used and more is needed. `location` is where the address of a redirect goes, the same buffer each time; with an
    /// empty one it is ignored. Other replies leave that buffer alone.
    ///
    /// # Errors
    /// [`Error::HttpSyntax`], [`Error::HttpHeaders`], [`Error::HttpFraming`], [`Error::HttpChunk`], [`Error::HttpEncoding`],
    /// [`Error::HttpTooLong`].
    pub fn feed<'i>(
        &mut self,
        input: &'i [u8],
        location: &mut [u8],
    ) -> Result<(usize, Option<Part<'i>>), Error> {
        let mut used: usize = 0;
        let mut rest = input;
        loop {
            if let State::Body { chunk } = self.state
                && self.remaining == 0
            {
                self.state = if chunk { State::ChunkEnd } else { State::End };
            }
            if matches!(self.state, State::End) {
                return Ok((used, Some(Part::End)));
            }
            if matches!(self.state, State::Body { .. } | State::UntilClosed) {
                let most = if matches!(self.state, State::UntilClosed) { u32::MAX } else { self.remaining };
                return Ok((used, self.offer(rest, most)?.map(Part::Body)));
            }
            let Some((byte, behind)) = rest.split_first() else { return Ok((used, None)) };
            used = used.saturating_add(1);
            rest = behind;
            if self.byte(*byte, location)? {
                return Ok((used, Some(Part::Head)));
            }
        }
    }

    /// Says that `count` bytes of the last [`Part::Body`] were used.
    pub fn take(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.body = self.body.saturating_add(count);
        self.remaining = self.remaining.saturating_sub(count);
    }

    /// Whether the next bytes are body: with none at hand, feeding yields nothing.
    #[must_use]
    pub const fn is_in_body(&self) -> bool {
        matches!(self.state, State::UntilClosed)
            || matches!(self.state, State::Body { .. }) && self.remaining > 0
    }

    /// Says that the peer has closed the connection, after all that it sent was fed.
    ///
    /// # Errors
    /// [`Error::HttpClosed`] before the first byte: on a connection that was kept open the request can be repeated at once.
    /// [`Error::HttpTruncated`] within the reply.
    pub fn closed(&mut self) -> Result<(), Error> {
        let complete = matches!(self.state, State::UntilClosed | State::End)
            || (self.state == State::Body { chunk: false } && self.remaining == 0);
        if complete {
            self.state = State::End;
            Ok(())
        } else if self.state == State::Status(0) && self.interim == 0 {
            Err(Error::HttpClosed)
        } else {
            Err(Error::HttpTruncated)
        }
    }

    /// Body bytes at the start of `rest`, `most` at the most.
    fn offer<'i>(&self, rest: &'i [u8], most: u32) -> Result<Option<&'i [u8]>, Error> {
        let len = rest.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let data = rest.get(..len).filter(|data| !data.is_empty());
        let total = u32::try_from(len).unwrap_or(u32::MAX).saturating_add(self.body);
        if total > self.body_max { Err(Error::HttpTooLong) } else { Ok(data) }
    }

    /// Takes one byte that is not body; whether the head is now complete.
    fn byte(&mut self, byte: u8, location: &mut [u8]) -> Result<bool, Error> {
        self.budget = self.budget.checked_sub(1).ok_or(Error::HttpHeaders)?;
        // Control characters have no place anywhere; this refuses a bare LF and NUL (RFC 9112 §2.2, RFC 9110 §5.5).
        if byte.is_ascii_control()
            && !matches!(byte, b'\t' | b'\r')
            && !matches!(self.state, State::LineFeed(_))
        {
            return Err(Error::HttpSyntax);
        }
        self.state = match (self.state, byte) {
            (State::Status(at), _) => self.status_line(at, byte)?,
            (State::Reason, b'\r') => State::LineFeed(After::Line),
            (State::Line, b'\r') => State::LineFeed(After::Head),
            (State::Line, _) => {
                self.fields = self.fields.checked_add(1).ok_or(Error::HttpHeaders)?;
                if self.fields > limits::HTTP_FIELDS_MAX {
                    return Err(Error::HttpHeaders);
                }
                self.start_text();
                // White space here would continue the line before, which RFC 9112 §5.2 has abolished.
                self.name(byte)?
            }
            (State::Name, b':') => self.name_ends(),
            (State::Name, _) => self.name(byte)?,
            (State::Space, b' ' | b'\t') => State::Space,
            (State::Space | State::Value, b'\r') => {
                self.value_ends(location)?;
                State::LineFeed(After::Line)
            }
            (State::Space | State::Value, _) => self.value(byte, location),
            (State::ChunkSize, _) => self.chunk_size(byte)?,
            (State::ChunkExtension, b'\r') => State::LineFeed(After::ChunkData),
            (State::ChunkEnd, b'\r') => State::LineFeed(After::ChunkSize),
            (State::ChunkEnd, _) => return Err(Error::HttpChunk),
            (State::Trailer, b'\r') => State::LineFeed(After::End),
            (State::TrailerRest, b'\r') => State::LineFeed(After::Trailer),
            (State::Trailer | State::TrailerRest, _) => State::TrailerRest,
            (State::LineFeed(after), b'\n') => return self.line_ends(after),
            (State::LineFeed(_), _) => return Err(Error::HttpSyntax),
            (state, _) => state,
        };
        Ok(false)
    }

    /// `HTTP/1.x nnn`, then a space and a reason or nothing (RFC 9112 §4).
    fn status_line(&mut self, at: u8, byte: u8) -> Result<State, Error> {
        const BEFORE: &[u8; 7] = b"HTTP/1.";
        let digit = byte.checked_sub(b'0').filter(|d| *d < 10);
        let good = match at {
            0..=6 => BEFORE.get(usize::from(at)) == Some(&byte),
            7 => {
                self.framing.http_1_0 = digit == Some(0);
                digit.is_some()
            }
            8 => byte == b' ',
            9..=11 => {
                let digit = digit.ok_or(Error::HttpSyntax)?;
                self.head.status = self.head.status.wrapping_mul(10).wrapping_add(digit.into());
                (1..=5).contains(&digit) || at > 9
            }
            _ if byte == b'\r' => return Ok(State::LineFeed(After::Line)),
            _ if byte == b' ' => return Ok(State::Reason),
            _ => false,
        };
        if good { Ok(State::Status(at.wrapping_add(1))) } else { Err(Error::HttpSyntax) }
    }

    fn start_text(&mut self) {
        self.text.clear();
        self.too_long = false;
    }

    fn put(&mut self, byte: u8) {
        self.too_long |= self.text.push(byte).is_err();
    }

    fn name(&mut self, byte: u8) -> Result<State, Error> {
        // RFC 9110 §5.6.2: token characters.
        let mark =
            matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
        if !byte.is_ascii_alphanumeric() && !mark {
            return Err(Error::HttpSyntax);
        }
        self.put(byte);
        Ok(State::Name)
    }

    fn name_ends(&mut self) -> State {
        let name = FIELDS.iter().find(|(name, _)| same_word(name, &self.text));
        self.field = name.map(|(_, field)| *field);
        if self.field == Some(Field::Location) {
            // Only a redirect's address may take the place of what the lent buffer holds.
            let redirect = (300..400).contains(&self.head.status);
            self.head.location_len = redirect.then_some(0);
        }
        self.start_text();
        State::Space
    }

    fn value(&mut self, byte: u8, location: &mut [u8]) -> State {
        if self.field == Some(Field::Location) {
            self.head.location_len = self.head.location_len.and_then(|len| {
                *location.get_mut(len)? = byte;
                len.checked_add(1)
            });
        } else if self.field.is_some() {
            self.put(byte);
        }
        State::Value
    }

    #[inline(never)]
    fn value_ends(&mut self, location: &[u8]) -> Result<(), Error> {
        let Some(field) = self.field else { return Ok(()) };
        let value = self.text.trim_ascii_end();
        if self.too_long {
            let harmless = matches!(field, Field::ETag | Field::Date | Field::RetryAfter);
            return if harmless { Ok(()) } else { Err(Error::HttpHeaders) };
        }
        let head = &mut self.head;
        match field {
            Field::ContentLength => {
                let length = parse_u32(value);
                if length.is_none() || head.content_length.is_some_and(|other| Some(other) != length) {
                    return Err(Error::HttpFraming);
                }
                head.content_length = length;
            }
            Field::TransferEncoding => {
                // No other coding was asked for, and HTTP/1.0 has none (RFC 9112 §6.1).
                if self.framing.chunked || self.framing.http_1_0 || !same_word(value, b"chunked") {
                    return Err(Error::HttpFraming);
                }
                self.framing.chunked = true;
            }
            Field::ContentEncoding => {
                if !value.is_empty() && !same_word(value, b"identity") {
                    return Err(Error::HttpEncoding);
                }
            }
            Field::Connection => {
                for option in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    self.framing.close |= same_word(option, b"close");
                }
            }
            Field::RetryAfter => match parse_decimal(value) {
                Some(seconds) => head.retry_after_s = Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
                None => self.framing.retry_at_s = time::http_date(value),
            },
            Field::Date => head.date_s = time::http_date(value),
            Field::ContentRange => head.content_range = content_range(value),
            Field::ETag => {
                head.etag.clear();
                if head.etag.push_str(visible(value).unwrap_or_default()).is_err() {
                    head.etag.clear();
                }
            }
            Field::Location => {
                let value = head.location_len.and_then(|len| location.get(..len)).map(<[u8]>::trim_ascii_end);
                head.location_len = value.and_then(visible).map(str::len);
            }
        }
        Ok(())
    }

    fn line_ends(&mut self, after: After) -> Result<bool, Error> {
        self.state = match after {
            After::Line => State::Line,
            After::Head => return self.head_ends(),
            After::ChunkSize => {
                self.start_chunk();
                State::ChunkSize
            }
            After::ChunkData if self.remaining > 0 => State::Body { chunk: true },
            After::ChunkData => {
                self.budget = limits::HTTP_HEADERS_MAX;
                State::Trailer
            }
            After::Trailer => State::Trailer,
            After::End => State::End,
        };
        Ok(false)
    }

    #[inline(never)]
    fn head_ends(&mut self) -> Result<bool, Error> {
        if self.head.status < 200 {
            // 101 would end HTTP on this connection, and nobody asked for that.
            self.interim = self.interim.saturating_add(1);
            if self.head.status == 101 {
                return Err(Error::HttpSyntax);
            }
            if self.interim > limits::HTTP_INTERIM_MAX {
                return Err(Error::HttpHeaders);
            }
            self.begin_head();
            return Ok(false);
        }
        let (framing, head) = (&self.framing, &mut self.head);
        let has_length = head.content_length.is_some();
        if framing.chunked && has_length {
            // RFC 9112 §6.3: perhaps an attempt at smuggling.
            return Err(Error::HttpFraming);
        }
        if let Some((then, now)) = framing.retry_at_s.zip(head.date_s) {
            head.retry_after_s = Some(then.saturating_sub(now));
        }
        // HTTP/1.0 could ask for it with an option, but no server worth a second request speaks it.
        head.keep_alive = !framing.close && !framing.http_1_0;
        if matches!(head.status, 204 | 304) {
            // There is no body, whatever the fields say; if they say there is, what follows cannot be trusted.
            head.keep_alive &= !framing.chunked && head.content_length.unwrap_or(0) == 0;
            self.state = State::End;
        } else if framing.chunked {
            self.start_chunk();
            self.state = State::ChunkSize;
        } else if let Some(length) = head.content_length {
            self.remaining = length;
            self.state = State::Body { chunk: false };
        } else {
            head.keep_alive = false;
            self.state = State::UntilClosed;
        }
        Ok(true)
    }

    fn start_chunk(&mut self) {
        (self.remaining, self.sized, self.budget) = (0, false, limits::HTTP_CHUNK_LINE_MAX);
    }

    fn chunk_size(&mut self, byte: u8) -> Result<State, Error> {
        match (hex_digit(byte), byte) {
            (Some(digit), _) => {
                self.sized = true;
                let size = self.remaining.checked_mul(16).and_then(|size| size.checked_add(digit.into()));
                self.remaining = size.ok_or(Error::HttpChunk)?;
                Ok(State::ChunkSize)
            }
            _ if !self.sized => Err(Error::HttpChunk),
            (None, b'\r') => Ok(State::LineFeed(After::ChunkData)),
            (None, b';' | b' ' | b'\t') => Ok(State::ChunkExtension),
            (None, _) => Err(Error::HttpChunk),
        }
    }
}

/// The text, if it is visible ASCII: what else could end a line of a request that repeats it.
fn visible(value: &[u8]) -> Option<&str> {
    utf8(value).filter(|text| text.bytes().all(|b| b.is_ascii_graphic()))
}

/// `bytes first-last/total` (RFC 9110 §14.4); the total may be `*`.
fn content_range(value: &[u8]) -> Option<ContentRange> {
    let mut rest = value;
    let unit = rest.split_off(..6)?;
    let (first, last) = (number(&mut rest, b'-')?, number(&mut rest, b'/')?);
    let known = rest != b"*";
    let total = if known { parse_u32(rest)? } else { 0 };
    let in_order = first <= last && (!known || last < total);
    (in_order && same_word(unit, b"bytes ")).then_some(ContentRange { first, last, total })
}

/// The number before `end`, or before the end of the text; both are taken off it.
fn number(text: &mut &[u8], end: u8) -> Option<u32> {
    let len = text.iter().position(|b| *b == end).unwrap_or(text.len());
    let digits = text.split_off(..len)?;
    text.split_off_first();
    parse_u32(digits)
}
