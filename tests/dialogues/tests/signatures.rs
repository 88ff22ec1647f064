// SPDX-License-Identifier: Apache-2.0
//! Signed artifacts through the whole device: §10.62 to 67.

use std::path::Path;

use mender_dialogues::{
    Device, artifact, deploy_bytes, final_statuses, good, http, module_artifact, reports,
    the_next_update_succeeds,
};
use mender_server::Server;
use mender_sim::mcuboot;
use mender_sim::trailer::SwapType;
use mender_testkit::key::{Key, P256_ORDER, der_signature, other_s};
use mender_testkit::pem::base64;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

fn key(name: &str) -> Key {
    Key::from_pem(&String::from_utf8(fixture(&format!("keys/{name}.pem"))).unwrap()).unwrap()
}

fn ready(keys: &[&Key]) -> (Server, Device) {
    let server = http();
    let mut device = Device::with(&server, |d| d.keys = keys.iter().map(|key| key.public_pem()).collect());
    device.run_until_quiet();
    (server, device)
}

/// A device with these keys takes the artifact.
fn accepted(keys: &[&Key], bytes: Vec<u8>) {
    let (server, mut device) = ready(keys);
    let deployment = deploy_bytes(&server, "release-2", bytes);
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    assert_eq!(device.version(), "2.0.0");
}

/// A device with these keys refuses the artifact with `reason`, before a byte of it is in the slot.
fn refused(keys: &[&Key], bytes: Vec<u8>, reason: &str) {
    let (server, mut device) = ready(keys);
    let deployment = deploy_bytes(&server, "release-2", bytes);
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "failure"], "{}", device.story());
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains(reason)), "{reason}: {log:?}");
    assert!(!device.slot_touched(), "{reason}");
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
}

fn signed(key: &Key) -> Vec<u8> {
    artifact("release-2", good("2.0.0")).sign(key).build()
}

/// An artifact with this text for a signature.
fn signed_as(text: impl FnOnce(&[u8]) -> String) -> Vec<u8> {
    let raw = artifact("release-2", good("2.0.0")).sign(&Key::generate()).raw();
    let text = text(raw.manifest());
    raw.edit_outer(|tar| tar.member("manifest.sig").data = text.into_bytes()).bytes()
}

#[test]
fn c62_an_unsigned_artifact_is_refused_before_its_payload_where_a_key_is_configured() {
    let key = Key::generate();
    refused(&[&key], artifact("release-2", good("2.0.0")).build(), "not signed");
}

#[test]
fn c62a_an_unsigned_module_payload_never_reaches_its_module() {
    let (server, mut device) = ready(&[&Key::generate()]);
    let deployment = deploy_bytes(&server, "release-2", module_artifact("release-2").build());
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    let folder = device.ports().modules.current("files");
    assert!(!folder.parent().unwrap().join("download").exists() && !folder.exists());
}

#[test]
fn c62b_a_signature_is_accepted_and_noted_where_no_key_is_configured() {
    let (server, mut device) = ready(&[]);
    let deployment = deploy_bytes(&server, "release-2", signed(&Key::generate()));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    assert_eq!(device.logged("signature not checked: no key configured"), 1);
}

#[test]
fn an_artifact_signed_with_the_configured_key_is_taken_and_the_next_one_too() {
    let key = Key::generate();
    let (server, mut device) = ready(&[&key]);
    for (name, version) in [("release-2", "2.0.0"), ("release-3", "3.0.0")] {
        let bytes = artifact(name, good(version)).sign(&key).build();
        let deployment = deploy_bytes(&server, name, bytes);
        device.update(&server, &deployment);
        assert_eq!(device.version(), version, "{}", device.story());
    }
    assert_eq!(device.logged("signature not checked"), 0);
}

#[test]
fn any_of_several_keys_may_have_signed() {
    let keys = [key("rsa2048"), Key::generate(), key("rsa4096"), Key::generate()];
    let all: Vec<&Key> = keys.iter().collect();
    for key in &keys {
        accepted(&all, signed(key));
    }
    refused(&all, signed(&Key::generate()), "does not verify");
}

#[test]
fn rsa_keys_of_2048_3072_and_4096_bits_verify() {
    for size in ["rsa2048", "rsa3072", "rsa4096"] {
        let key = key(size);
        accepted(&[&key], signed(&key));
        let mut forged = artifact("release-2", good("2.0.0")).sign(&key).raw();
        forged = forged.edit_outer(|tar| {
            let text = &mut tar.member("manifest.sig").data;
            text[100] = if text[100] == b'A' { b'B' } else { b'A' };
        });
        refused(&[&key], forged.bytes(), "does not verify");
    }
}

#[test]
fn c63_a_p256_signature_in_der_or_with_a_high_s_verifies() {
    let key = Key::generate();
    for form in [
        (|raw| der_signature(&raw)) as fn(Vec<u8>) -> Vec<u8>,
        |raw| other_s(&raw),
        |raw| der_signature(&other_s(&raw)),
    ] {
        accepted(&[&key], signed_as(|manifest| base64(&form(key.sign(manifest)))));
    }
    accepted(&[&key], signed_as(|manifest| format!("{}\n", base64(&key.sign(manifest)))));
}

#[test]
fn c63a_a_signature_that_is_wrong_is_refused_before_the_payload() {
    let key = Key::generate();
    refused(&[&key], signed(&Key::generate()), "does not verify");
    let changed = |change: fn(&mut Vec<u8>)| {
        signed_as(|manifest| {
            let mut raw = key.sign(manifest);
            change(&mut raw);
            base64(&raw)
        })
    };
    for bad in [
        changed(|raw| raw[0] ^= 1),
        changed(|raw| raw[63] ^= 0x80),
        changed(|raw| raw.push(0)),
        changed(|raw| raw[..32].fill(0)),
        changed(|raw| raw[32..].fill(0)),
        changed(|raw| raw[..32].copy_from_slice(&P256_ORDER)),
        changed(|raw| raw[32..].fill(0xff)),
        changed(|raw| *raw = [der_signature(raw), vec![0]].concat()),
        signed_as(|_| base64(&key.sign(b"another manifest"))),
    ] {
        refused(&[&key], bad, "does not verify");
    }
}

#[test]
fn c63b_a_signature_that_is_no_base64_is_refused_before_the_payload() {
    let key = Key::generate();
    let bad: [fn(String) -> String; 5] = [
        |_| String::new(),
        |text| text[..87].to_owned(),
        |text| format!("{}-_{}", &text[..40], &text[42..]),
        |text| format!("{}\n{}", &text[..40], &text[40..]),
        |text| format!("-----BEGIN-----\n{text}"),
    ];
    for spoil in bad {
        refused(
            &[&key],
            signed_as(|manifest| spoil(base64(&key.sign(manifest)))),
            "malformed artifact signature",
        );
    }
}

#[test]
fn c64_a_signature_by_the_other_kind_of_key_is_refused() {
    let (rsa, p256) = (key("rsa2048"), key("p256"));
    refused(&[&rsa], signed(&p256), "does not verify");
    refused(&[&p256], signed(&rsa), "does not verify");
    refused(&[&key("rsa4096")], signed(&rsa), "does not verify");
}

#[test]
fn c65_a_signature_behind_the_header_is_refused() {
    let key = Key::generate();
    let late = artifact("release-2", good("2.0.0")).sign(&key).raw().edit_outer(|tar| {
        let signature = tar.remove("manifest.sig");
        tar.insert_before("data/0000.tar", signature);
    });
    refused(&[&key], late.bytes(), "not signed");
}

#[test]
fn c61_what_the_signature_covers_cannot_be_exchanged() {
    let key = Key::generate();
    let other = artifact("release-2", good("6.6.6")).build();
    let spliced = artifact("release-2", good("2.0.0")).sign(&key).raw().edit_outer(|tar| {
        tar.member("data/0000.tar").data = {
            let at = other.windows(14).position(|w| w == b"data/0000.tar\0").unwrap() + 512;
            other[at..other.len() - 1024].to_vec()
        };
    });
    let (server, mut device) = ready(&[&key]);
    let deployment = deploy_bytes(&server, "release-2", spliced.bytes());
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|e| e.message.contains("checksum of a payload file")), "{log:?}");
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
    device.restart();
    assert_eq!(device.version(), "1.0.0");
}

#[test]
fn c67_rsa_signatures_with_forged_padding_are_refused() {
    let key = key("rsa2048");
    for forgery in [
        "bare-hash",
        "block-type-2",
        "garbage-after-hash",
        "long-form-length",
        "short-padding",
        "without-null",
    ] {
        refused(&[&key], fixture(&format!("50-rsa-{forgery}.mender")), "does not verify");
    }
}

#[test]
fn a_replaced_key_is_used_after_the_restart_that_brings_it() {
    let (old, new) = (Key::generate(), Key::generate());
    let (server, mut device) = ready(&[&old]);
    let refused = deploy_bytes(&server, "release-2", signed(&new));
    device.update(&server, &refused);
    assert_eq!(final_statuses(&server, &refused), ["failure"]);
    device.keys = vec![new.public_pem()];
    device.restart();
    let bytes = artifact("release-3", good("3.0.0")).sign(&new).build();
    let taken = deploy_bytes(&server, "release-3", bytes);
    device.update(&server, &taken);
    assert_eq!(device.version(), "3.0.0");
    device.keys = Vec::new();
    device.restart();
    the_next_update_succeeds(&server, &mut device);
}
