// SPDX-License-Identifier: Apache-2.0
//! A bounded JSON pull scanner: bytes in, tokens out, no recursion, no copy of the text.
//!
//! The caller lends the buffer for the current string or number with each call, so a long member (a download URL)
//! can go straight to where it is kept while all others share a small scratch. RFC 8259 syntax, with two bounds:
//! nesting of [`limits::JSON_DEPTH_MAX`] and strings as long as the lent buffer; a longer one is reported as
//! [`Token::TooLong`], which is harmless in a member nobody reads.
//!
//! ```
//! use mender_base::json::{Scanner, Token};
//! let (mut scanner, mut text) = (Scanner::new(), [0; 16]);
//! let mut rest: &[u8] = br#"{"id":7}"#;
//! let mut seen = 0;
//! while !rest.is_empty() {
//!     let (used, token) = scanner.feed(rest, &mut text)?;
//!     rest = &rest[used..];
//!     seen += usize::from(token.is_some());
//! }
//! scanner.finish()?;
//! assert_eq!(seen, 4); // object start, key, number, object end
//! # Ok::<(), mender_base::Error>(())
//! ```

use crate::{Error, limits};

/// One element of the text. Lengths are of the text in the lent buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// A member's name, unescaped, valid UTF-8.
    Key(usize),
    /// A string, unescaped, valid UTF-8.
    String(usize),
    /// A number as written.
    Number(usize),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// A name, string or number that did not fit the lent buffer; its text is lost. `key` tells a name from a value.
    TooLong {
        /// The token was a member's name.
        key: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrArrayEnd,
    KeyOrObjectEnd,
    Key,
    Colon,
    CommaOrEnd,
    InString,
    Escape,
    Hex { left: u8, value: u16 },
    LowSurrogate,
    LowSurrogateU,
    InNumber(Number),
    InWord { word: &'static [u8], token: Token },
    Done,
}

/// Where in RFC 8259's number grammar the scanner stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Int,
    Point,
    Fraction,
    ExponentStart,
    ExponentSign,
    Exponent,
}

/// The scanner. Copyable state of a few words; one per text.
#[derive(Clone)]
pub struct Scanner {
    expect: Expect,
    depth: u8,
    /// Bit `depth`: that level is an object.
    objects: u16,
    is_key: bool,
    /// Length of the current text; above the lent buffer's length the text is too long.
    len: usize,
    too_long: bool,
    high_surrogate: u16,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Ready for one JSON text.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            expect: Expect::Value,
            depth: 0,
            objects: 0,
            is_key: false,
            len: 0,
            too_long: false,
            high_surrogate: 0,
        }
    }

    /// How many objects and arrays are open.
    #[must_use]
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    /// Takes bytes of `input` up to and including the end of the next token.
    ///
    /// Returns how many bytes were used and the token, if one ended. Without a token all of `input` was used.
    /// `text` must be the same buffer from the start of a string or number to its end.
    ///
    /// # Errors
    /// [`Error::JsonSyntax`], [`Error::JsonDepth`] or [`Error::JsonText`] (escape, surrogate or UTF-8); the scanner is then of no more use.
    pub fn feed(&mut self, input: &[u8], text: &mut [u8]) -> Result<(usize, Option<Token>), Error> {
        let mut used: usize = 0;
        for &byte in input {
            let (taken, token) = self.byte(byte, text)?;
            used = used.saturating_add(usize::from(taken));
            if token.is_some() {
                return Ok((used, token));
            }
        }
        Ok((used, None))
    }

    /// Says that the text has ended.
    ///
    /// # Errors
    /// [`Error::JsonSyntax`] when it ended too early. (A bare number at top level counts as unfinished: no Mender message is one.)
    pub fn finish(&self) -> Result<(), Error> {
        if self.expect == Expect::Done { Ok(()) } else { Err(Error::JsonSyntax) }
    }

    fn byte(&mut self, byte: u8, text: &mut [u8]) -> Result<(bool, Option<Token>), Error> {
        let white = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let token = match self.expect {
            Expect::InString => self.in_string(byte, text)?,
            Expect::Escape => self.escape(byte, text)?,
            Expect::Hex { left, value } => self.hex(byte, left, value, text)?,
            Expect::LowSurrogate => self.need(byte, b'\\', Expect::LowSurrogateU)?,
            Expect::LowSurrogateU => self.need(byte, b'u', Expect::Hex { left: 4, value: 0 })?,
            Expect::InNumber(at) => return self.in_number(at, byte, text),
            Expect::InWord { word, token } => self.in_word(byte, word, token)?,
            _ if white => None,
            Expect::Value => self.value(byte, text)?,
            Expect::ValueOrArrayEnd if byte == b']' => Some(self.close(false)?),
            Expect::ValueOrArrayEnd => self.value(byte, text)?,
            Expect::KeyOrObjectEnd if byte == b'}' => Some(self.close(true)?),
            Expect::KeyOrObjectEnd | Expect::Key => {
                self.is_key = true;
                self.start_text();
                self.need(byte, b'"', Expect::InString)?
            }
            Expect::Colon => self.need(byte, b':', Expect::Value)?,
            Expect::CommaOrEnd => self.comma_or_end(byte)?,
            Expect::Done => return Err(Error::JsonSyntax),
        };
        Ok((true, token))
    }

    fn need(&mut self, byte: u8, wanted: u8, next: Expect) -> Result<Option<Token>, Error> {
        if byte != wanted {
            return Err(match wanted {
                b'\\' | b'u' => Error::JsonText,
                _ => Error::JsonSyntax,
            });
        }
        self.expect = next;
        Ok(None)
    }

    fn value(&mut self, byte: u8, text: &mut [u8]) -> Result<Option<Token>, Error> {
        self.is_key = false;
        match byte {
            b'{' => return self.open(true).map(Some),
            b'[' => return self.open(false).map(Some),
            b'"' => {
                self.start_text();
                self.expect = Expect::InString;
            }
            b't' => self.expect = Expect::InWord { word: b"rue", token: Token::Bool(true) },
            b'f' => self.expect = Expect::InWord { word: b"alse", token: Token::Bool(false) },
            b'n' => self.expect = Expect::InWord { word: b"ull", token: Token::Null },
            b'-' | b'0'..=b'9' => {
                self.start_text();
                self.put(byte, text);
                self.expect = Expect::InNumber(match byte {
                    b'-' => Number::Minus,
                    b'0' => Number::Zero,
                    _ => Number::Int,
                });
            }
            _ => return Err(Error::JsonSyntax),
        }
        Ok(None)
    }

    fn open(&mut self, object: bool) -> Result<Token, Error> {
        if self.depth >= limits::JSON_DEPTH_MAX {
            return Err(Error::JsonDepth);
        }
        self.depth = self.depth.saturating_add(1);
        let bit = 1u16.wrapping_shl(self.depth.into());
        if object {
            self.objects |= bit;
            self.expect = Expect::KeyOrObjectEnd;
            Ok(Token::ObjectStart)
        } else {
            self.objects &= !bit;
            self.expect = Expect::ValueOrArrayEnd;
            Ok(Token::ArrayStart)
        }
    }

    fn in_object(&self) -> bool {
        self.objects & 1u16.wrapping_shl(self.depth.into()) != 0
    }

    fn close(&mut self, object: bool) -> Result<Token, Error> {
        if self.depth == 0 || self.in_object() != object {
            return Err(Error::JsonSyntax);
        }
        self.depth = self.depth.saturating_sub(1);
        self.after_value();
        Ok(if object { Token::ObjectEnd } else { Token::ArrayEnd })
    }

    fn after_value(&mut self) {
        self.expect = if self.depth == 0 { Expect::Done } else { Expect::CommaOrEnd };
    }

    fn comma_or_end(&mut self, byte: u8) -> Result<Option<Token>, Error> {
        match byte {
            b',' => {
                self.expect = if self.in_object() { Expect::Key } else { Expect::Value };
                Ok(None)
            }
            b'}' => self.close(true).map(Some),
            b']' => self.close(false).map(Some),
            _ => Err(Error::JsonSyntax),
        }
    }

    fn start_text(&mut self) {
        self.len = 0;
        self.too_long = false;
        self.high_surrogate = 0;
    }

    fn put(&mut self, byte: u8, text: &mut [u8]) {
        if let Some(to) = text.get_mut(self.len) {
            *to = byte;
            self.len = self.len.saturating_add(1);
        } else {
            self.too_long = true;
        }
    }

    fn in_string(&mut self, byte: u8, text: &mut [u8]) -> Result<Option<Token>, Error> {
        match byte {
            b'"' => return self.end_string(text).map(Some),
            b'\\' => self.expect = Expect::Escape,
            0..=0x1f => return Err(Error::JsonText),
            _ => self.put(byte, text),
        }
        Ok(None)
    }

    fn end_string(&mut self, text: &[u8]) -> Result<Token, Error> {
        if self.is_key {
            self.expect = Expect::Colon;
        } else {
            self.after_value();
        }
        if self.too_long {
            return Ok(Token::TooLong { key: self.is_key });
        }
        let written = text.get(..self.len).ok_or(Error::JsonText)?;
        if core::str::from_utf8(written).is_err() {
            return Err(Error::JsonText);
        }
        Ok(if self.is_key { Token::Key(self.len) } else { Token::String(self.len) })
    }

    fn escape(&mut self, byte: u8, text: &mut [u8]) -> Result<Option<Token>, Error> {
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.expect = Expect::Hex { left: 4, value: 0 };
                return Ok(None);
            }
            _ => return Err(Error::JsonText),
        };
        self.put(plain, text);
        self.expect = Expect::InString;
        Ok(None)
    }

    fn hex(&mut self, byte: u8, left: u8, value: u16, text: &mut [u8]) -> Result<Option<Token>, Error> {
        let digit = match byte {
            b'0'..=b'9' => byte.wrapping_sub(b'0'),
            b'a'..=b'f' => byte.wrapping_sub(b'a').wrapping_add(10),
            b'A'..=b'F' => byte.wrapping_sub(b'A').wrapping_add(10),
            _ => return Err(Error::JsonText),
        };
        let value = value.wrapping_shl(4) | u16::from(digit);
        if left > 1 {
            self.expect = Expect::Hex { left: left.wrapping_sub(1), value };
            return Ok(None);
        }
        self.expect = Expect::InString;
        let high = self.high_surrogate;
        let code = match (value, high) {
            (0xd800..=0xdbff, 0) => {
                self.high_surrogate = value;
                self.expect = Expect::LowSurrogate;
                return Ok(None);
            }
            (0xdc00..=0xdfff, 0xd800..=0xdbff) => {
                let (h, l) = (u32::from(high & 0x3ff), u32::from(value & 0x3ff));
                0x1_0000u32.wrapping_add(h.wrapping_shl(10) | l)
            }
            (_, 0) => u32::from(value),
            _ => return Err(Error::JsonText),
        };
        self.high_surrogate = 0;
        let c = char::from_u32(code).ok_or(Error::JsonText)?;
        for b in c.encode_utf8(&mut [0; 4]).bytes() {
            self.put(b, text);
        }
        Ok(None)
    }

    fn in_word(&mut self, byte: u8, word: &'static [u8], token: Token) -> Result<Option<Token>, Error> {
        match word.split_first() {
            Some((first, rest)) if *first == byte => {
                if rest.is_empty() {
                    self.after_value();
                    return Ok(Some(token));
                }
                self.expect = Expect::InWord { word: rest, token };
                Ok(None)
            }
            _ => Err(Error::JsonSyntax),
        }
    }

    fn in_number(&mut self, at: Number, byte: u8, text: &mut [u8]) -> Result<(bool, Option<Token>), Error> {
        use Number::{Exponent, ExponentSign, ExponentStart, Fraction, Int, Minus, Point, Zero};
        let next = match (at, byte) {
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') | (Int, b'0'..=b'9') => Int,
            (Zero | Int, b'.') => Point,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Int | Fraction, b'e' | b'E') => ExponentStart,
            (ExponentStart, b'+' | b'-') => ExponentSign,
            (ExponentStart | ExponentSign | Exponent, b'0'..=b'9') => Exponent,
            (Zero | Int | Fraction | Exponent, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') => {
                self.after_value();
                let token =
                    if self.too_long { Token::TooLong { key: false } } else { Token::Number(self.len) };
                // The delimiter is looked at again as what it is.
                return Ok((false, Some(token)));
            }
            _ => return Err(Error::JsonSyntax),
        };
        self.put(byte, text);
        self.expect = Expect::InNumber(next);
        Ok((true, None))
    }
}

/// The text of a [`Token::Key`] or [`Token::String`] of length `len` in the lent buffer.
#[must_use]
pub fn text_of(text: &[u8], len: usize) -> &str {
    // The scanner has checked the bytes; a foreign buffer yields an empty text.
    text.get(..len).and_then(|t| core::str::from_utf8(t).ok()).unwrap_or_default()
}
