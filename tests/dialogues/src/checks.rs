// SPDX-License-Identifier: Apache-2.0
//! What several tests ask of the client in the same words.

use mender_client::Phase;
use mender_server::{Fault, Server};

use crate::{Device, deploy_image, dialogue, final_statuses, good, http};

/// Tries of a call that are made at once where that is worth it.
pub const QUICK_TRIES: usize = 3;

/// The check is answered as `spoil` says: the client asks `tries` times, persists nothing, waits at least a minute, and takes the
/// update once the server behaves.
///
/// # Panics
/// When any of that is not so.
pub fn a_spoilt_check_is_made_again_later(tries: usize, spoil: impl FnOnce(Fault) -> Fault) {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.idle_timeout_ms = 250);
    device.run_until_quiet();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    let written = device.record_writes();
    let fault = server.fault(spoil(Fault::check()));
    server.clear_requests();
    device.client().check_now();
    let wait_ms = device.run_until_quiet();
    let story = device.story();
    assert_eq!(usize::try_from(server.fault_strikes(fault)), Ok(tries), "tries\n{story}");
    assert!((60_000..=72_000).contains(&wait_ms), "{wait_ms}\n{story}");
    assert_eq!(device.snapshot().phase, Phase::Idle);
    assert_eq!(device.record_writes(), written, "nothing persisted\n{story}");
    assert!(!device.slot_touched());
    assert!(dialogue(&server).iter().all(|line| line.starts_with("check")), "{:?}", dialogue(&server));
    server.clear_faults();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

/// The next deployment succeeds: whatever came before has left nothing behind.
///
/// # Panics
/// When it does not.
pub fn the_next_update_succeeds(server: &Server, device: &mut Device) {
    server.clear_faults();
    let deployment = deploy_image(server, "release-9", good("9.0.0"));
    device.update(server, &deployment);
    assert_eq!(final_statuses(server, &deployment), ["success"], "{}", device.story());
    assert_eq!((device.version().as_str(), device.artifact_name().as_str()), ("9.0.0", "release-9"));
}
