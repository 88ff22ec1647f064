// SPDX-License-Identifier: Apache-2.0
//! The catalogue of malformed and hostile input (`docs/protocol.md` §10): which test covers which entry.
//!
//! A test says so by its name: `c47_…` covers entry 47, and so does `c47b_…`.

use std::collections::BTreeMap;

use crate::report::Outcome;
use crate::run::root;
use crate::surface;

/// Entries from 1 to this one are about what is built so far; those above are about the add-ons' WebSocket.
const LAST: u32 = 91;
/// At most so many entries may wait.
const WAITING_MAX: usize = 10;
/// Entries without a test, and the later work they wait for.
const WAITING: [(u32, &str); 2] =
    [(35, "device configuration, an add-on"), (36, "device configuration, an add-on")];

/// Test names by entry.
fn tests() -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for folder in ["rust", "tests"] {
        for path in surface::sources(&root().join(folder)) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for name in test_names(&surface::tokens(&text)) {
                if let Some(entry) = entry_of(&name) {
                    found.entry(entry).or_default().push(name);
                }
            }
        }
    }
    found
}

/// Functions with `#[test]` before them.
fn test_names(tokens: &[String]) -> Vec<String> {
    let attribute = ["#", "[", "test", "]"];
    let marked = tokens.windows(4).enumerate().filter(|(_, window)| *window == attribute);
    marked
        .filter_map(|(at, _)| {
            let rest = tokens.get(at + 4..)?;
            let function = rest.iter().position(|token| token == "fn")?;
            rest.get(function + 1).cloned()
        })
        .collect()
}

/// `c07b_a_name` is for entry 7.
fn entry_of(name: &str) -> Option<u32> {
    let (tag, _) = name.strip_prefix('c')?.split_once('_')?;
    tag.trim_end_matches(|c: char| c.is_ascii_lowercase()).parse().ok()
}

/// Every entry has a test, or is known to wait.
pub(crate) fn check() -> Outcome {
    let tests = tests();
    let mut wrong = String::new();
    for entry in 1..=LAST {
        let waits = WAITING.iter().any(|(waiting, _)| *waiting == entry);
        match (tests.contains_key(&entry), waits) {
            (false, false) => wrong += &format!("entry {entry} has no test named c{entry:02}_…\n"),
            (true, true) => wrong += &format!("entry {entry} has a test now and is still said to wait\n"),
            _ => {}
        }
    }
    if WAITING.len() > WAITING_MAX {
        wrong += &format!("{} entries wait, {WAITING_MAX} may\n", WAITING.len());
    }
    let names: usize = tests.values().map(Vec::len).sum();
    Outcome::of(wrong, format!("{LAST} entries: {names} tests, {} wait for later work", WAITING.len()))
}

/// The whole map, for people.
pub(crate) fn list() -> String {
    let tests = tests();
    let mut text = String::new();
    for entry in 1..=LAST {
        let waits = WAITING.iter().find(|(waiting, _)| *waiting == entry);
        match (tests.get(&entry), waits) {
            (Some(names), _) => names.iter().for_each(|name| text += &format!("{entry:>4}  {name}\n")),
            (None, Some((_, what))) => text += &format!("{entry:>4}  waits for: {what}\n"),
            (None, None) => text += &format!("{entry:>4}  -\n"),
        }
    }
    text
}

#[cfg(test)]
mod tests_of_names {
    use super::*;

    #[test]
    fn a_tests_name_says_which_entry_it_covers() {
        for (name, entry) in
            [("c01_x", Some(1)), ("c50g_benign", Some(50)), ("c7", None), ("cut_5", None), ("c_x", None)]
        {
            assert_eq!(entry_of(name), entry, "{name}");
        }
    }

    #[test]
    fn only_tests_count() {
        let text = "fn c01_helper() {} #[test] fn c02_test() {} #[test] #[should_panic] fn c03_other() {} // #[test] fn c04_x()";
        assert_eq!(test_names(&surface::tokens(text)), ["c02_test", "c03_other"]);
    }
}
