// SPDX-License-Identifier: Apache-2.0
//! Deployments that are aborted, unknown, or whose reports are not heard: §10.33 and 34.

use mender_client::Phase;
use mender_dialogues::{
    Device, deploy, deploy_image, dialogue, final_statuses, good, http, image, module_artifact, reports,
    status, the_next_update_succeeds,
};
use mender_server::{Cut, Fault, Server};
use mender_sim::mcuboot;
use mender_sim::modules::FailAt;
use mender_sim::trailer::SwapType;
use mender_testkit::image::Behaviour;

fn ready() -> (Server, Device) {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    (server, device)
}

/// How the server says that it wants no more of the deployment.
#[derive(Clone, Copy, Debug)]
enum Says {
    Aborted,
    Unknown,
}

impl Says {
    const ALL: [Self; 2] = [Self::Aborted, Self::Unknown];

    fn it_now(self, server: &Server, deployment: &str) {
        match self {
            Self::Aborted => server.abort(deployment).unwrap(),
            Self::Unknown => {
                server.fault(Fault::report().status(404).body(r#"{"error":"Resource not found"}"#));
            }
        }
    }
}

/// Runs a deployment of `image` until the log says `when`, then lets the server say that it is over. What was reported in all.
fn aborted_after(says: Says, when: &str, image: Vec<u8>, runs: &str) -> Vec<String> {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", image);
    device.client().check_now();
    device.run_until_logged(when);
    says.it_now(&server, &deployment);
    device.run_until("the end of it", |d| d.snapshot().phase == Phase::Idle);
    if matches!(says, Says::Unknown) {
        server.clear_faults();
        server.abort(&deployment).unwrap();
    }
    device.run_until_quiet();
    assert_eq!(device.version(), runs, "{says:?} after {when}\n{}", device.story());
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None, "{says:?} after {when}");
    let name = if runs == "2.0.0" { "release-2" } else { "release-1" };
    assert_eq!(device.artifact_name(), name);
    let reported = dialogue(&server)
        .into_iter()
        .filter(|l| l.ends_with(" 204") || l.ends_with(" 409") || l.ends_with(" 404"));
    let reported: Vec<_> = reported.filter(|l| !l.starts_with("check")).collect();
    device.restart();
    device.run_until_quiet();
    assert_eq!(device.version(), runs, "for good");
    the_next_update_succeeds(&server, &mut device);
    reported
}

/// Not even one that the server refuses.
fn no_end_is_told(server: &Server, deployment: &str) {
    let told = reports(server, deployment);
    assert!(!told.iter().any(|status| status == "success" || status == "failure"), "{told:?}");
}

#[test]
fn c33a_an_abort_before_the_download_keeps_it_from_beginning() {
    for (says, code) in Says::ALL.into_iter().zip([409, 404]) {
        let reported = aborted_after(says, "deployment of release-2", good("2.0.0"), "1.0.0");
        assert_eq!(reported, [format!("downloading {code}")]);
    }
}

#[test]
fn c33b_an_abort_during_the_download_is_heard_before_the_installation() {
    for (says, code) in Says::ALL.into_iter().zip([409, 404]) {
        let reported = aborted_after(says, "downloading from byte 0", good("2.0.0"), "1.0.0");
        assert_eq!(reported, ["downloading 204".to_owned(), format!("installing {code}")]);
    }
}

#[test]
fn c33c_an_abort_before_the_restart_disarms_the_swap() {
    for (says, code) in Says::ALL.into_iter().zip([409, 404]) {
        let reported = aborted_after(says, "reported installing", good("2.0.0"), "1.0.0");
        assert_eq!(
            reported,
            ["downloading 204".to_owned(), "installing 204".to_owned(), format!("rebooting {code}")]
        );
    }
}

#[test]
fn c33d_an_abort_before_the_commit_brings_the_old_image_back() {
    for (says, code) in Says::ALL.into_iter().zip([409, 404]) {
        let reported = aborted_after(says, "reported rebooting", good("2.0.0"), "1.0.0");
        assert_eq!(
            reported,
            [
                "downloading 204".to_owned(),
                "installing 204".to_owned(),
                "rebooting 204".to_owned(),
                format!("installing {code}")
            ]
        );
    }
}

#[test]
fn c33e_an_abort_after_the_commit_keeps_the_new_software() {
    for (says, code) in Says::ALL.into_iter().zip([409, 404]) {
        let reported = aborted_after(says, "image confirmed", good("2.0.0"), "2.0.0");
        assert_eq!(reported.last(), Some(&format!("success {code}")));
        assert_eq!(reported.iter().filter(|r| r.starts_with("success")).count(), 1);
    }
}

#[test]
fn c33f_an_abort_of_a_failed_deployment_just_ends_it() {
    for (says, code) in Says::ALL.into_iter().zip([409, 404]) {
        let bad = image("2.0.0", Behaviour::FailsSelfTest);
        let reported = aborted_after(says, "self-test of the new firmware failed", bad, "1.0.0");
        assert_eq!(reported.last(), Some(&format!("failure {code}")));
        assert_eq!(reported.iter().filter(|r| r.starts_with("failure")).count(), 1);
        assert!(!reported.iter().any(|r| r.starts_with("log")), "no log of what nobody wants: {reported:?}");
    }
}

#[test]
fn c33g_an_abort_is_obeyed_at_every_report_of_a_module_too() {
    for (reboot, stages) in
        [(true, &["downloading", "installing", "rebooting"][..]), (false, &["downloading", "installing"][..])]
    {
        for stage in stages {
            let server = http();
            let mut device = Device::with(&server, |d| {
                d.at_boot = Box::new(move |ports| ports.modules.needs_reboot = reboot);
            });
            let fault = server.fault(Fault::report().body_contains(stage).status(409));
            let deployment = deploy(&server, &module_artifact("release-2"));
            device.run_until("the fault", |_| server.fault_strikes(fault) > 0);
            server.abort(&deployment).unwrap();
            device.run_until("the end of it", |d| d.snapshot().phase == Phase::Idle);
            device.run_until_quiet();
            assert_eq!(device.module_file(), None, "{stage}, undone");
            assert_eq!(device.artifact_name(), "release-1");
            no_end_is_told(&server, &deployment);
            the_next_update_succeeds(&server, &mut device);
        }
    }
}

#[test]
fn c33h_an_abort_in_mid_download_is_heard_where_that_is_wanted() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.abort_probe_ms = 1);
    let fault = server.fault(Fault::download().drip(1024, 5));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_until("some bytes", |d| d.slot_touched());
    server.abort(&deployment).unwrap();
    device.run_until("the end of it", |d| d.snapshot().phase == Phase::Idle);
    assert_eq!((server.fault_strikes(fault), status(&server, &deployment).as_str()), (1, "aborted"));
    let programmed = device.ports().flash.counts(mender_sim::Area::Slot1).programmed_bytes;
    assert!(programmed < 40 * 1024, "broken off: {programmed}");
    assert!(reports(&server, &deployment).len() > 1, "{:?}", reports(&server, &deployment));
    no_end_is_told(&server, &deployment);
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c33i_looks_for_an_abort_do_no_harm_to_a_download_nor_do_their_failures() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.abort_probe_ms = 2);
    server.fault(Fault::download().drip(1024, 8));
    server.fault(Fault::report().body_contains("downloading").skip(1).times(2).status(500));
    server.fault(Fault::report().body_contains("downloading").skip(3).times(1).drop_reply(Cut::Reset));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    let told = reports(&server, &deployment);
    assert!(told.iter().filter(|s| *s == "downloading").count() > 4, "{told:?}");
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    assert_eq!(dialogue(&server).iter().filter(|l| l.starts_with("download ")).count(), 1, "in one go");
}

#[test]
fn an_abort_is_not_looked_for_in_mid_download_by_default() {
    let (server, mut device) = ready();
    server.fault(Fault::download().drip(4096, 3));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &deployment);
    let told = reports(&server, &deployment);
    assert_eq!(told.iter().filter(|s| *s == "downloading").count(), 1);
}

#[test]
fn c34_a_report_whose_reply_is_lost_is_repeated_and_harmless() {
    for status in ["downloading", "installing", "rebooting", "success"] {
        let (server, mut device) = ready();
        let fault = server.fault(Fault::report().body_contains(status).times(2).drop_reply(Cut::Reset));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.update(&server, &deployment);
        assert_eq!(server.fault_strikes(fault), 2, "{status}");
        assert_eq!(final_statuses(&server, &deployment), ["success"]);
        assert!(reports(&server, &deployment).iter().filter(|s| *s == status).count() >= 3);
    }
}

#[test]
fn c34a_a_final_report_that_nobody_hears_is_repeated_over_hours_and_restarts() {
    for (behaviour, verdict, runs) in
        [(Behaviour::Fine, "success", "2.0.0"), (Behaviour::FailsSelfTest, "failure", "1.0.0")]
    {
        let (server, mut device) = ready();
        let fault = server.fault(Fault::report().body_contains(verdict).status(503));
        let deployment = deploy_image(&server, "release-2", image("2.0.0", behaviour));
        device.client().check_now();
        device.run_until("the report", |_| server.fault_strikes(fault) > 0);
        for _ in 0..5 {
            device.run_for(3_600_000);
            device.restart();
        }
        device.run_for(3_600_000);
        let tries = server.fault_strikes(fault);
        assert!((60..800).contains(&tries), "{verdict}: {tries} in six hours");
        assert!(device.logged("checkpoint") < 20, "no record for each try");
        // Nothing new begins before the old one is told.
        let other = deploy_image(&server, "release-3", good("3.0.0"));
        device.run_for(3_600_000);
        assert_eq!(status(&server, &other), "");
        server.clear_faults();
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), [verdict]);
        device.run_to_the_end(&server, &other);
        assert_eq!(device.version(), "3.0.0", "{runs}");
    }
}

#[test]
fn c34d_a_page_with_another_good_status_has_stored_no_report() {
    for (when, code) in [("success", 200), ("success", 202), ("installing", 200)] {
        let (server, mut device) = ready();
        let page = Fault::report().body_contains(when).skip(u32::from(when == "installing")).times(3);
        let fault = server.fault(page.status(code).body("<html>back soon</html>"));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.update(&server, &deployment);
        assert_eq!(server.fault_strikes(fault), 3, "{when} {code}\n{}", device.story());
        assert_eq!(final_statuses(&server, &deployment), ["success"]);
        assert_eq!(status(&server, &deployment), "success");
    }
}

#[test]
fn c34b_reports_on_the_way_are_not_waited_for() {
    let (server, mut device) = ready();
    for status in ["downloading", "rebooting"] {
        server.fault(Fault::report().body_contains(status).status(500));
    }
    server.fault(Fault::report().body_contains("installing").times(1).status(500));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    let began = device.times_of("").last().copied().unwrap();
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    let ended = device.times_of("success: HTTP 204")[0];
    assert!(ended - began < 10_000, "{}", device.story());
}

#[test]
fn c34c_the_log_is_best_effort() {
    for status in [400, 413, 500] {
        let (server, mut device) = ready();
        let fault = server.fault(Fault::log().status(status));
        let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
        device.update(&server, &deployment);
        assert!(server.fault_strikes(fault) <= 3);
        assert_eq!(final_statuses(&server, &deployment), ["failure"]);
        the_next_update_succeeds(&server, &mut device);
    }
}

#[test]
fn an_abort_before_a_rollback_of_a_module_that_fails_is_a_failure_on_record() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.at_boot = Box::new(|ports| {
            ports.modules.fail_at = vec![FailAt::from_name("ArtifactRollback").unwrap()];
        });
    });
    let deployment = deploy(&server, &module_artifact("release-2"));
    device.run_until_logged("reported rebooting");
    server.abort(&deployment).unwrap();
    device.run_until("the end of it", |d| d.snapshot().phase == Phase::Idle);
    assert_eq!(device.artifact_name(), "release-2_INCONSISTENT", "{}", device.story());
}
