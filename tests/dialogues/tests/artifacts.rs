// SPDX-License-Identifier: Apache-2.0
//! Artifacts that do not fit the device, or are no firmware: §10.66 to 88 as far as the client decides, and provides (§7.11).

use mender_dialogues::{
    DEVICE_TYPE, Device, MODULE, artifact, deploy, deploy_bytes, final_statuses, good, http, module_artifact,
    reports, the_next_update_succeeds,
};
use mender_server::{DeploymentSpec, Server};
use mender_sim::mcuboot;
use mender_sim::trailer::SwapType;
use mender_testkit::artifact::Artifact;
use mender_testkit::raw::Compression;
use mender_testkit::tar::{Member, Meta};

fn ready() -> (Server, Device) {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    (server, device)
}

/// The deployment of `bytes` fails with `reason` in its log, the slot is not armed, what is installed stays what it was.
fn fails(bytes: Vec<u8>, reason: &str) -> bool {
    let (server, mut device) = ready();
    let deployment = deploy_bytes(&server, "release-2", bytes);
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "failure"], "{reason}\n{}", device.story());
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains(reason)), "{reason}: {log:?}");
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
    assert_eq!(device.artifact_name(), "release-1");
    let touched = device.slot_touched();
    device.restart();
    device.run_until_quiet();
    assert_eq!(device.version(), "1.0.0");
    the_next_update_succeeds(&server, &mut device);
    touched
}

/// The same, and before a byte is in the slot.
fn fails_before_the_payload(bytes: Vec<u8>, reason: &str) {
    assert!(!fails(bytes, reason), "{reason}: before the payload");
}

fn ordinary() -> Artifact {
    artifact("release-2", good("2.0.0"))
}

/// An artifact in whose header-info or type-info one text is replaced by another.
fn with_header(name: &str, from: &str, to: &str) -> Vec<u8> {
    let edited = ordinary().raw().edit_header(|tar| {
        let data = &mut tar.member(name).data;
        let text = String::from_utf8(data.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *data = text.replace(from, to).into_bytes();
    });
    edited.bytes()
}

const HEADER_INFO: &str = "header-info";
const TYPE_INFO: &str = "headers/0000/type-info";

#[test]
fn c66_an_augmented_artifact_fails() {
    let augmented = ordinary()
        .raw()
        .edit_outer(|tar| tar.insert_before("header.tar", Member::new("manifest-augment", "x")));
    fails_before_the_payload(augmented.bytes(), "augmented");
}

#[test]
fn c69_a_payload_type_nobody_handles_fails() {
    for name in ["rootfs-image", "zephyr-image2", "ZEPHYR-IMAGE", "unheard-of"] {
        let made = Artifact::new("release-2", DEVICE_TYPE).payload_type(name).file("f", "x").build();
        fails_before_the_payload(made, "no update module for the payload type");
    }
}

#[test]
fn c69a_other_than_one_payload_fails() {
    for payloads in [
        r#""payloads":[]"#,
        r#""payloads":[{"type":"zephyr-image"},{"type":"zephyr-image"}]"#,
        r#""payloads":{"type":"zephyr-image"}"#,
        r#""payloads":[{"type":5}]"#,
    ] {
        fails_before_the_payload(
            with_header(HEADER_INFO, r#""payloads":[{"type":"zephyr-image"}]"#, payloads),
            "",
        );
    }
}

#[test]
fn c70_an_artifact_of_another_name_than_the_deployment_s_fails() {
    for name in ["release-3", "release-2 ", "Release-2", "release-22", "release-"] {
        let reason = "artifact name differs from the deployment's";
        fails_before_the_payload(artifact(name, good("2.0.0")).build(), reason);
    }
    fails_before_the_payload(
        with_header(HEADER_INFO, r#""artifact_name":"release-2""#, r#""artifact_name":"""#),
        "name",
    );
}

#[test]
fn c71_an_artifact_for_other_devices_fails() {
    for device_type in ["SIM", "sim2", "si", "sim "] {
        let made = Artifact::new("release-2", device_type).file("f", good("2.0.0")).build();
        fails_before_the_payload(made, "not for this device type");
    }
    fails_before_the_payload(with_header(HEADER_INFO, r#"["sim"]"#, "[]"), "not for this device type");
    let none = with_header(HEADER_INFO, r#""device_type":["sim"]"#, "");
    fails_before_the_payload(none, "names no device type");
}

#[test]
fn c71a_one_of_several_device_types_will_do_and_so_will_a_bare_text() {
    for bytes in [
        Artifact::new("release-2", "other")
            .device_type(DEVICE_TYPE)
            .device_type("third")
            .file("f", good("2.0.0"))
            .build(),
        with_header(HEADER_INFO, r#"["sim"]"#, r#""sim""#),
    ] {
        let (server, mut device) = ready();
        let deployment = deploy_bytes(&server, "release-2", bytes);
        device.update(&server, &deployment);
        assert_eq!(device.version(), "2.0.0", "{}", device.story());
    }
}

#[test]
fn c72_an_artifact_that_depends_on_what_the_device_has_not_fails() {
    let reason = "depends on what this device does not provide";
    fails_before_the_payload(ordinary().depends("hardware.revision", "b").build(), reason);
    fails_before_the_payload(ordinary().depends_name("release-0").build(), reason);
    fails_before_the_payload(ordinary().depends_group("beta").build(), reason);
    fails_before_the_payload(ordinary().depends("artifact_name", "release-0").build(), "");
    let number = with_header(TYPE_INFO, r#"{"type""#, r#"{"artifact_depends":{"a":5},"type""#);
    fails_before_the_payload(number, "type-info");
}

#[test]
fn c72a_an_artifact_whose_depends_are_met_is_taken() {
    let (server, mut device) = ready();
    let first = ordinary()
        .provides("hardware.revision", "b")
        .group("beta")
        .depends_name("x")
        .depends_name("release-1");
    let deployment = deploy(&server, &first);
    device.update(&server, &deployment);
    assert_eq!(device.version(), "2.0.0", "{}", device.story());
    let second = artifact("release-3", good("3.0.0"))
        .depends("hardware.revision", "b")
        .depends("rootfs-image.zephyr-image.version", "release-2")
        .depends_group("alpha")
        .depends_group("beta")
        .depends_name("release-2");
    let deployment = deploy(&server, &second);
    device.update(&server, &deployment);
    assert_eq!(device.version(), "3.0.0", "{}", device.story());
}

#[test]
fn c73_payload_types_that_differ_fail() {
    fails_before_the_payload(with_header(TYPE_INFO, "zephyr-image\"", "zephyr-image2\""), "differ");
    fails_before_the_payload(with_header(TYPE_INFO, r#"{"type":"zephyr-image""#, r#"{"type":"""#), "");
}

#[test]
fn c74_provides_that_would_pose_as_another_device_or_artifact_fail() {
    for key in ["artifact_name", "device_type"] {
        fails_before_the_payload(ordinary().provides(key, "x").build(), "reserved");
    }
}

#[test]
fn c75_more_provides_than_the_device_keeps_fail_before_the_payload() {
    let mut many = ordinary();
    for n in 0..40 {
        many = many.provides(&format!("k{n}"), "v");
    }
    fails_before_the_payload(many.build(), "");
    fails_before_the_payload(ordinary().provides("k", &"v".repeat(100_000)).build(), "");
    fails_before_the_payload(ordinary().provides(&"k".repeat(70), "v").build(), "");
    // Each within its limit, all together not.
    let long = "v".repeat(200);
    fails_before_the_payload(
        ordinary().provides("a", &long).provides("b", &long).provides("c", &long).build(),
        "provides",
    );
}

#[test]
fn c75a_what_a_device_takes_leaves_room_for_the_next_of_its_kind() {
    let (server, mut device) = ready();
    // With the name, the software version and the lengths of the three: 243 bytes.
    for n in 2..5 {
        let image = good(&format!("{n}.0.0"));
        installed(
            &server,
            &mut device,
            &artifact(&format!("release-{n}"), image).provides("a", &"v".repeat(169)),
        );
    }
    fails_before_the_payload(ordinary().provides("a", &"v".repeat(170)).build(), "provides do not fit");
}

#[test]
fn c76_stars_without_end_cost_no_time_and_clear_what_they_match() {
    let (server, mut device) = ready();
    let key = "a".repeat(64);
    installed(&server, &mut device, &ordinary().provides(&key, "x").provides("stays", "y"));
    let began = std::time::Instant::now();
    let stars =
        module_artifact("release-3").clears(&"*a".repeat(32)).clears(&format!("{}b", "*a".repeat(31)));
    installed(&server, &mut device, &stars);
    assert!(began.elapsed().as_secs() < 5);
    let provided = provided(&server, &mut device);
    assert!(
        provided.iter().all(|(k, _)| *k != key) && provided.iter().any(|(k, _)| k == "stays"),
        "{provided:?}"
    );
    fails_before_the_payload(ordinary().clears(&"*".repeat(1000)).build(), "");
}

#[test]
fn c77_state_scripts_fail_with_a_clear_text() {
    let made = ordinary().script_with("ArtifactInstall_Enter_10", Meta::file(), "#!/bin/sh\n").build();
    fails_before_the_payload(made, "state scripts are not supported");
}

#[test]
fn c80_compressed_artifacts_fail_with_a_clear_text() {
    fails_before_the_payload(ordinary().compression(Compression::Gzip).build(), "gzip-compressed artifact");
}

#[test]
fn c85_other_compressions_fail_with_texts_of_their_own() {
    for (suffix, text) in [("xz", "xz-compressed"), ("zst", "zstd-compressed")] {
        let raw = ordinary().raw();
        let renamed = raw.edit_manifest(|m| {
            *m = String::from_utf8_lossy(m)
                .replace("header.tar", &format!("header.tar.{suffix}"))
                .into_bytes();
        });
        let renamed = renamed.edit_outer(|tar| {
            tar.member("header.tar").name = format!("header.tar.{suffix}").into_bytes();
        });
        fails_before_the_payload(renamed.bytes(), text);
    }
}

#[test]
fn c86_a_payload_that_is_no_mcuboot_image_fails() {
    let image = good("2.0.0");
    let reason = "payload is not an MCUboot image";
    fails_before_the_payload(artifact("release-2", Vec::new()).build(), reason);
    let with = |at: usize, bytes: &[u8]| {
        let mut image = image.clone();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        artifact("release-2", image).build()
    };
    fails(with(0, &[0x7f, b'E', b'L', b'F']), reason);
    fails(artifact("release-2", image[..20].to_vec()).build(), reason);
    fails(artifact("release-2", vec![0; 5000]).build(), reason);
}

#[test]
fn c86a_an_image_whose_header_disagrees_with_its_size_fails() {
    let image = good("2.0.0");
    let reason = "image header does not agree with the payload size";
    let with = |at: usize, bytes: &[u8]| {
        let mut image = image.clone();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        artifact("release-2", image).build()
    };
    fails(with(12, &[0xff; 4]), reason);
    fails(with(12, &[0; 4]), reason);
    fails(with(8, &[0; 2]), reason);
    fails(artifact("release-2", image[..image.len() - 30].to_vec()).build(), "");
    fails(artifact("release-2", image[..40].to_vec()).build(), reason);
}

#[test]
fn c86b_an_image_without_a_hash_could_not_be_known_again_and_fails() {
    let mut image = good("2.0.0");
    // The TLV of the hash becomes one that nobody knows.
    let at = image.len() - 36;
    let hash = image.windows(4).rposition(|w| w == [0x10, 0, 32, 0]).unwrap();
    assert!(hash <= at);
    image[hash] = 0xa0;
    fails(artifact("release-2", image).build(), "no SHA-256 TLV");
}

#[test]
fn c86c_a_hash_behind_more_tlvs_than_any_tool_writes_is_not_looked_for() {
    let with = |others: usize| {
        let mut image = good("2.0.0");
        let tlvs = image.windows(2).rposition(|w| w == 0x6907u16.to_le_bytes()).unwrap();
        let len = u16::from_le_bytes([image[tlvs + 2], image[tlvs + 3]]) + 4 * u16::try_from(others).unwrap();
        image[tlvs + 2..tlvs + 4].copy_from_slice(&len.to_le_bytes());
        image.splice(tlvs + 4..tlvs + 4, [0xa0, 0, 0, 0].repeat(others));
        artifact("release-2", image).build()
    };
    fails(with(64), "no SHA-256 TLV");
    let (server, mut device) = ready();
    let deployment = deploy_bytes(&server, "release-2", with(63));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c87_other_than_one_image_file_fails() {
    let none = Artifact::new("release-2", DEVICE_TYPE).build();
    fails_before_the_payload(none, "exactly one image file");
    let two = ordinary().file("second.bin", good("3.0.0")).build();
    fails(two, "exactly one image file");
}

#[test]
fn c87a_a_broken_image_is_refused_by_the_boot_loader_and_that_is_said() {
    let mut image = good("2.0.0");
    // Behind the header, before the TLVs: only MCUboot looks there.
    image[20_000] ^= 1;
    let (server, mut device) = ready();
    let deployment = deploy(&server, &artifact("release-2", image));
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "installing", "rebooting", "failure"]);
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|e| e.message.contains("refused by the boot loader")), "{log:?}");
    the_next_update_succeeds(&server, &mut device);
}

// ---- provides

/// What the device says of itself in its check, without what every device says.
fn provided(server: &Server, device: &mut Device) -> Vec<(String, String)> {
    server.clear_requests();
    device.client().check_now();
    device.run_until_logged("no update");
    let mut checks = server.requests().into_iter().filter(|r| r.path().ends_with("/next"));
    let body = checks.next_back().unwrap().body.unwrap();
    let text = body.trim_start_matches(r#"{"device_provides":{"#).split('}').next().unwrap().to_owned();
    let pairs = text.split("\",\"").map(|pair| {
        let (key, value) = pair.split_once("\":\"").unwrap();
        (key.trim_matches('"').to_owned(), value.trim_matches('"').to_owned())
    });
    let mut pairs: Vec<_> = pairs.filter(|(key, _)| key != "device_type").collect();
    pairs.sort();
    pairs
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn installed(server: &Server, device: &mut Device, made: &Artifact) {
    let deployment = deploy(server, made);
    device.update(server, &deployment);
    assert_eq!(final_statuses(server, &deployment), ["success"], "{}", device.story());
}

#[test]
fn provides_are_kept_cleared_and_replaced_as_artifacts_say() {
    let (server, mut device) = ready();
    assert_eq!(provided(&server, &mut device), pairs(&[("artifact_name", "release-1")]));

    let first = artifact("r2", good("2.0.0"))
        .provides("data.a.version", "1")
        .provides("data.b.version", "1")
        .group("g1");
    installed(&server, &mut device, &first);
    let after_first = [
        ("artifact_group", "g1"),
        ("artifact_name", "r2"),
        ("data.a.version", "1"),
        ("data.b.version", "1"),
        ("rootfs-image.zephyr-image.version", "r2"),
    ];
    assert_eq!(provided(&server, &mut device), pairs(&after_first));

    // Clears one, replaces one, says nothing of the group.
    let second = module_artifact("r3")
        .no_default_software_version()
        .clears("data.a.*")
        .provides("data.b.version", "2");
    installed(&server, &mut device, &second);
    let after_second = [
        ("artifact_group", "g1"),
        ("artifact_name", "r3"),
        ("data.b.version", "2"),
        ("rootfs-image.zephyr-image.version", "r2"),
    ];
    assert_eq!(provided(&server, &mut device), pairs(&after_second));
    device.restart();
    device.run_until_quiet();
    assert_eq!(provided(&server, &mut device), pairs(&after_second), "for good");

    // Says nothing of clearing: all goes but name and group.
    let third = module_artifact("r4").no_default_software_version().no_default_clears_provides();
    installed(&server, &mut device, &third);
    let after_third = [("artifact_group", "g1"), ("artifact_name", "r4")];
    assert_eq!(provided(&server, &mut device), pairs(&after_third));

    // Clears everything, the group too, but never the name.
    let fourth = module_artifact("r5").clears("*");
    installed(&server, &mut device, &fourth);
    let key = format!("rootfs-image.{MODULE}.version");
    assert_eq!(provided(&server, &mut device), pairs(&[("artifact_name", "r5"), (&key, "r5")]));
    assert_eq!(server.devices()[0].inventory["artifact_name"], "r5");
    assert!(!server.devices()[0].inventory.contains_key("artifact_group"));
}

#[test]
fn a_failed_update_changes_no_provides() {
    let (server, mut device) = ready();
    installed(&server, &mut device, &artifact("r2", good("2.0.0")).provides("data.a.version", "1"));
    let before = provided(&server, &mut device);
    let bad = module_artifact("r3").clears("*").provides("data.a.version", "2").group("new");
    device.ports().modules.fail_at = vec![mender_sim::modules::FailAt::from_name("ArtifactInstall").unwrap()];
    let deployment = deploy(&server, &bad);
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    assert_eq!(provided(&server, &mut device), before);
}

#[test]
fn an_empty_payload_stores_its_provides_and_installs_nothing() {
    let (server, mut device) = ready();
    let made = Artifact::new("boot", DEVICE_TYPE).bootstrap().provides("rootfs-image.version", "factory");
    let deployment = deploy(&server, &made);
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "success"], "{}", device.story());
    assert_eq!(device.boots, 1);
    assert!(!device.slot_touched());
    assert_eq!(
        provided(&server, &mut device),
        pairs(&[("artifact_name", "boot"), ("rootfs-image.version", "factory")])
    );
}

#[test]
fn an_image_that_runs_already_is_not_swapped_but_its_name_counts() {
    let (server, mut device) = ready();
    let deployment = deploy(&server, &artifact("release-1b", good("1.0.0")).provides("a", "b"));
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "success"], "{}", device.story());
    assert_eq!((device.boots, mcuboot::swap_type(&device.ports().flash)), (1, SwapType::None));
    assert_eq!(device.artifact_name(), "release-1b");
    device.restart();
    assert_eq!(device.boots, 2);
    assert_eq!(device.version(), "1.0.0");
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn an_artifact_that_is_installed_already_is_not_offered_and_installed_again_when_forced() {
    let (server, mut device) = ready();
    installed(&server, &mut device, &artifact("release-2", good("2.0.0")));
    let again = server.deploy(DeploymentSpec::all("release-2")).unwrap();
    device.update(&server, &again);
    assert_eq!(mender_dialogues::status(&server, &again), "already-installed");
    assert_eq!(reports(&server, &again), [""; 0], "the server knew");
    let forced = server.deploy(DeploymentSpec::all("release-2").force()).unwrap();
    device.update(&server, &forced);
    assert_eq!(reports(&server, &forced), ["downloading", "success"], "the image runs already");
}

#[test]
fn meta_data_reaches_the_module() {
    let (server, mut device) = ready();
    let text = r#"{"a":[1,2,{"b":null}],"text":"+ \\ \" ü"}"#;
    let seen = std::rc::Rc::new(std::cell::RefCell::new(None));
    let kept = std::rc::Rc::clone(&seen);
    let folder = device.ports().modules.current(MODULE).parent().unwrap().join("meta-data.json");
    let made = module_artifact("release-2").meta_data(text.parse().unwrap());
    let deployment = deploy(&server, &made);
    device.client().check_now();
    device.run_until("the installation", |d| {
        if let Ok(text) = std::fs::read_to_string(&folder) {
            kept.borrow_mut().replace(text);
        }
        d.logged("ArtifactCommit") > 0
    });
    device.run_to_the_end(&server, &deployment);
    assert_eq!(seen.borrow().as_deref(), Some(text));
}
