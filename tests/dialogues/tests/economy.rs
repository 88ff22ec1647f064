// SPDX-License-Identifier: Apache-2.0
//! What an update and a quiet day cost: connections, record writes, requests; and when the inventory is sent.

use mender_dialogues::{
    Device, deploy, deploy_image, dialogue, final_statuses, good, http, https, image, module_artifact,
};
use mender_server::{Config, Fault, Server};
use mender_sim::Area;
use mender_testkit::image::Behaviour;

const DAY_MS: u64 = 24 * 3_600_000;

fn connections(server: &Server) -> u64 {
    let all = server.connections();
    all.api.accepted + all.storage.accepted
}

fn log_writes(device: &mut Device) -> u64 {
    device.ports().flash.counts(Area::Log).erases
}

#[test]
fn a_good_update_takes_three_connections_and_six_record_writes() {
    let server = https();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    // The wait until the next poll closes the connection of the first.
    device.run_until_logged("no update");
    let (before, written) = (connections(&server), device.record_writes());
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    server.clear_requests();
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    // One to the server on each side of the restart, one to the store.
    assert_eq!(connections(&server) - before, 3, "{}", device.story());
    assert_eq!(server.connections().api.tls_failed + server.connections().storage.tls_failed, 0);
    assert_eq!(device.record_writes() - written, 6, "{}", device.story());
    assert_eq!(log_writes(&mut device), 0, "nothing to tell of");
    assert!(dialogue(&server).len() <= 11, "{:?}", dialogue(&server));
}

#[test]
fn a_bad_update_takes_no_more_than_six_record_writes_and_one_of_the_log_each() {
    let server = https();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let (before, written) = (connections(&server), device.record_writes());
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    assert!(connections(&server) - before <= 4, "{}", device.story());
    let (writes, log) = (device.record_writes() - written, log_writes(&mut device));
    assert!(writes <= 6, "{writes}\n{}", device.story());
    assert!((1..=3).contains(&log), "{log}");
}

#[test]
fn an_update_of_a_module_without_reboot_takes_two_connections_and_five_record_writes() {
    let server = https();
    let mut device =
        Device::with(&server, |d| d.at_boot = Box::new(|ports| ports.modules.needs_reboot = false));
    device.run_until_quiet();
    let (before, written) = (connections(&server), device.record_writes());
    let deployment = deploy(&server, &module_artifact("release-2"));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    assert!(connections(&server) - before <= 3, "{}", device.story());
    assert!(device.record_writes() - written <= 5, "{}", device.story());
}

#[test]
fn a_server_that_closes_kept_connections_costs_a_connection_and_nothing_else() {
    for config in [
        Config { requests_per_connection: Some(1), ..Config::https() },
        Config { idle_timeout: std::time::Duration::from_millis(50), ..Config::https() },
    ] {
        let server = Server::start(config).unwrap();
        let mut device = Device::new(&server);
        // Long enough for the server to close the connection that the client keeps.
        server.fault(Fault::download().drip(4096, 10));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
        assert_eq!(device.logged("failed:"), 0, "{}", device.story());
        assert_eq!(device.logged("reported success"), 1);
        let waited =
            device.times_of("installing: HTTP 204")[0] - device.times_of("downloaded and verified")[0];
        assert!(waited < 150, "{waited} ms: a connection that was closed meanwhile is no failed try");
    }
}

#[test]
fn an_idle_day_is_one_connection_and_one_request_a_poll_and_no_write() {
    let server = https();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    device.run_until_logged("no update");
    server.clear_requests();
    let (before, written) = (connections(&server), device.record_writes());
    device.run_for(DAY_MS);
    let polls = dialogue(&server).iter().filter(|line| *line == "check 204").count();
    // Every 600 s, up to 20 % later.
    assert!((120..=145).contains(&polls), "{polls}");
    assert_eq!(dialogue(&server).len(), polls, "the inventory has not changed");
    assert_eq!(connections(&server) - before, polls as u64);
    assert_eq!(device.record_writes(), written);
}

#[test]
fn the_first_check_comes_at_a_random_time_so_that_a_fleet_does_not_come_at_once() {
    let server = http();
    let mut firsts = Vec::new();
    for boot in 0..12 {
        let mut device = Device::with(&server, |d| {
            d.config.timing.first_check_ms = 30_000;
            // Random numbers are seeded by it.
            d.boots = boot;
        });
        device.run_until_logged("connected to");
        firsts.push(device.times_of("connected to")[0]);
    }
    assert!(firsts.iter().all(|at| *at <= 30_000), "{firsts:?}");
    let (least, most) = (firsts.iter().min().unwrap(), firsts.iter().max().unwrap());
    assert!(most - least > 10_000, "{firsts:?}");
}

// ---- inventory

fn inventories(server: &Server) -> u32 {
    server.devices().first().map_or(0, |d| d.inventory_updates)
}

#[test]
fn the_inventory_is_sent_after_each_boot_and_not_again_while_it_stays_the_same() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.at_boot = Box::new(|ports| ports.app.inventory = vec![("room".into(), "kitchen".into())]);
    });
    device.run_for(2 * DAY_MS);
    assert_eq!(inventories(&server), 1);
    let seen = &server.devices()[0].inventory;
    assert_eq!(seen["device_type"], "sim");
    assert_eq!(seen["artifact_name"], "release-1");
    assert_eq!(seen["mender_client_version"], mender_client::VERSION);
    assert_eq!(seen["room"], "kitchen");
    device.restart();
    device.run_for(DAY_MS);
    assert_eq!(inventories(&server), 2);
}

#[test]
fn the_inventory_is_sent_when_it_changed_and_when_asked_for() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    assert_eq!(inventories(&server), 1);
    device.ports().app.inventory = vec![("room".into(), "cellar \"1\"\n".into())];
    device.run_for(DAY_MS);
    assert_eq!(inventories(&server), 2);
    assert_eq!(server.devices()[0].inventory["room"], "cellar \"1\"\n");
    device.client().inventory_now();
    device.run_for(60_000);
    assert_eq!(inventories(&server), 3);
    // What is gone is gone: the whole set is replaced.
    device.ports().app.inventory.clear();
    device.client().inventory_now();
    device.run_for(60_000);
    assert!(!server.devices()[0].inventory.contains_key("room"));
}

#[test]
fn an_inventory_that_changes_while_it_is_sent_is_sent_again() {
    let server = http();
    let mut device = Device::new(&server);
    server.fault(Fault::inventory().times(1).delay_ms(50));
    device.run_until("the request", |_| server.devices().first().is_some_and(|d| d.inventory_updates == 1));
    device.ports().app.inventory = vec![("room".into(), "attic".into())];
    device.run_for(DAY_MS);
    assert_eq!(inventories(&server), 2);
    assert_eq!(server.devices()[0].inventory["room"], "attic");
}

#[test]
fn the_inventory_is_sent_after_a_new_authentication() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    server.expire_tokens();
    device.run_for(3_600_000);
    assert_eq!(inventories(&server), 2);
    server.revoke_tokens();
    device.run_for(3_600_000);
    assert_eq!(inventories(&server), 3);
}

#[test]
fn the_inventory_is_sent_after_every_deployment() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let mut count = inventories(&server);
    for (name, version, behaviour) in
        [("release-2", "2.0.0", Behaviour::Fine), ("release-3", "3.0.0", Behaviour::FailsSelfTest)]
    {
        let deployment = deploy_image(&server, name, image(version, behaviour));
        device.update(&server, &deployment);
        device.run_for(60_000);
        count += 1;
        assert_eq!(inventories(&server), count, "{name}\n{}", device.story());
        assert_eq!(server.devices()[0].inventory["artifact_name"], "release-2");
    }
}

#[test]
fn an_inventory_that_is_refused_is_tried_again_later_and_holds_up_no_update() {
    // What the server does not take now it will not take in a minute.
    for (status, an_hour) in [(400, 1..=1), (413, 1..=1), (500, 5..=60), (503, 5..=60)] {
        let server = http();
        let fault = server.fault(Fault::inventory().status(status));
        let mut device = Device::new(&server);
        device.run_for(3_600_000);
        let tries = server.fault_strikes(fault);
        assert!(an_hour.contains(&tries), "{status}: {tries} in an hour");
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"]);
        server.clear_faults();
        device.run_until_logged("inventory sent");
    }
}
