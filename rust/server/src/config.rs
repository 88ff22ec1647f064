// SPDX-License-Identifier: Apache-2.0
//! How a server is set up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address and port; port 0 takes a free one.
    pub addr: SocketAddr,
    /// HTTPS when true, plain HTTP otherwise.
    pub tls: bool,
}

impl Listen {
    /// Plain HTTP on a free port of 127.0.0.1.
    #[must_use]
    pub fn http() -> Self {
        Self { addr: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), tls: false }
    }

    /// HTTPS on a free port of 127.0.0.1.
    #[must_use]
    pub fn https() -> Self {
        Self { tls: true, ..Self::http() }
    }
}

/// Everything a server can be told at its start. `Default` is what tests want: plain HTTP on free local ports, devices are
/// accepted when they first ask, both forms of the update check, links of 24 hours.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the device API listens; the first entry is [`crate::Server::api_url`].
    pub api: Vec<Listen>,
    /// Where the artifact storage listens. A link has the scheme the device asked with, where one such entry exists.
    pub storage: Vec<Listen>,
    /// Where the management API listens (plain HTTP, no authentication: keep it local); `None` for none.
    pub management: Option<SocketAddr>,
    /// Host name or address in links and (as a further name) in the certificate. Without it, a link has the host of the
    /// device's own request.
    pub host: Option<String>,
    /// Folder that keeps CA, keys, artifacts, devices and deployments over restarts.
    pub data: Option<PathBuf>,
    /// Accept a new device at its first request; otherwise it is pending until [`crate::Server::accept`].
    pub accept_all: bool,
    /// The tenant token a device must send; `None` ignores the member as open-source servers do.
    pub tenant_token: Option<String>,
    /// Most devices that may be accepted at a time.
    pub max_devices: Option<usize>,
    /// Lifetime of a device token.
    pub token_lifetime: Duration,
    /// Least size of a device token, bytes; smaller ones are filled up.
    pub token_bytes: usize,
    /// Serve `POST /api/devices/v2/deployments/device/deployments/next`; open-source servers answer 404.
    pub deployments_v2: bool,
    /// Lifetime of an artifact link, whole seconds.
    pub link_lifetime: Duration,
    /// Least length of an artifact link, bytes; shorter ones are filled up with a session token as S3 does.
    pub link_bytes: usize,
    /// Serve ranges of artifacts (206); otherwise the whole body is sent each time, as configuration links do.
    pub ranges: bool,
    /// Largest TLS record sent, bytes headers included (at least 32): boards with small receive buffers need less than the usual 16 KiB.
    pub tls_record_bytes: Option<usize>,
    /// A connection without a request is closed after this.
    pub idle_timeout: Duration,
    /// A request must be complete within this after its first byte.
    pub request_timeout: Duration,
    /// A connection is closed after so many requests.
    pub requests_per_connection: Option<u32>,
    /// Take request bodies in chunks, as the real server does and the official Linux client needs. Otherwise they are refused
    /// (400), so that a client that uses them is found out: its requests escape the real server's size and type checks.
    pub chunked_uploads: bool,
    /// Most bytes of a request's body on the device API.
    pub body_limit: usize,
    /// Most inventory attributes of a device.
    pub inventory_limit: usize,
}

impl Config {
    /// [`Config::default`] with HTTPS for the API and the storage.
    #[must_use]
    pub fn https() -> Self {
        Self { api: vec![Listen::https()], storage: vec![Listen::https()], ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api: vec![Listen::http()],
            storage: vec![Listen::http()],
            management: None,
            host: None,
            data: None,
            accept_all: true,
            tenant_token: None,
            max_devices: None,
            token_lifetime: Duration::from_secs(604_800),
            token_bytes: 850,
            deployments_v2: true,
            link_lifetime: Duration::from_secs(86_400),
            link_bytes: 0,
            ranges: true,
            tls_record_bytes: None,
            idle_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            requests_per_connection: None,
            chunked_uploads: false,
            body_limit: 1 << 20,
            inventory_limit: 100,
        }
    }
}
