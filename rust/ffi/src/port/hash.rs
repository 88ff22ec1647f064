// SPDX-License-Identifier: Apache-2.0
//! SHA-256 by the platform, which may have a hash engine.

use mender_base::sha256::{Hasher, Sha256};
use zephyr_sys as sys;

/// A running hash of the platform's.
pub(crate) struct PortHasher(sys::mender_hash);

impl Hasher for PortHasher {
    const IDLE: Self = Self(sys::mender_hash { opaque: [0; _] });

    fn restart(&mut self) {
        // SAFETY: the port may write the hash, which is lent to it for the call.
        unsafe { sys::mender_port_hash_restart(&raw mut self.0) };
    }

    fn update(&mut self, data: &[u8]) {
        // A slice of ours is never that long.
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        // SAFETY: the port may write the hash, and read `data` for its length, during the call.
        unsafe { sys::mender_port_hash_update(&raw mut self.0, data.as_ptr(), len) };
    }

    fn finish(&mut self) -> Sha256 {
        let mut hash = [0; 32];
        // SAFETY: the port may write the hash, and 32 bytes, which these are, during the call.
        let answer = unsafe { sys::mender_port_hash_finish(&raw mut self.0, hash.as_mut_ptr()) };
        // Nothing is known that has the hash zero: what is compared with it is refused.
        if answer == 0 { hash } else { [0; 32] }
    }
}

impl Drop for PortHasher {
    fn drop(&mut self) {
        self.restart();
    }
}
