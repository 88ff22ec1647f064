// SPDX-License-Identifier: Apache-2.0
//! What the server gets to see: forms of the check, headers, who the device says it is.

use mender_client::Tier;
use mender_dialogues::{
    DEVICE_TYPE, Device, artifact, deploy, deploy_image, dialogue, final_statuses, good, http, https,
    module_artifact, the_next_update_succeeds,
};
use mender_server::{AuthStatus, Config, Fault, Listen, Origin, Server};
use mender_testkit::artifact::Artifact;

const DAY_MS: u64 = 24 * 3_600_000;

fn without_v2() -> Server {
    Server::start(Config { deployments_v2: false, ..Config::default() }).unwrap()
}

fn checks(server: &Server) -> Vec<(String, String)> {
    let checks = server.requests().into_iter().filter(|r| r.path().ends_with("/next"));
    checks.map(|r| (format!("{} {}", r.method, r.target), r.body.unwrap_or_default())).collect()
}

#[test]
fn the_check_tells_every_provide_in_the_form_of_version_2() {
    let server = http();
    let mut device = Device::new(&server);
    let first = artifact("release-2", good("2.0.0")).provides("data.x.version", "\"1\"\\ü").group("beta");
    let deployment = deploy(&server, &first);
    device.run_to_the_end(&server, &deployment);
    server.clear_requests();
    device.client().check_now();
    device.run_until_logged("no update");
    let (line, body) = checks(&server).remove(0);
    assert_eq!(line, "POST /api/devices/v2/deployments/device/deployments/next");
    for pair in [
        r#""device_type":"sim""#,
        r#""artifact_name":"release-2""#,
        r#""artifact_group":"beta""#,
        r#""rootfs-image.zephyr-image.version":"release-2""#,
        r#""data.x.version":"\"1\"\\ü""#,
    ] {
        assert!(body.contains(pair), "{pair} in {body}");
    }
}

#[test]
fn a_server_without_version_2_is_asked_in_version_1_and_that_is_remembered_until_the_next_boot() {
    let server = without_v2();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    device.run_until_logged("no update");
    device.run_until_logged("no update");
    let v2 = "POST /api/devices/v2/deployments/device/deployments/next";
    let v1 = format!(
        "GET /api/devices/v1/deployments/device/deployments/next?artifact_name=release-1&device_type={DEVICE_TYPE}"
    );
    let asked: Vec<_> = checks(&server).into_iter().map(|(line, _)| line).collect();
    assert_eq!(asked, [v2, &v1, &v1, &v1]);
    device.restart();
    device.run_until_logged("no update");
    let asked: Vec<_> = checks(&server).into_iter().map(|(line, _)| line).collect();
    assert_eq!(asked[4..], [v2, &v1]);
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn a_gateway_that_knows_neither_version_for_a_while_does_not_pin_the_device_to_version_1() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let fault = server.fault(Fault::check().times(2).status(404).body("<html>not here</html>"));
    device.client().check_now();
    device.run_until_quiet();
    assert_eq!(server.fault_strikes(fault), 2, "both versions");
    server.clear_requests();
    device.run_until_logged("no update");
    let asked: Vec<_> = checks(&server).into_iter().map(|(line, _)| line).collect();
    assert_eq!(asked, ["POST /api/devices/v2/deployments/device/deployments/next"]);
}

#[test]
fn names_are_percent_encoded_in_version_1() {
    let server = without_v2();
    let name = "release 1/ä&b=c?#%+\"'";
    let mut device = Device::with(&server, |d| d.config.artifact_name = name);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    let seen = server.only_device_of(&deployment).unwrap().provides.unwrap();
    assert_eq!(seen["artifact_name"], name);
    let line = &checks(&server)[1].0;
    assert!(line.contains("artifact_name=release%201%2F%C3%A4%26b%3Dc%3F%23%25%2B%22%27&"), "{line}");
}

#[test]
fn a_name_of_many_bytes_and_quotes_goes_through_both_forms() {
    for v2 in [true, false] {
        let server = Server::start(Config { deployments_v2: v2, ..Config::default() }).unwrap();
        let name: &'static str =
            Box::leak(format!("{}\"\\\u{fc}/{}", "n".repeat(60), "m".repeat(60)).into_boxed_str());
        let mut device = Device::with(&server, |d| d.config.artifact_name = name);
        device.run_until_quiet();
        let deployment = deploy(&server, &Artifact::new("release 2 ü \"x\"", DEVICE_TYPE).bootstrap());
        device.update(&server, &deployment);
        let seen = server.only_device_of(&deployment).unwrap();
        assert_eq!(seen.provides.unwrap()["artifact_name"], name);
        assert_eq!(seen.status, "success");
        assert_eq!(server.devices()[0].inventory["artifact_name"], "release 2 ü \"x\"");
    }
}

#[test]
fn requests_are_what_the_real_server_takes() {
    let server = https();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    let host = server.api_url().trim_start_matches("https://").to_owned();
    for request in server.requests().iter().filter(|r| r.origin == Origin::Api) {
        let line = format!("{} {}", request.method, request.target);
        assert_eq!(request.header("Host"), Some(host.as_str()), "{line}: with its port");
        assert!(request.header("User-Agent").is_some_and(|v| v.starts_with("Mender/")), "{line}");
        for unwanted in ["Accept-Encoding", "Transfer-Encoding", "Expect", "Cookie"] {
            assert_eq!(request.header(unwanted), None, "{line}");
        }
        if request.body_bytes > 0 {
            assert_eq!(request.header("Content-Type"), Some("application/json"), "{line}");
        }
        let authenticating = request.path().ends_with("auth_requests");
        let bearer = (!authenticating).then_some("Bearer <hidden>");
        assert_eq!(request.header("Authorization"), bearer, "{line}");
        assert_eq!(request.header("X-MEN-Signature").is_some(), authenticating, "{line}");
        assert!((200..300).contains(&request.status), "{line}: {}", request.status);
    }
}

#[test]
fn a_tenant_token_is_sent_where_there_is_one() {
    let config = || Config { tenant_token: Some("TENANT".to_owned()), ..Config::default() };
    let server = Server::start(config()).unwrap();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    assert_eq!(dialogue(&server), ["auth 401"]);
    let server = Server::start(config()).unwrap();
    let mut device = Device::with(&server, |d| d.config.tenant_token = Some("TENANT"));
    device.run_until_quiet();
    assert_eq!(dialogue(&server), ["auth 200", "check 204", "inventory 200"]);
    assert_eq!(device.logged("TENANT"), 0);
}

#[test]
fn the_tier_is_part_of_who_the_device_is() {
    for (tier, expected) in [
        (None, "standard"),
        (Some(Tier::Standard), "standard"),
        (Some(Tier::Micro), "micro"),
        (Some(Tier::System), "system"),
    ] {
        let server = http();
        let mut device = Device::with(&server, |d| d.config.tier = tier);
        device.run_until_quiet();
        let devices = server.devices();
        assert_eq!((devices.len(), devices[0].auth_sets.len()), (1, 1));
        assert_eq!(devices[0].auth_sets[0].tier, expected);
        assert_eq!(devices[0].identity, r#"{"mac":"02:00:00:00:00:01"}"#);
    }
}

#[test]
fn a_device_that_is_preauthorized_gets_in_at_its_first_request() {
    let server = Server::start(Config { accept_all: false, ..Config::default() }).unwrap();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let pem = server.devices()[0].auth_sets[0].pubkey.clone();
    let identity = server.devices()[0].identity.clone();
    server.decommission(&server.devices()[0].id).unwrap();
    server.preauthorize(&identity, &pem, "standard").unwrap();
    device.run_until_logged("authenticated");
    assert_eq!(server.devices()[0].status, AuthStatus::Accepted);
}

#[test]
fn a_device_that_is_rejected_or_decommissioned_loses_its_token_and_comes_back_when_it_may() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let id = server.devices()[0].id.clone();
    server.reject(&id).unwrap();
    server.clear_requests();
    device.client().check_now();
    device.run_until_quiet();
    assert_eq!(dialogue(&server), ["check 401", "auth 401"]);
    server.accept(&id).unwrap();
    device.run_until_logged("no update");
    server.decommission(&id).unwrap();
    device.run_until_logged("no update");
    assert_eq!(server.devices().len(), 1);
}

#[test]
fn before_the_commit_the_new_software_authenticates_afresh() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let deployment = deploy(&server, &module_artifact("release-2"));
    device.client().check_now();
    device.run_until_logged("reported rebooting");
    server.clear_requests();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(dialogue(&server)[..3], ["auth 200", "installing 204", "success 204"]);
}

#[test]
fn each_try_of_the_new_software_to_reach_the_server_begins_with_authentication() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    server.fault(Fault::report().body_contains("installing").skip(1).times(2).status(500));
    device.client().check_now();
    device.run_until_logged("reported rebooting");
    server.clear_requests();
    device.run_to_the_end(&server, &deployment);
    let tries = ["auth 200", "installing 500", "auth 200", "installing 500", "auth 200", "installing 204"];
    assert_eq!(dialogue(&server)[..6], tries);
}

#[test]
fn a_device_that_is_rejected_while_its_new_software_is_on_trial_goes_back() {
    let server = http();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_until_logged("reported rebooting");
    let id = server.devices()[0].id.clone();
    server.reject(&id).unwrap();
    device.run_until("the old image", |d| d.boots >= 3);
    assert_eq!(device.version(), "1.0.0");
    device.run_for(3_600_000);
    server.accept(&id).unwrap();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|e| e.message.contains("cannot reach the server")), "{log:?}");
}

#[test]
fn a_server_on_an_ipv6_address_is_reached_and_named_with_brackets() {
    let any = "[::1]:0".parse().unwrap();
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: no IPv6 here");
        return;
    }
    let listen = Listen { addr: any, tls: true };
    let config = Config { api: vec![listen], storage: vec![listen], ..Config::default() };
    let server = Server::start(config).unwrap();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    assert!(server.requests().iter().all(|r| r.header("Host").is_some_and(|h| h.starts_with("[::1]:"))));
}

#[test]
fn a_host_name_is_resolved_and_verified() {
    let config = Config { host: Some("localhost".to_owned()), ..Config::https() };
    let server = Server::start(config).unwrap();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    assert!(device.take_opened().iter().all(|o| o.host == "localhost" && o.tls));
}

#[test]
fn an_identity_that_is_empty_or_too_long_is_told_and_never_sent() {
    let long = vec![("serial".to_owned(), "9".repeat(300))];
    let many = (0..40).map(|n| (format!("key{n}"), "value".to_owned())).collect();
    for identity in [Vec::new(), long, many] {
        let server = http();
        let mut device = Device::with(&server, |d| {
            let identity = identity.clone();
            d.at_boot = Box::new(move |ports| ports.identity = identity.clone());
        });
        device.run_for(600_000);
        assert_eq!(dialogue(&server), [""; 0]);
        let told = device.logged("check for update failed: bad identity");
        assert!((2..=10).contains(&told), "{told}");
    }
}

#[test]
fn an_identity_of_several_pairs_is_the_same_at_each_boot() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.at_boot = Box::new(|ports| {
            ports.identity =
                ["sku", "mac", "serial \"x\" ü"].map(|k| (k.to_owned(), format!("{k}<&>"))).to_vec();
        });
    });
    device.run_until_quiet();
    device.restart();
    device.run_until_quiet();
    let devices = server.devices();
    assert_eq!((devices.len(), devices[0].auth_sets.len(), devices[0].auth_sets[0].tokens), (1, 1, 2));
    assert!(devices[0].identity.contains(r#""serial \"x\" ü""#), "{}", devices[0].identity);
}

#[test]
fn a_device_that_nobody_accepts_asks_every_half_an_hour_in_the_end() {
    let server = Server::start(Config { accept_all: false, ..Config::default() }).unwrap();
    let mut device = Device::with(&server, |d| d.config.timing.poll_ms = 86_400_000);
    device.run_for(DAY_MS);
    let asked = dialogue(&server).len();
    // With 300 s, as for a server that is away, they were some 260.
    assert!((45..65).contains(&asked), "{asked}");
}

#[test]
fn tries_are_as_far_apart_where_finding_nobody_takes_long() {
    for connect_ms in [1_000, 60_000] {
        let server = http();
        let mut device = Device::new(&server);
        device.run_until_quiet();
        device.ports().transport.unreachable_ms = Some(connect_ms);
        device.take_opened();
        device.client().check_now();
        device.run_until("two failed checks", |d| d.logged("check for update failed") == 2);
        let failed = device.times_of("check for update failed");
        let tries = device.take_opened().len();
        assert_eq!(tries, 6, "three quick ones each");
        let pause_ms = failed[1] - failed[0] - 3 * connect_ms;
        assert!((60_000..73_000).contains(&pause_ms), "{connect_ms}: {pause_ms}");
    }
}
