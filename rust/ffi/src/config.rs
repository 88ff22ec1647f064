// SPDX-License-Identifier: Apache-2.0
//! The application's settings over the platform's defaults over the client's.

use crate::raw;
use crate::types::{
    MENDER_TIER_MICRO, MENDER_TIER_NONE, MENDER_TIER_STANDARD, MENDER_TIER_SYSTEM, MenderBuffers,
    MenderConfig,
};
use core::ffi::c_char;
use core::mem::{offset_of, size_of};
use core::ptr;
use mender_base::Error;
use mender_client::{Buffers, Config, Tier, Timing};
use zephyr_sys as sys;

// What the platform's C compiler makes of the structure is what this one does.
const _: () = assert!(
    size_of::<MenderConfig>() == size_of::<sys::mender_config>()
        && offset_of!(MenderConfig, callbacks) == offset_of!(sys::mender_config, callbacks)
        && offset_of!(MenderConfig, buffers) == offset_of!(sys::mender_config, buffers)
        && offset_of!(MenderConfig, tier) == offset_of!(sys::mender_config, tier)
        && offset_of!(MenderConfig, probe_tries) == offset_of!(sys::mender_config, probe_tries)
);

const NOTHING: MenderConfig = MenderConfig {
    server_url: ptr::null(),
    tenant_token: ptr::null(),
    device_type: ptr::null(),
    artifact_name: ptr::null(),
    callbacks: ptr::null(),
    buffers: MenderBuffers {
        io: ptr::null_mut(),
        token: ptr::null_mut(),
        uri: ptr::null_mut(),
        io_len: 0,
        token_len: 0,
        uri_len: 0,
    },
    tier: 0,
    allow_http: 0,
    poll_interval_ms: 0,
    inventory_interval_ms: 0,
    retry_interval_ms: 0,
    retry_interval_max_ms: 0,
    first_check_max_ms: 0,
    defer_interval_ms: 0,
    commit_deadline_ms: 0,
    abort_probe_interval_ms: 0,
    idle_timeout_ms: 0,
    request_timeout_ms: 0,
    download_tries: 0,
    probe_timeout_ms: 0,
    probe_tries: 0,
};

/// `given`, or the platform's where it has nothing.
///
/// # Safety
/// As [`raw::reference`] for `given`.
pub(crate) unsafe fn merged(given: *const MenderConfig) -> Result<MenderConfig, Error> {
    let mut config = NOTHING;
    // SAFETY: the port may write one structure, which this is.
    unsafe { sys::mender_port_defaults((&raw mut config).cast()) };
    if given.is_null() {
        return Ok(config);
    }
    // SAFETY: the caller's promise.
    let given = unsafe { raw::reference(given) }?;
    // One after the other: a table of places and values would be put together on the stack, which is longer.
    macro_rules! take {
        ($has:expr => $($field:ident)+) => { $(if $has(given.$field) { config.$field = given.$field; })+ };
    }
    take!(|text: *const c_char| !text.is_null() => server_url tenant_token device_type artifact_name);
    if !given.callbacks.is_null() {
        config.callbacks = given.callbacks;
    }
    let b = given.buffers;
    if !(b.io.is_null() && b.token.is_null() && b.uri.is_null()) {
        config.buffers = b;
    }
    take!(|number| number != 0 => tier allow_http);
    take!(|number| number != 0 => poll_interval_ms inventory_interval_ms retry_interval_ms retry_interval_max_ms);
    take!(|number| number != 0 => first_check_max_ms defer_interval_ms commit_deadline_ms abort_probe_interval_ms);
    take!(|number| number != 0 => idle_timeout_ms request_timeout_ms download_tries probe_timeout_ms probe_tries);
    Ok(config)
}

/// The settings as the client takes them.
///
/// # Safety
/// As [`raw::text`] for all texts, which stay as long as the result is used.
pub(crate) unsafe fn settings(config: &MenderConfig) -> Result<Config<'static>, Error> {
    let ours = Config::default();
    let or = |given: u32, ours: u32| if given == 0 { ours } else { given };
    // SAFETY: the caller's promise.
    let text = |given: *const c_char| unsafe { raw::text::<'static>(given) };
    Ok(Config {
        server_url: text(config.server_url).map_err(bad_server)?.unwrap_or(ours.server_url),
        device_type: text(config.device_type).map_err(bad_name)?.unwrap_or_default(),
        artifact_name: text(config.artifact_name).map_err(bad_name)?.unwrap_or_default(),
        tenant_token: text(config.tenant_token)?,
        tier: tier(config.tier)?,
        timing: Timing {
            poll_ms: or(config.poll_interval_ms, ours.timing.poll_ms),
            inventory_ms: or(config.inventory_interval_ms, ours.timing.inventory_ms),
            retry_ms: or(config.retry_interval_ms, ours.timing.retry_ms),
            retry_cap_ms: or(config.retry_interval_max_ms, ours.timing.retry_cap_ms),
            first_check_ms: or(config.first_check_max_ms, ours.timing.first_check_ms),
            defer_ms: or(config.defer_interval_ms, ours.timing.defer_ms),
            probe_tries: tries(config.probe_tries, ours.timing.probe_tries),
            probe_ms: or(config.probe_timeout_ms, ours.timing.probe_ms),
            commit_deadline_ms: or(config.commit_deadline_ms, ours.timing.commit_deadline_ms),
        },
        allow_http: config.allow_http != 0,
        abort_probe_ms: or(config.abort_probe_interval_ms, ours.abort_probe_ms),
        idle_timeout_ms: or(config.idle_timeout_ms, ours.idle_timeout_ms),
        total_timeout_ms: or(config.request_timeout_ms, ours.total_timeout_ms),
        download_tries: tries(config.download_tries, ours.download_tries),
    })
}

/// The lent memory.
///
/// # Safety
/// As [`raw::memory`] for the three buffers, for as long as the result is used.
pub(crate) unsafe fn buffers(lent: &MenderBuffers) -> Result<Buffers<'static>, Error> {
    let (io, token, uri) = ((lent.io, lent.io_len), (lent.token, lent.token_len), (lent.uri, lent.uri_len));
    // Two references to the same bytes must not be made, so the claim is checked before.
    if overlap(io, token) || overlap(io, uri) || overlap(token, uri) {
        return Err(Error::ConfigBuffer);
    }
    // SAFETY: the caller's promise, and no two of them overlap.
    let take = |start, len: u32| unsafe {
        raw::memory::<'static>(start, usize::try_from(len).map_err(bad_buffer)?)
            .ok()
            .ok_or(Error::ConfigBuffer)
    };
    Ok(Buffers {
        io: take(lent.io, lent.io_len)?,
        token: take(lent.token, lent.token_len)?,
        uri: take(lent.uri, lent.uri_len)?,
    })
}

#[inline(never)]
fn overlap(one: (*mut u8, u32), other: (*mut u8, u32)) -> bool {
    let end = |(start, len): (*mut u8, u32)| {
        start.addr().saturating_add(usize::try_from(len).unwrap_or(usize::MAX))
    };
    one.0.addr() < end(other) && other.0.addr() < end(one)
}

/// More than a byte holds are as many as it holds.
fn tries(given: u32, ours: u8) -> u8 {
    if given == 0 { ours } else { u8::try_from(given).unwrap_or(u8::MAX) }
}

fn tier(number: i32) -> Result<Option<Tier>, Error> {
    match number {
        MENDER_TIER_NONE => Ok(None),
        MENDER_TIER_STANDARD => Ok(Some(Tier::Standard)),
        MENDER_TIER_MICRO => Ok(Some(Tier::Micro)),
        MENDER_TIER_SYSTEM => Ok(Some(Tier::System)),
        _ => Err(Error::Argument),
    }
}

fn bad_server(_: Error) -> Error {
    Error::ConfigServer
}

fn bad_name(_: Error) -> Error {
    Error::ConfigName
}

fn bad_buffer(_: core::num::TryFromIntError) -> Error {
    Error::ConfigBuffer
}
