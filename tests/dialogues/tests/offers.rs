// SPDX-License-Identifier: Apache-2.0
//! Deployment instructions that are broken, hostile or repeated: §10.19 to 32.

use mender_client::Phase;
use mender_dialogues::{
    DEVICE_TYPE, Device, QUICK_TRIES, Store, a_spoilt_check_is_made_again_later, artifact, deploy_image,
    dialogue, final_statuses, good, http, reports, the_next_update_succeeds,
};
use mender_server::{Fault, Origin, Server};

/// Instructions as the server gives them.
fn instructions(id: &str, name: &str, uri: &str) -> String {
    format!(
        r#"{{"id":"{id}","artifact":{{"id":"a1","artifact_name":"{name}","source":{{"uri":"{uri}","expire":"2030-01-01T00:00:00Z"}},"device_types_compatible":["{DEVICE_TYPE}"]}}}}"#
    )
}

/// A server with a deployment of release-2, and a device that has not asked for it.
fn offered() -> (Server, Device, String) {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    (server, device, deployment)
}

/// The server hands out `text`, in which `{id}` is the deployment's: it is reported as a failure with `reason` in its log, without a
/// download, and leaves nothing behind.
fn instructions_that_fail(text: &str, reason: &str) {
    let (server, mut device, deployment) = offered();
    server.fault(Fault::check().times(1).body(text.replace("{id}", &deployment)));
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["failure"], "{text}\n{}", device.story());
    assert!(server.requests().iter().all(|r| r.origin == Origin::Api), "no download of {text}");
    assert!(!device.slot_touched());
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains(reason)), "{text}: {log:?}");
    // Nothing was installed, so there is nothing to say of the old software. Where the name is not known the id stands for it.
    let names = ["release-2", &deployment].map(|name| format!("deployment of {name} failed: "));
    let [.., last] = &log[..] else { panic!("{log:?}") };
    assert!(names.iter().any(|name| last.message.starts_with(name)), "{log:?}");
    assert!(log.iter().all(|entry| !entry.message.contains("old software")), "{log:?}");
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c19_instructions_that_are_not_json_are_dropped_and_asked_for_again() {
    for text in ["<html>busy</html>", "id=1", "{\"id\":}", "{} {}", "{\"a\":1}x", "\u{feff}{}"] {
        a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.body(text));
    }
}

#[test]
fn c19a_instructions_that_end_early_are_dropped_and_asked_for_later() {
    for length in [1, 2, 10, 40, 60, 100, 200] {
        a_spoilt_check_is_made_again_later(1, |f| f.truncate(length));
    }
}

#[test]
fn c20_brackets_without_end_are_dropped() {
    for text in ["[".repeat(60_000), "{\"a\":".repeat(9), "[".repeat(9) + &"]".repeat(9)] {
        a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.body(text));
    }
}

#[test]
fn c21_two_ids_are_believed_neither() {
    let one = "0f6a2c4e-0000-4000-8000-000000000001";
    let two = "0f6a2c4e-0000-4000-8000-000000000002";
    let text = instructions(one, "release-2", "https://h/x").replacen('{', &format!(r#"{{"id":"{two}","#), 1);
    a_spoilt_check_is_made_again_later(1, |f| f.body(text));
}

#[test]
fn c21a_a_member_that_comes_twice_fails_the_deployment() {
    let text = instructions("{id}", "release-2", "http://h/x");
    let name = r#""artifact_name":"release-2","#;
    instructions_that_fail(&text.replace(name, &name.repeat(2)), "ambiguous");
    instructions_that_fail(&text.replace(r#""uri""#, r#""uri":"http://h/y","uri""#), "ambiguous");
}

#[test]
fn c22_an_id_of_a_wrong_type_is_dropped_and_never_sent() {
    for id in ["5", "null", "[]", "{}", "true"] {
        let text = instructions("X", "release-2", "http://h/x").replace(r#""X""#, id);
        a_spoilt_check_is_made_again_later(1, |f| f.body(text));
    }
}

#[test]
fn c22a_other_members_of_wrong_types_fail_the_deployment() {
    for text in [
        r#"{"id":"{id}","artifact":null}"#,
        r#"{"id":"{id}","artifact":"x"}"#,
        r#"{"id":"{id}","artifact":{"artifact_name":5,"source":{"uri":"http://h/"},"device_types_compatible":["sim"]}}"#,
        r#"{"id":"{id}","artifact":{"artifact_name":"release-2","source":{"uri":{}},"device_types_compatible":["sim"]}}"#,
        r#"{"id":"{id}","artifact":{"artifact_name":"release-2","source":{"uri":"http://h/"},"device_types_compatible":"sim"}}"#,
        r#"{"id":"{id}","artifact":{"artifact_name":"release-2","source":[],"device_types_compatible":["sim"]}}"#,
    ] {
        instructions_that_fail(text, "wrong type");
    }
}

#[test]
fn c23_instructions_without_an_id_are_dropped() {
    a_spoilt_check_is_made_again_later(1, |f| f.body("{}"));
    let text = instructions("X", "release-2", "http://h/x").replace(r#""id":"X","#, "");
    a_spoilt_check_is_made_again_later(1, |f| f.body(text));
}

#[test]
fn c23a_other_members_that_are_missing_fail_the_deployment() {
    let whole = instructions("{id}", "release-2", "http://h/x");
    for part in
        [r#""artifact_name":"release-2","#, r#""uri":"http://h/x","#, r#","device_types_compatible":["sim"]"#]
    {
        assert!(whole.contains(part), "{part}");
        instructions_that_fail(&whole.replace(part, ""), "incomplete");
    }
}

#[test]
fn c24_an_id_that_is_no_uuid_gets_into_no_url() {
    for id in ["../../../x", "a b", "", "0F6A2C4E-0000-4000-8000-000000000001", &"0".repeat(10_000)] {
        a_spoilt_check_is_made_again_later(1, |f| f.body(instructions(id, "release-2", "http://h/x")));
    }
}

#[test]
fn c25_a_url_that_must_not_be_followed_fails_the_deployment() {
    for uri in [
        "file:///etc/passwd",
        "ftp://h/x",
        "//h/x",
        "http://user:secret@h/x",
        "http://h/x#y",
        "http:///x",
        "http://h:0/x",
        "http://h:99999/x",
        "http://h/a b",
        "http://h/x\\r\\nX-Injected: 1",
        "http://h/\\u0000",
    ] {
        instructions_that_fail(&instructions("{id}", "release-2", uri), "unusable URL");
    }
}

#[test]
fn c25a_a_url_longer_than_the_buffer_fails_the_deployment() {
    let uri = format!("http://h/{}", "x".repeat(1100));
    instructions_that_fail(&instructions("{id}", "release-2", &uri), "too long");
}

#[test]
fn c25b_a_url_in_clear_text_fails_the_deployment_where_that_is_not_allowed() {
    let server = mender_dialogues::https();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let store = Store::of(Vec::new());
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    let text = instructions(&deployment, "release-2", &format!("{}/x", store.url()));
    server.fault(Fault::check().times(1).body(text));
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["failure"]);
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains("clear text")), "{log:?}");
    assert!(store.heads().is_empty());
    assert!(device.take_opened().iter().all(|o| o.tls));
}

#[test]
fn c26_escapes_in_the_url_are_undone_and_the_rest_is_sent_as_it_came() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let store = Store::of(artifact("release-2", good("2.0.0")).build());
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    let path = r"\/a%2Fb;c=~\u0026$!'()*,@:?x=%26\u0026y=a+b%20c\u003d==&z=[1]&%zz";
    let text = instructions(&deployment, "release-2", &format!("{}{path}", store.url()));
    server.fault(Fault::check().body(text));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    let heads = store.heads();
    assert!(
        heads[0].starts_with("GET /a%2Fb;c=~&$!'()*,@:?x=%26&y=a+b%20c===&z=[1]&%zz HTTP/1.1\r\n"),
        "{heads:?}"
    );
    let lower = heads[0].to_ascii_lowercase();
    assert!(lower.contains(&format!("host: {}\r\n", &store.url()[7..])), "{heads:?}");
    assert!(!lower.contains("authorization") && !lower.contains("cookie"), "{heads:?}");
    assert!(!lower.contains("accept-encoding"), "{heads:?}");
}

#[test]
fn c26a_broken_escapes_and_text_are_dropped() {
    for name in [r"\ud800", r"\udc00\ud800", r"\x", "a\u{7}b", r"\u12"] {
        let text = instructions("0f6a2c4e-0000-4000-8000-000000000001", name, "http://h/x");
        a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.body(text));
    }
    let mut text = instructions("0f6a2c4e-0000-4000-8000-000000000001", "N", "http://h/x").into_bytes();
    let at = text.iter().position(|b| *b == b'N').unwrap();
    text[at] = 0xff;
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.body(text));
}

#[test]
fn c27_an_artifact_name_that_is_too_long_or_has_a_nul_fails_the_deployment() {
    instructions_that_fail(&instructions("{id}", &"n".repeat(5000), "http://h/x"), "too long");
    instructions_that_fail(
        &instructions("{id}", r"release-2\u0000", "http://h/x"),
        "malformed artifact name",
    );
    instructions_that_fail(&instructions("{id}", "", "http://h/x"), "malformed artifact name");
}

#[test]
fn c28_a_deployment_for_other_device_types_fails() {
    let text = instructions("{id}", "release-2", "http://h/x");
    for types in ["", r#""SIM""#, r#""sim ""#, r#""other","si""#] {
        instructions_that_fail(&text.replace(r#""sim""#, types), "other device types");
    }
}

#[test]
fn c29_a_204_with_a_body_is_no_update_and_nothing_of_it_is_read_as_a_reply() {
    let (server, mut device, deployment) = offered();
    let offer = instructions(&deployment, "release-2", "http://h/x");
    server.fault(
        Fault::check().times(1).status(204).body(offer.clone()).content_length(&offer.len().to_string()),
    );
    server.clear_requests();
    device.client().check_now();
    device.run_until_logged("no update");
    assert_eq!(device.snapshot().phase, Phase::Idle);
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c29a_null_is_no_offer() {
    for text in ["null", "true", "5", "\"x\"", "[]"] {
        a_spoilt_check_is_made_again_later(1, |f| f.body(text));
    }
}

#[test]
fn c30_a_deployment_that_is_offered_again_and_again_is_not_downloaded_again_and_again() {
    let (server, mut device, deployment) = offered();
    let uri = format!("{}/gone", server.storage_url());
    let text = instructions(&deployment, "release-2", &uri);
    server.fault(Fault::check().status(200).act().body(text));
    device.client().check_now();
    device.run_for(6 * 3_600_000);
    // Three attempts, each with a second link for a first one that had expired.
    let attempts = device.times_of("downloading from byte 0");
    assert_eq!(attempts.len(), 6, "{}", device.story());
    for attempt in attempts.chunks(2).collect::<Vec<_>>().windows(2) {
        assert!(attempt[1][0] - attempt[0][0] >= 600_000, "not before the next poll: {attempts:?}");
    }
    assert!(device.logged("the same deployment failed repeatedly") > 3, "{}", device.story());
    let checks = dialogue(&server).iter().filter(|line| line.starts_with("check")).count();
    assert!((20..60).contains(&checks), "{checks}: at the pace of polls");
    assert!(!device.slot_touched());
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c31_an_update_control_map_is_ignored_whatever_it_says() {
    for map in [
        r#"{"id":"0f6a2c4e-0000-4000-8000-000000000009","priority":1,"states":{"ArtifactInstall_Enter":{"action":"pause"}}}"#,
        r#"{"id":5,"priority":"x","states":[{"a":[]}]}"#,
        "null",
        "17",
    ] {
        let server = http();
        let mut device = Device::new(&server);
        device.run_until_quiet();
        let store = Store::of(artifact("release-2", good("2.0.0")).build());
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        let text = instructions(&deployment, "release-2", &format!("{}/x", store.url()));
        let text = text.replacen('{', &format!(r#"{{"update_control_map":{map},"#), 1);
        server.fault(Fault::check().times(1).body(text));
        device.update(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{map}\n{}", device.story());
    }
}

#[test]
fn c32_a_conflict_at_the_check_leaves_nothing_and_is_not_repeated_at_once() {
    let (server, mut device, _) = offered();
    let fault = server.fault(Fault::check().status(409).body(r#"{"error":"conflict"}"#));
    let written = device.record_writes();
    device.client().check_now();
    let wait_ms = device.run_until_quiet();
    assert_eq!(server.fault_strikes(fault), 1);
    assert!(wait_ms >= 590_000, "{wait_ms}: not before the next poll");
    assert_eq!(device.record_writes(), written);
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c32a_a_conflict_after_a_restart_in_mid_download_ends_the_deployment_here() {
    let (server, mut device, deployment) = offered();
    device.client().check_now();
    device.run_until("some bytes", |d| d.slot_touched());
    assert_eq!(device.snapshot().phase, Phase::Download);
    server.fault(Fault::check().times(1).status(409).body(r#"{"error":"conflict"}"#));
    device.restart();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"], "{}", device.story());
    assert_eq!(device.version(), "1.0.0");
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn the_log_of_a_deployment_has_nothing_of_the_one_before() {
    let (server, mut device, first) = offered();
    server.fault(Fault::check().times(1).body(instructions(&first, "", "http://h/x")));
    device.update(&server, &first);
    let second = deploy_image(&server, "release-3", good("3.0.0"));
    server.fault(Fault::check().times(1).body(instructions(&second, "release-3", "ftp://h/x")));
    device.update(&server, &second);
    let messages =
        |id| server.only_device_of(id).unwrap().log.into_iter().map(|e| e.message).collect::<Vec<_>>();
    assert!(messages(&first).iter().any(|m| m.contains("malformed artifact name")), "{:?}", messages(&first));
    assert!(messages(&second).iter().any(|m| m.contains("unusable URL")), "{:?}", messages(&second));
    assert!(!messages(&second).iter().any(|m| m.contains("malformed")), "{:?}", messages(&second));
}
