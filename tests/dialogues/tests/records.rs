// SPDX-License-Identifier: Apache-2.0
//! What the device keeps: the key that is its identity, and records that rot, are rolled back or come from another firmware: §10.90.

use mender_client::Phase;
use mender_dialogues::{
    Device, deploy_image, dialogue, final_statuses, good, http, image, reports, the_next_update_succeeds,
};
use mender_port::{Clock as _, Errno, RecordId};
use mender_server::Server;
use mender_sim::host::Unreadable;
use mender_sim::{Area, Flash};
use mender_testkit::image::Behaviour;

const DAY_MS: u64 = 24 * 3_600_000;

fn updated() -> (Server, Device) {
    let server = http();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    (server, device)
}

fn keys(server: &Server) -> usize {
    server.devices().iter().map(|d| d.auth_sets.len()).sum()
}

/// Puts an area's content through `change`.
fn changed(mut flash: Flash, area: Area, change: impl FnOnce(&mut Vec<u8>)) -> Flash {
    let mut bytes = flash.view(area).to_vec();
    change(&mut bytes);
    flash.provision(area, &bytes).unwrap();
    flash
}

fn erased(flash: Flash, area: Area) -> Flash {
    changed(flash, area, |bytes| bytes.fill(0xff))
}

/// The area with the newer checkpoint.
fn newer(flash: &Flash) -> Area {
    // Length, its complement, then the record: the generation stands at its byte 8.
    let generation = |area| u32::from_be_bytes(flash.view(area)[16..20].try_into().unwrap());
    if generation(Area::RecordA) > generation(Area::RecordB) { Area::RecordA } else { Area::RecordB }
}

#[test]
fn the_device_key_is_made_once() {
    let (server, mut device) = updated();
    for _ in 0..3 {
        device.restart();
        device.run_for(3_600_000);
    }
    assert_eq!((device.logged("device key made"), keys(&server)), (1, 1));
}

#[test]
fn c90a_a_key_that_cannot_be_read_is_waited_for_and_none_is_made() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    device.at_boot = Box::new(|ports| ports.faults.device_key = Some(Errno::EIO));
    device.restart();
    server.clear_requests();
    device.run_for(DAY_MS);
    assert_eq!(dialogue(&server), [""; 0]);
    assert!((100..600).contains(&device.logged("device key cannot be read")), "now and then");
    device.at_boot = Box::new(|_| {});
    device.ports().faults.device_key = None;
    device.run_until_logged("authenticated");
    assert_eq!((device.logged("device key made"), keys(&server)), (1, 1));
}

#[test]
fn c90b_a_key_that_rots_is_not_made_again() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    device.restart_with(|flash| changed(flash, Area::Key, |bytes| bytes[40] ^= 1));
    server.clear_requests();
    device.run_for(DAY_MS);
    assert_eq!(dialogue(&server), [""; 0]);
    assert_eq!(device.logged("device key made"), 1);
}

#[test]
fn c90c_a_key_that_is_gone_is_not_made_again() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    device.restart_with(|flash| erased(flash, Area::Key));
    server.clear_requests();
    device.run_for(DAY_MS);
    assert_eq!(dialogue(&server), [""; 0]);
    assert!(device.logged("device key is lost") > 10);
    assert_eq!(device.logged("device key made"), 1, "another key would be another device");
    // Unless somebody says so, who then accepts the device anew.
    device.client().authenticate_now();
    device.run_until_logged("no update");
    assert_eq!(device.logged("device key made"), 2);
    device.restart();
    device.run_until_logged("no update");
    assert_eq!(device.logged("device key made"), 2, "and that one stays");
}

#[test]
fn c90d_records_that_cannot_be_read_are_waited_for_and_lose_nothing() {
    let (server, mut device) = updated();
    device.at_boot = Box::new(|ports| ports.faults.record_read = Some(Errno::EIO));
    device.restart();
    server.clear_requests();
    let written = device.record_writes();
    for _ in 0..4 {
        device.poll();
    }
    assert_eq!((dialogue(&server).len(), device.record_writes()), (0, written));
    device.ports().faults.record_read = None;
    device.at_boot = Box::new(|_| {});
    device.run_until_logged("no update");
    assert_eq!(device.artifact_name(), "release-2");
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c90e_a_failed_read_of_the_records_never_leads_to_a_new_key() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    device.at_boot = Box::new(|ports| ports.faults.record_read = Some(Errno::EIO));
    device.restart_with(|flash| erased(flash, Area::Key));
    server.clear_requests();
    device.run_for(DAY_MS);
    assert_eq!(dialogue(&server), [""; 0]);
    assert_eq!(device.logged("device key made"), 1, "{}", device.story());
}

#[test]
fn c90f_records_that_can_never_be_read_cost_no_update() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    device.at_boot = Box::new(|ports| ports.faults.record_read = Some(Errno::EIO));
    device.restart();
    device.run_until_logged("no update");
    assert_eq!((device.logged("device key made"), keys(&server)), (1, 1));
}

#[test]
fn c90g_one_rotten_copy_costs_nothing_but_what_came_last() {
    let (server, mut device) = updated();
    for byte in [8, 12, 17, 25, 60, 100] {
        device.restart_with(|flash| {
            let area = newer(&flash);
            changed(flash, area, |bytes| bytes[byte] ^= 4)
        });
        device.run_until_quiet();
        device.run_until_logged("no update");
        assert_eq!(device.artifact_name(), "release-2", "{byte}\n{}", device.story());
        assert_eq!(device.snapshot().phase, Phase::Idle);
    }
    assert_eq!(keys(&server), 1);
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c90h_two_rotten_copies_start_clean_with_the_same_identity() {
    for spoil in [
        (|bytes| bytes[30] ^= 1) as fn(&mut Vec<u8>),
        |bytes| bytes.fill(0),
        |bytes| bytes.fill(0xff),
        |bytes| bytes[..4].copy_from_slice(&[0xff, 0xff, 0, 0]),
        |bytes| bytes.iter_mut().for_each(|b| *b = b.rotate_left(3)),
    ] {
        let (server, mut device) = updated();
        device.restart_with(|flash| changed(changed(flash, Area::RecordA, spoil), Area::RecordB, spoil));
        device.run_until_logged("no update");
        assert_eq!(device.artifact_name(), "release-1", "as configured");
        assert_eq!((keys(&server), device.logged("device key made")), (1, 1));
        the_next_update_succeeds(&server, &mut device);
    }
}

#[test]
fn c90i_a_rotten_record_in_mid_deployment_ends_it_one_way_or_the_other() {
    for phase in [1, 2, 3, 4, 5] {
        for copies in [&[Area::RecordA][..], &[Area::RecordB], &[Area::RecordA, Area::RecordB]] {
            let server = http();
            let mut device = Device::new(&server);
            let deployment = deploy_image(&server, "release-2", good("2.0.0"));
            device.run_until_logged(&format!("checkpoint: phase {phase},"));
            device.restart_with(|mut flash| {
                for copy in copies {
                    flash = changed(flash, *copy, |bytes| bytes[21] ^= 0x10);
                }
                flash
            });
            device.run_for(3_600_000);
            // An image on trial that nobody remembers is never confirmed: the next reset brings the old one back.
            device.restart();
            device.run_for(3_600_000);
            device.run_to_the_end(&server, &deployment);
            let told = final_statuses(&server, &deployment);
            let runs = device.version();
            let what = format!("{phase} {copies:?} {told:?} {runs}\n{}", device.story());
            assert_eq!(told.len(), 1, "{what}");
            let expected = if told[0] == "success" { "2.0.0" } else { "1.0.0" };
            assert_eq!(runs, expected, "{what}");
            the_next_update_succeeds(&server, &mut device);
        }
    }
}

#[test]
fn c90j_a_record_of_a_newer_format_is_left_alone_by_a_firmware_that_cannot_read_it() {
    let (server, mut device) = updated();
    // Format 9, and no reader older than 9 will do; with the right checksum.
    let upgrade = |bytes: &mut Vec<u8>| {
        let start = 8;
        let entries = usize::from(u16::from_be_bytes([bytes[start + 6], bytes[start + 7]]));
        (bytes[start + 4], bytes[start + 5]) = (9, 9);
        let end = start + 12 + entries;
        let sum = crc32(&bytes[start..end]);
        bytes[end..end + 4].copy_from_slice(&sum.to_be_bytes());
    };
    device.restart_with(|flash| changed(changed(flash, Area::RecordA, upgrade), Area::RecordB, upgrade));
    assert_eq!(device.logged("unknown format"), 2, "{}", device.story());
    device.run_until_logged("no update");
    assert_eq!((keys(&server), device.snapshot().phase), (1, Phase::Idle));
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c90k_an_entry_nobody_knows_is_passed_over() {
    let (server, mut device) = updated();
    let extend = |bytes: &mut Vec<u8>| {
        let start = 8;
        let entries = usize::from(u16::from_be_bytes([bytes[start + 6], bytes[start + 7]]));
        let end = start + 12 + entries;
        let more = [200, 0, 3, b'n', b'e', b'w'];
        let mut record = [&bytes[start..end], &more].concat();
        record[6..8].copy_from_slice(&u16::try_from(entries + more.len()).unwrap().to_be_bytes());
        // A newer firmware wrote it, and says that this one copes.
        record[4] = 2;
        let sum = crc32(&record);
        record.extend(sum.to_be_bytes());
        let len = u16::try_from(record.len()).unwrap();
        bytes[..2].copy_from_slice(&len.to_le_bytes());
        bytes[2..4].copy_from_slice(&(!len).to_le_bytes());
        bytes[start..start + record.len()].copy_from_slice(&record);
    };
    device.restart_with(|flash| changed(changed(flash, Area::RecordA, extend), Area::RecordB, extend));
    device.run_until_logged("no update");
    assert_eq!(device.artifact_name(), "release-2", "{}", device.story());
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c90l_records_of_an_older_day_are_believed_and_do_no_harm() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    let mut old = None;
    device.restart_with(|flash| {
        old = Some([Area::RecordA, Area::RecordB].map(|area| flash.view(area).to_vec()));
        flash
    });
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &deployment);
    let [a, b] = old.unwrap();
    device.restart_with(|flash| {
        changed(changed(flash, Area::RecordA, |bytes| *bytes = a), Area::RecordB, |bytes| *bytes = b)
    });
    device.run_until_quiet();
    assert_eq!((device.artifact_name().as_str(), keys(&server)), ("release-1", 1));
    assert_eq!(device.version(), "2.0.0");
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c90m_a_rotten_deployment_log_costs_no_report() {
    let server = http();
    let mut device = Device::new(&server);
    let bad = mender_dialogues::image("2.0.0", mender_testkit::image::Behaviour::FailsSelfTest);
    let deployment = deploy_image(&server, "release-2", bad);
    device.run_until_logged("checkpoint: phase 8,");
    device.restart_with(|flash| changed(flash, Area::Log, |bytes| bytes[30] ^= 1));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    the_next_update_succeeds(&server, &mut device);
    assert!(device.clock.now_ms() < DAY_MS);
}

/// CRC-32/ISO-HDLC.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1)))
    })
}

#[test]
fn an_older_copy_is_not_taken_up_while_the_newer_cannot_be_read() {
    let (server, mut device) = updated();
    let newest = newer(&device.ports().flash);
    let id = if newest == Area::RecordA { RecordId::A } else { RecordId::B };
    // At the first look at it, and only when it is to be taken up.
    for spared in [0, 1] {
        device.at_boot = Box::new(move |ports| {
            ports.faults.one_record_read = Some(Unreadable { id, spared, errno: Errno::EIO });
        });
        device.restart();
        server.clear_requests();
        let written = device.record_writes();
        for _ in 0..4 {
            device.poll();
        }
        assert_eq!((dialogue(&server).len(), device.record_writes()), (0, written), "{}", device.story());
        assert!(device.ports().given > 0, "{spared}");
        device.ports().faults.one_record_read = None;
        device.at_boot = Box::new(|_| {});
        device.run_until_quiet();
        assert!(!dialogue(&server).iter().any(|word| word.starts_with("success")), "it was told before");
        assert_eq!(device.artifact_name(), "release-2");
    }
}

/// Restarts a device whose records cannot be read at first, and asks for everything before they can.
fn asks_too_early(device: &mut Device) {
    device.at_boot = Box::new(|ports| ports.faults.record_read = Some(Errno::EIO));
    device.restart();
    device.at_boot = Box::new(|_| {});
    assert!(!device.snapshot().can_abort);
    let client = device.client();
    client.abort();
    client.retry();
    client.check_now();
    client.inventory_now();
    device.poll();
    device.ports().faults.record_read = None;
}

#[test]
fn what_is_asked_for_before_the_records_are_read_is_done_when_they_are() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.timing.first_check_ms = 600_000);
    device.run_until_quiet();
    let bad = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.run_to_the_end(&server, &bad);
    asks_too_early(&mut device);
    let again = deploy_image(&server, "release-2b", image("2.0.0", Behaviour::FailsSelfTest));
    let before_ms = device.clock.now_ms();
    device.run_until_logged("deployment of release-2b");
    assert!(device.clock.now_ms() - before_ms < 10_000, "at once, not at the first check's random time");
    device.run_to_the_end(&server, &again);
    // The brake was taken off: it is tried, and fails by itself.
    assert_eq!(reports(&server, &again), ["downloading", "installing", "rebooting", "failure"]);
}

#[test]
fn a_deployment_is_not_aborted_before_its_record_is_read() {
    let server = http();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_until_logged("checkpoint: phase 1,");
    // The copy that can be read tells of it already; the other one may be the newer.
    let id = if newer(&device.ports().flash) == Area::RecordA { RecordId::B } else { RecordId::A };
    device.at_boot = Box::new(move |ports| {
        ports.faults.one_record_read = Some(Unreadable { id, spared: 0, errno: Errno::EIO });
    });
    device.restart();
    device.at_boot = Box::new(|_| {});
    assert_eq!((device.snapshot().phase, device.snapshot().can_abort), (Phase::Download, false));
    device.client().abort();
    device.ports().faults.one_record_read = None;
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    assert_eq!(device.version(), "2.0.0");
}

#[test]
fn a_newer_copy_that_cannot_be_read_yet_is_not_overwritten_by_what_is_asked_for() {
    let server = http();
    let mut device = Device::new(&server);
    // With a brake to be taken off, which writes a record.
    let bad = deploy_image(&server, "release-1b", image("1.1.0", Behaviour::FailsSelfTest));
    device.run_to_the_end(&server, &bad);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    let id = if newer(&device.ports().flash) == Area::RecordA { RecordId::A } else { RecordId::B };
    device.at_boot = Box::new(move |ports| {
        ports.faults.one_record_read = Some(Unreadable { id, spared: 0, errno: Errno::EIO });
    });
    device.restart();
    device.at_boot = Box::new(|_| {});
    let written = device.record_writes();
    device.client().retry();
    device.client().abort();
    device.poll();
    assert_eq!(device.record_writes(), written);
    device.ports().faults.one_record_read = None;
    device.run_until_quiet();
    assert_eq!(device.artifact_name(), "release-2");
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn a_copy_that_can_never_be_read_is_waited_for_some_seconds_and_costs_no_update() {
    let (server, mut device) = updated();
    let older = if newer(&device.ports().flash) == Area::RecordA { RecordId::B } else { RecordId::A };
    device.at_boot = Box::new(move |ports| {
        ports.faults.one_record_read = Some(Unreadable { id: older, spared: 0, errno: Errno::EIO });
    });
    device.restart();
    device.run_until_logged("no update");
    the_next_update_succeeds(&server, &mut device);
}
