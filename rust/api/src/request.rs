// SPDX-License-Identifier: Apache-2.0
//! Requests of the device API, written as whole HTTP/1.1 messages.

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

/// Value of an inventory attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A list of texts; may be empty.
    Texts(&'a [&'a str]),
    /// A number.
    Integer(i64),
}

/// A source of inventory attributes. A request is written several times: it must give the same each time.
pub trait Attributes {
    /// Calls `each` with every attribute's name (1…1024 bytes) and value, 100 at most.
    fn visit(&self, each: &mut dyn FnMut(&str, Value<'_>));
}

impl Request<'_> {
    /// Writes the whole message, head and body.
    pub fn write(&self, out: &mut Window<'_>) {
        out.str(self.call.method());
        out.str(" ");
        self.call.target(self.url, out);
        out.str(" HTTP/1.1\r\nHost: ");
        host(self.url, out);
        header(out, "User-Agent", |out| out.str(self.user_agent));
        match &self.call {
            Call::Authenticate { signature, .. } => {
                header(out, "X-MEN-Signature", |out| out.base64(signature))
            }
            Call::Device { token, .. } => {
                header(out, "Authorization", |out| {
                    out.str("Bearer ");
                    out.str(token);
                });
            }
            Call::Download(download) => download.headers(out),
        }
        let mut length = Window::new(&mut [], 0);
        self.call.body(&mut length);
        if length.total() > 0 {
            header(out, "Content-Type", |out| out.str("application/json"));
            header(out, "Content-Length", |out| out.decimal(length.total().into()));
        }
        out.str("\r\n\r\n");
        self.call.body(out);
    }
}

/// Ends the line before and begins a field.
fn header(out: &mut Window<'_>, name: &str, value: impl FnOnce(&mut Window<'_>)) {
    out.str("\r\n");
    out.str(name);
    out.str(": ");
    value(out);
}

/// Value of `Host` (RFC 9110 §7.2).
fn host(url: &Url<'_>, out: &mut Window<'_>) {
    let (open, close) = if url.ipv6 { ("[", "]") } else { ("", "") };
    out.str(open);
    out.str(url.host);
    out.str(close);
    if !url.has_default_port() {
        out.str(":");
        out.decimal(url.port.into());
    }
}

const AUTHENTICATION: &str = "/api/devices/v1/authentication/auth_requests";
const INVENTORY: &str = "/api/devices/v1/inventory/device/attributes";
const DEPLOYMENTS_V1: &str = "/api/devices/v1/deployments/device/deployments/";
const DEPLOYMENTS_V2: &str = "/api/devices/v2/deployments/device/deployments/";

impl Call<'_> {
    /// Writes the body alone: what is signed, or hashed to see whether it has changed.
    pub fn body(&self, out: &mut Window<'_>) {
        match self {
            Call::Authenticate { body, .. } => body.body(out),
            Call::Device { message, .. } => message.body(out),
            Call::Download(_) => {}
        }
    }

    const fn method(&self) -> &'static str {
        match self {
            Call::Authenticate { .. } | Call::Device { message: Message::NextV2 { .. }, .. } => "POST",
            Call::Download(_) | Call::Device { message: Message::NextV1 { .. }, .. } => "GET",
            Call::Device {
                message: Message::Status { .. } | Message::Log { .. } | Message::Inventory(_),
                ..
            } => "PUT",
        }
    }

    fn target(&self, url: &Url<'_>, out: &mut Window<'_>) {
        match self {
            Call::Authenticate { .. } => out.str(AUTHENTICATION),
            Call::Device { message, .. } => message.target(out),
            Call::Download(_) => {
                if !url.target.starts_with('/') {
                    out.str("/");
                }
                out.str(url.target);
            }
        }
    }
}

impl Download<'_> {
    fn headers(&self, out: &mut Window<'_>) {
        if let Some((first, last)) = self.range {
            header(out, "Range", |out| {
                out.str("bytes=");
                out.decimal(first.into());
                out.str("-");
                if let Some(last) = last {
                    out.decimal(last.into());
                }
            });
        }
        // A weak tag never matches (RFC 9110 §13.1.1).
        if let Some(tag) = self.if_match.filter(|tag| !tag.starts_with("W/")) {
            header(out, "If-Match", |out| out.str(tag));
        }
    }
}

/// What stands before the point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480 §2).
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl Authenticate<'_> {
    /// Writes the body, to be hashed and signed.
    pub fn body(&self, out: &mut Window<'_>) {
        out.str("{\"id_data\":");
        // A string that holds an object: the server hashes it, and sorts the keys as is done here.
        out.quote(|out| {
            let mut last = None;
            let mut next = "{";
            while let Some((key, value)) = smallest_above(self.identity, last) {
                out.str(next);
                member(out, key, value);
                (last, next) = (Some(key), ",");
            }
            out.str("}");
        });
        out.str(",\"pubkey\":");
        out.quote(|out| self.pem(out));
        if let Some(token) = self.tenant_token {
            out.str(",");
            member(out, "tenant_token", token);
        }
        if let Some(tier) = self.tier {
            out.str(",");
            member(out, "tier", tier.name());
        }
        out.str("}");
    }

    /// RFC 7468, label `PUBLIC KEY`; the server takes no other label.
    fn pem(&self, out: &mut Window<'_>) {
        let mut spki = [0; SPKI.len().saturating_add(65)];
        for (to, from) in spki.iter_mut().zip(SPKI.iter().chain(self.public_key)) {
            *to = *from;
        }
        out.str("-----BEGIN PUBLIC KEY-----\n");
        for line in spki.chunks(48) {
            out.base64(line);
            out.str("\n");
        }
        out.str("-----END PUBLIC KEY-----\n");
    }
}

/// The pair with the least key above `last`.
fn smallest_above<'a>(pairs: &'a [u8], last: Option<&str>) -> Option<(&'a str, &'a str)> {
    pairs::iter(pairs)
        .filter(|(key, _)| last.is_none_or(|last| *key > last))
        .reduce(|least, pair| if pair.0 < least.0 { pair } else { least })
}

fn member(out: &mut Window<'_>, key: &str, value: &str) {
    out.json_string(key);
    out.str(":");
    out.json_string(value);
}

impl Message<'_> {
    fn target(&self, out: &mut Window<'_>) {
        match self {
            Message::NextV2 { .. } => {
                out.str(DEPLOYMENTS_V2);
                out.str("next");
            }
            Message::NextV1 { device_type, artifact_name } => {
                out.str(DEPLOYMENTS_V1);
                out.str("next?artifact_name=");
                out.percent(artifact_name);
                out.str("&device_type=");
                out.percent(device_type);
            }
            Message::Status { id, .. } => deployment(out, id, "/status"),
            Message::Log { id, .. } => deployment(out, id, "/log"),
            Message::Inventory(_) => out.str(INVENTORY),
        }
    }

    /// Writes the body alone.
    pub fn body(&self, out: &mut Window<'_>) {
        match self {
            Message::NextV2 { device_type, provides } => next(out, device_type, provides),
            Message::NextV1 { .. } => {}
            Message::Status { status, substate, .. } => {
                out.str("{");
                member(out, "status", status.name());
                if let Some(substate) = substate {
                    let end = substate.floor_char_boundary(limits::SUBSTATE_MAX);
                    out.str(",");
                    member(out, "substate", substate.get(..end).unwrap_or_default());
                }
                out.str("}");
            }
            Message::Log { entries, .. } => log(out, *entries),
            Message::Inventory(attributes) => inventory(out, *attributes),
        }
    }
}

fn deployment(out: &mut Window<'_>, id: &str, what: &str) {
    out.str(DEPLOYMENTS_V1);
    // A UUID comes out unchanged.
    out.percent(id);
    out.str(what);
}

fn next(out: &mut Window<'_>, device_type: &str, provides: &[u8]) {
    out.str("{\"device_provides\":{");
    member(out, "device_type", device_type);
    for (key, value) in pairs::iter(provides).filter(|(key, _)| *key != "device_type") {
        out.str(",");
        member(out, key, value);
    }
    out.str("}}");
}

fn log(out: &mut Window<'_>, entries: &dyn Entries) {
    out.str("{\"messages\":[");
    let mut next = "";
    entries.visit(&mut |entry| {
        out.str(next);
        next = ",";
        out.str("{\"timestamp\":\"");
        out.put(&time::rfc3339(entry.unix_ms));
        out.str("\",");
        member(out, "level", entry.event.level().name());
        out.str(",\"message\":");
        out.quote(|out| event::render(entry.event, entry.a, entry.b, entry.s, &mut |piece| out.str(piece)));
        out.str("}");
    });
    out.str("]}");
}

fn inventory(out: &mut Window<'_>, attributes: &dyn Attributes) {
    out.str("[");
    let mut next = "";
    attributes.visit(&mut |name, value| {
        out.str(next);
        next = ",";
        out.str("{");
        out.json_string("name");
        out.str(":");
        out.json_string(name);
        out.str(",\"value\":");
        match value {
            Value::Text(text) => out.json_string(text),
            Value::Integer(n) => {
                out.str(if n < 0 { "-" } else { "" });
                out.decimal(n.unsigned_abs());
            }
            Value::Texts(texts) => {
                out.str("[");
                let mut next = "";
                for text in texts {
                    out.str(next);
                    next = ",";
                    out.json_string(text);
                }
                out.str("]");
            }
        }
        out.str("}");
    });
    out.str("]");
}
