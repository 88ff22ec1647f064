// SPDX-License-Identifier: Apache-2.0
//! The project's fixtures: where they come from, and that they are what they claim to be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mender_testkit::artifact::Artifact;
use mender_testkit::key::Key;
use mender_testkit::pem::unbase64;
use mender_testkit::tar::{Meta, field};

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance")
}

fn key(name: &str) -> Key {
    Key::from_pem(&fs::read_to_string(conformance().join("fixtures/keys").join(name)).unwrap()).unwrap()
}

fn artifacts(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mender"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

/// Blanks what differs from run to run: times in tar headers at any depth, and random ECDSA signatures.
fn without_chance(mut artifact: Vec<u8>) -> Vec<u8> {
    let mut signature_follows = false;
    for block in artifact.chunks_mut(512) {
        if std::mem::take(&mut signature_follows) {
            block[..88].fill(b'?');
        }
        if block.len() == 512 && &block[field::MAGIC..field::MAGIC + 5] == b"ustar" {
            block[field::MTIME..field::KIND].fill(b'?');
            signature_follows =
                block.starts_with(b"manifest.sig\0") && &block[field::SIZE..][..11] == b"00000000130";
        }
    }
    artifact
}

#[test]
fn the_script_makes_the_same_fixtures_again() {
    let script = conformance().join("make-fixtures.sh");
    let output = Command::new("bash").arg(script).arg("--check").output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    println!("{}", text.trim_end());
    assert!(output.status.success(), "{text}");
}

#[test]
fn fixtures_equal_the_samples_but_for_times_and_random_signatures() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/artifacts");
    if !shared.is_dir() {
        println!("skipped: no ../shared/artifacts; the fixtures in tests/conformance were read");
        return;
    }
    let samples = artifacts(&shared);
    let mut compared = 0;
    for (name, fixture) in artifacts(&conformance().join("fixtures")) {
        // In these two GNU tar puts the times elsewhere.
        if ["34-repacked-gnutar-pax.mender", "34-repacked-gnutar-v7.mender"].contains(&name.as_str()) {
            continue;
        }
        if let Some((_, sample)) = samples.iter().find(|(sample_name, _)| *sample_name == name) {
            assert!(without_chance(fixture) == without_chance(sample.clone()), "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 33);
}

#[test]
fn keys_are_read_in_every_form_they_come_in() {
    for name in ["rsa2048", "p256"] {
        let [traditional, pkcs8] = ["pem", "pkcs8.pem"].map(|ending| key(&format!("{name}.{ending}")));
        let public = conformance().join(format!("fixtures/keys/{name}.pub.pem"));
        assert_eq!(traditional.public_pem(), fs::read_to_string(public).unwrap());
        assert_eq!(pkcs8.public_pem(), traditional.public_pem());
        assert_eq!(pkcs8.private_pem(), traditional.private_pem());
    }
    for name in ["p384.pem", "ed25519.pem"] {
        let text = fs::read_to_string(conformance().join("fixtures/keys").join(name)).unwrap();
        Key::from_pem(&text).unwrap_err();
    }
}

#[test]
fn nothing_but_the_padding_of_the_signature_is_wrong_in_the_forgeries() {
    let root = |mode| Meta {
        mode,
        mtime: 1_704_164_645,
        uname: "root".into(),
        gname: "root".into(),
        ..Meta::stream()
    };
    let small = fs::read(conformance().join("fixtures/in/small.bin")).unwrap();
    let key = key("rsa2048.pem");
    let honest = Artifact::new("forge-1.0", "nucleo_l4a6zg")
        .file_with("small.bin", root(0o644), small)
        .stored_as(root(0o600))
        .sign(&key);
    let manifest = honest.raw().manifest().to_vec();
    let mut forgeries = 0;
    for (name, bytes) in artifacts(&conformance().join("fixtures")) {
        if !name.starts_with("50-rsa-") {
            continue;
        }
        let mut signature = Vec::new();
        let honest = honest.raw().edit_outer(|tar| {
            let member = tar.member("manifest.sig");
            // version and manifest take two blocks each; the signature's content follows its header.
            member.data = bytes[5 * 512..][..member.data.len()].to_vec();
            signature = unbase64(std::str::from_utf8(&member.data).unwrap()).unwrap();
        });
        assert!(honest.bytes() == bytes, "{name}");
        assert!(!key.verify(&manifest, &signature), "{name}");
        forgeries += 1;
    }
    assert_eq!(forgeries, 6);
}
