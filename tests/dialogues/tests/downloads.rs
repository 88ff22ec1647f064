// SPDX-License-Identifier: Apache-2.0
//! Artifact stores that break off, change their minds, redirect or lie: §10.37 to 45.

use mender_client::Phase;
use mender_dialogues::{
    Device, Store, artifact, deploy, deploy_image, dialogue, final_statuses, good, http, https,
    module_artifact, ok, reports, sized_image, status, the_next_update_succeeds,
};
use mender_port::{Channel, Clock as _};
use mender_server::{Config, Cut, DeploymentSpec, Fault, Origin, RequestRecord, Server};
use mender_sim::mcuboot;
use mender_sim::trailer::SwapType;
use mender_testkit::image::Behaviour;

fn ready() -> (Server, Device) {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.idle_timeout_ms = 250);
    device.run_until_quiet();
    (server, device)
}

/// The downloads so far: what was asked for, and the status.
fn downloads(server: &Server) -> Vec<String> {
    let asked = |r: &RequestRecord| format!("{} {}", r.header("Range").unwrap_or("all"), r.status);
    server.requests().iter().filter(|r| r.origin == Origin::Storage).map(asked).collect()
}

/// With `fault` on its store the deployment fails with `reason` in its log; the slot is not armed, and nothing is left behind.
fn fails(reason: &str, fault: impl FnOnce(Fault) -> Fault) -> Vec<String> {
    let (server, mut device) = ready();
    server.fault(fault(Fault::download()));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "failure"], "{}", device.story());
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains(reason)), "{reason}: {log:?}");
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
    let asked = downloads(&server);
    device.restart();
    device.run_until_quiet();
    assert_eq!(device.version(), "1.0.0");
    the_next_update_succeeds(&server, &mut device);
    asked
}

/// With `faults` on its store the deployment succeeds all the same.
fn succeeds(faults: impl FnOnce(&Server)) -> Vec<String> {
    let (server, mut device) = ready();
    faults(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    assert_eq!(device.version(), "2.0.0");
    downloads(&server)
}

/// A device whose link has expired before it asks for the first byte, with `faults`; the deployment.
fn with_expired_link(faults: impl FnOnce(&Server)) -> (Server, Device, String) {
    let (server, mut device) = ready();
    faults(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("reported downloading");
    server.expire_links();
    server.clear_requests();
    (server, device, deployment)
}

#[test]
fn c37_an_expired_link_is_renewed_once() {
    let (server, mut device, deployment) = with_expired_link(|_| {});
    device.run_to_the_end(&server, &deployment);
    assert_eq!(dialogue(&server)[..3], ["download 403", "check 200", "download 200"]);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c37a_a_link_that_is_refused_again_fails_the_deployment() {
    let asked = fails("store refused", |f| f.status(403).body("<Error><Code>AccessDenied</Code></Error>"));
    assert_eq!(asked, ["all 403", "all 403"]);
}

/// A device whose link has expired after the first 20 000 bytes; the deployment.
fn with_link_that_expires_in_mid_download() -> (Server, Device, String) {
    let (server, mut device) = ready();
    server.fault(Fault::download().times(1).cut_body(20_000));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("download broke");
    server.expire_links();
    (server, device, deployment)
}

#[test]
fn c37b_a_link_that_expires_in_mid_download_is_renewed_and_the_download_goes_on() {
    let (server, mut device, deployment) = with_link_that_expires_in_mid_download();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(downloads(&server), ["all 200", "bytes=20000- 403", "bytes=20000- 206"]);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c37g_each_link_that_has_brought_the_artifact_further_may_be_renewed() {
    let (server, mut device, deployment) = with_link_that_expires_in_mid_download();
    server.fault(Fault::download().skip(1).times(1).cut_body(17_000));
    device.run_until("the second break", |d| d.logged("download broke") == 2);
    server.expire_links();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    let asked = downloads(&server);
    assert_eq!(asked.iter().filter(|a| a.ends_with("403")).count(), 2, "{asked:?}");
}

#[test]
fn c37h_a_renewed_link_has_redirects_of_its_own() {
    let (server, mut device) = ready();
    let whole = artifact("release-2", good("2.0.0")).build();
    let mut asked = 0;
    let last = Store::start(move |head| {
        asked += 1;
        match asked {
            1 => reply_from(&whole, head, 20_000),
            2 => b"HTTP/1.1 403 Expired\r\nContent-Length: 0\r\n\r\n".to_vec(),
            _ => reply_from(&whole, head, usize::MAX),
        }
    });
    let target = format!("{}/signed", last.url());
    let hop = Store::start(move |_| {
        format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    });
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    server.fault(Fault::download().redirect(302, &format!("{}/hop", hop.url())));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    assert_eq!((hop.heads().len(), last.heads().len()), (2, 3));
}

/// What a store with ranges and without tags sends of `whole`, `most` bytes of it.
fn reply_from(whole: &[u8], head: &str, most: usize) -> Vec<u8> {
    let range = head.lines().find_map(|line| line.strip_prefix("Range: bytes="));
    let from: usize = range.map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
    let (total, left) = (whole.len(), whole.len() - from);
    let line = if from == 0 { "200 OK" } else { "206 Partial Content" };
    let head = format!(
        "HTTP/1.1 {line}\r\nContent-Range: bytes {from}-{}/{total}\r\nContent-Length: {left}\r\n\r\n",
        total - 1
    );
    [head.as_bytes(), &whole[from..from + most.min(left)]].concat()
}

#[test]
fn an_artifact_that_changed_has_tries_of_its_own() {
    // The link breaks every 2 500 bytes, which is no reason to give up; the artifact changes once, at 30 000.
    let (server, mut device) = ready();
    let whole = artifact("release-2", good("2.0.0")).build();
    let mut tag = 1;
    let store = Store::start(move |head| {
        let from = head.lines().find_map(|line| line.strip_prefix("Range: bytes="));
        if from.is_some_and(|from| from.trim_end_matches('-').parse::<usize>().unwrap() > 30_000) {
            tag = 2;
        }
        let reply = reply_from(&whole, head, 2_500);
        let tagged = format!("\r\nETag: \"{tag}\"\r\n");
        let line = reply.windows(2).position(|two| two == b"\r\n").unwrap();
        [&reply[..line], tagged.as_bytes(), &reply[line + 2..]].concat()
    });
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    server.fault(Fault::download().redirect(307, &format!("{}/x", store.url())));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
}

#[test]
fn c37c_a_server_that_is_away_when_a_link_is_to_be_renewed_is_asked_later() {
    for away in [
        Fault::check().skip(1).times(4).drop_request(Cut::Reset),
        Fault::check().skip(1).times(1).status(503),
    ] {
        let asked = succeeds(|server| {
            server.fault(Fault::download().times(1).status(403));
            server.fault(away);
        });
        assert_eq!(asked, ["all 403", "all 200"], "not with the link that was of no use");
    }
}

#[test]
fn c37e_a_retry_after_is_obeyed_when_a_link_is_to_be_renewed() {
    let (server, mut device, deployment) = with_expired_link(|_| {});
    let fault = server.fault(Fault::check().times(1).status(429).header("Retry-After", "500"));
    let before_ms = device.clock.now_ms();
    device.run_until_logged("downloaded and verified");
    assert_eq!(server.fault_strikes(fault), 1);
    let waited_ms = device.clock.now_ms() - before_ms;
    assert!((500_000..520_000).contains(&waited_ms), "{waited_ms}\n{}", device.story());
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn a_store_that_says_when_to_come_back_is_left_alone_until_then() {
    let (server, mut device) = ready();
    server.fault(Fault::download().times(2).status(503).header("Retry-After", "500"));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    let before_ms = device.clock.now_ms();
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
    let waited_ms = device.clock.now_ms() - before_ms;
    assert!((1_000_000..1_060_000).contains(&waited_ms), "{waited_ms}\n{}", device.story());
}

#[test]
fn c37f_a_new_link_that_breaks_off_is_never_mixed_with_the_old_one() {
    // The check that renews the link is cut within it, and the next one is not.
    let (server, mut device, deployment) = with_expired_link(|server| {
        server.fault(Fault::check().skip(1).times(3).cut_body(150));
    });
    device.run_to_the_end(&server, &deployment);
    assert_eq!(downloads(&server), ["all 403", "all 200"], "{}", device.story());
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c37d_a_link_that_would_lead_to_another_deployment_is_not_taken() {
    let (server, mut device) = ready();
    let first = deploy_image(&server, "release-2", good("2.0.0"));
    let second = deploy_image(&server, "release-3", good("3.0.0"));
    device.client().check_now();
    device.run_until_logged("reported downloading");
    server.expire_links();
    server.abort(&first).unwrap();
    device.run_until("the end of the first", |d| d.snapshot().phase == Phase::Idle);
    assert_eq!(device.version(), "1.0.0");
    device.update(&server, &second);
    assert_eq!(device.version(), "3.0.0");
}

#[test]
fn c38_an_error_page_is_not_an_artifact_and_is_asked_again_later() {
    for code in [404, 429, 500, 502, 503, 504] {
        let asked = succeeds(|server| {
            server.fault(Fault::download().times(3).status(code).body("<html>oops</html>"));
        });
        let refused = format!("all {code}");
        assert_eq!(asked, [refused.as_str(), &refused, &refused, "all 200"]);
    }
}

#[test]
fn c38a_an_error_page_for_ever_fails_the_deployment_after_ten_tries() {
    for code in [404, 500] {
        let asked = fails("", |f| f.status(code).body("<html>oops</html>"));
        assert_eq!(asked.len(), 10, "{asked:?}");
    }
}

#[test]
fn c38b_other_refusals_fail_the_deployment_at_once() {
    for code in [400, 401, 402, 405, 410, 418, 206, 201, 304] {
        let asked = fails("store refused", |f| f.status(code).body("<html>oops</html>"));
        assert_eq!(asked.len(), 1, "{code}: {asked:?}");
    }
}

#[test]
fn c39_a_store_without_ranges_sends_all_again_and_nothing_is_written_twice() {
    let server = Server::start(Config { ranges: false, ..Config::default() }).unwrap();
    let mut device = Device::new(&server);
    for bytes in [1, 600, 5000, 9000, 9217, 20_000, 50_000] {
        server.fault(Fault::download().times(1).cut_body(bytes));
    }
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    assert_eq!(device.version(), "2.0.0");
    let expected = ["all 200", "bytes=1- 200", "bytes=600- 200", "bytes=5000- 200", "bytes=9000- 200"];
    assert_eq!(downloads(&server)[..5], expected);
    assert_eq!(downloads(&server).len(), 8);
}

#[test]
fn a_broken_download_goes_on_at_the_byte_where_it_broke() {
    for tls in [false, true] {
        let server = if tls { https() } else { http() };
        let mut device = Device::new(&server);
        for (cut, bytes) in [(Cut::Fin, 700), (Cut::Reset, 10_000), (Cut::CloseNotify, 20_000)] {
            server.fault(Fault::download().times(1).cut_body(bytes).how(cut));
        }
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
        let asked = downloads(&server);
        let from = |line: &str| line.trim_start_matches("bytes=").split('-').next().unwrap().parse::<usize>();
        assert_eq!(asked[0], "all 200");
        // A reset may take bytes with it that were on their way.
        let mut lost = 0;
        let mut sent = 0;
        for (line, bytes) in asked[1..].iter().zip([700, 10_000, 20_000]) {
            let start = from(line).unwrap();
            assert!(line.ends_with(" 206"), "{asked:?}");
            lost += sent + bytes - start;
            sent = start;
        }
        assert!(lost <= 16 * 1024, "{lost} bytes were fetched again");
        assert!(asked.len() == 4, "{asked:?}");
    }
}

#[test]
fn what_is_asked_of_the_store_carries_no_credentials_and_names_the_version_it_continues() {
    let server = https();
    let mut device = Device::new(&server);
    server.fault(Fault::download().times(1).cut_body(10_000));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    let asked: Vec<_> = server.requests().into_iter().filter(|r| r.origin == Origin::Storage).collect();
    assert_eq!(asked.len(), 2);
    for request in &asked {
        for (name, _) in &request.headers {
            let name = name.to_ascii_lowercase();
            assert!(["host", "user-agent", "range", "if-match"].contains(&name.as_str()), "{name}");
        }
        assert_eq!(request.method, "GET");
    }
    assert!(asked[0].header("If-Match").is_none() && asked[1].header("If-Match").is_some());
    assert!(asked.iter().all(|r| r.tls));
}

/// A download that breaks after `broke` bytes and is then answered as `spoil` says.
fn breaks_then(broke: usize, times: u32, spoil: impl FnOnce(Fault) -> Fault) -> impl FnOnce(&Server) {
    move |server| {
        server.fault(Fault::download().times(1).cut_body(broke));
        server.fault(spoil(Fault::download().times(times)));
    }
}

#[test]
fn c40_a_range_that_was_not_asked_for_is_not_taken_and_the_download_begins_anew_once() {
    let total = artifact("release-2", good("2.0.0")).build().len();
    let last = total - 1;
    for range in [
        format!("bytes 0-{last}/{total}"),
        format!("bytes 4999-{last}/{total}"),
        format!("bytes 5001-{last}/{total}"),
        format!("bytes 5000-{last}/{}", total + 1),
        // To its own end, which is another one.
        format!("bytes 5000-{total}/{}", total + 1),
        format!("bytes 5000-{}/{total}", last - 1000),
        format!("items 5000-{last}/{total}"),
        format!("bytes */{total}"),
        format!("bytes 5000-{last}"),
        "bytes 5000-99999999999/99999999999".to_owned(),
        "x".repeat(60),
    ] {
        let asked = succeeds(breaks_then(5000, 1, |f| f.header("Content-Range", &range)));
        assert_eq!(asked, ["all 200", "bytes=5000- 206", "all 200"], "{range}");
    }
    let asked = succeeds(breaks_then(5000, 1, |f| f.without_header("Content-Range")));
    assert_eq!(asked, ["all 200", "bytes=5000- 206", "all 200"], "as in a reply of several parts");
}

#[test]
fn c40a_a_range_of_unknown_total_is_taken() {
    let last = artifact("release-2", good("2.0.0")).build().len() - 1;
    let range = format!("bytes 5000-{last}/*");
    let asked = succeeds(breaks_then(5000, 1, |f| f.header("Content-Range", &range)));
    assert_eq!(asked, ["all 200", "bytes=5000- 206"]);
}

#[test]
fn c40b_a_store_that_answers_every_range_wrongly_fails_the_deployment() {
    let (server, mut device) = ready();
    server.fault(Fault::download().times(1).cut_body(5000));
    server.fault(Fault::download().times(1).header("Content-Range", "bytes 0-1/2"));
    server.fault(Fault::download().times(1).cut_body(6000));
    server.fault(Fault::download().times(1).header("Content-Range", "bytes 0-1/2"));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &deployment);
    assert_eq!(downloads(&server), ["all 200", "bytes=5000- 206", "all 200", "bytes=6000- 206"]);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c41_an_artifact_that_changed_is_begun_anew_once() {
    let other = "\"another\"";
    let all = ["all 200", "bytes=5000- 206", "all 200"];
    assert_eq!(succeeds(breaks_then(5000, 1, |f| f.header("ETag", other))), all);
    for code in [412, 416] {
        let asked = succeeds(breaks_then(5000, 1, |f| f.status(code).body("")));
        assert_eq!(asked, ["all 200".to_owned(), format!("bytes=5000- {code}"), "all 200".to_owned()]);
    }
}

#[test]
fn c41a_an_artifact_that_changed_behind_a_store_without_ranges_is_begun_anew_once() {
    let whole = artifact("release-2", good("2.0.0")).build();
    for (tag, longer) in [("\"2\"", 0), ("\"1\"", 512)] {
        let (server, mut device) = ready();
        let bytes = whole.clone();
        let mut number = 0;
        // First a part, then another artifact of the same name, then the right one.
        let store = Store::start(move |_| {
            number += 1;
            let mut body = bytes.clone();
            let said = match number {
                1 => "\"1\"",
                2 => {
                    let at = body.len() - 20_000;
                    body[at] ^= 1;
                    body.extend(vec![0; longer]);
                    tag
                }
                _ => "\"3\"",
            };
            let reply = ok(&body);
            let head = format!("HTTP/1.1 200 OK\r\nETag: {said}\r\n");
            let mut reply = [head.as_bytes(), &reply[17..]].concat();
            if number == 1 {
                reply.truncate(20_000);
            }
            reply
        });
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.client().check_now();
        server.fault(Fault::download().redirect(307, &format!("{}/x", store.url())));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{tag} {longer}\n{}", device.story());
        assert_eq!(store.heads().len(), 3, "{:?}", store.heads());
    }
}

#[test]
fn c42_a_download_that_breaks_at_every_byte_of_its_header_part_is_whole_in_the_end() {
    let made = module_artifact("release-2");
    let bytes = made.build();
    let header = bytes.windows(14).position(|w| w == b"data/0000.tar\0").unwrap();
    // Breaks come this far apart; with the first one at each byte up to that, there is one at every position.
    let apart = 128;
    let breaks = u32::try_from(header / apart).unwrap();
    let server = http();
    server.upload(bytes).unwrap();
    let mut broken = 0;
    for first in 1..=apart {
        server.fault(Fault::download().times(1).cut_body(first));
        server.fault(Fault::download().times(breaks).cut_body(apart));
        let mut device = Device::with(&server, |d| {
            d.mac = format!("02:00:00:00:00:{first:02x}");
            d.config.download_tries = 255;
            d.at_boot = Box::new(|ports| ports.modules.needs_reboot = false);
        });
        device.run_until_quiet();
        let id = server.devices().iter().find(|d| d.identity.contains(&device.mac)).unwrap().id.clone();
        let deployment = server.deploy(DeploymentSpec::device("release-2", &id)).unwrap();
        server.clear_requests();
        device.update(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{first}\n{}", device.story());
        assert_eq!(device.module_file().as_deref(), Some("release-2"), "{first}");
        broken += device.logged("download broke");
        server.clear_faults();
    }
    assert!(broken > header && header > 5000, "{broken} breaks in {header} bytes");
}

#[test]
fn c42a_an_image_download_that_breaks_here_and_there_is_whole_in_the_end() {
    for tls in [false, true] {
        let server = if tls { https() } else { http() };
        let mut device = Device::with(&server, |d| d.config.download_tries = 255);
        server.fault(Fault::download().cut_body(977));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
        assert!(downloads(&server).len() >= 57, "{}", downloads(&server).len());
    }
}

#[test]
fn c42b_a_download_that_breaks_without_progress_fails_after_ten_tries() {
    for cut in [
        Fault::download().cut_body(0),
        Fault::download().cut_after(10),
        Fault::download().drop_reply(Cut::Fin),
    ] {
        let asked = fails("", |_| cut);
        assert_eq!(asked.len(), 10);
    }
}

#[test]
fn c42c_a_body_without_a_stated_length_that_ends_early_is_taken_up_again() {
    let asked = succeeds(|server| {
        server.fault(Fault::download().times(1).until_close().cut_body(20_000));
        server.fault(Fault::download().times(1).chunked(1000).cut_body(20_000));
    });
    assert_eq!(asked[..2], ["all 200", "bytes=20000- 206"]);
    assert_eq!(asked.len(), 3);
}

#[test]
fn c42d_a_link_that_breaks_every_few_kilobytes_gets_there_with_ten_tries_for_each_sixteen() {
    let asked = succeeds(|server| {
        server.fault(Fault::download().cut_body(2500));
    });
    assert!(asked.len() > 20, "{}", asked.len());
}

#[test]
fn c43_a_body_without_end_is_left_at_the_end_of_the_artifact() {
    let asked = succeeds(|server| {
        server.fault(Fault::download().endless());
    });
    assert_eq!(asked.len(), 1);
}

#[test]
fn c43a_zero_blocks_may_follow_the_artifact_and_nothing_else() {
    for zeros in [512, 10_240, 20_480] {
        succeeds(|server| {
            server.fault(Fault::download().append(vec![0; zeros]));
        });
    }
    fails("bad end of a tar archive", |f| f.append(vec![0; 200_000]));
    fails("bad end of a tar archive", |f| f.append("x"));
    fails("bad end of a tar archive", |f| f.append([vec![0; 700], b"junk".to_vec()].concat()));
}

#[test]
fn c44_an_image_larger_than_the_slot_fails_before_anything_is_erased() {
    let (server, mut device) = ready();
    let image = sized_image("2.0.0", Behaviour::Fine, 125 * 1024);
    let deployment = deploy_image(&server, "release-2", image);
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "failure"]);
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains("slot could not be opened")), "{log:?}");
    assert!(!device.slot_touched());
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn c44a_an_image_that_just_fits_is_taken() {
    let (server, mut device) = ready();
    let room = device.ports().flash.layout().max_image_size() as usize;
    let deployment = deploy_image(&server, "release-2", sized_image("2.0.0", Behaviour::Fine, room));
    device.update(&server, &deployment);
    assert_eq!(device.version(), "2.0.0");
}

#[test]
fn c45_an_empty_body_fails_the_deployment() {
    fails("ended too early", |f| f.body(""));
    let (server, mut device) = ready();
    let id = deploy_image(&server, "release-2", good("2.0.0"));
    server.fault(Fault::download().body("").until_close());
    device.update(&server, &id);
    assert_eq!(status(&server, &id), "failure");
}

#[test]
fn c45a_a_body_shorter_than_the_artifact_but_as_long_as_stated_fails_the_deployment() {
    for length in [1, 512, 5000, 30_000] {
        fails("ended too early", |f| f.truncate(length));
    }
}

#[test]
fn c61_a_damaged_byte_anywhere_fails_the_deployment() {
    let whole = artifact("release-2", good("2.0.0")).build();
    // Padding is nobody's; whatever is not zero belongs to something.
    let counts: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for at in counts.iter().step_by(counts.len() / 40) {
        fails("", |f| f.corrupt(*at));
    }
    fails("checksum of a payload file", |f| f.corrupt(whole.len() - 2048 - 1));
}

#[test]
fn c12a_a_download_follows_three_redirects_and_no_more() {
    let (server, mut device) = ready();
    let whole = artifact("release-2", good("2.0.0")).build();
    let last = Store::of(whole);
    let mut next = format!("{}/artifact?sig=a%2Fb&x=1", last.url());
    let mut stores = vec![last];
    for code in [301, 302, 307] {
        let target = next.clone();
        let store = Store::start(move |_| {
            format!("HTTP/1.1 {code} Elsewhere\r\nLocation: {target}\r\nContent-Length: 4\r\n\r\nbye!")
                .into_bytes()
        });
        next = format!("{}/hop", store.url());
        stores.push(store);
    }
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    // Straight to the second hop: three redirects in all.
    let third = format!("{}/hop", stores[2].url());
    let fault = server.fault(Fault::download().redirect(308, &third));
    device.update(&server, &deployment);
    assert_eq!((server.fault_strikes(fault), status(&server, &deployment).as_str()), (1, "success"));
    assert!(stores[0].heads()[0].starts_with("GET /artifact?sig=a%2Fb&x=1 HTTP/1.1\r\n"));
    for store in &stores {
        assert!(store.heads().iter().all(|h| !h.to_ascii_lowercase().contains("authorization")));
    }
    // Through all hops it is one too many.
    server.clear_faults();
    server.fault(Fault::download().redirect(303, &next));
    let deployment = deploy_image(&server, "release-3", good("3.0.0"));
    device.update(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "failure"]);
    assert_eq!(stores[0].heads().len(), 1, "never got there");
}

#[test]
fn c12e_a_redirect_that_breaks_off_leaves_no_mixture_of_two_addresses() {
    let (server, mut device) = ready();
    let elsewhere = Store::of(artifact("release-2", good("2.0.0")).build());
    // Broken within the address, behind it, and by a header that is no header.
    let address = format!("{}/artifact?signature=1", elsewhere.url());
    let whole = format!("HTTP/1.1 302 Found\r\nLocation: {address}\r\nContent-Length: 0\r\n\r\n");
    let within = whole.find("/artifact").unwrap() + 5;
    let behind = whole.find("\r\nContent").unwrap() + 2;
    let garbage = format!("{}\u{1}\r\n\r\n", &whole[..behind]);
    for reply in [&whole[..within], &whole[..behind], &garbage] {
        let bytes = reply.as_bytes().to_vec();
        let breaks = Store::start(move |_| bytes.clone());
        let fault = server.fault(Fault::download().times(1).redirect(302, &format!("{}/x", breaks.url())));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        server.clear_requests();
        device.run_to_the_end(&server, &deployment);
        assert_eq!(server.fault_strikes(fault), 1);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{reply}\n{}", device.story());
        assert_eq!(downloads(&server), ["all 302", "all 200"], "a fresh link is asked for");
        assert_eq!((breaks.heads().len(), elsewhere.heads().len()), (1, 0));
        the_next_update_succeeds(&server, &mut device);
    }
}

#[test]
fn c12b_a_redirect_loop_or_one_to_nowhere_fails_the_deployment() {
    let loops = Store::start({
        let mut own = None::<String>;
        move |head| {
            let host = head.lines().find_map(|l| l.strip_prefix("Host: ")).unwrap().trim().to_owned();
            let own = own.get_or_insert(format!("http://{host}/again"));
            format!("HTTP/1.1 302 Found\r\nLocation: {own}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        }
    });
    let asked = fails("bad redirect", |f| f.redirect(302, &format!("{}/x", loops.url())));
    assert_eq!((asked.len(), loops.heads().len()), (1, 3));
    fails("bad redirect", |f| f.status(302).body(""));
    fails("unusable URL", |f| f.redirect(302, "/relative"));
    fails("unusable URL", |f| f.redirect(302, "ftp://h/x"));
    fails("unusable URL", |f| f.redirect(302, "http://user@h/x"));
    fails("bad redirect", |f| f.redirect(302, &format!("http://h/{}", "x".repeat(1100))));
}

#[test]
fn c12c_a_redirect_from_https_to_http_is_refused_even_where_http_is_allowed() {
    for allow_http in [false, true] {
        let server = https();
        let mut device = Device::with(&server, |d| d.config.allow_http = allow_http);
        let store = Store::of(artifact("release-2", good("2.0.0")).build());
        server.fault(Fault::download().redirect(302, &format!("{}/x", store.url())));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(reports(&server, &deployment), ["downloading", "failure"]);
        let log = server.only_device_of(&deployment).unwrap().log;
        assert!(log.iter().any(|entry| entry.message.contains("clear text")), "{log:?}");
        assert!(store.heads().is_empty());
        assert!(device.take_opened().iter().all(|o| o.tls), "not even a connection");
    }
}

#[test]
fn c12d_a_redirect_to_a_host_that_cannot_show_who_it_is_gets_no_request() {
    let server = https();
    let other = https();
    let mut device = Device::with(&server, |d| d.config.download_tries = 2);
    server.fault(Fault::download().redirect(302, &format!("{}/x", other.storage_url())));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    assert!(other.requests().is_empty());
    let opened = device.take_opened();
    assert!(opened.iter().any(|o| o.channel == Channel::Storage && !o.ok), "{opened:?}");
}

#[test]
fn a_link_as_long_as_stores_make_them_is_taken() {
    for (length, buffer) in [(1000, 1024), (1024, 1024), (2000, 2048)] {
        let server = Server::start(Config { link_bytes: length, ..Config::default() }).unwrap();
        let mut device = Device::with(&server, |d| d.uri_buffer = buffer);
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{length}\n{}", device.story());
    }
}

#[test]
fn c88_a_slot_that_cannot_be_written_fails_the_deployment_and_is_not_armed() {
    let (server, mut device) = ready();
    let deployment = deploy(&server, &artifact("release-2", good("2.0.0")));
    device.client().check_now();
    device.run_until("some bytes", |d| d.slot_touched());
    device.ports().faults.slot_write = Some(mender_port::Errno::EIO);
    device.run_to_the_end(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "failure"]);
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|e| e.message.contains("writing the slot failed (errno -5)")), "{log:?}");
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
    device.ports().faults.slot_write = None;
    the_next_update_succeeds(&server, &mut device);
}
