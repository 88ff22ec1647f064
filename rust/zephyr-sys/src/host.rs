// SPDX-License-Identifier: Apache-2.0
// Made from include/mender_port.h by bindgen (build.rs).

pub const ENOENT: i32 = 2;
pub const EAGAIN: i32 = 11;
pub const EINVAL: i32 = 22;
pub const ENOSPC: i32 = 28;
pub const MENDER_AGAIN: i32 = -11;
pub const MENDER_PENDING: i32 = 1;
pub const MENDER_POLL_MAX_MS: i32 = 3600000;
pub const MENDER_MODULES_MAX: i32 = 4;
pub const MENDER_PUBLIC_KEY_MAX: i32 = 179;
pub const MENDER_IO_BUFFER_MIN: i32 = 1024;
pub const MENDER_TOKEN_BUFFER: i32 = 1536;
pub const MENDER_URI_BUFFER: i32 = 1024;
pub const MENDER_TIER_NONE: i32 = 0;
pub const MENDER_TIER_STANDARD: i32 = 1;
pub const MENDER_TIER_MICRO: i32 = 2;
pub const MENDER_TIER_SYSTEM: i32 = 3;
pub const MENDER_PHASE_IDLE: i32 = 0;
pub const MENDER_PHASE_DOWNLOAD: i32 = 1;
pub const MENDER_PHASE_INSTALL: i32 = 2;
pub const MENDER_PHASE_VERIFY_REBOOT: i32 = 3;
pub const MENDER_PHASE_COMMIT: i32 = 4;
pub const MENDER_PHASE_SUCCESS_PENDING: i32 = 5;
pub const MENDER_PHASE_ROLLBACK: i32 = 6;
pub const MENDER_PHASE_ROLLBACK_REBOOT: i32 = 7;
pub const MENDER_PHASE_FAILURE_PENDING: i32 = 8;
pub const MENDER_STAGE_INSTALL: i32 = 0;
pub const MENDER_STAGE_REBOOT: i32 = 1;
pub const MENDER_STAGE_COMMIT: i32 = 2;
pub const MENDER_NOTICE_AUTHENTICATED: i32 = 1;
pub const MENDER_NOTICE_DEPLOYMENT_STARTED: i32 = 2;
pub const MENDER_NOTICE_PROGRESS: i32 = 3;
pub const MENDER_NOTICE_RESTARTING: i32 = 4;
pub const MENDER_NOTICE_DEPLOYMENT_SUCCEEDED: i32 = 5;
pub const MENDER_NOTICE_DEPLOYMENT_FAILED: i32 = 6;
pub const MENDER_LEVEL_ERROR: i32 = 1;
pub const MENDER_LEVEL_WARNING: i32 = 2;
pub const MENDER_LEVEL_INFO: i32 = 3;
pub const MENDER_LEVEL_DEBUG: i32 = 4;
pub const MENDER_CHANNEL_API: i32 = 0;
pub const MENDER_CHANNEL_STORAGE: i32 = 1;
pub const MENDER_CHANNEL_CONNECT: i32 = 2;
pub const MENDER_SWAP_WHOLE: i32 = 0;
pub const MENDER_SWAP_REFUSED: i32 = 1;
pub const MENDER_SWAP_UNKNOWN: i32 = 2;
pub const MENDER_RESET_UNKNOWN: i32 = 0;
pub const MENDER_RESET_SOFTWARE: i32 = 1;
pub const MENDER_RESET_PIN: i32 = 2;
pub const MENDER_RESET_POWER: i32 = 3;
pub const MENDER_RESET_FAULT: i32 = 4;
pub const MENDER_RESET_WATCHDOG: i32 = 5;
pub const MENDER_KEY_NONE: i32 = 0;
pub const MENDER_KEY_P256: i32 = 1;
pub const MENDER_KEY_RSA: i32 = 2;
pub const MENDER_HASH_SIZE: i32 = 256;
pub const MENDER_RECORD_A: i32 = 0;
pub const MENDER_RECORD_B: i32 = 1;
pub const MENDER_RECORD_LOG: i32 = 2;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mender_pairs {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mender_notice {
    pub kind: i32,
    pub error: i32,
    pub received: u32,
    pub total: u32,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mender_callbacks {
    pub user: *mut ::core::ffi::c_void,
    pub identity: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            pairs: *mut mender_pairs,
        ) -> i32,
    >,
    pub approve: ::core::option::Option<
        unsafe extern "C" fn(user: *mut ::core::ffi::c_void, stage: i32) -> i32,
    >,
    pub self_test: ::core::option::Option<
        unsafe extern "C" fn(user: *mut ::core::ffi::c_void) -> i32,
    >,
    pub inventory: ::core::option::Option<
        unsafe extern "C" fn(user: *mut ::core::ffi::c_void, pairs: *mut mender_pairs),
    >,
    pub notice: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            notice: *const mender_notice,
        ),
    >,
    pub restart: ::core::option::Option<
        unsafe extern "C" fn(user: *mut ::core::ffi::c_void),
    >,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mender_buffers {
    pub io: *mut u8,
    pub token: *mut u8,
    pub uri: *mut u8,
    pub io_len: u32,
    pub token_len: u32,
    pub uri_len: u32,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mender_config {
    pub server_url: *const ::core::ffi::c_char,
    pub tenant_token: *const ::core::ffi::c_char,
    pub device_type: *const ::core::ffi::c_char,
    pub artifact_name: *const ::core::ffi::c_char,
    pub callbacks: *const mender_callbacks,
    pub buffers: mender_buffers,
    pub tier: i32,
    pub allow_http: i32,
    pub poll_interval_ms: u32,
    pub inventory_interval_ms: u32,
    pub retry_interval_ms: u32,
    pub retry_interval_max_ms: u32,
    pub first_check_max_ms: u32,
    pub defer_interval_ms: u32,
    pub commit_deadline_ms: u32,
    pub abort_probe_interval_ms: u32,
    pub idle_timeout_ms: u32,
    pub request_timeout_ms: u32,
    pub download_tries: u32,
    pub probe_timeout_ms: u32,
    pub probe_tries: u32,
}
unsafe extern "C" {
    pub fn mender_port_defaults(config: *mut mender_config);
}
unsafe extern "C" {
    pub fn mender_port_lock() -> u32;
}
unsafe extern "C" {
    pub fn mender_port_unlock(key: u32);
}
unsafe extern "C" {
    pub fn mender_port_clock_wait(ms: u32);
}
unsafe extern "C" {
    pub fn mender_port_clock_wake();
}
unsafe extern "C" {
    pub fn mender_port_clock_now_ms() -> u64;
}
unsafe extern "C" {
    pub fn mender_port_clock_unix_ms() -> u64;
}
unsafe extern "C" {
    pub fn mender_port_transport_open(
        channel: i32,
        host: *const ::core::ffi::c_char,
        port: u16,
        tls: bool,
    ) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_transport_send(channel: i32, data: *const u8, len: u32) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_transport_receive(channel: i32, buf: *mut u8, size: u32) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_transport_close(channel: i32);
}
unsafe extern "C" {
    pub fn mender_port_slot_begin(size: u32) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_slot_write(data: *const u8, len: u32) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_slot_finish() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_slot_read(offset: u32, buf: *mut u8, len: u32) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_slot_invalidate() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_boot_running_hash(hash: *mut u8) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_boot_is_confirmed() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_boot_confirm() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_boot_request_swap() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_boot_can_revert() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_boot_swap_state() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_store_read(record: i32, buf: *mut u8, size: u32) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_store_write(record: i32, data: *const u8, len: u32) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_crypto_device_key() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_crypto_make_device_key() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_crypto_public_key(point: *mut u8) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_crypto_sign(hash: *const u8, signature: *mut u8) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_crypto_verification_key(index: u32) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_crypto_verify(
        index: u32,
        hash: *const u8,
        signature: *const u8,
        len: u32,
    ) -> i32;
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mender_hash {
    pub opaque: [u64; 32usize],
}
unsafe extern "C" {
    pub fn mender_port_hash_restart(hash: *mut mender_hash);
}
unsafe extern "C" {
    pub fn mender_port_hash_update(hash: *mut mender_hash, data: *const u8, len: u32);
}
unsafe extern "C" {
    pub fn mender_port_hash_finish(hash: *mut mender_hash, digest: *mut u8) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_crypto_random() -> u32;
}
unsafe extern "C" {
    pub fn mender_port_log(
        level: i32,
        event: i32,
        a: i64,
        b: i64,
        text: *const ::core::ffi::c_char,
        text_len: usize,
    );
}
unsafe extern "C" {
    pub fn mender_port_system_identity(pairs: *mut mender_pairs) -> i32;
}
unsafe extern "C" {
    pub fn mender_port_system_reset_cause() -> i32;
}
unsafe extern "C" {
    pub fn mender_port_system_reboot();
}
