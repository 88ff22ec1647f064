// SPDX-License-Identifier: Apache-2.0
//! Faults on request: which exchange goes wrong, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::http::{Request, Response};
use crate::model::Origin;

/// One way to misbehave. Every knob left alone keeps the ordinary behaviour, and knobs may be combined.
///
/// ```
/// use mender_server::{Cut, Fault};
///
/// // The next two status reports are answered with 503.
/// let busy = Fault::on("PUT", "*/status").times(2).status(503).header("Retry-After", "1");
/// // The third download breaks off after 1000 bytes of the body.
/// let broken = Fault::download().skip(2).times(1).cut_body(1000);
/// // The final report arrives, its reply does not.
/// let lost = Fault::on("PUT", "*/status").body_contains("success").times(1).drop_reply(Cut::Fin);
/// # let _ = (busy, broken, lost);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Only on this face of the server; the device API and the storage when absent, never the management API.
    pub origin: Option<Origin>,
    /// Only for this method.
    pub method: Option<String>,
    /// Only for paths (without query) that match; `*` stands for any run of characters. Empty matches all.
    pub path: String,
    /// Only for this device, by id; requests without a token match no device.
    pub device: Option<String>,
    /// Only for requests whose body contains this text.
    pub body_contains: Option<String>,
    /// Let so many matching requests pass first.
    pub skip: u32,
    /// Misbehave so many times, then never again; for ever when absent.
    pub times: Option<u32>,

    /// Wait so long, ms, before acting.
    pub delay_before_ms: u64,
    /// Wait so long, ms, after acting, before the reply.
    pub delay_ms: u64,
    /// Cut the connection without acting.
    pub drop_request: Option<Cut>,
    /// Act, then cut the connection without a reply.
    pub drop_reply: Option<Cut>,
    /// Reply with this status; the request is not acted upon unless `act` is set.
    pub status: Option<u16>,
    /// Act although the status is replaced.
    pub act: bool,
    /// Headers to set, by name.
    pub headers: BTreeMap<String, String>,
    /// Headers to add even if there is one of that name.
    pub more_headers: Vec<(String, String)>,
    /// Headers to leave out, `Content-Length` too.
    pub without_headers: Vec<String>,
    /// Body to send instead.
    #[serde(with = "text_or_base64")]
    pub body: Option<Vec<u8>>,
    /// Send only so many bytes of the body, with a `Content-Length` that agrees.
    pub truncate: Option<usize>,
    /// Add these bytes to the body, with a `Content-Length` that agrees.
    #[serde(with = "text_or_base64")]
    pub append: Option<Vec<u8>>,
    /// Flip all bits of the body's byte at this offset.
    pub corrupt: Option<usize>,
    /// Say this in `Content-Length`, whatever is true.
    pub content_length: Option<String>,
    /// Send the body in chunks of so many bytes, `Transfer-Encoding: chunked`.
    pub chunked: Option<usize>,
    /// No length at all: the body ends with the connection.
    pub until_close: bool,
    /// Never end the body: zeros follow until the client gives up.
    pub endless: bool,
    /// So many interim replies, `100 Continue`, before the reply.
    pub interim: u32,
    /// A header of so many bytes.
    pub pad_header: Option<usize>,
    /// So many headers more.
    pub pad_headers: Option<usize>,
    /// Send these bytes instead of an HTTP reply and close.
    #[serde(with = "text_or_base64")]
    pub garbage: Option<Vec<u8>>,
    /// Cut the connection after so many bytes of the reply, counted from its first.
    pub cut_after: Option<usize>,
    /// Cut the connection after so many bytes of the body.
    pub cut_body: Option<usize>,
    /// How `cut_after` and `cut_body` cut.
    pub cut: Cut,
    /// Send the reply in small pieces with pauses.
    pub drip: Option<Drip>,
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The TCP connection is closed; TLS does not say goodbye.
    #[default]
    Fin,
    /// The TCP connection is reset.
    Reset,
    /// TLS says goodbye (`close_notify`), then the TCP connection is closed.
    CloseNotify,
    /// Silence: the connection stays open until the client gives up.
    Silence,
}

/// A reply in small pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drip {
    /// Bytes at a time, at least 1.
    pub bytes: usize,
    /// Pause between two pieces, ms.
    pub every_ms: u64,
}

impl Fault {
    /// For requests of `method` whose path matches `path` (`*` is a wildcard) on the device API or the storage.
    #[must_use]
    pub fn on(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), ..Self::default() }
    }

    /// For every request on the device API and the storage.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// For authentication requests.
    #[must_use]
    pub fn auth() -> Self {
        Self::on("POST", "/api/devices/v1/authentication/auth_requests")
    }

    /// For update checks in every form.
    #[must_use]
    pub fn check() -> Self {
        Self { path: "/api/devices/v*/deployments/device/deployments/next".to_owned(), ..Self::default() }
    }

    /// For status reports.
    #[must_use]
    pub fn report() -> Self {
        Self::on("PUT", "/api/devices/v1/deployments/device/deployments/*/status")
    }

    /// For deployment logs.
    #[must_use]
    pub fn log() -> Self {
        Self::on("PUT", "/api/devices/v1/deployments/device/deployments/*/log")
    }

    /// For inventory, PUT and PATCH.
    #[must_use]
    pub fn inventory() -> Self {
        Self { path: "/api/devices/v1/inventory/device/attributes".to_owned(), ..Self::default() }
    }

    /// For artifact downloads.
    #[must_use]
    pub fn download() -> Self {
        Self { origin: Some(Origin::Storage), method: Some("GET".to_owned()), ..Self::default() }
    }

    fn matches(&self, origin: Origin, request: &Request, device: Option<&str>) -> bool {
        let method = self.method.as_ref().is_none_or(|method| *method == request.method);
        let origin_fits = match self.origin {
            Some(wanted) => wanted == origin,
            None => origin != Origin::Management,
        };
        let path = self.path.is_empty() || wildcard(&self.path, request.path());
        let body = self.body_contains.as_ref().is_none_or(|text| contains(&request.body, text.as_bytes()));
        method
            && origin_fits
            && path
            && body
            && self.device.as_ref().is_none_or(|id| Some(id.as_str()) == device)
    }

    /// True when the request is to be acted upon at all.
    pub(crate) fn acts(&self) -> bool {
        self.drop_request.is_none() && (self.act || (self.status.is_none() && self.garbage.is_none()))
    }

    /// What the reply becomes; its framing is the writer's business.
    pub(crate) fn change(&self, mut response: Response) -> Response {
        if let Some(status) = self.status {
            response.status = status;
        }
        if let Some(body) = &self.body {
            response.body.clone_from(body);
        }
        for (name, value) in &self.headers {
            response.set(name, value);
        }
        response.headers.extend(self.more_headers.iter().cloned());
        if let Some(length) = self.truncate {
            response.body.truncate(length);
        }
        if let Some(more) = &self.append {
            response.body.extend_from_slice(more);
        }
        if let Some(byte) = self.corrupt.and_then(|at| response.body.get_mut(at)) {
            *byte = !*byte;
        }
        if let Some(length) = self.pad_header {
            response.headers.push(("X-Padding".to_owned(), "x".repeat(length)));
        }
        for number in 0..self.pad_headers.unwrap_or(0) {
            response.headers.push((format!("X-Padding-{number}"), "x".to_owned()));
        }
        response.close |= self.until_close || self.endless;
        response
    }
}

/// Builders, one per knob; see the fields.
impl Fault {
    /// See [`Fault::origin`].
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// See [`Fault::device`].
    #[must_use]
    pub fn device(mut self, id: &str) -> Self {
        self.device = Some(id.to_owned());
        self
    }

    /// See [`Fault::body_contains`].
    #[must_use]
    pub fn body_contains(mut self, text: &str) -> Self {
        self.body_contains = Some(text.to_owned());
        self
    }

    /// See [`Fault::skip`].
    #[must_use]
    pub fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// See [`Fault::times`].
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = Some(count);
        self
    }

    /// See [`Fault::delay_before_ms`].
    #[must_use]
    pub fn delay_before_ms(mut self, ms: u64) -> Self {
        self.delay_before_ms = ms;
        self
    }

    /// See [`Fault::delay_ms`].
    #[must_use]
    pub fn delay_ms(mut self, ms: u64) -> Self {
        self.delay_ms = ms;
        self
    }

    /// See [`Fault::drop_request`].
    #[must_use]
    pub fn drop_request(mut self, cut: Cut) -> Self {
        self.drop_request = Some(cut);
        self
    }

    /// See [`Fault::drop_reply`].
    #[must_use]
    pub fn drop_reply(mut self, cut: Cut) -> Self {
        self.drop_reply = Some(cut);
        self
    }

    /// See [`Fault::status`].
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// See [`Fault::act`].
    #[must_use]
    pub fn act(mut self) -> Self {
        self.act = true;
        self
    }

    /// See [`Fault::headers`].
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// See [`Fault::more_headers`].
    #[must_use]
    pub fn one_more_header(mut self, name: &str, value: &str) -> Self {
        self.more_headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// See [`Fault::without_headers`].
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.without_headers.push(name.to_owned());
        self
    }

    /// See [`Fault::body`].
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Redirects to `url` with `status` (301, 302, 303, 307 or 308).
    #[must_use]
    pub fn redirect(self, status: u16, url: &str) -> Self {
        self.status(status).header("Location", url).body("")
    }

    /// Says `Content-Encoding: gzip` although nothing is packed.
    #[must_use]
    pub fn claim_gzip(self) -> Self {
        self.header("Content-Encoding", "gzip")
    }

    /// See [`Fault::truncate`].
    #[must_use]
    pub fn truncate(mut self, bytes: usize) -> Self {
        self.truncate = Some(bytes);
        self
    }

    /// See [`Fault::append`].
    #[must_use]
    pub fn append(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.append = Some(bytes.into());
        self
    }

    /// See [`Fault::corrupt`].
    #[must_use]
    pub fn corrupt(mut self, offset: usize) -> Self {
        self.corrupt = Some(offset);
        self
    }

    /// See [`Fault::content_length`].
    #[must_use]
    pub fn content_length(mut self, text: &str) -> Self {
        self.content_length = Some(text.to_owned());
        self
    }

    /// See [`Fault::chunked`].
    #[must_use]
    pub fn chunked(mut self, bytes: usize) -> Self {
        self.chunked = Some(bytes);
        self
    }

    /// See [`Fault::until_close`].
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.until_close = true;
        self
    }

    /// See [`Fault::endless`].
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    /// See [`Fault::interim`].
    #[must_use]
    pub fn interim(mut self, count: u32) -> Self {
        self.interim = count;
        self
    }

    /// See [`Fault::pad_header`].
    #[must_use]
    pub fn pad_header(mut self, bytes: usize) -> Self {
        self.pad_header = Some(bytes);
        self
    }

    /// See [`Fault::pad_headers`].
    #[must_use]
    pub fn pad_headers(mut self, count: usize) -> Self {
        self.pad_headers = Some(count);
        self
    }

    /// See [`Fault::garbage`].
    #[must_use]
    pub fn garbage(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.garbage = Some(bytes.into());
        self
    }

    /// See [`Fault::cut_after`].
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    /// See [`Fault::cut_body`].
    #[must_use]
    pub fn cut_body(mut self, bytes: usize) -> Self {
        self.cut_body = Some(bytes);
        self
    }

    /// See [`Fault::cut`].
    #[must_use]
    pub fn how(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    /// See [`Fault::drip`].
    #[must_use]
    pub fn drip(mut self, bytes: usize, every_ms: u64) -> Self {
        self.drip = Some(Drip { bytes, every_ms });
        self
    }
}

/// The faults that are set, and how often each has struck.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    entries: Vec<Entry>,
    next_id: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    fault: Fault,
    seen: u32,
    struck: u32,
}

/// A fault as the management API lists it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FaultView {
    id: u64,
    seen: u32,
    struck: u32,
    fault: Fault,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        self.next_id += 1;
        self.entries.push(Entry { id: self.next_id, fault, seen: 0, struck: 0 });
        self.next_id
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn struck(&self, id: u64) -> u32 {
        self.entries.iter().find(|entry| entry.id == id).map_or(0, |entry| entry.struck)
    }

    pub(crate) fn list(&self) -> Vec<FaultView> {
        let view = |e: &Entry| FaultView { id: e.id, seen: e.seen, struck: e.struck, fault: e.fault.clone() };
        self.entries.iter().map(view).collect()
    }

    /// The fault that strikes this request: the first that matches and is neither waiting nor used up.
    pub(crate) fn strike(
        &mut self,
        origin: Origin,
        request: &Request,
        device: Option<&str>,
    ) -> Option<Fault> {
        let mut hit = None;
        for entry in &mut self.entries {
            if !entry.fault.matches(origin, request, device) {
                continue;
            }
            entry.seen += 1;
            let waiting = entry.seen <= entry.fault.skip;
            let used_up = entry.fault.times.is_some_and(|times| entry.struck >= times);
            if hit.is_none() && !waiting && !used_up {
                entry.struck += 1;
                hit = Some(entry.fault.clone());
            }
        }
        hit
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window == needle)
}

/// `*` stands for any run of characters, everything else for itself; the whole text must match.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Bytes in JSON: a string as it is, anything else as `base64:…`.
mod text_or_base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    const MARK: &str = "base64:";

    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, out: S) -> Result<S::Ok, S::Error> {
        let text = bytes.as_ref().map(|bytes| match std::str::from_utf8(bytes) {
            Ok(text) if !text.starts_with(MARK) => text.to_owned(),
            _ => format!("{MARK}{}", STANDARD.encode(bytes)),
        });
        text.serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<u8>>, D::Error> {
        let Some(text) = Option::<String>::deserialize(input)? else { return Ok(None) };
        match text.strip_prefix(MARK) {
            Some(base64) => STANDARD.decode(base64).map(Some).map_err(D::Error::custom),
            None => Ok(Some(text.into_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &str, body: &str) -> Request {
        Request { method: "PUT".into(), target: path.into(), body: body.into(), ..Request::default() }
    }

    #[test]
    fn a_fault_waits_strikes_so_many_times_and_is_done() {
        let mut faults = Faults::default();
        let id = faults.add(Fault::on("PUT", "/a/*/status").skip(1).times(2).status(500));
        let hits: Vec<bool> =
            (0..5).map(|_| faults.strike(Origin::Api, &put("/a/1/status", ""), None).is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert_eq!(faults.struck(id), 2);
    }

    #[test]
    fn matching_looks_at_face_method_path_device_and_body() {
        let request = put("/a/1/status?x=/log", r#"{"status":"success"}"#);
        let strikes = |fault: Fault, origin| {
            let mut faults = Faults::default();
            faults.add(fault);
            faults.strike(origin, &request, Some("dev")).is_some()
        };
        assert!(strikes(Fault::any(), Origin::Api));
        assert!(!strikes(Fault::any(), Origin::Management));
        assert!(!strikes(Fault::any().origin(Origin::Storage), Origin::Api));
        assert!(!strikes(Fault::on("GET", "*"), Origin::Api));
        assert!(!strikes(Fault::on("PUT", "*/log"), Origin::Api));
        assert!(strikes(Fault::on("PUT", "*/status").device("dev").body_contains("success"), Origin::Api));
        assert!(!strikes(Fault::any().device("other"), Origin::Api));
        assert!(!strikes(Fault::any().body_contains("failure"), Origin::Api));
    }

    #[test]
    fn wildcards_match_whole_paths() {
        for (pattern, text, matches) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/a*", "/ab", true),
            ("*b", "/ab", true),
            ("/a*c*e", "/abcde", true),
            ("/a*c*e", "/abcd", false),
            ("*", "", true),
            ("/x/*/x", "/x/x", false),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_fault_survives_the_way_through_json() {
        let fault = Fault::check()
            .times(1)
            .garbage(vec![0xff, 0])
            .body("text")
            .cut_body(7)
            .how(Cut::Reset)
            .drip(1, 5);
        let json = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault);
        assert!(serde_json::from_str::<Fault>(r#"{"statsu":1}"#).is_err());
        assert_eq!(serde_json::from_str::<Fault>("{}").unwrap(), Fault::any());
    }
}
