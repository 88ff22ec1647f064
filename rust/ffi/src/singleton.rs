// SPDX-License-Identifier: Apache-2.0
//! The one client, and who may touch it when.
//!
//! What threads share is a few flags and a copy of the status, read and written under the platform's lock. One of the flags is the
//! claim on the client itself: whoever took it may use the client without the lock, and gives it back. So a poll that takes long keeps
//! nobody waiting, and no atomic read-modify-write is needed, which a Cortex-M0+ does not have.

use crate::api::code;
use crate::port::Ports;
use crate::types::{
    MENDER_PHASE_COMMIT, MENDER_PHASE_DOWNLOAD, MENDER_PHASE_FAILURE_PENDING, MENDER_PHASE_IDLE,
    MENDER_PHASE_INSTALL, MENDER_PHASE_ROLLBACK, MENDER_PHASE_ROLLBACK_REBOOT, MENDER_PHASE_SUCCESS_PENDING,
    MENDER_PHASE_VERIFY_REBOOT, MenderStatus,
};
use core::cell::UnsafeCell;
use core::ffi::c_char;
use core::mem::MaybeUninit;
use mender_base::Error;
use mender_client::{Client, Snapshot};
use mender_port::{Channel, Transport};
use mender_update::Phase;
use zephyr_sys as sys;

/// How far the client's life has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is no client.
    Absent,
    /// Made, but not yet to be polled.
    Ready,
    /// To be polled.
    Active,
}

/// What other threads ask of the next poll, a bit each.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asked(u8);

impl Asked {
    pub(crate) const CHECK: Self = Self(1);
    pub(crate) const INVENTORY: Self = Self(2);
    pub(crate) const AUTHENTICATION: Self = Self(4);
    pub(crate) const RETRY: Self = Self(8);
    pub(crate) const ABORT: Self = Self(16);

    pub(crate) const fn add(&mut self, more: Self) {
        self.0 |= more.0;
    }

    pub(crate) const fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}

/// What threads share.
pub(crate) struct Shared {
    pub(crate) stage: Stage,
    /// Somebody uses the client, or makes it.
    claimed: bool,
    pub(crate) asked: Asked,
    /// The client goes when the claim is given back.
    exit: bool,
    pub(crate) status: MenderStatus,
}

const NOTHING: Shared = Shared {
    stage: Stage::Absent,
    claimed: false,
    asked: Asked(0),
    exit: false,
    status: MenderStatus {
        phase: 0,
        authenticated: 0,
        last_error: 0,
        last_errno: 0,
        deployment_error: 0,
        received: 0,
        total: 0,
        can_abort: 0,
        check_at_ms: 0,
        deployment_id: [0; 37],
        artifact_name: [0; 257],
    },
};

struct Locked(UnsafeCell<Shared>);
// SAFETY: only `with` looks inside, and does so under the platform's lock.
unsafe impl Sync for Locked {}
static SHARED: Locked = Locked(UnsafeCell::new(NOTHING));

struct Claimed(UnsafeCell<MaybeUninit<Client<'static, Ports>>>);
// SAFETY: only the holder of the claim looks inside.
unsafe impl Sync for Claimed {}
static CLIENT: Claimed = Claimed(UnsafeCell::new(MaybeUninit::uninit()));

/// Where the client is. The optimiser must not know that it is always the same place: it would reach for every field from there, with
/// long instructions, instead of from the part of the client that is at work.
fn memory() -> *mut MaybeUninit<Client<'static, Ports>> {
    core::hint::black_box(CLIENT.0.get())
}

/// Looks at or changes what is shared. `f` is short and calls no port.
pub(crate) fn with<R>(f: impl FnOnce(&mut Shared) -> R) -> R {
    let key = sys::mender_port_lock();
    // SAFETY: the platform's lock keeps everybody else out, and it is not nested.
    let result = f(unsafe { &mut *SHARED.0.get() });
    sys::mender_port_unlock(key);
    result
}

/// Makes the client.
pub(crate) fn make(
    new: impl FnOnce(&mut MaybeUninit<Client<'static, Ports>>) -> Result<(), Error>,
) -> Result<(), Error> {
    with(|shared| match shared {
        Shared { stage: Stage::Absent, claimed: false, .. } => {
            shared.claimed = true;
            Ok(())
        }
        Shared { claimed: true, .. } => Err(Error::Busy),
        _ => Err(Error::AlreadyInitialised),
    })?;
    // SAFETY: the claim is ours.
    let memory = unsafe { &mut *memory() };
    let made = new(memory);
    with(|shared| {
        shared.claimed = false;
        if made.is_ok() {
            shared.stage = Stage::Ready;
            // SAFETY: it was written above.
            let client = unsafe { memory.assume_init_ref() };
            set_status(&mut shared.status, client, true);
        }
    });
    made
}

/// The claim on a client that exists. It is given back when this is dropped; if an exit was asked for meanwhile, the client goes.
pub(crate) struct Held(());

/// Claims the client, if there is one and it is not in the `refused` stage, which is that error.
#[inline(never)]
pub(crate) fn hold(refused: Stage, error: Error) -> Result<Held, Error> {
    with(|shared| {
        if shared.stage == Stage::Absent {
            return Err(Error::NotInitialised);
        }
        if shared.stage == refused {
            return Err(error);
        }
        if core::mem::replace(&mut shared.claimed, true) { Err(Error::Busy) } else { Ok(Held(())) }
    })
}

impl Held {
    pub(crate) fn client(&mut self) -> &mut Client<'static, Ports> {
        // SAFETY: the claim is ours.
        let memory = unsafe { &mut *memory() };
        // SAFETY: it was claimed in a stage in which the client exists.
        unsafe { memory.assume_init_mut() }
    }

    /// Shows others what the client is at; the texts too where they may have changed.
    pub(crate) fn publish(&mut self, quiet: bool) {
        let client = self.client();
        with(|shared| set_status(&mut shared.status, client, quiet));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let exit = with(|shared| {
            shared.claimed = shared.exit;
            shared.exit
        });
        if exit {
            let ports = self.client().ports_mut();
            ports.close(Channel::Api);
            ports.close(Channel::Storage);
            // SAFETY: the claim is ours.
            let memory = unsafe { &mut *memory() };
            // SAFETY: the client exists until the line after this one.
            unsafe { memory.assume_init_drop() };
            with(|shared| *shared = NOTHING);
        }
    }
}

/// Ends the client, now, or when the claim on it is given back: then `false`.
pub(crate) fn end() -> Result<bool, Error> {
    let held = with(|shared| {
        if shared.stage == Stage::Absent {
            return Err(Error::NotInitialised);
        }
        shared.exit = true;
        Ok(if core::mem::replace(&mut shared.claimed, true) { None } else { Some(Held(())) })
    })?;
    Ok(held.is_some())
}

const fn phase(phase: Phase) -> i32 {
    match phase {
        Phase::Idle => MENDER_PHASE_IDLE,
        Phase::Download => MENDER_PHASE_DOWNLOAD,
        Phase::Install => MENDER_PHASE_INSTALL,
        Phase::VerifyReboot => MENDER_PHASE_VERIFY_REBOOT,
        Phase::Commit => MENDER_PHASE_COMMIT,
        Phase::SuccessPending => MENDER_PHASE_SUCCESS_PENDING,
        Phase::Rollback => MENDER_PHASE_ROLLBACK,
        Phase::RollbackReboot => MENDER_PHASE_ROLLBACK_REBOOT,
        Phase::FailurePending => MENDER_PHASE_FAILURE_PENDING,
    }
}

/// The numbers are set at every poll, the texts when the phase changed or nothing is in a hurry: they are long.
fn set_status(status: &mut MenderStatus, client: &Client<'static, Ports>, quiet: bool) {
    let snapshot = client.snapshot();
    let Snapshot { artifact_name, phase: now, deployment_id, authenticated, last_error, .. } = snapshot;
    let ports = client.ports();
    let now = phase(now);
    if quiet || status.phase != now {
        set_text(&mut status.deployment_id, deployment_id);
        set_text(&mut status.artifact_name, artifact_name);
    }
    status.phase = now;
    status.authenticated = authenticated.into();
    status.last_error = code(last_error.map(|last| last.error));
    status.last_errno = last_error.map_or(0, |last| last.errno);
    status.deployment_error = code(ports.deployment_error);
    (status.received, status.total) = ports.progress;
    (status.can_abort, status.check_at_ms) = (snapshot.can_abort.into(), snapshot.check_at_ms);
}

fn set_text(to: &mut [c_char], text: &str) {
    // The arrays have one byte more than the longest text, for the NUL.
    for (to, from) in to.iter_mut().zip(text.bytes().chain(core::iter::repeat(0))) {
        *to = c_char::from_ne_bytes([from]);
    }
}
