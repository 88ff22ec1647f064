// SPDX-License-Identifier: Apache-2.0
//! A bounded JSON pull scanner: bytes in, tokens out, no recursion, no copy of the text.
//!
//! The caller lends the buffer for the current string or number with each call, so a long member (a download URL)
//! can go straight to where it is kept while all others share a small scratch. RFC 8259 syntax, with two bounds:
//! nesting of [`limits::JSON_DEPTH_MAX`] and strings as long as the lent buffer; a longer one is reported as
//! [`Token::LongValue`] or [`Token::LongKey`], which is harmless in a member nobody reads.
//!
//! ```
//! use mender_base::json::{Scanner, Token};
//! let (mut scanner, mut text) = (Scanner::new(), [0; 16]);
//! let mut rest: &[u8] = br#"{"id":7}"#;
//! let mut seen = 0;
//! while !rest.is_empty() {
//!     let token = scanner.feed(&mut rest, &mut text)?;
//!     seen += usize::from(token.is_some());
//! }
//! scanner.finish()?;
//! assert_eq!(seen, 4); // object start, key, number, object end
//! # Ok::<(), mender_base::Error>(())
//! ```

use crate::text::{hex_digit, utf8};
use crate::{Error, limits};

/// One element of the text. What a key, string or number says is in the lent buffer, [`Scanner::len`] bytes long. As wide as
/// [`Error`], so that a result of both is two registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
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
    Key,
    /// A string, unescaped, valid UTF-8.
    String,
    /// A number as written.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
    /// A member's name that did not fit the lent buffer; it is lost.
    LongKey,
    /// A string or number that did not fit the lent buffer; it is lost.
    LongValue,
}

/// What may come next. From `Minus` on: where in RFC 8259's number grammar the scanner stands.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Expect {
    Value,
    ValueOrArrayEnd,
    KeyOrObjectEnd,
    Key,
    Colon,
    CommaOrEnd,
    InString,
    Escape,
    Hex,
    LowSurrogate,
    LowSurrogateU,
    InWord,
    Minus,
    Zero,
    Int,
    Point,
    Fraction,
    ExponentStart,
    ExponentSign,
    Exponent,
    Done,
}

/// The scanner. Copyable state of a few words; one per text.
#[derive(Clone)]
#[repr(C)]
pub struct Scanner {
    expect: Expect,
    depth: u8,
    is_key: bool,
    too_long: bool,
    /// Digits of an escape that are still to come, and those that came.
    hex_left: u8,
    word_token: Token,
    /// Bit `depth`: that level is an object.
    objects: u16,
    hex: u16,
    high_surrogate: u16,
    /// Length of the current text.
    len: usize,
    /// What is left of `true`, `false` or `null`: the next byte is the lowest.
    word: u32,
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
            too_long: false,
            len: 0,
            hex_left: 0,
            hex: 0,
            high_surrogate: 0,
            word: 0,
            word_token: Token::ObjectStart,
        }
    }

    /// How many objects and arrays are open.
    #[must_use]
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    /// Bytes of the last key, string or number in the lent buffer.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "the length of a token's text, not of a collection")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Cuts bytes off `input`, up to and including the end of the next token.
    ///
    /// Returns the token, if one ended. Without a token all of `input` was used.
    /// `text` must be the same buffer from the start of a string or number to its end.
    ///
    /// # Errors
    /// [`Error::JsonSyntax`], [`Error::JsonDepth`] or [`Error::JsonText`] (escape, surrogate or UTF-8); the scanner is then of no more use.
    #[inline(never)]
    pub fn feed(&mut self, input: &mut &[u8], text: &mut [u8]) -> Result<Option<Token>, Error> {
        while let Some((&byte, rest)) = input.split_first() {
            let token = match self.number_end(byte) {
                // The delimiter is looked at again as what it is.
                Some(token) => return Ok(Some(token)),
                None => self.byte(byte, text)?,
            };
            *input = rest;
            if token.is_some() {
                return Ok(token);
            }
        }
        Ok(None)
    }

    /// Says that the text has ended.
    ///
    /// # Errors
    /// [`Error::JsonSyntax`] when it ended too early. (A bare number at top level counts as unfinished: no Mender message is one.)
    pub fn finish(&self) -> Result<(), Error> {
        if self.expect == Expect::Done { Ok(()) } else { Err(Error::JsonSyntax) }
    }

    fn byte(&mut self, byte: u8, text: &mut [u8]) -> Result<Option<Token>, Error> {
        use Expect::{Exponent, ExponentSign, ExponentStart, Fraction, Int, Minus, Point, Zero};
        self.expect = match self.expect {
            Expect::InString => return self.in_string(byte, text),
            Expect::Escape => self.escape(byte, text)?,
            Expect::Hex => self.hex(byte, text)?,
            Expect::LowSurrogate if byte == b'\\' => Expect::LowSurrogateU,
            Expect::LowSurrogateU if byte == b'u' => self.start_hex(),
            Expect::LowSurrogate | Expect::LowSurrogateU => return Err(Error::JsonText),
            Expect::InWord => return self.in_word(byte),
            at @ (Minus | Zero | Int | Point | Fraction | ExponentStart | ExponentSign | Exponent) => {
                self.put(byte, text);
                number(at, byte).ok_or(Error::JsonSyntax)?
            }
            _ if is_white(byte) => return Ok(None),
            Expect::ValueOrArrayEnd if byte == b']' => return self.close(Token::ArrayEnd),
            Expect::Value | Expect::ValueOrArrayEnd => return self.value(byte, text),
            Expect::KeyOrObjectEnd if byte == b'}' => return self.close(Token::ObjectEnd),
            Expect::KeyOrObjectEnd | Expect::Key if byte == b'"' => self.start_text(true),
            Expect::Colon if byte == b':' => Expect::Value,
            Expect::CommaOrEnd => match byte {
                b',' if self.in_object() => Expect::Key,
                b',' => Expect::Value,
                b'}' => return self.close(Token::ObjectEnd),
                b']' => return self.close(Token::ArrayEnd),
                _ => return Err(Error::JsonSyntax),
            },
            Expect::KeyOrObjectEnd | Expect::Key | Expect::Colon | Expect::Done => {
                return Err(Error::JsonSyntax);
            }
        };
        Ok(None)
    }

    fn value(&mut self, byte: u8, text: &mut [u8]) -> Result<Option<Token>, Error> {
        self.expect = match byte {
            b'{' => return self.open(Token::ObjectStart),
            b'[' => return self.open(Token::ArrayStart),
            b'"' => self.start_text(false),
            b't' => self.start_word(*b"rue\0", Token::True),
            b'f' => self.start_word(*b"alse", Token::False),
            b'n' => self.start_word(*b"ull\0", Token::Null),
            b'-' | b'0'..=b'9' => {
                self.start_text(false);
                self.put(byte, text);
                match byte {
                    b'-' => Expect::Minus,
                    b'0' => Expect::Zero,
                    _ => Expect::Int,
                }
            }
            _ => return Err(Error::JsonSyntax),
        };
        Ok(None)
    }

    fn open(&mut self, token: Token) -> Result<Option<Token>, Error> {
        if self.depth >= limits::JSON_DEPTH_MAX {
            return Err(Error::JsonDepth);
        }
        self.depth = self.depth.saturating_add(1);
        let bit = self.bit();
        if token == Token::ObjectStart {
            self.objects |= bit;
            self.expect = Expect::KeyOrObjectEnd;
        } else {
            self.objects &= !bit;
            self.expect = Expect::ValueOrArrayEnd;
        }
        Ok(Some(token))
    }

    fn bit(&self) -> u16 {
        1u16.wrapping_shl(self.depth.into())
    }

    fn in_object(&self) -> bool {
        self.objects & self.bit() != 0
    }

    fn close(&mut self, token: Token) -> Result<Option<Token>, Error> {
        if self.depth == 0 || self.in_object() != (token == Token::ObjectEnd) {
            return Err(Error::JsonSyntax);
        }
        self.depth = self.depth.saturating_sub(1);
        self.after_value(token)
    }

    fn after_value(&mut self, token: Token) -> Result<Option<Token>, Error> {
        self.expect = if self.depth == 0 { Expect::Done } else { Expect::CommaOrEnd };
        Ok(Some(token))
    }

    // ---- strings

    fn start_text(&mut self, is_key: bool) -> Expect {
        self.is_key = is_key;
        self.len = 0;
        self.too_long = false;
        self.high_surrogate = 0;
        Expect::InString
    }

    #[inline(never)]
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
            b'"' => return self.end_string(text),
            b'\\' => self.expect = Expect::Escape,
            0..=0x1f => return Err(Error::JsonText),
            _ => self.put(byte, text),
        }
        Ok(None)
    }

    fn end_string(&mut self, text: &[u8]) -> Result<Option<Token>, Error> {
        if !self.too_long && utf8(text.get(..self.len).unwrap_or_default()).is_none() {
            return Err(Error::JsonText);
        }
        if self.is_key {
            self.expect = Expect::Colon;
            return Ok(Some(if self.too_long { Token::LongKey } else { Token::Key }));
        }
        self.after_value(if self.too_long { Token::LongValue } else { Token::String })
    }

    fn escape(&mut self, byte: u8, text: &mut [u8]) -> Result<Expect, Error> {
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return Ok(self.start_hex()),
            _ => return Err(Error::JsonText),
        };
        self.put(plain, text);
        Ok(Expect::InString)
    }

    fn start_hex(&mut self) -> Expect {
        self.hex_left = 4;
        Expect::Hex
    }

    fn hex(&mut self, byte: u8, text: &mut [u8]) -> Result<Expect, Error> {
        let digit = hex_digit(byte).ok_or(Error::JsonText)?;
        self.hex = self.hex.wrapping_shl(4) | u16::from(digit);
        self.hex_left = self.hex_left.saturating_sub(1);
        if self.hex_left > 0 {
            return Ok(Expect::Hex);
        }
        let high = core::mem::take(&mut self.high_surrogate);
        let code = match (self.hex, high) {
            (0xd800..=0xdbff, 0) => {
                self.high_surrogate = self.hex;
                return Ok(Expect::LowSurrogate);
            }
            (0xdc00..=0xdfff, 0xd800..=0xdbff) => {
                let (h, l) = (u32::from(high & 0x3ff), u32::from(self.hex & 0x3ff));
                0x1_0000u32.wrapping_add(h.wrapping_shl(10) | l)
            }
            // A low surrogate alone: UTF-8 does not have it.
            (0xdc00..=0xdfff, _) => return Err(Error::JsonText),
            (_, 0) => self.hex.into(),
            _ => return Err(Error::JsonText),
        };
        self.put_code(code, text);
        Ok(Expect::InString)
    }

    /// Puts a character in UTF-8 (RFC 3629 §3). `code` is no surrogate and below 0x11_0000.
    fn put_code(&mut self, code: u32, text: &mut [u8]) {
        // Bits that the first byte holds no more, and its mark.
        let (mut shift, mark) = match code {
            0..0x80 => (0, 0),
            0x80..0x800 => (6, 0xc0),
            0x800..0x1_0000 => (12, 0xe0),
            _ => (18, 0xf0),
        };
        let [first, ..] = code.wrapping_shr(shift).to_le_bytes();
        self.put(first | mark, text);
        while shift > 0 {
            shift = shift.saturating_sub(6);
            let [next, ..] = code.wrapping_shr(shift).to_le_bytes();
            self.put(next & 0x3f | 0x80, text);
        }
    }

    // ---- words and numbers

    fn start_word(&mut self, rest: [u8; 4], token: Token) -> Expect {
        (self.word, self.word_token) = (u32::from_le_bytes(rest), token);
        Expect::InWord
    }

    fn in_word(&mut self, byte: u8) -> Result<Option<Token>, Error> {
        if self.word & 0xff != u32::from(byte) {
            return Err(Error::JsonSyntax);
        }
        self.word = self.word.wrapping_shr(8);
        if self.word == 0 { self.after_value(self.word_token) } else { Ok(None) }
    }

    /// The number that ends before `byte`, if one does.
    fn number_end(&mut self, byte: u8) -> Option<Token> {
        let may_end = matches!(self.expect, Expect::Zero | Expect::Int | Expect::Fraction | Expect::Exponent);
        if may_end && (is_white(byte) || matches!(byte, b',' | b'}' | b']')) {
            return self.after_value(if self.too_long { Token::LongValue } else { Token::Number }).ok()?;
        }
        None
    }
}

const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where in a number the scanner stands after `byte`; `None` when that cannot come `at` this place.
fn number(at: Expect, byte: u8) -> Option<Expect> {
    use Expect::{Exponent, ExponentSign, ExponentStart, Fraction, Int, Minus, Point, Zero};
    Some(match (byte, at) {
        (b'0', Minus) => Zero,
        (b'0'..=b'9', Minus | Int) => Int,
        (b'0'..=b'9', Point | Fraction) => Fraction,
        (b'0'..=b'9', ExponentStart | ExponentSign | Exponent) => Exponent,
        (b'.', Zero | Int) => Point,
        (b'e' | b'E', Zero | Int | Fraction) => ExponentStart,
        (b'+' | b'-', ExponentStart) => ExponentSign,
        _ => return None,
    })
}

/// The text of a [`Token::Key`], [`Token::String`] or [`Token::Number`] of length `len` in the lent buffer.
#[must_use]
pub fn text_of(text: &[u8], len: usize) -> &str {
    // The scanner has checked the bytes; a foreign buffer yields an empty text.
    text.get(..len).and_then(utf8).unwrap_or_default()
}
