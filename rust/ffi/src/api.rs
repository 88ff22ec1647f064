// SPDX-License-Identifier: Apache-2.0
//! The functions of `mender_mcu.h`.

use crate::port::Ports;
use crate::port::{level, log};
use crate::singleton::{self, Asked, Held, Stage, with};
use crate::types::{
    MENDER_PENDING, MENDER_PHASE_IDLE, MENDER_POLL_MAX_MS, MenderCallbacks, MenderConfig, MenderPairs,
    MenderStatus, MenderUpdateModule,
};
use crate::{config, raw, text};
use core::ffi::{c_char, c_void};
use core::ptr;
use mender_base::{Error, Event};
use mender_client::{Client, Entry};
use zephyr_sys as sys;

/// What a poll asks for that found the client in use.
const BUSY_MS: u32 = 1000;

/// The C code of an error, or 0 for none.
pub(crate) fn code(error: Option<Error>) -> i32 {
    0i32.wrapping_sub(i32::from(Error::number_of(error)))
}

#[inline(never)]
fn answer(result: Result<(), Error>) -> i32 {
    code(result.err())
}

const NO_CALLBACKS: MenderCallbacks = MenderCallbacks {
    user: ptr::null_mut(),
    identity: None,
    approve: None,
    self_test: None,
    inventory: None,
    notice: None,
    restart: None,
};

/// Makes the client ready. It does nothing yet; register update modules now, then call `mender_client_activate`.
///
/// @param config NULL: everything is the platform's default; on Zephyr that is Kconfig, or the setting on flash that takes its place
/// (`mender_settings.h`). What `config` sets has the last word. What is wrong is logged, too.
/// @retval 0 ready.
/// @retval MENDER_E_ALREADY_INITIALISED there is a client; `mender_client_exit` ends it.
/// @retval MENDER_E_BUSY another thread makes it, or an exit is still to be done.
/// @retval MENDER_E_CONFIG_… a setting is missing or wrong. @retval MENDER_E_CLEAR_TEXT a server by `http` without `allow_http`.
/// @retval MENDER_E_ARGUMENT the tenant token is not UTF-8 or too long, or the tier is none. @retval MENDER_E_NULL_POINTER `config` is
/// not aligned.
///
/// # Safety
/// `config` is NULL or points to a structure whose texts, buffers and callbacks are as `struct mender_config` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mender_client_init(config: *const MenderConfig) -> i32 {
    let make = |memory: &mut _| {
        // SAFETY: the caller's promise.
        let config = unsafe { config::merged(config) }?;
        let callbacks = if config.callbacks.is_null() {
            NO_CALLBACKS
        } else {
            // SAFETY: the caller's, or the platform's, promise.
            *unsafe { raw::reference(config.callbacks) }?
        };
        // SAFETY: as above.
        let settings = unsafe { config::settings(&config) }?;
        // SAFETY: as above.
        let buffers = unsafe { config::buffers(&config.buffers) }?;
        let ports =
            Ports { callbacks, modules: heapless::Vec::new(), progress: (0, 0), deployment_error: None };
        Client::new_in(memory, settings, buffers, ports)
    };
    answer(singleton::make(|memory| {
        make(memory).inspect_err(|error| log(Event::ConfigBad, error.number().into(), 0, ""))
    }))
}

/// Whether `mender_client_init` would take settings, for platforms and applications that get them at run time. Nothing is taken from
/// the platform's defaults; callbacks and buffers are not looked at.
///
/// @retval 0 they are good. @retval MENDER_E_CONFIG_… what is wrong; a server by `http` without `allow_http` is
/// MENDER_E_CLEAR_TEXT. @retval MENDER_E_NULL_POINTER `config` is NULL. @retval MENDER_E_ARGUMENT a text is not UTF-8, or the tier is
/// none.
///
/// # Safety
/// `config` is NULL or points to a structure whose texts end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mender_config_check(config: *const MenderConfig) -> i32 {
    let check = || {
        // SAFETY: the caller's promise.
        let config = unsafe { raw::reference(config) }?;
        // SAFETY: as above.
        unsafe { config::settings(config) }?.check()
    };
    answer(check())
}

/// Registers an update module for a payload type, between `mender_client_init` and `mender_client_activate`.
///
/// @retval 0 registered, until `mender_client_exit`.
/// @retval MENDER_E_NULL_POINTER `module`, its `begin` or its `write` is NULL.
/// @retval MENDER_E_ARGUMENT the payload type is empty, too long or built in.
/// @retval MENDER_E_UNSUPPORTED the firmware was built without update modules.
/// @retval MENDER_E_MODULE_TABLE there are `MENDER_MODULES_MAX` already, or one for this payload type.
/// @retval MENDER_E_NOT_INITIALISED too early. @retval MENDER_E_ALREADY_ACTIVE too late.
///
/// # Safety
/// `module` is NULL or points to a structure that stays as it is until `mender_client_exit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mender_client_register_module(module: *const MenderUpdateModule) -> i32 {
    let register = || {
        if !cfg!(feature = "modules") {
            return Err(Error::Unsupported);
        }
        // SAFETY: the caller's promise.
        let module = unsafe { raw::reference::<'static, MenderUpdateModule>(module) }?;
        // SAFETY: the caller's promise.
        let payload_type = unsafe { raw::text::<'static>(module.payload_type) }?.ok_or(Error::NullPointer)?;
        let mut held = singleton::hold(Stage::Active, Error::AlreadyActive)?;
        held.client().ports_mut().register(payload_type, module)
    };
    answer(register())
}

/// Lets the client begin: from now on `mender_client_poll` works. Doing it again does no harm.
///
/// @retval 0 active. @retval MENDER_E_NOT_INITIALISED there is no client.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_activate() -> i32 {
    change(|shared| shared.stage = Stage::Active)
}

/// Does one bounded piece of work: receives or sends at most one IO buffer, erases at most two flash pages. Connecting may block: on Zephyr
/// for `CONFIG_NET_SOCKETS_DNS_TIMEOUT` with each of IPv4 and IPv6, then for `CONFIG_NET_SOCKETS_CONNECT_TIMEOUT` with TCP and once more
/// with TLS, for each address of the host until one answers. Without a network nothing blocks, on Zephyr with
/// `CONFIG_MENDER_MCU_WAIT_FOR_NETWORK`. So it belongs in a thread of its own, never on the system work queue. Only one thread polls; it
/// needs no lock against the threads that call other functions.
///
/// @return in how many ms it wants to run again, 1 to `MENDER_POLL_MAX_MS`, always. Without an active client that is
/// `MENDER_POLL_MAX_MS`. What fails is logged, and kept for `mender_client_last_error`.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_poll() -> u32 {
    let mut held = match singleton::hold(Stage::Ready, Error::NotActive) {
        Ok(held) => held,
        Err(Error::Busy) => return BUSY_MS,
        Err(_) => return MENDER_POLL_MAX_MS,
    };
    let asked = with(|shared| core::mem::take(&mut shared.asked));
    let client = held.client();
    pass_on(asked, client);
    let wait_ms = client.poll();
    held.publish(wait_ms > 1);
    drop(held);
    if with(|shared| shared.stage == Stage::Absent) { MENDER_POLL_MAX_MS } else { wait_ms }
}

fn pass_on(asked: Asked, client: &mut Client<'static, Ports>) {
    if asked.has(Asked::CHECK) {
        client.check_now();
    }
    if asked.has(Asked::INVENTORY) {
        client.inventory_now();
    }
    if asked.has(Asked::AUTHENTICATION) {
        client.authenticate_now();
    }
    if asked.has(Asked::RETRY) {
        client.retry();
    }
    if asked.has(Asked::ABORT) {
        client.abort();
    }
}

/// Sleeps for `ms`, for use with `mender_client_poll`. Returns early when a request comes in, or bytes where the platform can tell.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_wait(ms: u32) {
    sys::mender_port_clock_wait(ms);
}

/// Ends the client: connections are closed, lent memory is given back, another `mender_client_init` may follow. A deployment in
/// progress is on flash and goes on then.
///
/// @retval 0 done.
/// @retval MENDER_PENDING a poll is running, in another thread or around the callback that calls: it is done when that returns.
/// Until then `mender_client_init` answers `MENDER_E_BUSY`, and lent memory is still in use.
/// @retval MENDER_E_NOT_INITIALISED there is no client.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_exit() -> i32 {
    let ended = singleton::end();
    sys::mender_port_clock_wake();
    ended.map_or_else(|error| code(Some(error)), |now| if now { 0 } else { MENDER_PENDING })
}

/// Asks for a check for updates at the next poll, or after the deployment in progress. From any thread, and from interrupts where the
/// platform's lock can be taken there.
///
/// @retval 0 asked. @retval MENDER_E_NOT_INITIALISED there is no client.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_check_now() -> i32 {
    ask(Asked::CHECK)
}

/// Asks for the inventory to be sent at the next poll, changed or not. As `mender_client_check_now`.
///
/// @retval 0 asked. @retval MENDER_E_NOT_INITIALISED there is no client.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_inventory_now() -> i32 {
    ask(Asked::INVENTORY)
}

/// Asks for the device to authenticate afresh, and then to check for updates. As `mender_client_check_now`. Where the last error is
/// `MENDER_E_KEY_LOST`, a new device key is made, with which the server has to accept the device anew.
///
/// @retval 0 asked. @retval MENDER_E_NOT_INITIALISED there is no client.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_authenticate_now() -> i32 {
    ask(Asked::AUTHENTICATION)
}

/// Asks for the image that was reverted last to be tried again, and for a check for updates. An image that did not prove itself is
/// else refused, whatever deployment brings it, until another one has been reverted. As `mender_client_check_now`.
///
/// @retval 0 asked. @retval MENDER_E_NOT_INITIALISED there is no client.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_retry() -> i32 {
    ask(Asked::RETRY)
}

/// Asks for the deployment in progress to be stopped at the next poll. What was installed is undone, if need be by a restart into the
/// old software, and the server is told `failure` with `MENDER_E_ABORTED_HERE` in the deployment's log. From any thread.
///
/// @retval 0 asked. A commit that began meanwhile is not stopped.
/// @retval MENDER_E_NO_DEPLOYMENT there is none.
/// @retval MENDER_E_TOO_LATE it is restarting, committing or ending, or has no way back.
/// @retval MENDER_E_NOT_INITIALISED there is no client.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_abort() -> i32 {
    let asked = with(|shared| match (shared.stage, shared.status.phase) {
        (Stage::Absent, _) => Err(Error::NotInitialised),
        (_, MENDER_PHASE_IDLE) => Err(Error::NoDeployment),
        _ if shared.status.can_abort == 0 => Err(Error::TooLate),
        _ => {
            shared.asked.add(Asked::ABORT);
            Ok(())
        }
    });
    sys::mender_port_clock_wake();
    answer(asked)
}

/// Makes the running image stay that no deployment is proving: one that was flashed by hand or by another updater. Until it is
/// confirmed nothing is downloaded, since the slot holds the image to fall back to; then updates are looked for at once. From any thread,
/// while no poll runs; writes flash.
///
/// @retval 0 it stays. @retval MENDER_E_IN_DEPLOYMENT an update proves itself, and is confirmed when it has.
/// @retval MENDER_E_BUSY the client polls, or has not been polled yet: try again.
/// @retval MENDER_E_CONFIRM it failed. @retval MENDER_E_NOT_INITIALISED there is no client.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_confirm() -> i32 {
    answer(between_polls(Client::confirm))
}

/// Writes the device's public key, for instance for the server's list of preauthorised devices: PEM and a NUL. Makes the key if there
/// never was one. From any thread, while no poll runs; needs the stack that the platform's crypto needs.
///
/// @param buf `size` bytes; `MENDER_PUBLIC_KEY_MAX` are enough. Where it fails they are zeros.
/// @retval 0 written. @retval MENDER_E_NULL_POINTER `buf` is NULL. @retval MENDER_E_CONFIG_BUFFER it is too small.
/// @retval MENDER_E_BUSY the client polls, or has not been polled yet: try again.
/// @retval MENDER_E_KEY_… the key cannot be read or made. @retval MENDER_E_NOT_INITIALISED there is no client.
///
/// # Safety
/// `buf` is NULL or may be written for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mender_client_public_key(buf: *mut c_char, size: usize) -> i32 {
    let read = || {
        let room = size.checked_sub(1).ok_or(Error::ConfigBuffer)?;
        // SAFETY: the caller's promise.
        let buf = unsafe { raw::memory(buf.cast(), size) }?;
        let pem = buf.get_mut(..room).unwrap_or_default();
        let len = between_polls(|client| client.public_key(pem))?;
        if let Some(end) = buf.get_mut(len) {
            *end = 0;
        }
        Ok(())
    };
    answer(read())
}

/// Gives the log of the deployment in progress, or of the last one since boot, line by line and oldest first: what went wrong. From any
/// thread, while no poll runs; polls wait until it returns.
///
/// @param line is called with `user`, a `MENDER_LEVEL_…`, ms since 1970 UTC where the time was known, else since boot (then below 2^40),
/// and a text that ends with NUL and is good for the call only.
/// @retval 0 all lines were given; there may be none. @retval MENDER_E_NULL_POINTER `line` is NULL.
/// @retval MENDER_E_BUSY the client polls: try again. @retval MENDER_E_NOT_INITIALISED there is no client.
///
/// # Safety
/// `line` is NULL or a function that takes `user`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mender_client_deployment_log(
    line: Option<unsafe extern "C" fn(user: *mut c_void, level: i32, time_ms: u64, text: *const c_char)>,
    user: *mut c_void,
) -> i32 {
    let give = || {
        let line = line.ok_or(Error::NullPointer)?;
        between_polls(|client| {
            client.deployment_log(&mut |entry: &Entry<'_>| {
                let mut buf = [0; LOG_LINE];
                text::of_event(entry.event, entry.a, entry.b, entry.s, &mut buf);
                // SAFETY: the caller's function gets its own pointer, and a text that ends with NUL and outlives the call.
                unsafe { line(user, level(entry.event.level()), entry.unix_ms, buf.as_ptr().cast()) }
            });
            Ok(())
        })
    };
    answer(give())
}

/// Room for a rendered log entry: the longest text of an event with the longest text that is kept.
const LOG_LINE: usize = 160;

/// Claims the client for something that is not a poll.
fn between_polls<R>(run: impl FnOnce(&mut Client<'static, Ports>) -> Result<R, Error>) -> Result<R, Error> {
    let mut held = singleton::hold(Stage::Absent, Error::NotInitialised)?;
    let result = run(held.client());
    give_back(held);
    result
}

/// Ends that claim.
#[inline(never)]
fn give_back(mut held: Held) {
    held.publish(true);
    drop(held);
    // A poll that found the client in use sleeps for a while.
    sys::mender_port_clock_wake();
}

/// Asks the next poll for something.
#[inline(never)]
fn ask(request: Asked) -> i32 {
    change(|shared| shared.asked.add(request))
}

/// Changes what threads share, if there is a client, and wakes it.
fn change(request: impl FnOnce(&mut singleton::Shared)) -> i32 {
    let asked = with(|shared| match shared.stage {
        Stage::Absent => Err(Error::NotInitialised),
        Stage::Ready | Stage::Active => {
            request(shared);
            Ok(())
        }
    });
    sys::mender_port_clock_wake();
    answer(asked)
}

/// What failed last. From any thread.
///
/// @return 0: nothing since `mender_client_init`; else its negative code. `MENDER_E_NOT_INITIALISED`, `MENDER_E_NOT_ACTIVE`:
/// `mender_client_poll` does nothing for that reason.
#[unsafe(no_mangle)]
pub extern "C" fn mender_client_last_error() -> i32 {
    with(|shared| match shared.stage {
        Stage::Absent => code(Some(Error::NotInitialised)),
        Stage::Ready => code(Some(Error::NotActive)),
        Stage::Active => shared.status.last_error,
    })
}

/// What the client is at, as of the last poll. From any thread.
///
/// @retval 0 `status` is filled in. @retval MENDER_E_NULL_POINTER it is NULL. @retval MENDER_E_NOT_INITIALISED there is no client.
///
/// # Safety
/// `status` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mender_client_status(status: *mut MenderStatus) -> i32 {
    answer(with(|shared| match shared.stage {
        Stage::Absent => Err(Error::NotInitialised),
        // SAFETY: the caller's promise.
        Stage::Ready | Stage::Active => unsafe { raw::write(status, shared.status) },
    }))
}

/// Adds a pair to what a callback was given. Both texts end with NUL, are UTF-8, and may change after the call.
///
/// @retval 0 taken. @retval MENDER_E_NULL_POINTER something is NULL. @retval MENDER_E_ARGUMENT a text is too long or not UTF-8; an
/// identity with such a pair is not used at all.
///
/// # Safety
/// `pairs` is NULL or what the running callback was given. The texts are NULL or end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mender_pairs_add(
    pairs: *mut MenderPairs,
    name: *const c_char,
    value: *const c_char,
) -> i32 {
    let add = || {
        // SAFETY: the caller's promise.
        let receiver = unsafe { raw::receiver(pairs) }?;
        // SAFETY: the caller's promise.
        let name = unsafe { raw::text(name) };
        // SAFETY: the caller's promise.
        receiver.add(name, unsafe { raw::text(value) })
    };
    answer(add())
}

/// One line about a code, without a final stop.
///
/// @return a constant text that ends with NUL, never NULL, also for numbers that are no codes.
#[unsafe(no_mangle)]
pub extern "C" fn mender_error_text(code: i32) -> *const c_char {
    text::of_code(code).as_ptr()
}

/// Writes the text of a log event, cut to fit, and a NUL.
///
/// @param event the event's number, `a` and `b` its integers, `text` its text of `text_len` bytes; NULL is an empty one.
/// @return the length of the whole text, as `snprintf` has it. @retval MENDER_E_NULL_POINTER `buf` is NULL or of no length.
/// @retval MENDER_E_ARGUMENT there is no event of that number, or the text is too long or not UTF-8.
///
/// # Safety
/// `buf` is NULL or may be written for `size` bytes. `text` is NULL or may be read for `text_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mender_event_format(
    buf: *mut c_char,
    size: usize,
    event: i32,
    a: i64,
    b: i64,
    text: *const c_char,
    text_len: usize,
) -> i32 {
    let format = || {
        if buf.is_null() || size == 0 {
            return Err(Error::NullPointer);
        }
        let event = u16::try_from(event).ok().and_then(Event::from_number).ok_or(Error::Argument)?;
        // SAFETY: the caller's promise.
        let text = unsafe { raw::text_of_len(text, text_len) }?;
        // SAFETY: the caller's promise.
        let buf = unsafe { raw::memory(buf.cast(), size) }?;
        Ok(text::of_event(event, a, b, text, buf))
    };
    format().map_or_else(|error| code(Some(error)), |whole| i32::try_from(whole).unwrap_or(i32::MAX))
}
