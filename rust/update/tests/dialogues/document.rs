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
fn the_document_on_records_has_every_tag_of_the_checkpoint_under_its_number() {
    let document = read("../../docs/records.md");
    let section = document.split("## The client's state").nth(1).expect("a section on the state");
    let section = section.split("\n## ").next().unwrap();
    let source = read("src/checkpoint.rs");
    let tags = source.split("mod tag {").nth(1).and_then(|s| s.split("\n}").next()).expect("tags");
    let numbers: Vec<&str> =
        tags.lines().filter_map(|l| l.trim().strip_suffix(';')?.split(" = ").nth(1)).collect();
    assert!(numbers.len() >= 12, "{numbers:?}");
    let row = |l: &&str| l.starts_with("| ") && l.as_bytes()[2].is_ascii_digit();
    let rows: Vec<&str> = section.lines().filter(row).collect();
    let documented: Vec<&str> = rows.iter().map(|r| r[2..].split(' ').next().unwrap()).collect();
    assert_eq!(documented, numbers, "docs/records.md and the tags of checkpoint.rs");
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
