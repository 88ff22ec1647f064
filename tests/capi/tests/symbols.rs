// SPDX-License-Identifier: Apache-2.0
//! What the archive gives to the linker and wants from it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use mender_capi::{Library, library, must, root, scratch};

/// The archive's own object. The others are `compiler_builtins`, weak stand-ins for libgcc, which firmware leaves out.
/// In a folder of each test's own, since tests run at the same time.
fn object(kind: &str) -> PathBuf {
    let archive = library(Library::Release);
    let folder = scratch().join(format!("objects{kind}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let members = must(Command::new("ar").arg("t").arg(archive)).stdout;
    let members = String::from_utf8(members).expect("names");
    let ours: Vec<&str> = members.lines().filter(|name| name.starts_with("mender_mcu-")).collect();
    let [ours] = ours[..] else { panic!("one object of our own, not {ours:?}") };
    must(Command::new("ar").current_dir(&folder).arg("x").arg(archive).arg(ours));
    folder.join(ours)
}

fn symbols(kind: &str) -> BTreeSet<String> {
    let listed = must(Command::new("nm").args(["-g", "-P", kind]).arg(object(kind))).stdout;
    let text = String::from_utf8(listed).expect("names");
    text.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

/// Names of the functions a header declares.
fn declared(header: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("include").join(header)).expect("a header");
    let starts = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let names = starts.filter_map(|line| line.split_once('(')).map(|(before, _)| before);
    names.filter_map(|before| before.rsplit([' ', '*']).next().map(str::to_owned)).collect()
}

#[test]
fn the_archive_exports_what_the_header_declares_and_nothing_else() {
    let exported = symbols("--defined-only");
    assert_eq!(exported, declared("mender_mcu.h"));
    assert!(exported.iter().all(|name| name.starts_with("mender_")));
}

#[test]
fn the_archive_wants_the_ports_and_the_memory_functions_and_nothing_else() {
    let memory = ["bcmp", "memcmp", "memcpy", "memmove", "memset", "strlen"];
    let wanted: BTreeSet<String> =
        symbols("--undefined-only").into_iter().filter(|name| !memory.contains(&name.as_str())).collect();
    let is_hash = |name: &String| name.starts_with("mender_port_hash_");
    // The client hashes by itself unless it is built with `port-sha256`.
    let ports: BTreeSet<String> =
        declared("mender_port.h").into_iter().filter(|name| !is_hash(name)).collect();
    assert_eq!(wanted, ports);
}
