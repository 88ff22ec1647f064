// SPDX-License-Identifier: Apache-2.0
//! C programs use the library, well and badly.

use std::path::{Path, PathBuf};
use std::process::Command;

use mender_capi::{Library, has, has_sanitizer, must, program, scratch};
use mender_testkit::artifact::Artifact;
use mender_testkit::image::{Behaviour, Image, Version, hash_of};
use mender_testkit::key::{Key, hex};

const PROGRAMS: [&str; 8] = ["normal", "misuse", "failing", "threads", "update", "module", "asked", "tries"];

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    // Tests run side by side, and each writes the whole file.
    let path = scratch().join(format!("{name}-{:?}", std::thread::current().id()));
    std::fs::write(&path, bytes).expect("a file");
    path
}

/// Runs a program with what it needs, by itself or by `under`.
fn run(name: &str, path: &Path, under: &[&str]) {
    let mut command = match under {
        [tool, args @ ..] => {
            let mut command = Command::new(tool);
            command.args(args).arg(path);
            command
        }
        [] => Command::new(path),
    };
    match name {
        "update" | "asked" | "tries" => {
            let version = Version::parse("2.0.0").expect("a version");
            let image = Image::new(version, Behaviour::Fine).size(40_000).build();
            let hash = hash_of(&image).expect("an image with a hash");
            let artifact = Artifact::new("release-2", "test-device").file("zephyr.signed.bin", image);
            command.arg(file("image.mender", &artifact.build())).arg(hex(&hash));
            command.arg(file("signed.mender", &artifact.sign(&Key::generate()).build()));
        }
        "module" => {
            let content: Vec<u8> = (0..20_001u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
            let artifact = Artifact::new("release-2", "test-device")
                .payload_type("settings")
                .meta_data(serde_json::json!({"level": 7}))
                .file("settings.bin", content.clone())
                .build();
            command.arg(file("module.mender", &artifact)).arg(file("module.bin", &content));
        }
        _ => {}
    }
    must(&mut command);
}

#[test]
fn every_program_does_what_it_should() {
    for name in PROGRAMS {
        run(name, &program(name, "c99", &[], Library::Release), &[]);
    }
}

#[test]
fn the_library_with_debug_assertions_does_the_same() {
    for name in PROGRAMS {
        run(name, &program(name, "c17", &[], Library::Debug), &[]);
    }
}

#[test]
fn no_program_makes_the_address_and_undefined_behaviour_sanitizers_complain() {
    let flag = "-fsanitize=address,undefined";
    if has_sanitizer(flag) {
        for name in PROGRAMS {
            let sanitized = program(name, "c11", &[flag, "-fno-sanitize-recover=all"], Library::Release);
            run(name, &sanitized, &[]);
        }
    }
}

#[test]
fn threads_do_not_make_the_thread_sanitizer_complain() {
    let flag = "-fsanitize=thread";
    if has_sanitizer(flag) {
        run("threads", &program("threads", "c11", &[flag], Library::Release), &[]);
    }
}

#[test]
fn valgrind_sees_no_bad_access_in_the_library() {
    if has("valgrind", "C programs under valgrind") {
        for name in ["normal", "misuse", "failing", "module"] {
            let path = program(name, "c99", &["-O1"], Library::Release);
            run(name, &path, &["valgrind", "-q", "--error-exitcode=99", "--leak-check=full"]);
        }
    }
}
