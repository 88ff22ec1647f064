// SPDX-License-Identifier: Apache-2.0
//! Images in MCUboot's format whose payload says how the simulated firmware behaves.
//!
//! Layout, little-endian: header (32 bytes, padded to `header_size`), payload, optional protected TLVs, TLVs.
//! The SHA-256 TLV covers all before the TLVs; the optional ECDSA TLV signs the same bytes. The payload
//! starts with one line of JSON, then filler.
//!
//! Source: MCUboot, `docs/design.md`, "Image format".

use crate::key::{Key, der_signature, sha256};

/// `ih_magic` of the image header.
pub const MAGIC: u32 = 0x96f3_b83d;
/// Length of the header's fields in bytes; the header area may be longer.
pub const HEADER_FIELDS_SIZE: usize = 32;
/// Magic of the TLV area.
pub const TLV_INFO_MAGIC: u16 = 0x6907;
/// Magic of the protected TLV area.
pub const TLV_PROT_INFO_MAGIC: u16 = 0x6908;

const TLV_KEYHASH: u16 = 0x01;
const TLV_SHA256: u16 = 0x10;
const TLV_ECDSA_SIG: u16 = 0x22;
const TLV_SECURITY_COUNTER: u16 = 0x50;
const FLAG_RAM_LOAD: u32 = 0x20;

/// What the simulated firmware in an image does once it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Works.
    Fine,
    /// Starts, then fails its self-test.
    FailsSelfTest,
    /// Never comes up; the watchdog resets it.
    Hangs,
    /// Works but for its network.
    NeverReachesServer,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fine, Self::FailsSelfTest, Self::Hangs, Self::NeverReachesServer];

    /// The word for it in payloads and on command lines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::FailsSelfTest => "fails-self-test",
            Self::Hangs => "hangs",
            Self::NeverReachesServer => "never-reaches-server",
        }
    }

    /// The behaviour of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|behaviour| behaviour.word() == word)
    }
}

/// `major.minor.revision+build`; the build number is 0 when absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number.
    pub revision: u16,
    /// Number after the `+`.
    pub build: u32,
}

impl Version {
    /// Reads `1.2.3` or `1.2.3+4`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, build) = text.split_once('+').unwrap_or((text, "0"));
        let mut parts = numbers.split('.');
        let (major, minor, revision) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            revision: revision.parse().ok()?,
            build: build.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.revision)?;
        if self.build == 0 { Ok(()) } else { write!(f, "+{}", self.build) }
    }
}

/// An image to be made.
///
/// ```
/// use mender_testkit::image::{self, Behaviour, Image, Version};
/// let bytes = Image::new(Version::parse("2.0.0").unwrap(), Behaviour::Hangs).size(8192).build();
/// assert_eq!(bytes.len(), 8192);
/// assert_eq!(image::behaviour_of(&bytes), Some(Behaviour::Hangs));
/// ```
#[derive(Clone, Debug)]
pub struct Image {
    version: Version,
    behaviour: Behaviour,
    size: usize,
    header_size: u16,
    load_addr: u32,
    security_counter: Option<u32>,
    key: Option<Key>,
}

impl Image {
    /// An unsigned image of 16 KiB with a header of 0x200 bytes.
    pub fn new(version: Version, behaviour: Behaviour) -> Self {
        Self {
            version,
            behaviour,
            size: 16 * 1024,
            header_size: 0x200,
            load_addr: 0,
            security_counter: None,
            key: None,
        }
    }

    /// Sets the size of the whole image in bytes, TLVs included. A smaller size than the parts need is
    /// ignored; a signed image may be up to 8 bytes shorter, since ECDSA signatures in DER vary in length.
    #[must_use]
    pub fn size(mut self, size_bytes: usize) -> Self {
        self.size = size_bytes;
        self
    }

    /// Sets the size of the header area in bytes; at least 32.
    #[must_use]
    pub fn header_size(mut self, header_size_bytes: u16) -> Self {
        self.header_size = header_size_bytes.max(HEADER_FIELDS_SIZE as u16);
        self
    }

    /// Sets the address in RAM the image asks to be loaded to, and the flag that says so.
    #[must_use]
    pub fn load_addr(mut self, load_addr: u32) -> Self {
        self.load_addr = load_addr;
        self
    }

    /// Adds a security counter in a protected TLV.
    #[must_use]
    pub fn security_counter(mut self, counter: u32) -> Self {
        self.security_counter = Some(counter);
        self
    }

    /// Signs with ECDSA P-256.
    ///
    /// # Panics
    /// When the key is no P-256 key.
    #[must_use]
    pub fn sign(mut self, key: &Key) -> Self {
        assert!(key.is_p256(), "images are signed with P-256 keys");
        self.key = Some(key.clone());
        self
    }

    /// The image as bytes.
    pub fn build(&self) -> Vec<u8> {
        let protected = self.protected_tlvs();
        // Signature TLVs: 4 + 32 for the key's hash, 4 + at most 72 for the signature.
        let tlvs_size = 4 + 36 + if self.key.is_some() { 36 + 76 } else { 0 };
        let around = usize::from(self.header_size) + protected.len() + tlvs_size;
        let payload = self.payload(self.size.saturating_sub(around));
        let mut out = self.header(payload.len(), protected.len());
        out.extend_from_slice(&payload);
        out.extend_from_slice(&protected);
        let mut tlvs = tlv(TLV_SHA256, &sha256(&out));
        if let Some(key) = &self.key {
            tlvs.extend(tlv(TLV_KEYHASH, &sha256(&key.public_der())));
            tlvs.extend(tlv(TLV_ECDSA_SIG, &der_signature(&key.sign(&out))));
        }
        out.extend(tlv_area(TLV_INFO_MAGIC, &tlvs));
        out
    }

    fn header(&self, payload_len: usize, protected_len: usize) -> Vec<u8> {
        let flags = if self.load_addr == 0 { 0 } else { FLAG_RAM_LOAD };
        let mut header = Vec::new();
        header.extend(MAGIC.to_le_bytes());
        header.extend(self.load_addr.to_le_bytes());
        header.extend(self.header_size.to_le_bytes());
        header.extend((protected_len as u16).to_le_bytes());
        header.extend((payload_len as u32).to_le_bytes());
        header.extend(flags.to_le_bytes());
        header.extend([self.version.major, self.version.minor]);
        header.extend(self.version.revision.to_le_bytes());
        header.extend(self.version.build.to_le_bytes());
        header.resize(usize::from(self.header_size), 0);
        header
    }

    fn payload(&self, len: usize) -> Vec<u8> {
        let mut payload = format!(
            "{{\"firmware\":\"simulated\",\"version\":\"{}\",\"behaviour\":\"{}\"}}\n",
            self.version,
            self.behaviour.word()
        )
        .into_bytes();
        let mut state =
            sha256(&payload).iter().fold(1u64, |state, byte| state.rotate_left(8) ^ u64::from(*byte));
        while payload.len() < len {
            // xorshift64: any filler does that is the same every time and does not compress.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let left = len - payload.len();
            payload.extend_from_slice(&state.to_le_bytes()[..left.min(8)]);
        }
        payload
    }

    fn protected_tlvs(&self) -> Vec<u8> {
        match self.security_counter {
            Some(counter) => {
                tlv_area(TLV_PROT_INFO_MAGIC, &tlv(TLV_SECURITY_COUNTER, &counter.to_le_bytes()))
            }
            None => Vec::new(),
        }
    }
}

/// Why bytes are not a whole image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// Another magic number, or too short for a header.
    NotAnImage,
    /// A length in the header or a TLV points past the end.
    Truncated,
    /// There is no SHA-256 TLV.
    NoHash,
    /// The SHA-256 TLV does not match the content.
    HashMismatch,
}

/// What a whole image says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Version in the header.
    pub version: Version,
    /// Behaviour in the payload; `None` when the payload is not ours.
    pub behaviour: Option<Behaviour>,
    /// SHA-256 TLV, equal to the hash of the content.
    pub hash: [u8; 32],
    /// Bytes from the header to the end of the TLVs.
    pub size: usize,
}

/// Checks an image as MCUboot does before a swap, signatures aside. Bytes after the image are ignored, so a
/// slot will do.
///
/// # Errors
/// See [`ImageError`].
pub fn check(bytes: &[u8]) -> Result<Info, ImageError> {
    let parts = Parts::of(bytes)?;
    let hash = parts.hash.ok_or(ImageError::NoHash)?;
    if hash != sha256(parts.hashed) {
        return Err(ImageError::HashMismatch);
    }
    Ok(Info { version: parts.version, behaviour: parts.behaviour(), hash, size: parts.size })
}

/// The behaviour an image's payload announces; the hash is not checked.
pub fn behaviour_of(bytes: &[u8]) -> Option<Behaviour> {
    Parts::of(bytes).ok()?.behaviour()
}

/// The version in the image's header; the hash is not checked.
pub fn version_of(bytes: &[u8]) -> Option<Version> {
    Some(Parts::of(bytes).ok()?.version)
}

/// The SHA-256 TLV of an image; it is not checked against the content.
pub fn hash_of(bytes: &[u8]) -> Option<[u8; 32]> {
    Parts::of(bytes).ok()?.hash
}

struct Parts<'a> {
    version: Version,
    payload: &'a [u8],
    /// Header, payload and protected TLVs.
    hashed: &'a [u8],
    hash: Option<[u8; 32]>,
    size: usize,
}

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let header = bytes.get(..HEADER_FIELDS_SIZE).ok_or(ImageError::NotAnImage)?;
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let word = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;
        if word(0) != MAGIC {
            return Err(ImageError::NotAnImage);
        }
        let payload_start = usize::from(half(8));
        let payload_end = payload_start + word(12) as usize;
        let tlvs_start = payload_end + usize::from(half(10));
        let payload = bytes.get(payload_start..payload_end).ok_or(ImageError::Truncated)?;
        let (hashed, rest) = bytes.split_at_checked(tlvs_start).ok_or(ImageError::Truncated)?;
        let (tlvs_size, hash) = read_tlvs(rest)?;
        let version = Version { major: header[20], minor: header[21], revision: half(22), build: word(24) };
        Ok(Self { version, payload, hashed, hash, size: tlvs_start + tlvs_size })
    }

    fn behaviour(&self) -> Option<Behaviour> {
        let line = self.payload.split(|byte| *byte == b'\n').next()?;
        let value: serde_json::Value = serde_json::from_slice(line).ok()?;
        Behaviour::from_word(value.get("behaviour")?.as_str()?)
    }
}

/// The size of a TLV area in bytes and the SHA-256 in it.
fn read_tlvs(area: &[u8]) -> Result<(usize, Option<[u8; 32]>), ImageError> {
    let half = |bytes: &[u8], at: usize| Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    if half(area, 0) != Some(TLV_INFO_MAGIC) {
        return Err(ImageError::Truncated);
    }
    let size = usize::from(half(area, 2).ok_or(ImageError::Truncated)?);
    let mut rest = area.get(4..size).ok_or(ImageError::Truncated)?;
    let mut hash = None;
    while !rest.is_empty() {
        let (Some(kind), Some(len)) = (half(rest, 0), half(rest, 2)) else {
            return Err(ImageError::Truncated);
        };
        let value = rest.get(4..4 + usize::from(len)).ok_or(ImageError::Truncated)?;
        if kind == TLV_SHA256 {
            hash = Some(value.try_into().map_err(|_length| ImageError::Truncated)?);
        }
        rest = &rest[4 + usize::from(len)..];
    }
    Ok((size, hash))
}

fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(kind.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    out
}

fn tlv_area(magic: u16, tlvs: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(magic.to_le_bytes());
    out.extend((tlvs.len() as u16 + 4).to_le_bytes());
    out.extend_from_slice(tlvs);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        Image::new(Version::parse("1.2.3+4").unwrap(), Behaviour::FailsSelfTest)
    }

    #[test]
    fn an_image_says_what_was_put_into_it() {
        for (signed, counter) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut image = image().size(10_001);
            if signed {
                image = image.sign(&Key::generate());
            }
            if counter {
                image = image.security_counter(7);
            }
            let bytes = image.build();
            let info = check(&bytes).unwrap();
            assert_eq!(info.version.to_string(), "1.2.3+4");
            assert_eq!(info.behaviour, Some(Behaviour::FailsSelfTest));
            assert_eq!(info.size, bytes.len());
            assert_eq!(hash_of(&bytes), Some(info.hash));
            assert_eq!(version_of(&bytes), Some(info.version));
            let spare = if signed { 8 } else { 0 };
            assert!((10_001 - spare..=10_001).contains(&bytes.len()), "{}", bytes.len());
        }
    }

    #[test]
    fn the_same_image_is_the_same_bytes_and_erased_flash_after_it_does_no_harm() {
        let mut bytes = image().build();
        assert_eq!(bytes, image().build());
        bytes.resize(bytes.len() + 4096, 0xff);
        assert_eq!(check(&bytes).unwrap().size, 16 * 1024);
    }

    #[test]
    fn every_flipped_byte_of_the_content_and_every_cut_is_found() {
        let bytes = image().size(2048).build();
        for at in 0..bytes.len() {
            assert!(check(&bytes[..at]).is_err(), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(check(&flipped).is_err(), "flipped at {at}");
        }
    }

    #[test]
    fn versions_that_mcuboot_cannot_hold_are_refused() {
        for text in ["", "1", "1.2", "1.2.3.4", "256.0.0", "1.2.65536", "1.2.x", "1.2.3+"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
