// SPDX-License-Identifier: Apache-2.0
//! Texts for C.

use core::ffi::CStr;
use mender_base::{Error, Event, event};

/// What a code says, with NUL.
pub(crate) fn of_code(code: i32) -> &'static CStr {
    if code == 0 {
        return c"no error";
    }
    let number = code.checked_neg().and_then(|number| u16::try_from(number).ok());
    number.and_then(Error::from_number).map_or(c"unknown error", of_error)
}

#[cfg(feature = "error-texts")]
fn of_error(error: Error) -> &'static CStr {
    error.c_text()
}

#[cfg(not(feature = "error-texts"))]
fn of_error(_: Error) -> &'static CStr {
    c"see docs/errors.md"
}

/// Writes an event's text and a NUL, cut to fit. Returns the length of the whole text.
pub(crate) fn of_event(event: Event, a: i64, b: i64, text: &str, buf: &mut [u8]) -> usize {
    let (mut whole, mut written, mut cut) = (0usize, 0usize, false);
    let room = buf.len().saturating_sub(1);
    event::render(event, a, b, text, &mut |piece| {
        whole = whole.saturating_add(piece.len());
        if cut {
            return;
        }
        // A character that does not fit whole ends the text.
        let fits = piece.floor_char_boundary(room.saturating_sub(written));
        cut = fits < piece.len();
        for (to, from) in buf.iter_mut().skip(written).zip(piece.bytes().take(fits)) {
            *to = from;
        }
        written = written.saturating_add(fits);
    });
    if let Some(end) = buf.get_mut(written) {
        *end = 0;
    }
    whole
}
