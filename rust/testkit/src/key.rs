// SPDX-License-Identifier: Apache-2.0
//! Signing keys for artifacts and images: RSA and ECDSA P-256.
//!
//! Source: Mender artifact format, version 3, `manifest.sig`: RSA PKCS#1 v1.5 with SHA-256, or ECDSA P-256
//! with SHA-256 as raw r‖s.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};

use crate::pem;

const OID_EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// n, the order of P-256's base point, big-endian (FIPS 186-4, D.1.2.3).
pub const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// A private key that signs manifests and images.
#[derive(Clone)]
pub struct Key {
    pair: Arc<Pair>,
}

enum Pair {
    P256 { pair: EcdsaKeyPair, scalar: Vec<u8> },
    Rsa { pair: RsaKeyPair, pkcs1: Vec<u8> },
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The text holds no PEM section with a private key.
    NoPrivateKey,
    /// Neither RSA of 2048 bits or more nor ECDSA P-256.
    Unsupported,
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoPrivateKey => "no private key in PEM form",
            Self::Unsupported => "the key is neither RSA (2048 bits or more) nor ECDSA P-256",
        })
    }
}

impl std::error::Error for KeyError {}

impl Key {
    /// Makes a P-256 key.
    pub fn generate() -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .expect("the system gives random bytes");
        Self::from_pkcs8(document.as_ref()).expect("a key just made is readable")
    }

    /// Reads PKCS#1 (`RSA PRIVATE KEY`), SEC1 (`EC PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`) PEM.
    ///
    /// # Errors
    /// [`KeyError::NoPrivateKey`] when there is no such section, [`KeyError::Unsupported`] for other kinds of
    /// keys.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        for (label, der) in pem::sections(text) {
            let key = match label.as_str() {
                "RSA PRIVATE KEY" => Self::from_pkcs1(&der),
                "EC PRIVATE KEY" => Self::from_sec1(&der),
                "PRIVATE KEY" => Self::from_pkcs8(&der),
                _ => continue,
            };
            return key.ok_or(KeyError::Unsupported);
        }
        Err(KeyError::NoPrivateKey)
    }

    fn from_pkcs1(der: &[u8]) -> Option<Self> {
        let pair = RsaKeyPair::from_der(der).ok()?;
        Some(Self { pair: Arc::new(Pair::Rsa { pair, pkcs1: der.to_vec() }) })
    }

    /// `SEQUENCE { version 1, OCTET STRING scalar, [0] curve, [1] BIT STRING point }` (RFC 5915).
    fn from_sec1(der: &[u8]) -> Option<Self> {
        let (body, _) = pem::take(0x30, der)?;
        let (_, rest) = pem::take(0x02, body)?;
        let (scalar, rest) = pem::take(0x04, rest)?;
        let rest = pem::take(0xa0, rest).map_or(rest, |(_, rest)| rest);
        let (public, _) = pem::take(0xa1, rest)?;
        let (point, _) = pem::take(0x03, public)?;
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, scalar, point.get(1..)?, &random)
            .ok()?;
        Some(Self { pair: Arc::new(Pair::P256 { pair, scalar: scalar.to_vec() }) })
    }

    /// `SEQUENCE { version 0, algorithm, OCTET STRING key }` (RFC 5208); the key is PKCS#1 or SEC1 inside.
    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let (body, _) = pem::take(0x30, der)?;
        let (_, rest) = pem::take(0x02, body)?;
        let (algorithm, rest) = pem::take(0x30, rest)?;
        let (inner, _) = pem::take(0x04, rest)?;
        if algorithm.starts_with(OID_RSA) { Self::from_pkcs1(inner) } else { Self::from_sec1(inner) }
    }

    /// The private key as PEM in the form `mender-artifact` 3 reads: SEC1 for P-256, PKCS#1 for RSA.
    pub fn private_pem(&self) -> String {
        let (pair, scalar) = match &*self.pair {
            Pair::P256 { pair, scalar } => (pair, scalar),
            Pair::Rsa { pkcs1, .. } => return pem::armour("RSA PRIVATE KEY", pkcs1),
        };
        let curve = pem::der(0xa0, &[OID_P256]);
        let point = pem::der(0x03, &[&[0], pair.public_key().as_ref()]);
        let parts: [&[u8]; 4] =
            [&[0x02, 1, 1], &pem::der(0x04, &[scalar]), &curve, &pem::der(0xa1, &[&point])];
        pem::armour("EC PRIVATE KEY", &pem::der(0x30, &parts))
    }

    /// The public key as SubjectPublicKeyInfo DER.
    pub fn public_der(&self) -> Vec<u8> {
        let (algorithm, key) = match &*self.pair {
            Pair::P256 { pair, .. } => {
                (pem::der(0x30, &[OID_EC_PUBLIC_KEY, OID_P256]), pair.public_key().as_ref())
            }
            Pair::Rsa { pair, .. } => (pem::der(0x30, &[OID_RSA, &[0x05, 0]]), pair.public_key().as_ref()),
        };
        pem::der(0x30, &[&algorithm, &pem::der(0x03, &[&[0], key])])
    }

    /// The public key as PEM (`PUBLIC KEY`).
    pub fn public_pem(&self) -> String {
        pem::armour("PUBLIC KEY", &self.public_der())
    }

    /// Signs a message: raw r‖s (64 bytes) for P-256, as long as the modulus for RSA.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::P256 { pair, .. } => {
                pair.sign(&random, message).expect("the system gives random bytes").as_ref().to_vec()
            }
            Pair::Rsa { pair, .. } => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("the buffer has the modulus' length");
                signature
            }
        }
    }

    /// The text of `manifest.sig` for this manifest: standard base64 on one line, no newline.
    pub fn sign_manifest(&self, manifest: &[u8]) -> Vec<u8> {
        pem::base64(&self.sign(manifest)).into_bytes()
    }

    /// Whether `signature` (raw r‖s for P-256) is this key's over `message`, by `ring`'s judgement.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &*self.pair {
            Pair::P256 { pair, .. } => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())
                .verify(message, signature)
                .is_ok(),
            Pair::Rsa { pair, .. } => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key())
                .verify(message, signature)
                .is_ok(),
        }
    }

    /// Whether this is a P-256 key.
    pub fn is_p256(&self) -> bool {
        matches!(&*self.pair, Pair::P256 { .. })
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_p256() { "Key(P-256)" } else { "Key(RSA)" })
    }
}

/// Turns a raw signature (r‖s, both halves equally long) into DER, as hardware tokens and MCUboot have it.
pub fn der_signature(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    pem::der(0x30, &[&unsigned(r), &unsigned(s)])
}

/// The other valid signature for the same message: s replaced by n − s, so that a low s becomes high and
/// back.
///
/// # Panics
/// When `raw` is not 64 bytes.
pub fn other_s(raw: &[u8]) -> Vec<u8> {
    assert_eq!(raw.len(), 64, "a raw P-256 signature has 64 bytes");
    let mut out = raw.to_vec();
    let mut borrow = false;
    for (byte, order) in out[32..].iter_mut().zip(P256_ORDER).rev() {
        let (less, first) = order.overflowing_sub(*byte);
        let (less, second) = less.overflowing_sub(u8::from(borrow));
        *byte = less;
        borrow = first || second;
    }
    out
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A DER INTEGER from a big-endian number.
fn unsigned(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count().min(number.len().saturating_sub(1));
    let digits = &number[zeros..];
    let sign: &[u8] = if digits.first().is_some_and(|byte| *byte >= 0x80) { &[0] } else { &[] };
    pem::der(0x02, &[sign, digits])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::ECDSA_P256_SHA256_ASN1;

    #[test]
    fn a_made_key_survives_pem_and_signs() {
        let key = Key::generate();
        let again = Key::from_pem(&key.private_pem()).unwrap();
        assert_eq!(key.public_pem(), again.public_pem());
        let signature = again.sign(b"manifest");
        assert!(key.verify(b"manifest", &signature));
        assert!(!key.verify(b"Manifest", &signature));
        assert!(!Key::generate().verify(b"manifest", &signature));
    }

    #[test]
    fn der_signatures_are_valid_whatever_the_leading_bytes() {
        let key = Key::generate();
        let der = key.public_der();
        let point = &der[der.len() - 65..];
        for message in 0..64u8 {
            let signature = der_signature(&key.sign(&[message]));
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(&[message], &signature).unwrap();
        }
        assert_eq!(der_signature(&[0, 1, 0x80, 0]), [0x30, 8, 2, 1, 1, 2, 3, 0, 0x80, 0]);
    }

    #[test]
    fn the_other_s_is_another_signature_for_the_same_message() {
        let key = Key::generate();
        let signature = key.sign(b"manifest");
        let other = other_s(&signature);
        assert_ne!(signature, other);
        assert!(key.verify(b"manifest", &other));
        assert_eq!(other_s(&other), signature);
    }

    #[test]
    fn text_without_a_usable_key_is_refused() {
        assert_eq!(Key::from_pem("no key").unwrap_err(), KeyError::NoPrivateKey);
        assert_eq!(Key::from_pem(&Key::generate().public_pem()).unwrap_err(), KeyError::NoPrivateKey);
        let garbage = pem::armour("PRIVATE KEY", &[1, 2, 3]);
        assert_eq!(Key::from_pem(&garbage).unwrap_err(), KeyError::Unsupported);
    }
}
