// SPDX-License-Identifier: Apache-2.0
//! Zephyr's test runner, and what it says it has done.
//!
//! A run in which everything was filtered out ends well, too; so every case is counted.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::report::Outcome;
use crate::run::output;
use crate::zephyr::{Zephyr, cargo_dir, scratch};

/// A scenario of a `testcase.yaml`.
pub(crate) struct Scenario {
    /// Its folder.
    folder: &'static str,
    name: &'static str,
    /// Cases; none: it is only built.
    cases: u32,
}

impl Scenario {
    /// A suite with that many cases.
    pub(crate) const fn runs(folder: &'static str, name: &'static str, cases: u32) -> Self {
        Self { folder, name, cases }
    }

    /// A program that is built and not run.
    pub(crate) const fn builds(folder: &'static str, name: &'static str) -> Self {
        Self { folder, name, cases: 0 }
    }
}

/// Runs scenarios on a platform. Passed only if each of their cases was executed and passed, and there was no other.
pub(crate) fn twister(zephyr: &Zephyr, platform: &str, scenarios: &[Scenario]) -> Outcome {
    let first = scenarios.first().map_or("", |scenario| scenario.name);
    let folder = scratch(&format!("twister-{}-{first}", platform.replace('/', "-")));
    let mut command = zephyr.command("python3");
    command.arg(zephyr.base.join("scripts/twister")).args(["--platform", platform, "--clobber-output"]);
    command.args(["--inline-logs", "--jobs", &jobs()]).args(&zephyr.options);
    command.arg(cargo_dir().replacen("-D", "-x=", 1)).arg("--outdir").arg(&folder);
    // Twister gives each run a number of its own, which would be on the command line of each compilation: nothing is known to ccache then.
    command.arg("-x=TC_RUNID=");
    let folders: BTreeSet<_> = scenarios.iter().map(|scenario| scenario.folder).collect();
    for each in folders {
        command.arg("-T").arg(each);
    }
    for scenario in scenarios {
        command.args(["--scenario", scenario.name]);
    }
    let told = output(&mut command);
    let counted = read(&folder).and_then(|report| count(&report, platform, scenarios));
    match counted {
        Ok(count) if told.ok => Outcome::Passed { count, note: format!("{count} on {platform}") },
        Ok(_) => Outcome::failed(told.text),
        Err(why) => Outcome::failed(format!("{}\n{why}", told.text)),
    }
}

/// Each job compiles with one thread per CPU already; a second one fills its linking.
fn jobs() -> String {
    std::thread::available_parallelism().map_or(2, |n| n.get().min(4)).to_string()
}

fn read(folder: &Path) -> Result<Value, String> {
    let path = folder.join("twister.json");
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// How many cases were executed, all of them passed.
fn count(report: &Value, platform: &str, scenarios: &[Scenario]) -> Result<u32, String> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let ran = report["testsuites"].as_array().ok_or("twister.json has no test suites")?;
    let mut wrong = String::new();
    let mut sum = 0;
    for Scenario { name, cases, .. } in scenarios {
        let suite =
            ran.iter().find(|suite| text(suite, "platform") == platform && text(suite, "name") == *name);
        let Some(suite) = suite else {
            wrong += &format!("{name} was not run on {platform}\n");
            continue;
        };
        let wanted = if *cases == 0 { "not run" } else { "passed" };
        let found: Vec<_> = suite["testcases"].as_array().into_iter().flatten().collect();
        for case in found.iter().filter(|case| text(case, "status") != wanted) {
            wrong += &format!("{} on {platform}: {}\n", text(case, "identifier"), text(case, "status"));
        }
        if text(suite, "status") != wanted {
            wrong += &format!("{name} on {platform}: {}\n", text(suite, "status"));
        }
        if *cases != 0 && found.len() != usize::try_from(*cases).unwrap_or(0) {
            wrong += &format!("{name} on {platform}: {} cases instead of {cases}\n", found.len());
            wrong += "where cases were added, the list in rust/xtask/src/zephyr.rs says so\n";
        }
        sum += (*cases).max(1);
    }
    if ran.len() != scenarios.len() {
        wrong += &format!("{} scenarios on {platform} instead of {}\n", ran.len(), scenarios.len());
    }
    if wrong.is_empty() { Ok(sum) } else { Err(wrong) }
}

#[cfg(test)]
mod own_tests {
    use serde_json::json;

    use super::*;

    const WANTED: &[Scenario] = &[Scenario::runs("port", "mender_mcu.port", 2)];

    fn report(suite: &str, cases: &[&str]) -> Value {
        let cases: Vec<_> = cases.iter().map(|status| json!({"identifier": "a", "status": status})).collect();
        json!({"testsuites": [{"name": "mender_mcu.port", "platform": "p", "status": suite, "testcases": cases}]})
    }

    #[test]
    fn cases_that_all_passed_are_counted() {
        assert_eq!(count(&report("passed", &["passed", "passed"]), "p", WANTED), Ok(2));
    }

    #[test]
    fn what_is_only_built_is_one() {
        const BUILT: &[Scenario] = &[Scenario::builds("port", "mender_mcu.port")];
        assert_eq!(count(&report("not run", &["not run"]), "p", BUILT), Ok(1));
        assert!(count(&report("passed", &["passed"]), "p", BUILT).is_err());
        assert!(count(&report("error", &["blocked"]), "p", BUILT).is_err());
    }

    #[test]
    fn filtered_skipped_missing_and_further_cases_are_failures() {
        for cases in [&["passed", "skipped"][..], &["passed", "filtered"], &["passed"], &["passed"; 3]] {
            assert!(count(&report("passed", cases), "p", WANTED).is_err(), "{cases:?}");
        }
        assert!(count(&report("filtered", &["passed", "passed"]), "p", WANTED).is_err());
        assert!(count(&report("passed", &["passed", "passed"]), "q", WANTED).is_err());
        assert!(count(&json!({"testsuites": []}), "p", WANTED).is_err());
    }
}
