// SPDX-License-Identifier: Apache-2.0
//! Device keys and the signature of an authentication request.
//!
//! Source: Mender device API, authentication, `X-MEN-Signature`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use spki::SubjectPublicKeyInfoRef;
use spki::der::asn1::ObjectIdentifier;
use spki::der::{Decode as _, Reader as _, SliceReader};

/// A device's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    kind: Kind,
    /// What the verifier wants: a PKCS#1 key, an uncompressed point or 32 raw bytes.
    key: Vec<u8>,
    /// The key in the form the server stores and compares: PEM, 64 columns, final newline.
    pub(crate) pem: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

impl PublicKey {
    /// Reads a `PUBLIC KEY` block, as tolerant of line ends and widths as the server is. `None` is a 400.
    pub(crate) fn parse(pem: &str) -> Option<Self> {
        let der = decode_pem(pem)?;
        let mut reader = SliceReader::new(&der).ok()?;
        let info = SubjectPublicKeyInfoRef::decode(&mut reader).ok()?;
        if !reader.is_finished() {
            return None;
        }
        let key = info.subject_public_key.as_bytes()?.to_vec();
        let oid = info.algorithm.oid;
        let kind = if oid == RSA {
            Kind::Rsa
        } else if oid == ED25519 && key.len() == 32 {
            Kind::Ed25519
        } else if oid == EC {
            let curve: ObjectIdentifier = info.algorithm.parameters?.decode_as().ok()?;
            match (curve, key.len(), key.first()) {
                (P256, 65, Some(4)) => Kind::P256,
                (P384, 97, Some(4)) => Kind::P384,
                _ => return None,
            }
        } else {
            return None;
        };
        Some(Self { kind, key, pem: encode_pem(&der) })
    }

    /// True when `signature` (the header's text) is this key's over exactly `body`.
    pub(crate) fn verifies(&self, signature: &str, body: &[u8]) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        let algorithm: &dyn VerificationAlgorithm = match self.kind {
            Kind::Rsa => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            Kind::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            // The digest is SHA-256 for every curve, so this is not the usual pair of P-384 with SHA-384.
            Kind::P384 => &signature::ECDSA_P384_SHA256_ASN1,
            Kind::Ed25519 => &signature::ED25519,
        };
        UnparsedPublicKey::new(algorithm, &self.key).verify(body, &signature).is_ok()
    }
}

/// The bytes of the first PEM block, if its label is `PUBLIC KEY`. Text before it, CRLF, one long line and a missing final
/// newline are fine.
fn decode_pem(text: &str) -> Option<Vec<u8>> {
    let start = text.find("-----BEGIN ")?;
    let body = text.get(start..)?.strip_prefix("-----BEGIN PUBLIC KEY-----")?;
    let (inside, _) = body.split_once("-----END PUBLIC KEY-----")?;
    let base64: String = inside.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(base64).ok()
}

fn encode_pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: [(&str, &str, &str); 5] = [
        (
            "rsa2048",
            include_str!("../tests/fixtures/auth/rsa2048.body.json"),
            include_str!("../tests/fixtures/auth/rsa2048.sig.b64"),
        ),
        (
            "rsa3072",
            include_str!("../tests/fixtures/auth/rsa3072.body.json"),
            include_str!("../tests/fixtures/auth/rsa3072.sig.b64"),
        ),
        (
            "p256",
            include_str!("../tests/fixtures/auth/p256.body.json"),
            include_str!("../tests/fixtures/auth/p256.sig.b64"),
        ),
        (
            "p384",
            include_str!("../tests/fixtures/auth/p384.body.json"),
            include_str!("../tests/fixtures/auth/p384.sig.b64"),
        ),
        (
            "ed25519",
            include_str!("../tests/fixtures/auth/ed25519.body.json"),
            include_str!("../tests/fixtures/auth/ed25519.sig.b64"),
        ),
    ];

    fn key_of(body: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        body["pubkey"].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_vector_verifies_and_none_does_after_a_change_of_one_byte() {
        for (name, body, signature) in VECTORS {
            let key = PublicKey::parse(&key_of(body)).unwrap();
            assert!(key.verifies(signature, body.as_bytes()), "{name}");
            assert!(
                !key.verifies(signature, body.replacen("00:11", "00:12", 1).as_bytes()),
                "{name}, other body"
            );
            assert!(
                !key.verifies(&signature.replace('+', "-").replace('/', "_"), body.as_bytes())
                    || !signature.contains(['+', '/'])
            );
            assert!(!key.verifies("", body.as_bytes()), "{name}, no signature");
        }
        let (_, body, _) = VECTORS[2];
        assert!(
            !PublicKey::parse(&key_of(body)).unwrap().verifies(VECTORS[3].2, body.as_bytes()),
            "another key's signature"
        );
    }

    #[test]
    fn a_key_is_the_same_key_however_its_pem_is_wrapped() {
        let (_, body, _) = VECTORS[2];
        let canonical = key_of(body);
        let inner: String = canonical.lines().filter(|line| !line.starts_with('-')).collect();
        let forms = [
            canonical.replace('\n', "\r\n"),
            canonical.trim_end().to_owned(),
            format!("-----BEGIN PUBLIC KEY-----\n{inner}\n-----END PUBLIC KEY-----"),
            format!("some text\n{canonical}"),
        ];
        for form in forms {
            assert_eq!(PublicKey::parse(&form).map(|key| key.pem).as_ref(), Some(&canonical), "{form:?}");
        }
    }

    #[test]
    fn other_labels_curves_and_garbage_are_refused() {
        let canonical = key_of(VECTORS[0].1);
        let bad = [
            String::new(),
            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n".to_owned(),
            canonical.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
            canonical.replace("-----END", ""),
            canonical.replacen("MII", "MIJ", 1),
            // secp256k1 and X25519, made with openssl.
            "-----BEGIN PUBLIC KEY-----\nMFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEnFyePoRrmxZ4DTdZVrwgERMOnWkdPNvv\nqO2hT4DWPrbPPNWeXlfzXnTOjCVGkWDnOPmWmlOGJ4HZ9ksqWM2qvA==\n-----END PUBLIC KEY-----\n".to_owned(),
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAZafrFFnpEn1KqzHXbfyKeuBYbnkWLLW/15H6S7nMSNE=\n-----END PUBLIC KEY-----\n".to_owned(),
        ];
        for pem in bad {
            assert_eq!(PublicKey::parse(&pem), None, "{pem}");
        }
    }
}
