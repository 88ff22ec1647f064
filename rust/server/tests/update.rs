// SPDX-License-Identifier: Apache-2.0
//! Whole updates, as a device sees them.

mod common;

use common::{ARTIFACT, ARTIFACT_NAME, Device, Http, address};
use mender_server::{Config, DeploymentSpec, Server};
use serde_json::json;

/// Authenticates, downloads, reports; on one API connection.
fn update(server: &Server) {
    server.upload(ARTIFACT).unwrap();
    let deployment = server.deploy(DeploymentSpec::all(ARTIFACT_NAME)).unwrap();

    let mut device = Device::new("00:11:22:33:44:55");
    let mut api = Http::api(server);
    let body = device.auth_body();
    let reply = device.try_auth(&mut api, &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("Content-Type"), Some("application/jwt"));
    assert!((850..1000).contains(&device.token.len()));

    let attributes = json!([{"name": "device_type", "value": "nucleo_l4a6zg"}]);
    assert_eq!(device.call(&mut api, "PUT", common::INVENTORY, &attributes).status, 200);

    let reply = device.check(&mut api, "old");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().contains("\\u0026X-Amz-Signature="), "{}", reply.text());
    let offer = reply.json();
    assert_eq!(offer["id"], deployment.as_str());
    assert_eq!(offer["artifact"]["artifact_name"], ARTIFACT_NAME);
    assert_eq!(offer["artifact"]["device_types_compatible"], json!(["nucleo_l4a6zg"]));

    assert_eq!(device.report(&mut api, &deployment, "downloading"), 204);
    let uri = offer["artifact"]["source"]["uri"].as_str().unwrap();
    assert_eq!(address(uri), address(&server.storage_url()));
    let mut storage = Http::connect(server, uri);
    let path = &uri[server.storage_url().len()..];
    let reply = storage.get(path, "");
    assert_eq!((reply.status, reply.body.as_slice()), (200, ARTIFACT));
    assert_eq!(reply.header("Content-Type"), Some("application/vnd.mender-artifact"));

    for status in ["installing", "rebooting", "installing", "success"] {
        assert_eq!(device.report(&mut api, &deployment, status), 204, "{status}");
    }
    assert_eq!(device.check(&mut api, ARTIFACT_NAME).status, 204);

    let entry = server.only_device_of(&deployment).unwrap();
    assert_eq!(entry.statuses(), ["downloading", "installing", "rebooting", "installing", "success"]);
    assert_eq!(entry.final_statuses(), ["success"]);
    assert_eq!(server.devices()[0].inventory["device_type"], "nucleo_l4a6zg");
}

#[test]
fn a_device_updates_over_plain_http_on_two_connections() {
    let server = Server::start(Config::default()).unwrap();
    update(&server);
    let connections = server.connections();
    assert_eq!((connections.api.accepted, connections.api.tls), (1, 0));
    assert_eq!(connections.storage.accepted, 1);
}

#[test]
fn a_device_updates_over_tls_with_one_handshake_for_each_origin() {
    let server = Server::start(Config::https()).unwrap();
    assert!(server.api_url().starts_with("https://127.0.0.1:"));
    update(&server);
    let connections = server.connections();
    assert_eq!((connections.api.accepted, connections.api.tls), (1, 1));
    assert_eq!((connections.storage.accepted, connections.storage.tls), (1, 1));
}

#[test]
fn dropping_the_server_closes_its_connections_and_frees_its_port() {
    let server = Server::start(Config::default()).unwrap();
    let addr = address(&server.api_url());
    let mut idle = Http::api(&server);
    drop(server);
    let (rest, _) = idle.rest();
    assert!(rest.is_empty());
    assert!(std::net::TcpStream::connect(addr).is_err());
}
