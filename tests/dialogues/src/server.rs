// SPDX-License-Identifier: Apache-2.0
//! The server's side of a dialogue.

use mender_server::{ArtifactInfo, Config, DeploymentSpec, Origin, RequestRecord, Server};
use mender_testkit::artifact::Artifact;

use crate::{DEVICE_TYPE, MODULE};

/// A server that speaks plain HTTP, for whatever does not depend on TLS.
///
/// # Panics
/// When it cannot start.
#[must_use]
pub fn http() -> Server {
    Server::start(Config::default()).expect("a server")
}

/// A server with TLS.
///
/// # Panics
/// When it cannot start.
#[must_use]
pub fn https() -> Server {
    Server::start(Config::https()).expect("a server")
}

/// An artifact with one image for the tests' device type.
#[must_use]
pub fn artifact(name: &str, image: Vec<u8>) -> Artifact {
    Artifact::new(name, DEVICE_TYPE).file("zephyr.signed.bin", image)
}

/// An artifact with one file for the folder module.
#[must_use]
pub fn module_artifact(name: &str) -> Artifact {
    Artifact::new(name, DEVICE_TYPE).payload_type(MODULE).file("config.txt", name.as_bytes())
}

/// Uploads an artifact and deploys it to all; the deployment's id.
///
/// # Panics
/// When the server does not take it.
pub fn deploy(server: &Server, artifact: &Artifact) -> String {
    let uploaded = server.upload(artifact.build()).expect("an artifact the server reads");
    server.deploy(DeploymentSpec::all(&uploaded.info.name)).expect("a deployment")
}

/// Deploys any bytes as an artifact of this name, for devices of the tests' type.
///
/// # Panics
/// When the server does not take it.
pub fn deploy_bytes(server: &Server, name: &str, bytes: Vec<u8>) -> String {
    let device_types = vec![DEVICE_TYPE.to_owned()];
    let info = ArtifactInfo { name: name.to_owned(), device_types, ..ArtifactInfo::default() };
    server.upload_as(info, bytes).expect("an artifact");
    server.deploy(DeploymentSpec::all(name)).expect("a deployment")
}

/// Deploys an image.
pub fn deploy_image(server: &Server, name: &str, image: Vec<u8>) -> String {
    deploy(server, &artifact(name, image))
}

/// What was reported for the only device of a deployment, in order.
#[must_use]
pub fn reports(server: &Server, deployment: &str) -> Vec<String> {
    let device = server.only_device_of(deployment);
    device.map_or_else(Vec::new, |d| d.reports.into_iter().map(|r| r.status).collect())
}

/// The final statuses that the only device of a deployment reported; a good device leaves one.
#[must_use]
pub fn final_statuses(server: &Server, deployment: &str) -> Vec<String> {
    let device = server.only_device_of(deployment);
    device.map_or_else(Vec::new, |d| d.final_statuses().into_iter().map(str::to_owned).collect())
}

/// What a deployment is at on its only device, in the server's words; empty before that asked for it.
#[must_use]
pub fn status(server: &Server, deployment: &str) -> String {
    server.only_device_of(deployment).map_or_else(String::new, |d| d.status)
}

/// All requests since the last [`Server::clear_requests`], a word for each and its status: `auth 200`, `check 204`, `installing 204`,
/// `log 204`, `inventory 200`, `download 206`.
#[must_use]
pub fn dialogue(server: &Server) -> Vec<String> {
    server.requests().iter().map(|r| format!("{} {}", word(r), r.status)).collect()
}

fn word(request: &RequestRecord) -> &str {
    let path = request.path();
    let ends =
        [("/auth_requests", "auth"), ("/next", "check"), ("/log", "log"), ("/attributes", "inventory")];
    if request.origin == Origin::Storage {
        return "download";
    }
    if path.ends_with("/status") {
        // {"status":"…"}
        return request.body.as_deref().and_then(|body| body.split('"').nth(3)).unwrap_or("status");
    }
    ends.iter().find(|(end, _)| path.ends_with(end)).map_or("?", |(_, word)| word)
}
