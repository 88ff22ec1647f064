// SPDX-License-Identifier: Apache-2.0
//! Misbehaviour on request, as a client sees it; and certificates no client should trust.

mod common;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use common::{ARTIFACT, ARTIFACT_NAME, Device, Http};
use mender_server::{Certificate, Config, Cut, DeploymentSpec, Fault, Server};

fn start(config: Config) -> (Server, Device, String, String) {
    let server = Server::start(config).unwrap();
    server.upload(ARTIFACT).unwrap();
    let id = server.deploy(DeploymentSpec::all(ARTIFACT_NAME)).unwrap();
    let device = Device::accepted(&server, "a");
    let offer = device.check(&mut Http::api(&server), "old").json();
    let link = offer["artifact"]["source"]["uri"].as_str().unwrap().to_owned();
    (server, device, id, link)
}

/// Sends a GET for the link and reads until the connection ends.
fn download(server: &Server, link: &str) -> (Vec<u8>, std::io::Result<()>) {
    let mut http = Http::connect(server, link);
    let path = &link[server.storage_url().len()..];
    http.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", http.host));
    http.rest()
}

fn body_of(reply: &[u8]) -> &[u8] {
    let at = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    &reply[at + 4..]
}

#[test]
fn a_status_is_replaced_so_many_times_without_acting() {
    let (server, device, id, _) = start(Config::default());
    let mut http = Http::api(&server);
    let fault = server
        .fault(Fault::report().times(2).status(503).header("Retry-After", "7").body("<html>busy</html>"));
    let busy = device.call(
        &mut http,
        "PUT",
        &format!("{}/{id}/status", common::DEPLOYMENTS),
        &serde_json::json!({"status": "success"}),
    );
    assert_eq!(
        (busy.status, busy.header("Retry-After"), busy.text().as_str()),
        (503, Some("7"), "<html>busy</html>")
    );
    assert_eq!(device.report(&mut http, &id, "success"), 503);
    assert!(server.only_device_of(&id).unwrap().reports.is_empty());
    assert_eq!(device.report(&mut http, &id, "success"), 204);
    assert_eq!(server.fault_strikes(fault), 2);
    let marked: Vec<bool> = server.requests().iter().rev().take(3).map(|record| record.fault).collect();
    assert_eq!(marked, [false, true, true]);
}

#[test]
fn a_lost_reply_was_acted_upon_and_a_lost_request_was_not() {
    for tls in [false, true] {
        let (server, device, id, _) = start(if tls { Config::https() } else { Config::default() });
        let lose = |fault: Fault, status: &str| {
            server.fault(fault.times(1));
            let body = format!(r#"{{"status":"{status}"}}"#);
            let mut http = Http::api(&server);
            let path = format!("{}/{id}/status", common::DEPLOYMENTS);
            let head = format!(
                "PUT {path} HTTP/1.1\r\nHost: {}\r\n{}Content-Length: {}\r\n\r\n",
                http.host,
                device.headers(),
                body.len()
            );
            http.send(head + &body);
            http.rest()
        };
        let (bytes, end) = lose(Fault::report().drop_request(Cut::Fin), "downloading");
        assert!(bytes.is_empty());
        assert_eq!(end.is_err(), tls, "TLS tells a cut from an end");
        assert!(server.only_device_of(&id).unwrap().reports.is_empty());
        let (bytes, end) = lose(Fault::report().drop_reply(Cut::CloseNotify), "installing");
        assert!(bytes.is_empty() && end.is_ok());
        let (bytes, end) = lose(Fault::report().drop_reply(Cut::Reset), "success");
        assert!(bytes.is_empty());
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(server.only_device_of(&id).unwrap().statuses(), ["installing", "success"]);
    }
}

#[test]
fn a_download_is_cut_truncated_corrupted_and_reframed() {
    for tls in [false, true] {
        let (server, _device, _, link) = start(if tls { Config::https() } else { Config::default() });
        let broken = |fault: Fault| {
            server.clear_faults();
            server.fault(fault);
            download(&server, &link)
        };
        let (reply, end) = broken(Fault::download().cut_body(1000));
        assert_eq!((body_of(&reply), end.is_err()), (&ARTIFACT[..1000], tls));
        let (reply, _) = broken(Fault::download().cut_after(3));
        assert_eq!(reply, b"HTT");
        let (reply, end) = broken(Fault::download().truncate(1000));
        assert!(body_of(&reply) == &ARTIFACT[..1000] && end.is_ok());
        assert!(String::from_utf8_lossy(&reply).contains("Content-Length: 1000\r\n"));
        let (reply, _) = broken(Fault::download().corrupt(700));
        let differs: Vec<usize> =
            (0..ARTIFACT.len()).filter(|at| body_of(&reply)[*at] != ARTIFACT[*at]).collect();
        assert_eq!(differs, [700]);
        let (reply, _) = broken(Fault::download().garbage(vec![0xff; 100]));
        assert_eq!(reply, [0xff; 100]);
        let (reply, _) = broken(Fault::download().until_close());
        assert_eq!(body_of(&reply), ARTIFACT);
        assert!(!String::from_utf8_lossy(&reply).contains("Content-Length"));
        let (reply, _) = broken(Fault::download().chunked(4096));
        assert!(body_of(&reply).starts_with(b"1000\r\n") && reply.ends_with(b"0\r\n\r\n"));
        assert_eq!(broken(Fault::any().device("nobody").status(500)).0.get(9..12), Some(&b"200"[..]));
    }
}

#[test]
fn delays_and_drips_take_their_time_and_end_with_the_server() {
    let (server, _device, _, link) = start(Config::default());
    server.fault(Fault::download().times(1).delay_ms(60).drip(4000, 20));
    let start = Instant::now();
    let (reply, _) = download(&server, &link);
    assert_eq!(body_of(&reply), ARTIFACT);
    assert!(start.elapsed() >= Duration::from_millis(120), "{:?}", start.elapsed());

    server.fault(Fault::download().times(1).delay_before_ms(3_600_000));
    server.fault(Fault::download().drip(1, 3_600_000));
    let mut waiting = [Http::connect(&server, &link), Http::connect(&server, &link)];
    for http in &mut waiting {
        http.send(format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
            &link[server.storage_url().len()..],
            http.host
        ));
    }
    let third = server.wait_for_request(Duration::from_secs(10), |record| record.number >= 4);
    assert!(third.is_some(), "the dripping one is under way");
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn an_endless_body_ends_when_the_client_has_enough() {
    use std::io::{Read as _, Write as _};
    let (server, _device, _, link) = start(Config::default());
    server.fault(Fault::download().endless());
    let mut tcp = std::net::TcpStream::connect(common::address(&link)).unwrap();
    let path = &link[server.storage_url().len()..];
    let host = common::address(&link);
    tcp.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
    let mut bytes = vec![0; ARTIFACT.len() + 500_000];
    tcp.read_exact(&mut bytes).unwrap();
    drop(tcp);
    let gone = Instant::now();
    while server.connections().storage.open > 0 {
        assert!(gone.elapsed() < Duration::from_secs(10), "the server still writes");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_silent_server_says_nothing_until_the_client_leaves() {
    let (server, _device, _, link) = start(Config::default());
    server.fault(Fault::download().drop_reply(Cut::Silence));
    let mut tcp = std::net::TcpStream::connect(common::address(&link)).unwrap();
    tcp.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    std::io::Write::write_all(
        &mut tcp,
        format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", common::address(&link)).as_bytes(),
    )
    .unwrap();
    let error = std::io::Read::read(&mut tcp, &mut [0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn idle_connections_and_used_up_ones_are_closed() {
    let config = Config { idle_timeout: Duration::from_millis(50), ..Config::default() };
    let server = Server::start(config).unwrap();
    assert!(matches!(Http::api(&server).rest(), (rest, Ok(())) if rest.is_empty()));

    let server = Server::start(Config { requests_per_connection: Some(2), ..Config::default() }).unwrap();
    let mut http = Http::api(&server);
    assert_eq!(http.get("/", "").header("Connection"), Some("keep-alive"));
    assert_eq!(http.get("/", "").header("Connection"), Some("close"));
    assert!(http.rest().0.is_empty());
}

#[test]
fn a_client_that_checks_certificates_trusts_only_the_good_one() {
    let server = Server::start(Config::https()).unwrap();
    for (kind, trusted) in [
        (Certificate::Good, true),
        (Certificate::Expired, false),
        (Certificate::NotYetValid, false),
        (Certificate::WrongHost, false),
        (Certificate::UnknownCa, false),
        (Certificate::SelfSigned, false),
        (Certificate::Good, true),
    ] {
        server.show_certificate(kind).unwrap();
        let url = server.api_url();
        assert_eq!(Http::try_connect(&server, &url).is_ok(), trusted, "{kind:?}");
    }
    let start = Instant::now();
    // The server may count a handshake after the client has finished it.
    loop {
        let counts = server.connections().api;
        if (counts.tls, counts.tls_failed) == (2, 5) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{counts:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(server.requests().is_empty());
}

#[test]
fn tls_records_can_be_kept_small() {
    let small = Config { tls_record_bytes: Some(1024), ..Config::https() };
    let (server, _device, _, link) = start(small);
    assert_eq!(body_of(&download(&server, &link).0), ARTIFACT);
    assert!(Server::start(Config { tls_record_bytes: Some(1), ..Config::https() }).is_err());
}
