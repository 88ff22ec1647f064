// SPDX-License-Identifier: Apache-2.0
//! Pointers from C become references here and nowhere else. What a pointer claims is an allegation: NULL, alignment, lengths and text are
//! checked; that the memory is there, and stays as long as the header says, is the caller's promise.

use crate::types::MenderPairs;
use core::ffi::c_char;
use core::slice;
use mender_base::Error;
use mender_base::text::utf8;

/// Longest text that is taken from C, in bytes without NUL: a tenant token.
const TEXT_MAX: usize = 2048;

/// What `pointer` points to.
///
/// # Safety
/// Unless NULL or unaligned, `pointer` is good for reading a `T` for all of `'a`, and nobody changes it.
pub(crate) unsafe fn reference<'a, T>(pointer: *const T) -> Result<&'a T, Error> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Error::NullPointer);
    }
    // SAFETY: it is neither NULL nor unaligned, and the caller promised the rest.
    Ok(unsafe { &*pointer })
}

/// The same for writing; what was there is overwritten.
///
/// # Safety
/// Unless NULL or unaligned, `pointer` is good for writing a `T`, and nobody else uses it meanwhile.
pub(crate) unsafe fn write<T>(pointer: *mut T, value: T) -> Result<(), Error> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Error::NullPointer);
    }
    // SAFETY: it is neither NULL nor unaligned, and the caller promised the rest.
    unsafe { pointer.write(value) };
    Ok(())
}

/// Memory for the caller's exclusive use, all zero.
///
/// # Safety
/// Unless NULL, `pointer` is good for reading and writing `len` bytes for all of `'a`, and nobody else uses them.
pub(crate) unsafe fn memory<'a>(pointer: *mut u8, len: usize) -> Result<&'a mut [u8], Error> {
    if pointer.is_null() || isize::try_from(len).is_err() {
        return Err(Error::NullPointer);
    }
    // SAFETY: it is not NULL, the length is possible, and the caller promised the rest. C need not have initialised it.
    unsafe { pointer.write_bytes(0, len) };
    // SAFETY: as above, and now it is initialised.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

/// Text of known length. NULL is an empty text.
///
/// # Safety
/// Unless NULL, `pointer` is good for reading `len` bytes for all of `'a`, and nobody changes them.
pub(crate) unsafe fn text_of_len<'a>(pointer: *const c_char, len: usize) -> Result<&'a str, Error> {
    if pointer.is_null() || len == 0 {
        return Ok("");
    }
    if len > TEXT_MAX {
        return Err(Error::Argument);
    }
    // SAFETY: it is not NULL, the length is possible, and the caller promised the rest.
    let bytes = unsafe { slice::from_raw_parts(pointer.cast::<u8>(), len) };
    utf8(bytes).ok_or(Error::Argument)
}

/// Text up to its NUL; `None` for NULL.
///
/// # Safety
/// Unless NULL, `pointer` is good for reading up to a NUL, or one byte more than [`TEXT_MAX`], for all of `'a`, and nobody changes them.
pub(crate) unsafe fn text<'a>(pointer: *const c_char) -> Result<Option<&'a str>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    for len in 0..=TEXT_MAX {
        // SAFETY: no NUL was before this byte, so it belongs to what the caller promised.
        let byte = unsafe { pointer.wrapping_add(len).read() };
        if byte == 0 {
            // SAFETY: these bytes were just read.
            return unsafe { text_of_len(pointer, len) }.map(Some);
        }
    }
    Err(Error::Argument)
}

/// What hides behind C's `struct mender_pairs`.
pub(crate) struct Receiver<'a> {
    add: &'a mut dyn FnMut(&str, &str),
    /// A pair was refused.
    bad: bool,
}

impl<'a> Receiver<'a> {
    pub(crate) fn new(add: &'a mut dyn FnMut(&str, &str)) -> Self {
        Self { add, bad: false }
    }

    /// For C, good as long as `self`.
    pub(crate) fn as_pairs(&mut self) -> *mut MenderPairs {
        (&raw mut *self).cast()
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.bad
    }

    /// Adds a pair, or remembers that it was none.
    pub(crate) fn add(
        &mut self,
        name: Result<Option<&str>, Error>,
        value: Result<Option<&str>, Error>,
    ) -> Result<(), Error> {
        let pair =
            name.and_then(|name| Ok((name.ok_or(Error::NullPointer)?, value?.ok_or(Error::NullPointer)?)));
        self.bad |= pair.is_err();
        let (name, value) = pair?;
        (self.add)(name, value);
        Ok(())
    }
}

/// The receiver behind C's pointer.
///
/// # Safety
/// Unless NULL or unaligned, `pairs` came from [`Receiver::as_pairs`] of a receiver that outlives `'a`, and nobody else uses it.
pub(crate) unsafe fn receiver<'a>(pairs: *mut MenderPairs) -> Result<&'a mut Receiver<'a>, Error> {
    let pointer = pairs.cast::<Receiver<'a>>();
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Error::NullPointer);
    }
    // SAFETY: it is neither NULL nor unaligned, and the caller promised the rest.
    Ok(unsafe { &mut *pointer })
}
