// SPDX-License-Identifier: Apache-2.0
//! Authentication requests and tokens: what is let in, what is refused, and with which status.

mod common;

use std::time::Duration;

use common::{AUTH, DEPLOYMENTS, Device, Http, INVENTORY, JSON, NEXT_V1, NEXT_V2};
use mender_server::{AuthStatus, Config, Server};
use serde_json::{Value, json};

const VECTORS: [(&str, &str, &str); 5] = [
    (
        "RSA 2048",
        include_str!("fixtures/auth/rsa2048.body.json"),
        include_str!("fixtures/auth/rsa2048.sig.b64"),
    ),
    (
        "RSA 3072",
        include_str!("fixtures/auth/rsa3072.body.json"),
        include_str!("fixtures/auth/rsa3072.sig.b64"),
    ),
    ("P-256", include_str!("fixtures/auth/p256.body.json"), include_str!("fixtures/auth/p256.sig.b64")),
    ("P-384", include_str!("fixtures/auth/p384.body.json"), include_str!("fixtures/auth/p384.sig.b64")),
    (
        "Ed25519",
        include_str!("fixtures/auth/ed25519.body.json"),
        include_str!("fixtures/auth/ed25519.sig.b64"),
    ),
];

fn start(config: Config) -> (Server, Http) {
    let server = Server::start(config).unwrap();
    let http = Http::api(&server);
    (server, http)
}

fn pending() -> Config {
    Config { accept_all: false, ..Config::default() }
}

#[test]
fn every_kind_of_key_gets_a_token_for_its_signature() {
    let (server, mut http) = start(Config::default());
    for (name, body, signature) in VECTORS {
        let headers = format!("{JSON}X-MEN-Signature: {signature}\r\n");
        let reply = http.request("POST", AUTH, &headers, body.as_bytes());
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert_eq!(reply.text().matches('.').count(), 2, "{name}");
    }
    // One identity with five keys: one device.
    let devices = server.devices();
    assert_eq!((devices.len(), devices[0].auth_sets.len()), (1, 5));
}

#[test]
fn malformed_requests_get_400_and_bad_signatures_401() {
    let (server, mut http) = start(Config::default());
    let device = Device::new("a");
    let good = device.auth_body();
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body.to_string()
    };
    let without = |key: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(key);
        body.to_string()
    };
    let rsa_label = device.pem.replace("PUBLIC KEY", "RSA PUBLIC KEY");
    let cases = [
        ("not JSON", "{".to_owned(), 400),
        ("trailing garbage", format!("{good}x"), 400),
        ("array", format!("[{good}]"), 400),
        ("no id_data", without("id_data"), 400),
        ("empty id_data", with("id_data", json!("")), 400),
        ("id_data as object", with("id_data", json!({"mac": "a"})), 400),
        ("id_data no JSON", with("id_data", json!("mac=a")), 400),
        ("id_data array", with("id_data", json!("[1]")), 400),
        ("no pubkey", without("pubkey"), 400),
        ("empty pubkey", with("pubkey", json!("")), 400),
        ("PKCS#1 label", with("pubkey", json!(rsa_label)), 400),
        ("pubkey no PEM", with("pubkey", json!("MFkw")), 400),
        ("unknown tier", with("tier", json!("nano")), 400),
        ("tier no string", with("tier", json!(1)), 400),
        ("good", good.to_string(), 200),
    ];
    for (name, body, expected) in cases {
        let headers = format!("{JSON}X-MEN-Signature: {}\r\n", device.sign(body.as_bytes()));
        let reply = http.request("POST", AUTH, &headers, body.as_bytes());
        assert_eq!(reply.status, expected, "{name}: {}", reply.text());
        if expected != 200 {
            assert_eq!(reply.json()["request_id"], reply.header("X-MEN-RequestID").unwrap(), "{name}");
        }
    }
    let body = good.to_string();
    let raw = {
        // The two integers of the DER signature without their frame: what hardware returns, and the server refuses.
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode([1; 64])
    };
    for (name, header, expected) in [
        ("none", String::new(), 400),
        ("empty", "X-MEN-Signature: \r\n".to_owned(), 400),
        ("no base64", "X-MEN-Signature: !\r\n".to_owned(), 401),
        ("r and s side by side", format!("X-MEN-Signature: {raw}\r\n"), 401),
        ("of another body", format!("X-MEN-Signature: {}\r\n", device.sign(b"{}")), 401),
    ] {
        let reply = http.request("POST", AUTH, &format!("{JSON}{header}"), body.as_bytes());
        assert_eq!(reply.status, expected, "signature {name}: {}", reply.text());
    }
    assert_eq!(server.devices().len(), 1, "refused requests leave no device");
}

#[test]
fn common_rules_of_the_api_hold() {
    let (server, mut http) = start(Config::default());
    let device = Device::accepted(&server, "a");
    let bearer = format!("Authorization: Bearer {}\r\n", device.token);
    let status = format!("{DEPLOYMENTS}/0f6a2c4e-0000-4000-8000-000000000001/status");
    let cases: [(&str, &str, &str, String, &str, u16); 19] = [
        ("no credentials", "PUT", INVENTORY, JSON.to_owned(), "[]", 401),
        ("no credentials, unknown path", "GET", "/api/devices/v1/x", String::new(), "", 401),
        (
            "other scheme",
            "PUT",
            INVENTORY,
            format!("{JSON}Authorization: Basic {}\r\n", device.token),
            "[]",
            401,
        ),
        (
            "two spaces",
            "PUT",
            INVENTORY,
            format!("{JSON}Authorization: Bearer  {}\r\n", device.token),
            "[]",
            401,
        ),
        ("no scheme", "PUT", INVENTORY, format!("{JSON}Authorization: {}\r\n", device.token), "[]", 401),
        ("foreign token", "PUT", INVENTORY, format!("{JSON}Authorization: Bearer a.b.c\r\n"), "[]", 401),
        (
            "token cut short",
            "PUT",
            INVENTORY,
            format!("{JSON}Authorization: Bearer {}\r\n", &device.token[..600]),
            "[]",
            401,
        ),
        ("cookie", "PUT", INVENTORY, format!("{JSON}Cookie: a=b; JWT={}\r\n", device.token), "[]", 200),
        (
            "lower-case scheme",
            "PUT",
            INVENTORY,
            format!("{JSON}Authorization: bearer {}\r\n", device.token),
            "[]",
            200,
        ),
        ("unknown path", "GET", "/api/devices/v1/x", bearer.clone(), "", 404),
        ("outside the API", "GET", "/", String::new(), "", 404),
        ("wrong method", "POST", INVENTORY, format!("{JSON}{bearer}"), "[]", 405),
        ("wrong method for auth", "GET", AUTH, String::new(), "", 405),
        ("wrong method for status", "POST", &status, format!("{JSON}{bearer}"), "{}", 405),
        ("no content type", "PUT", INVENTORY, bearer.clone(), "[]", 400),
        ("unparsable content type", "PUT", INVENTORY, format!("Content-Type: /\r\n{bearer}"), "[]", 400),
        ("other content type", "PUT", INVENTORY, format!("Content-Type: text/plain\r\n{bearer}"), "[]", 415),
        (
            "content type with charset",
            "PUT",
            INVENTORY,
            format!("Content-Type: application/json; charset=utf-8\r\n{bearer}"),
            "[]",
            200,
        ),
        ("empty body", "PUT", INVENTORY, format!("{JSON}{bearer}"), "", 400),
    ];
    for (name, method, path, headers, body, expected) in cases {
        let reply = http.request(method, path, &headers, body.as_bytes());
        assert_eq!(reply.status, expected, "{name}: {}", reply.text());
        if [404, 405].contains(&expected) {
            assert!(
                ["not found", "method not allowed"].contains(&reply.json()["error"].as_str().unwrap()),
                "{name}"
            );
        }
    }
}

#[test]
fn a_request_may_bring_its_own_id() {
    let (_server, mut http) = start(Config::default());
    let reply = http.request("POST", AUTH, &format!("{JSON}X-MEN-RequestID: mine\r\n"), b"x");
    assert_eq!((reply.status, &reply.json()["request_id"]), (400, &json!("mine")));
    assert_eq!(reply.header("X-MEN-RequestID"), Some("mine"));
}

#[test]
fn a_body_above_one_mebibyte_is_refused_unread_and_the_connection_ends() {
    let (server, mut http) = start(Config::default());
    let device = Device::accepted(&server, "a");
    http.send(format!(
        "PUT {INVENTORY} HTTP/1.1\r\nHost: {}\r\n{}Content-Length: 1048577\r\n\r\n",
        http.host,
        device.headers()
    ));
    let reply = http.reply();
    assert_eq!((reply.status, reply.header("Connection")), (413, Some("close")));
    let at_the_limit = vec![b' '; 1 << 20];
    let reply = Http::api(&server).request("PUT", INVENTORY, &device.headers(), &at_the_limit);
    assert_eq!(reply.status, 400, "exactly one MiB is read");
}

#[test]
fn malformed_http_is_refused_and_recorded() {
    let (server, _) = start(Config::default());
    for (name, head) in [
        ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("chunked upload", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("garbage", "hello\r\n\r\n"),
    ] {
        let mut http = Http::api(&server);
        http.send(head);
        let reply = http.reply();
        assert_eq!(
            (reply.status, reply.header("Connection")),
            (400, Some("close")),
            "{name}: {}",
            reply.text()
        );
        assert!(http.rest().0.is_empty(), "{name}");
    }
    let errors: Vec<_> = server.requests().into_iter().filter_map(|record| record.error).collect();
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(errors[0].contains("Host") && errors[2].contains("chunked"), "{errors:?}");
}

#[test]
fn damaged_requests_do_not_take_the_server_down() {
    let config =
        Config { chunked_uploads: true, request_timeout: Duration::from_millis(300), ..Config::default() };
    let server = Server::start(config).unwrap();
    let device = Device::accepted(&server, "a");
    let host = Http::api(&server).host;
    let head =
        format!("PUT {INVENTORY} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{}", device.headers());
    let whole = [
        format!("{head}Content-Length: 27\r\n\r\n[{{\"name\":\"a\",\"value\":[1]}}] "),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"),
        format!(
            "GET {NEXT_V1}?artifact_name=%41&device_type=b HTTP/1.1\r\nHost: [::1]:80\r\n{}\r\n",
            device.headers()
        ),
    ];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(below).unwrap()).unwrap()
    };
    for round in 0..300 {
        let mut bytes = whole[round % whole.len()].clone().into_bytes();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                _ => drop(bytes.remove(at)),
            }
        }
        let mut http = Http::api(&server);
        http.send(&bytes);
        http.finish();
    }
    let start = std::time::Instant::now();
    while server.connections().api.open > 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "a connection's thread died");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(device.check(&mut Http::api(&server), "x").status, 204);
}

#[test]
fn a_new_device_waits_for_its_acceptance_and_loses_its_token_when_rejected() {
    let (server, mut http) = start(pending());
    let mut device = Device::new("aa:bb");
    let body = device.auth_body();
    let refused = device.try_auth(&mut http, &body);
    assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("dev auth: unauthorized")));
    assert_eq!(server.devices()[0].status, AuthStatus::Pending);
    server.accept("aa:bb").unwrap();
    assert_eq!(device.try_auth(&mut http, &body).status, 200);
    assert_eq!(device.check(&mut http, "x").status, 204);
    server.reject("aa:bb").unwrap();
    assert_eq!(device.check(&mut http, "x").status, 401);
    assert_eq!(device.try_auth(&mut http, &body).status, 401);
    let set = &server.devices()[0].auth_sets[0];
    assert_eq!((set.requests, set.tokens, set.tier.as_str()), (3, 1, "micro"));
    assert!(server.accept("nobody").is_err());
}

#[test]
fn identity_is_compared_in_its_canonical_form_and_another_tier_or_key_asks_anew() {
    let (server, mut http) = start(pending());
    let mut device = Device::new("a");
    let mut body = device.auth_body();
    body["id_data"] = json!(r#" { "b" : 1.0, "a": "x" } "#);
    assert_eq!(device.try_auth(&mut http, &body).status, 401);
    body["id_data"] = json!(r#"{"a":"x","b":1}"#);
    assert_eq!(device.try_auth(&mut http, &body).status, 401);
    assert_eq!(server.devices().len(), 1);
    assert_eq!(server.devices()[0].identity, r#"{"a":"x","b":1}"#);
    server.accept("x").unwrap();
    assert_eq!(device.try_auth(&mut http, &body).status, 200);
    body["tier"] = json!("standard");
    assert_eq!(device.try_auth(&mut http, &body).status, 401);
    assert_eq!(device.check(&mut http, "x").status, 204, "the accepted set's token still counts");
    server.accept("x").unwrap();
    assert_eq!(device.check(&mut http, "x").status, 401, "accepting another set rejects the first");
}

#[test]
fn a_preauthorized_device_comes_in_at_its_first_request_but_not_with_another_key() {
    let (server, mut http) = start(pending());
    let mut device = Device::new("a");
    server.preauthorize(&device.identity(), &device.pem, "micro").unwrap();
    assert!(server.preauthorize(&device.identity(), &device.pem, "micro").is_err());
    let mut thief = Device::new("a");
    let (body, stolen) = (device.auth_body(), thief.auth_body());
    assert_eq!(thief.try_auth(&mut http, &stolen).status, 401);
    assert_eq!(device.try_auth(&mut http, &body).status, 200);
}

#[test]
fn tenant_token_and_device_limit_are_kept() {
    let (_server, mut http) = start(Config { tenant_token: Some("T".to_owned()), ..Config::default() });
    let mut device = Device::new("a");
    let mut body = device.auth_body();
    assert_eq!(device.try_auth(&mut http, &body).status, 401);
    body["tenant_token"] = json!("X");
    assert_eq!(device.try_auth(&mut http, &body).status, 401);
    body["tenant_token"] = json!("T");
    assert_eq!(device.try_auth(&mut http, &body).status, 200);

    let (_server, mut http) = start(Config { max_devices: Some(1), ..Config::default() });
    let (mut first, mut second) = (Device::new("a"), Device::new("b"));
    let (body_a, body_b) = (first.auth_body(), second.auth_body());
    assert_eq!(first.try_auth(&mut http, &body_a).status, 200);
    assert_eq!(second.try_auth(&mut http, &body_b).status, 401);
    assert_eq!(first.try_auth(&mut http, &body_a).status, 200);
}

#[test]
fn an_expired_token_gets_403_once_and_then_401_until_the_device_authenticates_again() {
    let (server, mut http) = start(Config::default());
    let mut device = Device::accepted(&server, "a");
    server.expire_tokens();
    let old = device.check(&mut http, "x");
    assert_eq!((old.status, old.body.len()), (403, 0), "the gateway's refusal has no body");
    assert_eq!(device.check(&mut http, "x").status, 401);
    let body = device.auth_body();
    assert_eq!(device.try_auth(&mut http, &body).status, 200);
    assert_eq!(device.check(&mut http, "x").status, 204);
    server.revoke_tokens();
    assert_eq!(device.check(&mut http, "x").status, 401);
}

#[test]
fn a_token_expires_by_itself() {
    let (server, mut http) = start(Config { token_lifetime: Duration::ZERO, ..Config::default() });
    let device = Device::accepted(&server, "a");
    assert_eq!(device.check(&mut http, "x").status, 403);
}

#[test]
fn a_decommissioned_device_is_forgotten_and_comes_back_as_a_new_one() {
    let (server, mut http) = start(Config::default());
    let mut device = Device::accepted(&server, "a");
    let id = server.devices()[0].id.clone();
    server.decommission("a").unwrap();
    assert!(server.devices().is_empty());
    for (method, path) in [("POST", NEXT_V2), ("GET", NEXT_V1)] {
        assert_eq!(http.request(method, path, &device.headers(), b"").status, 401);
    }
    let body = device.auth_body();
    assert_eq!(device.try_auth(&mut http, &body).status, 200);
    assert_ne!(server.devices()[0].id, id);
}
