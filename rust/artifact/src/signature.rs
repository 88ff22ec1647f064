// SPDX-License-Identifier: Apache-2.0
//! `manifest.sig`: one line of base64 (artifact format v3; §7.6).

use mender_base::base64::Decoder;
use mender_base::{Error, limits};

/// Shortest signature: a DER sequence of two one-byte integers.
const LEN_MIN: u16 = 8;

/// The signature that is being decoded.
pub(crate) struct Signature {
    decoder: Decoder,
    len: u16,
    /// White space after the text has begun.
    ended: bool,
}

impl Signature {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { decoder: Decoder::new(), len: 0, ended: false }
    }

    /// Takes bytes of the member; `out` receives what they decode to.
    pub(crate) fn feed(&mut self, input: &[u8], out: &mut [u8]) -> Result<(), Error> {
        for byte in input {
            if byte.is_ascii_whitespace() {
                self.ended = true;
                continue;
            }
            if self.ended {
                return Err(Error::SignatureFormat);
            }
            if let Some(decoded) = self.decoder.push(*byte) {
                let to = out
                    .get_mut(..limits::SIGNATURE_BYTES_MAX)
                    .and_then(|out| out.get_mut(usize::from(self.len)));
                *to.ok_or(Error::SignatureFormat)? = decoded;
                self.len = self.len.saturating_add(1);
            }
        }
        Ok(())
    }

    /// How many bytes were decoded.
    pub(crate) fn len(&self) -> usize {
        self.len.into()
    }

    /// The member has ended.
    pub(crate) fn end(&self) -> Result<(), Error> {
        let whole = self.decoder.is_complete() && self.len >= LEN_MIN;
        if whole { Ok(()) } else { Err(Error::SignatureFormat) }
    }
}
