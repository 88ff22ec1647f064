// SPDX-License-Identifier: Apache-2.0
//! The deployment log: warnings and errors of the deployment on record, as numbers, rendered when uploaded (protocol §2.4).

use crate::DEPLOYMENT_LOG;
use heapless::VecView;
use mender_api::{Entries, Entry};
use mender_base::text::utf8;
use mender_base::{Event, limits};

/// No bytes where nothing is to be kept.
const LEN: usize = if DEPLOYMENT_LOG { limits::DEPLOYMENT_LOG } else { 0 };
const HEAD: usize = 6 + 2 + 8 + 8 + 1;
const TEXT_MAX: usize = 48;

/// Entries in a byte buffer, oldest first. When it is full the oldest go: the last ones tell how it ended.
#[repr(C)]
pub(crate) struct DeploymentLog {
    /// Something came since the last save.
    dirty: bool,
    /// The story is told.
    closed: bool,
    bytes: heapless::Vec<u8, LEN>,
}

impl DeploymentLog {
    pub(crate) const fn new() -> Self {
        Self { dirty: false, closed: false, bytes: heapless::Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        (self.dirty, self.closed) = (false, false);
    }

    /// Takes nothing more: why the deployment failed must not go for tries to report it.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    pub(crate) fn is_empty(&self) -> bool {
        !DEPLOYMENT_LOG || self.bytes.is_empty()
    }

    /// Adds an entry at `at_ms`, since 1970 where that is known, else since boot.
    pub(crate) fn push(&mut self, at_ms: u64, event: Event, a: i64, b: i64, text: &str) {
        if !DEPLOYMENT_LOG || self.closed {
            return;
        }
        let text = clipped(text);
        let need = HEAD.saturating_add(text.len());
        while LEN.saturating_sub(self.bytes.len()) < need && self.drop_oldest() {}
        let [_, _, at @ ..] = at_ms.to_be_bytes();
        let bytes: &mut VecView<u8> = &mut self.bytes;
        let mut whole = Ok(());
        // Clipped to less than 256 above.
        let len = [u8::try_from(text.len()).unwrap_or(0)];
        for part in [
            &at[..],
            &event.number().to_be_bytes(),
            &a.to_be_bytes(),
            &b.to_be_bytes(),
            &len,
            text.as_bytes(),
        ] {
            whole = whole.and_then(|()| bytes.extend_from_slice(part));
        }
        if whole.is_err() {
            bytes.clear();
        }
        self.dirty = true;
    }

    /// The bytes for flash, if they changed since the last call.
    pub(crate) fn unsaved(&mut self) -> Option<&[u8]> {
        core::mem::take(&mut self.dirty).then_some(&self.bytes[..])
    }

    /// Takes what was on flash; anything that is not whole entries is left out.
    pub(crate) fn load(&mut self, bytes: &[u8]) {
        self.clear();
        let mut rest = bytes;
        while let Some((_, next)) = split(rest) {
            rest = next;
        }
        let whole = bytes.len().saturating_sub(rest.len());
        let kept: &mut VecView<u8> = &mut self.bytes;
        if kept.extend_from_slice(bytes.get(..whole).unwrap_or_default()).is_err() {
            kept.clear();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((_, rest)) = split(&self.bytes) else {
            self.bytes.clear();
            return false;
        };
        let gone = self.bytes.len().saturating_sub(rest.len());
        let kept = rest.len();
        for to in 0..kept {
            let byte = self.bytes.get(to.saturating_add(gone)).copied().unwrap_or(0);
            if let Some(at) = self.bytes.get_mut(to) {
                *at = byte;
            }
        }
        self.bytes.truncate(kept);
        true
    }
}

/// At most [`TEXT_MAX`] bytes of `text`, whole characters.
fn clipped(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

fn split(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (at, rest) = bytes.split_first_chunk::<6>()?;
    let (event, rest) = rest.split_first_chunk::<2>()?;
    let (a, rest) = rest.split_first_chunk::<8>()?;
    let (b, rest) = rest.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*len))?;
    let [m0, m1, m2, m3, m4, m5] = *at;
    let entry = Entry {
        unix_ms: u64::from_be_bytes([0, 0, m0, m1, m2, m3, m4, m5]),
        event: Event::from_number(u16::from_be_bytes(*event))?,
        a: i64::from_be_bytes(*a),
        b: i64::from_be_bytes(*b),
        s: utf8(text)?,
    };
    Some((entry, rest))
}

impl Entries for DeploymentLog {
    fn visit(&self, each: &mut dyn FnMut(&Entry<'_>)) {
        let mut rest = &self.bytes[..];
        while let Some((entry, next)) = split(rest) {
            each(&entry);
            rest = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn texts(log: &DeploymentLog) -> Vec<String> {
        let mut v = Vec::new();
        log.visit(&mut |e| v.push(e.s.to_string()));
        v
    }

    #[test]
    fn a_full_log_keeps_the_newest_entries_whole() {
        let mut log = DeploymentLog::new();
        for n in 0..100u8 {
            log.push(n.into(), Event::ConnectionFailed, 1503, -5, &"x".repeat(n.into()));
        }
        let t = texts(&log);
        assert!(t.len() >= 6 && t.iter().all(|t| t.len() == TEXT_MAX), "{t:?}");
    }

    #[test]
    fn a_log_survives_flash_and_a_torn_one_keeps_its_whole_entries() {
        let mut log = DeploymentLog::new();
        log.push(1, Event::ConnectionFailed, 1503, -5, "first");
        log.push(u64::MAX >> 16, Event::DeploymentFailed, 1406, 0, "zweites ü");
        let bytes = log.unsaved().unwrap().to_vec();
        assert!(log.unsaved().is_none());
        for cut in 0..=bytes.len() {
            let mut other = DeploymentLog::new();
            other.load(&bytes[..cut]);
            assert!(texts(&other).len() <= 2 && texts(&log).starts_with(&texts(&other)));
        }
    }
}
