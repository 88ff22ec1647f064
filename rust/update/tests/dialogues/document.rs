// SPDX-License-Identifier: Apache-2.0
//! `docs/state-machine.md` speaks of every stage and every phase that the code has.

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The variants of the enum that begins with `head`.
fn variants(source: &str, head: &str) -> Vec<String> {
    let body = source.split(head).nth(1).unwrap_or_else(|| panic!("no {head}"));
    let body = body.split("\n}").next().unwrap();
    let names = body.lines().map(str::trim).filter(|l| !l.starts_with("//") && !l.is_empty());
    names.map(|l| l.split([',', ' ', '=', ':']).next().unwrap().to_owned()).collect()
}

#[test]
fn the_document_names_every_stage_and_every_phase() {
    let document = read("../../docs/state-machine.md");
    let (stages, phases) = document.split_once("## Phases").expect("a section on phases");
    for (names, at_least, section) in [
        (variants(&read("src/machine/stages.rs"), "\nstages! {"), 30, stages),
        (variants(&read("src/checkpoint.rs"), "pub enum Phase {"), 9, phases),
    ] {
        assert!(names.len() >= at_least, "{names:?}");
        for name in &names {
            let row = format!("| `{name}` |");
            assert!(section.contains(&row), "docs/state-machine.md has no row `{row}`");
        }
        let rows = section.lines().filter(|l| l.starts_with("| `")).count();
        assert_eq!(rows, names.len(), "docs/state-machine.md has rows for what the code does not have");
    }
}
