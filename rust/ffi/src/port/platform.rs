// SPDX-License-Identifier: Apache-2.0
//! The ports that the platform defines.

use super::{Ports, count, done, progress};
use crate::raw::Receiver;
use crate::types::{MENDER_LEVEL_DEBUG, MENDER_LEVEL_ERROR, MENDER_LEVEL_INFO, MENDER_LEVEL_WARNING};
use mender_base::sha256::Sha256;
use mender_base::{Event, Level, limits};
use mender_port::{
    Boot, Channel, Clock, Crypto, DeviceKey, Errno, KeyKind, Log, Progress, Received, RecordId, ResetCause,
    Result, Slot, Store, SwapState, System, Transport,
};
use zephyr_sys as sys;

const AGAIN: i32 = -sys::EAGAIN;
const NO_ENTRY: i32 = -sys::ENOENT;

// The numbers that Rust knows are the platform's.
const _: () =
    assert!(Errno::EAGAIN.0 == AGAIN && Errno::EINVAL.0 == -sys::EINVAL && Errno::ENOSPC.0 == -sys::ENOSPC);

const fn channel(channel: Channel) -> i32 {
    match channel {
        Channel::Api => sys::MENDER_CHANNEL_API,
        Channel::Storage => sys::MENDER_CHANNEL_STORAGE,
        Channel::Connect => sys::MENDER_CHANNEL_CONNECT,
    }
}

const fn record(id: RecordId) -> i32 {
    match id {
        RecordId::A => sys::MENDER_RECORD_A,
        RecordId::B => sys::MENDER_RECORD_B,
        RecordId::Log => sys::MENDER_RECORD_LOG,
    }
}

/// Length of a buffer. None of ours comes near the end of `u32`.
fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// How many of `offered` bytes were taken.
fn taken(answer: i32, offered: &[u8]) -> Result<usize> {
    if answer == AGAIN {
        return Ok(0);
    }
    let taken = usize::try_from(answer).ok().ok_or(Errno(answer))?;
    // A platform that claims more has broken its word; what else it did is unknown.
    if taken <= offered.len() { Ok(taken) } else { Err(Errno::EINVAL) }
}

impl Transport for Ports {
    const SESSIONS: usize = 2;

    fn open(&mut self, on: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        let mut name = [0u8; limits::HOST_MAX + 1];
        if host.len() >= name.len() {
            return Err(Errno::EINVAL);
        }
        for (to, from) in name.iter_mut().zip(host.bytes()) {
            *to = from;
        }
        // SAFETY: `name` ends with NUL and outlives the call.
        done(unsafe { sys::mender_port_transport_open(channel(on), name.as_ptr().cast(), port, tls) })
    }

    fn send(&mut self, on: Channel, data: &[u8]) -> Result<usize> {
        // SAFETY: `data` may be read for its length during the call.
        let answer = unsafe { sys::mender_port_transport_send(channel(on), data.as_ptr(), len(data)) };
        taken(answer, data)
    }

    fn receive(&mut self, on: Channel, buf: &mut [u8]) -> Result<Received> {
        // SAFETY: `buf` may be written for its length during the call.
        let answer = unsafe { sys::mender_port_transport_receive(channel(on), buf.as_mut_ptr(), len(buf)) };
        match taken(answer, buf)? {
            0 if answer == 0 => Ok(Received::Closed),
            0 => Ok(Received::Nothing),
            n => Ok(Received::Data(n)),
        }
    }

    fn close(&mut self, on: Channel) {
        sys::mender_port_transport_close(channel(on));
    }
}

impl Slot for Ports {
    fn begin(&mut self, size: u32) -> Result<()> {
        done(sys::mender_port_slot_begin(size))
    }

    fn write(&mut self, data: &[u8]) -> Result<usize> {
        // SAFETY: `data` may be read for its length during the call.
        taken(unsafe { sys::mender_port_slot_write(data.as_ptr(), len(data)) }, data)
    }

    fn finish(&mut self) -> Result<()> {
        done(sys::mender_port_slot_finish())
    }

    fn read(&mut self, offset: u32, buf: &mut [u8]) -> Result<()> {
        // SAFETY: `buf` may be written for its length during the call.
        done(unsafe { sys::mender_port_slot_read(offset, buf.as_mut_ptr(), len(buf)) })
    }

    fn invalidate(&mut self) -> Result<bool> {
        progress(sys::mender_port_slot_invalidate()).map(|p| p == Progress::Done)
    }
}

impl Boot for Ports {
    fn running_hash(&mut self) -> Result<Sha256> {
        let mut hash = [0; 32];
        // SAFETY: the port may write 32 bytes, which these are.
        done(unsafe { sys::mender_port_boot_running_hash(hash.as_mut_ptr()) })?;
        Ok(hash)
    }

    fn is_confirmed(&mut self) -> Result<bool> {
        count(sys::mender_port_boot_is_confirmed()).map(|n| n > 0)
    }

    fn confirm(&mut self) -> Result<()> {
        done(sys::mender_port_boot_confirm())
    }

    fn request_swap(&mut self) -> Result<()> {
        done(sys::mender_port_boot_request_swap())
    }

    fn can_revert(&mut self) -> bool {
        sys::mender_port_boot_can_revert() > 0
    }

    fn swap_state(&mut self) -> SwapState {
        match sys::mender_port_boot_swap_state() {
            sys::MENDER_SWAP_WHOLE => SwapState::Whole,
            sys::MENDER_SWAP_REFUSED => SwapState::Refused,
            _ => SwapState::Unknown,
        }
    }
}

impl Store for Ports {
    fn read(&mut self, id: RecordId, buf: &mut [u8]) -> Result<Option<usize>> {
        // SAFETY: `buf` may be written for its length during the call.
        let answer = unsafe { sys::mender_port_store_read(record(id), buf.as_mut_ptr(), len(buf)) };
        if answer == NO_ENTRY {
            return Ok(None);
        }
        let length = usize::try_from(answer).ok().ok_or(Errno(answer))?;
        if length <= buf.len() { Ok(Some(length)) } else { Err(Errno::ENOSPC) }
    }

    fn write(&mut self, id: RecordId, bytes: &[u8]) -> Result<()> {
        // SAFETY: `bytes` may be read for its length during the call.
        done(unsafe { sys::mender_port_store_write(record(id), bytes.as_ptr(), len(bytes)) })
    }
}

impl Crypto for Ports {
    #[cfg(not(feature = "port-sha256"))]
    type Hasher = mender_base::sha256::Soft;
    #[cfg(feature = "port-sha256")]
    type Hasher = super::hash::PortHasher;

    fn device_key(&mut self) -> Result<DeviceKey> {
        match count(sys::mender_port_crypto_device_key())? {
            0 => Ok(DeviceKey::Absent),
            _ => Ok(DeviceKey::Present),
        }
    }

    fn make_device_key(&mut self) -> Result<()> {
        done(sys::mender_port_crypto_make_device_key())
    }

    fn public_key(&mut self, point: &mut [u8; 65]) -> Result<()> {
        // SAFETY: the port may write 65 bytes, which these are.
        done(unsafe { sys::mender_port_crypto_public_key(point.as_mut_ptr()) })
    }

    fn sign(&mut self, hash: &Sha256, signature: &mut [u8; 64]) -> Result<()> {
        // SAFETY: the port may read 32 bytes and write 64, which these are.
        done(unsafe { sys::mender_port_crypto_sign(hash.as_ptr(), signature.as_mut_ptr()) })
    }

    fn verification_key(&mut self, index: usize) -> Option<KeyKind> {
        match sys::mender_port_crypto_verification_key(u32::try_from(index).ok()?) {
            sys::MENDER_KEY_NONE => None,
            sys::MENDER_KEY_RSA => Some(KeyKind::Rsa),
            // An answer that is none of the kinds must not turn the check off: no signature will verify.
            _ => Some(KeyKind::P256),
        }
    }

    fn verify(&mut self, index: usize, hash: &Sha256, signature: &[u8]) -> Result<bool> {
        let index = u32::try_from(index).ok().ok_or(Errno::EINVAL)?;
        // SAFETY: the port may read 32 bytes, which `hash` has, and `signature` for its length, during the call.
        let answer = unsafe {
            sys::mender_port_crypto_verify(index, hash.as_ptr(), signature.as_ptr(), len(signature))
        };
        // Nothing but 1 is good.
        count(answer).map(|n| n == 1)
    }

    fn random(&mut self) -> u32 {
        sys::mender_port_crypto_random()
    }
}

impl Clock for Ports {
    fn now_ms(&mut self) -> u64 {
        sys::mender_port_clock_now_ms()
    }

    fn unix_ms(&mut self) -> Option<u64> {
        Some(sys::mender_port_clock_unix_ms()).filter(|ms| *ms != 0)
    }
}

pub(crate) const fn level(level: Level) -> i32 {
    match level {
        Level::Error => MENDER_LEVEL_ERROR,
        Level::Warning => MENDER_LEVEL_WARNING,
        Level::Info => MENDER_LEVEL_INFO,
        Level::Debug => MENDER_LEVEL_DEBUG,
    }
}

impl Log for Ports {
    fn log(&mut self, event: Event, a: i64, b: i64, text: &str) {
        log(event, a, b, text);
    }
}

/// Logs an event, also where there is no client.
pub(crate) fn log(event: Event, a: i64, b: i64, text: &str) {
    // SAFETY: `text` may be read for its length during the call.
    unsafe {
        sys::mender_port_log(
            level(event.level()),
            event.number().into(),
            a,
            b,
            text.as_ptr().cast(),
            text.len(),
        );
    }
}

impl System for Ports {
    fn identity(&self, pair: &mut dyn FnMut(&str, &str)) {
        let mut receiver = Receiver::new(pair);
        let answer = match self.callbacks.identity {
            // SAFETY: the application's callback gets its own pointer, and a receiver that outlives the call.
            Some(identity) => unsafe { identity(self.callbacks.user, receiver.as_pairs()) },
            // SAFETY: the port gets a receiver that outlives the call.
            None => unsafe { sys::mender_port_system_identity(receiver.as_pairs().cast()) },
        };
        if answer != 0 || receiver.is_bad() {
            // Half an identity would be another device's. A pair without a name makes the whole unusable.
            pair("", "");
        }
    }

    fn reset_cause(&mut self) -> ResetCause {
        match sys::mender_port_system_reset_cause() {
            sys::MENDER_RESET_POWER => ResetCause::Power,
            sys::MENDER_RESET_PIN => ResetCause::Pin,
            sys::MENDER_RESET_SOFTWARE => ResetCause::Software,
            sys::MENDER_RESET_WATCHDOG => ResetCause::Watchdog,
            sys::MENDER_RESET_FAULT => ResetCause::Fault,
            _ => ResetCause::Unknown,
        }
    }

    fn reboot(&mut self) {
        match self.callbacks.restart {
            // SAFETY: the application's callback gets its own pointer.
            Some(restart) => unsafe { restart(self.callbacks.user) },
            None => sys::mender_port_system_reboot(),
        }
    }
}
