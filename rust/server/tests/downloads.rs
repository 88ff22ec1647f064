// SPDX-License-Identifier: Apache-2.0
//! The artifact storage: links, ranges, conditions.

mod common;

use std::time::Duration;

use common::{ARTIFACT, ARTIFACT_NAME, Device, Http};
use mender_server::{Config, DeploymentSpec, Fault, Server};

/// A server, its device, and a link to the artifact.
fn start(config: Config) -> (Server, Device, String) {
    let server = Server::start(config).unwrap();
    server.upload(ARTIFACT).unwrap();
    server.deploy(DeploymentSpec::all(ARTIFACT_NAME)).unwrap();
    let device = Device::accepted(&server, "a");
    let link = link(&server, &device);
    (server, device, link)
}

fn link(server: &Server, device: &Device) -> String {
    let offer = device.check(&mut Http::api(server), "old").json();
    offer["artifact"]["source"]["uri"].as_str().unwrap().to_owned()
}

/// Path and query of a link.
fn path<'a>(server: &Server, link: &'a str) -> &'a str {
    link.strip_prefix(&server.storage_url()).unwrap()
}

#[test]
fn ranges_and_conditions_are_answered_as_by_s3() {
    let (server, _device, link) = start(Config::default());
    let path = path(&server, &link);
    let mut http = Http::connect(&server, &link);
    let whole = http.get(path, "");
    assert_eq!((whole.status, whole.body.as_slice()), (200, ARTIFACT));
    assert_eq!(whole.header("Accept-Ranges"), Some("bytes"));
    let etag = whole.header("ETag").unwrap().to_owned();
    let total = ARTIFACT.len();
    for (range, expected) in [
        ("bytes=100-", 100..total),
        ("bytes=0-0", 0..1),
        ("bytes=100-199", 100..200),
        ("bytes=100-999999", 100..total),
        ("bytes=-7", total - 7..total),
    ] {
        let reply = http.get(path, &format!("Range: {range}\r\nIf-Match: {etag}\r\n"));
        assert_eq!((reply.status, reply.body.as_slice()), (206, &ARTIFACT[expected.clone()]), "{range}");
        let content_range = format!("bytes {}-{}/{total}", expected.start, expected.end - 1);
        assert_eq!(reply.header("Content-Range"), Some(content_range.as_str()));
        assert_eq!(reply.header("ETag"), Some(etag.as_str()));
    }
    let beyond = http.get(path, &format!("Range: bytes={total}-\r\n"));
    assert_eq!(
        (beyond.status, beyond.header("Content-Range")),
        (416, Some(format!("bytes */{total}").as_str()))
    );
    let changed = http.get(path, "If-Match: \"other\"\r\n");
    assert_eq!(changed.status, 412);
    assert!(changed.text().contains("<Code>PreconditionFailed</Code>"));
    assert_eq!(http.get(path, "Range: bytes=9-1\r\n").status, 200, "a malformed range is no range");
    assert_eq!(server.connections().storage.accepted, 1);
}

#[test]
fn a_storage_without_ranges_sends_everything_each_time() {
    let (server, _device, link) = start(Config { ranges: false, ..Config::default() });
    let reply = Http::connect(&server, &link).get(path(&server, &link), "Range: bytes=10-\r\n");
    assert_eq!((reply.status, reply.body.len(), reply.header("Accept-Ranges")), (200, ARTIFACT.len(), None));
}

#[test]
fn credentials_foreign_hosts_changed_links_and_other_methods_are_refused() {
    let (server, device, link) = start(Config::default());
    let path = path(&server, &link);
    let mut http = Http::connect(&server, &link);
    let reply = http.get(path, &format!("Authorization: Bearer {}\r\n", device.token));
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("Only one auth mechanism allowed"));
    for (name, changed, expected, code) in [
        ("no query", path.split('?').next().unwrap().to_owned(), 403, "AccessDenied"),
        (
            "longer life",
            path.replace("X-Amz-Expires=86400", "X-Amz-Expires=864000"),
            403,
            "SignatureDoesNotMatch",
        ),
        ("query encoded anew", path.replace("%2F", "/"), 403, "SignatureDoesNotMatch"),
        ("no signature", path[..path.len() - 64].to_owned(), 403, "SignatureDoesNotMatch"),
        ("escapes left in", path.replace('&', "\\u0026"), 403, "AccessDenied"),
    ] {
        let reply = http.get(&changed, "");
        assert_eq!(reply.status, expected, "{name}: {}", reply.text());
        assert!(reply.text().contains(&format!("<Code>{code}</Code>")), "{name}: {}", reply.text());
    }
    assert_eq!(http.request("PUT", path, "", b"").status, 405);
    http.host = "other:1".to_owned();
    assert_eq!(http.get(path, "").status, 403, "the host is signed");
}

#[test]
fn an_expired_link_gets_403_and_a_new_check_a_new_link() {
    let (server, device, old) = start(Config::default());
    server.expire_links();
    let mut http = Http::connect(&server, &old);
    let reply = http.get(path(&server, &old), "");
    assert_eq!((reply.status, reply.header("Content-Type")), (403, Some("application/xml")));
    assert!(reply.text().contains("<Message>Request has expired</Message>"), "{}", reply.text());
    let new = link(&server, &device);
    assert_eq!(http.get(path(&server, &new), "").status, 200);
}

#[test]
fn a_test_can_word_an_offer_itself() {
    let (server, device, _) = start(Config::default());
    let artifact = server.artifacts().remove(0).id;
    let link = server.link_to(&artifact).unwrap();
    server.fault(Fault::check().times(1).body(format!(r#"{{"mine":"{link}"}}"#)));
    assert_eq!(device.check(&mut Http::api(&server), "old").json()["mine"], link.as_str());
    assert_eq!(Http::connect(&server, &link).get(path(&server, &link), "").status, 200);
    assert_eq!(server.link_to("unknown"), None);
}

#[test]
fn a_link_expires_by_itself() {
    let (server, _device, link) = start(Config { link_lifetime: Duration::ZERO, ..Config::default() });
    // A link lives to the end of its last second.
    std::thread::sleep(Duration::from_millis(1050));
    assert_eq!(Http::connect(&server, &link).get(path(&server, &link), "").status, 403);
}

#[test]
fn links_can_be_made_long_and_still_work() {
    for bytes in [1024, 2048, 4096] {
        let (server, _device, link) = start(Config { link_bytes: bytes, ..Config::default() });
        assert_eq!(link.len(), bytes);
        assert_eq!(Http::connect(&server, &link).get(path(&server, &link), "").status, 200);
    }
    let (_server, _device, link) = start(Config::default());
    assert!((450..700).contains(&link.len()), "{} {link}", link.len());
}

#[test]
fn links_have_the_scheme_and_host_the_device_asked_with() {
    use mender_server::Listen;
    let both = vec![Listen::http(), Listen::https()];
    let server = Server::start(Config { api: both.clone(), storage: both, ..Config::default() }).unwrap();
    server.upload(ARTIFACT).unwrap();
    server.deploy(DeploymentSpec::all(ARTIFACT_NAME)).unwrap();
    let device = Device::accepted(&server, "a");
    let urls = server.urls();
    for (at, scheme) in [(0, "http://board.local:"), (1, "https://board.local:")] {
        let mut http = Http::connect(&server, &urls[at].1);
        http.host = "board.local:1234".to_owned();
        let offer = device.check(&mut http, "old").json();
        let uri = offer["artifact"]["source"]["uri"].as_str().unwrap().to_owned();
        assert!(uri.starts_with(scheme), "{uri}");
        assert_eq!(uri.split([':', '/']).nth(4), urls[at + 2].1.rsplit(':').next(), "{uri}");
    }
    let named = Config { host: Some("ota.example".to_owned()), ..Config::default() };
    let (_server, _device, link) = start(named);
    assert!(link.starts_with("http://ota.example:"), "{link}");
}
