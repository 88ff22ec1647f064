// SPDX-License-Identifier: Apache-2.0
//! The application's say: approval, self-test, notices; and the deadline that ends a trial.

use std::cell::RefCell;
use std::rc::Rc;

use mender_client::Phase;
use mender_dialogues::{
    Device, deploy, deploy_image, final_statuses, good, http, image, module_artifact, reports, status,
    the_next_update_succeeds,
};
use mender_port::{Clock as _, Notice, Stage, Verdict};
use mender_server::{Fault, Server};
use mender_sim::mcuboot;
use mender_sim::trailer::SwapType;
use mender_testkit::image::Behaviour;

const STAGES: [(Stage, &str); 3] = [
    (Stage::Install, "pause_before_installing"),
    (Stage::Reboot, "pause_before_rebooting"),
    (Stage::Commit, "pause_before_committing"),
];

/// A device whose application answers so at that stage, at each boot; then it approves.
fn ready(stage: Stage, answers: &[Verdict]) -> (Server, Device) {
    let server = http();
    let answers = answers.to_vec();
    let mut device = Device::with(&server, |d| {
        d.at_boot =
            Box::new(move |ports| ports.app.verdicts[stage as usize] = answers.iter().copied().collect());
    });
    device.run_until_quiet();
    (server, device)
}

#[test]
fn an_application_that_defers_is_asked_again_and_the_pause_is_told_once() {
    for (stage, pause) in STAGES {
        let (server, mut device) = ready(stage, &[Verdict::Defer; 6]);
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        let began = device.clock.now_ms();
        device.update(&server, &deployment);
        let told = reports(&server, &deployment);
        assert_eq!(told.iter().filter(|s| *s == pause).count(), 1, "{told:?}");
        assert_eq!(told.iter().filter(|s| s.starts_with("pause")).count(), 1, "{told:?}");
        assert_eq!(final_statuses(&server, &deployment), ["success"]);
        assert!(device.clock.now_ms() - began >= 55_000, "six times ten seconds");
        let after = told.iter().position(|s| s == pause).unwrap() + 1;
        let expected = match stage {
            Stage::Install => "installing",
            Stage::Reboot => "rebooting",
            // Once more, for an abort during the pause.
            Stage::Commit => "installing",
        };
        assert_eq!(told[after], expected, "{told:?}");
    }
}

#[test]
fn a_module_is_deferred_at_the_same_stages() {
    for (stage, pause) in STAGES {
        let (server, mut device) = ready(stage, &[Verdict::Defer; 2]);
        let deployment = deploy(&server, &module_artifact("release-2"));
        device.update(&server, &deployment);
        assert_eq!(reports(&server, &deployment).iter().filter(|s| *s == pause).count(), 1);
        assert_eq!(final_statuses(&server, &deployment), ["success"]);
    }
}

#[test]
fn an_application_that_refuses_keeps_the_old_software() {
    for (stage, _) in STAGES {
        for answers in [&[Verdict::Refuse][..], &[Verdict::Defer, Verdict::Refuse]] {
            let (server, mut device) = ready(stage, answers);
            let deployment = deploy_image(&server, "release-2", good("2.0.0"));
            device.update(&server, &deployment);
            assert_eq!(final_statuses(&server, &deployment), ["failure"]);
            let log = server.only_device_of(&deployment).unwrap().log;
            assert!(log.iter().any(|e| e.message.contains("refused by the application")), "{log:?}");
            assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
            device.at_boot = Box::new(|_| {});
            device.restart();
            device.run_until_quiet();
            assert_eq!(device.version(), "1.0.0");
            the_next_update_succeeds(&server, &mut device);
        }
    }
}

#[test]
fn an_abort_during_a_pause_is_heard_before_anything_else_is_done() {
    for (stage, pause) in STAGES {
        let (server, mut device) = ready(stage, &[Verdict::Defer; 10]);
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.client().check_now();
        device.run_until_logged(&format!("reported {pause}"));
        server.abort(&deployment).unwrap();
        device.run_until("the end", |d| d.snapshot().phase == Phase::Idle);
        assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
        // On trial two more restarts, there and back.
        let boots = if stage == Stage::Commit { 3 } else { 1 };
        assert_eq!((device.boots, status(&server, &deployment).as_str()), (boots, "aborted"));
        assert_eq!((device.version().as_str(), device.artifact_name().as_str()), ("1.0.0", "release-1"));
        device.at_boot = Box::new(|_| {});
        device.restart();
        the_next_update_succeeds(&server, &mut device);
    }
}

#[test]
fn an_abort_during_a_pause_undoes_a_module_that_needs_no_restart() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.at_boot = Box::new(|ports| {
            ports.modules.needs_reboot = false;
            ports.app.verdicts[Stage::Commit as usize] = vec![Verdict::Defer; 10].into();
        });
    });
    device.run_until_quiet();
    let deployment = deploy(&server, &module_artifact("release-2"));
    device.client().check_now();
    device.run_until_logged("reported pause_before_committing");
    let changed = device.module_file();
    server.abort(&deployment).unwrap();
    device.run_until("the end", |d| d.snapshot().phase == Phase::Idle);
    assert_eq!(
        (status(&server, &deployment).as_str(), device.artifact_name().as_str()),
        ("aborted", "release-1")
    );
    assert_ne!(device.module_file(), changed);
}

#[test]
fn a_report_before_the_commit_does_not_go_past_the_deadline() {
    // Approved some seconds before the deadline, and the server is silent.
    let (server, mut device) = ready(Stage::Commit, &[Verdict::Defer; 179]);
    device.config.idle_timeout_ms = 60_000;
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("reported pause_before_committing");
    device.ports().transport.unreachable_ms = Some(60_000);
    device.ports().transport.hang_up();
    device.run_until("the old image", |d| d.boots >= 3);
    assert_eq!(device.version(), "1.0.0");
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
}

#[test]
fn a_pause_before_the_commit_ends_well_without_the_server() {
    let (server, mut device) = ready(Stage::Commit, &[Verdict::Defer; 3]);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("reported pause_before_committing");
    server.fault(Fault::report().body_contains("installing").status(503));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn power_that_goes_during_a_pause_costs_no_update() {
    for (stage, pause) in STAGES {
        let (server, mut device) = ready(stage, &[Verdict::Defer; 3]);
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.client().check_now();
        device.run_until_logged(&format!("reported {pause}"));
        device.restart();
        device.run_to_the_end(&server, &deployment);
        // On trial the reset is a revert.
        let (verdict, runs) =
            if stage == Stage::Commit { ("failure", "1.0.0") } else { ("success", "2.0.0") };
        assert_eq!(final_statuses(&server, &deployment), [verdict], "{}", device.story());
        assert_eq!(device.version(), runs);
    }
}

#[test]
fn a_pause_before_the_commit_ends_with_the_deadline() {
    let (server, mut device) = ready(Stage::Commit, &[Verdict::Defer; 10_000]);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("runs on trial");
    let booted = device.clock.now_ms();
    device.run_until("the old image", |d| d.boots >= 3);
    let took = device.clock.now_ms() - booted;
    assert!((1_800_000..1_815_000).contains(&took), "{took}");
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    assert_eq!(device.version(), "1.0.0");
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|e| e.message.contains("commit deadline passed")), "{log:?}");
}

#[test]
fn a_self_test_may_take_its_time_and_is_asked_now_and_then() {
    let server = http();
    let mut device =
        Device::with(&server, |d| d.at_boot = Box::new(|ports| ports.app.self_test_pending = 600));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_until_logged("runs on trial");
    let booted = device.clock.now_ms();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    assert!(device.clock.now_ms() - booted >= 60_000, "600 times 100 ms");
}

#[test]
fn a_self_test_without_end_ends_with_the_deadline() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.config.timing.commit_deadline_ms = 60_000;
        d.at_boot = Box::new(|ports| ports.app.self_test_pending = u32::MAX);
    });
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_until_logged("runs on trial");
    let booted = device.clock.now_ms();
    device.run_until("the old image", |d| d.boots >= 3);
    assert!((60_000..61_000).contains(&(device.clock.now_ms() - booted)));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(
        (device.version().as_str(), final_statuses(&server, &deployment)),
        ("1.0.0", vec!["failure".to_owned()])
    );
}

#[test]
fn the_deadline_wins_over_a_server_that_wants_to_be_asked_later() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.config.timing.poll_ms = 86_400_000;
        d.config.timing.commit_deadline_ms = 300_000;
    });
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_until_logged("reported rebooting");
    server.fault(Fault::report().body_contains("installing").status(429).header("Retry-After", "86400"));
    device.run_until_logged("runs on trial");
    let booted = device.clock.now_ms();
    device.run_until("the old image", |d| d.boots >= 3);
    let took = device.clock.now_ms() - booted;
    assert!((300_000..301_000).contains(&took), "{took}");
    device.run_to_the_end(&server, &deployment);
    assert_eq!(
        (device.version().as_str(), final_statuses(&server, &deployment)),
        ("1.0.0", vec!["failure".to_owned()])
    );
}

#[test]
fn the_probe_before_the_commit_gives_up_after_ten_tries_or_a_quarter_of_an_hour() {
    for tries in [3, 10] {
        let server = http();
        let mut device = Device::with(&server, |d| d.config.timing.probe_tries = tries);
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_until_logged("reported rebooting");
        let fault = server.fault(Fault::report().body_contains("installing").status(500));
        device.run_until_logged("runs on trial");
        let booted = device.clock.now_ms();
        device.run_until("the old image", |d| d.boots >= 3);
        let took = device.clock.now_ms() - booted;
        let struck = server.fault_strikes(fault);
        assert!(took < 1_300_000 && struck <= u32::from(tries) && struck >= 3, "{took} ms, {struck} tries");
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    }
}

#[test]
fn the_application_is_told_what_happens_in_order() {
    for (behaviour, last) in
        [(Behaviour::Fine, "DeploymentSucceeded"), (Behaviour::FailsSelfTest, "DeploymentFailed(SelfTest)")]
    {
        let server = http();
        let told = Rc::new(RefCell::new(Vec::new()));
        let heard = Rc::clone(&told);
        let mut device = Device::with(&server, |d| {
            d.at_boot = Box::new(move |ports| {
                let heard = Rc::clone(&heard);
                ports.app.on_notice = Some(Box::new(move |notice: Notice| heard.borrow_mut().push(notice)));
            });
        });
        let deployment = deploy_image(&server, "release-2", image("2.0.0", behaviour));
        device.run_to_the_end(&server, &deployment);
        let told = told.borrow();
        let progress: Vec<(u32, u32)> = told
            .iter()
            .filter_map(|n| {
                if let Notice::Progress { received, total } = n { Some((*received, *total)) } else { None }
            })
            .collect();
        assert!(
            progress.len() >= 3 && progress.is_sorted() && progress.iter().all(|p| p.1 == 57_856),
            "{progress:?}"
        );
        assert!(progress.last().unwrap().0 > 56_000, "{progress:?}");
        let words: Vec<String> =
            told.iter().filter(|n| !matches!(n, Notice::Progress { .. })).map(|n| format!("{n:?}")).collect();
        assert_eq!(words[..3], ["Authenticated", "DeploymentStarted", "Restarting"]);
        assert_eq!(
            words
                .iter()
                .filter(|w| w.starts_with("DeploymentSucc") || w.starts_with("DeploymentFail"))
                .collect::<Vec<_>>(),
            [last]
        );
    }
}

#[test]
fn a_check_asked_for_during_a_deployment_comes_after_it() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let first = deploy_image(&server, "release-2", good("2.0.0"));
    let second = deploy_image(&server, "release-3", good("3.0.0"));
    device.client().check_now();
    device.run_until("bytes", |d| d.slot_touched());
    device.client().check_now();
    device.run_to_the_end(&server, &first);
    device.run_to_the_end(&server, &second);
    assert_eq!(device.version(), "3.0.0");
}
