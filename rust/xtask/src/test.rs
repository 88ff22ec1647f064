// SPDX-License-Identifier: Apache-2.0
//! The one test command.

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::report::{Outcome, Report};
use crate::run::{cargo, clean, find, output};
use crate::{bench, catalogue, demo, docs, header, nopanic, powercut, zephyr};

/// What a test prints that lacks something, followed by what that is.
const SKIPPED: &str = "skipped: ";

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What takes a minute or two.
    Quick,
    Usual,
    /// What takes long and seldom finds anything, too.
    Long,
}

/// Everything of that extent.
pub(crate) fn all(extent: Extent) -> ExitCode {
    let quick = extent == Extent::Quick;
    let mut report = Report::default();
    if has(&mut report, "fmt", "rustfmt") {
        report.step("format", || plain("fmt --all --check"));
    }
    if has(&mut report, "clippy", "clippy") {
        report.step("lints", || plain("clippy --locked --all-targets -- -D warnings"));
        report.step("lints: firmware", firmware_lints);
    }
    let mut skipped = BTreeSet::new();
    report.step("tests", || tests("test --locked --no-fail-fast -- --show-output", &mut skipped));
    for why in &skipped {
        report.skip("some tests", why);
    }
    match find("python3").and(find("cmake")) {
        Some(_) => report.step("build files", build_files),
        None => report.skip("build files", "no python3 or no cmake (apt install python3 cmake)"),
    }
    report.step("catalogue", catalogue::check);
    report.step("docs", docs::check);
    nopanic::steps(&mut report, quick);
    if !quick {
        let has_libclang = header::steps(&mut report, true);
        // Each keeps one processor busy, or none.
        let mut steps: Vec<(_, fn() -> Outcome)> = vec![
            ("mutations", powercut::mutations),
            ("powercut", powercut::check),
            ("sigkill", demo::sigkill),
            ("demo", demo::check),
        ];
        match bench::missing() {
            Some(missing) => report.skip("bench", &missing),
            None => steps.push(("bench", bench::check)),
        }
        if has_libclang {
            steps.push(("no libclang", header::without_libclang));
        }
        report.steps_in_pairs(&steps);
        zephyr::steps(&mut report);
    }
    match extent {
        Extent::Quick => {}
        Extent::Usual => {
            report.leave_out(&zephyr::names_of_long().join("; "), "cargo xtask test --long");
        }
        Extent::Long => {
            nopanic::further(&mut report);
            zephyr::long(&mut report);
        }
    }
    report.close()
}

/// Whether cargo has a component.
fn has(report: &mut Report, command: &str, component: &str) -> bool {
    let has = output(&mut cargo([command, "--version"])).ok;
    if !has {
        report.skip(component, &format!("not installed (rustup component add {component})"));
    }
    has
}

/// What is not built with the rest of the workspace. There is no unwinding without `std`.
fn firmware_lints() -> Outcome {
    let lint = |command: &str| {
        let told = output(cargo(command.split(' ')).env("CARGO_PROFILE_DEV_PANIC", "abort"));
        if told.ok { Ok(()) } else { Err(told.text) }
    };
    let both = lint("clippy --locked -p nopanic --features proof --bins -- -D warnings")
        .and_then(|()| lint("clippy --locked -p mender-staticlib --features firmware -- -D warnings"));
    both.map_or_else(Outcome::failed, |()| Outcome::passed(""))
}

/// A cargo command that is one check.
fn plain(command: &str) -> Outcome {
    let told = output(&mut cargo(command.split(' ')));
    if told.ok { Outcome::passed("") } else { Outcome::failed(told.text) }
}

/// `cargo test`, whose tests are counted; what some of them lacked goes to `skipped`.
fn tests(command: &str, skipped: &mut BTreeSet<String>) -> Outcome {
    let told = output(&mut cargo(command.split(' ')));
    skipped.extend(told.text.lines().filter_map(|line| line.strip_prefix(SKIPPED)).map(str::to_owned));
    let (passed, failed) = counts(&told.text);
    if told.ok && failed == 0 {
        return Outcome::Passed { count: passed, note: format!("{passed} tests") };
    }
    Outcome::Failed { passed, failed: failed.max(1), text: what_failed(&told.text) }
}

/// What CMake, Kconfig and the compiler choose and say, without building anything.
fn build_files() -> Outcome {
    let told = output(clean("python3").args(["-m", "unittest", "discover", "tests/build"]));
    let number = |before: &str, after: char| -> Option<u32> {
        told.text.lines().find_map(|line| line.strip_prefix(before)?.split(after).next()?.parse().ok())
    };
    let skipped = number("OK (skipped=", ')').unwrap_or(0);
    let note = if skipped == 0 { "" } else { ", others skipped: no Zephyr, C compiler or openssl" };
    match number("Ran ", ' ').map(|ran| ran.saturating_sub(skipped)) {
        Some(count) if told.ok && count > 0 => {
            Outcome::Passed { count, note: format!("{count} tests{note}") }
        }
        _ => Outcome::failed(told.text),
    }
}

/// Sums of cargo's `test result:` lines: passed, failed.
fn counts(text: &str) -> (u32, u32) {
    let number = |line: &str, word: &str| -> u32 {
        let mut words =
            line.split([' ', ';']).filter(|part| !part.is_empty()).collect::<Vec<_>>().into_iter().rev();
        words.find(|part| *part == word);
        words.next().and_then(|part| part.parse().ok()).unwrap_or(0)
    };
    let lines = text.lines().filter(|line| line.starts_with("test result:"));
    lines.fold((0, 0), |(p, f), line| (p + number(line, "passed"), f + number(line, "failed")))
}

/// The output without what went well.
fn what_failed(text: &str) -> String {
    let dull = |line: &str| {
        line.is_empty()
            || line.starts_with("running ")
            || line.starts_with("test ") && line.ends_with(" ... ok")
            || line.starts_with("test result: ok")
            || ["Running ", "Doc-tests ", "Compiling ", "Fresh ", "Finished "]
                .iter()
                .any(|w| line.trim_start().starts_with(w))
    };
    let mut went_well = false;
    let tells = |line: &&str| {
        went_well =
            (went_well || *line == "successes:") && *line != "failures:" && !line.starts_with("test result:");
        !went_well && !dull(line)
    };
    text.lines().filter(tells).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod own_tests {
    use super::*;

    #[test]
    fn the_counts_of_all_test_binaries_are_added() {
        let text = "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.03s\n\
                    x\ntest result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(counts(text), (15, 2));
    }

    #[test]
    fn of_tests_that_failed_only_these_are_told_of() {
        let text = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nsuccesses:\n\n---- a stdout ----\nx\n\nfailures:\n\n\
                    ---- b stdout ----\ny\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n";
        let told = "test b ... FAILED\nfailures:\n---- b stdout ----\ny\ntest result: FAILED. 1 passed; 1 failed; 0 ignored";
        assert_eq!(what_failed(text), told);
    }
}
