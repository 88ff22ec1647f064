// SPDX-License-Identifier: Apache-2.0
//! P-256 signatures as the authentication service wants them.

use heapless::VecView;
use mender_base::Error;

/// Longest DER form of a P-256 signature, bytes.
pub const DER_MAX: usize = 72;

/// Writes the ASN.1 DER form `SEQUENCE { INTEGER r, INTEGER s }` of a P-256 signature given as `r‖s`, big-endian.
/// [`DER_MAX`] bytes have room for it.
///
/// Mender's server takes nothing else for ECDSA in `X-MEN-Signature` (device authentication API: "Base64(ASN.1(SEQ{R, S}))"),
/// while PSA crypto makes `r‖s`.
///
/// # Errors
/// [`Error::Signature`] when r or s is zero: no such signature exists.
pub fn der(raw: &[u8; 64], out: &mut VecView<u8>) -> Result<(), Error> {
    out.clear();
    let mut whole = out.extend_from_slice(&[0x30, 0]).ok();
    let (numbers, _) = raw.as_chunks::<32>();
    for number in numbers {
        whole = whole.and_then(|()| integer(number, out));
    }
    whole.ok_or(Error::Signature)?;
    let len = out.len().wrapping_sub(2);
    if let (Some(to), Ok(len)) = (out.get_mut(1), u8::try_from(len)) {
        *to = len;
    }
    Ok(())
}

/// Adds the shortest form of a number above zero (X.690 §8.3).
fn integer(number: &[u8; 32], out: &mut VecView<u8>) -> Option<()> {
    let first = number.iter().position(|b| *b != 0)?;
    let digits = number.get(first..)?;
    // A set top bit would make it negative, so a zero goes before it.
    let negative = digits.first()? & 0x80 != 0;
    let len = digits.len().wrapping_add(usize::from(negative));
    out.extend_from_slice(&[2, u8::try_from(len).ok()?]).ok()?;
    if negative {
        out.push(0).ok()?;
    }
    out.extend_from_slice(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(raw: &[u8; 64]) -> Result<heapless::Vec<u8, DER_MAX>, Error> {
        let mut out = heapless::Vec::new();
        super::der(raw, &mut out).map(|()| out)
    }

    #[test]
    fn integers_are_as_short_as_der_wants() {
        let mut raw = [0; 64];
        raw[31] = 1;
        raw[63] = 0x80;
        assert_eq!(der(&raw).unwrap(), [0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]);
        let longest = der(&[0xff; 64]).unwrap();
        assert_eq!(longest.len(), DER_MAX);
        assert_eq!(longest[..5], [0x30, 70, 2, 33, 0]);
    }

    #[test]
    fn zero_is_no_signature() {
        for one in [31, 63] {
            let mut raw = [0; 64];
            raw[one] = 1;
            assert_eq!(der(&raw), Err(Error::Signature));
        }
    }
}
