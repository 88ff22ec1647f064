// SPDX-License-Identifier: Apache-2.0
//! Values the optimiser knows nothing of.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::read_volatile;
use mender_base::words::ModuleState;
use mender_base::{Error, Event, Status};

/// A type with an unknown value.
pub trait Any {
    /// The value.
    fn any() -> Self;
}

/// An unknown value.
#[must_use]
pub fn any<T: Any>() -> T {
    T::any()
}

/// Uses a value, so that what made it stays in the program.
pub fn see<T>(value: T) {
    core::hint::black_box(value);
}

macro_rules! from_memory {
    ($($type:ty = $start:expr;)+) => {
        $(impl Any for $type {
            fn any() -> Self {
                static MEMORY: $type = $start;
                // SAFETY: it is the address of a static of this very type.
                unsafe { read_volatile(&raw const MEMORY) }
            }
        })+
    };
}

from_memory! {
    u8 = 0;
    u16 = 0;
    u32 = 0;
    u64 = 0;
    usize = 0;
    i32 = 0;
    i64 = 0;
    bool = false;
    char = ' ';
    &'static str = "";
    &'static [u8] = &[];
    &'static [&'static str] = &[];
}

impl<const N: usize> Any for [u8; N] {
    fn any() -> Self {
        core::array::from_fn(|_| any())
    }
}

impl<T: Any> Any for Option<T> {
    fn any() -> Self {
        any::<bool>().then(T::any)
    }
}

impl<T: Any, E: Any> Any for Result<T, E> {
    fn any() -> Self {
        if any() { Ok(any()) } else { Err(any()) }
    }
}

impl<A: Any, B: Any> Any for (A, B) {
    fn any() -> Self {
        (any(), any())
    }
}

impl Any for () {
    fn any() -> Self {}
}

impl Any for Error {
    fn any() -> Self {
        one_of(Error::ALL)
    }
}

impl Any for Event {
    fn any() -> Self {
        one_of(Event::ALL)
    }
}

impl Any for ModuleState {
    fn any() -> Self {
        one_of(&ModuleState::ALL)
    }
}

impl Any for Status {
    fn any() -> Self {
        one_of(&[
            Status::Downloading,
            Status::Installing,
            Status::Rebooting,
            Status::Success,
            Status::Failure,
            Status::PauseBeforeInstalling,
            Status::PauseBeforeRebooting,
            Status::PauseBeforeCommitting,
        ])
    }
}

/// Any element; the list is not empty.
pub fn one_of<T: Copy>(list: &[T]) -> T {
    loop {
        if let Some(found) = list.get(any::<usize>()) {
            return *found;
        }
    }
}

/// Fills memory with unknown bytes.
pub fn fill(memory: &mut [u8]) {
    for byte in memory {
        *byte = any();
    }
}

/// A part of unknown length of some memory, filled with unknown bytes.
pub fn part(memory: &mut [u8]) -> &mut [u8] {
    fill(memory);
    memory.get_mut(..any()).unwrap_or_default()
}

/// Memory in `.bss`, lent for good.
pub struct Memory<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: the programs of this crate have one thread.
unsafe impl<T> Sync for Memory<T> {}

impl<T> Memory<T> {
    /// Nothing in it yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "only statics need one")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Has a value put there, and lends it.
    ///
    /// # Safety
    /// Called once in the program for each memory. `put` writes the value where it answers with `Ok`.
    #[allow(clippy::mut_from_ref, reason = "that it is lent once is the caller's promise")]
    pub unsafe fn lend_made<E>(
        &'static self,
        put: impl FnOnce(&mut MaybeUninit<T>) -> Result<(), E>,
    ) -> Result<&'static mut T, E> {
        // SAFETY: by the caller's promise nothing else refers to the memory.
        let memory = unsafe { &mut *self.0.get() };
        put(memory)?;
        // SAFETY: by the caller's promise it was written.
        Ok(unsafe { memory.assume_init_mut() })
    }

    /// Puts a value there and lends it.
    ///
    /// # Safety
    /// Called once in the program for each memory.
    #[allow(clippy::mut_from_ref, reason = "that it is lent once is the caller's promise")]
    pub unsafe fn lend(&'static self, value: T) -> &'static mut T {
        // SAFETY: by the caller's promise nothing else refers to the memory.
        unsafe { &mut *self.0.get() }.write(value)
    }
}
