// SPDX-License-Identifier: Apache-2.0
//! The device token: a JWT signed with the server's own Ed25519 key.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::error::Error;
use crate::{json, stamp};

/// Signs and checks device tokens.
pub(crate) struct Signer {
    key: Ed25519KeyPair,
}

/// What a checked token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// The authentication set (`jti`).
    pub(crate) auth_set: String,
    /// The device (`sub`).
    pub(crate) device: String,
    /// End of life, seconds since 1970.
    pub(crate) expires: u64,
}

impl Signer {
    /// From a 32-byte seed.
    pub(crate) fn new(seed: &[u8]) -> Result<Self, Error> {
        match Ed25519KeyPair::from_seed_unchecked(seed) {
            Ok(key) => Ok(Self { key }),
            Err(error) => Err(Error::Tls(format!("token key: {error}"))),
        }
    }

    /// A token for `device`, at least `least` bytes long.
    pub(crate) fn issue(&self, auth_set: &str, device: &str, lifetime: Duration, least: usize) -> String {
        let now = stamp::unix(SystemTime::now());
        let mut claims = json!({
            "jti": auth_set,
            "sub": device,
            "iss": "Mender",
            "exp": now.saturating_add(lifetime.as_secs()),
            "iat": now,
            "nbf": -62_135_596_800_i64,
            "mender.device": true,
            "mender.plan": "enterprise",
            "mender.trial": false,
            "mender.addons": [
                {"name": "configure", "enabled": true},
                {"name": "troubleshoot", "enabled": true},
                {"name": "monitor", "enabled": true},
            ],
            // Two tokens of the same second differ, so that one can expire without the other.
            "mender.session": stamp::uuid(),
        });
        let token = self.encode(&claims);
        // Three bytes of claims are four characters of token; rounding up may add a few more.
        let missing = least.saturating_sub(token.len()).div_ceil(4) * 3;
        if missing == 0 {
            return token;
        }
        claims["mender.session"] = Value::String(format!("{}{}", stamp::uuid(), "0".repeat(missing)));
        self.encode(&claims)
    }

    fn encode(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"JWT"}"#);
        let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(json::encode(claims)));
        let signature = self.key.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// The claims of a token this server signed; its age is not judged.
    pub(crate) fn check(&self, token: &str) -> Option<Claims> {
        let (text, signature) = token.rsplit_once('.')?;
        let (_, claims) = text.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ED25519, self.key.public_key().as_ref());
        key.verify(text.as_bytes(), &signature).ok()?;
        read_claims(claims)
    }
}

fn read_claims(claims: &str) -> Option<Claims> {
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(Claims {
        auth_set: claims["jti"].as_str()?.to_owned(),
        device: claims["sub"].as_str()?.to_owned(),
        expires: claims["exp"].as_u64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_three_parts_of_the_usual_size_and_only_its_own_server_accepts_it() {
        let signer = Signer::new(&[7; 32]).unwrap();
        let token = signer.issue(&stamp::uuid(), "device-1", Duration::from_secs(60), 850);
        assert!((850..900).contains(&token.len()), "{}", token.len());
        assert_eq!(token.matches('.').count(), 2);
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
        assert_eq!(signer.check(&token).unwrap().device, "device-1");
        assert_eq!(Signer::new(&[8; 32]).unwrap().check(&token), None);
        let (head, tail) = token.split_at(60);
        let changed = if tail.starts_with('A') { "B" } else { "A" };
        assert_eq!(signer.check(&format!("{head}{changed}{}", &tail[1..])), None);
    }

    #[test]
    fn a_token_can_be_made_as_long_as_a_test_wants() {
        let signer = Signer::new(&[7; 32]).unwrap();
        for least in [0, 1000, 1536, 4096, 5000] {
            let length = signer.issue("set", "device", Duration::from_secs(1), least).len();
            assert!(length >= least && length < least.max(750) + 12, "{least}: {length}");
        }
    }
}
