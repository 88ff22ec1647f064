// SPDX-License-Identifier: Apache-2.0
//! The `Crypto` port: the device key in its own flash page, and the artifact verification keys.
//!
//! The key page holds a granule with a mark, then length, PKCS#8 and CRC. The mark is written last, so that a cut while the key is made
//! leaves "absent", and a page that rots afterwards is "unreadable", never "absent".

use mender_base::sha256::Sha256;
use mender_port::{DeviceKey, Errno, KeyKind, Result};
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::flash::{ERASED, Flash};
use crate::layout::Area;
use crate::power::Xorshift;

const MARK: u8 = 0x4b;
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
/// `DigestInfo` of SHA-256 up to the hash itself (RFC 8017 §9.2, note 1).
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// Where random bytes come from.
#[derive(Debug)]
pub struct Random(Option<Xorshift>);

impl Random {
    /// The operating system.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A seed: the same bytes each time. For simulations only.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Xorshift::new(seed)))
    }

    fn fill(&mut self, buf: &mut [u8]) -> Result<()> {
        match &mut self.0 {
            Some(numbers) => {
                buf.iter_mut().for_each(|byte| *byte = numbers.next().to_be_bytes()[0]);
                Ok(())
            }
            None => SystemRandom::new().fill(buf).map_err(|_no_entropy| Errno::EIO),
        }
    }

    /// A random number.
    pub fn number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes).map_or(0, |()| u32::from_le_bytes(bytes))
    }
}

/// An artifact verification key.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// ECDSA on P-256.
    P256(VerifyingKey),
    /// RSA of 2048…4096 bits.
    Rsa(rsa::PublicKey),
}

impl PublicKey {
    /// Reads a `PUBLIC KEY` PEM (SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// A sentence for a person: no such PEM, or neither P-256 nor RSA of 2048…4096 bits.
    pub fn from_pem(text: &str) -> std::result::Result<Self, String> {
        use rsa::traits::PublicKeyParts as _;
        let text = text.trim();
        if let Ok(key) = VerifyingKey::from_public_key_pem(text) {
            return Ok(Self::P256(key));
        }
        match <rsa::PublicKey as rsa::pkcs8::DecodePublicKey>::from_public_key_pem(text) {
            Ok(key) if (2048..=4096).contains(&(key.size() * 8)) => Ok(Self::Rsa(key)),
            Ok(key) => Err(format!("an RSA key of {} bits; 2048 to 4096 are supported", key.size() * 8)),
            Err(_neither) => {
                Err("not a public key in PEM form (\"BEGIN PUBLIC KEY\") of type ECDSA P-256 or RSA".into())
            }
        }
    }

    /// The kind of key.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::P256(_) => KeyKind::P256,
            Self::Rsa(_) => KeyKind::Rsa,
        }
    }

    /// Whether a signature as artifacts have it is good: P-256 also in DER, as hardware signers write it.
    #[must_use]
    pub fn verify_encoded(&self, hash: &Sha256, signature: &[u8]) -> bool {
        match self {
            Self::P256(key) if signature.len() != 64 => Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(hash, &signature).is_ok()),
            Self::P256(_) | Self::Rsa(_) => self.verify(hash, signature),
        }
    }

    /// Whether `signature` over `hash` is good: raw r‖s for P-256, PKCS#1 v1.5 for RSA.
    #[must_use]
    pub fn verify(&self, hash: &Sha256, signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(hash, &signature).is_ok()),
            Self::Rsa(key) => {
                let scheme =
                    rsa::Pkcs1v15Sign { hash_len: Some(hash.len()), prefix: SHA256_DIGEST_INFO.into() };
                key.verify(scheme, hash, signature).is_ok()
            }
        }
    }
}

/// The keys of a device, kept in its flash: [`Crypto`](mender_port::Crypto) without hashing. Where a simulation needs speed more than
/// cryptography, it has keys of its own.
pub trait DeviceKeys {
    /// See [`mender_port::Crypto::device_key`].
    ///
    /// # Errors
    /// `-EBADMSG` when there is a key that is damaged, or what the flash said.
    fn device_key(&mut self, flash: &mut Flash) -> Result<DeviceKey>;

    /// See [`mender_port::Crypto::make_device_key`].
    ///
    /// # Errors
    /// What the flash said.
    fn make_device_key(&mut self, flash: &mut Flash) -> Result<()>;

    /// See [`mender_port::Crypto::public_key`].
    ///
    /// # Errors
    /// `-ENOKEY`, or as [`DeviceKeys::device_key`].
    fn public_key(&mut self, flash: &mut Flash, point: &mut [u8; 65]) -> Result<()>;

    /// See [`mender_port::Crypto::sign`].
    ///
    /// # Errors
    /// `-ENOKEY`, or as [`DeviceKeys::device_key`].
    fn sign(&mut self, flash: &mut Flash, hash: &Sha256, signature: &mut [u8; 64]) -> Result<()>;

    /// See [`mender_port::Crypto::verification_key`].
    fn verification_key(&self, index: usize) -> Option<KeyKind>;

    /// See [`mender_port::Crypto::verify`].
    ///
    /// # Errors
    /// `-EINVAL` when there is no such key.
    fn verify(&mut self, index: usize, hash: &Sha256, signature: &[u8]) -> Result<bool>;

    /// See [`mender_port::Crypto::random`].
    fn random(&mut self) -> u32;
}

/// Keys of a device.
#[derive(Debug)]
pub struct Keys {
    /// Artifact verification keys.
    pub verification: Vec<PublicKey>,
    /// Random numbers, those for the device key included.
    pub random: Random,
    device: Option<SigningKey>,
}

impl Keys {
    /// Keys with this source of randomness.
    #[must_use]
    pub fn new(random: Random, verification: Vec<PublicKey>) -> Self {
        Self { verification, random, device: None }
    }

    fn generate(&mut self) -> Result<SigningKey> {
        // A random number is no valid key with a probability of 2^-32.
        for _ in 0..4 {
            let mut scalar = [0; 32];
            self.random.fill(&mut scalar)?;
            if let Ok(key) = SigningKey::from_slice(&scalar) {
                return Ok(key);
            }
        }
        Err(Errno::EIO)
    }

    fn device(&mut self, flash: &mut Flash) -> Result<&SigningKey> {
        if self.device.is_none() {
            self.device_key(flash)?;
        }
        self.device.as_ref().ok_or(Errno(-126))
    }
}

impl DeviceKeys for Keys {
    fn device_key(&mut self, flash: &mut Flash) -> Result<DeviceKey> {
        let granule = flash.layout().granule as usize;
        let mut page = vec![0; flash.layout().page_size as usize];
        flash.read(Area::Key, 0, &mut page)?;
        let (mark, body) = page.split_at(granule);
        self.device = key_of(body);
        match (&self.device, mark.iter().all(|byte| *byte == ERASED)) {
            (Some(_), _) => Ok(DeviceKey::Present),
            (None, true) => Ok(DeviceKey::Absent),
            (None, false) => Err(Errno(-74)),
        }
    }

    fn make_device_key(&mut self, flash: &mut Flash) -> Result<()> {
        let key = self.generate()?;
        let pkcs8 = key.to_pkcs8_der().map_err(|_encoding| Errno::EIO)?;
        let pkcs8 = pkcs8.as_bytes();
        let len = u16::try_from(pkcs8.len()).map_err(|_huge| Errno::EIO)?;
        let mut body = len.to_le_bytes().to_vec();
        body.extend_from_slice(pkcs8);
        body.extend(CRC.checksum(&body).to_le_bytes());
        let granule = flash.layout().granule;
        body.resize(body.len().next_multiple_of(granule as usize), ERASED);
        let mut mark = vec![ERASED; granule as usize];
        mark[0] = MARK;
        flash.erase(Area::Key, 0)?;
        flash.program(Area::Key, granule, &body)?;
        flash.program(Area::Key, 0, &mark)?;
        self.device = Some(key);
        Ok(())
    }

    fn public_key(&mut self, flash: &mut Flash, point: &mut [u8; 65]) -> Result<()> {
        let encoded = VerifyingKey::from(self.device(flash)?).to_sec1_point(false);
        *point = encoded.as_bytes().try_into().map_err(|_length| Errno::EIO)?;
        Ok(())
    }

    fn sign(&mut self, flash: &mut Flash, hash: &Sha256, signature: &mut [u8; 64]) -> Result<()> {
        let made: Signature = self.device(flash)?.sign_prehash(hash).map_err(|_unsigned| Errno::EIO)?;
        *signature = made.to_bytes().into();
        Ok(())
    }

    fn verify(&mut self, index: usize, hash: &Sha256, signature: &[u8]) -> Result<bool> {
        self.verification.get(index).map(|key| key.verify(hash, signature)).ok_or(Errno::EINVAL)
    }

    fn verification_key(&self, index: usize) -> Option<KeyKind> {
        self.verification.get(index).map(PublicKey::kind)
    }

    fn random(&mut self) -> u32 {
        self.random.number()
    }
}

fn key_of(body: &[u8]) -> Option<SigningKey> {
    let (len, rest) = body.split_first_chunk::<2>()?;
    let (pkcs8, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    let (crc, _) = rest.split_first_chunk::<4>()?;
    let covered = &body[..2 + pkcs8.len()];
    (CRC.checksum(covered) == u32::from_le_bytes(*crc)).then_some(())?;
    SigningKey::from_pkcs8_der(pkcs8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cut, Layout, Moment, Tear};
    use mender_base::sha256::{Soft, digest};
    use mender_testkit::key::Key;

    const RSA_3072: &str = include_str!("../../../tests/conformance/fixtures/keys/rsa3072.pem");

    #[test]
    fn the_key_outlives_a_restart_and_signs() {
        let mut flash = Flash::new(Layout::default());
        let mut keys = Keys::new(Random::system(), Vec::new());
        assert_eq!(keys.device_key(&mut flash), Ok(DeviceKey::Absent));
        assert_eq!(keys.sign(&mut flash, &[1; 32], &mut [0; 64]), Err(Errno(-126)));
        keys.make_device_key(&mut flash).unwrap();
        let (mut point, mut again) = ([0; 65], [0; 65]);
        keys.public_key(&mut flash, &mut point).unwrap();
        let mut keys = Keys::new(Random::system(), Vec::new());
        assert_eq!(keys.device_key(&mut flash), Ok(DeviceKey::Present));
        keys.public_key(&mut flash, &mut again).unwrap();
        assert_eq!(point, again);

        let mut signature = [0; 64];
        keys.sign(&mut flash, &digest::<Soft>(b"message"), &mut signature).unwrap();
        let ring_key =
            ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point);
        ring_key.verify(b"message", &signature).unwrap();
        assert!(ring_key.verify(b"massage", &signature).is_err());
    }

    #[test]
    fn a_cut_while_the_key_is_made_leaves_no_key_or_the_key() {
        for tear in [Tear::Nothing, Tear::Half, Tear::Bits(2), Tear::Bits(3), Tear::All] {
            for number in 1..=3 {
                let mut flash = Flash::new(Layout::default());
                flash.power.plan(Some(Cut { moment: Moment::KeyWrite, number, tear }));
                Keys::new(Random::seeded(1), Vec::new()).make_device_key(&mut flash).unwrap_err();
                flash.power.restore();
                let mut keys = Keys::new(Random::seeded(2), Vec::new());
                if keys.device_key(&mut flash).unwrap() == DeviceKey::Absent {
                    keys.make_device_key(&mut flash).unwrap();
                }
                assert_eq!(keys.device_key(&mut flash), Ok(DeviceKey::Present), "{tear:?} {number}");
                assert_eq!(flash.misuse(), None);
            }
        }
    }

    #[test]
    fn a_damaged_key_is_unreadable_and_not_absent() {
        let mut flash = Flash::new(Layout::default());
        Keys::new(Random::seeded(1), Vec::new()).make_device_key(&mut flash).unwrap();
        let whole = flash.view(Area::Key).to_vec();
        for at in [8, 10, 60, 150] {
            let mut page = whole.clone();
            page[at] ^= 4;
            flash.provision(Area::Key, &page).unwrap();
            assert_eq!(
                Keys::new(Random::seeded(1), Vec::new()).device_key(&mut flash),
                Err(Errno(-74)),
                "{at}"
            );
        }
    }

    #[test]
    fn artifact_signatures_of_both_kinds_are_told_from_forgeries() {
        for key in [Key::generate(), Key::from_pem(RSA_3072).unwrap()] {
            let public = PublicKey::from_pem(&key.public_pem()).unwrap();
            let signature = key.sign(b"manifest");
            assert!(public.verify(&digest::<Soft>(b"manifest"), &signature));
            assert!(!public.verify(&digest::<Soft>(b"manifesto"), &signature));
            for at in [0, signature.len() - 1] {
                let mut forged = signature.clone();
                forged[at] ^= 1;
                assert!(!public.verify(&digest::<Soft>(b"manifest"), &forged));
            }
            assert!(!public.verify(&digest::<Soft>(b"manifest"), &signature[1..]));
            assert!(!public.verify(&digest::<Soft>(b"manifest"), &[]));
        }
        assert!(PublicKey::from_pem("nonsense").is_err());
    }
}
