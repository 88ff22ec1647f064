// SPDX-License-Identifier: Apache-2.0
//! Artifacts by the official tool give what the protocol says, in chunks of any size.
//!
//! `samples.expected.txt` has for each sample every fact in order, or the error it is refused for (§7). The facts were
//! extracted with Python's `tarfile` and `json`, not by the reader.

mod common;

use common::{Reading, cut_signature, manifest_of, read, sample, sample_folders};
use mender_artifact::Unsigned;
use mender_base::Error;
use mender_testkit::key::{Key, sha256};
use std::collections::BTreeMap;

const EXPECTED: &str = include_str!("samples.expected.txt");

/// Name and expected text of each sample.
fn expected() -> BTreeMap<&'static str, &'static str> {
    let sections = EXPECTED.split("== ").skip(1);
    sections
        .map(|section| section.split_once('\n').unwrap())
        .map(|(name, text)| (name, text.trim()))
        .collect()
}

fn told(reading: &Reading) -> String {
    match reading.result {
        Err(error) => format!("refused: {}", error.name()),
        Ok(()) if reading.meta_data.is_empty() => reading.facts.join("\n"),
        Ok(()) => {
            let meta_data = String::from_utf8(reading.meta_data.clone()).unwrap();
            let facts = reading.facts.join("\n");
            facts.replace("meta-data-end", &format!("meta-data {meta_data}\nmeta-data-end"))
        }
    }
}

#[test]
fn every_sample_gives_what_the_protocol_says() {
    let expected = expected();
    let mut seen = BTreeMap::new();
    for folder in sample_folders() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_none_or(|extension| extension != "mender") {
                continue;
            }
            let reading = read(&std::fs::read(&path).unwrap());
            let wanted = expected.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not expected"));
            assert_eq!(told(&reading), *wanted, "{name}");
            if reading.result.is_ok() {
                contents_are_right(&name, &reading);
            }
            seen.insert(name, ());
        }
    }
    // Those that are too large for the project are only among the shared ones.
    let missing: Vec<_> = expected.keys().filter(|name| !seen.contains_key(**name)).collect();
    let too_large =
        |name: &str| name.starts_with("27-") || name.starts_with("28-") || name.starts_with("40-");
    assert!(missing.iter().all(|name| too_large(name)), "no sample for {missing:?}");
}

fn contents_are_right(sample_name: &str, reading: &Reading) {
    for (name, content) in &reading.files {
        // The long name is cut short in the folder of inputs; its content is that of `small.bin`.
        let name = if sample_name.starts_with("30-") { "small.bin" } else { name };
        let input = if sample_name.starts_with("40-") { "big.bin" } else { name };
        assert!(*content == sample(&format!("in/{input}")), "{sample_name}: {name}");
    }
}

#[test]
fn the_signatures_of_the_samples_verify_with_their_keys_and_no_others() {
    let key = |name: &str| {
        let pem = String::from_utf8(sample(&format!("keys/{name}.pem"))).unwrap();
        Key::from_pem(&pem).unwrap()
    };
    let keys: Vec<_> = ["rsa2048", "rsa3072", "rsa4096", "p256"].map(|name| (name, key(name))).into();
    for (name, key_name) in [
        ("04-none-rsa2048", "rsa2048"),
        ("05-none-rsa3072", "rsa3072"),
        ("06-none-p256", "p256"),
        ("32-signed-after", "p256"),
        ("36-none-rsa4096", "rsa4096"),
    ] {
        let artifact = sample(&format!("{name}.mender"));
        let manifest = manifest_of(&artifact);
        for (other, key) in &keys {
            let reading = common::read_signed(&artifact, &|hash, signature| {
                *hash == sha256(manifest) && key.verify(manifest, signature)
            });
            let wanted = if *other == key_name { Ok(()) } else { Err(Error::SignatureWrong) };
            assert_eq!(reading.result, wanted, "{name} with {other}");
            assert_eq!(reading.fact("name").is_some(), wanted.is_ok(), "nothing is said before the verdict");
        }
        let unsigned = cut_signature(&artifact);
        assert_eq!(common::read_with(&unsigned, Unsigned::Refuse, 512).result, Err(Error::SignatureMissing));
        assert_eq!(read(&unsigned).result, Ok(()));
    }
}
