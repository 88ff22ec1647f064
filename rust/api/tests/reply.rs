// SPDX-License-Identifier: Apache-2.0
//! Replies, good and hostile, cut at every byte. Tests named `cNN_…` are entries of the catalogue in `docs/protocol` §10.

use mender_api::{ContentRange, Head, Part, Reply, TokenReader, Url};
use mender_base::Error;

/// What came of a reply.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    head: Option<Head>,
    location: String,
    body: Vec<u8>,
    /// `Ok(true)`: complete. `Ok(false)`: complete when the peer closed.
    end: Result<bool, Error>,
    /// Bytes behind the end.
    left: usize,
}

/// Feeds `pieces` one after the other, never taking more than `most` body bytes at once, then closes.
fn read_pieces(pieces: &[&[u8]], most: usize, body_max: u32) -> Outcome {
    let mut reply = Reply::new(body_max);
    let mut out = Outcome { head: None, location: String::new(), body: Vec::new(), end: Ok(true), left: 0 };
    let mut location = [0xff; 64];
    let total: usize = pieces.iter().map(|p| p.len()).sum();
    let mut seen = 0;
    for piece in pieces {
        let mut input = *piece;
        loop {
            let (used, part) = match reply.feed(input, &mut location) {
                Ok(step) => step,
                Err(error) => return Outcome { end: Err(error), ..out },
            };
            seen += used;
            input = &input[used..];
            match part {
                None => {
                    assert!(input.is_empty(), "without a part all input is used");
                    break;
                }
                Some(Part::Head) => {
                    assert!(out.head.is_none(), "one head");
                    let head = reply.head().clone();
                    if let Some(len) = head.location_len {
                        out.location = String::from_utf8(location[..len].to_vec()).unwrap();
                    }
                    out.head = Some(head);
                }
                Some(Part::Body(data)) => {
                    assert!(!data.is_empty() && out.head.is_some());
                    let taken = data.len().min(most);
                    out.body.extend_from_slice(&data[..taken]);
                    reply.take(taken);
                    seen += taken;
                    input = &input[taken..];
                    assert_eq!(reply.body_len() as usize, out.body.len());
                }
                Some(Part::End) => {
                    assert_eq!(reply.feed(input, &mut location), Ok((0, Some(Part::End))), "the end stays");
                    return Outcome { left: total - seen, ..out };
                }
            }
        }
    }
    Outcome { end: reply.closed().map(|()| false), ..out }
}

/// Reads a reply whole, byte by byte and cut in two at every byte: all must come to the same.
fn read(text: &[u8]) -> Outcome {
    let whole = read_pieces(&[text], usize::MAX, 1 << 20);
    let name = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(read_pieces(&bytes, 1, 1 << 20), whole, "{name}");
    if text.len() < 2000 {
        for cut in 0..=text.len() {
            let (a, b) = text.split_at(cut);
            assert_eq!(read_pieces(&[a, b], 3, 1 << 20), whole, "{name} cut at {cut}");
        }
    }
    whole
}

fn good(text: &str) -> (Head, String) {
    let out = read(text.as_bytes());
    assert!(out.end.is_ok(), "{text}: {:?}", out.end);
    (out.head.unwrap(), String::from_utf8(out.body).unwrap())
}

/// The head of a reply with these header lines and no body.
fn head(lines: &str) -> Head {
    good(&format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{lines}\r\n\r\n")).0
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, error: Error) {
    let out = read(text.as_ref());
    assert_eq!(out.end, Err(error), "{}", String::from_utf8_lossy(text.as_ref()));
}

#[test]
fn a_body_of_known_length_is_read_and_the_next_reply_left_alone() {
    let out = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!((out.body.as_slice(), out.end, out.left), (&b"hello"[..], Ok(true), 27));
    let head = out.head.unwrap();
    assert_eq!((head.status, head.keep_alive, head.content_length), (200, true, Some(5)));
}

#[test]
fn a_chunked_body_is_unwrapped() {
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00A;x=\"y\"\r\n, world 12\r\n0 \r\nX: y\r\nZ:\r\n\r\nrest";
    let out = read(text.as_bytes());
    assert_eq!((out.body.as_slice(), out.end, out.left), (&b"hello, world 12"[..], Ok(true), 4));
    let head = out.head.unwrap();
    assert!(head.keep_alive && head.content_length.is_none());
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let (head, body) = good("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello");
    assert_eq!((head.keep_alive, body.as_str()), (false, "hello"));
    let (head, body) = good("HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello");
    assert_eq!((head.keep_alive, body.as_str()), (false, "hello"));
}

#[test]
fn replies_without_a_body_end_with_their_head() {
    for status in ["204 No Content", "304 Not Modified"] {
        let out = read(format!("HTTP/1.1 {status}\r\nX: y\r\n\r\n").as_bytes());
        assert_eq!((out.body.len(), out.end, out.head.unwrap().keep_alive), (0, Ok(true), true));
    }
    let (head, body) = good("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((head.status, head.keep_alive, body.len()), (401, true, 0));
}

#[test]
fn the_reason_may_be_anything_or_missing() {
    for line in ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 Gr\u{fc}n ok", "HTTP/1.9 200 x"] {
        assert_eq!(good(&format!("{line}\r\nContent-Length: 0\r\n\r\n")).0.status, 200);
    }
}

#[test]
fn the_connection_lasts_as_its_version_and_options_say() {
    for (version, line, keep_alive) in [
        ("1.1", "X: y", true),
        ("1.1", "Connection: close", false),
        ("1.1", "connection:Upgrade , CLOSE", false),
        ("1.1", "Connection: keep-alive", true),
        ("1.1", "Connection: keep-alive\r\nConnection: close", false),
        ("1.1", "Proxy-Connection: close", true),
        ("1.0", "X: y", false),
        ("1.0", "Connection: Keep-Alive", false),
    ] {
        let (head, _) = good(&format!("HTTP/{version} 200 OK\r\nContent-Length: 0\r\n{line}\r\n\r\n"));
        assert_eq!(head.keep_alive, keep_alive, "{version} {line}");
    }
}

#[test]
fn fields_are_found_whatever_their_case_and_spaces() {
    let (head, _) = good(
        "HTTP/1.1 206 Partial Content\r\nDATE:Sun, 06 Nov 1994 08:49:37 GMT\t \r\nETag: \t\"abc-1\" \r\n\
         content-RANGE: bytes 5-9/10\r\nContent-Length:  5  \r\nContent-Lengths: 7\r\nContent: 8\r\nX-ETag: \"no\"\r\n\r\n01234",
    );
    assert_eq!(head.date_s, Some(784_111_777));
    assert_eq!(head.etag, "\"abc-1\"");
    assert_eq!(head.content_range, Some(ContentRange { first: 5, last: 9, total: 10 }));
    assert_eq!(head.content_length, Some(5));
}

#[test]
fn long_lines_of_foreign_fields_are_passed_over() {
    let long = "x".repeat(3900);
    assert_eq!(head(&format!("X-Long: {long}\r\n{long}: y\r\nETag: \"a\"")).etag, "\"a\"");
}

#[test]
fn fields_that_do_not_matter_much_are_dropped_when_too_long() {
    let long = "x".repeat(100);
    let head = head(&format!("ETag: \"{long}\"\r\nDate: {long}\r\nRetry-After: {long}"));
    assert_eq!((head.etag.as_str(), head.date_s, head.retry_after_s), ("", None, None));
    for field in ["Content-Length", "Transfer-Encoding", "Content-Encoding", "Content-Range", "Connection"] {
        refused(format!("HTTP/1.1 200 OK\r\n{field}: {long}\r\n\r\n"), Error::HttpHeaders);
    }
}

#[test]
fn an_entity_tag_can_be_sent_back_as_it_is() {
    assert_eq!(head("ETag: W/\"x\"").etag, "W/\"x\"");
    assert_eq!(head("ETag: \"a b\"").etag, "", "a space cannot stand in a tag");
    let longest = format!("\"{}\"", "e".repeat(62));
    assert_eq!(head(&format!("ETag: {longest}")).etag, longest.as_str());
    assert_eq!(head(&format!("ETag: {longest}e")).etag, "");
}

#[test]
fn a_location_goes_to_the_lent_buffer() {
    let reply = |location: &str| {
        let text = format!("HTTP/1.1 302 Found\r\nLocation: {location} \r\nContent-Length: 0\r\n\r\n");
        let out = read(text.as_bytes());
        (out.head.unwrap().location_len, out.location)
    };
    assert_eq!(reply("https://b/c?d=1"), (Some(15), "https://b/c?d=1".into()));
    let longest = "l".repeat(64);
    assert_eq!(reply(&longest[1..]).0, Some(63));
    assert_eq!(reply(&longest).0, None, "with the space behind it the buffer is full");
    for bad in ["https://b/ c", "https://b/\u{e4}", &"l".repeat(65)] {
        assert_eq!(reply(bad), (None, String::new()), "{bad}");
    }
}

#[test]
fn only_a_redirect_writes_to_the_lent_buffer() {
    for status in [200, 201, 206, 401, 503] {
        let (mut reply, mut lent) = (Reply::new(10), *b"https://a/b");
        let text = format!("HTTP/1.1 {status} x\r\nLocation: https://c/\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(reply.feed(text.as_bytes(), &mut lent), Ok((text.len(), Some(Part::Head))));
        assert_eq!((reply.head().location_len, &lent), (None, b"https://a/b"), "{status}");
    }
}

#[test]
fn without_a_buffer_a_location_is_ignored() {
    let mut reply = Reply::new(10);
    let text = b"HTTP/1.1 302 Found\r\nLocation: https://b/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(reply.feed(text, &mut []), Ok((text.len(), Some(Part::Head))));
    assert_eq!(reply.head().location_len, None);
}

#[test]
fn only_a_sensible_content_range_counts() {
    for (text, range) in [
        ("bytes 0-0/1", Some((0, 0, Some(1)))),
        ("Bytes 7-9/*", Some((7, 9, None))),
        ("bytes 0-4294967294/4294967295", Some((0, 4_294_967_294, Some(4_294_967_295)))),
        ("bytes 0-1/1", None),
        ("bytes 2-1/5", None),
        ("bytes 0-1", None),
        ("bytes 0/1", None),
        ("bytes */5", None),
        ("bytes 0-1/2/3", None),
        ("bytes 0-1-2/3", None),
        ("bytes -1/3", None),
        ("bytes  0-1/3", None),
        ("bytes=0-1/3", None),
        ("items 0-1/3", None),
        ("bytes 0-4294967295/4294967296", None),
        ("bytes", None),
        ("", None),
    ] {
        let range = range.map(|(first, last, total)| ContentRange { first, last, total: total.unwrap_or(0) });
        assert_eq!(head(&format!("Content-Range: {text}")).content_range, range, "{text}");
    }
}

#[test]
fn c01_a_connection_lost_in_the_headers_is_told_from_one_lost_before() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(read(b"").end, Err(Error::HttpClosed));
    for end in 1..text.len() {
        assert_eq!(read(&text[..end]).end, Err(Error::HttpTruncated), "{end}");
    }
}

#[test]
fn c02_what_does_not_begin_like_http_1_is_refused() {
    for bad in [
        "<html></html>",
        "\x16\x03\x01\x02",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        " HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/2 200 \r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/1.x 200 OK\r\n\r\n",
        "HTTP/1.10 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 200\tOK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\rX\r\n\r\n",
        "HTTP/1.1 200 OK\0\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        refused(bad, Error::HttpSyntax);
    }
}

#[test]
fn malformed_header_lines_are_refused() {
    for line in [
        " folded: line",
        "\tfolded: line",
        "X: y\r\n folded",
        ": no name",
        "no colon",
        "Content-Length : 5",
        "Content Length: 5",
        "X\0: y",
        "X: y\0",
        "X: y\nZ: a",
        "X: y\rZ: a",
        "X: \x7f",
        "X: \x1b[2J",
        "X\u{e4}: y",
        "(x): y",
    ] {
        refused(format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n"), Error::HttpSyntax);
    }
    refused("HTTP/1.1 200 OK\r\n\rX", Error::HttpSyntax);
}

#[test]
fn c03_headers_are_bounded_in_bytes_and_lines() {
    let sized = |bytes: usize| {
        let frame = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \r\n\r\n".len();
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {}\r\n\r\n", "y".repeat(bytes - frame))
    };
    assert_eq!(read(sized(8192).as_bytes()).end, Ok(true));
    refused(sized(8193), Error::HttpHeaders);
    refused(format!("HTTP/1.1 200 {}", "y".repeat(9000)), Error::HttpHeaders);
    refused(format!("HTTP/1.1 200 OK\r\n{}", "n".repeat(9000)), Error::HttpHeaders);
    let lines = |count: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{}\r\n", "X: y\r\n".repeat(count - 1))
    };
    assert_eq!(read(lines(64).as_bytes()).end, Ok(true));
    refused(lines(65), Error::HttpHeaders);
}

#[test]
fn c04_a_length_that_is_no_length_is_refused() {
    for bad in [
        "-1",
        "+1",
        "1.5",
        "0x10",
        "5 5",
        "5,5",
        "five",
        "",
        "4294967296",
        "9223372036854775808",
        "99999999999999999999999",
    ] {
        refused(format!("HTTP/1.1 200 OK\r\nContent-Length: {bad}\r\n\r\n"), Error::HttpFraming);
    }
    refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", Error::HttpFraming);
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 05\r\n\r\nhello";
    assert_eq!(good(twice).1, "hello");
}

#[test]
fn c05a_no_more_than_the_length_is_read() {
    let out = read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello");
    assert_eq!((out.body.as_slice(), out.end, out.left), (&b"hel"[..], Ok(true), 2));
}

#[test]
fn c05b_less_than_the_length_is_a_truncated_reply() {
    for body in ["", "h", "hell"] {
        let out = read(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}").as_bytes());
        assert_eq!((out.end, out.body.as_slice()), (Err(Error::HttpTruncated), body.as_bytes()));
    }
}

#[test]
fn c06_length_and_chunks_together_are_refused() {
    refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Error::HttpFraming);
    refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", Error::HttpFraming);
    for other in ["gzip, chunked", "chunked, gzip", "identity", "chunked, chunked", "", "x"] {
        refused(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {other}\r\n\r\n"), Error::HttpFraming);
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked";
    refused(format!("HTTP/1.1 200 OK\r\n{twice}\r\n\r\n"), Error::HttpFraming);
    refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Error::HttpFraming);
}

fn chunked(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

#[test]
fn c07_malformed_chunks_are_refused() {
    for bad in [
        "g\r\n",
        "\r\n",
        ";x\r\n",
        "-1\r\n",
        "0x5\r\nhello",
        " 5\r\nhello",
        "5\r\nhello5\r\n",
        "5\r\nhello\r5",
    ] {
        let out = read(chunked(bad).as_bytes());
        assert!(matches!(out.end, Err(Error::HttpChunk | Error::HttpSyntax)), "{bad}: {:?}", out.end);
    }
    for bad in
        ["5\nhello", "5\rhello", "5;\0\r\nhello", "5\r\nhello\n", "0\r\n\n", "0\r\nX: y\n\r\n", "0\r\n\rX"]
    {
        let out = read(chunked(bad).as_bytes());
        assert!(matches!(out.end, Err(Error::HttpChunk | Error::HttpSyntax)), "{bad}: {:?}", out.end);
    }
    refused(chunked("100000000\r\n"), Error::HttpChunk);
    refused(chunked("fffffffffffffffff\r\n"), Error::HttpChunk);
    refused(chunked(&"0".repeat(300)), Error::HttpHeaders);
    refused(chunked(&format!("5;{}", "x".repeat(300))), Error::HttpHeaders);
    refused(chunked(&format!("0\r\nX: {}", "x".repeat(9000))), Error::HttpHeaders);
    assert_eq!(good(&chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(200)))).1, "hello");
}

#[test]
fn c07b_a_chunked_body_cut_anywhere_is_truncated() {
    let text = chunked("5\r\nhello\r\n0\r\nX: y\r\n\r\n");
    let head = chunked("").len();
    for end in head..text.len() {
        assert_eq!(read(&text.as_bytes()[..end]).end, Err(Error::HttpTruncated), "{end}");
    }
    assert_eq!(read(text.as_bytes()).end, Ok(true));
}

#[test]
fn c08_interim_replies_are_passed_over_up_to_eight() {
    let interim = "HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\nConnection: close\r\nETag: \"x\"\r\nLocation: /x\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (head, body) = good(&format!("{}{last}", interim.repeat(8)));
    assert_eq!((head.status, head.keep_alive, head.etag.as_str(), body.as_str()), (200, true, "", "ok"));
    assert_eq!(head.location_len, None, "nothing of an interim reply stays");
    refused(format!("{}{last}", interim.repeat(9)), Error::HttpHeaders);
    refused("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Error::HttpSyntax);
    assert_eq!(read(interim.as_bytes()).end, Err(Error::HttpTruncated));
}

#[test]
fn c09_a_body_over_the_limit_is_refused() {
    for framing in [
        "Content-Length: 11\r\n\r\n0123456789a",
        "Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{framing}");
        for size in [1, 3, text.len()] {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let out = read_pieces(&pieces, usize::MAX, 10);
            assert_eq!(out.end, Err(Error::HttpTooLong));
            assert_eq!(out.head.unwrap().status, 200, "the status is known nevertheless");
            assert_eq!(read_pieces(&pieces, usize::MAX, 11).end, Ok(true));
        }
    }
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000));
    assert_eq!(read_pieces(&[endless.as_bytes()], 1000, 65_536).end, Err(Error::HttpTooLong));
}

#[test]
fn c11_a_content_encoding_nobody_asked_for_is_refused() {
    for coding in ["gzip", "br", "deflate, gzip", "identity, gzip"] {
        refused(format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n"), Error::HttpEncoding);
    }
    head("Content-Encoding: Identity");
    head("Content-Encoding:");
}

#[test]
fn c12_a_redirect_is_handed_out_with_its_target_and_the_url_parser_decides() {
    let target = |location: &str| {
        let out = read(
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").as_bytes(),
        );
        assert_eq!(out.head.as_ref().unwrap().status, 302);
        out.location
    };
    let from = Url::parse("https://a/x").unwrap();
    let (up, down) = (target("https://b/y"), target("http://a/x"));
    assert!(Url::parse(&up).is_ok_and(|to| to.tls && !to.same_origin(&from)));
    assert!(Url::parse(&down).is_ok_and(|to| !to.tls));
    for bad in ["/relative", "//b/y", "https://u:p@b/y", "https://b/y#f", "ftp://b/y", ""] {
        assert_eq!(Url::parse(&target(bad)), Err(Error::Url), "{bad}");
    }
}

#[test]
fn c14_retry_after_is_seconds_or_a_date_by_the_servers_clock() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
    for (lines, seconds) in [
        ("Retry-After: 120".to_string(), Some(120)),
        ("Retry-After: 0".into(), Some(0)),
        ("Retry-After: 99999999999".into(), Some(u32::MAX)),
        ("Retry-After: 99999999999999999999999".into(), None),
        ("Retry-After: -5".into(), None),
        ("Retry-After: 1.5".into(), None),
        ("Retry-After: soon".into(), None),
        ("Retry-After:".into(), None),
        (format!("{date}\r\nRetry-After: Sun, 06 Nov 1994 08:50:07 GMT"), Some(30)),
        (format!("Retry-After: Sun, 06 Nov 1994 08:50:07 GMT\r\n{date}"), Some(30)),
        (format!("Retry-After: Sun, 06 Nov 1994 08:49:07 GMT\r\n{date}"), Some(0)),
        ("Retry-After: Sun, 06 Nov 1994 08:50:07 GMT".into(), None),
        (format!("{date}\r\nRetry-After: Sun, 06 Nov 1994"), None),
    ] {
        assert_eq!(head(&lines).retry_after_s, seconds, "{lines}");
    }
}

#[test]
fn c17b_a_token_in_pieces_of_a_chunked_reply_is_whole() {
    let text = chunked("4\r\neyJh\r\n7\r\n.eyJz.Z\r\n3\r\nm9v\r\n0\r\n\r\n");
    let out = read(text.as_bytes());
    let (mut token, mut buf) = (TokenReader::new(), [0; 32]);
    token.feed(&out.body, &mut buf);
    assert_eq!(token.finish(), Ok(14));
    assert_eq!(&buf[..14], b"eyJh.eyJz.Zm9v");
}

#[test]
fn c29b_a_204_with_a_body_is_no_update_and_costs_the_connection() {
    for framing in
        ["Content-Length: 4\r\n\r\nnull", "Transfer-Encoding: chunked\r\n\r\n4\r\nnull\r\n0\r\n\r\n"]
    {
        let out = read(format!("HTTP/1.1 204 No Content\r\n{framing}").as_bytes());
        assert_eq!((out.body.len(), out.end), (0, Ok(true)));
        assert!(!out.head.unwrap().keep_alive);
        assert!(out.left > 0);
    }
}
