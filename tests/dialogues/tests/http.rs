// SPDX-License-Identifier: Apache-2.0
//! Replies that are broken, hostile or late, and servers that are not who they say: §10.1 to 16.

use mender_dialogues::{
    Device, QUICK_TRIES, a_spoilt_check_is_made_again_later, artifact, deploy, deploy_image, dialogue,
    final_statuses, good, http, https, sized_image,
};
use mender_port::Channel;
use mender_server::{Certificate, Cut, Fault, Origin, Server};
use mender_testkit::image::Behaviour;

#[test]
fn c01_a_connection_that_ends_within_the_headers_is_tried_again() {
    for cut in [Cut::Reset, Cut::Fin] {
        a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.cut_after(30).how(cut));
    }
}

#[test]
fn c01a_a_connection_that_ends_before_the_first_byte_is_tried_again() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.drop_request(Cut::Reset));
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.drop_reply(Cut::Fin));
}

#[test]
fn c02_garbage_instead_of_http_is_tried_again_on_a_new_connection() {
    for garbage in ["SSH-2.0-OpenSSH_9.6\r\n", "<html>hello</html>", "HTTP/2 200\r\n\r\n", "\0\0\0\0"] {
        a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.garbage(garbage));
    }
}

#[test]
fn c03_headers_beyond_all_bounds_end_the_call() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.pad_header(9000));
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.pad_headers(70));
}

#[test]
fn c04_a_content_length_that_is_none_ends_the_call() {
    for length in ["-1", "12x", "", "0x10", "9223372036854775808", "99999999999999999999"] {
        a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.content_length(length));
    }
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| {
        f.content_length("5").one_more_header("Content-Length", "6")
    });
}

#[test]
fn c05a_what_follows_the_stated_length_is_not_read() {
    // Five bytes of JSON are no offer, and no reason to ask again at once.
    a_spoilt_check_is_made_again_later(1, |f| f.content_length("5"));
}

#[test]
fn c05b_a_body_shorter_than_stated_is_tried_again() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.content_length("100000").until_close());
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.cut_body(40));
}

#[test]
fn c05c_a_body_shorter_than_stated_on_an_open_connection_runs_into_the_idle_timeout() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.content_length("100000"));
}

#[test]
fn c06_a_reply_with_both_kinds_of_length_ends_the_call() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.chunked(64).content_length("400"));
}

#[test]
fn c07_bad_chunks_end_the_call() {
    for body in [
        "zz\r\n",
        "ffffffffffffffffff\r\n",
        "5\r\nab",
        "2\r\n{}xx",
        "\r\n",
        &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(10_000)),
    ] {
        let reply = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.garbage(reply));
    }
}

#[test]
fn c08_more_than_eight_interim_replies_end_the_call() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.interim(9));
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| {
        f.garbage("HTTP/1.1 101 Switching Protocols\r\n\r\n")
    });
}

#[test]
fn c08a_interim_replies_chunks_of_a_byte_and_slow_bytes_do_not_keep_an_update() {
    let server = http();
    server.fault(Fault::check().interim(8).chunked(1));
    server.fault(Fault::report().drip(7, 0));
    server.fault(Fault::download().chunked(1000));
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c09_a_body_without_bounds_ends_the_call() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.body(vec![b' '; 70_000]));
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.body("").endless());
}

#[test]
fn c10_an_empty_reply_is_an_error_and_no_offer() {
    a_spoilt_check_is_made_again_later(1, |f| f.body(""));
}

#[test]
fn c11_a_content_encoding_nobody_asked_for_ends_the_call() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, Fault::claim_gzip);
}

#[test]
fn c12_a_redirect_of_the_device_api_is_not_followed() {
    let other = http();
    for status in [301, 302, 303, 307, 308] {
        a_spoilt_check_is_made_again_later(1, |f| f.redirect(status, &format!("{}/x", other.api_url())));
    }
    assert_eq!(other.connections().api.accepted, 0, "the token stays at home");
}

#[test]
fn c13a_a_server_that_goes_silent_runs_into_the_idle_timeout() {
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.drop_reply(Cut::Silence));
    a_spoilt_check_is_made_again_later(QUICK_TRIES, |f| f.cut_body(10).how(Cut::Silence));
}

#[test]
fn c13b_a_server_that_drips_runs_into_the_total_timeout() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.config.idle_timeout_ms = 30_000;
        d.config.total_timeout_ms = 100;
    });
    device.run_until_quiet();
    let fault = server.fault(Fault::check().drip(1, 25));
    device.client().check_now();
    let wait_ms = device.run_until_quiet();
    assert_eq!(server.fault_strikes(fault), 3);
    assert!((60_000..=72_000).contains(&wait_ms), "{wait_ms}\n{}", device.story());
    assert_eq!(device.logged("request took too long"), 1, "{}", device.story());
}

#[test]
fn c13c_a_store_that_drips_is_left_and_the_download_taken_up_again() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.config.idle_timeout_ms = 30_000;
        d.config.total_timeout_ms = 200;
    });
    let fault = server.fault(Fault::download().times(3).drip(1, 5));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(server.fault_strikes(fault), 3);
    assert_eq!(device.logged("download broke"), 3, "{}", device.story());
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c13d_a_store_that_drips_for_ever_fails_the_deployment_and_not_the_device() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.config.total_timeout_ms = 60;
        d.config.download_tries = 4;
    });
    let fault = server.fault(Fault::download().drip(1, 5));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(server.fault_strikes(fault), 4);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    server.clear_faults();
    let next = deploy_image(&server, "release-3", good("3.0.0"));
    device.update(&server, &next);
    assert_eq!(device.version(), "3.0.0");
}

#[test]
fn c13f_a_store_that_is_slow_and_steady_is_not_left() {
    for ranges in [true, false] {
        let server = Server::start(mender_server::Config { ranges, ..Default::default() }).unwrap();
        let mut device = Device::with(&server, |d| d.config.total_timeout_ms = 60);
        server.fault(Fault::download().times(1).drip(400, 2).cut_body(9000));
        server.fault(Fault::download().drip(400, 2));
        let image = sized_image("2.0.0", Behaviour::Fine, 16 * 1024);
        let deployment = deploy(&server, &artifact("release-2", image));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"]);
        assert_eq!(device.logged("downloading from byte"), 2, "{}", device.story());
    }
}

#[test]
fn c13g_a_store_without_ranges_that_drips_what_was_sent_before_is_left() {
    let server = Server::start(mender_server::Config { ranges: false, ..Default::default() }).unwrap();
    let mut device = Device::with(&server, |d| d.config.total_timeout_ms = 100);
    server.fault(Fault::download().times(1).cut_body(20_000));
    let fault = server.fault(Fault::download().times(2).drip(1, 5));
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(server.fault_strikes(fault), 2);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c13e_a_peer_that_takes_nothing_runs_into_the_idle_timeout() {
    let server = http();
    let mut device = Device::with(&server, |d| d.config.idle_timeout_ms = 100);
    device.run_until_quiet();
    device.ports().transport.mute = true;
    device.client().check_now();
    let wait_ms = device.run_until_quiet();
    assert!((60_000..=72_000).contains(&wait_ms), "{wait_ms}\n{}", device.story());
    assert_eq!(device.logged("peer is silent"), 1, "{}", device.story());
    device.ports().transport.mute = false;
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
}

/// How long after a refused check the next one comes.
fn wait_after(status: u16, retry_after: &str) -> u64 {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    server.fault(Fault::check().times(1).status(status).header("Retry-After", retry_after));
    device.client().check_now();
    let refused = format!("check for update: HTTP {status}");
    device.run_until_logged(&refused);
    device.run_until_logged("check for update: HTTP 204");
    let (first, next) = (device.times_of(&refused)[0], device.times_of("check for update: HTTP 204"));
    next.last().unwrap() - first
}

#[test]
fn c14_a_retry_after_is_obeyed_within_reason() {
    for status in [429, 503] {
        // (said, least, most) in ms; jitter is 10 %.
        for (said, least, most) in [
            ("120", 120_000, 132_500),
            ("999999999", 600_000, 660_500),
            ("18446744073709551616", 60_000, 660_500),
            ("0", 1_000, 1_500),
            ("Wed, 21 Oct 1998 07:28:00 GMT", 1_000, 1_500),
            ("Tue, 01 Jan 2097 00:00:00 GMT", 600_000, 660_500),
            // What makes no sense is not obeyed: the ordinary wait.
            ("-5", 60_000, 72_500),
            ("soon", 60_000, 72_500),
            ("", 60_000, 72_500),
        ] {
            let waited = wait_after(status, said);
            assert!((least..=most).contains(&waited), "{status} {said:?}: {waited}");
        }
    }
}

#[test]
fn c14a_a_trigger_does_not_pass_a_retry_after() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let fault = server.fault(Fault::check().status(429).header("Retry-After", "300"));
    device.client().check_now();
    device.run_until_quiet();
    for _ in 0..5 {
        device.client().check_now();
        device.poll();
    }
    assert_eq!(server.fault_strikes(fault), 1, "{}", device.story());
}

#[test]
fn c15_a_server_that_is_not_who_it_says_gets_no_request() {
    for kind in [
        Certificate::Expired,
        Certificate::NotYetValid,
        Certificate::WrongHost,
        Certificate::UnknownCa,
        Certificate::SelfSigned,
    ] {
        let server = https();
        server.show_certificate(kind).unwrap();
        let mut device = Device::new(&server);
        let wait_ms = device.run_until_quiet();
        assert!((60_000..=72_000).contains(&wait_ms), "{kind:?}: {wait_ms}");
        let last = device.snapshot().last_error.unwrap();
        assert_eq!((last.error.name(), last.errno), ("Connect", -129), "{kind:?}: a number of its own");
        device.run_for(3_600_000);
        let tries = server.connections().api.tls_failed;
        assert!((20..=100).contains(&tries), "{kind:?}: {tries} in an hour");
        assert!(server.requests().is_empty(), "{kind:?}");
        assert_eq!(server.connections().api.tls, 0);
        server.show_certificate(Certificate::Good).unwrap();
        device.run_until_logged("no update");
    }
}

#[test]
fn c15a_a_store_that_is_not_who_it_says_gets_no_request_and_is_tried_again() {
    let server = https();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_until_logged("reported downloading");
    server.show_certificate(Certificate::WrongHost).unwrap();
    device.run_until_logged("download broke");
    device.run_until_logged("download broke");
    assert!(server.requests().iter().all(|r| r.origin == Origin::Api), "{:?}", dialogue(&server));
    let opened = device.take_opened();
    let storage: Vec<_> = opened.iter().filter(|o| o.channel == Channel::Storage).collect();
    assert!(storage.len() >= 2 && storage.iter().all(|o| !o.ok), "{opened:?}");
    server.show_certificate(Certificate::Good).unwrap();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn c15b_plain_http_is_not_spoken_unless_it_is_allowed() {
    let server = http();
    let url = server.api_url();
    let config = mender_client::Config {
        server_url: &url,
        device_type: "sim",
        artifact_name: "release-1",
        ..mender_client::Config::default()
    };
    assert!(!config.allow_http);
    let mut device = Device::new(&https());
    device.config.server_url = Box::leak(url.into_boxed_str());
    device.config.allow_http = false;
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.restart()));
    assert!(refused.is_err(), "`Client::new` refuses it");
    assert_eq!(server.connections().api.accepted, 0);
}

#[test]
fn c16_a_401_for_ever_costs_one_authentication_per_call_and_then_waits() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    server.fault(Fault::check().status(401));
    server.fault(Fault::inventory().status(401));
    server.clear_requests();
    device.client().check_now();
    device.run_until_quiet();
    assert_eq!(dialogue(&server), ["check 401", "auth 200", "check 401"]);
    device.run_for(3_600_000);
    let asked = dialogue(&server).len();
    assert!((20..=70).contains(&asked), "{asked} requests in an hour\n{:?}", dialogue(&server));
    server.clear_faults();
    device.run_until_logged("no update");
}

#[test]
fn c16a_a_device_that_is_not_accepted_asks_now_and_then_and_nothing_else() {
    let server = Server::start(mender_server::Config { accept_all: false, ..Default::default() }).unwrap();
    let mut device = Device::new(&server);
    device.run_for(3_600_000);
    let asked = dialogue(&server);
    assert!((10..=30).contains(&asked.len()), "{asked:?}");
    assert!(asked.iter().all(|line| line == "auth 401"), "{asked:?}");
    assert_eq!(server.devices()[0].auth_sets.len(), 1, "always the same key");
    server.accept(&server.devices()[0].id).unwrap();
    device.run_until_logged("inventory sent");
}

#[test]
fn c16b_an_expired_token_is_renewed_and_the_call_made_again() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    for spoil in [Server::expire_tokens, Server::revoke_tokens] {
        spoil(&server);
        server.clear_requests();
        device.client().check_now();
        device.run_until_logged("inventory sent");
        let status = dialogue(&server);
        assert!(["check 403", "check 401"].contains(&status[0].as_str()), "{status:?}");
        assert_eq!(status[1..], ["auth 200", "check 204", "inventory 200"]);
    }
}

#[test]
fn c16c_a_missing_add_on_is_no_reason_to_authenticate() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    server.fault(Fault::check().status(403).body(r#"{"error":"operation requires addon: troubleshoot"}"#));
    server.clear_requests();
    device.client().check_now();
    device.run_until_quiet();
    assert_eq!(dialogue(&server), ["check 403"]);
}

#[test]
fn c17_a_token_with_foreign_bytes_is_refused_and_never_sent() {
    for token in [
        "aaa.bbb.ccc\r\nX-Injected: 1",
        "aaa.bbb.ccc\n",
        "aaa.bbb.c c",
        "aaa.bbb.ccc\0",
        "aaa.bbb",
        "aaa.bbb.ccc.ddd",
        "{\"token\":\"aaa.bbb.ccc\"}",
    ] {
        let server = http();
        server.fault(Fault::auth().body(token));
        let mut device = Device::new(&server);
        let wait_ms = device.run_until_quiet();
        assert!((60_000..=72_000).contains(&wait_ms), "{token:?}: {wait_ms}");
        device.run_for(600_000);
        assert!(dialogue(&server).iter().all(|line| line == "auth 200"), "{token:?} {:?}", dialogue(&server));
        assert!(dialogue(&server).len() <= 12, "{token:?} {:?}", dialogue(&server));
        assert!(!device.snapshot().authenticated);
        server.clear_faults();
        device.run_until_logged("authenticated");
    }
}

#[test]
fn c18_a_token_that_is_empty_or_too_long_is_refused() {
    for token in [String::new(), format!("a.b.{}", "c".repeat(5000))] {
        let server = http();
        server.fault(Fault::auth().body(token));
        let mut device = Device::new(&server);
        device.run_for(600_000);
        assert!(dialogue(&server).iter().all(|line| line == "auth 200"), "{:?}", dialogue(&server));
        server.clear_faults();
        device.run_until_logged("authenticated");
    }
}

#[test]
fn c18a_a_token_as_long_as_the_buffer_is_taken_and_one_byte_more_is_not() {
    let server = Server::start(mender_server::Config { token_bytes: 1500, ..Default::default() }).unwrap();
    let mut device = Device::new(&server);
    device.run_until_logged("inventory sent");
    let mut device = Device::with(&server, |d| d.token_buffer = 1499);
    device.run_until_logged("check for update failed: token too long");
    assert!(!device.snapshot().authenticated);
}

type Spoil = fn(Fault) -> Fault;

/// Ways to break one exchange that are over with the next.
fn passing_faults() -> Vec<(&'static str, Spoil)> {
    vec![
        ("request lost", |f| f.drop_request(Cut::Reset)),
        ("request lost quietly", |f| f.drop_request(Cut::Fin)),
        ("reply lost", |f| f.drop_reply(Cut::Fin)),
        ("reply reset", |f| f.drop_reply(Cut::Reset)),
        ("reply never comes", |f| f.drop_reply(Cut::Silence)),
        ("head cut", |f| f.cut_after(20)),
        ("head cut politely", |f| f.cut_after(20).how(Cut::CloseNotify)),
        ("head stuck", |f| f.cut_after(20).how(Cut::Silence)),
        ("garbage", |f| f.garbage("garbage")),
        ("huge head", |f| f.pad_header(10_000)),
        ("many headers", |f| f.pad_headers(100)),
        ("no length", |f| f.content_length("x")),
        ("two lengths", |f| f.content_length("1").one_more_header("Content-Length", "2")),
        ("both lengths", |f| f.chunked(5).content_length("9")),
        ("interim flood", |f| f.interim(20)),
        ("500", |f| f.status(500).body("<html>oops</html>")),
        ("502", |f| f.status(502).body("")),
        ("503", |f| f.status(503).header("Retry-After", "2").body("busy")),
        ("429", |f| f.status(429).header("Retry-After", "1").body("{}")),
    ]
}

/// One exchange of each kind is broken in each way, once; the update must succeed all the same.
fn one_broken_exchange_costs_no_update(kind: &str, of: impl Fn() -> Fault) {
    for (how, spoil) in passing_faults() {
        let server = http();
        let mut device = Device::with(&server, |d| d.config.idle_timeout_ms = 100);
        let fault = server.fault(spoil(of().times(1)));
        let image = sized_image("2.0.0", Behaviour::Fine, 16 * 1024);
        let deployment = deploy(&server, &artifact("release-2", image));
        device.run_to_the_end(&server, &deployment);
        let finals = final_statuses(&server, &deployment);
        assert_eq!(finals, ["success"], "{kind}, {how}:\n{}", device.story());
        assert_eq!(device.version(), "2.0.0", "{kind}, {how}");
        assert_eq!(server.fault_strikes(fault), 1, "{kind}, {how}");
    }
}

#[test]
fn one_broken_authentication_costs_no_update() {
    one_broken_exchange_costs_no_update("first authentication", Fault::auth);
    one_broken_exchange_costs_no_update("authentication before the commit", || Fault::auth().skip(1));
}

#[test]
fn one_broken_check_costs_no_update() {
    one_broken_exchange_costs_no_update("check", Fault::check);
}

#[test]
fn one_broken_report_costs_no_update() {
    for status in ["downloading", "rebooting", "success"] {
        one_broken_exchange_costs_no_update(status, || Fault::report().body_contains(status));
    }
    one_broken_exchange_costs_no_update("installing", || Fault::report().body_contains("installing"));
    one_broken_exchange_costs_no_update("probe", || Fault::report().body_contains("installing").skip(1));
}

#[test]
fn one_broken_download_costs_no_update() {
    one_broken_exchange_costs_no_update("download", Fault::download);
}

#[test]
fn a_token_that_expires_before_any_report_costs_no_update() {
    for when in [
        "check for update: HTTP 200",
        "reported downloading",
        "downloaded and verified",
        "reported installing",
        "reported rebooting",
        "image confirmed",
        "reported success",
    ] {
        let server = http();
        let mut device = Device::with(&server, |d| d.config.abort_probe_ms = 1);
        server.fault(Fault::download().drip(4096, 2));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_until_logged(when);
        server.expire_tokens();
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{when}\n{}", device.story());
        assert_eq!(dialogue(&server).iter().filter(|l| l.starts_with("download ")).count(), 1, "{when}");
    }
}

#[test]
fn a_week_without_network_costs_tries_now_and_then_and_nothing_else() {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let written = device.record_writes();
    device.ports().faults.open = Some(mender_port::Errno(-113));
    device.run_for(7 * 24 * 3_600_000);
    let tries = device.logged("connecting failed");
    assert!((2000..9000).contains(&tries), "{tries}");
    assert_eq!(device.record_writes(), written);
    device.ports().faults.open = None;
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"]);
}

#[test]
fn a_network_that_is_away_for_minutes_in_mid_update_costs_no_update() {
    for when in [
        "deployment of release-2",
        "reported downloading",
        "reported installing",
        "image confirmed",
        "reported success",
    ] {
        let server = http();
        let mut device = Device::new(&server);
        server.fault(Fault::download().times(1).cut_body(20_000));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_until_logged(when);
        device.ports().faults.open = Some(mender_port::Errno(-113));
        device.ports().transport.hang_up();
        device.run_for(600_000);
        device.ports().faults.open = None;
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{when}\n{}", device.story());
    }
}

#[test]
fn without_a_network_nothing_is_tried_and_all_goes_on_when_it_is_there() {
    for when in ["deployment of release-2", "downloading: HTTP", "reported installing", "image confirmed"] {
        let server = http();
        let mut device = Device::new(&server);
        server.fault(Fault::download().times(1).cut_body(20_000));
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_until_logged(when);
        device.ports().faults.open = Some(mender_port::Errno::EAGAIN);
        device.ports().transport.hang_up();
        device.run_for(20 * 60_000);
        assert_eq!(device.logged("connecting failed"), 0, "{when}\n{}", device.story());
        device.ports().faults.open = None;
        let (back, written) = (mender_port::Clock::now_ms(&mut device.clock), device.record_writes());
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{when}\n{}", device.story());
        assert!(device.record_writes() - written <= 6, "{when}");
        let tries = ["connected to", "downloading from"].map(|line| device.times_of(line)).concat();
        let next = tries.into_iter().filter(|at| *at >= back).min();
        assert!(next.is_some_and(|at| at - back <= 1000), "{when}: {back}, {next:?}\n{}", device.story());
    }
}

#[test]
fn new_firmware_that_never_sees_a_network_is_given_up_at_the_commit_deadline() {
    let server = http();
    let mut boots = 0;
    let mut device = Device::with(&server, |d| {
        d.at_boot = Box::new(move |ports| {
            boots += 1;
            ports.faults.open = (boots == 2).then_some(mender_port::Errno::EAGAIN);
        });
    });
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"], "{}", device.story());
    assert_eq!(device.version(), "1.0.0");
}
