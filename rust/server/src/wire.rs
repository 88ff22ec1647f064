// SPDX-License-Identifier: Apache-2.0
//! Frames replies and puts them on the wire, whole or as a fault wants it.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use crate::fault::{Cut, Drip, Fault};
use crate::http::{Response, reason};
use crate::stamp;

/// A body below this goes out together with its head.
const SMALL: usize = 8 * 1024;

/// What is to be done with the connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Next request.
    KeepAlive,
    /// End it in good order.
    Close,
    /// Cut it.
    Cut(Cut),
}

/// The bytes of a reply and how to send them.
#[derive(Debug)]
pub(crate) struct Frame {
    head: Vec<u8>,
    body: Vec<u8>,
    drip: Option<Drip>,
    endless: bool,
    then: Then,
}

/// Puts a reply into HTTP/1.1, with what `fault` does to its framing.
pub(crate) fn frame(response: Response, close: bool, fault: Option<&Fault>) -> Frame {
    let none = Fault::default();
    let fault = fault.unwrap_or(&none);
    let close = close || response.close;
    if let Some(garbage) = &fault.garbage {
        let then = Then::Cut(fault.cut);
        return Frame { head: garbage.clone(), body: Vec::new(), drip: fault.drip, endless: false, then };
    }
    let mut headers = vec![("Date".to_owned(), stamp::http_date(SystemTime::now()))];
    headers.extend(response.headers);
    let unframed = fault.until_close || fault.endless;
    if fault.chunked.is_some() {
        headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
    }
    if let Some(length) = &fault.content_length {
        headers.push(("Content-Length".to_owned(), length.clone()));
    } else if fault.chunked.is_none() && !unframed && response.status != 204 {
        headers.push(("Content-Length".to_owned(), response.body.len().to_string()));
    }
    headers.push(("Connection".to_owned(), if close { "close" } else { "keep-alive" }.to_owned()));
    headers.retain(|(name, _)| !fault.without_headers.iter().any(|out| out.eq_ignore_ascii_case(name)));
    let mut head = "HTTP/1.1 100 Continue\r\n\r\n".repeat(usize::try_from(fault.interim).unwrap_or(0));
    head.push_str(&format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status)));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let body = match fault.chunked {
        Some(size) => chunks(&response.body, size.max(1)),
        None => response.body,
    };
    let then = if close { Then::Close } else { Then::KeepAlive };
    let mut frame = Frame { head: head.into_bytes(), body, drip: fault.drip, endless: fault.endless, then };
    frame.cut(fault);
    frame
}

fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

impl Frame {
    fn cut(&mut self, fault: &Fault) {
        let whole = self.head.len() + self.body.len();
        let after = match (fault.cut_after, fault.cut_body) {
            (Some(bytes), _) => bytes,
            (None, Some(bytes)) => self.head.len().saturating_add(bytes),
            (None, None) => return,
        };
        if after <= whole {
            self.body.truncate(after.saturating_sub(self.head.len()));
            self.head.truncate(after);
            self.then = Then::Cut(fault.cut);
        }
    }

    /// Sends it. `pause` waits and says whether to go on.
    pub(crate) fn send(&self, out: &mut impl Write, pause: impl Fn(Duration) -> bool) -> io::Result<Then> {
        match self.drip {
            None => {
                // One write for a small reply: one packet, and one TLS record.
                if self.body.len() < SMALL {
                    out.write_all(&[self.head.as_slice(), &self.body].concat())?;
                } else {
                    out.write_all(&self.head)?;
                    out.write_all(&self.body)?;
                }
                out.flush()?;
            }
            Some(drip) => {
                for piece in self.head.chunks(drip.bytes.max(1)).chain(self.body.chunks(drip.bytes.max(1))) {
                    out.write_all(piece)?;
                    out.flush()?;
                    if !pause(Duration::from_millis(drip.every_ms)) {
                        return Ok(Then::Close);
                    }
                }
            }
        }
        if !self.endless {
            return Ok(self.then);
        }
        loop {
            out.write_all(&[0; 4096])?;
            out.flush()?;
            if !pause(Duration::from_millis(self.drip.map_or(0, |drip| drip.every_ms))) {
                return Ok(Then::Close);
            }
        }
    }

    /// Bytes of the body that go out.
    pub(crate) fn body_len(&self) -> usize {
        self.body.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fault: &Fault) -> (String, Then) {
        let response = fault.change(Response::bytes(200, "text/plain", b"0123456789".to_vec()));
        let mut out = Vec::new();
        let then = frame(response, false, Some(fault)).send(&mut out, |_| true).unwrap();
        (String::from_utf8_lossy(&out).into_owned(), then)
    }

    #[test]
    fn every_framing_fault_does_what_it_says() {
        let (plain, then) = sent(&Fault::any());
        assert!(plain.starts_with("HTTP/1.1 200 OK\r\n") && plain.ends_with("\r\n\r\n0123456789"), "{plain}");
        assert!(plain.contains("\r\nContent-Length: 10\r\n"));
        assert_eq!(then, Then::KeepAlive);

        let (text, _) = sent(&Fault::any().truncate(4));
        assert!(text.ends_with("\r\n\r\n0123") && text.contains("Content-Length: 4\r\n"), "{text}");
        let (text, _) = sent(&Fault::any().append("ab"));
        assert!(text.ends_with("9ab") && text.contains("Content-Length: 12\r\n"), "{text}");
        let (text, _) = sent(&Fault::any().content_length("99"));
        assert!(text.ends_with("0123456789") && text.contains("Content-Length: 99\r\n"), "{text}");
        let (text, _) = sent(&Fault::any().chunked(4));
        assert!(text.ends_with("4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n"), "{text}");
        assert!(!text.contains("Content-Length"));
        let (text, then) = sent(&Fault::any().until_close());
        assert!(!text.contains("Content-Length") && then == Then::Close, "{text}");
        let (text, then) = sent(&Fault::any().cut_body(3).how(Cut::Reset));
        assert!(text.ends_with("\r\n\r\n012") && then == Then::Cut(Cut::Reset), "{text}");
        let (text, then) = sent(&Fault::any().cut_after(5));
        assert_eq!((text.as_str(), then), ("HTTP/", Then::Cut(Cut::Fin)));
        let (text, then) = sent(&Fault::any().garbage("junk"));
        assert_eq!((text.as_str(), then), ("junk", Then::Cut(Cut::Fin)));
        let (text, _) = sent(&Fault::any().interim(2));
        assert_eq!(text.matches("HTTP/1.1 100 Continue\r\n\r\n").count(), 2);
        let (text, _) =
            sent(&Fault::any().pad_header(5000).pad_headers(70).one_more_header("Content-Length", "10"));
        assert!(text.len() > 5000 && text.matches("X-Padding-").count() == 70);
        assert_eq!(text.matches("Content-Length: 10").count(), 2);
        let (text, _) = sent(&Fault::any().without_header("content-length").claim_gzip());
        assert!(!text.contains("Content-Length") && text.contains("Content-Encoding: gzip\r\n"), "{text}");
        let (text, _) = sent(&Fault::any().redirect(302, "http://a/"));
        assert!(
            text.starts_with("HTTP/1.1 302 Found\r\n") && text.contains("Location: http://a/\r\n"),
            "{text}"
        );
        let (text, _) = sent(&Fault::any().drip(1, 0));
        assert!(text.ends_with("0123456789"));
    }

    #[test]
    fn a_corrupted_byte_has_all_bits_flipped() {
        let changed = Fault::any().corrupt(2).change(Response::bytes(200, "a/b", vec![0; 4]));
        assert_eq!(changed.body, [0, 0, 0xff, 0]);
    }
}
