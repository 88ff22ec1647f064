// SPDX-License-Identifier: Apache-2.0
//! The management API: what the command line uses, and any script. Plain HTTP and JSON without authentication, so it listens
//! on this machine only unless told otherwise.
//!
//! Paths under `/api/management/` are those of the real server's management API where it has one; `/api/local/` is this
//! server's own. Devices may be named by id, by the beginning of it, or by a value of their identity.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::artifact::{self, ArtifactInfo};
use crate::error::Error;
use crate::fault::Fault;
use crate::http::{Request, Response, query_value, unescape};
use crate::model::{AuthStatus, DeploymentSpec};
use crate::state::{Bound, Shared, State};
use crate::tls::Certificate;

const DEVICES: &str = "/api/management/v2/devauth/devices";
const ARTIFACTS: &str = "/api/management/v1/deployments/artifacts";
const DEPLOYMENTS: &str = "/api/management/v1/deployments/deployments";
const LOCAL: &str = "/api/local";

/// Answers one request of the server's user.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Response {
    route(shared, request).unwrap_or_else(|error| {
        let status = match error {
            Error::NotFound(_) => 404,
            Error::Conflict(_) => 409,
            Error::Invalid(_) | Error::Artifact(_) => 400,
            Error::Io(..) | Error::Tls(_) => 500,
        };
        Response::error(status, &error.to_string(), &request.id)
    })
}

fn route(shared: &Shared, request: &Request) -> Result<Response, Error> {
    let path = request.path();
    for (prefix, handler) in [
        (DEVICES, devices as fn(&Shared, &Request, &[String]) -> Result<Response, Error>),
        (ARTIFACTS, artifacts),
        (DEPLOYMENTS, deployments),
        (LOCAL, local),
    ] {
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        if rest.is_empty() || rest.starts_with('/') {
            let segments: Option<Vec<String>> = rest.split('/').skip(1).map(unescape).collect();
            return handler(shared, request, &segments.ok_or_else(no_such)?);
        }
    }
    Err(no_such())
}

fn no_such() -> Error {
    Error::NotFound("no such endpoint".to_owned())
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Error> {
    serde_json::from_slice(&request.body).map_err(|error| Error::Invalid(error.to_string()))
}

/// Method and path segments, for matching.
fn parts<'a>(request: &'a Request, segments: &'a [String]) -> (&'a str, Vec<&'a str>) {
    (request.method.as_str(), segments.iter().map(String::as_str).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusBody<T> {
    status: T,
}

fn devices(shared: &Shared, request: &Request, segments: &[String]) -> Result<Response, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Preauthorize {
        identity_data: Value,
        pubkey: String,
        #[serde(default = "standard")]
        tier: String,
    }
    fn standard() -> String {
        "standard".to_owned()
    }
    let (method, segments) = parts(request, segments);
    match (method, segments.as_slice()) {
        ("GET", []) => Ok(Response::json(200, &shared.state().devices.values().collect::<Vec<_>>())),
        ("GET", [device]) => {
            let state = shared.state();
            let id = state.find_device(device)?;
            Ok(Response::json(200, &state.devices.get(&id)))
        }
        ("POST", []) => {
            let body: Preauthorize = read(request)?;
            let identity = match &body.identity_data {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let id = shared.change(|state| state.preauthorize(&identity, &body.pubkey, &body.tier))?;
            Ok(Response::json(201, &json!({"id": id})).with("Location", &format!("{DEVICES}/{id}")))
        }
        ("PUT", [device, "status"]) => decide(shared, request, device, None),
        ("PUT", [device, "auth", set, "status"]) => decide(shared, request, device, Some(set)),
        ("DELETE", [device]) => {
            shared.change(|state| state.decommission(device)).map(|()| Response::empty(204))
        }
        _ => Err(no_such()),
    }
}

fn decide(shared: &Shared, request: &Request, device: &str, set: Option<&str>) -> Result<Response, Error> {
    let StatusBody { status } = read::<StatusBody<AuthStatus>>(request)?;
    if status == AuthStatus::Preauthorized {
        return Err(Error::Invalid("a device is preauthorized by POST, before it is seen".to_owned()));
    }
    shared.change(|state| state.decide(device, set, status)).map(|()| Response::empty(204))
}

fn artifacts(shared: &Shared, request: &Request, segments: &[String]) -> Result<Response, Error> {
    match parts(request, segments) {
        ("GET", segments) if segments.is_empty() => {
            let state = shared.state();
            Ok(Response::json(
                200,
                &state.artifacts.values().map(|stored| &stored.artifact).collect::<Vec<_>>(),
            ))
        }
        ("POST", segments) if segments.is_empty() => {
            let artifact = shared.upload(info_of(request)?, request.body.clone())?;
            Ok(Response::json(201, &artifact).with("Location", &format!("{ARTIFACTS}/{}", artifact.id)))
        }
        _ => Err(no_such()),
    }
}

/// What the artifact's header says, or what the query says in its place: `?name=…&device_types=a,b`.
fn info_of(request: &Request) -> Result<ArtifactInfo, Error> {
    let Some(name) = query_value(request.query(), "name") else { return artifact::read(&request.body) };
    let types = query_value(request.query(), "device_types").unwrap_or_default();
    let device_types: Vec<String> =
        types.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect();
    if name.is_empty() || device_types.is_empty() {
        return Err(Error::Invalid("name and device_types go together".to_owned()));
    }
    Ok(ArtifactInfo { name, device_types, ..ArtifactInfo::default() })
}

fn deployments(shared: &Shared, request: &Request, segments: &[String]) -> Result<Response, Error> {
    let (method, segments) = parts(request, segments);
    match (method, segments.as_slice()) {
        ("GET", []) => Ok(Response::json(200, &shared.state().deployments)),
        ("POST", []) => {
            let spec: DeploymentSpec = read(request)?;
            let id = shared.change(|state| state.deploy(spec))?;
            Ok(Response::json(201, &json!({"id": id})).with("Location", &format!("{DEPLOYMENTS}/{id}")))
        }
        ("GET", [id]) => {
            let state = shared.state();
            let id = state.find_deployment(id)?;
            Ok(Response::json(200, &state.deployments.iter().find(|deployment| deployment.id == id)))
        }
        ("PUT", [id, "status"]) => {
            let StatusBody { status } = read::<StatusBody<String>>(request)?;
            if status != "aborted" {
                return Err(Error::Invalid("a deployment's status can only be set to aborted".to_owned()));
            }
            shared.change(|state| state.find_deployment(id).and_then(|id| state.abort(&id)))?;
            Ok(Response::empty(204))
        }
        ("GET", [id, "devices", device, "log"]) => deployment_log(shared, id, device),
        _ => Err(no_such()),
    }
}

fn deployment_log(shared: &Shared, deployment: &str, device: &str) -> Result<Response, Error> {
    shared.note(|state| {
        let deployment = state.find_deployment(deployment)?;
        let device = state.find_device(device)?;
        let entry = state.device_deployment(&deployment, &device);
        let entry =
            entry.ok_or_else(|| Error::NotFound("the device did not ask for this deployment".to_owned()))?;
        let mut text = String::new();
        for line in &entry.log {
            text.push_str(&format!("{} {}: {}\n", line.timestamp, line.level, line.message));
        }
        Ok(Response::bytes(200, "text/plain; charset=utf-8", text.into_bytes()))
    })
}

fn local(shared: &Shared, request: &Request, segments: &[String]) -> Result<Response, Error> {
    let (method, segments) = parts(request, segments);
    match (method, segments.as_slice()) {
        ("GET", ["info"]) => {
            let url = |bound: &Bound| json!({"serves": bound.origin, "url": shared.url_of(bound, None)});
            Ok(Response::json(200, &shared.bound.iter().map(url).collect::<Vec<_>>()))
        }
        ("GET", ["ca"]) => {
            Ok(Response::bytes(200, "application/x-pem-file", shared.tls.ca_pem().as_bytes().to_vec()))
        }
        ("PUT", ["certificate"]) => {
            let kind: Certificate = read(request)?;
            shared.tls.show(kind).map(|()| Response::empty(204))
        }
        ("GET", ["requests"]) => {
            let wanted = query_value(request.query(), "device");
            let id = wanted.map(|device| shared.state().find_device(&device)).transpose()?;
            let mut records = shared.records();
            records.retain(|record| id.is_none() || record.device == id);
            Ok(Response::json(200, &records))
        }
        ("DELETE", ["requests"]) => Ok(done(shared, |state| state.journal.clear())),
        ("GET", ["connections"]) => Ok(Response::json(200, &shared.state().connections)),
        ("GET", ["faults"]) => Ok(Response::json(200, &shared.state().faults.list())),
        ("POST", ["faults"]) => {
            let fault: Fault = read(request)?;
            let id = shared.note(|state| state.faults.add(fault));
            Ok(Response::json(201, &json!({"id": id})))
        }
        ("DELETE", ["faults"]) => Ok(done(shared, |state| state.faults.clear())),
        ("POST", ["tokens", "expire"]) => Ok(done(shared, State::expire_tokens)),
        ("POST", ["tokens", "revoke"]) => Ok(done(shared, State::revoke_tokens)),
        ("POST", ["links", "expire"]) => Ok(done(shared, |state| state.last_expired_link = state.last_link)),
        _ => Err(no_such()),
    }
}

fn done(shared: &Shared, change: impl FnOnce(&mut State)) -> Response {
    shared.change(change);
    Response::empty(204)
}
