// SPDX-License-Identifier: Apache-2.0
//! The server as a value: start it, ask it, steer it, drop it.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::artifact::{self, ArtifactInfo};
use crate::config::Config;
use crate::error::Error;
use crate::fault::Fault;
use crate::journal::{Connections, RequestRecord};
use crate::model::{Artifact, AuthStatus, Deployment, DeploymentSpec, Device, DeviceDeployment, Origin};
use crate::net::Net;
use crate::state::{Bound, Shared, Stored};
use crate::tls::{Certificate, Tls};
use crate::{disk, stamp, storage};

/// A running server. Dropping it closes every connection and ends every thread.
pub struct Server {
    shared: Arc<Shared>,
    /// Ends the threads when it is dropped.
    _net: Net,
}

impl Server {
    /// Binds all sockets and starts to serve.
    ///
    /// # Errors
    /// When a socket cannot be bound, or what the data folder holds cannot be used.
    pub fn start(config: Config) -> Result<Self, Error> {
        let mut sockets = Vec::new();
        let api = config.api.iter().map(|listen| (Origin::Api, listen.addr, listen.tls));
        let storage = config.storage.iter().map(|listen| (Origin::Storage, listen.addr, listen.tls));
        let management = config.management.iter().map(|addr| (Origin::Management, *addr, false));
        for (origin, addr, tls) in api.chain(storage).chain(management) {
            let listener = TcpListener::bind(addr).map_err(Error::io(format!("listen on {addr}")))?;
            let addr = listener.local_addr().map_err(Error::io("local address"))?;
            sockets.push((Bound { origin, addr, tls }, listener));
        }
        let addresses: Vec<_> = sockets.iter().map(|(bound, _)| bound.addr.ip()).collect();
        let tls = Tls::new(config.host.as_deref(), &addresses, config.data.as_deref())?;
        let bound = sockets.iter().map(|(bound, _)| *bound).collect();
        let shared = Arc::new(Shared::new(config, bound, tls)?);
        let net = Net::start(&shared, sockets)?;
        Ok(Self { shared, _net: net })
    }

    /// Serves until the process ends.
    pub fn run(self) -> ! {
        loop {
            std::thread::park();
        }
    }

    /// Base of the device API, `scheme://host:port`; empty when none is configured.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.shared.url(Origin::Api).unwrap_or_default()
    }

    /// Base of the artifact storage, `scheme://host:port`; empty when none is configured.
    #[must_use]
    pub fn storage_url(&self) -> String {
        self.shared.url(Origin::Storage).unwrap_or_default()
    }

    /// Base of the management API, `http://host:port`; empty when none is configured.
    #[must_use]
    pub fn management_url(&self) -> String {
        self.shared.url(Origin::Management).unwrap_or_default()
    }

    /// Every socket's URL with what it serves.
    #[must_use]
    pub fn urls(&self) -> Vec<(Origin, String)> {
        self.shared.bound.iter().map(|bound| (bound.origin, self.shared.url_of(bound, None))).collect()
    }

    /// Certificate of the server's own CA, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.shared.tls.ca_pem()
    }

    /// Shows another certificate from the next handshake on.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn show_certificate(&self, kind: Certificate) -> Result<(), Error> {
        self.shared.tls.show(kind)
    }

    /// Takes an artifact whose header this server can read.
    ///
    /// # Errors
    /// When it cannot.
    pub fn upload(&self, bytes: impl Into<Vec<u8>>) -> Result<Artifact, Error> {
        let bytes = bytes.into();
        let info = artifact::read(&bytes)?;
        self.upload_as(info, bytes)
    }

    /// Takes any bytes as the artifact that `info` describes.
    ///
    /// # Errors
    /// When they cannot be kept in the data folder.
    pub fn upload_as(&self, info: ArtifactInfo, bytes: impl Into<Vec<u8>>) -> Result<Artifact, Error> {
        self.shared.upload(info, bytes.into())
    }

    /// The artifacts.
    #[must_use]
    pub fn artifacts(&self) -> Vec<Artifact> {
        self.shared.state().artifacts.values().map(|stored| stored.artifact.clone()).collect()
    }

    /// Makes a deployment and returns its id.
    ///
    /// # Errors
    /// When no artifact has that name, or a device is unknown.
    pub fn deploy(&self, spec: DeploymentSpec) -> Result<String, Error> {
        self.shared.change(|state| state.deploy(spec))
    }

    /// Aborts a deployment.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn abort(&self, deployment: &str) -> Result<(), Error> {
        self.shared.change(|state| state.abort(deployment))
    }

    /// The deployments, oldest first.
    #[must_use]
    pub fn deployments(&self) -> Vec<Deployment> {
        self.shared.state().deployments.clone()
    }

    /// A deployment by id.
    #[must_use]
    pub fn deployment(&self, id: &str) -> Option<Deployment> {
        self.shared.state().deployments.iter().find(|deployment| deployment.id == id).cloned()
    }

    /// A deployment on the only device that asked for it; `None` unless there is exactly one.
    #[must_use]
    pub fn only_device_of(&self, deployment: &str) -> Option<DeviceDeployment> {
        let mut devices = self.deployment(deployment)?.devices.into_values();
        devices.next().filter(|_| devices.len() == 0)
    }

    /// The devices.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        self.shared.state().devices.values().cloned().collect()
    }

    /// Accepts a device, named by its id, the beginning of it, or a value of its identity.
    ///
    /// # Errors
    /// When no device or more than one fits.
    pub fn accept(&self, device: &str) -> Result<(), Error> {
        self.shared.change(|state| state.decide(device, None, AuthStatus::Accepted))
    }

    /// Rejects a device; its tokens are void at once.
    ///
    /// # Errors
    /// When no device or more than one fits.
    pub fn reject(&self, device: &str) -> Result<(), Error> {
        self.shared.change(|state| state.decide(device, None, AuthStatus::Rejected))
    }

    /// Lets a device in before it was ever seen: `identity` is its identity data (JSON), `pubkey` its key (PEM). Returns its
    /// id.
    ///
    /// # Errors
    /// When one of the two is malformed, or a device of that identity exists.
    pub fn preauthorize(&self, identity: &str, pubkey: &str, tier: &str) -> Result<String, Error> {
        self.shared.change(|state| state.preauthorize(identity, pubkey, tier))
    }

    /// Forgets a device.
    ///
    /// # Errors
    /// When no device or more than one fits.
    pub fn decommission(&self, device: &str) -> Result<(), Error> {
        self.shared.change(|state| state.decommission(device))
    }

    /// Makes every token handed out so far an expired one: 403 at its next use, 401 afterwards.
    pub fn expire_tokens(&self) {
        self.shared.change(crate::state::State::expire_tokens);
    }

    /// Makes every token handed out so far an unknown one: 401.
    pub fn revoke_tokens(&self) {
        self.shared.change(crate::state::State::revoke_tokens);
    }

    /// Makes every artifact link handed out so far an expired one: 403 with an XML body.
    pub fn expire_links(&self) {
        self.shared.change(|state| state.last_expired_link = state.last_link);
    }

    /// A fresh link to an artifact, such as an update check would hand out: for replies that a test words itself. `None` when
    /// there is no such artifact or no storage.
    #[must_use]
    pub fn link_to(&self, artifact: &str) -> Option<String> {
        let storage = self.shared.url(Origin::Storage)?;
        self.shared.change(|state| {
            state
                .artifacts
                .contains_key(artifact)
                .then(|| storage::link(&self.shared, state, &storage, artifact).uri)
        })
    }

    /// Sets a fault; returns its number for [`Server::fault_strikes`].
    pub fn fault(&self, fault: Fault) -> u64 {
        self.shared.note(|state| state.faults.add(fault))
    }

    /// How often a fault has struck.
    #[must_use]
    pub fn fault_strikes(&self, number: u64) -> u32 {
        self.shared.state().faults.struck(number)
    }

    /// Behaves again.
    pub fn clear_faults(&self) {
        self.shared.note(|state| state.faults.clear());
    }

    /// The requests to the device API and the storage, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.records()
    }

    /// Forgets the requests so far; their numbers go on.
    pub fn clear_requests(&self) {
        self.shared.note(|state| state.journal.clear());
    }

    /// Counts of connections.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.shared.state().connections
    }

    /// Waits until a request satisfies `wanted` and returns it; `None` after `timeout`.
    #[must_use]
    pub fn wait_for_request(
        &self,
        timeout: Duration,
        mut wanted: impl FnMut(&RequestRecord) -> bool,
    ) -> Option<RequestRecord> {
        self.shared.wait(timeout, |state| state.journal.all().find(|record| wanted(record)).cloned())
    }

    /// Waits until a deployment satisfies `wanted` and returns it; `None` after `timeout` or when it is unknown.
    #[must_use]
    pub fn wait_for_deployment(
        &self,
        id: &str,
        timeout: Duration,
        mut wanted: impl FnMut(&Deployment) -> bool,
    ) -> Option<Deployment> {
        self.shared.wait(timeout, |state| {
            state.deployments.iter().find(|deployment| deployment.id == id && wanted(deployment)).cloned()
        })
    }

    /// Waits until a device satisfies `wanted` and returns it; `None` after `timeout`.
    #[must_use]
    pub fn wait_for_device(
        &self,
        timeout: Duration,
        mut wanted: impl FnMut(&Device) -> bool,
    ) -> Option<Device> {
        self.shared.wait(timeout, |state| state.devices.values().find(|device| wanted(device)).cloned())
    }
}

impl Shared {
    pub(crate) fn upload(&self, info: ArtifactInfo, bytes: Vec<u8>) -> Result<Artifact, Error> {
        let hash = stamp::hex(digest(&SHA256, &bytes).as_ref());
        let artifact = Artifact {
            id: stamp::uuid(),
            info,
            size: bytes.len(),
            etag: format!("\"{}\"", &hash[..32]),
            uploaded: stamp::now(),
        };
        if let Some(folder) = &self.config.data {
            disk::save_artifact(folder, &artifact.id, &bytes)?;
        }
        let stored = Stored { artifact: artifact.clone(), bytes: bytes.into() };
        self.change(|state| state.artifacts.insert(artifact.id.clone(), stored));
        Ok(artifact)
    }
}
