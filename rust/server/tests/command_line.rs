// SPDX-License-Identifier: Apache-2.0
//! The command line and the management API, from the outside; and what is kept over a restart.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{ARTIFACT_NAME, Device, Http, JSON};
use mender_server::{Config, DeploymentSpec, Server};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mender-server");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mender-server-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the folder is removed");
    }
}

/// `mender-server run` as a process.
struct Running {
    process: Child,
    ready: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait().map(drop)).expect("the server ends");
    }
}

impl Running {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let ready_file = folder.join("ready");
        let process = Command::new(PROGRAM)
            .args(["run", "--listen", "127.0.0.1:0", "--management-listen", "127.0.0.1:0", "--ready-file"])
            .arg(&ready_file)
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while !ready_file.exists() {
            assert!(start.elapsed() < Duration::from_secs(20), "the server is not ready");
            std::thread::sleep(Duration::from_millis(5));
        }
        let ready = serde_json::from_slice(&fs::read(&ready_file).unwrap()).unwrap();
        fs::remove_file(ready_file).unwrap();
        Self { process, ready }
    }

    fn output(&self, arguments: &[&str]) -> Output {
        let url = self.ready["management"].as_str().unwrap();
        Command::new(PROGRAM).args(arguments).env("MENDER_SERVER_URL", url).output().unwrap()
    }

    /// What a command printed; it must have succeeded.
    fn ask(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command complained of; it must have failed.
    fn refuse(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ask(arguments)).unwrap()
    }

    fn api(&self) -> Http {
        Http::plain(self.ready["api"][0].as_str().unwrap())
    }
}

#[test]
fn a_whole_deployment_is_run_from_the_command_line() {
    let folder = Folder::new("commands");
    let server = Running::start(&folder.0, &[]);
    let artifact = format!("{FIXTURES}/provides-depends.mender");
    assert!(server.ask(&["upload", &artifact]).starts_with("provdep-1.0  for nucleo_l4a6zg"));
    let zstd = format!("{FIXTURES}/zstd.mender");
    assert!(server.refuse(&["upload", &zstd]).contains("give name and device type"));
    server.ask(&["upload", &zstd, "--name", "z 1&2", "--device-type", "x", "--device-type", "y"]);
    let artifacts = server.json(&["artifacts", "--json"]);
    let names: Vec<&Value> = artifacts.as_array().unwrap().iter().map(|artifact| &artifact["name"]).collect();
    assert!(names.contains(&&json!("z 1&2")) && names.len() == 2, "{names:?}");

    let mut device = Device::new("aa:bb");
    let mut api = server.api();
    let body = device.auth_body();
    assert_eq!(device.try_auth(&mut api, &body).status, 401);
    assert!(server.ask(&["devices"]).contains("pending"));
    server.ask(&["accept", "aa:bb"]);
    assert_eq!(device.try_auth(&mut api, &body).status, 200);
    let inventory = json!([{"name": "board", "value": "nucleo"}]);
    assert_eq!(device.call(&mut api, "PUT", common::INVENTORY, &inventory).status, 200);

    assert!(server.refuse(&["deploy", "--artifact", "nix"]).contains("artifact nix"));
    let id = server.ask(&["deploy", "--artifact", ARTIFACT_NAME, "--device", "aa:bb"]).trim().to_owned();
    assert_eq!(device.check(&mut api, "old").json()["id"], id.as_str());
    server.ask(&["fault", "report", "times=1", "status=500", "body=oops"]);
    assert_eq!(device.report(&mut api, &id, "failure"), 500);
    assert_eq!(device.report(&mut api, &id, "failure"), 204);
    assert_eq!(server.json(&["fault", "--list"])[0]["struck"], 1);
    let log = json!({"messages": [{"timestamp": "1970-01-01T00:00:12Z", "level": "ERROR", "message": "self-test failed"}]});
    assert_eq!(device.call(&mut api, "PUT", &format!("{}/{id}/log", common::DEPLOYMENTS), &log).status, 204);

    assert_eq!(server.ask(&["log", &id[..8], "aa:bb"]), "1970-01-01T00:00:12Z ERROR: self-test failed\n");
    let text = server.ask(&["devices"]);
    for part in ["accepted", r#"{"mac":"aa:bb"}"#, r#"board = "nucleo""#, "failure", "log: 1 lines"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(server.ask(&["deployments"]).contains("finished"));
    assert!(server.ask(&["requests", "--device", "aa:bb"]).contains("500 PUT"));
    assert!(server.ask(&["connections"]).contains("api: 1 accepted, 1 open"));
    server.ask(&["fault", "--clear"]);
    assert_eq!(server.json(&["fault", "--list"]), json!([]));
}

#[test]
fn decisions_and_expiries_are_made_from_the_command_line() {
    let folder = Folder::new("decisions");
    let server = Running::start(&folder.0, &["--tenant-token", "T", "--no-v2", "--quiet"]);
    let mut device = Device::new("a");
    let pem = folder.0.join("key.pem");
    fs::write(&pem, &device.pem).unwrap();
    let mut body = device.auth_body();
    body["tenant_token"] = json!("T");
    server.ask(&[
        "preauthorize",
        "--identity",
        &device.identity(),
        "--pubkey",
        pem.to_str().unwrap(),
        "--tier",
        "micro",
    ]);
    let mut api = server.api();
    assert_eq!(device.try_auth(&mut api, &body).status, 200);
    assert_eq!(device.check(&mut api, "x").status, 404, "no v2");
    server.ask(&["expire", "tokens"]);
    assert_eq!(device.check(&mut api, "x").status, 403);
    assert_eq!(device.try_auth(&mut api, &body).status, 200);
    server.ask(&["reject", "a"]);
    assert_eq!(device.check(&mut api, "x").status, 401);
    server.ask(&["accept", "a"]);
    assert_eq!(device.try_auth(&mut api, &body).status, 200);

    server.ask(&["upload", &format!("{FIXTURES}/provides-depends.mender")]);
    let id = server.ask(&["deploy", "--artifact", ARTIFACT_NAME, "--force"]).trim().to_owned();
    let next = format!("{}?artifact_name={ARTIFACT_NAME}&device_type=nucleo_l4a6zg", common::NEXT_V1);
    assert_eq!(api.get(&next, &device.headers()).status, 200);
    server.ask(&["abort", &id]);
    assert_eq!(device.report(&mut api, &id, "installing"), 409);
    server.ask(&["decommission", "a"]);
    assert_eq!(server.json(&["devices", "--json"]), json!([]));
    server.ask(&["expire", "links"]);
    server.ask(&["certificate", "expired"]);
    assert!(server.ask(&["ca"]).starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn mistakes_on_the_command_line_are_explained() {
    let folder = Folder::new("mistakes");
    let server = Running::start(&folder.0, &[]);
    for (arguments, explanation) in [
        (vec!["nonsense"], "unknown command"),
        (vec!["deploy"], "--artifact NAME is missing"),
        (vec!["accept"], "unknown command or arguments"),
        (vec!["upload", "/nonexistent"], "/nonexistent"),
        (vec!["fault", "report", "statsu=1"], "statsu"),
        (vec!["fault", "nothing"], "unknown pattern"),
        (vec!["certificate", "golden"], "golden"),
        (vec!["run", "--listen", "localhost"], "IP:PORT"),
        (vec!["run", "--nonsense"], "--nonsense"),
        (vec!["devices", "--server", "http://127.0.0.1:1"], "is `mender-server run` running?"),
    ] {
        let text = server.refuse(&arguments);
        assert!(text.contains(explanation), "{arguments:?}: {text}");
    }
    for help in [vec!["--help"], vec!["run", "--help"], vec!["fault", "--help"]] {
        assert!(server.ask(&help).contains("mender-server"), "{help:?}");
    }
}

#[test]
fn the_management_api_answers_scripts_with_json() {
    let config = Config { management: Some("127.0.0.1:0".parse().unwrap()), ..Config::default() };
    let server = Server::start(config).unwrap();
    let mut http = Http::connect(&server, &server.management_url());
    assert_eq!(http.get("/api/local/info", "").json()[0]["url"], server.api_url());
    for (method, path, body, expected) in [
        ("GET", "/", "", 404),
        ("GET", "/api/localx", "", 404),
        ("PATCH", "/api/management/v2/devauth/devices", "{}", 404),
        ("PUT", "/api/management/v2/devauth/devices/x/status", r#"{"status":"accepted"}"#, 404),
        ("PUT", "/api/management/v2/devauth/devices/x/status", r#"{"status":"preauthorized"}"#, 400),
        ("PUT", "/api/management/v2/devauth/devices/x/status", r#"{"status":"gone"}"#, 400),
        ("POST", "/api/management/v2/devauth/devices", r#"{"identity_data":"x","pubkey":"y"}"#, 400),
        ("POST", "/api/management/v1/deployments/artifacts", "x", 400),
        ("POST", "/api/management/v1/deployments/deployments", r#"{"artifact_name":"nix"}"#, 404),
        ("POST", "/api/management/v1/deployments/deployments", r#"{"artefact_name":"nix"}"#, 400),
        ("PUT", "/api/management/v1/deployments/deployments/x/status", r#"{"status":"success"}"#, 400),
        ("PUT", "/api/management/v1/deployments/deployments/x/status", r#"{"status":"aborted"}"#, 404),
        ("POST", "/api/local/tokens/revoke", "", 204),
        ("DELETE", "/api/local/requests", "", 204),
    ] {
        let reply = http.request(method, path, JSON, body.as_bytes());
        assert_eq!(reply.status, expected, "{method} {path}: {}", reply.text());
        if expected >= 400 {
            assert!(reply.json()["error"].is_string());
        }
    }
    let mut device = Device::new("a");
    let body = device.auth_body();
    device.try_auth(&mut Http::api(&server), &body);
    let requests = http.get("/api/local/requests", "").json();
    assert_eq!(requests[0]["target"], common::AUTH);
    assert_eq!(requests[0]["body"], Value::Null, "an authentication request may hold a tenant token");
}

#[test]
fn a_data_folder_keeps_everything_over_a_restart() {
    let folder = Folder::new("data");
    let config = Config { data: Some(folder.0.clone()), ..Config::default() };
    let server = Server::start(config.clone()).unwrap();
    let ca = server.ca_pem().to_owned();
    server.upload(common::ARTIFACT).unwrap();
    let id = server.deploy(DeploymentSpec::all(ARTIFACT_NAME)).unwrap();
    let device = Device::accepted(&server, "a");
    let mut http = Http::api(&server);
    device.check(&mut http, "old");
    device.report(&mut http, &id, "downloading");
    drop((http, server));

    let server = Server::start(config.clone()).unwrap();
    assert_eq!(server.ca_pem(), ca);
    let mut http = Http::api(&server);
    assert_eq!(device.check(&mut http, "old").json()["id"], id.as_str(), "the token still counts");
    assert_eq!(server.only_device_of(&id).unwrap().statuses(), ["downloading"]);
    let offer = device.check(&mut http, "old").json();
    let link = offer["artifact"]["source"]["uri"].as_str().unwrap();
    let reply = Http::connect(&server, link).get(&link[server.storage_url().len()..], "");
    assert_eq!(reply.body, common::ARTIFACT);
    drop((http, server));

    // The CA of a plain server serves HTTPS as well, and a client that trusted it before still does.
    let tls = Server::start(Config { data: Some(folder.0.clone()), ..Config::https() }).unwrap();
    assert_eq!(tls.ca_pem(), ca);
    drop(Http::api(&tls));
    drop(tls);
    fs::write(folder.0.join("state.json"), "{").unwrap();
    assert!(Server::start(config).is_err(), "a damaged state is not overwritten");
}
