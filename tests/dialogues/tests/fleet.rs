// SPDX-License-Identifier: Apache-2.0
//! Years in the field: proxies that answer for the server, servers that wish for nonsense, images that came by another way, records that are gone.

use mender_client::Phase;
use mender_dialogues::{
    Device, Store, artifact, deploy, deploy_bytes, deploy_image, dialogue, final_statuses, good, http, image,
    reports, status, the_next_update_succeeds,
};
use mender_port::{Clock as _, Errno, Stage, Verdict};
use mender_server::{DeploymentSpec, Fault, Server};
use mender_sim::{Area, Flash, bootloader};
use mender_testkit::image::Behaviour;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn ready() -> (Server, Device) {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.idle_timeout_ms = 250);
    device.run_until_quiet();
    (server, device)
}

/// With the intervals that devices have.
fn with_intervals() -> (Server, Device) {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.config.timing = mender_client::Timing { first_check_ms: 0, ..Default::default() };
    });
    device.run_until_quiet();
    (server, device)
}

/// A proxy's, while the server behind it is away.
fn not_found(fault: Fault) -> Fault {
    fault.status(404).header("content-type", "text/plain").body("404 page not found\n")
}

/// The deployment's log on the server has this.
fn log_says(server: &Server, deployment: &str, text: &str) {
    let log = server.only_device_of(deployment).expect("one device").log;
    assert!(log.iter().any(|entry| entry.message.contains(text)), "{text}: {log:?}");
}

/// What is dropped is offered again, so that it succeeds in the end.
fn is_downloaded_once(device: &Device) {
    assert_eq!(device.logged("downloading from byte 0"), 1, "{}", device.story());
}

fn count(server: &Server, what: &str) -> usize {
    dialogue(server).iter().filter(|line| line.starts_with(what)).count()
}

fn wiped(mut flash: Flash, areas: &[Area]) -> Flash {
    for area in areas {
        let len = flash.view(*area).len();
        flash.provision(*area, &vec![0xff; len]).unwrap();
    }
    flash
}

// ---- answers that are not the server's

#[test]
fn a_404_of_a_proxy_is_no_word_about_the_deployment() {
    for (report, skip) in [("downloading", 0), ("installing", 0), ("installing", 1), ("\"success\"", 0)] {
        let (server, mut device) = ready();
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        let fault = server.fault(not_found(Fault::report().body_contains(report).skip(skip).times(1)));
        device.client().check_now();
        device.run_to_the_end(&server, &deployment);
        assert_eq!(server.fault_strikes(fault), 1);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{report}\n{}", device.story());
        assert_eq!((device.version().as_str(), device.boots), ("2.0.0", 2));
        is_downloaded_once(&device);
    }
}

#[test]
fn a_404_of_a_proxy_in_mid_download_is_no_abort() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.abort_probe_ms = 1);
    device.run_until_quiet();
    server.fault(Fault::download().drip(1024, 8));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    let fault = server.fault(not_found(Fault::report().body_contains("downloading").skip(1).times(2)));
    device.client().check_now();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(server.fault_strikes(fault), 2);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    is_downloaded_once(&device);
}

#[test]
fn a_version_2_that_a_proxy_hides_for_a_while_is_found_again() {
    let (server, mut device) = ready();
    server.fault(not_found(Fault::check().times(1)));
    device.client().check_now();
    device.run_until_logged("no update");
    server.expire_tokens();
    server.clear_requests();
    device.client().check_now();
    device.run_until_logged("no update");
    let paths: Vec<String> = server.requests().iter().map(|r| r.path().to_owned()).collect();
    assert!(paths.iter().any(|path| path.contains("/v2/")), "{paths:?}");
}

// ---- new software that talks to another server

#[test]
fn a_release_that_moves_to_a_server_without_its_deployment_is_not_tried_for_ever() {
    let (old, mut device) = ready();
    let new = http();
    let old_url = device.config.server_url;
    let deployment = deploy_image(&old, "release-2", good("2.0.0"));
    // The new software hears that there is no such deployment, and the old one that there is.
    for _ in 0..3 {
        device.run_until_logged("checkpoint: phase 3,");
        device.config.server_url = Box::leak(new.api_url().into_boxed_str());
        let boots = device.boots;
        device.run_until("the trial", |d| d.boots > boots);
        device.config.server_url = old_url;
        device.run_until("the way back", |d| d.boots > boots + 1);
    }
    device.run_to_the_end(&old, &deployment);
    assert_eq!(final_statuses(&old, &deployment), ["failure"]);
    log_says(&old, &deployment, "failed repeatedly");
    let erased = device.ports().flash.counts(Area::Slot1).erases;
    device.run_for(DAY_MS);
    assert_eq!(device.ports().flash.counts(Area::Slot1).erases, erased, "it is not offered again");
    assert_eq!(device.version(), "1.0.0");
    the_next_update_succeeds(&old, &mut device);
}

// ---- servers that are busy

#[test]
fn a_server_that_wishes_to_be_asked_at_once_again_and_again_is_spared_all_the_same() {
    for wish in ["0", "1", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let (server, mut device) = ready();
        server.fault(Fault::check().status(503).header("retry-after", wish));
        server.clear_requests();
        device.client().check_now();
        device.run_for(600_000);
        let checks = count(&server, "check");
        assert!((4..=9).contains(&checks), "{wish}: {checks} checks in ten minutes");
    }
}

#[test]
fn one_busy_answer_on_trial_costs_no_update() {
    for fault in [
        Fault::report().body_contains("installing").skip(1).times(1).status(429),
        Fault::auth().times(1).status(503),
    ] {
        let (server, mut device) = with_intervals();
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        let fault = server.fault(fault.header("Retry-After", "3600"));
        device.client().check_now();
        device.run_until_logged("restarting");
        server.expire_tokens();
        device.run_to_the_end(&server, &deployment);
        assert_eq!(server.fault_strikes(fault), 1);
        assert_eq!(final_statuses(&server, &deployment), ["success"]);
    }
}

#[test]
fn a_server_that_was_away_or_an_application_that_was_busy_bars_no_image() {
    for busy in [false, true] {
        let (server, mut device) = with_intervals();
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        if busy {
            device.at_boot = Box::new(|ports| {
                ports.app.verdicts[Stage::Commit as usize] =
                    std::iter::repeat_n(Verdict::Defer, 100_000).collect();
            });
            device.update(&server, &deployment);
            device.at_boot = Box::new(|_| {});
            device.restart();
        } else {
            device.client().check_now();
            device.run_until_logged("restarting");
            server.fault(Fault::any().status(503));
            device.run_for(HOUR_MS);
            server.clear_faults();
            device.run_to_the_end(&server, &deployment);
        }
        assert_eq!(
            (final_statuses(&server, &deployment), device.version()),
            (vec!["failure".into()], "1.0.0".into())
        );
        let again = server.deploy(DeploymentSpec::all("release-2")).unwrap();
        device.update(&server, &again);
        assert_eq!(final_statuses(&server, &again), ["success"], "{}", device.story());
    }
}

#[test]
fn a_device_that_is_not_accepted_does_not_hurry_with_its_report() {
    let (server, mut device) = with_intervals();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    server.fault(Fault::report().body_contains("\"success\"").status(503));
    device.client().check_now();
    device.run_until("a report waits", |d| d.snapshot().phase == Phase::SuccessPending);
    let id = server.devices()[0].id.clone();
    server.reject(&id).unwrap();
    server.clear_faults();
    device.run_for(3 * HOUR_MS);
    server.clear_requests();
    device.run_for(DAY_MS);
    let asked = count(&server, "auth");
    assert!((40..=48).contains(&asked), "{asked} times a day");
    server.accept(&id).unwrap();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn what_a_server_refuses_for_good_is_not_told_every_few_minutes() {
    for (fault, what) in [
        (Fault::report().body_contains("\"success\""), "PUT"),
        (Fault::auth(), "auth"),
        (Fault::check(), "check"),
    ] {
        let (server, mut device) = with_intervals();
        if what == "auth" {
            server.expire_tokens();
        }
        let fault = server.fault(fault.status(400));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.client().check_now();
        device.run_for(3 * HOUR_MS);
        let before = server.fault_strikes(fault);
        device.run_for(DAY_MS);
        let told = server.fault_strikes(fault) - before;
        assert!((40..=48).contains(&told), "{what}: {told} times a day");
        server.clear_faults();
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{what}");
        assert_eq!(device.boots, 2);
    }
}

#[test]
fn a_device_without_a_network_sleeps_ever_longer_and_is_back_soon() {
    let (_server, mut device) = ready();
    device.ports().faults.open = Some(Errno::EAGAIN);
    device.client().check_now();
    let (mut polls, end) = (0, device.clock.now_ms() + DAY_MS);
    while device.clock.now_ms() < end {
        device.poll();
        polls += 1;
    }
    assert!((1400..=1600).contains(&polls), "{polls} polls in a day");
    device.ports().faults.open = None;
    let back_ms = device.clock.now_ms();
    device.run_until_logged("no update");
    assert!(device.clock.now_ms() - back_ms <= 61_000);
}

// ---- images that came by another way

#[test]
fn an_image_that_a_cable_brought_has_the_name_that_it_was_built_with() {
    let (server, mut device) = ready();
    device.config.artifact_name = "release-1.1";
    device.restart_with(|mut flash| {
        flash.provision(Area::Slot0, &good("1.1.0")).unwrap();
        flash
    });
    device.run_for(DAY_MS);
    assert_eq!((device.version().as_str(), device.artifact_name().as_str()), ("1.1.0", "release-1.1"));
    assert_eq!(server.devices()[0].inventory["artifact_name"], "release-1.1");
}

#[test]
fn a_device_that_a_cable_took_back_takes_the_update_again() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &deployment);
    assert!(server.devices()[0].inventory.contains_key("rootfs-image.zephyr-image.version"));
    device.restart_with(|mut flash| {
        flash.provision(Area::Slot0, &good("1.0.0")).unwrap();
        flash
    });
    device.run_for(HOUR_MS);
    assert_eq!(device.artifact_name(), "release-1");
    assert!(!server.devices()[0].inventory.contains_key("rootfs-image.zephyr-image.version"));
    let again = server.deploy(DeploymentSpec::all("release-2")).unwrap();
    device.update(&server, &again);
    assert_eq!((status(&server, &again).as_str(), device.version().as_str()), ("success", "2.0.0"));
}

#[test]
fn a_restart_on_the_way_back_that_comes_late_ends_with_the_right_name() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.client().check_now();
    device.run_until("the trial", |d| d.boots >= 2);
    device.stuck = true;
    device.run_for(HOUR_MS);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    assert_eq!(device.artifact_name(), "release-2_INCONSISTENT");
    device.stuck = false;
    device.restart();
    device.run_for(HOUR_MS);
    assert_eq!((device.version().as_str(), device.artifact_name().as_str()), ("1.0.0", "release-1"));
}

#[test]
fn new_software_that_does_not_find_the_records_goes_back() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until("the trial", |d| d.boots >= 2);
    // Its partition map has them elsewhere.
    let records = [Area::RecordA, Area::RecordB];
    let kept = records.map(|area| device.ports().flash.view(area).to_vec());
    device.restart_client_with(|flash| wiped(flash, &records));
    let boots = device.boots;
    device.run_until("the way back", |d| d.boots > boots);
    assert!(device.clock.now_ms() < HOUR_MS, "half an hour, and the next try");
    assert_eq!(device.version(), "1.0.0");
    // The old software finds them where they were.
    device.restart_client_with(|mut flash| {
        for (area, bytes) in records.into_iter().zip(&kept) {
            flash.provision(area, bytes).unwrap();
        }
        flash
    });
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn an_application_that_confirms_an_image_without_records_in_time_keeps_it() {
    let (_server, mut device) = ready();
    device.restart_with(|flash| {
        let mut flash = wiped(flash, &[Area::RecordA, Area::RecordB]);
        flash.provision(Area::Slot1, &good("2.0.0")).unwrap();
        bootloader::request_swap(&mut flash).unwrap();
        flash
    });
    device.run_for(HOUR_MS / 4);
    assert_eq!(device.version(), "2.0.0");
    device.client().confirm().unwrap();
    let boots = device.boots;
    device.run_for(DAY_MS);
    assert_eq!((device.version().as_str(), device.boots), ("2.0.0", boots));
}

// ---- hostile stores

#[test]
fn a_redirect_to_nowhere_fails_the_deployment() {
    for location in ["", "   "] {
        let (server, mut device) = ready();
        let store = Store::start(move |_| {
            format!("HTTP/1.1 302 Found\r\nLocation:{location}\r\nContent-Length: 0\r\n\r\n").into()
        });
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        let fault = server.fault(Fault::download().redirect(302, &format!("{}/x", store.url())));
        device.client().check_now();
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["failure"]);
        log_says(&server, &deployment, "redirect");
        assert_eq!((store.heads().len(), server.fault_strikes(fault)), (1, 1));
        server.clear_faults();
        the_next_update_succeeds(&server, &mut device);
    }
}

#[test]
fn a_redirect_that_is_too_long_and_breaks_off_leaves_no_address_of_two() {
    let (server, mut device) = ready();
    let other = Store::start(|_| b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n".to_vec());
    let long = format!("HTTP/1.1 302 Found\r\nLocation: {}/{}\r\nServ", other.url(), "x".repeat(2500));
    let store = Store::start(move |_| long.clone().into());
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    server.fault(Fault::download().times(1).redirect(302, &format!("{}/x", store.url())));
    device.client().check_now();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(store.heads().len(), 1);
    assert!(other.heads().is_empty(), "{:?}", other.heads());
    assert_eq!(final_statuses(&server, &deployment), ["success"], "by a fresh link");
}

#[test]
fn an_image_that_says_it_is_another_bars_only_itself() {
    let (server, mut device) = ready();
    let fine = good("2.0.0");
    let mut damaged = fine.clone();
    // A byte of code: what the image says of its own hash stays.
    damaged[20_000] ^= 1;
    let first = deploy_bytes(&server, "release-2", artifact("release-2", damaged).build());
    device.update(&server, &first);
    assert_eq!(final_statuses(&server, &first), ["failure"]);
    log_says(&server, &first, "refused by the boot loader");
    let second = deploy_image(&server, "release-2b", fine);
    device.update(&server, &second);
    assert_eq!(final_statuses(&server, &second), ["success"]);
}

#[test]
fn an_image_that_was_reverted_is_refused_before_the_slot_is_touched() {
    let (server, mut device) = ready();
    let first = deploy_image(&server, "release-2", image("2.0.0", Behaviour::Hangs));
    device.update(&server, &first);
    let erased = device.ports().flash.counts(Area::Slot1).erases;
    let second = server.deploy(DeploymentSpec::all("release-2")).unwrap();
    device.update(&server, &second);
    assert_eq!(reports(&server, &second), ["downloading", "failure"]);
    log_says(&server, &second, "reverted before");
    assert_eq!(device.ports().flash.counts(Area::Slot1).erases, erased);
}

#[test]
fn deployments_that_all_fail_late_write_the_slot_ever_less_often() {
    let (server, mut device) = with_intervals();
    let mut last_ms = device.clock.now_ms();
    let mut pauses = Vec::new();
    for n in 0..7 {
        let name = format!("release-1{n}");
        let bytes = artifact(&name, good("2.0.0")).build();
        let fault = server.fault(Fault::download().times(1).corrupt(bytes.len() - 8 * 1024));
        let deployment = deploy_bytes(&server, &name, bytes);
        device.run_to_the_end(&server, &deployment);
        assert_eq!(
            (final_statuses(&server, &deployment), server.fault_strikes(fault)),
            (vec!["failure".into()], 1)
        );
        let now_ms = device.clock.now_ms();
        pauses.push((now_ms - last_ms + HOUR_MS / 2) / HOUR_MS);
        last_ms = now_ms;
    }
    assert_eq!(pauses[4..], [1, 2, 4], "hours: {pauses:?}");
    the_next_update_succeeds(&server, &mut device);
}

// ---- the less likely

fn timing(poll_ms: u32) -> mender_client::Timing {
    mender_client::Timing { poll_ms, ..Default::default() }
}

#[test]
fn an_empty_value_among_the_provides_does_not_end_all_updates() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let d = deploy(&server, &artifact("release-2", good("2.0.0")).provides("rootfs-image.note", ""));
    device.update(&server, &d);
    let d = deploy_image(&server, "release-3", good("3.0.0"));
    device.client().check_now();
    device.run_for(120 * HOUR_MS);
    assert_eq!(final_statuses(&server, &d), ["success"]);
}

#[test]
fn a_device_that_is_on_for_half_a_day_at_a_time_takes_updates_after_failures() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.timing = timing(1_800_000));
    device.run_until_quiet();
    for n in 0..9 {
        let name = format!("release-1{n}");
        let bytes = artifact(&name, good("2.0.0")).build();
        server.fault(Fault::download().times(1).corrupt(bytes.len() - 8 * 1024));
        let deployment = deploy_bytes(&server, &name, bytes);
        device.update(&server, &deployment);
    }
    let d = deploy_image(&server, "release-9", good("9.0.0"));
    for _ in 0..30 {
        device.restart();
        device.run_for(12 * HOUR_MS);
    }
    assert_eq!(final_statuses(&server, &d), ["success"]);
}

#[test]
fn a_key_that_is_lost_in_a_deployment_is_made_again_when_somebody_says_so() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("downloading from byte 0");
    device.restart_with(|flash| wiped(flash, &[Area::Key]));
    for _ in 0..20 {
        device.run_for(HOUR_MS);
        device.client().authenticate_now();
    }
    assert_eq!(device.logged("device key made"), 2);
}

#[test]
fn a_refusal_by_the_brake_is_no_wear() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.timing = timing(1_800_000));
    device.run_until_quiet();
    let first = deploy_image(&server, "release-2", image("2.0.0", Behaviour::Hangs));
    device.update(&server, &first);
    for _ in 0..9 {
        let again = server.deploy(DeploymentSpec::all("release-2")).unwrap();
        device.update(&server, &again);
    }
    let pause_ms = device.snapshot().check_at_ms - device.clock.now_ms();
    assert!(pause_ms <= 2_200_000, "{} min", pause_ms / 60_000);
}

#[test]
fn the_public_key_is_to_be_had_before_there_is_a_network() {
    let server = http();
    let mut device =
        Device::with(&server, |d| d.at_boot = Box::new(|ports| ports.faults.open = Some(Errno::EAGAIN)));
    device.run_for(60_000);
    assert!(device.client().public_key(&mut [0; 178]).is_ok());
}

#[test]
fn an_inventory_that_a_proxy_kept_is_sent_again_soon() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.timing.inventory_ms = 604_800_000);
    device.run_until_quiet();
    server.fault(
        Fault::inventory()
            .status(404)
            .header("content-type", "text/plain")
            .body("404 page not found\n")
            .times(1),
    );
    device.client().inventory_now();
    server.clear_requests();
    device.run_for(HOUR_MS);
    assert!(dialogue(&server).iter().any(|line| line == "inventory 200"), "{:?}", dialogue(&server));
}

#[test]
fn a_404_of_a_proxy_while_a_fresh_link_is_asked_for_fails_nothing() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let d = deploy_image(&server, "release-2", good("2.0.0"));
    server.fault(Fault::download().status(403).times(1));
    server.fault(
        Fault::check()
            .skip(1)
            .status(404)
            .header("content-type", "text/plain")
            .body("404 page not found\n")
            .times(2),
    );
    device.client().check_now();
    device.run_to_the_end(&server, &d);
    assert_eq!(final_statuses(&server, &d), ["success"]);
}

#[test]
fn a_store_that_timed_out_is_asked_again() {
    for status in [408, 425] {
        let server = http();
        let mut device = Device::new(&server);
        device.run_until_quiet();
        let d = deploy_image(&server, "release-2", good("2.0.0"));
        server.fault(Fault::download().status(status).times(1));
        device.client().check_now();
        device.run_to_the_end(&server, &d);
        assert_eq!(final_statuses(&server, &d), ["success"], "{status}");
    }
}

#[test]
fn a_check_comes_with_a_confirmation_at_any_time() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("runs on trial");
    device.restart_client_with(|flash| wiped(flash, &[Area::RecordA, Area::RecordB]));
    device.run_until_logged("running image is not confirmed");
    device.client().confirm().unwrap();
    server.clear_requests();
    device.run_for(60_000);
    assert!(dialogue(&server).iter().any(|line| line.starts_with("check")));
}

#[test]
fn tries_of_the_probe_are_not_those_of_the_last_record() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.timing.probe_tries = 1);
    device.run_until_quiet();
    deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("reported success");
    device.ports().faults.record_write = Some(Errno::EIO);
    device.run_for(24 * HOUR_MS);
    assert_eq!(device.logged("writing a record failed"), 11);
}
