// SPDX-License-Identifier: Apache-2.0
//! Runs of a scenario with one thing going wrong, then two, at every place there is.

use std::collections::BTreeMap;
use std::rc::Rc;

use mender_sim::{Cut, Moment, Tear};

use crate::plan::{BootFault, Fault, NetFault};
use crate::random::Random;
use crate::story::Setup;
use crate::world::{Counts, End, Violation, World};

/// A run that went wrong, and how to see it again.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The argument of `--replay`.
    pub replay: String,
    /// What went wrong.
    pub what: String,
}

/// What was tried, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Flash operations of the runs without a fault.
    pub operations: u64,
    /// Power cuts, one in a run.
    pub single: u64,
    /// Pairs of power cuts.
    pub double: u64,
    /// Faults of the network, and of flash that is out of order for a moment, one in a run: those that struck.
    pub network: u64,
    /// Runs of random mixtures.
    pub seeds: u64,
    /// How the steps ended.
    pub ends: BTreeMap<End, u64>,
    /// The events that the client logged, one bit each.
    pub events: Vec<u64>,
    /// What went wrong.
    pub failed: Vec<Failed>,
    /// The traces of all runs in one number.
    pub trace: u64,
}

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.single += other.single;
        self.double += other.double;
        self.network += other.network;
        self.seeds += other.seeds;
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        self.see(&other.events);
        self.failed.extend(other.failed);
        self.trace ^= other.trace;
    }

    fn see(&mut self, events: &[u64]) {
        self.events.resize(self.events.len().max(events.len()), 0);
        self.events.iter_mut().zip(events).for_each(|(to, from)| *to |= from);
    }
}

/// How an operation is torn: in every way, or in one by turns.
fn tears(turn: u64, thorough: bool) -> Vec<Tear> {
    let all = [Tear::Nothing, Tear::AllButLast, Tear::Bits(turn), Tear::All, Tear::Prefix(turn)];
    if thorough { all.to_vec() } else { vec![all[(turn % 5) as usize]] }
}

/// Runs a scenario again and again.
pub struct Sweep {
    setup: Rc<Setup>,
    seed: u64,
    start: World,
    /// What came of it.
    pub tally: Tally,
    /// No more is tried once something went wrong.
    pub fail_fast: bool,
}

impl Sweep {
    /// Gets a scenario ready.
    ///
    /// # Errors
    /// What went wrong before anything was to.
    pub fn new(setup: &Rc<Setup>, seed: u64) -> Result<Self, Failed> {
        let failed = |v: Violation| Failed { replay: format!("{}:{seed}", setup.name()), what: v.0 };
        let start = World::start(setup, seed, false).map_err(failed)?;
        Ok(Self { setup: Rc::clone(setup), seed, start, tally: Tally::default(), fail_fast: false })
    }

    fn stops(&self) -> bool {
        self.fail_fast && !self.tally.failed.is_empty()
    }

    /// One run with these faults, from the start. One that does not strike is a violation, but for those of a boot: there may be no such
    /// boot, or nothing that is read in it.
    pub fn run(&mut self, faults: &[Fault]) -> World {
        let mut world = self.start.fork();
        self.finish(&mut world, faults, faults, true);
        world
    }

    /// Runs a world to its end, with these faults on top of what led to it.
    fn finish(&mut self, world: &mut World, planned: &[Fault], all: &[Fault], must_hit: bool) {
        world.plan(planned);
        let cuts = planned.iter().filter(|fault| matches!(fault, Fault::Power(_))).count() as u32;
        let expected = world.cuts_hit + cuts;
        let ended = world.run().and_then(|()| {
            let waits =
                |fault: &&Fault| matches!(fault, Fault::Net(f) if world.link.borrow().faults.contains(f));
            let mut missed = planned.iter().filter(waits).map(ToString::to_string).next();
            if world.cuts_hit < expected {
                missed = Some("the cut".to_owned());
            }
            world.run_next()?;
            missed
                .filter(|_| must_hit)
                .map_or(Ok(()), |fault| Err(Violation(format!("{fault} did not happen"))))
        });
        for end in &world.ends {
            *self.tally.ends.entry(*end).or_default() += 1;
        }
        self.tally.see(&world.trace.seen());
        self.tally.trace = self.tally.trace.rotate_left(1) ^ world.trace.hash();
        if let Err(Violation(what)) = ended {
            let faults: String = all.iter().map(|fault| format!(":{fault}")).collect();
            let replay = format!("{}:{}{faults}", self.setup.name(), self.seed);
            self.tally.failed.push(Failed { replay, what });
        }
    }

    /// The run in which nothing goes wrong; how often each moment came.
    pub fn plain(&mut self) -> Counts {
        let world = self.run(&[]);
        let counts = world.counts;
        self.tally.operations = counts.flash;
        counts
    }

    /// A power cut at every flash operation, report and call of a module, torn in every way or in one by turns.
    pub fn single(&mut self, thorough: bool) {
        let counts = self.plain();
        for (moment, count) in
            [(Moment::Any, counts.flash), (Moment::Report, counts.reports), (Moment::Module, counts.modules)]
        {
            for number in 1..=count {
                let tears = if moment == Moment::Any {
                    tears(number, thorough)
                } else {
                    vec![Tear::Nothing, Tear::All]
                };
                for tear in tears {
                    if self.stops() {
                        return;
                    }
                    self.run(&[Fault::Power(Cut { moment, number, tear })]);
                    self.tally.single += 1;
                }
            }
        }
    }

    /// After a cut at every operation, a second cut at every operation of the recovery.
    pub fn double(&mut self, thorough: bool) {
        let counts = self.plain();
        for number in 1..=counts.flash {
            for tear in tears(number, thorough) {
                let first = Fault::flash(number, tear);
                let mut world = self.start.fork();
                world.capture = true;
                self.finish(&mut world, &[first], &[first], true);
                let Some(cut) = world.captured.take() else { continue };
                for again in 1..=world.counts.flash {
                    if self.stops() {
                        return;
                    }
                    for tear in tears(number + again * 3, false) {
                        let second = Fault::flash(again, tear);
                        self.finish(&mut cut.fork(), &[second], &[first, second], true);
                        self.tally.double += 1;
                    }
                }
            }
        }
    }

    /// The connection cut at every byte of every request and reply, and every other fault at every request.
    pub fn network(&mut self, every: u64) {
        let counts = self.plain();
        let mut faults: Vec<NetFault> = (counts.sent.0..counts.sent.1).map(NetFault::CutSend).collect();
        faults.extend((counts.received.0..counts.received.1).map(NetFault::CutReply));
        let mut faults: Vec<_> = faults.into_iter().step_by(every.max(1) as usize).collect();
        for number in counts.requests.0 + 1..=counts.requests.1 {
            faults.extend(NetFault::AT_REQUESTS.map(|fault| fault(number)));
        }
        for fault in faults.into_iter().map(Fault::Net) {
            if self.stops() {
                return;
            }
            self.run(&[fault]);
            self.tally.network += 1;
        }
    }

    /// Key and records that cannot be read or written, at every boot.
    pub fn boots(&mut self) {
        self.plain();
        for boot in 1..=4 {
            for fault in BootFault::at(boot) {
                let struck = self.run(&[Fault::Boot(fault)]).boot_faults_hit > 0;
                self.tally.network += u64::from(struck);
            }
        }
    }

    /// A run of a random mixture of faults for each of these seeds.
    pub fn seeds(&mut self, seeds: impl Iterator<Item = u64>) {
        let mut seeds = seeds.peekable();
        if seeds.peek().is_none() {
            return;
        }
        let counts = self.plain();
        if !self.tally.failed.is_empty() {
            return;
        }
        for seed in seeds {
            if self.stops() {
                return;
            }
            let faults = mixture(&counts, seed);
            let mut world = self.start.fork();
            world.stutter(seed);
            let before = self.tally.failed.len();
            self.finish(&mut world, &faults, &faults, false);
            if let Some(failed) = self.tally.failed.get_mut(before) {
                failed.replay.push_str(&format!(":~{seed}"));
            }
            self.tally.seeds += 1;
        }
    }
}

/// Faults by a seed: up to four power cuts, up to three network faults.
#[must_use]
pub fn mixture(counts: &Counts, seed: u64) -> Vec<Fault> {
    let mut random = Random::new(seed);
    let mut faults = Vec::new();
    for n in 0..random.below(5) {
        let span = if n == 0 { counts.flash } else { 60 };
        let number = 1 + random.below(span);
        let (moment, number) = match random.below(8) {
            0 => (Moment::Report, 1 + random.below(counts.reports.max(1))),
            1 if counts.modules > 0 => (Moment::Module, 1 + random.below(counts.modules)),
            _ => (Moment::Any, number),
        };
        let seed = random.below(1000);
        let tear = *random.of(&[
            Tear::Nothing,
            Tear::Half,
            Tear::Bits(seed),
            Tear::All,
            Tear::Prefix(seed),
            Tear::AllButLast,
        ]);
        faults.push(Fault::Power(Cut { moment, number, tear }));
    }
    for _ in 0..random.below(4) {
        let request = counts.requests.0 + 1 + random.below(counts.requests.1 - counts.requests.0);
        let sent = counts.sent.0 + random.below(counts.sent.1 - counts.sent.0);
        let received = counts.received.0 + random.below(counts.received.1 - counts.received.0);
        let fault = match random.below(2 + NetFault::AT_REQUESTS.len() as u64) {
            0 => NetFault::CutSend(sent),
            1 => NetFault::CutReply(received),
            n => NetFault::AT_REQUESTS[n as usize - 2](request),
        };
        faults.push(Fault::Net(fault));
    }
    let boot = 1 + random.below(4) as u32;
    let fault = *random.of(&BootFault::at(boot));
    // Not with a power cut: see docs/reliability.md.
    let writes = matches!(fault, BootFault::Writes(_));
    let cut = faults.iter().any(|fault| matches!(fault, Fault::Power(_)));
    if random.below(4) == 0 && !(writes && cut) {
        faults.push(Fault::Boot(fault));
    }
    faults
}

/// A run that was told in full.
pub struct Replay {
    /// What happened.
    pub story: String,
    /// What must not have, if anything did.
    pub wrong: Option<String>,
    /// How often a fault struck.
    pub struck: u32,
}

/// Runs one mixture or one list of faults with its whole story told; what went wrong, if anything did.
///
/// # Errors
/// The argument is not understood.
pub fn replay(text: &str) -> Result<Replay, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let setup = Setup::parse(name).ok_or_else(|| format!("{name:?} is not a scenario; see --list"))?;
    let seed = parts.next().map_or(Ok(1), |seed| seed.parse::<u64>().map_err(|e| format!("seed: {e}")))?;
    let mut stutter = None;
    let mut faults = Vec::new();
    for part in parts {
        match part.strip_prefix('~') {
            Some(seed) => stutter = Some(seed.parse::<u64>().map_err(|e| format!("{part}: {e}"))?),
            None => faults.push(Fault::parse(part).ok_or_else(|| format!("{part:?} is no fault"))?),
        }
    }
    let mut world = World::start(&setup, seed, true).map_err(|v| v.0)?;
    if let Some(seed) = stutter {
        world.stutter(seed);
    }
    let before = world.struck();
    world.plan(&faults);
    let ended = world.run();
    let struck = world.struck() - before;
    let ended = ended.and_then(|()| world.run_next());
    let mut story = world.trace.text();
    story.push_str(&format!("\n{:?}\n", world.link.borrow().server.dialogue));
    Ok(Replay { story, wrong: ended.err().map(|v| v.0), struck })
}
