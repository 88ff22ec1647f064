// SPDX-License-Identifier: Apache-2.0
//! Every body we write, read by another device's JSON library.

use mender_api::{Attributes, Authenticate, Call, Message, Tier, Window};
use mender_base::Status;
use mender_base::pairs::Pairs;
use serde::Deserialize;

fn body(call: &Call<'_>) -> Vec<u8> {
    let mut buf = [0; 2048];
    let mut window = Window::new(&mut buf, 0);
    call.body(&mut window);
    window.written().to_vec()
}

fn message(message: Message<'_>) -> Vec<u8> {
    body(&Call::Device { token: "", message })
}

#[test]
fn a_status_report_is_read_back() {
    #[derive(Deserialize)]
    struct Report<'a> {
        status: &'a str,
        substate: &'a str,
    }
    let id = "0f6a2c4e-0000-4000-8000-000000000001";
    let text = message(Message::Status { id, status: Status::Failure, substate: Some("self-test") });
    let (report, used) = serde_json_core::from_slice::<Report<'_>>(&text).unwrap();
    assert_eq!((report.status, report.substate, used), ("failure", "self-test", text.len()));
}

#[test]
fn a_check_is_read_back() {
    #[derive(Deserialize)]
    struct Check<'a> {
        #[serde(borrow)]
        device_provides: Provides<'a>,
    }
    #[derive(Deserialize)]
    struct Provides<'a> {
        device_type: &'a str,
        artifact_name: &'a str,
        other: &'a str,
        #[serde(default)]
        empty: Option<&'a str>,
    }
    let mut provides = Pairs::<128>::new();
    provides.push("artifact_name", "release-1").unwrap();
    provides.push("other", "x").unwrap();
    // The server takes no such value.
    provides.push("empty", "").unwrap();
    let text = message(Message::NextV2 { device_type: "böard", provides: provides.as_bytes() });
    let (check, used) = serde_json_core::from_slice::<Check<'_>>(&text).unwrap();
    let p = check.device_provides;
    assert_eq!(
        (p.device_type, p.artifact_name, p.other, p.empty, used),
        ("böard", "release-1", "x", None, text.len())
    );
}

#[test]
fn an_authentication_is_read_back_down_to_the_object_within_its_string() {
    #[derive(Deserialize)]
    struct Auth<'a> {
        id_data: serde_json_core::str::EscapedStr<'a>,
        pubkey: serde_json_core::str::EscapedStr<'a>,
        tier: &'a str,
    }
    let mut identity = Pairs::<64>::new();
    identity.push("mac", "02:00:00:00:00:01").unwrap();
    let asked = Authenticate {
        identity: identity.as_bytes(),
        public_key: &[4; 65],
        tenant_token: None,
        tier: Some(Tier::Micro),
    };
    let text = body(&Call::Authenticate { body: asked, signature: &[] });
    let (auth, used) = serde_json_core::from_slice::<Auth<'_>>(&text).unwrap();
    assert_eq!(auth.id_data.0, r#"{\"mac\":\"02:00:00:00:00:01\"}"#);
    assert!(auth.pubkey.0.starts_with(r"-----BEGIN PUBLIC KEY-----\n"));
    assert_eq!((auth.tier, used), ("micro", text.len()));
}

#[test]
fn an_inventory_is_read_back() {
    struct Two;
    impl Attributes for Two {
        fn visit(&self, each: &mut dyn FnMut(&str, &str)) {
            each("device_type", "sim");
            each("version", "1.0");
        }
    }
    #[derive(Deserialize)]
    struct Attribute<'a> {
        name: &'a str,
        value: &'a str,
    }
    let text = message(Message::Inventory(&Two));
    let (all, used) = serde_json_core::from_slice::<[Attribute<'_>; 2]>(&text).unwrap();
    assert_eq!(
        (all[0].name, all[0].value, all[1].name, all[1].value),
        ("device_type", "sim", "version", "1.0")
    );
    assert_eq!(used, text.len());
}
