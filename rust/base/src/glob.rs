// SPDX-License-Identifier: Apache-2.0
//! The matcher of `clears_artifact_provides`: `*` is any run of bytes, everything else is itself (artifact format v3).

/// Whether `pattern` matches the whole of `key`. Time is at most the product of both lengths; nothing recurses.
#[must_use]
pub fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut p, mut k) = (pattern, key);
    // Where to go on after the last star when a literal run fails: that star's rest, and the key one byte further.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (p.split_first(), k.split_first()) {
            (Some((b'*', rest)), _) => {
                p = rest;
                retry = Some((rest, k));
                continue;
            }
            (Some((a, pr)), Some((b, kr))) if a == b => {
                (p, k) = (pr, kr);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((rest, from)) = retry else { return false };
        let Some((_, further)) = from.split_first() else { return false };
        (p, k) = (rest, further);
        retry = Some((rest, further));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_runs_and_the_rest_is_literal() {
        for (pattern, key, wanted) in [
            ("*", "", true),
            ("*", "anything", true),
            ("**", "x", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbd", false),
            ("rootfs-image.*", "rootfs-image.version", true),
            ("rootfs-image.*", "rootfs-image", false),
            ("a.c", "abc", false),
            ("", "", true),
            ("", "a", false),
            ("*a*a*b", "aaaaaaaaab", true),
            ("?", "x", false),
            ("[a]", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), key.as_bytes()), wanted, "{pattern} {key}");
        }
    }

    #[test]
    fn a_thousand_stars_end_soon() {
        extern crate std;
        assert!(!matches(&b"*a".repeat(500), &[b'a'; 400]));
        assert!(matches(&[b'*'; 1000], &[b'a'; 64]));
    }
}
