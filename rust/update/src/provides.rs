// SPDX-License-Identifier: Apache-2.0
//! What the device provides, and what it will provide once the artifact in hand is committed (protocol §7.11).

use mender_base::pairs::{self, Full};
use mender_base::{glob, limits};

/// The key under which the artifact's name stands among the provides.
pub(crate) const ARTIFACT_NAME: &str = "artifact_name";
const ARTIFACT_GROUP: &str = "artifact_group";

/// Stored and incoming provides in one buffer of [`limits::PROVIDES`] bytes.
///
/// The stored ones come first. Which of them go is a bit mask, so that an aborted update leaves nothing to undo.
#[derive(Clone, Default)]
#[repr(C)]
pub struct Provides {
    stored_len: usize,
    /// Bit n: stored pair n is cleared by the artifact in hand.
    cleared: u16,
    bytes: heapless::Vec<u8, { limits::PROVIDES }>,
}

impl Provides {
    /// Nothing provided yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: heapless::Vec::new(), stored_len: 0, cleared: 0 }
    }

    /// Nothing provided any more.
    pub fn reset(&mut self) {
        self.bytes.clear();
        (self.stored_len, self.cleared) = (0, 0);
    }

    /// The encoded stored pairs.
    #[must_use]
    #[inline(never)]
    pub fn stored_bytes(&self) -> &[u8] {
        self.bytes.get(..self.stored_len).unwrap_or_default()
    }

    /// The encoded incoming pairs.
    #[must_use]
    #[inline(never)]
    pub fn incoming_bytes(&self) -> &[u8] {
        self.bytes.get(self.stored_len..).unwrap_or_default()
    }

    /// Which stored pairs the artifact in hand clears, by position.
    #[must_use]
    pub const fn cleared(&self) -> u16 {
        self.cleared
    }

    /// Takes the parts of a record; `false` when they make no sense or do not fit.
    pub fn load(&mut self, stored: &[u8], incoming: &[u8], cleared: u16) -> bool {
        self.bytes.clear();
        let whole = pairs::extend(&mut self.bytes, 0, stored);
        self.stored_len = self.bytes.len();
        self.cleared = cleared;
        whole && pairs::extend(&mut self.bytes, self.stored_len, incoming)
    }

    /// The stored pairs.
    pub fn stored(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs::iter(self.stored_bytes())
    }

    /// The incoming pairs.
    pub fn incoming(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs::iter(self.incoming_bytes())
    }

    /// A stored value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        pairs::get(self.stored_bytes(), key)
    }

    /// The name of the installed artifact.
    #[must_use]
    pub fn artifact_name(&self) -> &str {
        self.get(ARTIFACT_NAME).unwrap_or_default()
    }

    /// The name of the artifact in hand.
    #[must_use]
    pub fn incoming_name(&self) -> &str {
        pairs::get(self.incoming_bytes(), ARTIFACT_NAME).unwrap_or_default()
    }

    /// Forgets the artifact in hand and begins with the next, by its name.
    ///
    /// # Errors
    /// [`Full`]: not even the name fits.
    pub fn begin(&mut self, artifact_name: &str) -> Result<(), Full> {
        self.forget_incoming();
        self.push(ARTIFACT_NAME, artifact_name)
    }

    /// Begins with a name that must be told. Where an older firmware has let the others grow so that it does not fit, they go: what the
    /// device is matters more than what else it provides.
    pub fn rename(&mut self, artifact_name: &str) {
        if self.begin(artifact_name).is_err() {
            self.reset();
            let _fits = self.begin(artifact_name);
        }
    }

    /// Forgets the artifact in hand.
    pub fn forget_incoming(&mut self) {
        self.bytes.truncate(self.stored_len);
        self.cleared = 0;
    }

    /// Adds an incoming pair.
    ///
    /// # Errors
    /// [`Full`], also for a key that came before.
    pub fn push(&mut self, key: &str, value: &str) -> Result<(), Full> {
        pairs::push(&mut self.bytes, self.stored_len, key, value)
    }

    /// A glob of `clears_artifact_provides`. The name is never cleared: every artifact sets it.
    pub fn clear(&mut self, pattern: &str) {
        self.clear_but(ARTIFACT_NAME, pattern);
    }

    /// The artifact says nothing of clearing: then all goes but the name and the group.
    pub fn clear_without_globs(&mut self) {
        self.clear_but(ARTIFACT_GROUP, "*");
    }

    fn clear_but(&mut self, kept: &str, pattern: &str) {
        let mut bit = 1u16;
        for (key, _) in pairs::iter(self.bytes.get(..self.stored_len).unwrap_or_default()) {
            if key != ARTIFACT_NAME && key != kept && glob::matches(pattern.as_bytes(), key.as_bytes()) {
                self.cleared |= bit;
            }
            bit = bit.wrapping_shl(1);
        }
    }

    /// Whether the result of [`Provides::commit`] keeps within [`limits::PAIRS_MAX`] and [`limits::PROVIDES_STORED`].
    #[must_use]
    pub fn commit_fits(&self) -> bool {
        let (mut count, mut size) = (self.incoming().count(), self.incoming_bytes().len());
        let (mut offset, mut bit) = (0, 1u16);
        while let Some((len, stays)) = self.pair_at(offset, bit) {
            if stays {
                count = count.saturating_add(1);
                size = size.saturating_add(len);
            }
            offset = offset.saturating_add(len);
            bit = bit.wrapping_shl(1);
        }
        // What an older firmware has let grow may stay, or shrink.
        count <= limits::PAIRS_MAX && size <= limits::PROVIDES_STORED.max(self.stored_len)
    }

    /// The artifact in hand is installed: stored pairs that are cleared or replaced go, the incoming ones become stored.
    pub fn commit(&mut self) {
        let (mut offset, mut bit) = (0, 1u16);
        while let Some((len, stays)) = self.pair_at(offset, bit) {
            if stays {
                offset = offset.saturating_add(len);
            } else {
                self.remove(offset, len);
            }
            bit = bit.wrapping_shl(1);
        }
        self.stored_len = self.bytes.len();
        self.cleared = 0;
    }

    /// Encoded length of the stored pair at `offset`, and whether it survives the commit; `bit` is its own among the cleared ones.
    #[inline(never)]
    fn pair_at(&self, offset: usize, bit: u16) -> Option<(usize, bool)> {
        let (key, value) = pairs::iter(self.bytes.get(offset..self.stored_len)?).next()?;
        let stays = self.cleared & bit == 0 && pairs::get(self.incoming_bytes(), key).is_none();
        Some((key.len().saturating_add(value.len()).saturating_add(3), stays))
    }

    fn remove(&mut self, offset: usize, len: usize) {
        let mut to = offset;
        while let Some(byte) = self.bytes.get(to.saturating_add(len)).copied() {
            if let Some(at) = self.bytes.get_mut(to) {
                *at = byte;
            }
            to = to.saturating_add(1);
        }
        self.bytes.truncate(to);
        self.stored_len = self.stored_len.saturating_sub(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn with(stored: &[(&str, &str)]) -> Provides {
        let mut p = Provides::new();
        for (k, v) in stored {
            p.push(k, v).unwrap();
        }
        p.commit();
        p
    }

    fn all(p: &Provides) -> Vec<(&str, &str)> {
        p.stored().collect()
    }

    const STORED: [(&str, &str); 4] =
        [("artifact_name", "r1"), ("rootfs-image.version", "r1"), ("artifact_group", "g"), ("other", "x")];

    #[test]
    fn globs_clear_stored_pairs_and_incoming_ones_replace_them() {
        let mut p = with(&STORED);
        p.begin("r2").unwrap();
        p.clear("rootfs-image.*");
        p.push("rootfs-image.checksum", "c").unwrap();
        p.push("other", "y").unwrap();
        assert_eq!(all(&p), STORED, "nothing changes before the commit");
        p.commit();
        assert_eq!(
            all(&p),
            [
                ("artifact_group", "g"),
                ("artifact_name", "r2"),
                ("rootfs-image.checksum", "c"),
                ("other", "y")
            ]
        );
    }

    #[test]
    fn without_clears_all_but_name_and_group_go() {
        let mut p = with(&STORED);
        p.begin("r2").unwrap();
        p.clear_without_globs();
        p.commit();
        assert_eq!(all(&p), [("artifact_group", "g"), ("artifact_name", "r2")]);
    }

    #[test]
    fn a_star_clears_the_group_but_never_the_name() {
        let mut p = with(&STORED);
        p.begin("r2").unwrap();
        p.clear("*");
        p.forget_incoming();
        p.commit();
        assert_eq!(all(&p), STORED, "an update that was given up leaves no trace");
        p.begin("r2").unwrap();
        p.clear("*");
        p.commit();
        assert_eq!(all(&p), [("artifact_name", "r2")]);
    }

    #[test]
    fn a_key_twice_and_too_many_pairs_are_refused() {
        let mut p = with(&STORED);
        p.begin("r2").unwrap();
        assert_eq!(p.push("artifact_name", "again"), Err(Full));
        for n in 0..12 {
            let key = [b'k', b'a' + n];
            p.push(core::str::from_utf8(&key).unwrap(), "").unwrap();
        }
        // Three of the stored survive beside 13 incoming: 16. One more is over.
        assert!(p.commit_fits());
        p.push("one", "more").unwrap();
        assert!(!p.commit_fits());
    }

    #[test]
    fn the_parts_of_a_record_load_or_are_refused() {
        let mut p = with(&STORED);
        p.begin("r2").unwrap();
        p.clear("other");
        let (s, i, c) = (p.stored_bytes().to_vec(), p.incoming_bytes().to_vec(), p.cleared());
        let mut q = Provides::new();
        assert!(q.load(&s, &i, c));
        q.commit();
        p.commit();
        assert_eq!(all(&p), all(&q));
        assert!(!q.load(&s[1..], &i, c));
        assert!(!q.load(&[0; 513], &[], 0));
    }

    #[test]
    fn what_an_older_firmware_has_let_grow_may_stay_and_not_grow() {
        let long = "v".repeat(200);
        let mut p = with(&[("artifact_name", "release-1"), ("a", &long), ("b", "12345678901234567890")]);
        assert!(
            p.stored_bytes().len() < limits::PROVIDES_STORED + 20
                && p.stored_bytes().len() > limits::PROVIDES_STORED
        );
        p.begin("release-2").unwrap();
        assert!(p.commit_fits());
        p.push("c", "1").unwrap();
        assert!(!p.commit_fits());
    }
}
