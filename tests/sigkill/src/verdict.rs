// SPDX-License-Identifier: Apache-2.0
//! Judges one update that was cut: did the device come back, was the server told one end, and is it true?

use crate::update::{Software, State};

/// What the server and the device say after an update.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// Nothing but a power cut could keep the update from succeeding.
    pub(crate) good: bool,
    /// The power did not go.
    pub(crate) uncut: bool,
    pub(crate) old: Software,
    pub(crate) new: Software,
    /// Reports that came before the cut: status, and what the server answered.
    pub(crate) before: Vec<(String, u16)>,
    /// Reports that came after it.
    pub(crate) after: Vec<(String, u16)>,
    /// Before the cut the device had put on record that its final report was answered.
    pub(crate) settled_before: bool,
    /// What MCUboot said at every start since the cut.
    pub(crate) boots: Vec<String>,
    /// Flash and files.
    pub(crate) runs: State,
    /// What the next check provided, the device type aside.
    pub(crate) provides: Option<std::collections::BTreeMap<String, String>>,
    /// Artifact name and firmware version in the inventory.
    pub(crate) inventory: (String, String),
    /// Keys the device has shown the server.
    pub(crate) keys: usize,
    /// Lines of the deployment log at the server.
    pub(crate) log_lines: usize,
}

const FINAL: [&str; 3] = ["success", "failure", "already-installed"];

fn finals(reports: &[(String, u16)]) -> Vec<&str> {
    reports.iter().map(|(status, _)| status.as_str()).filter(|status| FINAL.contains(status)).collect()
}

/// The one end the server was told, if it is one.
pub(crate) fn end(evidence: &Evidence) -> Option<&str> {
    let (before, after) = (finals(&evidence.before), finals(&evidence.after));
    before.first().or(after.first()).copied()
}

/// Everything that is wrong.
pub(crate) fn judge(e: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    judge_reports(e, &mut wrong);
    for boot in &e.boots {
        let known = |s: &Software| boot.contains(&format!("image {} ", s.version));
        if !known(&e.old) && !known(&e.new) {
            wrong.push(format!("booted neither the old nor the new image: {boot}"));
        }
    }
    if e.boots.is_empty() && !e.uncut {
        wrong.push("it did not boot after the cut".to_owned());
    }
    if e.keys != 1 {
        wrong.push(format!("it has shown {} keys", e.keys));
    }
    match end(e) {
        Some("success") if !e.good => wrong.push("success was reported of a bad update".to_owned()),
        Some("success") => judge_truth(e, &e.new, &mut wrong),
        Some("failure") => {
            if e.good && e.uncut {
                wrong.push("a good update failed without a cut".to_owned());
            }
            if e.log_lines == 0 {
                wrong.push("the failure came without a log".to_owned());
            }
            judge_truth(e, &e.old, &mut wrong);
        }
        other => wrong.push(format!("the end is {other:?}")),
    }
    wrong
}

/// Exactly one final status; reported again only across a cut that left the device in doubt.
fn judge_reports(e: &Evidence, wrong: &mut Vec<String>) {
    let (before, after) = (finals(&e.before), finals(&e.after));
    let mut all: Vec<&str> = before.iter().chain(&after).copied().collect();
    let count = all.len();
    all.dedup();
    if all.len() != 1 {
        wrong.push(format!("final statuses {all:?}"));
    } else if before.len() > 1 || after.len() > 1 {
        wrong.push(format!("the final status was reported {count} times, not only across the cut"));
    } else if count == 2 && e.settled_before {
        wrong.push("the final status was reported again although its answer was on record".to_owned());
    }
    if let Some((status, code)) = e.before.iter().chain(&e.after).find(|(_, code)| *code != 204) {
        wrong.push(format!("report {status} was answered {code}"));
    }
}

/// `should` runs, is confirmed, stays, and is what the device says it has.
fn judge_truth(e: &Evidence, should: &Software, wrong: &mut Vec<String>) {
    let runs = &e.runs.software;
    if (&runs.version, runs.hash) != (&should.version, should.hash) {
        wrong.push(format!("image {} runs, it should be {}", runs.version, should.version));
    }
    if runs.file != should.file {
        wrong.push("the module's file is not that of the reported end".to_owned());
    }
    if !e.runs.confirmed {
        wrong.push("the image is not confirmed".to_owned());
    }
    if e.runs.swap_pending {
        wrong.push("the next restart would swap".to_owned());
    }
    if e.inventory != (should.name().to_owned(), should.version.clone()) {
        wrong.push(format!("inventory {:?}", e.inventory));
    }
    if e.provides.as_ref().is_some_and(|provides| *provides != should.provides) {
        wrong.push(format!("provides {:?}, it should be {:?}", e.provides, should.provides));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn software(version: &str) -> Software {
        Software {
            version: version.to_owned(),
            hash: [version.len() as u8; 32],
            file: None,
            provides: [("artifact_name".to_owned(), format!("release-{version}"))].into(),
        }
    }

    fn reports(words: &[&str]) -> Vec<(String, u16)> {
        words.iter().map(|word| ((*word).to_owned(), 204)).collect()
    }

    /// A good update that was cut in flight of its success.
    fn flawless() -> Evidence {
        let new = software("2.0.10");
        Evidence {
            good: true,
            uncut: false,
            old: software("1.0.0"),
            before: reports(&["downloading", "installing", "success"]),
            after: reports(&["success"]),
            settled_before: false,
            boots: vec!["nothing to do; image 2.0.10 fine (…)".to_owned()],
            runs: State { software: new.clone(), confirmed: true, swap_pending: false },
            provides: Some(new.provides.clone()),
            inventory: (new.name().to_owned(), new.version.clone()),
            new,
            keys: 1,
            log_lines: 0,
        }
    }

    fn one_thing_is_wrong(change: impl FnOnce(&mut Evidence)) -> String {
        let mut evidence = flawless();
        assert_eq!(judge(&evidence), Vec::<String>::new());
        change(&mut evidence);
        let wrong = judge(&evidence);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        wrong.concat()
    }

    #[test]
    fn a_second_final_status_is_wrong_and_so_is_a_needless_repetition() {
        let said = one_thing_is_wrong(|e| e.after = reports(&["failure"]));
        assert!(said.contains(r#"["success", "failure"]"#), "{said}");
        let said = one_thing_is_wrong(|e| e.after = reports(&["success", "success"]));
        assert!(said.contains("3 times"), "{said}");
        let said = one_thing_is_wrong(|e| e.settled_before = true);
        assert!(said.contains("on record"), "{said}");
        let mut silent = flawless();
        (silent.before, silent.after) = (reports(&["downloading"]), Vec::new());
        assert!(!judge(&silent).is_empty());
    }

    #[test]
    fn an_end_that_is_not_true_is_wrong() {
        one_thing_is_wrong(|e| e.good = false);
        one_thing_is_wrong(|e| e.runs.software = e.old.clone());
        one_thing_is_wrong(|e| e.runs.software.file = Some(String::new()));
        one_thing_is_wrong(|e| e.runs.confirmed = false);
        one_thing_is_wrong(|e| e.runs.swap_pending = true);
        one_thing_is_wrong(|e| e.provides = Some(e.old.provides.clone()));
        one_thing_is_wrong(|e| e.inventory.0 = "release-1.0.0".to_owned());
        one_thing_is_wrong(|e| e.inventory.1 = "1.0.0".to_owned());
    }

    #[test]
    fn a_third_image_or_none_is_wrong() {
        one_thing_is_wrong(|e| e.boots.push("nothing to do; image 3.0.0 fine".to_owned()));
        one_thing_is_wrong(|e| e.boots.clear());
        one_thing_is_wrong(|e| e.keys = 2);
        one_thing_is_wrong(|e| e.before[0].1 = 409);
    }

    #[test]
    fn a_failure_needs_the_old_software_a_log_and_a_reason() {
        let fail = |e: &mut Evidence| {
            (e.before, e.after) = (reports(&["downloading"]), reports(&["failure"]));
            e.runs.software = e.old.clone();
            e.provides = Some(e.old.provides.clone());
            e.inventory = (e.old.name().to_owned(), e.old.version.clone());
            e.log_lines = 1;
        };
        let mut evidence = flawless();
        fail(&mut evidence);
        assert_eq!(judge(&evidence), Vec::<String>::new());
        one_thing_is_wrong(|e| {
            fail(e);
            e.log_lines = 0;
        });
        one_thing_is_wrong(|e| {
            fail(e);
            e.uncut = true;
        });
        one_thing_is_wrong(|e| {
            fail(e);
            e.runs.software = e.new.clone();
        });
    }
}
