// SPDX-License-Identifier: Apache-2.0
//! The whole programme: every scenario, every mode of MCUboot, every flash geometry.

use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mender_sim::mcuboot::Mode;

use crate::story::{MODES, STORIES, Setup, Story, layout};
use crate::sweep::{Failed, Sweep, Tally};

/// Page size and program granule, bytes. Small pages make many operations of a small image.
const GEOMETRIES: [(u32, u32); 6] = [(1024, 8), (1024, 1), (2048, 8), (4096, 4), (4096, 16), (8192, 32)];

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Double cuts of all scenarios with every tear, single ones with every tear on every geometry, every byte of every connection.
    pub long: bool,
    /// Random mixtures.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Nothing more once something went wrong.
    pub fail_fast: bool,
    /// Programs that share the work.
    pub threads: usize,
    /// This scenario alone.
    pub story: Option<&'static Story>,
}

/// One scenario on one piece of hardware, to be made where it runs.
#[derive(Clone, Copy)]
struct Job {
    story: &'static Story,
    mode: Mode,
    geometry: (u32, u32),
    /// What is tried of it.
    part: Part,
    /// Number of the setup, for the share of the seeds.
    number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Boots,
    Single,
    Double,
    Network,
    Seeds,
}

/// Where there is no way back, an image that never comes up ends the device, and nobody can help that.
fn is_hopeless(story: &Story, mode: Mode) -> bool {
    mode == Mode::OverwriteOnly && ["hangs", "unreachable"].contains(&story.name)
}

fn jobs(amount: &Amount) -> (Vec<Job>, u64) {
    let mut setups = Vec::new();
    for geometry in GEOMETRIES {
        for story in STORIES.iter().filter(|story| amount.story.is_none_or(|only| only.name == story.name)) {
            for (_, mode) in MODES.into_iter().filter(|(_, mode)| !is_hopeless(story, *mode)) {
                setups.push((story, mode, geometry));
            }
        }
    }
    let mut jobs = Vec::new();
    // Those that find something soon come first.
    for part in [Part::Boots, Part::Single, Part::Network, Part::Double, Part::Seeds] {
        for (number, (story, mode, geometry)) in setups.iter().enumerate() {
            let first = *geometry == GEOMETRIES[0];
            let wanted = match part {
                Part::Single | Part::Seeds => true,
                Part::Double => first && (amount.long || story.short),
                Part::Boots | Part::Network => first && (amount.long || *mode == Mode::SwapUsingScratch),
            };
            if wanted {
                let (number, geometry) = (number as u64, *geometry);
                jobs.push(Job { story, mode: *mode, geometry, part, number });
            }
        }
    }
    (jobs, setups.len() as u64)
}

impl Job {
    fn run(&self, amount: &Amount, setups: u64) -> Tally {
        let setup = Setup::new(self.story, self.mode, layout(self.geometry.0, self.geometry.1));
        match self.sweep(&setup, amount, setups) {
            Ok(tally) => tally,
            Err(failed) => Tally { failed: vec![failed], ..Tally::default() },
        }
    }

    fn sweep(&self, setup: &Rc<Setup>, amount: &Amount, setups: u64) -> Result<Tally, Failed> {
        let mut sweep = Sweep::new(setup, 1)?;
        sweep.fail_fast = amount.fail_fast;
        let first = self.geometry == GEOMETRIES[0];
        match self.part {
            Part::Boots => sweep.boots(),
            Part::Single => sweep.single(amount.long || first),
            Part::Double => sweep.double(amount.long),
            // Primes, so that no position within a field is always left out.
            Part::Network if amount.long || self.story.name == "good" => sweep.network(1),
            Part::Network => sweep.network(7),
            Part::Seeds => {
                let all = amount.first_seed..amount.first_seed.saturating_add(amount.seeds);
                sweep.seeds(all.skip(self.number as usize).step_by(setups as usize));
            }
        }
        if self.part != Part::Single {
            sweep.tally.operations = 0;
        }
        Ok(sweep.tally)
    }
}

/// What came of it all, by scenario.
pub struct Outcome {
    /// Each scenario's.
    pub stories: Vec<(&'static str, Tally)>,
    /// Of all.
    pub all: Tally,
}

/// Tries it all. Every run is of one thread; the threads share nothing but the list of what is to be done.
///
/// # Panics
/// When a run does: the client must not.
#[must_use]
pub fn run(amount: &Amount) -> Outcome {
    let (jobs, setups) = jobs(amount);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Tally)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..amount.threads.max(1) {
            scope.spawn(|| {
                while let Some((number, job)) = take(&next, &jobs).filter(|_| !stop.load(Ordering::SeqCst)) {
                    let tally = job.run(amount, setups);
                    stop.fetch_or(amount.fail_fast && !tally.failed.is_empty(), Ordering::SeqCst);
                    done.lock().expect("no thread has died").push((number, tally));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread has died");
    done.sort_by_key(|(number, _)| *number);
    let mut stories: Vec<(&'static str, Tally)> =
        STORIES.iter().map(|story| (story.name, Tally::default())).collect();
    let mut all = Tally::default();
    for (number, tally) in done {
        if let Some((_, sum)) = stories.iter_mut().find(|(name, _)| *name == jobs[number].story.name) {
            sum.add(tally.clone());
        }
        all.add(tally);
    }
    Outcome { stories, all }
}

fn take<'a>(next: &AtomicUsize, jobs: &'a [Job]) -> Option<(usize, &'a Job)> {
    let number = next.fetch_add(1, Ordering::SeqCst);
    jobs.get(number).map(|job| (number, job))
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = ["operations", "single", "double", "network", "seeds", "success", "failure", "aborted"];
        write!(f, "{:<18}", "scenario")?;
        for column in columns {
            write!(f, " {column:>10}")?;
        }
        writeln!(f)?;
        let all = [("all", &self.all)];
        for (name, t) in self.stories.iter().map(|(name, tally)| (*name, tally)).chain(all) {
            use crate::world::End::{Aborted, Failure, Success};
            let ends = |end| t.ends.get(&end).copied().unwrap_or(0);
            write!(f, "{name:<18}")?;
            for n in [
                t.operations,
                t.single,
                t.double,
                t.network,
                t.seeds,
                ends(Success),
                ends(Failure),
                ends(Aborted),
            ] {
                write!(f, " {n:>10}")?;
            }
            writeln!(f)?;
        }
        for failed in self.all.failed.iter().take(20) {
            writeln!(f, "VIOLATION {}\n  cargo xtask powercut --replay {}", failed.what, failed.replay)?;
        }
        let t = &self.all;
        let events: u32 = t.events.iter().map(|word| word.count_ones()).sum();
        writeln!(
            f,
            "{} scenarios, {} modes of MCUboot, {} flash geometries: {} flash operations, {} single cuts, {} double cuts, \
             {} network faults, {} seeds; {events} of {} kinds of events; trace {:016x}: {} violations",
            self.stories.len(),
            MODES.len(),
            GEOMETRIES.len(),
            t.operations,
            t.single,
            t.double,
            t.network,
            t.seeds,
            mender_base::Event::ALL.len(),
            t.trace,
            t.failed.len()
        )
    }
}
