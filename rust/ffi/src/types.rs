// SPDX-License-Identifier: Apache-2.0
//! Structures and constants of `mender_mcu.h`.

use core::ffi::{c_char, c_void};

/// Answer of a callback or a port: not done yet, call again. It is `-EAGAIN`; the port header checks the platform's value.
pub const MENDER_AGAIN: i32 = -11;
/// Answer of `mender_client_exit`: it is done at the end of the poll that is running now.
pub const MENDER_PENDING: i32 = 1;
/// Longest time `mender_client_poll` asks for, in ms.
pub const MENDER_POLL_MAX_MS: u32 = 3600000;
/// Update modules that can be registered.
pub const MENDER_MODULES_MAX: usize = 4;

/// Bytes of a buffer that a public key fits in: PEM with line feeds, and a NUL.
pub const MENDER_PUBLIC_KEY_MAX: usize = 179;

/// Smallest IO buffer, in bytes.
pub const MENDER_IO_BUFFER_MIN: usize = 1024;
/// Token buffer that takes what servers send today, in bytes.
pub const MENDER_TOKEN_BUFFER: usize = 1536;
/// URI buffer that takes the artifact URLs of most stores, in bytes; 2048 takes all.
pub const MENDER_URI_BUFFER: usize = 1024;

/// The plan a device is billed by: none is sent.
pub const MENDER_TIER_NONE: i32 = 0;
/// `standard`.
pub const MENDER_TIER_STANDARD: i32 = 1;
/// `micro`.
pub const MENDER_TIER_MICRO: i32 = 2;
/// `system`.
pub const MENDER_TIER_SYSTEM: i32 = 3;

/// Phase of a deployment: there is none.
pub const MENDER_PHASE_IDLE: i32 = 0;
/// The artifact is downloaded.
pub const MENDER_PHASE_DOWNLOAD: i32 = 1;
/// The artifact is installed.
pub const MENDER_PHASE_INSTALL: i32 = 2;
/// The device restarts, or the new software proves itself.
pub const MENDER_PHASE_VERIFY_REBOOT: i32 = 3;
/// The new software is made permanent.
pub const MENDER_PHASE_COMMIT: i32 = 4;
/// Done; the server must still hear `success`.
pub const MENDER_PHASE_SUCCESS_PENDING: i32 = 5;
/// The installation is undone.
pub const MENDER_PHASE_ROLLBACK: i32 = 6;
/// The device restarts into the old software.
pub const MENDER_PHASE_ROLLBACK_REBOOT: i32 = 7;
/// Failed; the server must still hear `failure`.
pub const MENDER_PHASE_FAILURE_PENDING: i32 = 8;

/// Stage that is asked for approval: the artifact is downloaded and verified.
pub const MENDER_STAGE_INSTALL: i32 = 0;
/// The next step restarts the device.
pub const MENDER_STAGE_REBOOT: i32 = 1;
/// The new software has proved itself and is about to be made permanent.
pub const MENDER_STAGE_COMMIT: i32 = 2;

/// Notice: the server accepted the device.
pub const MENDER_NOTICE_AUTHENTICATED: i32 = 1;
/// A deployment was offered and begins.
pub const MENDER_NOTICE_DEPLOYMENT_STARTED: i32 = 2;
/// Artifact bytes came in: `received` of `total`.
pub const MENDER_NOTICE_PROGRESS: i32 = 3;
/// The device restarts now.
pub const MENDER_NOTICE_RESTARTING: i32 = 4;
/// The deployment ended well.
pub const MENDER_NOTICE_DEPLOYMENT_SUCCEEDED: i32 = 5;
/// The deployment failed or was aborted; `error` says why.
pub const MENDER_NOTICE_DEPLOYMENT_FAILED: i32 = 6;

/// Log level: a deployment is lost or a person is needed.
pub const MENDER_LEVEL_ERROR: i32 = 1;
/// Something failed and is tried again.
pub const MENDER_LEVEL_WARNING: i32 = 2;
/// One line per change of state.
pub const MENDER_LEVEL_INFO: i32 = 3;
/// One line per message.
pub const MENDER_LEVEL_DEBUG: i32 = 4;

/// A receiver of name-value pairs. It is good only within the call that got it.
#[repr(C)]
pub struct MenderPairs {
    _opaque: [u8; 0],
}

/// What the application is told.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MenderNotice {
    /// One of `MENDER_NOTICE_…`; an application ignores those it does not know.
    pub kind: i32,
    /// Why the deployment failed, a negative code; 0 in other notices.
    pub error: i32,
    /// Artifact bytes received so far; 0 in other notices.
    pub received: u32,
    /// Artifact bytes in all, or 0 where that is not known.
    pub total: u32,
}

/// The application's callbacks. Each may be NULL. They run within `mender_client_poll`, may call every `mender_` function but
/// `mender_client_poll` and `mender_client_wait`, and should return soon.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MenderCallbacks {
    /// First argument of every callback.
    pub user: *mut c_void,
    /// Gives the device's identity to `mender_pairs_add`: at least one pair, and as many as come to 256 bytes, with 3 for each pair
    /// beside its key and value. The same at each call, for the whole life of the device.
    /// NULL: the platform's, for instance the MAC address. Returns 0, or a negative number: the device cannot authenticate now.
    pub identity: Option<unsafe extern "C" fn(user: *mut c_void, pairs: *mut MenderPairs) -> i32>,
    /// May the update go on? `stage` is one of `MENDER_STAGE_…`. Returns 0: go on; `MENDER_AGAIN`: ask again in some seconds;
    /// anything else: refuse, the deployment fails. NULL: go on.
    pub approve: Option<unsafe extern "C" fn(user: *mut c_void, stage: i32) -> i32>,
    /// Tests the new firmware before it is made permanent. Returns 0: good; `MENDER_AGAIN`: call again; anything else: bad, the
    /// device falls back. NULL: good.
    pub self_test: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// Gives inventory attributes to `mender_pairs_add`. It is called several times for one message and must give the same each time.
    pub inventory: Option<unsafe extern "C" fn(user: *mut c_void, pairs: *mut MenderPairs)>,
    /// Something happened. `notice` is good for the call only.
    pub notice: Option<unsafe extern "C" fn(user: *mut c_void, notice: *const MenderNotice)>,
    /// Restarts the device within 60 s, or the update fails and is undone; need not return. NULL: the platform's restart.
    pub restart: Option<unsafe extern "C" fn(user: *mut c_void)>,
}

/// Memory lent to the client until `mender_client_exit`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MenderBuffers {
    /// What is received or sent, and records being written.
    pub io: *mut u8,
    /// The token.
    pub token: *mut u8,
    /// The artifact's URL.
    pub uri: *mut u8,
    /// Length of `io`, at least `MENDER_IO_BUFFER_MIN`.
    pub io_len: u32,
    /// Length of `token`; see `MENDER_TOKEN_BUFFER`.
    pub token_len: u32,
    /// Length of `uri`; see `MENDER_URI_BUFFER`.
    pub uri_len: u32,
}

/// Settings of the client. What is NULL or 0 is taken from the platform's defaults, and where these have nothing, from the library's.
/// Texts end with NUL, are UTF-8, and stay unchanged until `mender_client_exit`. Fill it with zeros before use: it may grow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MenderConfig {
    /// `https://host[:port]` of the Mender server. NULL: the platform's, on Zephyr that of Kconfig; where it has none, `https://hosted.mender.io`.
    pub server_url: *const c_char,
    /// Tenant token, where the server has tenants.
    pub tenant_token: *const c_char,
    /// The device type that artifacts must name, 1 to 256 bytes.
    pub device_type: *const c_char,
    /// Name of the artifact that the device was made with; counts until the first update is committed, and
    /// when an image came by another way than a deployment. 1 to 256 bytes.
    pub artifact_name: *const c_char,
    /// The application's callbacks; copied.
    pub callbacks: *const MenderCallbacks,
    /// Memory for the client, either all three buffers or none.
    pub buffers: MenderBuffers,
    /// One of `MENDER_TIER_…`.
    pub tier: i32,
    /// Not 0: plain HTTP is allowed, to server and artifact store. For a laboratory: anyone on the way reads the token.
    pub allow_http: i32,
    /// Between update checks, in ms. 0: 30 minutes.
    pub poll_interval_ms: u32,
    /// Between looks at the inventory, which is sent only when it changed, in ms. 0: 8 hours.
    pub inventory_interval_ms: u32,
    /// First wait after a failure, in ms; doubles every third try. 0: 1 minute.
    pub retry_interval_ms: u32,
    /// Longest wait after failures, in ms. 0: 5 minutes.
    pub retry_interval_max_ms: u32,
    /// Upper end of the random wait before the first check, in ms, so that a fleet does not come at once. 0: 30 seconds.
    pub first_check_max_ms: u32,
    /// Between questions to an application that defers, in ms. 0: 10 seconds.
    pub defer_interval_ms: u32,
    /// From the start of new firmware until it must be committed, in ms; then the device falls back. 0: 30 minutes.
    pub commit_deadline_ms: u32,
    /// Between looks for an abort during a download, in ms; each costs a connection of its own. 0: none.
    pub abort_probe_interval_ms: u32,
    /// Longest silence of a peer, in ms. 0: 30 seconds.
    pub idle_timeout_ms: u32,
    /// Longest time for one request and its reply, in ms. 0: 1 minute.
    pub request_timeout_ms: u32,
    /// Tries of a download that gets no further in between. 0: 10. At most 255.
    pub download_tries: u32,
    /// Time for new firmware to reach the server, from its first try on, in ms; then the
    /// device falls back with the first try that fails. 0: 15 minutes.
    pub probe_timeout_ms: u32,
    /// Tries in that time; after the last one the device falls back, too. 0: 10. At most 255.
    pub probe_tries: u32,
}

/// What the client is at.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MenderStatus {
    /// One of `MENDER_PHASE_…`.
    pub phase: i32,
    /// 1: a token is at hand. 0: not authenticated.
    pub authenticated: i32,
    /// What failed last, a negative code; 0: nothing.
    pub last_error: i32,
    /// The port's own number for it (`-EIO`, …), or 0.
    pub last_errno: i32,
    /// Why the last deployment since the start failed, a negative code; 0: none failed, or one succeeded after it.
    pub deployment_error: i32,
    /// Artifact bytes received of the deployment in progress.
    pub received: u32,
    /// Artifact bytes in all, or 0 where that is not known.
    pub total: u32,
    /// 1: `mender_client_abort` would stop the deployment in progress. 0: there is none, or it is too late.
    pub can_abort: i32,
    /// When the next check for updates is due, in ms of the platform's clock (since boot).
    pub check_at_ms: u64,
    /// The deployment's id, or empty.
    pub deployment_id: [c_char; 37],
    /// Name of the installed artifact.
    pub artifact_name: [c_char; 257],
}

/// An update module: what installs the payload types that are not built in. States and their order are Mender's
/// (<https://docs.mender.io/artifact-creation/create-a-custom-update-module>).
///
/// Each callback of a state returns 0: done; `MENDER_AGAIN`: call again soon; anything else: the state failed. A NULL is done at once.
/// The module may be restarted in any state, and must cope with a state that runs again after a power cut.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MenderUpdateModule {
    /// The payload type, 1 to 32 bytes, ends with NUL. `zephyr-image` is built in.
    pub payload_type: *const c_char,
    /// First argument of every callback.
    pub user: *mut c_void,
    /// A piece of the artifact's meta-data (JSON). It is not yet verified: keep it, do not act on it before `begin`. May be NULL.
    pub meta_data: Option<unsafe extern "C" fn(user: *mut c_void, data: *const u8, len: u32) -> i32>,
    /// A payload file of `size` bytes begins; `name` is good for the call only. Called again for file 0 after a download that was
    /// cut: what was written before is void. Returns 0, or anything else: the deployment fails. Must not be NULL.
    pub begin: Option<
        unsafe extern "C" fn(user: *mut c_void, file_index: u8, name: *const c_char, size: u32) -> i32,
    >,
    /// Bytes of a payload file; `data` is good for the call only. Returns 0: all taken; `MENDER_AGAIN`: none taken, offer them
    /// again; anything else: the deployment fails. Must not be NULL.
    pub write: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            file_index: u8,
            offset: u32,
            data: *const u8,
            len: u32,
        ) -> i32,
    >,
    /// A payload file is whole and its checksum is right. May be NULL.
    pub end: Option<unsafe extern "C" fn(user: *mut c_void, file_index: u8) -> i32>,
    /// Install what was downloaded.
    pub artifact_install: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// 1: the device must restart for the new software to run; 0: it need not. Asked once, after `artifact_install`; a restart does not ask again.
    /// NULL: it need not.
    pub needs_reboot: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// Prepare the restart; the client restarts the device after it.
    pub artifact_reboot: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// After the restart: is the new software running?
    pub artifact_verify_reboot: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// Make it permanent.
    pub artifact_commit: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// Undo the installation. NULL: the module cannot.
    pub artifact_rollback: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// Prepare the restart into the old software.
    pub artifact_rollback_reboot: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// After that restart: is the old software running?
    pub artifact_verify_rollback_reboot: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// The deployment has failed.
    pub artifact_failure: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// The deployment is over, for better or worse.
    pub cleanup: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
    /// A download for this module begins: meta-data, then files. What an earlier one left is void. Returns 0, or anything else: the
    /// deployment fails. May be NULL.
    pub download: Option<unsafe extern "C" fn(user: *mut c_void) -> i32>,
}
