// SPDX-License-Identifier: Apache-2.0
//! What the command line prints, word for word.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::Command;

use mender_testkit::artifact::Artifact;
use mender_testkit::image::{Behaviour, Image, Version};
use mender_testkit::key::Key;

const KEYS: &str = "../../tests/conformance/fixtures/keys";

/// Exit code and output, both streams, of a run in the crate's folder.
fn run(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mender-device"));
    let output = command.args(args).env_clear().current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    format!("{}[exit code {}]\n", String::from_utf8(text).unwrap(), output.status.code().unwrap())
}

/// Compares with `tests/transcripts/NAME`; with `BLESS` in the environment it is written anew.
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == wanted, "{name} differs (BLESS=1 writes it anew):\n{text}");
}

#[test]
fn help_explains_every_setting() {
    check("help.txt", &run(&["--help"]));
    check("inspect-help.txt", &run(&["inspect", "--help"]));
}

#[test]
fn wrong_command_lines_say_what_is_wrong() {
    let runs = [
        &["--no-such-thing"][..],
        &["--poll-interval", "soon"],
        &["--halt-at", "lunch:1"],
        &["--verification-key", "no/such/file"],
        &["inspect"],
        &["inspect", "no/such/file"],
    ];
    let text: String =
        runs.iter().map(|args| format!("$ mender-device {}\n{}", args.join(" "), run(args))).collect();
    check("wrong.txt", &text);
}

#[test]
fn inspect_prints_what_an_artifact_holds_or_why_it_is_refused() {
    let dir = std::env::temp_dir().join(format!("mender-device-inspect-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let image = Image::new(Version::parse("2.0.0").unwrap(), Behaviour::Fine).size(8192).build();
    let pem =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(KEYS).join("p256.pem")).unwrap();
    let key = Key::from_pem(&pem).unwrap();
    let artifact = Artifact::new("release-2", "board").file("zephyr.signed.bin", image.clone());
    let mut broken = image.clone();
    broken[5000] ^= 1;
    let mut forged = artifact.clone().sign(&key).build();
    let at = forged.windows(9).position(|part| part == b"simulated").unwrap();
    forged[at] ^= 1;
    for (name, bytes) in [
        ("plain.mender", artifact.build()),
        ("signed.mender", artifact.clone().sign(&key).build()),
        ("forged.mender", forged),
        ("broken-image.mender", Artifact::new("release-3", "board").file("a.bin", broken).build()),
        ("text.mender", Artifact::new("release-4", "board").file("a.txt", b"no image".to_vec()).build()),
        ("cut.mender", artifact.build()[..5000].to_vec()),
    ] {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    let key = format!("{KEYS}/p256.pub.pem");
    let other = format!("{KEYS}/rsa2048.pub.pem");
    let fixtures = "../../tests/conformance/fixtures";
    let mut text = String::new();
    for args in [
        &["plain.mender"][..],
        &["plain.mender", "--key", &key],
        &["signed.mender"],
        &["signed.mender", "--key", &other, "--key", &key, "--device-type", "board"],
        &["signed.mender", "--key", &other],
        &["signed.mender", "--device-type", "other"],
        &["forged.mender", "--key", &key],
        &["broken-image.mender"],
        &["text.mender"],
        &["cut.mender"],
        &["15-meta-data.mender"],
        &["25-bootstrap.mender"],
        &["35-mender-configure.mender"],
        &["02-gzip.mender"],
        &["12-script.mender"],
    ] {
        let made = dir.join(args[0]);
        let file = if made.exists() { made.display().to_string() } else { format!("{fixtures}/{}", args[0]) };
        let output = run(&[&["inspect", &file], &args[1..]].concat());
        text += &format!("$ mender-device inspect {}\n{output}", args.join(" "));
    }
    let text = text.replace(&format!("{}/", dir.display()), "");
    std::fs::remove_dir_all(&dir).unwrap();
    check("inspect.txt", &text);
}
