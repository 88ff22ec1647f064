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
        self.call.line(self.url, out);
        out.str(" HTTP/1.1\r\nHost: ");
        host(self.url, out);
        out.str("\r\nUser-Agent: ");
        out.str(self.user_agent);
        match &self.call {
            Call::Authenticate { signature, .. } => {
                out.str("\r\nX-MEN-Signature: ");
                out.base64(signature);
            }
            Call::Device { token, .. } => {
                out.str("\r\nAuthorization: Bearer ");
                out.str(token);
            }
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

/// Value of `Host` (RFC 9110 §7.2).
fn host(url: &Url<'_>, out: &mut Window<'_>) {
    out.str(if url.ipv6 { "[" } else { "" });
    out.str(url.host);
    out.str(if url.ipv6 { "]" } else { "" });
    if !url.has_default_port() {
        out.str(":");
        out.decimal(url.port.into());
    }
}

impl Call<'_> {
    /// Writes the body alone: what is signed, or hashed to see whether it has changed.
    pub fn body(&self, out: &mut Window<'_>) {
        match self {
            Call::Authenticate { body, .. } => body.body(out),
            Call::Device { message, .. } => message.body(out),
            Call::Download(_) => {}
        }
    }

    /// Method and target.
    fn line(&self, url: &Url<'_>, out: &mut Window<'_>) {
        match self {
            Call::Authenticate { .. } => out.str("POST /api/devices/v1/authentication/auth_requests"),
            Call::Device { message, .. } => message.line(out),
            Call::Download(_) => {
                out.str(if url.target.starts_with('/') { "GET " } else { "GET /" });
                out.str(url.target);
            }
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
            out.str("\r\nIf-Match: ");
            out.str(tag);
        }
    }
}

impl Authenticate<'_> {
    /// Writes the body, to be hashed and signed.
    pub fn body(&self, out: &mut Window<'_>) {
        out.str("{\"id_data\":");
        // A string that holds an object: the server hashes it, and sorts the keys as is done here.
        out.quote(|out| {
            let mut last = None;
            let mut before = "{";
            while let Some((key, value)) = least_above(self.identity, last) {
                member(out, before, key, value);
                (last, before) = (Some(key), ",");
            }
            out.str(if last.is_some() { "}" } else { "{}" });
        });
        out.str(",\"pubkey\":\"");
        pem(self.public_key, "\\n", out);
        out.str("\"");
        if let Some(token) = self.tenant_token {
            member(out, ",", "tenant_token", token);
        }
        if let Some(tier) = self.tier {
            member(out, ",", "tier", tier.name());
        }
        out.str("}");
    }
}

/// Writes a public key on P-256 (`4, x, y`) as PEM: [`PEM_LEN`] bytes where `line_end` is one.
pub fn pem(public_key: &[u8; 65], line_end: &str, out: &mut Window<'_>) {
    // RFC 7468 with lines of 64 characters. The first 27 bytes of the SubjectPublicKeyInfo (RFC 5480 §2) of a P-256 key are
    // always the same, its uncompressed point's leading 4 included, and 27 bytes are 36 characters of base64.
    let (_, point) = public_key.split_at_checked(1).unwrap_or_default();
    let (first, second) = point.split_at_checked(21).unwrap_or_default();
    out.str("-----BEGIN PUBLIC KEY-----");
    out.str(line_end);
    out.str("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE");
    out.base64(first);
    out.str(line_end);
    out.base64(second);
    out.str(line_end);
    out.str("-----END PUBLIC KEY-----");
    out.str(line_end);
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

fn member(out: &mut Window<'_>, before: &str, key: &str, value: &str) {
    out.str(before);
    out.json_string(key);
    out.str(":");
    out.json_string(value);
}

impl Message<'_> {
    /// Method and target.
    fn line(&self, out: &mut Window<'_>) {
        match self {
            Message::NextV2 { .. } => out.str("POST /api/devices/v2/deployments/device/deployments/next"),
            Message::NextV1 { device_type, artifact_name } => {
                out.str("GET /api/devices/v1/deployments/device/deployments/next?artifact_name=");
                out.percent(artifact_name);
                out.str("&device_type=");
                out.percent(device_type);
            }
            Message::Status { id, .. } => deployment(out, id, "/status"),
            Message::Log { id, .. } => deployment(out, id, "/log"),
            Message::Inventory(_) => out.str("PUT /api/devices/v1/inventory/device/attributes"),
        }
    }

    /// Writes the body alone.
    pub fn body(&self, out: &mut Window<'_>) {
        match self {
            Message::NextV2 { device_type, provides } => {
                member(out, "{\"device_provides\":{", "device_type", device_type);
                for (key, value) in pairs::iter(provides).filter(|(key, _)| *key != "device_type") {
                    member(out, ",", key, value);
                }
                out.str("}}");
            }
            Message::NextV1 { .. } => {}
            Message::Status { status, substate, .. } => {
                member(out, "{", "status", status.name());
                if let Some(substate) = substate {
                    let end = substate.floor_char_boundary(limits::SUBSTATE_MAX);
                    member(out, ",", "substate", substate.get(..end).unwrap_or_default());
                }
                out.str("}");
            }
            Message::Log { entries, .. } => log(out, *entries),
            Message::Inventory(attributes) => inventory(out, *attributes),
        }
    }
}

fn deployment(out: &mut Window<'_>, id: &str, what: &str) {
    out.str("PUT /api/devices/v1/deployments/device/deployments/");
    // A UUID comes out unchanged.
    out.percent(id);
    out.str(what);
}

fn log(out: &mut Window<'_>, entries: &dyn Entries) {
    out.str("{\"messages\":[");
    let mut before = "";
    entries.visit(&mut |entry| {
        out.str(before);
        before = ",";
        out.str("{\"timestamp\":\"");
        out.put(&time::rfc3339(entry.unix_ms));
        member(out, "\",", "level", entry.event.level().name());
        out.str(",\"message\":");
        out.quote(|out| event::render(entry.event, entry.a, entry.b, entry.s, &mut |piece| out.str(piece)));
        out.str("}");
    });
    out.str("]}");
}

fn inventory(out: &mut Window<'_>, attributes: &dyn Attributes) {
    out.str("[");
    let mut before = "{\"name\":";
    attributes.visit(&mut |name, value| {
        out.str(before);
        before = ",{\"name\":";
        out.json_string(name);
        out.str(",\"value\":");
        match value {
            Value::Text(text) => out.json_string(text),
            Value::Integer(n) => {
                out.str(if n < 0 { "-" } else { "" });
                out.decimal(n.unsigned_abs());
            }
            Value::Texts(texts) => {
                let mut before = "[";
                for text in texts {
                    out.str(before);
                    before = ",";
                    out.json_string(text);
                }
                out.str(if texts.is_empty() { "[]" } else { "]" });
            }
        }
        out.str("}");
    });
    out.str("]");
}
