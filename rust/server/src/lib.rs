// SPDX-License-Identifier: Apache-2.0
//! A local Mender server for development and tests: the device API, the artifact storage and a small management API, in one
//! process, without an account, a container or a database.
//!
//! Knows: what a Mender server accepts and refuses, how it answers, and how to misbehave on request ([`Fault`]).
//! Does not know: anything of this project's own client; it would serve the official clients just the same.
//!
//! It is strict on purpose: a request the real server refuses is refused here with the same status, and so is HTTP that the
//! real server merely tolerates (chunked uploads, a missing `Host`).
//!
//! ```
//! use mender_server::{Config, Server};
//!
//! let server = Server::start(Config::default())?;
//! println!("device API {}, artifacts {}", server.api_url(), server.storage_url());
//! assert!(server.devices().is_empty());
//! # Ok::<(), mender_server::Error>(())
//! ```
//!
//! Sources: Mender device API (OpenAPI of mender-server: deviceauth, deployments, inventory), RFC 9110, RFC 9112.

mod artifact;
mod auth;
mod config;
mod deployments;
mod device_api;
mod disk;
mod error;
mod fault;
mod http;
mod inventory;
mod journal;
mod json;
mod jwt;
mod management;
mod model;
mod net;
mod pubkey;
mod server;
mod stamp;
mod state;
mod storage;
mod tls;
mod wire;

pub use artifact::{ArtifactInfo, read as read_artifact};
pub use config::{Config, Listen};
pub use error::Error;
pub use fault::{Cut, Drip, Fault};
pub use journal::{ConnectionCount, Connections, RequestRecord};
pub use model::{
    Artifact, AuthSet, AuthStatus, Deployment, DeploymentSpec, Device, DeviceDeployment, LogEntry, Origin,
    Report,
};
pub use server::Server;
pub use tls::Certificate;
