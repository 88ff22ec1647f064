// SPDX-License-Identifier: Apache-2.0
//! What the body of a refusal says, where its status alone does not decide.

use mender_base::json::{Scanner, Token, text_of};
use mender_base::text::same_word;

/// Which refusal it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Any other text, or none.
    Other,
    /// With 403: the plan lacks an add-on, so a fresh token would not help (protocol §0.1).
    AddOn,
}

/// How the server's words begin then.
const ADD_ON: &[u8] = b"operation requires addon";

/// Finds the member `error` of Mender's error bodies; anything else, such as a proxy's HTML or a store's XML, is passed over.
pub struct ErrorBody {
    scanner: Scanner,
    state: State,
    refusal: Refusal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Searching,
    /// The next value is the text.
    Here,
    /// Found, with its length in the scratch.
    Found(usize),
    /// Not a Mender error body.
    Foreign,
}

impl Default for ErrorBody {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrorBody {
    /// Nothing read yet. All zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { scanner: Scanner::new(), state: State::Searching, refusal: Refusal::Other }
    }

    /// Takes a piece of the body. `scratch` must be the same buffer each time.
    pub fn feed(&mut self, data: &[u8], scratch: &mut [u8]) {
        let mut rest = data;
        while !rest.is_empty() && matches!(self.state, State::Searching | State::Here) {
            let Ok(token) = self.scanner.feed(&mut rest, scratch) else {
                self.state = State::Foreign;
                return;
            };
            if let Some(token) = token {
                self.token(token, scratch);
            }
        }
    }

    fn token(&mut self, token: Token, scratch: &[u8]) {
        let here = self.state == State::Here;
        self.state = State::Searching;
        let len = self.scanner.len();
        if token == Token::Key {
            if self.scanner.depth() == 1 && text_of(scratch, len) == "error" {
                self.state = State::Here;
            }
        } else if token == Token::String && here {
            let text = text_of(scratch, len).as_bytes();
            if text.get(..ADD_ON.len()).is_some_and(|head| same_word(head, ADD_ON)) {
                self.refusal = Refusal::AddOn;
            }
            self.state = State::Found(len);
        }
    }

    /// Which refusal the body told of.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Whether it is Mender's at all.
    #[must_use]
    pub const fn is_menders(&self) -> bool {
        matches!(self.state, State::Found(_))
    }

    /// The server's own words, if it had any, for the log.
    #[must_use]
    pub fn text<'s>(&self, scratch: &'s [u8]) -> Option<&'s str> {
        match self.state {
            State::Found(len) => Some(text_of(scratch, len)),
            State::Searching | State::Here | State::Foreign => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::{String, ToString};

    fn read(body: &[u8]) -> (Refusal, Option<String>) {
        let mut seen = None;
        for chunk in [1, 7, 10_000] {
            let (mut reader, mut scratch) = (ErrorBody::new(), [0; 64]);
            body.chunks(chunk).for_each(|data| reader.feed(data, &mut scratch));
            let now = (reader.refusal(), reader.text(&scratch).map(ToString::to_string));
            assert_eq!(seen.get_or_insert(now.clone()), &now);
        }
        seen.unwrap()
    }

    #[test]
    fn the_add_on_text_is_told_from_an_expired_token() {
        let add_on = br#"{"error":"operation requires addon: configure","request_id":"x"}"#;
        assert_eq!(read(add_on), (Refusal::AddOn, Some("operation requires addon: configure".into())));
        assert_eq!(
            read(br#"{"request_id":"x","error":"Unauthorized"}"#),
            (Refusal::Other, Some("Unauthorized".into()))
        );
    }

    #[test]
    fn another_refusal_is_told_by_its_status() {
        assert_eq!(read(br#"{"error":"Deployment aborted"}"#).0, Refusal::Other);
    }

    #[test]
    fn bodies_of_any_kind_are_passed_over() {
        for body in [
            &b""[..],
            b"<html><body>operation requires addon</body></html>",
            b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
            b"null",
            b"[1,2]",
            br#"{"error":7}"#,
            br#"{"error":{"error":"operation requires addon"}}"#,
            br#"{"x":{"error":"operation requires addon"}}"#,
            br#"{"error":null,"x":"operation requires addon"}"#,
            br#"{"error":"operation requires a very long explanation that does not fit the scratch at all"}"#,
            br#"{"error":"operation requires ad"#,
            b"\xff\xfe\0\0",
        ] {
            assert_eq!(read(body), (Refusal::Other, None), "{body:?}");
        }
        assert_eq!(read(&[b'['; 100_000]), (Refusal::Other, None));
    }
}
