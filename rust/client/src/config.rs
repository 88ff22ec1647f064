// SPDX-License-Identifier: Apache-2.0
//! What an integrator decides.

use crate::Timing;
use mender_api::{Tier, Url};
use mender_base::{Error, limits};

/// The client's settings. Times are ms.
#[derive(Clone, Copy)]
pub struct Config<'c> {
    /// `https://host[:port]` of the Mender server.
    pub server_url: &'c str,
    /// The device type that artifacts must name, 1…[`limits::NAME_MAX`] bytes.
    pub device_type: &'c str,
    /// Name of the artifact that the device was made with; counts until the first update is committed. 1…[`limits::NAME_MAX`] bytes.
    pub artifact_name: &'c str,
    /// Tenant token, where the server has tenants.
    pub tenant_token: Option<&'c str>,
    /// Tier, where the server knows tiers; part of the device's identity there.
    pub tier: Option<Tier>,
    /// Intervals and limits. A back-off is never longer than `poll_ms`.
    pub timing: Timing,
    /// Plain HTTP is allowed, to server and store. For a laboratory: anyone on the way reads the token.
    pub allow_http: bool,
    /// Between looks for an abort during a download; 0 is never. Each costs a connection of its own beside the download's.
    pub abort_probe_ms: u32,
    /// Longest silence of a peer.
    pub idle_timeout_ms: u32,
    /// Longest time for one API request and its reply, and for 1 KiB of a download.
    pub total_timeout_ms: u32,
    /// Tries of a download without progress in between.
    pub download_tries: u8,
}

impl Default for Config<'_> {
    /// For hosted Mender; names have to be set.
    fn default() -> Self {
        Self {
            server_url: "https://hosted.mender.io",
            device_type: "",
            artifact_name: "",
            tenant_token: None,
            tier: None,
            timing: Timing::default(),
            allow_http: false,
            abort_probe_ms: 0,
            idle_timeout_ms: 30_000,
            total_timeout_ms: 60_000,
            download_tries: 10,
        }
    }
}

impl Config<'_> {
    /// Whether [`Client::new`](crate::Client::new) takes these settings.
    ///
    /// # Errors
    /// [`Error::ConfigServer`], [`Error::ClearText`], [`Error::ConfigName`].
    pub fn check(&self) -> Result<(), Error> {
        let url = Url::server(self.server_url).map_err(bad_server)?;
        if !url.tls && !self.allow_http {
            return Err(Error::ClearText);
        }
        let named = |s: &str| !s.is_empty() && s.len() <= limits::NAME_MAX;
        if named(self.device_type) && named(self.artifact_name) { Ok(()) } else { Err(Error::ConfigName) }
    }
}

fn bad_server(_: Error) -> Error {
    Error::ConfigServer
}

/// Memory lent to the client for its life.
pub struct Buffers<'b> {
    /// What is received or sent, and records being written; at least [`limits::IO_BUFFER_MIN`] bytes.
    pub io: &'b mut [u8],
    /// The token; 1536 bytes take what servers send today.
    pub token: &'b mut [u8],
    /// The artifact's URL; 1024 bytes take most stores', 2048 all.
    pub uri: &'b mut [u8],
}

impl Buffers<'_> {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let lent = !self.token.is_empty() && !self.uri.is_empty();
        if lent && self.io.len() >= limits::IO_BUFFER_MIN { Ok(()) } else { Err(Error::ConfigBuffer) }
    }
}
