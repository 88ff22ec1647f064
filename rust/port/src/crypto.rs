// SPDX-License-Identifier: Apache-2.0
//! The device key and the artifact verification keys.

use crate::Result;
use mender_base::sha256::{Hasher, Sha256};

/// Whether the device has its key. "Cannot be read" is an error of the call, and never taken for "absent".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKey {
    /// The key can be used.
    Present,
    /// The key store was read, and there is no key.
    Absent,
}

/// What an artifact verification key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256; signatures are 64 raw bytes r‖s.
    P256,
    /// RSA, PKCS#1 v1.5, 2048…4096 bits.
    Rsa,
}

/// Keys and random numbers. The device key is ECDSA P-256; its private half never leaves the port.
pub trait Crypto {
    /// SHA-256: the `sha2` crate's, or the chip's engine.
    type Hasher: Hasher;

    /// Looks for the device key.
    ///
    /// # Errors
    /// The key store could not be read: a key may well be there.
    fn device_key(&mut self) -> Result<DeviceKey>;

    /// Makes the device key and keeps it. Called only after [`DeviceKey::Absent`].
    ///
    /// # Errors
    /// There may or may not be a key.
    fn make_device_key(&mut self) -> Result<()>;

    /// The public key: an uncompressed point, `04 ‖ x ‖ y`.
    ///
    /// # Errors
    /// `point` is undefined.
    fn public_key(&mut self, point: &mut [u8; 65]) -> Result<()>;

    /// Signs a hash with the device key: raw r‖s.
    ///
    /// # Errors
    /// `signature` is undefined.
    fn sign(&mut self, hash: &Sha256, signature: &mut [u8; 64]) -> Result<()>;

    /// Artifact verification key number `index`, counted from 0; `None` past the last. With none configured, signatures are not asked for.
    fn verification_key(&mut self, index: usize) -> Option<KeyKind>;

    /// Whether `signature` over `hash` is good under key `index`: raw r‖s for [`KeyKind::P256`], PKCS#1 v1.5 for [`KeyKind::Rsa`].
    ///
    /// # Errors
    /// The check could not be made; it counts as bad.
    fn verify(&mut self, index: usize, hash: &Sha256, signature: &[u8]) -> Result<bool>;

    /// A random number for jitter; it need not be fit for keys.
    fn random(&mut self) -> u32;
}
