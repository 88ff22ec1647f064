// SPDX-License-Identifier: Apache-2.0
//! The deployment log: the device's own warnings and errors, kept over the restart, sent after a failure.

use mender_dialogues::{Device, deploy_image, dialogue, final_statuses, good, http, image};
use mender_server::{Config, Fault, LogEntry, Server};
use mender_testkit::image::Behaviour;

fn log_of(server: &Server, deployment: &str) -> Vec<LogEntry> {
    server.only_device_of(deployment).unwrap().log
}

#[test]
fn the_log_comes_after_the_failure_was_accepted_and_only_then() {
    let server = http();
    let mut device = Device::new(&server);
    let good_one = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &good_one);
    assert!(!dialogue(&server).iter().any(|l| l.starts_with("log")), "{:?}", dialogue(&server));
    let bad = deploy_image(&server, "release-3", image("3.0.0", Behaviour::FailsSelfTest));
    server.fault(Fault::report().body_contains("failure").times(3).status(500));
    server.clear_requests();
    device.update(&server, &bad);
    let said = dialogue(&server);
    let last = said.iter().rposition(|l| l.starts_with("failure")).unwrap();
    assert_eq!(said.iter().filter(|l| l.starts_with("log")).count(), 1);
    assert_eq!((said[last].as_str(), said[last + 1].as_str()), ("failure 204", "log 204"));
}

#[test]
fn what_went_wrong_before_the_restart_is_in_the_log_that_comes_after_it() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    server.fault(Fault::download().times(2).cut_body(5000));
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.update(&server, &deployment);
    let log = log_of(&server, &deployment);
    let at = |text: &str| {
        log.iter().position(|e| e.message.contains(text)).unwrap_or_else(|| panic!("{text}: {log:?}"))
    };
    assert!(at("download broke at byte 5000") < at("self-test of the new firmware failed"));
    assert!(at("self-test of the new firmware failed") <= at("deployment of release-2 failed"));
    assert!(log.iter().all(|e| e.level == "WARNING" || e.level == "ERROR"), "{log:?}");
}

#[test]
fn times_in_the_log_are_by_the_server_s_clock_or_since_1970_without_one() {
    let year = |entry: &LogEntry| entry.timestamp[..4].parse::<u32>().unwrap();
    for dated in [true, false] {
        let server = http();
        let broken = Fault::download().times(1).cut_body(1000);
        server.fault(if dated { broken } else { broken.without_header("Date") });
        if !dated {
            server.fault(Fault::any().without_header("Date"));
        }
        let mut device = Device::new(&server);
        device.run_until_quiet();
        let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
        device.update(&server, &deployment);
        let log = log_of(&server, &deployment);
        for entry in &log {
            // Nobody has told the new image the time before its first reply.
            assert!(year(entry) == 1970 || (dated && year(entry) > 2020), "{entry:?}");
            // RFC 3339 with a zone: the server has taken it.
            assert!(entry.timestamp.ends_with('Z') && entry.timestamp.len() >= 20, "{entry:?}");
        }
        let broken = log.iter().find(|e| e.message.contains("download broke")).unwrap();
        assert_eq!(year(broken) > 2020, dated, "{broken:?}");
    }
}

#[test]
fn a_date_that_makes_no_sense_does_not_spoil_the_log() {
    for date in ["yesterday", "Sun, 06 Nov 9994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", ""] {
        let server = http();
        server.fault(Fault::any().header("Date", date).without_header("Date"));
        server.fault(Fault::any().one_more_header("Date", date));
        let mut device = Device::new(&server);
        device.run_until_quiet();
        let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
        device.update(&server, &deployment);
        assert!(!log_of(&server, &deployment).is_empty(), "{date:?}\n{}", device.story());
    }
}

#[test]
fn a_long_story_keeps_its_end() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.download_tries = 100);
    device.run_until_quiet();
    server.fault(Fault::download().times(60).cut_body(100));
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.update(&server, &deployment);
    let log = log_of(&server, &deployment);
    assert!((3..=40).contains(&log.len()), "{log:?}");
    assert!(log.last().unwrap().message.contains("deployment of release-2 failed"), "{log:?}");
    assert!(log.iter().any(|e| e.message.contains("download broke at byte 6000")), "{log:?}");
    assert!(!log.iter().any(|e| e.message.contains("download broke at byte 100:")), "{log:?}");
}

#[test]
fn names_with_quotes_and_control_characters_in_the_log_do_not_spoil_it() {
    let server = http();
    let mut device = Device::new(&server);
    let name = "release \"2\" \\ ü <&>";
    let deployment = deploy_image(&server, name, image("2.0.0", Behaviour::FailsSelfTest));
    device.run_to_the_end(&server, &deployment);
    let log = log_of(&server, &deployment);
    assert!(log.iter().any(|e| e.message.contains(name)), "{log:?}");
}

#[test]
fn neither_log_has_a_secret_in_it() {
    let config = Config { tenant_token: Some("TOPSECRET".to_owned()), ..Config::default() };
    let server = Server::start(config).unwrap();
    let mut device = Device::with(&server, |d| d.config.tenant_token = Some("TOPSECRET"));
    device.run_until_quiet();
    server.fault(Fault::download().times(1).status(403));
    server.fault(Fault::download().times(1).cut_body(10));
    server.expire_tokens();
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    let sent: Vec<String> = log_of(&server, &deployment).into_iter().map(|e| e.message).collect();
    for line in device.log.lines().iter().chain(&sent) {
        for secret in ["TOPSECRET", "X-Amz", "eyJ", "PRIVATE", "Bearer"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

#[test]
fn the_reason_of_a_failure_is_not_lost_among_tries_to_report_it() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    let fault = server.fault(Fault::report().body_contains("failure").status(503));
    device.client().check_now();
    device.run_until("the report", |_| server.fault_strikes(fault) > 0);
    device.run_for(6 * 3_600_000);
    device.restart();
    device.run_for(6 * 3_600_000);
    assert!(server.fault_strikes(fault) > 50);
    server.clear_faults();
    device.run_to_the_end(&server, &deployment);
    let log = log_of(&server, &deployment);
    assert!(log.iter().any(|e| e.message.contains("self-test of the new firmware failed")), "{log:?}");
    assert!(log.last().unwrap().message.contains("deployment of release-2 failed"), "{log:?}");
}
