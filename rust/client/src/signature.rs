// SPDX-License-Identifier: Apache-2.0
//! Artifact signatures against the configured keys.

use crate::SIGNATURES;
use mender_base::Error;
use mender_base::sha256::Sha256;
use mender_port::{Crypto, KeyKind};

/// Whether `signature` over `hash` was checked; `false` when no key is configured.
///
/// P-256 signatures come raw (64 bytes) from the artifact tool, or in DER from hardware signers (protocol §7.6).
///
/// # Errors
/// [`Error::SignatureWrong`] when no configured key made it.
pub(crate) fn verify(ports: &mut impl Crypto, hash: &Sha256, signature: &[u8]) -> Result<bool, Error> {
    if ports.verification_key(0).is_none() {
        return Ok(false);
    }
    if !SIGNATURES {
        return Err(Error::Unsupported);
    }
    let raw = if signature.len() == 64 { signature.first_chunk().copied() } else { raw_from_der(signature) };
    let mut index = 0;
    while let Some(kind) = ports.verification_key(index) {
        let good = match (kind, &raw) {
            (KeyKind::P256, Some(raw)) => ports.verify(index, hash, raw),
            (KeyKind::P256, None) => Ok(false),
            (KeyKind::Rsa, _) => ports.verify(index, hash, signature),
        };
        // A check that cannot be made counts as bad; another key may still do.
        if good == Ok(true) {
            return Ok(true);
        }
        index = index.saturating_add(1);
    }
    Err(Error::SignatureWrong)
}

/// `SEQUENCE { INTEGER r, INTEGER s }` as raw r‖s. Strict DER: shortest lengths, no sign, nothing behind.
fn raw_from_der(der: &[u8]) -> Option<[u8; 64]> {
    let ([0x30, len], rest) = der.split_first_chunk::<2>()? else { return None };
    if usize::from(*len) != rest.len() {
        return None;
    }
    let (r, rest) = integer(rest)?;
    let (s, rest) = integer(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let mut raw = [0; 64];
    let (words, _) = raw.as_chunks_mut::<32>();
    for (to, from) in words.iter_mut().zip([r, s]) {
        for (t, f) in to.iter_mut().rev().zip(from.iter().rev()) {
            *t = *f;
        }
    }
    Some(raw)
}

/// A positive INTEGER of at most 256 bits, without its leading zero, and what follows.
fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([0x02, len], rest) = der.split_first_chunk::<2>()? else { return None };
    let (value, rest) = rest.split_at_checked(usize::from(*len))?;
    let magnitude = match value {
        [0, high, ..] if *high >= 0x80 => value.get(1..)?,
        [high, ..] if *high < 0x80 && *high > 0 => value,
        _ => return None,
    };
    (magnitude.len() <= 32).then_some((magnitude, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(r: &[u8], s: &[u8]) -> heapless::Vec<u8, 80> {
        let mut v = heapless::Vec::new();
        v.extend_from_slice(&[0x30, (4 + r.len() + s.len()) as u8, 2, r.len() as u8]).unwrap();
        v.extend_from_slice(r).unwrap();
        v.extend_from_slice(&[2, s.len() as u8]).unwrap();
        v.extend_from_slice(s).unwrap();
        v
    }

    #[test]
    fn c63_der_is_read_strictly() {
        let mut want = [0; 64];
        want[31] = 5;
        want[32] = 0x80;
        let mut s = [0u8; 33];
        s[1] = 0x80;
        let good = der(&[5], &s);
        assert_eq!(raw_from_der(&good), Some(want));
        let mut junk = good.clone();
        junk.push(0).unwrap();
        for bad in [
            &junk[..],
            &good[..good.len() - 1],
            &der(&[0], &[5]),
            &der(&[0, 5], &[5]),
            &der(&[0x80], &[5]),
            &der(&[], &[5]),
            &der(&[1; 33], &[5]),
            &[],
        ] {
            assert_eq!(raw_from_der(bad), None, "{bad:?}");
        }
    }
}
