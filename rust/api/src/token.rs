// SPDX-License-Identifier: Apache-2.0
//! The reply to an authentication request: a JSON Web Token, opaque to the device.

use mender_base::Error;

/// Collects a token from the pieces of a reply into a lent buffer.
///
/// The token goes into a header of later requests, so nothing passes but the alphabet of base64url and two dots.
#[derive(Default)]
pub struct TokenReader {
    len: usize,
    dots: u8,
    /// The part since the last dot has a character.
    filled: bool,
    error: Option<Error>,
}

impl TokenReader {
    /// Nothing read yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { len: 0, dots: 0, filled: false, error: None }
    }

    /// Takes a piece of the reply's body. `buf` must be the same buffer each time; what is wrong shows in [`finish`](Self::finish).
    pub fn feed(&mut self, data: &[u8], buf: &mut [u8]) {
        for b in data {
            if self.error.is_some() {
                return;
            }
            self.error = self.byte(*b, buf).err();
        }
    }

    fn byte(&mut self, b: u8, buf: &mut [u8]) -> Result<(), Error> {
        match b {
            b'.' if self.filled => {
                self.dots = self.dots.saturating_add(1);
                self.filled = false;
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => self.filled = true,
            _ => return Err(Error::Token),
        }
        *buf.get_mut(self.len).ok_or(Error::TokenTooLong)? = b;
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// The body has ended: the token's length in the buffer.
    ///
    /// # Errors
    /// [`Error::Token`]: not three parts of base64url. [`Error::TokenTooLong`]: longer than the buffer.
    pub fn finish(&self) -> Result<usize, Error> {
        match self.error {
            Some(error) => Err(error),
            None if self.dots == 2 && self.filled => Ok(self.len),
            None => Err(Error::Token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8], chunk: usize) -> Result<usize, Error> {
        let (mut reader, mut buf) = (TokenReader::new(), [0; 32]);
        body.chunks(chunk).for_each(|data| reader.feed(data, &mut buf));
        let len = reader.finish()?;
        assert_eq!(&buf[..len], body);
        Ok(len)
    }

    #[test]
    fn a_token_comes_through_in_pieces() {
        for chunk in [1, 3, 100] {
            assert_eq!(read(b"eyJh-_0.eyJh.Zm9v", chunk), Ok(17));
            assert_eq!(read(&[b"a.b.".as_slice(), &[b'c'; 28]].concat(), chunk), Ok(32));
        }
    }

    #[test]
    fn c17_bytes_that_do_not_belong_into_a_token_are_refused() {
        for bad in [
            &b"a.b.c\r\nX: y"[..],
            b"a.b.c\n",
            b" a.b.c",
            b"a.b.c\0",
            b"\"a.b.c\"",
            b"a.b.c=",
            b"a.b+.c",
            "a.b.é".as_bytes(),
            b"a.b",
            b"abc",
            b"a.b.c.d",
            b"a..c",
            b".b.c",
            b"a.b.",
            b"..",
            b"{\"error\":\"x\"}",
        ] {
            for chunk in [1, 100] {
                assert_eq!(read(bad, chunk), Err(Error::Token), "{bad:?}");
            }
        }
    }

    #[test]
    fn c18_an_empty_or_endless_token_is_refused() {
        assert_eq!(read(b"", 1), Err(Error::Token));
        assert_eq!(read(&[b"a.b.".as_slice(), &[b'c'; 29]].concat(), 1), Err(Error::TokenTooLong));
        assert_eq!(read(&[b'c'; 5000], 512), Err(Error::TokenTooLong));
    }
}
