// SPDX-License-Identifier: Apache-2.0
//! Requests as a server sees them: `httparse` reads their heads, `serde_json` their bodies.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use mender_api::{
    Attributes, Authenticate, Call, DER_MAX, Download, Entries, Entry, Message, Request, Tier, Url, Window,
    der,
};
use mender_base::{Event, Status, event, pairs::Pairs};
use serde_json::{Value as Json, json};

const ID: &str = "0f6a2c4e-1b2c-4d3e-8f90-a1b2c3d4e5f6";
const AGENT: &str = "Mender/1.0.0 MCU Zephyr/4.3.0";
const BODY: &str = include_str!("fixtures/auth-p256.body.json");
const SIGNATURE: &str = include_str!("fixtures/auth-p256.sig.b64");

/// A whole message, regenerated in windows of every size that could matter.
fn message(write: &dyn Fn(&mut Window<'_>)) -> Vec<u8> {
    let mut messages = [1usize, 7, 64, 1024].map(|size| {
        let (mut buf, mut all) = (vec![0; size], Vec::new());
        loop {
            let mut window = Window::new(&mut buf, u32::try_from(all.len()).unwrap());
            write(&mut window);
            all.extend_from_slice(window.written());
            if all.len() >= window.total() as usize {
                return all;
            }
        }
    });
    assert!(messages.iter().all(|m| *m == messages[0]));
    std::mem::take(&mut messages[0])
}

/// What the server sees.
struct Seen {
    line: String,
    fields: BTreeMap<String, String>,
    body: String,
}

fn send(url: &str, call: Call<'_>) -> Seen {
    let url = Url::parse(url).unwrap();
    let request = Request { url: &url, user_agent: AGENT, call };
    let text = message(&|w| request.write(w));
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(len) = head.parse(&text).unwrap() else { panic!("no whole head") };
    assert_eq!(head.version, Some(1));
    let mut fields = BTreeMap::new();
    for field in head.headers.iter() {
        let value = String::from_utf8(field.value.to_vec()).unwrap();
        assert!(fields.insert(field.name.to_string(), value).is_none(), "{} twice", field.name);
    }
    let body = String::from_utf8(text[len..].to_vec()).unwrap();
    assert_eq!(body.as_bytes(), message(&|w| request.call.body(w)));
    assert_eq!(fields.get("User-Agent").map(String::as_str), Some(AGENT));
    assert!(!fields.contains_key("Accept-Encoding"));
    if body.is_empty() {
        assert!(!fields.contains_key("Content-Length") && !fields.contains_key("Content-Type"));
    } else {
        assert_eq!(fields["Content-Length"], body.len().to_string());
        assert_eq!(fields["Content-Type"], "application/json");
    }
    Seen { line: format!("{} {}", head.method.unwrap(), head.path.unwrap()), fields, body }
}

fn call(message: Message<'_>) -> Seen {
    let seen = send("https://hosted.mender.io", Call::Device { token: "a.b.c", message });
    assert_eq!(seen.fields["Authorization"], "Bearer a.b.c");
    assert_eq!(seen.fields["Host"], "hosted.mender.io");
    seen
}

fn json_body(seen: &Seen) -> Json {
    serde_json::from_str(&seen.body).unwrap()
}

fn encoded(pairs: &[(&str, &str)]) -> Pairs<512> {
    let mut out = Pairs::new();
    pairs.iter().for_each(|(k, v)| out.push(k, v).unwrap());
    out
}

/// The public key of the fixture.
fn public_key() -> [u8; 65] {
    let body: Json = serde_json::from_str(BODY).unwrap();
    let pem: String = body["pubkey"].as_str().unwrap().lines().filter(|l| !l.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(pem).unwrap();
    der[der.len() - 65..].try_into().unwrap()
}

#[test]
fn the_authentication_body_is_the_known_good_one_byte_for_byte() {
    let identity = encoded(&[("mac", "00:11:22:33:44:55")]);
    let body = Authenticate {
        identity: identity.as_bytes(),
        public_key: &public_key(),
        tenant_token: Some(""),
        tier: None,
    };
    assert_eq!(String::from_utf8(message(&|w| body.body(w))).unwrap(), BODY.trim_end());
}

#[test]
fn the_signature_is_der_in_base64() {
    let known = BASE64_STANDARD.decode(SIGNATURE.trim_end()).unwrap();
    // Both numbers of this signature fill their 32 bytes.
    let raw: Vec<u8> = [&known[4..36], &known[38..70]].concat();
    let mut signature = heapless::Vec::<u8, DER_MAX>::new();
    der(raw.as_slice().try_into().unwrap(), &mut signature).unwrap();
    assert_eq!(signature, known.as_slice());
    let body = Authenticate {
        identity: &[],
        public_key: &public_key(),
        tenant_token: None,
        tier: Some(Tier::Micro),
    };
    let seen = send("https://hosted.mender.io", Call::Authenticate { body, signature: &signature });
    assert_eq!(seen.line, "POST /api/devices/v1/authentication/auth_requests");
    assert_eq!(seen.fields["X-MEN-Signature"], SIGNATURE.trim_end());
    assert!(!seen.fields.contains_key("Authorization"));
}

#[test]
fn the_identity_is_an_object_in_a_string_with_sorted_keys() {
    let identity =
        encoded(&[("serial", "\"\\\u{1}\n"), ("mac", "a"), ("é", ""), ("Mac", "/<&>"), ("z", "😀")]);
    let body = Authenticate {
        identity: identity.as_bytes(),
        public_key: &public_key(),
        tenant_token: Some("ey.\"J"),
        tier: Some(Tier::Standard),
    };
    let all: Json = serde_json::from_slice(&message(&|w| body.body(w))).unwrap();
    let id_data = all["id_data"].as_str().unwrap();
    let object: Json = serde_json::from_str(id_data).unwrap();
    assert_eq!(object, json!({"Mac": "/<&>", "mac": "a", "serial": "\"\\\u{1}\n", "z": "😀", "é": ""}));
    let at = ["\"Mac\"", "\"mac\"", "\"serial\"", "\"z\"", "\"é\""].map(|key| id_data.find(key).unwrap());
    assert!(at.is_sorted(), "{id_data}");
    assert_eq!((all["tenant_token"].as_str(), all["tier"].as_str()), (Some("ey.\"J"), Some("standard")));
    assert_eq!(all.as_object().unwrap().len(), 4);
    assert_eq!(Tier::System.name(), "system");
}

#[test]
fn the_second_version_of_the_check_sends_all_provides() {
    let provides = encoded(&[
        ("artifact_name", "release \"1\""),
        ("rootfs-image.zephyr.version", "1"),
        ("device_type", "spoofed"),
    ]);
    let seen = call(Message::NextV2 { device_type: "nucleo", provides: provides.as_bytes() });
    assert_eq!(seen.line, "POST /api/devices/v2/deployments/device/deployments/next");
    assert_eq!(
        json_body(&seen),
        json!({"device_provides": {
            "device_type": "nucleo", "artifact_name": "release \"1\"", "rootfs-image.zephyr.version": "1"
        }})
    );
    assert_eq!(seen.body.matches("device_type").count(), 1);
}

#[test]
fn the_first_version_of_the_check_is_percent_encoded() {
    let seen = call(Message::NextV1 { device_type: "a b&c=d", artifact_name: "é/1+2%#?.~-_" });
    assert_eq!(
        seen.line,
        "GET /api/devices/v1/deployments/device/deployments/next?artifact_name=%C3%A9%2F1%2B2%25%23%3F.~-_&device_type=a%20b%26c%3Dd"
    );
}

#[test]
fn a_status_is_reported_by_its_name() {
    let seen = call(Message::Status { id: ID, status: Status::PauseBeforeInstalling, substate: None });
    assert_eq!(seen.line, format!("PUT /api/devices/v1/deployments/device/deployments/{ID}/status"));
    assert_eq!(json_body(&seen), json!({"status": "pause_before_installing"}));
}

#[test]
fn a_substate_is_cut_to_what_the_server_takes() {
    let cut = |substate: &str| {
        let seen = call(Message::Status { id: ID, status: Status::Failure, substate: Some(substate) });
        json_body(&seen)["substate"].as_str().unwrap().to_string()
    };
    assert_eq!(cut("bad\n\"magic\""), "bad\n\"magic\"");
    assert_eq!(cut(&"x".repeat(200)), "x".repeat(200));
    assert_eq!(cut(&"x".repeat(201)), "x".repeat(200));
    assert_eq!(cut(&format!("{}é", "x".repeat(199))), "x".repeat(199), "not in the middle of a character");
}

#[test]
fn c24b_an_id_cannot_lead_elsewhere() {
    let seen = call(Message::Status { id: "../../x?y#z \r\nA: b", status: Status::Success, substate: None });
    assert!(seen.line.ends_with("/deployments/..%2F..%2Fx%3Fy%23z%20%0D%0AA%3A%20b/status"), "{}", seen.line);
}

/// Every event there is.
struct Log;

impl Entries for Log {
    fn visit(&self, each: &mut dyn FnMut(&Entry<'_>)) {
        for (event, ms) in Event::ALL.iter().zip((0..).step_by(1500)) {
            each(&Entry { unix_ms: ms, event: *event, a: 1101, b: -5, s: "s\"\\\n\u{1b}é" });
        }
    }
}

#[test]
fn a_log_has_a_full_timestamp_a_level_and_a_message_in_every_entry() {
    let seen = call(Message::Log { id: ID, entries: &Log });
    assert_eq!(seen.line, format!("PUT /api/devices/v1/deployments/device/deployments/{ID}/log"));
    let all = json_body(&seen);
    let messages = all["messages"].as_array().unwrap();
    assert_eq!(messages.len(), Event::ALL.len());
    for (entry, event) in messages.iter().zip(Event::ALL) {
        let mut text = String::new();
        event::render(*event, 1101, -5, "s\"\\\n\u{1b}é", &mut |piece| text.push_str(piece));
        assert_eq!(entry["message"], text);
        assert_eq!(entry["level"], event.level().name());
        assert_eq!(entry.as_object().unwrap().len(), 3);
    }
    assert_eq!(messages[1]["timestamp"], "1970-01-01T00:00:01.500Z");
}

struct Inventory(Vec<(&'static str, &'static str)>);

impl Attributes for Inventory {
    fn visit(&self, each: &mut dyn FnMut(&str, &str)) {
        self.0.iter().for_each(|(name, value)| each(name, value));
    }
}

#[test]
fn an_inventory_has_texts() {
    let inventory = Inventory(vec![("device_type", "nucleo"), ("weird \"name\"", "\u{0}\t"), ("none", "")]);
    let seen = call(Message::Inventory(&inventory));
    assert_eq!(seen.line, "PUT /api/devices/v1/inventory/device/attributes");
    assert_eq!(
        json_body(&seen),
        json!([
            {"name": "device_type", "value": "nucleo"},
            {"name": "weird \"name\"", "value": "\u{0}\t"},
            {"name": "none", "value": ""},
        ])
    );
    assert_eq!(call(Message::Inventory(&Inventory(Vec::new()))).body, "[]");
}

#[test]
fn a_download_carries_no_credentials_and_its_target_untouched() {
    let seen = send(
        "https://s3.example.com:9000/b/a%20b?X-Amz-Signature=%2F+&c=~",
        Call::Download(Download { range: Some((5, Some(9))), if_match: Some("\"e-1\"") }),
    );
    assert_eq!(seen.line, "GET /b/a%20b?X-Amz-Signature=%2F+&c=~");
    let names: Vec<_> = seen.fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["Host", "If-Match", "Range", "User-Agent"]);
    assert_eq!((&*seen.fields["Range"], &*seen.fields["If-Match"]), ("bytes=5-9", "\"e-1\""));
    assert_eq!(seen.fields["Host"], "s3.example.com:9000");
}

#[test]
fn a_plain_download_has_neither_range_nor_condition() {
    for (url, line) in [("http://a", "GET /"), ("http://a?b=c", "GET /?b=c"), ("http://a/b", "GET /b")] {
        let seen = send(url, Call::Download(Download::default()));
        assert_eq!((seen.line.as_str(), seen.fields.len()), (line, 2));
    }
    let open = Download { range: Some((1024, None)), if_match: Some("W/\"weak\"") };
    let seen = send("http://a", Call::Download(open));
    assert_eq!((seen.fields["Range"].as_str(), seen.fields.len()), ("bytes=1024-", 3));
}

#[test]
fn the_host_field_has_brackets_and_port_where_needed() {
    for (url, host) in [
        ("https://a", "a"),
        ("https://a:443", "a"),
        ("https://a:80", "a:80"),
        ("http://a:80", "a"),
        ("http://a:8080", "a:8080"),
        ("https://[::1]", "[::1]"),
        ("https://[::1]:8443/x", "[::1]:8443"),
        ("https://10.0.0.1:8443", "10.0.0.1:8443"),
    ] {
        assert_eq!(send(url, Call::Download(Download::default())).fields["Host"], host, "{url}");
    }
}
