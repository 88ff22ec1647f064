// SPDX-License-Identifier: Apache-2.0
//! The device's key without its cryptography: quick, and bound to the bytes that are signed all the same.
//!
//! A signature is two hashes of public key and message: anyone could make it, but only of these bytes and this key. What matters here
//! is whether the key outlives the power, and that is flash.

use mender_base::sha256::{Sha256, Soft, digest};
use mender_port::{DeviceKey, Errno, KeyKind, Result};
use mender_sim::flash::ERASED;
use mender_sim::keys::DeviceKeys;
use mender_sim::{Area, Flash};

use crate::random::Random;

const MARK: u8 = 0x4b;
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// The keys of a simulated device.
pub struct Keys {
    random: Random,
    point: Option<[u8; 65]>,
}

impl Keys {
    /// Keys whose random numbers have this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), point: None }
    }

    fn point(&mut self, flash: &mut Flash) -> Result<[u8; 65]> {
        if self.point.is_none() {
            self.device_key(flash)?;
        }
        self.point.ok_or(Errno(-126))
    }
}

/// The "public key" of a secret: a point on no curve.
fn point_of(secret: &[u8]) -> [u8; 65] {
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&digest::<Soft>(&[secret, b"x"].concat()));
    point[33..].copy_from_slice(&digest::<Soft>(&[secret, b"y"].concat()));
    point
}

/// The one signature of a hash under a key: r and s, both positive 32-byte numbers in DER without a leading zero.
#[must_use]
pub fn signature(point: &[u8; 65], hash: &Sha256) -> [u8; 64] {
    let mut signature = [0; 64];
    for (half, mark) in signature.chunks_mut(32).zip([b"r", b"s"]) {
        half.copy_from_slice(&digest::<Soft>(&[&point[..], hash, mark].concat()));
        half[0] = (half[0] & 0x7f) | 1;
    }
    signature
}

impl DeviceKeys for Keys {
    fn device_key(&mut self, flash: &mut Flash) -> Result<DeviceKey> {
        let granule = flash.layout().granule as usize;
        let mut page = vec![0; granule + 36];
        flash.read(Area::Key, 0, &mut page)?;
        let (mark, body) = page.split_at(granule);
        let (secret, crc) = body.split_at(32);
        if CRC.checksum(secret).to_le_bytes() == *crc {
            self.point = Some(point_of(secret));
            return Ok(DeviceKey::Present);
        }
        let blank = mark.iter().all(|byte| *byte == ERASED);
        if blank { Ok(DeviceKey::Absent) } else { Err(Errno(-74)) }
    }

    fn make_device_key(&mut self, flash: &mut Flash) -> Result<()> {
        let mut secret: Vec<u8> = (0..4).flat_map(|_| self.random.number().to_le_bytes()).collect();
        let point = point_of(&secret);
        secret.extend(CRC.checksum(&secret).to_le_bytes());
        let granule = flash.layout().granule;
        secret.resize(secret.len().next_multiple_of(granule as usize), ERASED);
        let mut mark = vec![ERASED; granule as usize];
        mark[0] = MARK;
        flash.erase(Area::Key, 0)?;
        flash.program(Area::Key, granule, &secret)?;
        flash.program(Area::Key, 0, &mark)?;
        self.point = Some(point);
        Ok(())
    }

    fn public_key(&mut self, flash: &mut Flash, point: &mut [u8; 65]) -> Result<()> {
        *point = self.point(flash)?;
        Ok(())
    }

    fn sign(&mut self, flash: &mut Flash, hash: &Sha256, signed: &mut [u8; 64]) -> Result<()> {
        *signed = signature(&self.point(flash)?, hash);
        Ok(())
    }

    fn verification_key(&self, _index: usize) -> Option<KeyKind> {
        None
    }

    fn verify(&mut self, _index: usize, _hash: &Sha256, _signature: &[u8]) -> Result<bool> {
        Err(Errno::EINVAL)
    }

    fn random(&mut self) -> u32 {
        self.random.number() as u32
    }
}
