// SPDX-License-Identifier: Apache-2.0
//! Requests of the device API, written as whole HTTP/1.1 messages.

use mender_base::text::utf8;
use mender_base::{Event, Status, event, limits, pairs};

use crate::{Url, Window, time};

/// One HTTP request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// For calls of the device API the server ([`Url::server`]), for a download the artifact's own URL.
    pub url: &'a Url<'a>,
    /// Value of `User-Agent`, such as `Mender/1.0.0 MCU Zephyr/4.3.0`: printable ASCII.
    pub user_agent: &'a str,
    /// What is asked.
    pub call: Call<'a>,
}

/// What a request asks.
#[derive(Clone, Copy)]
pub enum Call<'a> {
    /// For a token.
    Authenticate {
        /// The body.
        body: Authenticate<'a>,
        /// Signature of exactly that body, DER ([`der`](crate::der)).
        signature: &'a [u8],
    },
    /// Anything that needs a token.
    Device {
        /// The token, as [`TokenReader`](crate::TokenReader) has passed it.
        token: &'a str,
        /// The message.
        message: Message<'a>,
    },
    /// For an artifact. Goes to whoever stores it, so it carries no credentials (protocol §2.5).
    Download(Download<'a>),
}

/// The plan a device is billed by; part of its identity on servers that know tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// `standard`
    Standard,
    /// `micro`
    Micro,
    /// `system`
    System,
}

impl Tier {
    /// Mender's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Standard => "standard",
            Tier::Micro => "micro",
            Tier::System => "system",
        }
    }
}

/// Body of an authentication request (protocol §1.1).
#[derive(Clone, Copy)]
pub struct Authenticate<'a> {
    /// The device's identity, as [`pairs::Pairs`] encode it; keys and values must never change.
    pub identity: &'a [u8],
    /// Public key: an uncompressed P-256 point (`04 ‖ x ‖ y`).
    pub public_key: &'a [u8; 65],
    /// Token of the tenant, for servers with tenants.
    pub tenant_token: Option<&'a str>,
    /// Tier, for servers that know it.
    pub tier: Option<Tier>,
}

/// A message that needs a token.
#[derive(Clone, Copy)]
pub enum Message<'a> {
    /// Check for an update, version 2 of the API.
    NextV2 {
        /// The device's type.
        device_type: &'a str,
        /// What the device provides, `artifact_name` among it, as [`pairs::Pairs`] encode it.
        provides: &'a [u8],
    },
    /// Check for an update where the server answers 404 to version 2.
    NextV1 {
        /// The device's type.
        device_type: &'a str,
        /// Name of the installed artifact.
        artifact_name: &'a str,
    },
    /// Report the state of a deployment.
    Status {
        /// Id of the deployment.
        id: &'a str,
        /// The state.
        status: Status,
        /// A remark; what is beyond [`limits::SUBSTATE_MAX`] bytes is cut off.
        substate: Option<&'a str>,
    },
    /// Upload the log of a failed deployment.
    Log {
        /// Id of the deployment.
        id: &'a str,
        /// At least one entry: the server refuses an empty log.
        entries: &'a dyn Entries,
    },
    /// Replace the inventory.
    Inventory(&'a dyn Attributes),
}

/// A `GET` of an artifact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Download<'a> {
    /// First and, if given, last byte wanted.
    pub range: Option<(u32, Option<u32>)>,
    /// Entity tag that the artifact must still have.
    pub if_match: Option<&'a str>,
}

/// One entry of a deployment log.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When, in milliseconds since 1970; without a clock, since boot.
    pub unix_ms: u64,
    /// What happened.
    pub event: Event,
    /// First integer of the event.
    pub a: i64,
    /// Second integer of the event.
    pub b: i64,
    /// Text of the event.
    pub s: &'a str,
}

/// A source of log entries. A request is written several times: it must give the same each time.
pub trait Entries {
    /// Calls `each` for every entry, oldest first.
    fn visit(&self, each: &mut dyn FnMut(&Entry<'_>));
}

/// A source of inventory attributes. A request is written several times: it must give the same each time.
pub trait Attributes {
    /// Calls `each` with every attribute's name (1…1024 bytes) and value, 100 at most. Values are texts: the server would take numbers
    /// and lists, too (protocol §4), which nothing here has.
    fn visit(&self, each: &mut dyn FnMut(&str, &str));
}

impl Request<'_> {
    /// Writes the whole message, head and body.
    pub fn write(&self, out: &mut Window<'_>) {
        let (pattern, values) = self.call.line(self.url);
        out.fill(pattern, &values);
        // RFC 9110 §7.2: brackets around an IPv6 address, and no port where it is the scheme's own.
        let (open, close) = if self.url.ipv6 { ("[", "]") } else { ("", "") };
        out.fill(" HTTP/1.1\r\nHost: @@@", &[open, self.url.host, close]);
        if !self.url.has_default_port() {
            out.str(":");
            out.decimal(self.url.port.into());
        }
        out.fill("\r\nUser-Agent: @", &[self.user_agent]);
        match &self.call {
            Call::Authenticate { signature, .. } => {
                out.str("\r\nX-MEN-Signature: ");
                out.base64(signature);
            }
            Call::Device { token, .. } => out.fill("\r\nAuthorization: Bearer @", &[token]),
            Call::Download(download) => download.fields(out),
        }
        let mut body = Window::new(&mut [], 0);
        self.call.body(&mut body);
        if body.total() > 0 {
            out.str("\r\nContent-Type: application/json\r\nContent-Length: ");
            out.decimal(body.total().into());
        }
        out.str("\r\n\r\n");
        self.call.body(out);
    }
}

impl<'a> Call<'a> {
    /// Writes the body alone: what is signed, or hashed to see whether it has changed.
    pub fn body(&self, out: &mut Window<'_>) {
        match self {
            Call::Authenticate { body, .. } => body.body(out),
            Call::Device { message, .. } => message.body(out),
            Call::Download(_) => {}
        }
    }

    /// Method and target, as [`Window::fill`] takes them.
    fn line(&self, url: &Url<'a>) -> (&'static str, [&'a str; 2]) {
        match self {
            Call::Authenticate { .. } => ("POST /api/devices/v1/authentication/auth_requests", ["", ""]),
            Call::Device { message, .. } => message.line(),
            Call::Download(_) if url.target.starts_with('/') => ("GET @", [url.target, ""]),
            Call::Download(_) => ("GET /@", [url.target, ""]),
        }
    }
}

impl Download<'_> {
    fn fields(&self, out: &mut Window<'_>) {
        if let Some((first, last)) = self.range {
            out.str("\r\nRange: bytes=");
            out.decimal(first.into());
            out.str("-");
            if let Some(last) = last {
                out.decimal(last.into());
            }
        }
        // A weak tag never matches (RFC 9110 §13.1.1).
        if let Some(tag) = self.if_match.filter(|tag| !tag.starts_with('W')) {
            out.fill("\r\nIf-Match: @", &[tag]);
        }
    }
}

impl Authenticate<'_> {
    /// Writes the body, to be hashed and signed.
    pub fn body(&self, out: &mut Window<'_>) {
        out.str("{\"id_data\":");
        // A string that holds an object: the server hashes it, and sorts the keys as is done here.
        out.open_string();
        let (mut last, mut pattern) = (None, "{$:$");
        while let Some((key, value)) = least_above(self.identity, last) {
            out.fill(pattern, &[key, value]);
            (last, pattern) = (Some(key), ",$:$");
        }
        out.str(if last.is_some() { "}" } else { "{}" });
        out.close_string();
        out.str(",\"pubkey\":\"");
        pem(self.public_key, "\\n", out);
        out.str("\"");
        if let Some(token) = self.tenant_token {
            member(out, "tenant_token", token);
        }
        if let Some(tier) = self.tier {
            member(out, "tier", tier.name());
        }
        out.str("}");
    }
}

/// Writes another member of a JSON object.
#[inline(never)]
fn member(out: &mut Window<'_>, key: &str, value: &str) {
    out.fill(",$:$", &[key, value]);
}

/// Writes a public key on P-256 (`4, x, y`) as PEM: [`PEM_LEN`] bytes where `line_end` is one.
pub fn pem(public_key: &[u8; 65], line_end: &str, out: &mut Window<'_>) {
    // RFC 7468 with lines of 64 characters. The first 27 bytes of the SubjectPublicKeyInfo (RFC 5480 §2) of a P-256 key are
    // always the same, its uncompressed point's leading 4 included, and 27 bytes are 36 characters of base64.
    let (_, point) = public_key.split_at_checked(1).unwrap_or_default();
    let (first, second) = point.split_at_checked(21).unwrap_or_default();
    out.fill("-----BEGIN PUBLIC KEY-----@MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", &[line_end]);
    out.base64(first);
    out.str(line_end);
    out.base64(second);
    out.fill("@-----END PUBLIC KEY-----@", &[line_end, line_end]);
}

/// Length of a public key on P-256 as PEM, with line feeds.
pub const PEM_LEN: usize = 178;

/// The pair with the least key above `last`.
fn least_above<'a>(pairs: &'a [u8], last: Option<&str>) -> Option<(&'a str, &'a str)> {
    let mut least: Option<(&str, &str)> = None;
    for pair in pairs::iter(pairs) {
        if last.is_none_or(|last| pair.0 > last) && least.is_none_or(|least| pair.0 < least.0) {
            least = Some(pair);
        }
    }
    least
}

impl<'a> Message<'a> {
    /// Method and target, as [`Window::fill`] takes them. A UUID comes out of `%` unchanged.
    fn line(&self) -> (&'static str, [&'a str; 2]) {
        match *self {
            Message::NextV2 { .. } => ("POST /api/devices/v2/deployments/device/deployments/next", ["", ""]),
            Message::NextV1 { device_type, artifact_name } => (
                "GET /api/devices/v1/deployments/device/deployments/next?artifact_name=%&device_type=%",
                [artifact_name, device_type],
            ),
            Message::Status { id, .. } => {
                ("PUT /api/devices/v1/deployments/device/deployments/%/status", [id, ""])
            }
            Message::Log { id, .. } => ("PUT /api/devices/v1/deployments/device/deployments/%/log", [id, ""]),
            Message::Inventory(_) => ("PUT /api/devices/v1/inventory/device/attributes", ["", ""]),
        }
    }

    /// Writes the body alone.
    pub fn body(&self, out: &mut Window<'_>) {
        match *self {
            Message::NextV2 { device_type, provides } => {
                out.fill("{\"device_provides\":{$:$", &["device_type", device_type]);
                let told = |(key, value): &(&str, &str)| *key != "device_type" && !value.is_empty();
                // The server takes no empty value, and would refuse every check because of it (protocol §2.1).
                for (key, value) in pairs::iter(provides).filter(told) {
                    member(out, key, value);
                }
                out.str("}}");
            }
            Message::NextV1 { .. } => {}
            Message::Status { status, substate, .. } => {
                out.fill("{\"status\":$", &[status.name()]);
                if let Some(substate) = substate {
                    let end = substate.floor_char_boundary(limits::SUBSTATE_MAX);
                    member(out, "substate", substate.get(..end).unwrap_or_default());
                }
                out.str("}");
            }
            Message::Log { entries, .. } => log(out, entries),
            Message::Inventory(attributes) => inventory(out, attributes),
        }
    }
}

fn log(out: &mut Window<'_>, entries: &dyn Entries) {
    out.str("{\"messages\":[");
    let mut pattern = "{\"timestamp\":$,\"level\":$,\"message\":";
    entries.visit(&mut |entry| {
        let at = time::rfc3339(entry.unix_ms);
        let at = utf8(&at).unwrap_or_default();
        out.fill(pattern, &[at, entry.event.level().name()]);
        pattern = ",{\"timestamp\":$,\"level\":$,\"message\":";
        out.open_string();
        event::render(entry.event, entry.a, entry.b, entry.s, &mut |piece| out.str(piece));
        out.close_string();
        out.str("}");
    });
    out.str("]}");
}

fn inventory(out: &mut Window<'_>, attributes: &dyn Attributes) {
    out.str("[");
    let mut pattern = "{\"name\":$,\"value\":$}";
    attributes.visit(&mut |name, value| {
        out.fill(pattern, &[name, value]);
        pattern = ",{\"name\":$,\"value\":$}";
    });
    out.str("]");
}
