// SPDX-License-Identifier: Apache-2.0
//! Mutated input for every reader: nothing panics, and every call uses or yields something.

use mender_api::{ErrorBody, Next, Part, Reply, TokenReader, Url, time};

/// Marsaglia's xorshift: the same run every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

const BODY_MAX: u32 = 250;
const SEEDS: [&str; 7] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 38\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{\"error\":\"operation requires addon: x\"}",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1f\r\n0123456789012345678901234567890\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\nETag: \"abc\"\r\nContent-Length: 5\r\n\r\n01234",
    "HTTP/1.1 302 Found\r\nLocation: https://b.example.com:8443/x?y=z\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nRetry-After: Sun Nov  6 08:49:37 1994\r\n\r\neyJh.eyJz.Zm9v",
    "HTTP/1.1 200 OK\r\nContent-Length: 214\r\n\r\n{\"id\":\"0f6a2c4e-1b2c-4d3e-8f90-a1b2c3d4e5f6\",\"artifact\":{\"artifact_name\":\"r\\u00652\",\"source\":{\"uri\":\"https://a/b?c=1\\u0026d\",\"x\":[1,-2.5e3,null]},\"device_types_compatible\":[\"t\",\"board\"]},\"update_control_map\":{\"id\":7}}  ",
];
const SPICE: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\0",
    b"\xff",
    b"\"",
    b"\\u",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"0",
    b"99999999999999999999",
    b"-",
    b"/",
    b"*",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\\ud800",
    b"\"id\":",
    b"ffffffff\r\n",
    b" ",
    b"\t",
    b"%",
    b"null",
];

fn mutate(random: &mut Random, seed: &[u8]) -> Vec<u8> {
    let mut text = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        match random.below(5) {
            0 => text.truncate(at),
            1 => drop(text.splice(at..at, SPICE[random.below(SPICE.len())].iter().copied())),
            2 => {
                let end = (at + random.below(20)).min(text.len());
                drop(text.drain(at..end));
            }
            3 => {
                let end = (at + random.below(60)).min(text.len());
                let copy = text[at..end].to_vec();
                drop(text.splice(at..at, copy));
            }
            _ => {
                if let Some(b) = text.get_mut(at) {
                    *b ^= 1 << random.below(8);
                }
            }
        }
    }
    text
}

/// Reads one reply; whether it came to its end.
fn read(random: &mut Random, text: &[u8]) -> bool {
    let mut reply = Reply::new(BODY_MAX);
    let (mut next, mut token, mut error) = (Next::new(), TokenReader::new(), ErrorBody::new());
    let (mut uri, mut scratch, mut jwt, mut location) = ([0; 40], [0; 32], [0; 16], [0; 24]);
    let (mut rest, mut json) = (text, true);
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(random.below(rest.len()) + 1);
        let mut input = piece;
        loop {
            let Ok((used, part)) = reply.feed(input, &mut location) else { return false };
            input = &input[used..];
            match part {
                None => {
                    assert!(input.is_empty());
                    break;
                }
                Some(Part::Head) => {
                    let head = reply.head();
                    assert!((200..600).contains(&head.status) && used > 0);
                    if let Some(len) = head.location_len {
                        assert!(location[..len].iter().all(u8::is_ascii_graphic));
                    }
                    assert!(head.etag.bytes().all(|b| b.is_ascii_graphic()));
                }
                Some(Part::Body(data)) => {
                    let taken = random.below(data.len()) + 1;
                    json &= json && next.feed(&data[..taken], "board", &mut uri, &mut scratch).is_ok();
                    token.feed(&data[..taken], &mut jwt);
                    error.feed(&data[..taken], &mut scratch);
                    reply.take(taken);
                    input = &input[taken..];
                    assert!(reply.body_len() <= BODY_MAX);
                }
                Some(Part::End) => {
                    if let Ok(len) = token.finish() {
                        assert!(jwt[..len].iter().all(|b| b.is_ascii_graphic()));
                    }
                    assert!(error.text(&scratch).is_none_or(|text| text.len() <= scratch.len()));
                    if json && let Ok(offer) = next.finish(&uri, &scratch) {
                        assert!(Url::parse(std::str::from_utf8(&uri[..offer.uri_len]).unwrap()).is_ok());
                    }
                    return true;
                }
            }
        }
        rest = behind;
    }
    reply.closed().is_ok()
}

#[test]
fn no_mutation_of_a_reply_does_harm() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut complete = 0;
    for round in 0..60_000 {
        let text = mutate(&mut random, SEEDS[round % SEEDS.len()].as_bytes());
        complete += usize::from(read(&mut random, &text));
    }
    // Both ways out are taken often enough to mean something.
    assert!((6_000..54_000).contains(&complete), "{complete}");
}

#[test]
fn the_seeds_themselves_are_good() {
    let mut random = Random(1);
    for seed in SEEDS {
        assert!(read(&mut random, seed.as_bytes()), "{seed}");
    }
}

#[test]
fn no_text_breaks_the_url_and_date_parsers() {
    let mut random = Random(7);
    for round in 0..40_000 {
        let seed = ["https://user@[fe80::1]:8443/a?b#c", "Sun, 06 Nov 1994 08:49:37 GMT"][round % 2];
        let text = mutate(&mut random, seed.as_bytes());
        assert!(
            time::http_date(&text).is_none_or(|seconds| time::rfc3339(u64::from(seconds) * 1000)[4] == b'-')
        );
        if let Ok(url) = std::str::from_utf8(&text).map_err(drop).and_then(|t| Url::parse(t).map_err(drop)) {
            assert!(!url.host.is_empty() && url.port > 0);
        }
    }
}
