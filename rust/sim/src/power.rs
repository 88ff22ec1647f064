// SPDX-License-Identifier: Apache-2.0
//! When the power goes: every flash operation and every report is a moment at which it can be cut.

/// What is under way. The flash moments share no operation, so counts of them add up to [`Moment::Any`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Any flash operation.
    Any,
    /// An erase or program for a record or the deployment log.
    RecordWrite,
    /// An erase or program for the device key.
    KeyWrite,
    /// An erase of a page of the inactive slot by the application.
    PageErase,
    /// A program into the inactive slot by the application.
    Program,
    /// A program that asks MCUboot for a swap.
    Arm,
    /// An operation of MCUboot: swap, revert, overwrite, spoiling a bad image.
    Swap,
    /// A program that confirms the running image.
    Confirm,
    /// A status report was sent and its reply not read. Not a flash operation.
    Report,
    /// A call of an update module, a state or a piece of a file. Not a flash operation of ours.
    Module,
}

impl Moment {
    /// All moments.
    pub const ALL: [Self; 10] = [
        Self::Any,
        Self::RecordWrite,
        Self::KeyWrite,
        Self::PageErase,
        Self::Program,
        Self::Arm,
        Self::Swap,
        Self::Confirm,
        Self::Report,
        Self::Module,
    ];

    /// The word for it on command lines and in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::RecordWrite => "record-write",
            Self::KeyWrite => "key-write",
            Self::PageErase => "page-erase",
            Self::Program => "program",
            Self::Arm => "arm",
            Self::Swap => "swap",
            Self::Confirm => "confirm",
            Self::Report => "report",
            Self::Module => "module",
        }
    }

    /// The moment of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|moment| moment.word() == word)
    }
}

/// How much of the operation is done when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// Nothing.
    Nothing,
    /// The first half of its bytes.
    Half,
    /// So many of its bytes, or all if it has no more.
    Bytes(u32),
    /// A pseudo-random number of its first bytes, by this seed.
    Prefix(u64),
    /// All but its last granule.
    AllButLast,
    /// Pseudo-random bits of it, by this seed.
    Bits(u64),
    /// All of it, but nobody was told.
    All,
}

/// A power cut to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which operations are counted.
    pub moment: Moment,
    /// The operation that is cut, counted from 1.
    pub number: u64,
    /// How it is left.
    pub tear: Tear,
}

/// The power supply: counts moments and fails at the chosen one.
#[derive(Clone, Debug, Default)]
pub struct Power {
    counts: [u64; Moment::ALL.len()],
    cut: Option<Cut>,
    off: bool,
    halt: Option<fn(&Cut)>,
}

impl Power {
    /// Plans a cut; counting starts anew. `None` takes a planned one back.
    pub fn plan(&mut self, cut: Option<Cut>) {
        self.counts = Default::default();
        self.cut = cut;
    }

    /// Calls `halt` at the cut, after the torn operation is in the flash. A process that lets itself be killed never returns from it.
    pub fn on_cut(&mut self, halt: fn(&Cut)) {
        self.halt = Some(halt);
    }

    /// The power is gone: nothing works until [`Power::restore`].
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// Turns the power on again. The cut that happened is forgotten.
    pub fn restore(&mut self) {
        if self.off {
            self.off = false;
            self.cut = None;
        }
    }

    /// How often a moment came, since [`Power::plan`] or the start.
    #[must_use]
    pub fn count(&self, moment: Moment) -> u64 {
        self.counts.get(moment as usize).copied().unwrap_or(0)
    }

    /// A moment comes. `Some` when the power goes in it: the caller tears its operation, then calls [`Power::fail`].
    pub(crate) fn step(&mut self, moment: Moment) -> Option<Cut> {
        let mut hit = None;
        let flash = !matches!(moment, Moment::Report | Moment::Module);
        let also = flash.then_some(Moment::Any);
        for counted in [Some(moment), also].into_iter().flatten() {
            if let Some(count) = self.counts.get_mut(counted as usize) {
                *count += 1;
                hit = hit.or(self.cut.filter(|cut| cut.moment == counted && cut.number == *count));
            }
        }
        hit
    }

    /// The power goes now.
    pub(crate) fn fail(&mut self, cut: &Cut) {
        self.off = true;
        if let Some(halt) = self.halt {
            halt(cut);
        }
    }

    /// A report is in flight: its request went out, its reply was not read.
    pub fn report_in_flight(&mut self) {
        if let Some(cut) = self.step(Moment::Report) {
            self.fail(&cut);
        }
    }
}

/// xorshift64*: pseudo-random numbers that are the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Xorshift(u64);

impl Xorshift {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_fails_at_the_planned_moment_and_only_there() {
        let mut power = Power::default();
        power.plan(Some(Cut { moment: Moment::Arm, number: 2, tear: Tear::Nothing }));
        for moment in [Moment::Arm, Moment::Swap, Moment::Report, Moment::Swap] {
            assert_eq!(power.step(moment), None);
        }
        let cut = power.step(Moment::Arm).unwrap();
        power.fail(&cut);
        assert!(power.is_off());
        assert_eq!(power.count(Moment::Any), 4, "a report is not a flash operation");
        power.restore();
        assert!(!power.is_off() && power.step(Moment::Arm).is_none());
    }

    #[test]
    fn words_lead_back_to_their_moment() {
        for moment in Moment::ALL {
            assert_eq!(Moment::from_word(moment.word()), Some(moment));
        }
        assert_eq!(Moment::from_word("never"), None);
    }
}
