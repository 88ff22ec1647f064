// SPDX-License-Identifier: Apache-2.0
//! Waiting between tries: `min(cap, base · 2^⌊n/3⌋)` plus up to 20 % of jitter (protocol §8.2).

/// Counts tries and says how long to wait before the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    tries: u8,
}

impl Backoff {
    /// No try yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { tries: 0 }
    }

    /// The time to the next try, in ms; counts this one.
    pub fn next_ms(&mut self, base_ms: u32, cap_ms: u32, random: u32) -> u32 {
        let doublings = u32::from(self.tries).checked_div(3).unwrap_or(0);
        self.tries = self.tries.saturating_add(1);
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        jittered(base_ms.saturating_mul(factor).min(cap_ms), 20, random)
    }

    /// How many times it was asked since the last success.
    #[must_use]
    pub const fn tries(self) -> u8 {
        self.tries
    }

    /// A success: the next failure waits the base time again.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

/// 1 %, in 2^-32.
const HUNDREDTH: u32 = 42_949_672;

/// `n` · `part` / 2^32, rounded down. (One instruction: no overflow to look for, no division.)
#[must_use]
pub(crate) fn fraction(n: u32, part: u32) -> u32 {
    let [_, _, _, _, high @ ..] = u64::from(n).wrapping_mul(part.into()).to_le_bytes();
    u32::from_le_bytes(high)
}

/// `ms` plus 0…`percent` % of it, by `random`.
#[must_use]
pub fn jittered(ms: u32, percent: u32, random: u32) -> u32 {
    let share = HUNDREDTH.saturating_mul(percent);
    ms.saturating_add(fraction(ms, fraction(share, random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_every_third_try_up_to_the_cap() {
        let mut b = Backoff::default();
        let mut waits = [0; 12];
        for w in &mut waits {
            *w = b.next_ms(60_000, 300_000, 0);
        }
        assert_eq!(
            waits[..9],
            [60_000, 60_000, 60_000, 120_000, 120_000, 120_000, 240_000, 240_000, 240_000]
        );
        assert_eq!(waits[9], 300_000);
        b.reset();
        assert_eq!(b.next_ms(60_000, 300_000, 0), 60_000);
    }

    #[test]
    fn jitter_stays_within_its_share() {
        assert_eq!(jittered(1000, 20, 0), 1000);
        assert_eq!(jittered(1000, 20, u32::MAX), 1199);
        assert_eq!(jittered(u32::MAX, 20, u32::MAX), u32::MAX);
    }
}
