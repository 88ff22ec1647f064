// SPDX-License-Identifier: Apache-2.0
//! One line per step, and the count at the end. A failure does not stop what comes after it.

use std::io::Write;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::run::in_pairs;

/// What a step came to.
pub(crate) enum Outcome {
    /// All `count` checks passed.
    Passed {
        /// How many there were.
        count: u32,
        /// Figures worth a place on the line.
        note: String,
    },
    /// Some did not.
    Failed {
        /// How many passed all the same.
        passed: u32,
        /// How many did not.
        failed: u32,
        /// All that helps to see why.
        text: String,
    },
}

impl Outcome {
    /// One check that passed.
    pub(crate) fn passed(note: impl Into<String>) -> Self {
        Self::Passed { count: 1, note: note.into() }
    }

    /// One check that failed.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed { passed: 0, failed: 1, text: text.into() }
    }

    /// By whether the text, what is wrong, is empty.
    pub(crate) fn of(wrong: String, note: impl Into<String>) -> Self {
        if wrong.is_empty() { Self::passed(note) } else { Self::failed(wrong) }
    }
}

/// Counts, and the names of what failed.
#[derive(Default)]
pub(crate) struct Report {
    passed: u32,
    failed: u32,
    skipped: u32,
    failures: Vec<String>,
    left_out: String,
}

impl Report {
    /// Runs a step and prints its line.
    pub(crate) fn step(&mut self, name: &str, step: impl FnOnce() -> Outcome) {
        print!("{name:<24} ");
        flush();
        let start = Instant::now();
        let outcome = step();
        self.close_line(name, start, outcome);
    }

    /// Runs steps that do not disturb each other, two at a time; each prints its line when it is over.
    pub(crate) fn steps_in_pairs<S: Fn() -> Outcome + Sync>(&mut self, steps: &[(&str, S)]) {
        let report = Mutex::new(self);
        in_pairs(steps, |(name, step)| {
            let start = Instant::now();
            let outcome = step();
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            print!("{name:<24} ");
            report.close_line(name, start, outcome);
        });
    }

    /// The rest of a step's line.
    fn close_line(&mut self, name: &str, start: Instant, outcome: Outcome) {
        let took = format!("{:.1} s", start.elapsed().as_secs_f32());
        match outcome {
            Outcome::Passed { count, note } => {
                self.passed += count;
                println!("ok      {took:>8}  {note}");
            }
            Outcome::Failed { passed, failed, text } => {
                self.passed += passed;
                self.failed += failed.max(1);
                self.failures.push(name.to_owned());
                println!("FAILED  {took:>8}  {failed} of {}", passed + failed);
                println!("{}", text.trim_end());
                println!("---- end of {name}");
            }
        }
        flush();
    }

    /// A line for what there is nothing to run for.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        self.skipped += 1;
        println!("{name} skipped: {why}");
    }

    /// A closing line for what was not asked for, and by which command it is.
    pub(crate) fn leave_out(&mut self, what: &str, command: &str) {
        self.left_out = format!("not run: {what} ({command})");
    }

    /// The closing lines. Programs read the last one.
    pub(crate) fn close(self) -> ExitCode {
        println!();
        for name in &self.failures {
            println!("failed: {name}");
        }
        if !self.left_out.is_empty() {
            println!("{}", self.left_out);
        }
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn flush() {
    // A terminal that is gone does not stop the checks.
    drop(std::io::stdout().flush());
}
