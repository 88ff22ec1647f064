// SPDX-License-Identifier: Apache-2.0
//! The deployment flows with which the official client is accepted, through the whole device with an update module.

use mender_client::Phase;
use mender_dialogues::{
    DEVICE_TYPE, Device, MODULE, deploy, dialogue, final_statuses, http, https, module_artifact, reports,
    the_next_update_succeeds,
};
use mender_server::Server;
use mender_sim::modules::FailAt;
use mender_testkit::artifact::Artifact;

/// What the module is told, at each boot.
#[derive(Clone, Default)]
struct Module {
    no_reboot: bool,
    no_rollback: bool,
    pending: u32,
    fail_at: &'static [&'static str],
}

fn ready(module: &Module) -> (Server, Device) {
    let server = http();
    let module = module.clone();
    let mut device = Device::with(&server, |d| {
        d.at_boot = Box::new(move |ports| {
            ports.modules.needs_reboot = !module.no_reboot;
            ports.modules.supports_rollback = !module.no_rollback;
            ports.modules.pending = module.pending;
            ports.modules.fail_at =
                module.fail_at.iter().map(|name| FailAt::from_name(name).unwrap()).collect();
        });
    });
    device.run_until_quiet();
    (server, device)
}

/// Deploys release-2 to the end; the states that were run.
fn flow(module: &Module, told: &[&str]) -> (Server, Device, Vec<String>) {
    let (server, mut device) = ready(module);
    let deployment = deploy(&server, &module_artifact("release-2"));
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), told, "{}", device.story());
    let states = device.states();
    (server, device, states)
}

const WITH_REBOOT: [&str; 5] = ["downloading", "installing", "rebooting", "installing", "success"];
const ROLLED_BACK: [&str; 5] = [
    "ArtifactRollback",
    "ArtifactRollbackReboot",
    "restarting",
    "ArtifactVerifyRollbackReboot",
    "ArtifactFailure",
];

#[test]
fn flow_1_success_without_a_reboot() {
    let module = Module { no_reboot: true, ..Module::default() };
    let (server, mut device, states) = flow(&module, &["downloading", "installing", "success"]);
    assert_eq!(states, ["ArtifactInstall", "ArtifactCommit", "Cleanup"]);
    assert_eq!((device.module_file().as_deref(), device.boots), (Some("release-2"), 1));
    assert_eq!(server.devices()[0].inventory["artifact_name"], "release-2");
}

#[test]
fn flow_2_success_with_a_reboot() {
    let (_server, mut device, states) = flow(&Module::default(), &WITH_REBOOT);
    assert_eq!(
        states,
        [
            "ArtifactInstall",
            "ArtifactReboot",
            "restarting",
            "ArtifactVerifyReboot",
            "ArtifactCommit",
            "Cleanup"
        ]
    );
    assert_eq!((device.module_file().as_deref(), device.boots), (Some("release-2"), 2));
}

#[test]
fn flow_3_failure_to_verify_the_reboot() {
    let module = Module { fail_at: &["ArtifactVerifyReboot"], ..Module::default() };
    let (_server, mut device, states) = flow(&module, &["downloading", "installing", "rebooting", "failure"]);
    let begin = ["ArtifactInstall", "ArtifactReboot", "restarting", "ArtifactVerifyReboot"];
    assert_eq!(states, [&begin[..], &ROLLED_BACK, &["Cleanup"]].concat());
    assert_eq!((device.module_file(), device.boots), (None, 3));
    assert_eq!(device.artifact_name(), "release-1");
}

#[test]
fn flow_4_failure_to_commit() {
    let module = Module { fail_at: &["ArtifactCommit"], ..Module::default() };
    let (_server, mut device, states) =
        flow(&module, &["downloading", "installing", "rebooting", "installing", "failure"]);
    let begin = ["ArtifactInstall", "ArtifactReboot", "restarting", "ArtifactVerifyReboot", "ArtifactCommit"];
    assert_eq!(states, [&begin[..], &ROLLED_BACK, &["Cleanup"]].concat());
    assert_eq!((device.module_file(), device.boots), (None, 3));
}

#[test]
fn flow_5_failure_to_commit_without_a_way_back() {
    let module = Module { fail_at: &["ArtifactCommit"], no_rollback: true, ..Module::default() };
    let (server, mut device, states) =
        flow(&module, &["downloading", "installing", "rebooting", "installing", "failure"]);
    assert_eq!(
        states,
        [
            "ArtifactInstall",
            "ArtifactReboot",
            "restarting",
            "ArtifactVerifyReboot",
            "ArtifactCommit",
            "ArtifactFailure",
            "Cleanup"
        ]
    );
    assert_eq!(device.artifact_name(), "release-2_INCONSISTENT");
    assert_eq!(server.devices()[0].inventory["artifact_name"], "release-2_INCONSISTENT");
}

#[test]
fn flow_6_failure_to_download() {
    let module = Module { fail_at: &["Download"], ..Module::default() };
    let (_server, mut device, states) = flow(&module, &["downloading", "failure"]);
    assert_eq!(states.last().map(String::as_str), Some("Cleanup"), "{states:?}");
    assert!(!states.iter().any(|s| s == "ArtifactInstall"), "{states:?}");
    assert_eq!((device.module_file(), device.boots), (None, 1));
}

#[test]
fn flow_7_failure_to_install() {
    let module = Module { fail_at: &["ArtifactInstall"], ..Module::default() };
    let (_server, mut device, states) = flow(&module, &["downloading", "installing", "failure"]);
    assert_eq!(states, ["ArtifactInstall", "ArtifactRollback", "ArtifactFailure", "Cleanup"]);
    assert_eq!((device.module_file(), device.boots), (None, 1));
    let module = Module { no_rollback: true, ..module };
    let (_server, _device, states) = flow(&module, &["downloading", "installing", "failure"]);
    assert_eq!(states, ["ArtifactInstall", "ArtifactFailure", "Cleanup"]);
}

#[test]
fn flow_8_a_rollback_that_never_verifies_is_given_up_after_some_reboots() {
    let module =
        Module { fail_at: &["ArtifactVerifyReboot", "ArtifactVerifyRollbackReboot"], ..Module::default() };
    let (server, mut device, states) = flow(&module, &["downloading", "installing", "rebooting", "failure"]);
    let restarts = states.iter().filter(|s| *s == "restarting").count();
    assert!((2..=6).contains(&restarts), "{states:?}");
    assert!(states.ends_with(&["Cleanup".to_owned()]), "{states:?}");
    assert_eq!(device.artifact_name(), "release-2_INCONSISTENT");
    device.at_boot = Box::new(|_| {});
    device.restart();
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn flow_9_failure_to_commit_and_to_roll_back() {
    let module = Module { fail_at: &["ArtifactCommit", "ArtifactRollback"], ..Module::default() };
    let (_server, mut device, states) =
        flow(&module, &["downloading", "installing", "rebooting", "installing", "failure"]);
    let tail = ["ArtifactCommit", "ArtifactRollback", "ArtifactFailure", "Cleanup"];
    assert!(states.ends_with(&tail.map(str::to_owned)), "{states:?}");
    assert_eq!(device.artifact_name(), "release-2_INCONSISTENT");
}

#[test]
fn flow_10_two_idle_polls_are_two_requests_on_two_connections() {
    let server = https();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    server.clear_requests();
    let before = server.connections().api;
    device.take_opened();
    device.run_until_logged("no update");
    device.run_until_logged("no update");
    assert_eq!(dialogue(&server), ["check 204", "check 204"]);
    assert_eq!(device.take_opened().len(), 2);
    let after = server.connections().api;
    assert_eq!((after.accepted - before.accepted, after.tls - before.tls), (2, 2));
    assert_eq!(server.connections().storage.accepted, 0);
    assert_eq!(device.snapshot().phase, Phase::Idle);
}

#[test]
fn flow_11_a_spontaneous_reboot_in_install() {
    let module = Module { pending: 3, ..Module::default() };
    let (server, mut device) = ready(&module);
    let deployment = deploy(&server, &module_artifact("release-2"));
    device.client().check_now();
    device.run_until_logged("ArtifactInstall");
    device.restart();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "installing", "failure"], "{}", device.story());
    assert_eq!(device.states(), ["ArtifactInstall", "ArtifactRollback", "ArtifactFailure", "Cleanup"]);
    assert_eq!(device.module_file(), None);
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn flow_12_a_spontaneous_reboot_in_commit() {
    let module = Module { pending: 3, ..Module::default() };
    let (server, mut device) = ready(&module);
    let deployment = deploy(&server, &module_artifact("release-2"));
    device.client().check_now();
    device.run_until_logged("ArtifactCommit");
    device.restart();
    device.run_to_the_end(&server, &deployment);
    let told = ["downloading", "installing", "rebooting", "installing", "failure"];
    assert_eq!(reports(&server, &deployment), told, "{}", device.story());
    let states = device.states();
    let tail = [&["ArtifactCommit"][..], &ROLLED_BACK, &["Cleanup"]].concat();
    assert!(states.ends_with(&tail.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()), "{states:?}");
    assert_eq!(device.module_file(), None);
    the_next_update_succeeds(&server, &mut device);
}

// Flow 13, an abort during the download, is in `aborts.rs`.

#[test]
fn whatever_state_fails_the_report_is_true_and_the_next_update_works() {
    let mut told = Vec::new();
    for name in FailAt::names() {
        for (no_reboot, no_rollback) in [(false, false), (false, true), (true, false), (true, true)] {
            let fail_at: &'static [&'static str] = Box::leak(Box::new([name]));
            let (server, mut device) = ready(&Module { no_reboot, no_rollback, pending: 1, fail_at });
            let before = deploy(&server, &Artifact::new("before", DEVICE_TYPE).bootstrap());
            device.update(&server, &before);
            let deployment = deploy(&server, &module_artifact("release-2"));
            device.update(&server, &deployment);
            let what = format!("{name} {no_reboot} {no_rollback}\n{}", device.story());
            let finals = final_statuses(&server, &deployment);
            assert_eq!(finals.len(), 1, "{what}");
            let installed = device.module_file();
            let artifact_name = device.artifact_name();
            match (finals[0].as_str(), artifact_name.as_str()) {
                ("success", "release-2") => assert_eq!(installed.as_deref(), Some("release-2"), "{what}"),
                ("failure", "before") => assert_eq!(installed, None, "{what}"),
                ("failure", "release-2_INCONSISTENT") => assert!(no_rollback, "{what}"),
                other => panic!("{other:?}: {what}"),
            }
            assert!(device.boots <= 6, "{what}");
            told.push(finals[0].clone());
            device.at_boot = Box::new(|_| {});
            device.restart();
            the_next_update_succeeds(&server, &mut device);
        }
    }
    let failures = told.iter().filter(|s| *s == "failure").count();
    assert!(failures >= 12 && failures < told.len(), "{told:?}");
}

#[test]
fn a_second_update_of_a_module_replaces_the_first_and_a_failed_one_brings_it_back() {
    let (server, mut device) = ready(&Module::default());
    for name in ["release-2", "release-3"] {
        let deployment = deploy(&server, &module_artifact(name));
        device.update(&server, &deployment);
        assert_eq!(device.module_file().as_deref(), Some(name));
    }
    device.at_boot =
        Box::new(|ports| ports.modules.fail_at = vec![FailAt::from_name("ArtifactCommit").unwrap()]);
    device.restart();
    let deployment = deploy(&server, &module_artifact("release-4"));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    assert_eq!(device.module_file().as_deref(), Some("release-3"));
    assert_eq!(device.artifact_name(), "release-3");
}

#[test]
fn a_module_gets_all_its_files_whole() {
    let (server, mut device) = ready(&Module { no_reboot: true, ..Module::default() });
    let big: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let mut made = module_artifact("release-2").file("big.bin", big.clone()).file("empty", "");
    for n in 0..5 {
        made = made.file(&format!("f{n}"), vec![n; 513]);
    }
    let deployment = deploy(&server, &made);
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    let folder = device.ports().modules.current(MODULE);
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(read("big.bin"), big);
    assert_eq!(read("empty"), b"");
    assert!((0..5).all(|n| read(&format!("f{n}")) == vec![n; 513]));
}

#[test]
fn a_module_may_take_its_time_in_every_state() {
    let (server, mut device) = ready(&Module { pending: 50, ..Module::default() });
    let deployment = deploy(&server, &module_artifact("release-2"));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    let began = device.times_of("ArtifactInstall");
    assert!(began.len() == 51 && began[50] - began[0] >= 5_000, "called at intervals: {began:?}");
}
