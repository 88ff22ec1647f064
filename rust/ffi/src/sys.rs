// SPDX-License-Identifier: Apache-2.0
//! The ports in C, as `mender_port.h` declares them: the platform defines every one of these functions.
//!
//! Those that get no pointer are safe to call: whatever they do wrong is the platform's own affair.

use crate::types::{MenderConfig, MenderPairs};
use core::ffi::c_char;

/// Channel of a stream: the Mender server's device API.
pub const MENDER_CHANNEL_API: i32 = 0;
/// The artifact store.
pub const MENDER_CHANNEL_STORAGE: i32 = 1;
/// The Mender server's WebSocket.
pub const MENDER_CHANNEL_CONNECT: i32 = 2;

/// What the inactive slot says of the last swap: it holds a whole image, which ran and was reverted or was never tried.
pub const MENDER_SWAP_WHOLE: i32 = 0;
/// Its image header is gone: MCUboot refused the image.
pub const MENDER_SWAP_REFUSED: i32 = 1;
/// The platform cannot tell.
pub const MENDER_SWAP_UNKNOWN: i32 = 2;

/// Artifact verification key: there is none of that index.
pub const MENDER_KEY_NONE: i32 = 0;
/// ECDSA on P-256; signatures are 64 bytes, r and s.
pub const MENDER_KEY_P256: i32 = 1;
/// RSA, PKCS#1 v1.5, 2048 to 4096 bits.
pub const MENDER_KEY_RSA: i32 = 2;

/// Record: one copy of the client's state.
pub const MENDER_RECORD_A: i32 = 0;
/// The other copy.
pub const MENDER_RECORD_B: i32 = 1;
/// The deployment log.
pub const MENDER_RECORD_LOG: i32 = 2;

unsafe extern "C" {
    /// Fills in the platform's settings, buffers included; what it leaves alone is zero. Called by `mender_client_init`.
    pub fn mender_port_defaults(config: *mut MenderConfig);

    /// Keeps every other thread and interrupt that calls `mender_` functions out until `mender_port_unlock`: `irq_lock`, a spin lock,
    /// or a mutex where no interrupt calls. Held for the copy of some 350 bytes at most, never nested, never over another port call.
    /// @return what `mender_port_unlock` wants to have back.
    pub safe fn mender_port_lock() -> u32;

    /// Ends `mender_port_lock`.
    pub safe fn mender_port_unlock(key: u32);

    /// Sleeps for `ms`, until bytes come in on an open stream where the platform can wait for that, or until
    /// `mender_port_clock_wake`, also if that came since the last wait.
    pub safe fn mender_port_clock_wait(ms: u32);

    /// Ends a wait, from any thread or interrupt that calls `mender_` functions.
    pub safe fn mender_port_clock_wake();

    /// @return milliseconds since boot; never goes back.
    pub safe fn mender_port_clock_now_ms() -> u64;

    /// @return milliseconds since 1970 UTC by a clock that is trusted, or 0.
    pub safe fn mender_port_clock_unix_ms() -> u64;

    /// Connects a channel to `host`, a name or an address without brackets, which ends with NUL. With `tls` the handshake is done
    /// and chain and host name are verified, or it fails. May block for a time the platform bounds. Closes what was open on the channel.
    /// @retval 0 open. @retval MENDER_AGAIN there is no network yet, nothing was tried: it is called again after a second, or when
    /// `mender_port_clock_wake` ends the wait, and no failure is counted. @retval <0 -errno: not open.
    pub fn mender_port_transport_open(channel: i32, host: *const c_char, port: u16, tls: bool) -> i32;

    /// Sends a prefix of the bytes without waiting. After 0 or `MENDER_AGAIN` the same bytes are offered again, as many, or the
    /// stream is closed.
    /// @return how many bytes were sent; 0 or `MENDER_AGAIN`: none now; else -errno: the stream is of no more use.
    pub fn mender_port_transport_send(channel: i32, data: *const u8, len: u32) -> i32;

    /// Receives what is there without waiting.
    /// @return how many bytes lie at the start of `buf`; 0: the peer has ended the stream and all was delivered; `MENDER_AGAIN`:
    /// nothing yet; else -errno: the stream is of no more use.
    pub fn mender_port_transport_receive(channel: i32, buf: *mut u8, size: u32) -> i32;

    /// Closes the channel's stream, if one is open.
    pub safe fn mender_port_transport_close(channel: i32);

    /// Gets the inactive slot ready for an image; a swap that was asked for is off. May erase two pages.
    /// @retval 0 ready. @retval <0 -errno: for instance -ENOSPC, MCUboot could not swap an image of that size.
    pub safe fn mender_port_slot_begin(size: u32) -> i32;

    /// Appends a prefix of the bytes. At most one page erase per call.
    /// @return how many bytes were taken; 0 or `MENDER_AGAIN`: none now, call again; else -errno: the slot is dead until the next begin.
    pub fn mender_port_slot_write(data: *const u8, len: u32) -> i32;

    /// Writes what was kept back. From now on `mender_port_slot_read` sees every byte.
    /// @retval 0 written. @retval <0 -errno.
    pub safe fn mender_port_slot_finish() -> i32;

    /// Reads back exactly `len` bytes at `offset` of the image.
    /// @retval 0 all read. @retval <0 -errno.
    pub fn mender_port_slot_read(offset: u32, buf: *mut u8, len: u32) -> i32;

    /// Makes MCUboot ignore the slot. At most one page erase per call.
    /// @retval 0 done. @retval MENDER_AGAIN call again. @retval <0 -errno.
    pub safe fn mender_port_slot_invalidate() -> i32;

    /// The SHA-256 TLV of the running image.
    /// @param hash 32 bytes. @retval 0 filled in. @retval <0 -errno.
    pub fn mender_port_boot_running_hash(hash: *mut u8) -> i32;

    /// @retval 1 the running image will still run after a reset, also on an untouched factory flash and in overwrite-only mode.
    /// @retval 0 it will not. @retval <0 -errno.
    pub safe fn mender_port_boot_is_confirmed() -> i32;

    /// Makes the running image stay. Doing it again does no harm.
    /// @retval 0 it stays. @retval <0 -errno.
    pub safe fn mender_port_boot_confirm() -> i32;

    /// Asks for a test swap at the next reset.
    /// @retval 0 it will be tried. @retval <0 -errno: it may or may not.
    pub safe fn mender_port_boot_request_swap() -> i32;

    /// @retval 1 MCUboot can go back to the old image. @retval 0 it cannot (overwrite-only mode).
    pub safe fn mender_port_boot_can_revert() -> i32;

    /// @return one of `MENDER_SWAP_…`.
    pub safe fn mender_port_boot_swap_state() -> i32;

    /// Reads a record whole.
    /// @return its length; -ENOENT: it was never written; else -errno, also when it is longer than `size`.
    pub fn mender_port_store_read(record: i32, buf: *mut u8, size: u32) -> i32;

    /// Writes a record. When it returns 0, the record outlives a power cut.
    /// @retval 0 written. @retval <0 -errno: this record, and no other, may be old, new, torn or absent.
    pub fn mender_port_store_write(record: i32, data: *const u8, len: u32) -> i32;

    /// @retval 1 the device key can be used. @retval 0 the key store was read, and there is none.
    /// @retval <0 -errno: a key may well be there.
    pub safe fn mender_port_crypto_device_key() -> i32;

    /// Makes the device key, ECDSA on P-256, and keeps it.
    /// @retval 0 made. @retval <0 -errno.
    pub safe fn mender_port_crypto_make_device_key() -> i32;

    /// The public device key.
    /// @param point 65 bytes: 4, x, y. @retval 0 filled in. @retval <0 -errno.
    pub fn mender_port_crypto_public_key(point: *mut u8) -> i32;

    /// Signs a hash with the device key.
    /// @param hash 32 bytes. @param signature 64 bytes: r, s. @retval 0 filled in. @retval <0 -errno.
    pub fn mender_port_crypto_sign(hash: *const u8, signature: *mut u8) -> i32;

    /// Kind of an artifact verification key; they are numbered from 0 without gaps. With none, signatures are not asked for.
    /// @return one of `MENDER_KEY_…`.
    pub safe fn mender_port_crypto_verification_key(index: u32) -> i32;

    /// Checks a signature under a verification key.
    /// @param hash 32 bytes. @retval 1 good. @retval 0 bad. @retval <0 -errno: counts as bad.
    pub fn mender_port_crypto_verify(index: u32, hash: *const u8, signature: *const u8, len: u32) -> i32;

    /// @return a random number for jitter; it need not be fit for keys.
    pub safe fn mender_port_crypto_random() -> u32;

    /// One event for the device log; `mender_event_format` makes its text.
    /// @param level one of `MENDER_LEVEL_…`. @param text `text_len` bytes without NUL, good for the call only.
    pub fn mender_port_log(level: i32, event: i32, a: i64, b: i64, text: *const c_char, text_len: usize);

    /// Gives the identity, for instance `mac`, to `mender_pairs_add`. Called where the application has no callback for it.
    /// @retval 0 given. @retval <0 -errno: not known now.
    pub fn mender_port_system_identity(pairs: *mut MenderPairs) -> i32;

    /// Restarts the device. Where it returns, the client waits for the restart. Called where the application has no callback for it.
    pub safe fn mender_port_system_reboot();
}
