// SPDX-License-Identifier: Apache-2.0
//! What the server remembers, as tests and the management API see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::ArtifactInfo;

/// Which of the server's three faces a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The device API.
    Api,
    /// The artifact storage.
    Storage,
    /// The management API.
    Management,
}

/// Whether a device, or one of its keys, may talk to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthStatus {
    /// Seen, not decided.
    Pending,
    /// May authenticate.
    Accepted,
    /// Must not.
    Rejected,
    /// Known before it was ever seen: accepted at its first request.
    Preauthorized,
}

/// One identity, key and tier that asked to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthSet {
    /// UUID, the `jti` of its tokens.
    pub id: String,
    /// Public key, canonical PEM.
    pub pubkey: String,
    /// `standard`, `micro` or `system`.
    pub tier: String,
    /// Decision on this set.
    pub status: AuthStatus,
    /// When it first asked, RFC 3339.
    pub ts: String,
    /// How many authentication requests it made.
    pub requests: u32,
    /// How many tokens it was given.
    pub tokens: u32,
}

/// A device and what it said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// UUID.
    pub id: String,
    /// Identity data, canonical JSON.
    pub identity: String,
    /// Summary of the authentication sets: accepted if one is, else preauthorised, pending, rejected.
    pub status: AuthStatus,
    /// Every identity/key/tier seen for this identity.
    pub auth_sets: Vec<AuthSet>,
    /// Inventory by attribute name.
    pub inventory: BTreeMap<String, Value>,
    /// Inventory requests taken, PUT and PATCH.
    pub inventory_updates: u32,
    /// When the inventory last came, RFC 3339.
    pub inventory_at: Option<String>,
    /// When it was first seen, RFC 3339.
    pub created: String,
    /// Its last authenticated request, RFC 3339.
    pub last_seen: Option<String>,
}

/// An uploaded artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// UUID.
    pub id: String,
    /// What its header says.
    #[serde(flatten)]
    pub info: ArtifactInfo,
    /// Bytes of the file.
    pub size: usize,
    /// Entity tag the storage sends, quotes included.
    pub etag: String,
    /// When it was uploaded, RFC 3339.
    pub uploaded: String,
}

/// What to deploy to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentSpec {
    /// Name shown to people; the artifact's when empty.
    #[serde(default)]
    pub name: String,
    /// Name of the artifact; each device gets the one for its type.
    pub artifact_name: String,
    /// Ids of the devices; empty for every accepted device, also those accepted later.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Install even when the device already has an artifact of this name.
    #[serde(default)]
    pub force_installation: bool,
}

impl DeploymentSpec {
    /// `artifact_name` for every accepted device.
    #[must_use]
    pub fn all(artifact_name: &str) -> Self {
        Self { artifact_name: artifact_name.to_owned(), ..Self::default() }
    }

    /// `artifact_name` for the device with this id.
    #[must_use]
    pub fn device(artifact_name: &str, device: &str) -> Self {
        Self { devices: vec![device.to_owned()], ..Self::all(artifact_name) }
    }

    /// Installs even when the device already has an artifact of this name.
    #[must_use]
    pub fn force(mut self) -> Self {
        self.force_installation = true;
        self
    }
}

/// A deployment and how far each of its devices is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// UUID.
    pub id: String,
    /// What was asked for.
    pub spec: DeploymentSpec,
    /// Ids of the artifacts of that name when the deployment was made.
    pub artifacts: Vec<String>,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Position in the order of creation.
    pub sequence: u64,
    /// No device will get it any more: aborted, or every listed device is done.
    pub finished: bool,
    /// By device id, for the devices that asked for it.
    pub devices: BTreeMap<String, DeviceDeployment>,
}

/// A deployment on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceDeployment {
    /// The current status, in the API's words: `pending`, `downloading`, …, `success`, `failure`, `aborted`,
    /// `already-installed`, `noartifact`, `decommissioned`.
    pub status: String,
    /// The last substate that came with a change of status.
    pub substate: String,
    /// Every status report that reached the deployment, in order, repeated and late ones too.
    pub reports: Vec<Report>,
    /// The log the device uploaded last.
    pub log: Vec<LogEntry>,
    /// How often it uploaded one.
    pub log_uploads: u32,
    /// What the device provided at its first check; later checks must say the same.
    pub provides: Option<BTreeMap<String, String>>,
    /// Id of the artifact that fits the device.
    pub artifact: Option<String>,
    /// How often the deployment was handed out to the device.
    pub offers: u32,
    /// When the device first asked, RFC 3339.
    pub created: String,
    /// When it came to its end, RFC 3339.
    pub finished: Option<String>,
}

impl DeviceDeployment {
    pub(crate) fn new(created: String) -> Self {
        Self {
            status: PENDING.to_owned(),
            substate: String::new(),
            reports: Vec::new(),
            log: Vec::new(),
            log_uploads: 0,
            provides: None,
            artifact: None,
            offers: 0,
            created,
            finished: None,
        }
    }

    /// True while the server offers the deployment to the device.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !ENDED.contains(&self.status.as_str())
    }

    /// The final statuses the device reported and the server took, a repeated report counted once: a device that behaves
    /// leaves exactly one.
    #[must_use]
    pub fn final_statuses(&self) -> Vec<&str> {
        let mut finals: Vec<&str> = Vec::new();
        let mut last = "";
        for report in self.reports.iter().filter(|report| report.reply == 204) {
            if report.status != last && FINAL.contains(&report.status.as_str()) {
                finals.push(&report.status);
            }
            last = &report.status;
        }
        finals
    }

    /// The statuses the device reported, in order.
    #[must_use]
    pub fn statuses(&self) -> Vec<&str> {
        self.reports.iter().map(|report| report.status.as_str()).collect()
    }
}

/// One status report as it came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it came, RFC 3339.
    pub at: String,
    /// The status, in the API's words.
    pub status: String,
    /// The substate, if any.
    pub substate: Option<String>,
    /// What the server answered: 204, or 409 when the deployment was aborted.
    pub reply: u16,
}

/// One line of a deployment log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// RFC 3339, by the device's clock.
    pub timestamp: String,
    /// Such as `ERROR`.
    pub level: String,
    /// The text.
    pub message: String,
}

pub(crate) const PENDING: &str = "pending";
pub(crate) const FAILURE: &str = "failure";
pub(crate) const ABORTED: &str = "aborted";
pub(crate) const DECOMMISSIONED: &str = "decommissioned";
pub(crate) const NO_ARTIFACT: &str = "noartifact";
pub(crate) const ALREADY_INSTALLED: &str = "already-installed";

/// What a device may report.
pub(crate) const REPORTABLE: [&str; 9] = [
    "downloading",
    "installing",
    "rebooting",
    "success",
    FAILURE,
    ALREADY_INSTALLED,
    "pause_before_installing",
    "pause_before_rebooting",
    "pause_before_committing",
];

/// What a device may report and is then done.
const FINAL: [&str; 3] = ["success", FAILURE, ALREADY_INSTALLED];

/// What ends a deployment on a device.
const ENDED: [&str; 6] = ["success", FAILURE, ALREADY_INSTALLED, ABORTED, DECOMMISSIONED, NO_ARTIFACT];
