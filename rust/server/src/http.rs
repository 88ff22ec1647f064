// SPDX-License-Identifier: Apache-2.0
//! HTTP/1.1 requests, read strictly, and replies as values.
//!
//! Source: RFC 9112. Stricter than most servers where the RFC leaves a choice: what only some servers take is refused, so that
//! a client that works here works everywhere.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde_json::json;

use crate::{json, stamp};

/// Most bytes of a request's header section.
const HEAD_LIMIT: usize = 64 * 1024;
/// Most header fields of a request.
const HEADERS_MAX: usize = 100;

/// A request as it came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query as sent.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What `Content-Length` said; the body is shorter only when it was refused unread.
    pub(crate) content_length: usize,
    /// The body came in chunks.
    pub(crate) chunked: bool,
    /// The client asked for the connection to end, or speaks HTTP/1.0.
    pub(crate) close: bool,
    /// Number in the order of arrival, and the `request_id` of the reply.
    pub(crate) id: String,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name)).count()
    }
}

/// A reply before it is framed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// End the connection after this reply.
    pub(crate) close: bool,
    /// Why a request was refused, for the record; the device may be told less.
    pub(crate) why: Option<String>,
}

impl Response {
    /// A reply without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), close: false, why: None }
    }

    /// A refusal without a body: the gateway's answer to a bad token.
    pub(crate) fn silent(status: u16, why: &str) -> Self {
        Self { why: Some(why.to_owned()), ..Self::empty(status) }
    }

    pub(crate) fn bytes(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let mut response = Self::empty(status);
        response.body = body;
        response.with("Content-Type", content_type)
    }

    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        Self::bytes(status, "application/json; charset=utf-8", json::encode(value).into_bytes())
    }

    /// The error body of every Mender service.
    pub(crate) fn error(status: u16, text: &str, request_id: &str) -> Self {
        let response = Self::json(status, &json!({"error": text, "request_id": request_id}));
        Self { why: Some(text.to_owned()), ..response }
    }

    /// Adds a header, or replaces one of the same name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

/// Why no request could be read.
#[derive(Debug)]
pub(crate) enum NoRequest {
    /// The client closed or was silent for the idle time: the ordinary end of a connection.
    End,
    /// The connection failed, or a request did not complete in time.
    Failed,
    /// The bytes are refused with this status; what was read so far is there for the record.
    Refused(Box<Request>, u16, String),
}

/// What is taken of a request's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most bytes.
    pub(crate) body: usize,
    /// Bodies in chunks, of unknown length.
    pub(crate) chunked: bool,
}

/// Reads requests off one connection.
pub(crate) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { buffer: Vec::new() }
    }

    /// True when nothing of a next request has arrived yet.
    pub(crate) fn is_idle(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Waits for the first bytes of a request.
    pub(crate) fn wait(&mut self, stream: &mut impl Read) -> Result<(), NoRequest> {
        while self.is_idle() {
            match self.fill(stream) {
                Ok(0) => return Err(NoRequest::End),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => return Err(NoRequest::End),
                Err(_) => return Err(NoRequest::Failed),
            }
        }
        Ok(())
    }

    /// Reads one request. A body above the limit is left unread: the caller answers 413 and closes.
    pub(crate) fn read(
        &mut self,
        stream: &mut (impl Read + Write),
        limits: Limits,
    ) -> Result<Request, NoRequest> {
        let head = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(refuse(Request::default(), 431, "request header fields too large"));
            }
            self.must_fill(stream)?;
        };
        let mut request = parse_head(&self.buffer[..head])?;
        request.id = stamp::uuid();
        self.buffer.drain(..head);
        if request.chunked && !limits.chunked {
            return Err(refuse(request, 400, "chunked uploads are not taken: send Content-Length"));
        }
        if request.content_length > limits.body {
            return Ok(request);
        }
        if request.header("Expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            let sent = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").and_then(|()| stream.flush());
            if sent.is_err() {
                return Err(NoRequest::Failed);
            }
        }
        if request.chunked {
            return self.read_chunks(stream, request, limits.body);
        }
        request.body = self.take(stream, request.content_length)?;
        Ok(request)
    }

    /// Source: RFC 9112 §7.1. Trailer fields are dropped.
    fn read_chunks(
        &mut self,
        stream: &mut impl Read,
        mut request: Request,
        limit: usize,
    ) -> Result<Request, NoRequest> {
        loop {
            let line = self.take_line(stream)?;
            let digits = line.split(';').next().unwrap_or_default().trim_end();
            let size = match usize::from_str_radix(digits, 16) {
                Ok(size) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => size,
                _ => return Err(refuse(request, 400, "bad chunk size")),
            };
            if size == 0 {
                while !self.take_line(stream)?.is_empty() {}
                return Ok(request);
            }
            request.content_length = request.content_length.saturating_add(size);
            if request.content_length > limit {
                return Ok(request);
            }
            request.body.extend(self.take(stream, size)?);
            if !self.take_line(stream)?.is_empty() {
                return Err(refuse(request, 400, "chunk without its line end"));
            }
        }
    }

    fn take(&mut self, stream: &mut impl Read, length: usize) -> Result<Vec<u8>, NoRequest> {
        while self.buffer.len() < length {
            self.must_fill(stream)?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn take_line(&mut self, stream: &mut impl Read) -> Result<String, NoRequest> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line = self.take(stream, at + 2)?;
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(refuse(Request::default(), 400, "chunk line too long"));
            }
            self.must_fill(stream)?;
        }
    }

    fn must_fill(&mut self, stream: &mut impl Read) -> Result<(), NoRequest> {
        match self.fill(stream) {
            Ok(0) | Err(_) => Err(NoRequest::Failed),
            Ok(_) => Ok(()),
        }
    }

    fn fill(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let count = stream.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count)
    }
}

/// True for a read that a time-out ended.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn refuse(request: Request, status: u16, text: impl Into<String>) -> NoRequest {
    NoRequest::Refused(Box::new(request), status, text.into())
}

/// Parses and judges everything up to the empty line.
fn parse_head(head: &[u8]) -> Result<Request, NoRequest> {
    // httparse takes a bare LF as a line end; senders must use CRLF (RFC 9112 §2.2).
    let bare = head.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || head[at - 1] != b'\r'));
    if bare {
        return Err(refuse(Request::default(), 400, "bare LF in header section"));
    }
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(refuse(Request::default(), 400, "empty request")),
        Err(error) => return Err(refuse(Request::default(), 400, format!("malformed request: {error}"))),
    }
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        ..Request::default()
    };
    for field in parsed.headers.iter() {
        match std::str::from_utf8(field.value) {
            Ok(value) => request.headers.push((field.name.to_owned(), value.to_owned())),
            Err(error) => return Err(refuse(request, 400, format!("header {}: {error}", field.name))),
        }
    }
    let old = parsed.version == Some(0);
    let connection = request.header("Connection").unwrap_or_default().to_ascii_lowercase();
    request.chunked = request.header("Transfer-Encoding").is_some();
    request.close = old || connection.split(',').any(|option| option.trim() == "close");
    match judge(&request) {
        Ok(length) => {
            request.content_length = length;
            Ok(request)
        }
        Err(text) => Err(refuse(request, 400, text)),
    }
}

/// The length of the body, or why the request is malformed.
fn judge(request: &Request) -> Result<usize, &'static str> {
    if !request.target.starts_with('/') || request.target.contains('#') {
        return Err("request target is not a path");
    }
    match (request.count("Host"), request.header("Host")) {
        (0, _) => return Err("missing required Host header"),
        (1, Some(host)) if is_host(host) => {}
        (1, _) => return Err("malformed Host header"),
        _ => return Err("too many Host headers"),
    }
    match (request.count("Transfer-Encoding"), request.header("Transfer-Encoding")) {
        (0, _) => {}
        (1, Some(coding))
            if coding.eq_ignore_ascii_case("chunked") && request.count("Content-Length") == 0 =>
        {
            return Ok(0);
        }
        _ => return Err("bad Transfer-Encoding"),
    }
    if request.count("Authorization") > 1 || request.count("Content-Type") > 1 {
        return Err("a header that may come once came twice");
    }
    match (request.count("Content-Length"), request.header("Content-Length")) {
        (0, _) if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") => {
            Err("missing Content-Length")
        }
        (0, _) => Ok(0),
        (1, Some(text)) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().or(Err("bad Content-Length"))
        }
        _ => Err("bad Content-Length"),
    }
}

/// `host[:port]`, without user information, path or spaces.
fn is_host(host: &str) -> bool {
    let (name, port) = split_host(host);
    let name_ok = match name.strip_prefix('[') {
        Some(address) => {
            address.strip_suffix(']').is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
        }
        None => {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        }
    };
    name_ok && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0))
}

/// Host and port of `host[:port]`; brackets stay.
pub(crate) fn split_host(host: &str) -> (&str, Option<&str>) {
    let after_brackets = host.find(']').unwrap_or(0);
    match host.get(after_brackets..).and_then(|rest| rest.find(':')) {
        Some(at) => (&host[..after_brackets + at], Some(&host[after_brackets + at + 1..])),
        None => (host, None),
    }
}

/// Values of a query string by name. `None` when an escape is malformed.
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if unescape(key)? == name {
            return unescape(value);
        }
    }
    None
}

/// Undoes `%41` and `+`. `None` when an escape is malformed or the result is no UTF-8.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b';' => return None,
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The reason phrase of a status code.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str) -> Result<Request, u16> {
        match parse_head(head.as_bytes()) {
            Ok(request) => Ok(request),
            Err(NoRequest::Refused(_, status, _)) => Err(status),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn well_formed_requests_are_taken() {
        let good = [
            ("plain", "GET /a?b=c HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"),
            ("ipv6 host", "GET /a HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
            ("body", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n"),
            ("lower-case names", "PUT /a HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
        ];
        for (name, head) in good {
            assert!(judged(head).is_ok(), "{name}");
        }
        let request = judged(good[0].1).unwrap();
        assert_eq!((request.path(), request.query(), request.close), ("/a", "b=c", false));
        assert!(judged("GET / HTTP/1.0\r\nHost: a\r\n\r\n").unwrap().close);
        assert!(judged("GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive, Close\r\n\r\n").unwrap().close);
    }

    #[test]
    fn malformed_requests_are_refused_with_400() {
        let bad = [
            ("no host", "GET /a HTTP/1.1\r\nAccept: */*\r\n\r\n"),
            ("two hosts", "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
            ("empty host", "GET /a HTTP/1.1\r\nHost: \r\n\r\n"),
            ("host with path", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n"),
            ("host with port 0", "GET /a HTTP/1.1\r\nHost: a:0\r\n\r\n"),
            ("host with scheme", "GET /a HTTP/1.1\r\nHost: http://a\r\n\r\n"),
            ("unknown coding", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
            (
                "chunked twice",
                "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            (
                "chunked and length",
                "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            ("no length", "PUT /a HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("two lengths", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
            ("list of lengths", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"),
            ("negative length", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
            ("signed length", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"),
            ("huge length", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
            ("bare LF", "GET /a HTTP/1.1\nHost: a\r\n\r\n"),
            ("folded header", "GET /a HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
            ("space before colon", "GET /a HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n"),
            ("control character", "GET /a HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n"),
            ("no version", "GET /a\r\nHost: a\r\n\r\n"),
            ("absolute target", "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
            (
                "two credentials",
                "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
            ),
            (
                "two content types",
                "GET /a HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
            ),
            ("TLS on a plain port", "\x16\x03\x01\x02\r\n\r\n"),
        ];
        for (name, head) in bad {
            assert_eq!(judged(head), Err(400), "{name}");
        }
    }

    /// Bytes to read; what is written goes nowhere.
    struct Wire<'a>(&'a [u8]);

    impl Read for Wire<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            // One byte at a time: the reader must not depend on how the bytes arrive.
            self.0.read(&mut buffer[..1])
        }
    }

    impl Write for Wire<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read_post(rest: &str, chunked: bool) -> Result<Request, NoRequest> {
        let text = format!("POST /a HTTP/1.1\r\nHost: a\r\n{rest}");
        Reader::new().read(&mut Wire(text.as_bytes()), Limits { body: 16, chunked })
    }

    #[test]
    fn bodies_in_chunks_are_taken_only_where_that_is_allowed() {
        let chunks = "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n";
        assert_eq!(read_post(chunks, true).unwrap().body, b"hello!");
        assert!(matches!(read_post(chunks, false), Err(NoRequest::Refused(_, 400, _))));
        for bad in ["+5\r\nhello", "\r\n", "5\r\nhelloXX", "g\r\n", "-1\r\n"] {
            let text = format!("Transfer-Encoding: chunked\r\n\r\n{bad}\r\n0\r\n\r\n");
            assert!(matches!(read_post(&text, true), Err(NoRequest::Refused(_, 400, _))), "{bad}");
        }
        let long = "Transfer-Encoding: chunked\r\n\r\n11\r\n";
        assert_eq!(read_post(long, true).unwrap().content_length, 17);
    }

    #[test]
    fn a_body_is_read_to_its_length_and_not_at_all_above_the_limit() {
        assert_eq!(read_post("Content-Length: 2\r\n\r\nabcd", false).unwrap().body, b"ab");
        assert_eq!(read_post("Content-Length: 17\r\n\r\n", false).unwrap().body, b"");
        assert!(matches!(read_post("Content-Length: 2\r\n\r\na", false), Err(NoRequest::Failed)));
    }

    #[test]
    fn queries_are_unescaped_and_malformed_ones_yield_nothing() {
        assert_eq!(
            query_value("artifact_name=a%26b%20c&device_type=x+y", "artifact_name").as_deref(),
            Some("a&b c")
        );
        assert_eq!(query_value("artifact_name=a&device_type=x+y", "device_type").as_deref(), Some("x y"));
        assert_eq!(query_value("a=%zz", "a"), None);
        assert_eq!(query_value("a=%4", "a"), None);
        assert_eq!(query_value("a=%ff", "a"), None);
        assert_eq!(query_value("", "a"), None);
        let odd = "näme <&> \"q\" + 1";
        assert_eq!(unescape(&escape(odd)).as_deref(), Some(odd));
    }
}
