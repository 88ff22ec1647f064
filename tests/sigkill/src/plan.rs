// SPDX-License-Identifier: Apache-2.0
//! Which moments: so many of each kind, spread over the whole of every update, good and bad ones in turn.

use std::fmt;

/// What is under way when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A record or the deployment log is written.
    RecordWrite,
    /// A page of the inactive slot is erased.
    PageErase,
    /// The image is written.
    Program,
    /// MCUboot is asked for a swap.
    Arm,
    /// MCUboot swaps, or swaps back.
    Swap,
    /// The running image is confirmed.
    Confirm,
    /// A status report was sent and its reply not read.
    Report,
    /// A new device writes its key.
    KeyWrite,
    /// Anything: the number is the milliseconds since the start of the process.
    Timer,
}

impl Kind {
    const WORDS: [(Self, &'static str); 9] = [
        (Self::RecordWrite, "record-write"),
        (Self::PageErase, "page-erase"),
        (Self::Program, "program"),
        (Self::Arm, "arm"),
        (Self::Swap, "swap"),
        (Self::Confirm, "confirm"),
        (Self::Report, "report"),
        (Self::KeyWrite, "key-write"),
        (Self::Timer, "timer"),
    ];

    /// The device's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// The updates in which it comes.
    fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::RecordWrite | Self::Report | Self::Timer => &Scenario::ALL,
            Self::PageErase | Self::Program | Self::Arm | Self::Swap => {
                &[Scenario::GoodImage, Scenario::BadImage]
            }
            Self::Confirm | Self::KeyWrite => &[Scenario::GoodImage],
        }
    }

    fn hows(self) -> &'static [How] {
        match self {
            Self::Report => &[How::Taken, How::Lost, How::Now],
            Self::Timer => &[How::Now],
            _ => &[How::Half, How::Torn, How::Before, How::After],
        }
    }
}

/// The update that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// An image that works.
    GoodImage,
    /// An image that fails its self-test.
    BadImage,
    /// Files for the update module.
    GoodModule,
    /// Files that the module finds wanting after the reboot and takes back.
    BadModule,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::GoodImage, Self::BadImage, Self::GoodModule, Self::BadModule];
    const WORDS: [(Self, &'static str); 4] = [
        (Self::GoodImage, "good-image"),
        (Self::BadImage, "bad-image"),
        (Self::GoodModule, "good-module"),
        (Self::BadModule, "bad-module"),
    ];

    /// The word for it in [`Moment`]s.
    #[must_use]
    pub fn word(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// Nothing but a power cut keeps it from succeeding.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::GoodImage | Self::GoodModule)
    }
}

/// How the moment is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Nothing of the flash operation is done.
    Before,
    /// Half of its bytes.
    Half,
    /// Random bits of it.
    Torn,
    /// All of it.
    After,
    /// The server has taken the report.
    Taken,
    /// The server never sees the report.
    Lost,
    /// As chance has it.
    Now,
}

impl How {
    const WORDS: [(Self, &'static str); 7] = [
        (Self::Before, "before"),
        (Self::Half, "half"),
        (Self::Torn, "torn"),
        (Self::After, "after"),
        (Self::Taken, "taken"),
        (Self::Lost, "lost"),
        (Self::Now, "now"),
    ];

    /// The word for it in [`Moment`]s; the first four are the device's.
    #[must_use]
    pub fn word(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }
}

fn word_of<T: PartialEq>(words: &[(T, &'static str)], wanted: T) -> &'static str {
    words.iter().find(|(value, _)| *value == wanted).map_or("", |(_, word)| word)
}

fn of_word<T: Copy>(words: &[(T, &'static str)], wanted: &str) -> Option<T> {
    words.iter().find(|(_, word)| *word == wanted).map(|(value, _)| *value)
}

/// A moment to cut the power at; as text `LANE/SCENARIO:KIND:NUMBER:HOW`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which device, and by that which flash geometry.
    pub lane: usize,
    /// The update that is cut.
    pub scenario: Scenario,
    /// What is under way.
    pub kind: Kind,
    /// The how-manieth of its kind since the process was started, from 1.
    pub number: u64,
    /// How it is left.
    pub how: How,
}

impl Moment {
    /// The moment of that text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (lane, rest) = text.split_once('/')?;
        let parts: Vec<&str> = rest.split(':').collect();
        let [scenario, kind, number, how] = parts[..] else { return None };
        Some(Self {
            lane: lane.parse().ok()?,
            scenario: of_word(&Scenario::WORDS, scenario)?,
            kind: of_word(&Kind::WORDS, kind)?,
            number: number.parse().ok()?,
            how: of_word(&How::WORDS, how)?,
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, number, .. } = self;
        let (scenario, kind, how) = (self.scenario.word(), self.kind.word(), self.how.word());
        write!(f, "{lane}/{scenario}:{kind}:{number}:{how}")
    }
}

/// How many moments of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// The kind.
    pub kind: Kind,
    /// So many are planned.
    pub planned: usize,
    /// At so many the power must really have gone.
    pub wanted: usize,
}

const fn amount(kind: Kind, planned: usize, wanted: usize) -> Amount {
    Amount { kind, planned, wanted }
}

/// How many moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Of each kind.
    pub kinds: &'static [Amount],
    /// At so many the power must really have gone, of whatever kind.
    pub wanted: usize,
}

/// The run that proves it: over 200 moments, at least 20 of each kind that counts.
pub const FULL: Amounts = Amounts { wanted: 200, kinds: &FULL_KINDS };
/// A look at every kind.
pub const QUICK: Amounts = Amounts { wanted: 20, kinds: &QUICK_KINDS };

const FULL_KINDS: [Amount; 9] = [
    amount(Kind::RecordWrite, 36, 30),
    amount(Kind::PageErase, 24, 20),
    amount(Kind::Program, 24, 20),
    amount(Kind::Arm, 24, 20),
    amount(Kind::Swap, 32, 30),
    amount(Kind::Confirm, 24, 20),
    amount(Kind::Report, 36, 30),
    amount(Kind::KeyWrite, 6, 5),
    amount(Kind::Timer, 20, 10),
];

const QUICK_KINDS: [Amount; 9] = [
    amount(Kind::RecordWrite, 4, 3),
    amount(Kind::PageErase, 2, 2),
    amount(Kind::Program, 2, 2),
    amount(Kind::Arm, 2, 2),
    amount(Kind::Swap, 3, 3),
    amount(Kind::Confirm, 2, 2),
    amount(Kind::Report, 4, 3),
    amount(Kind::KeyWrite, 2, 2),
    amount(Kind::Timer, 2, 0),
];

/// A moment before its device says how many of its kind there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) scenario: Scenario,
    pub(crate) kind: Kind,
    /// Where in the update, 0…999 of all moments of the kind.
    pub(crate) per_mille: u64,
    pub(crate) how: How,
}

/// The moments, good and bad updates in turn as far as there are both.
pub(crate) fn plan(seed: u64, amounts: &Amounts) -> Vec<Planned> {
    let mut random = Random(seed);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for Amount { kind, planned, .. } in amounts.kinds {
        let (scenarios, hows) = (kind.scenarios(), kind.hows());
        let first_how = random.below(hows.len() as u64) as usize;
        let strata = planned.div_ceil(scenarios.len()) as u64;
        for k in 0..*planned {
            let (stratum, scenario) = (k / scenarios.len(), scenarios[k % scenarios.len()]);
            let per_mille = (stratum as u64 * 1000 + random.below(1000)) / strata;
            let how = hows[(first_how + stratum + k % scenarios.len()) % hows.len()];
            let part = if scenario.is_good() { &mut good } else { &mut bad };
            part.push(Planned { scenario, kind: *kind, per_mille, how });
        }
    }
    random.shuffle(&mut good);
    random.shuffle(&mut bad);
    let (goods, bads) = (good.len(), bad.len());
    let mut mixed = Vec::with_capacity(goods + bads);
    while !(good.is_empty() && bad.is_empty()) {
        // From the part of which the larger share is left.
        let from_bad = good.is_empty() || bad.len() * goods > good.len() * bads;
        mixed.extend(if from_bad { bad.pop() } else { good.pop() });
    }
    mixed
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_its_text_says() {
        let text = "2/bad-image:swap:31:torn";
        let moment = Moment::parse(text).unwrap();
        assert_eq!((moment.lane, moment.number, moment.how), (2, 31, How::Torn));
        assert_eq!(moment.to_string(), text);
        for wrong in ["", "2/bad-image:swap:31", "bad-image:swap:31:torn", "2/bad-image:lunch:31:torn"] {
            assert_eq!(Moment::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_plan_has_every_kind_in_every_update_at_every_place_in_every_way() {
        let plan = plan(7, &FULL);
        assert!(plan.len() > FULL.wanted);
        for Amount { kind, planned, .. } in FULL.kinds {
            let of_kind: Vec<_> = plan.iter().filter(|moment| moment.kind == *kind).collect();
            assert_eq!(of_kind.len(), *planned);
            for scenario in kind.scenarios() {
                let here: Vec<_> = of_kind.iter().filter(|moment| moment.scenario == *scenario).collect();
                assert!(here.iter().any(|moment| moment.per_mille < 334), "{kind:?} {scenario:?}");
                assert!(here.iter().any(|moment| moment.per_mille > 666), "{kind:?} {scenario:?}");
                for how in kind.hows() {
                    assert!(here.iter().any(|moment| moment.how == *how), "{kind:?} {scenario:?} {how:?}");
                }
            }
        }
    }

    #[test]
    fn good_and_bad_updates_take_turns_and_the_seed_is_all_that_decides() {
        let first = plan(7, &FULL);
        assert_eq!(first, plan(7, &FULL));
        assert_ne!(first, plan(8, &FULL));
        let changes =
            first.windows(2).filter(|pair| pair[0].scenario.is_good() != pair[1].scenario.is_good());
        assert!(changes.count() > first.len() / 2);
    }
}
