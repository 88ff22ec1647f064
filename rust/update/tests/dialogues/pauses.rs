// SPDX-License-Identifier: Apache-2.0
//! The application defers or refuses.

use crate::device::{Device, IMAGE, MODULE, MODULE_ONE_WAY, NEW_INCONSISTENT, OLD};
use mender_base::words::ModuleState::{ArtifactFailure, ArtifactInstall, ArtifactRollback};
use mender_base::words::Stage as Ask;
use mender_base::{Error, Status};
use mender_update::Phase;

#[test]
fn a_pause_is_reported_once_and_the_application_is_asked_every_ten_seconds() {
    let mut d = Device::new(IMAGE);
    d.takes().defers(Ask::Install).reports(Status::PauseBeforeInstalling);
    for _ in 0..5 {
        d.waits(10_000).defers(Ask::Install);
    }
    d.waits(10_000).asks(Ask::Install).reports(Status::Installing);
    d.defers(Ask::Reboot).reports(Status::PauseBeforeRebooting).waits(10_000).defers(Ask::Reboot);
    d.waits(10_000).asks(Ask::Reboot).reports(Status::Rebooting).saves(Phase::Install).arms();
    d.saves(Phase::VerifyReboot).reboots().self_tests().probes();
    d.defers(Ask::Commit).reports(Status::PauseBeforeCommitting).waits(10_000).defers(Ask::Commit);
    d.waits(10_000).asks(Ask::Commit).reports(Status::Installing).saves(Phase::Commit);
}

#[test]
fn a_pause_that_the_server_does_not_hear_is_a_pause_all_the_same() {
    let mut d = Device::new(IMAGE);
    d.takes().defers(Ask::Install).report_fails(Status::PauseBeforeInstalling, Some(99_000)).waits(10_000);
    d.asks(Ask::Install).reports(Status::Installing);
}

#[test]
fn a_power_cut_during_a_pause_takes_the_same_offer_up_again() {
    let mut d = Device::new(IMAGE);
    d.takes().defers(Ask::Install).reports(Status::PauseBeforeInstalling).power_cut();
    d.takes().asks(Ask::Install).reports(Status::Installing);
    d.defers(Ask::Reboot).reports(Status::PauseBeforeRebooting).power_cut();
    assert!(!d.boot.new);
    d.takes().asks(Ask::Install).reports(Status::Installing).asks(Ask::Reboot).reports(Status::Rebooting);
}

#[test]
fn a_refusal_fails_the_deployment_and_undoes_what_was_done() {
    let refused = Error::ApplicationRefused;
    Device::new(IMAGE).takes().refuses(Ask::Install).fails(refused, OLD);
    Device::new(MODULE_ONE_WAY).takes().refuses(Ask::Install).fails(refused, OLD);
    let mut d = Device::new(IMAGE);
    d.takes().asks(Ask::Install).reports(Status::Installing).refuses(Ask::Reboot).fails(refused, OLD);
    let mut d = Device::new(IMAGE);
    d.installs()
        .self_tests()
        .probes()
        .refuses(Ask::Commit)
        .saves(Phase::Rollback)
        .reboots()
        .fails(refused, OLD);
    let mut d = Device::new(MODULE);
    d.gets_ready().runs(ArtifactInstall).refuses(Ask::Commit).saves(Phase::Rollback).runs(ArtifactRollback);
    d.runs(ArtifactFailure).fails(refused, OLD);
    let mut d = Device::new(MODULE_ONE_WAY);
    d.gets_ready().runs(ArtifactInstall).refuses(Ask::Commit).runs(ArtifactFailure);
    d.fails(refused, NEW_INCONSISTENT);
}

#[test]
fn a_refusal_after_a_pause_fails_the_deployment() {
    let mut d = Device::new(IMAGE);
    d.takes().defers(Ask::Install).reports(Status::PauseBeforeInstalling).waits(10_000).refuses(Ask::Install);
    d.fails(Error::ApplicationRefused, OLD);
}

#[test]
fn the_pause_of_the_next_deployment_is_reported_again() {
    let mut d = Device::new(IMAGE);
    d.takes().defers(Ask::Install).report_aborted(Status::PauseBeforeInstalling).drops_it().waits(1_800_000);
    d.takes().defers(Ask::Install).reports(Status::PauseBeforeInstalling).waits(10_000);
}
