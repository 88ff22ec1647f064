// SPDX-License-Identifier: Apache-2.0
//! `docs/errors.md` and `docs/events.md`, from the tables in `mender-base`.

use mender_base::{Error, Event};

use crate::report::Outcome;
use crate::run::root;

const GROUPS: [(u16, &str); 7] = [
    (1000, "Configuration"),
    (1100, "Device API and JSON"),
    (1200, "Artifact"),
    (1300, "Records"),
    (1400, "Update"),
    (1500, "Ports"),
    (1900, "Internal"),
];

/// Writes both files.
pub(crate) fn write() -> Outcome {
    let mut wrong = String::new();
    for (path, text) in pages() {
        if let Err(error) = std::fs::write(root().join(path), text) {
            wrong += &format!("{path}: {error}\n");
        }
    }
    Outcome::of(wrong, "docs/errors.md, docs/events.md")
}

/// Both files are what would be written.
pub(crate) fn check() -> Outcome {
    let mut wrong = String::new();
    for (path, text) in pages() {
        if std::fs::read_to_string(root().join(path)).ok().as_deref() != Some(&text) {
            wrong += &format!("{path} is not what the tables say: run `cargo xtask docs`\n");
        }
    }
    Outcome::of(wrong, "docs/errors.md, docs/events.md")
}

fn pages() -> [(&'static str, String); 2] {
    [("docs/errors.md", errors()), ("docs/events.md", events())]
}

const MADE: &str = "<!-- Written by `cargo xtask docs`; the table is in the source. -->\n";

fn errors() -> String {
    let mut page = String::from("<!-- SPDX-License-Identifier: Apache-2.0 -->\n# Errors\n\n");
    page += MADE;
    page += "\nEvery error has a number that stays the same in all releases: in the shell, in records on flash, and negated in the C API. Logs,\n\
             the one on the server too, have its text; without `CONFIG_MENDER_MCU_ERROR_TEXTS`, the number. A number is never used again\n\
             for another error.\n";
    for (start, title) in GROUPS {
        let end = GROUPS.iter().map(|(next, _)| *next).find(|next| *next > start).unwrap_or(2000);
        let here = || Error::ALL.iter().filter(|error| (start..end).contains(&error.number()));
        if here().next().is_none() {
            continue;
        }
        page +=
            &format!("\n## {title}\n\n| number | name | text | why, and what to do |\n|---|---|---|---|\n");
        for error in here() {
            let advice = cell(error.advice().trim());
            page +=
                &format!("| {} | `{}` | {} | {advice} |\n", error.number(), error.name(), cell(error.text()));
        }
    }
    page
}

fn events() -> String {
    let mut page = String::from("<!-- SPDX-License-Identifier: Apache-2.0 -->\n# Log events\n\n");
    page += MADE;
    page += "\nThe client logs events, not text: a number, two integers `a` and `b`, and a text `s`. What is printed is made from this\n\
             table, in which `{a}`, `{b}` and `{s}` are those, and `{e}` is the text of the error whose number is `a`\n\
             (see [errors](errors.md)). `ERROR`: a deployment is lost or a person is needed. `WARNING`: it is tried again. `INFO`: one\n\
             line per change of state. `DEBUG`: one line per message. Warnings and errors of a deployment also go to its log on the\n\
             server.\n\n| number | level | name | text |\n|---|---|---|---|\n";
    for event in Event::ALL {
        let (number, level, name) = (event.number(), event.level().name(), event.name());
        page += &format!("| {number} | {level} | `{name}` | {} |\n", cell(event.text()));
    }
    page
}

/// Text for a table: a bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_and_event_has_its_line() {
        let [(_, errors), (_, events)] = pages();
        let lines = |page: &str| page.lines().filter(|line| line.starts_with('|')).count();
        let tables = errors.matches("|---|---|---|---|").count();
        assert_eq!(lines(&errors), Error::ALL.len() + 2 * tables);
        assert_eq!(lines(&events), Event::ALL.len() + 2);
    }
}
