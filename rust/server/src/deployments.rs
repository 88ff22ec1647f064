// SPDX-License-Identifier: Apache-2.0
//! Deployments: who is offered what, status reports, logs.
//!
//! Source: Mender device API, deployments v1 and v2; the order of decisions is that of mender-server's deployments service.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::http::{Request, Response, query_value};
use crate::model::{
    ABORTED, ALREADY_INSTALLED, AuthStatus, DECOMMISSIONED, Deployment, DeploymentSpec, DeviceDeployment,
    FAILURE, LogEntry, NO_ARTIFACT, PENDING, REPORTABLE, Report,
};
use crate::state::{Shared, State};
use crate::{stamp, storage};

/// Longest artifact name, device type or other value of a check, bytes.
const VALUE_MAX: usize = 4096;
/// Longest substate, bytes.
const SUBSTATE_MAX: usize = 200;

/// What a device says it has.
type Provides = BTreeMap<String, String>;

/// `POST /api/devices/v2/deployments/device/deployments/next`.
pub(crate) fn next_v2(shared: &Shared, request: &Request, tls: bool, device: &str) -> Response {
    #[derive(Deserialize)]
    struct Check {
        device_provides: Provides,
        #[serde(default)]
        #[expect(dead_code, reason = "read for its type: anything but a boolean is refused")]
        update_control_map: bool,
    }
    match serde_json::from_slice::<Check>(&request.body) {
        Ok(check) => next(shared, request, tls, device, check.device_provides),
        Err(error) => Response::error(400, &format!("invalid schema: {error}"), &request.id),
    }
}

/// `POST /api/devices/v1/deployments/device/deployments/next`: a flat object, of which three members are read.
pub(crate) fn next_v1_post(shared: &Shared, request: &Request, tls: bool, device: &str) -> Response {
    #[derive(Deserialize)]
    struct Check {
        #[serde(default)]
        artifact_name: String,
        #[serde(default)]
        device_type: String,
        #[serde(default)]
        artifact_provides: Provides,
    }
    match serde_json::from_slice::<Check>(&request.body) {
        Ok(check) => {
            let mut provides = check.artifact_provides;
            provides.insert("artifact_name".to_owned(), check.artifact_name);
            provides.insert("device_type".to_owned(), check.device_type);
            next(shared, request, tls, device, provides)
        }
        Err(error) => Response::error(400, &format!("invalid schema: {error}"), &request.id),
    }
}

/// `GET /api/devices/v1/deployments/device/deployments/next?artifact_name=…&device_type=…`.
pub(crate) fn next_v1_get(shared: &Shared, request: &Request, tls: bool, device: &str) -> Response {
    let mut provides = Provides::new();
    for name in ["artifact_name", "device_type"] {
        if let Some(value) = query_value(request.query(), name) {
            provides.insert(name.to_owned(), value);
        }
    }
    next(shared, request, tls, device, provides)
}

fn next(shared: &Shared, request: &Request, tls: bool, device: &str, provides: Provides) -> Response {
    for name in ["artifact_name", "device_type"] {
        if !provides.contains_key(name) {
            return Response::error(400, &format!("{name}: cannot be blank."), &request.id);
        }
    }
    if let Some((name, _)) = provides.iter().find(|(_, value)| value.is_empty() || value.len() > VALUE_MAX) {
        return Response::error(400, &format!("{name}: the length must be between 1 and 4096."), &request.id);
    }
    let Some(storage) = shared.storage_url(request, tls) else {
        return Response::error(500, "no storage is configured", &request.id);
    };
    shared.change(|state| match state.offer(device, provides) {
        Ok(None) => Response::empty(204),
        Ok(Some((deployment, artifact))) => {
            let link = storage::link(shared, state, &storage, &artifact);
            let Some(stored) = state.artifacts.get(&artifact) else { return Response::empty(204) };
            Response::json(200, &instructions(&deployment, &stored.artifact, &link))
        }
        Err(_) => Response::error(409, "Device provided conflicting request data", &request.id),
    })
}

fn instructions(deployment: &str, artifact: &crate::model::Artifact, link: &storage::Link) -> Value {
    json!({
        "id": deployment,
        "artifact": {
            "id": artifact.id,
            "artifact_name": artifact.info.name,
            "source": {"uri": link.uri, "expire": link.expire, "method": "GET"},
            "device_types_compatible": artifact.info.device_types,
        },
    })
}

/// `PUT …/deployments/{id}/status`.
pub(crate) fn report(shared: &Shared, request: &Request, device: &str, id: &str) -> Response {
    #[derive(Deserialize)]
    struct Body {
        status: Option<String>,
        substate: Option<String>,
    }
    let refuse = |status, text: &str| Response::error(status, text, &request.id);
    let body: Body = match serde_json::from_slice(&request.body) {
        Ok(body) => body,
        Err(error) => return refuse(400, &error.to_string()),
    };
    if body.status.as_ref().is_some_and(|status| !REPORTABLE.contains(&status.as_str())) {
        return refuse(400, "status: must be a valid value.");
    }
    if body.substate.as_ref().is_some_and(|text| text.len() > SUBSTATE_MAX) {
        return refuse(400, "substate: the length must be between 0 and 200.");
    }
    shared.change(|state| {
        let Some(status) = body.status else {
            let known = state.device_deployment(id, device).is_some();
            return if known { refuse(500, "internal error") } else { refuse(404, "Resource not found") };
        };
        match state.take_report(id, device, &status, body.substate) {
            Some(204) => Response::empty(204),
            Some(_) => refuse(409, "Deployment aborted"),
            None => refuse(404, "Resource not found"),
        }
    })
}

/// `PUT …/deployments/{id}/log`.
pub(crate) fn log(shared: &Shared, request: &Request, device: &str, id: &str) -> Response {
    #[derive(Deserialize)]
    struct Body {
        messages: Vec<LogEntry>,
    }
    let refuse = |status, text: &str| Response::error(status, text, &request.id);
    let body: Body = match serde_json::from_slice(&request.body) {
        Ok(body) => body,
        Err(error) => return refuse(400, &error.to_string()),
    };
    if body.messages.is_empty() {
        return refuse(400, "no messages: invalid deployment log");
    }
    for entry in &body.messages {
        if entry.level.is_empty() || entry.message.is_empty() || !stamp::is_go_time(&entry.timestamp) {
            return refuse(400, "invalid log message");
        }
    }
    if !stamp::is_uuid(id) {
        return refuse(500, "internal error");
    }
    shared.change(|state| match state.device_deployment(id, device) {
        Some(entry) => {
            entry.log = body.messages;
            entry.log_uploads += 1;
            Response::empty(204)
        }
        None => refuse(404, "Deployment not found"),
    })
}

/// The device contradicts what it said at the first check of its active deployment.
#[derive(Debug)]
struct Contradiction;

impl State {
    /// Makes a deployment of the artifacts called `spec.artifact_name`. Returns its id.
    pub(crate) fn deploy(&mut self, mut spec: DeploymentSpec) -> Result<String, Error> {
        let named = self.artifacts.values().filter(|stored| stored.artifact.info.name == spec.artifact_name);
        let artifacts: Vec<String> = named.map(|stored| stored.artifact.id.clone()).collect();
        if artifacts.is_empty() {
            return Err(Error::NotFound(format!("artifact {}", spec.artifact_name)));
        }
        let devices: Result<Vec<String>, Error> =
            spec.devices.iter().map(|name| self.find_device(name)).collect();
        spec.devices = devices?;
        if spec.name.is_empty() {
            spec.name.clone_from(&spec.artifact_name);
        }
        let id = stamp::uuid();
        let sequence = self.deployments.last().map_or(1, |last| last.sequence + 1);
        self.deployments.push(Deployment {
            id: id.clone(),
            spec,
            artifacts,
            created: stamp::now(),
            sequence,
            finished: false,
            devices: BTreeMap::new(),
        });
        Ok(id)
    }

    /// The id of the deployment that `name` means: its id or the beginning of it.
    pub(crate) fn find_deployment(&self, name: &str) -> Result<String, Error> {
        let found: Vec<&Deployment> = self.deployments.iter().filter(|d| d.id.starts_with(name)).collect();
        match found.as_slice() {
            [one] if !name.is_empty() => Ok(one.id.clone()),
            [] => Err(Error::NotFound(format!("deployment {name}"))),
            _ => Err(Error::Invalid(format!("{name:?} fits {} deployments", found.len()))),
        }
    }

    /// Ends a deployment: devices at work on it learn of it at their next report, the others never get it.
    pub(crate) fn abort(&mut self, id: &str) -> Result<(), Error> {
        let found = self.deployments.iter_mut().find(|deployment| deployment.id == id);
        let deployment = found.ok_or_else(|| Error::NotFound(format!("deployment {id}")))?;
        for entry in deployment.devices.values_mut().filter(|entry| entry.is_active()) {
            end(entry, ABORTED);
        }
        deployment.finished = true;
        Ok(())
    }

    pub(crate) fn end_deployments_of(&mut self, device: &str, status: &str) {
        for deployment in &mut self.deployments {
            if let Some(entry) = deployment.devices.get_mut(device).filter(|entry| entry.is_active()) {
                end(entry, status);
            }
            settle(deployment);
        }
    }

    pub(crate) fn device_deployment(&mut self, id: &str, device: &str) -> Option<&mut DeviceDeployment> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)?.devices.get_mut(device)
    }

    /// The deployment and artifact that `device` gets now.
    fn offer(&mut self, device: &str, provides: Provides) -> Result<Option<(String, String)>, Contradiction> {
        let Some(at) = self.active_deployment(device).or_else(|| self.new_deployment(device)) else {
            return Ok(None);
        };
        let Self { deployments, artifacts, .. } = self;
        let Some(deployment) = deployments.get_mut(at) else { return Ok(None) };
        let entry = deployment
            .devices
            .entry(device.to_owned())
            .or_insert_with(|| DeviceDeployment::new(stamp::now()));
        match &entry.provides {
            Some(before) if *before != provides => {
                end(entry, FAILURE);
                settle(deployment);
                return Err(Contradiction);
            }
            Some(_) => {}
            None => entry.provides = Some(provides.clone()),
        }
        if entry.artifact.is_none() {
            let device_type = provides.get("device_type").map_or("", String::as_str);
            let fits = |id: &&String| {
                let types = artifacts.get(*id).map(|stored| &stored.artifact.info.device_types);
                types.is_some_and(|types| types.iter().any(|have| have == device_type))
            };
            entry.artifact = deployment.artifacts.iter().find(fits).cloned();
        }
        let Some(artifact) = entry.artifact.clone() else {
            end(entry, NO_ARTIFACT);
            settle(deployment);
            return Ok(None);
        };
        let installed = provides.get("artifact_name") == Some(&deployment.spec.artifact_name);
        if installed && !deployment.spec.force_installation && entry.status == PENDING {
            end(entry, ALREADY_INSTALLED);
            settle(deployment);
            return Ok(None);
        }
        entry.offers += 1;
        Ok(Some((deployment.id.clone(), artifact)))
    }

    /// The oldest deployment the device is at work on.
    fn active_deployment(&self, device: &str) -> Option<usize> {
        self.deployments.iter().position(|d| d.devices.get(device).is_some_and(DeviceDeployment::is_active))
    }

    /// The oldest deployment for the device that is newer than the last one it ended.
    fn new_deployment(&self, device: &str) -> Option<usize> {
        let mine = self.deployments.iter().filter(|d| d.devices.contains_key(device));
        let last = mine.map(|d| d.sequence).max().unwrap_or(0);
        let accepted = self.devices.get(device).is_some_and(|d| d.status == AuthStatus::Accepted);
        self.deployments.iter().position(|d| {
            let meant =
                d.spec.devices.iter().any(|id| id == device) || (d.spec.devices.is_empty() && accepted);
            d.sequence > last && !d.finished && meant
        })
    }

    /// Takes a report: 204 or 409, or `None` when the deployment is unknown or not this device's.
    fn take_report(&mut self, id: &str, device: &str, status: &str, substate: Option<String>) -> Option<u16> {
        let deployment = self.deployments.iter_mut().find(|deployment| deployment.id == id)?;
        let entry = deployment.devices.get_mut(device)?;
        let ended_by_user = entry.status == ABORTED || entry.status == DECOMMISSIONED;
        let reply = if ended_by_user { 409 } else { 204 };
        // A report of the current status changes nothing, its substate included.
        if !ended_by_user && entry.status != status {
            status.clone_into(&mut entry.status);
            if let Some(text) = substate.as_ref().filter(|text| !text.is_empty()) {
                entry.substate.clone_from(text);
            }
            entry.finished = (!entry.is_active()).then(stamp::now);
        }
        entry.reports.push(Report { at: stamp::now(), status: status.to_owned(), substate, reply });
        settle(deployment);
        Some(reply)
    }
}

fn end(entry: &mut DeviceDeployment, status: &str) {
    status.clone_into(&mut entry.status);
    entry.finished = Some(stamp::now());
}

/// A deployment for listed devices is over when each of them is done.
fn settle(deployment: &mut Deployment) {
    let done = |id: &String| deployment.devices.get(id).is_some_and(|entry| !entry.is_active());
    if !deployment.spec.devices.is_empty() && deployment.spec.devices.iter().all(done) {
        deployment.finished = true;
    }
}
