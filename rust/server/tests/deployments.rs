// SPDX-License-Identifier: Apache-2.0
//! Deployments and inventory: who is offered what, and which reports are taken.

mod common;

use common::{ARTIFACT, ARTIFACT_NAME, DEPLOYMENTS, Device, Http, INVENTORY, NEXT_V1, NEXT_V2};
use mender_server::{ArtifactInfo, Config, DeploymentSpec, Server};
use serde_json::{Value, json};

/// A server with one artifact, an accepted device and its connection.
fn start(config: Config) -> (Server, Device, Http) {
    let server = Server::start(config).unwrap();
    server.upload(ARTIFACT).unwrap();
    let device = Device::accepted(&server, "a");
    let http = Http::api(&server);
    (server, device, http)
}

fn deploy(server: &Server) -> String {
    server.deploy(DeploymentSpec::all(ARTIFACT_NAME)).unwrap()
}

fn check(artifact_name: &str, device_type: &str) -> Value {
    json!({"device_provides": {"artifact_name": artifact_name, "device_type": device_type}})
}

#[test]
fn the_three_forms_of_the_check_yield_the_same_deployment() {
    for v2 in [true, false] {
        let (server, device, mut http) = start(Config { deployments_v2: v2, ..Config::default() });
        let id = deploy(&server);
        let flat = json!({"artifact_name": "old", "device_type": "nucleo_l4a6zg", "other": 1});
        let query = format!("{NEXT_V1}?artifact_name=old&device_type=nucleo_l4a6zg");
        let replies = [
            device.call(&mut http, "POST", NEXT_V2, &check("old", "nucleo_l4a6zg")),
            device.call(&mut http, "POST", NEXT_V1, &flat),
            http.get(&query, &device.headers()),
        ];
        let expected = [if v2 { 200 } else { 404 }, 200, 200];
        for (reply, status) in replies.iter().zip(expected) {
            assert_eq!(reply.status, status, "{}", reply.text());
            if status == 200 {
                assert_eq!(reply.json()["id"], id.as_str());
            }
        }
        let uri = |at: usize| replies[at].json()["artifact"]["source"]["uri"].clone();
        assert_ne!(uri(1), uri(2), "every check gets a fresh link");
        assert_eq!(server.only_device_of(&id).unwrap().offers, if v2 { 3 } else { 2 });
    }
}

#[test]
fn incomplete_checks_get_400() {
    let (_server, device, mut http) = start(Config::default());
    let long = "x".repeat(4097);
    let longest = "x".repeat(4096);
    let provides = |provides: Value| json!({"device_provides": provides});
    for (name, path, body, expected) in [
        ("v2 without type", NEXT_V2, provides(json!({"artifact_name": "a"})), 400),
        ("v2 without name", NEXT_V2, provides(json!({"device_type": "a"})), 400),
        ("v2 empty name", NEXT_V2, check("", "a"), 400),
        ("v2 long type", NEXT_V2, check("a", &long), 400),
        ("v2 longest type", NEXT_V2, check("a", &longest), 204),
        ("v2 number", NEXT_V2, provides(json!({"artifact_name": "a", "device_type": "a", "x": 1})), 400),
        (
            "v2 empty value",
            NEXT_V2,
            provides(json!({"artifact_name": "a", "device_type": "a", "x": ""})),
            400,
        ),
        (
            "v2 map no boolean",
            NEXT_V2,
            json!({"device_provides": {"artifact_name": "a", "device_type": "a"}, "update_control_map": "no"}),
            400,
        ),
        ("v2 flat", NEXT_V2, json!({"artifact_name": "a", "device_type": "a"}), 400),
        ("v1 with the body of v2", NEXT_V1, check("a", "a"), 400),
        ("v1 empty", NEXT_V1, json!({}), 400),
        (
            "v1 provides no strings",
            NEXT_V1,
            json!({"artifact_name": "a", "device_type": "a", "artifact_provides": {"x": 1}}),
            400,
        ),
        (
            "v1",
            NEXT_V1,
            json!({"artifact_name": "a", "device_type": "a", "artifact_provides": {"x": "1"}}),
            204,
        ),
    ] {
        let reply = device.call(&mut http, "POST", path, &body);
        assert_eq!(reply.status, expected, "{name}: {}", reply.text());
    }
    for (query, expected) in [
        ("", 400),
        ("?artifact_name=a", 400),
        ("?device_type=a", 400),
        ("?artifact_name=&device_type=a", 400),
        ("?artifact_name=%zz&device_type=a", 400),
        ("?artifact_name=a;b&device_type=a", 400),
        ("?device_type=a%20b&artifact_name=%3Ca%26%3E", 204),
    ] {
        let reply = http.get(&format!("{NEXT_V1}{query}"), &device.headers());
        assert_eq!(reply.status, expected, "{query}: {}", reply.text());
    }
}

#[test]
fn names_arrive_unescaped_and_leave_escaped() {
    let (server, device, mut http) = start(Config::default());
    let name = "näme <&> \"q\" \\ 1";
    let info = ArtifactInfo {
        name: name.to_owned(),
        device_types: vec!["bö ard".to_owned()],
        ..ArtifactInfo::default()
    };
    server.upload_as(info, b"bytes".to_vec()).unwrap();
    let id = server.deploy(DeploymentSpec::all(name)).unwrap();
    let reply =
        http.get(&format!("{NEXT_V1}?artifact_name=%3C&device_type=b%C3%B6%20ard"), &device.headers());
    assert_eq!(reply.json()["artifact"]["artifact_name"], name);
    assert!(reply.text().contains(r#""näme \u003c\u0026\u003e \"q\" \\ 1""#), "{}", reply.text());
    assert_eq!(server.only_device_of(&id).unwrap().provides.unwrap()["artifact_name"], "<");
}

#[test]
fn an_active_deployment_is_repeated_and_a_finished_one_never_comes_back() {
    let (server, device, mut http) = start(Config::default());
    let first = deploy(&server);
    let second = deploy(&server);
    for status in ["downloading", "installing", "rebooting", "pause_before_committing"] {
        assert_eq!(device.check(&mut http, "old").json()["id"], first.as_str(), "before {status}");
        assert_eq!(device.report(&mut http, &first, status), 204);
    }
    assert_eq!(device.report(&mut http, &first, "failure"), 204);
    assert_eq!(device.check(&mut http, "old").json()["id"], second.as_str());
    assert_eq!(device.report(&mut http, &second, "success"), 204);
    assert_eq!(device.check(&mut http, "old").status, 204);
    assert_eq!(server.only_device_of(&first).unwrap().final_statuses(), ["failure"]);
}

#[test]
fn the_same_name_is_already_installed_unless_forced() {
    let (server, device, mut http) = start(Config::default());
    let id = deploy(&server);
    assert_eq!(device.check(&mut http, ARTIFACT_NAME).status, 204);
    assert_eq!(server.only_device_of(&id).unwrap().status, "already-installed");
    let id = server.deploy(DeploymentSpec::all(ARTIFACT_NAME).force()).unwrap();
    assert_eq!(device.check(&mut http, ARTIFACT_NAME).json()["id"], id.as_str());
}

#[test]
fn no_artifact_for_the_device_type_ends_the_deployment_for_the_device() {
    let (server, device, mut http) = start(Config::default());
    let id = deploy(&server);
    let reply = device.call(&mut http, "POST", NEXT_V2, &check("old", "Nucleo_L4A6ZG"));
    assert_eq!(reply.status, 204);
    assert_eq!(server.only_device_of(&id).unwrap().status, "noartifact");
    assert_eq!(device.check(&mut http, "old").status, 204);
}

#[test]
fn each_device_gets_the_artifact_for_its_type() {
    let (server, device, mut http) = start(Config::default());
    let info = |types: &[&str]| ArtifactInfo {
        name: "multi".to_owned(),
        device_types: types.iter().map(|text| (*text).to_owned()).collect(),
        ..ArtifactInfo::default()
    };
    server.upload_as(info(&["x"]), b"for x".to_vec()).unwrap();
    let fits = server.upload_as(info(&["y", "nucleo_l4a6zg"]), b"for us".to_vec()).unwrap();
    server.deploy(DeploymentSpec::all("multi")).unwrap();
    let offer = device.check(&mut http, "old").json();
    assert_eq!(offer["artifact"]["id"], fits.id.as_str());
    assert_eq!(offer["artifact"]["device_types_compatible"], json!(["y", "nucleo_l4a6zg"]));
}

#[test]
fn changed_provides_during_a_deployment_fail_it_with_409() {
    let (server, device, mut http) = start(Config::default());
    let id = deploy(&server);
    assert_eq!(device.check(&mut http, "old").status, 200);
    let reply = device.check(&mut http, "new");
    assert_eq!(reply.status, 409);
    assert_eq!(reply.json()["error"], "Device provided conflicting request data");
    let entry = server.only_device_of(&id).unwrap();
    assert_eq!(
        (entry.status.as_str(), entry.reports.len()),
        ("failure", 0),
        "the server's own verdict, not a report"
    );
    assert_eq!(device.check(&mut http, "new").status, 204);
}

#[test]
fn a_deployment_for_one_device_is_not_offered_to_another() {
    let (server, device, mut http) = start(Config::default());
    let other = Device::accepted(&server, "b");
    let id = server.deploy(DeploymentSpec::device(ARTIFACT_NAME, "b")).unwrap();
    assert_eq!(device.check(&mut http, "old").status, 204);
    assert_eq!(device.report(&mut http, &id, "downloading"), 404);
    assert_eq!(other.check(&mut http, "old").json()["id"], id.as_str());
    assert!(!server.deployment(&id).unwrap().finished);
    assert_eq!(other.report(&mut http, &id, "success"), 204);
    assert!(server.deployment(&id).unwrap().finished);
    assert!(server.deploy(DeploymentSpec::device(ARTIFACT_NAME, "nobody")).is_err());
    assert!(server.deploy(DeploymentSpec::device(ARTIFACT_NAME, "")).is_err());
    assert!(server.deploy(DeploymentSpec::all("unknown")).is_err());
}

#[test]
fn reports_are_judged_one_by_one() {
    let (server, device, mut http) = start(Config::default());
    let id = deploy(&server);
    let path = format!("{DEPLOYMENTS}/{id}/status");
    assert_eq!(device.report(&mut http, &id, "downloading"), 404, "not offered yet");
    device.check(&mut http, "old");
    let long = "x".repeat(201);
    for (name, body, expected) in [
        ("not JSON", json!("downloading"), 400),
        ("unknown status", json!({"status": "done"}), 400),
        ("pending", json!({"status": "pending"}), 400),
        ("aborted", json!({"status": "aborted"}), 400),
        ("noartifact", json!({"status": "noartifact"}), 400),
        ("empty status", json!({"status": ""}), 400),
        ("number", json!({"status": 1}), 400),
        ("no status", json!({}), 500),
        ("substate too long", json!({"status": "downloading", "substate": long}), 400),
        ("substate no string", json!({"status": "downloading", "substate": 1}), 400),
        ("substate", json!({"status": "downloading", "substate": &long[..200]}), 204),
        ("the same again", json!({"status": "downloading", "substate": "ignored"}), 204),
        ("back and forth", json!({"status": "rebooting"}), 204),
        ("back and forth", json!({"status": "installing", "substate": ""}), 204),
        ("end", json!({"status": "success"}), 204),
        ("end again", json!({"status": "success"}), 204),
    ] {
        let reply = device.call(&mut http, "PUT", &path, &body);
        assert_eq!(reply.status, expected, "{name}: {}", reply.text());
    }
    let entry = server.only_device_of(&id).unwrap();
    assert_eq!(
        entry.statuses(),
        ["downloading", "downloading", "rebooting", "installing", "success", "success"]
    );
    assert_eq!(entry.final_statuses(), ["success"]);
    assert_eq!(entry.substate.len(), 200, "an equal status changes nothing");
    assert_eq!(device.report(&mut http, &id, "failure"), 204);
    assert_eq!(server.only_device_of(&id).unwrap().final_statuses(), ["success", "failure"]);
    for unknown in ["0f6a2c4e-0000-4000-8000-000000000001", "x"] {
        assert_eq!(device.report(&mut http, unknown, "failure"), 404, "{unknown}");
    }
}

#[test]
fn an_aborted_deployment_answers_409_and_keeps_a_record_of_who_asked() {
    let (server, device, mut http) = start(Config::default());
    let id = deploy(&server);
    device.check(&mut http, "old");
    assert_eq!(device.report(&mut http, &id, "downloading"), 204);
    server.abort(&id).unwrap();
    let reply = device.call(
        &mut http,
        "PUT",
        &format!("{DEPLOYMENTS}/{id}/status"),
        &json!({"status": "installing"}),
    );
    assert_eq!((reply.status, &reply.json()["error"]), (409, &json!("Deployment aborted")));
    assert_eq!(device.report(&mut http, &id, "failure"), 409);
    let entry = server.only_device_of(&id).unwrap();
    assert_eq!(entry.status, "aborted");
    assert_eq!(entry.reports.iter().map(|report| report.reply).collect::<Vec<_>>(), [204, 409, 409]);
    assert!(entry.final_statuses().is_empty());
    assert_eq!(device.check(&mut http, "old").status, 204);
    assert!(server.abort("unknown").is_err());
    // A success that was taken before is not undone.
    let id = deploy(&server);
    device.check(&mut http, "old");
    device.report(&mut http, &id, "success");
    server.abort(&id).unwrap();
    assert_eq!(server.only_device_of(&id).unwrap().status, "success");
}

#[test]
fn logs_are_replaced_whole_and_malformed_ones_refused() {
    let (server, device, mut http) = start(Config::default());
    let id = deploy(&server);
    device.check(&mut http, "old");
    let path = format!("{DEPLOYMENTS}/{id}/log");
    let line = |timestamp: &str, level: &str, message: &str| json!({"timestamp": timestamp, "level": level, "message": message});
    let messages = |lines: Value| json!({"messages": lines});
    let good = line("1970-01-01T00:00:12.345Z", "ERROR", "bad\nimage \u{1}");
    for (name, body, expected) in [
        ("empty", json!({}), 400),
        ("no messages", messages(json!([])), 400),
        ("null", messages(Value::Null), 400),
        ("Zephyr's time", messages(json!([line("00:39:06.746,000", "ERROR", "x")])), 400),
        ("year one", messages(json!([line("0001-01-01T00:00:00Z", "ERROR", "x")])), 400),
        ("no level", messages(json!([{"timestamp": "1970-01-01T00:00:12Z", "message": "x"}])), 400),
        ("empty message", messages(json!([line("1970-01-01T00:00:12Z", "ERROR", "")])), 400),
        ("good", messages(json!([good])), 204),
        ("replaced", messages(json!([good, good])), 204),
    ] {
        let reply = device.call(&mut http, "PUT", &path, &body);
        assert_eq!(reply.status, expected, "{name}: {}", reply.text());
    }
    let entry = server.only_device_of(&id).unwrap();
    assert_eq!(
        (entry.log.len(), entry.log_uploads, entry.log[0].message.as_str()),
        (2, 2, "bad\nimage \u{1}")
    );
    let body = messages(json!([good]));
    let at = |id: &str| format!("{DEPLOYMENTS}/{id}/log");
    assert_eq!(device.call(&mut http, "PUT", &at("0f6a2c4e-0000-4000-8000-000000000001"), &body).status, 404);
    assert_eq!(device.call(&mut http, "PUT", &at("x"), &body).status, 500);
}

#[test]
fn inventory_is_replaced_by_put_and_added_to_by_patch() {
    let (server, device, mut http) = start(Config::default());
    let put = |http: &mut Http, method: &str, body: Value| device.call(http, method, INVENTORY, &body).status;
    let attribute = |name: &str, value: Value| json!({"name": name, "value": value});
    assert_eq!(put(&mut http, "PUT", json!([attribute("a", json!("1")), attribute("b", json!(2))])), 200);
    assert_eq!(
        put(&mut http, "PATCH", json!([attribute("b", json!(["x"])), attribute("c.$", json!(0.5))])),
        200
    );
    let device_now = server.devices().remove(0);
    assert_eq!(json!(device_now.inventory), json!({"a": "1", "b": ["x"], "c.$": 0.5}));
    assert_eq!(put(&mut http, "PUT", json!([attribute("z", json!("1"))])), 200);
    assert_eq!(json!(server.devices()[0].inventory), json!({"z": "1"}));
    assert_eq!(server.devices()[0].inventory_updates, 3);
    let many =
        |count: usize| Value::Array((0..count).map(|n| attribute(&format!("n{n}"), json!(n))).collect());
    for (name, method, body, expected) in [
        ("object", "PUT", json!({}), 400),
        ("no name", "PUT", json!([{"value": 1}]), 400),
        ("empty name", "PUT", json!([attribute("", json!(1))]), 400),
        ("long name", "PUT", json!([attribute(&"n".repeat(1025), json!(1))]), 400),
        ("no value", "PUT", json!([{"name": "a"}]), 400),
        ("boolean", "PUT", json!([attribute("a", json!(true))]), 400),
        ("object as value", "PUT", json!([attribute("a", json!({}))]), 400),
        ("mixed array", "PUT", json!([attribute("a", json!(["a", 1]))]), 400),
        ("description no string", "PUT", json!([{"name": "a", "value": 1, "description": 1}]), 400),
        ("101 in a PATCH with what is stored", "PATCH", many(100), 400),
        ("100", "PUT", many(100), 200),
        ("101", "PUT", many(101), 400),
        ("one that is there", "PATCH", many(1), 200),
    ] {
        assert_eq!(put(&mut http, method, body), expected, "{name}");
    }
    assert_eq!(server.devices()[0].inventory.len(), 100);
}
