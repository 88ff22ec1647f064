// SPDX-License-Identifier: Apache-2.0
//! The artifact storage: an origin of its own with links that are signed and expire, in the manner of S3.
//!
//! Source: Mender server documentation (presigned links, 24 h); RFC 9110 §13 and §14 for conditions and ranges; the S3 REST
//! API for error bodies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::http::{Request, Response, escape, query_value};
use crate::stamp;
use crate::state::{Shared, State};

/// A link as a device gets it.
pub(crate) struct Link {
    pub(crate) uri: String,
    /// RFC 3339.
    pub(crate) expire: String,
}

const FOLDER: &str = "/mender-artifact-storage/";
const SIGNATURE: &str = "&X-Amz-Signature=";
const CONTENT_TYPE: &str = "application/vnd.mender-artifact";

pub(crate) fn link_key(seed: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, seed)
}

/// A fresh link to an artifact; `storage` is the storage's `scheme://host:port`.
pub(crate) fn link(shared: &Shared, state: &mut State, storage: &str, artifact: &str) -> Link {
    state.last_link += 1;
    let now = SystemTime::now();
    let (date, lifetime) = (stamp::compact(now), shared.config.link_lifetime);
    let name = state.artifacts.get(artifact).map_or("", |stored| stored.artifact.info.name.as_str());
    let day = date.get(..8).unwrap_or_default();
    let seconds = lifetime.as_secs();
    let path = format!("{FOLDER}{artifact}");
    let mut query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=mender%2F{day}%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date={date}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host\
         &response-content-disposition=attachment%3B%20filename%3D%22{}.mender%22\
         &response-content-type=application%2Fvnd.mender-artifact&x-id=GetObject&x-link={}",
        escape(name),
        state.last_link,
    );
    let length = storage.len() + path.len() + 1 + query.len() + SIGNATURE.len() + 64;
    if let Some(missing) = shared.config.link_bytes.checked_sub(length).filter(|missing| *missing > 0) {
        query.push_str(&session_token(missing));
    }
    let host = storage.split_once("://").map_or(storage, |(_, host)| host);
    let signature = sign(&shared.link_key, host, &path, &query);
    let expire = stamp::rfc3339(now + lifetime);
    Link { uri: format!("{storage}{path}?{query}{SIGNATURE}{signature}"), expire }
}

/// A parameter of at least `bytes` bytes, as temporary S3 credentials add one.
fn session_token(bytes: usize) -> String {
    let mut token = String::from("&X-Amz-Security-Token=");
    while token.len() < bytes {
        token.push_str(&URL_SAFE_NO_PAD.encode(stamp::random::<24>()));
    }
    token.truncate(bytes.max(22));
    token
}

fn sign(key: &hmac::Key, host: &str, path: &str, query: &str) -> String {
    let text = format!("GET\n{}\n{path}\n{query}", host.to_ascii_lowercase());
    stamp::hex(hmac::sign(key, text.as_bytes()).as_ref())
}

/// Answers one request to the storage.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Response {
    if request.method != "GET" {
        return refuse(
            request,
            405,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        );
    }
    if request.header("Authorization").is_some() {
        let text = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                    parameter or the Authorization header should be specified";
        return refuse(request, 400, "InvalidArgument", text);
    }
    let Some((query, signature)) = request.query().split_once(SIGNATURE) else {
        return refuse(request, 403, "AccessDenied", "Access Denied");
    };
    let host = request.header("Host").unwrap_or_default();
    let expected = sign(&shared.link_key, host, request.path(), query);
    if expected != signature {
        let text = "The request signature we calculated does not match the signature you provided.";
        return refuse(request, 403, "SignatureDoesNotMatch", text);
    }
    let state = shared.state();
    if is_expired(&state, query) {
        drop(state);
        return refuse(request, 403, "AccessDenied", "Request has expired");
    }
    let id = request.path().strip_prefix(FOLDER).unwrap_or_default();
    let Some(stored) = state.artifacts.get(id).cloned() else {
        drop(state);
        return refuse(request, 404, "NoSuchKey", "The specified key does not exist.");
    };
    drop(state);
    let disposition = query_value(query, "response-content-disposition").unwrap_or_default();
    let response = send(shared, request, &stored.bytes, &stored.artifact.etag);
    match response.status {
        200 | 206 => response.with("Content-Disposition", &disposition),
        _ => response,
    }
}

fn is_expired(state: &State, query: &str) -> bool {
    let number = |name: &str| query_value(query, name).and_then(|text| text.parse::<u64>().ok());
    let issued = query_value(query, "X-Amz-Date").and_then(|text| stamp::parse_compact(&text));
    let (Some(issued), Some(lifetime), Some(link)) = (issued, number("X-Amz-Expires"), number("x-link"))
    else {
        return true;
    };
    // The link's date has lost its fraction of a second: grant the whole of its last second.
    let end = UNIX_EPOCH + Duration::from_secs(issued.saturating_add(lifetime).saturating_add(1));
    SystemTime::now() >= end || link <= state.last_expired_link
}

/// The artifact, or the part of it that is asked for.
fn send(shared: &Shared, request: &Request, bytes: &[u8], etag: &str) -> Response {
    if request.header("If-Match").is_some_and(|wanted| !names(wanted, etag)) {
        let text = "At least one of the pre-conditions you specified did not hold";
        return refuse(request, 412, "PreconditionFailed", text);
    }
    let total = bytes.len();
    let range = if shared.config.ranges {
        request.header("Range").and_then(|text| parse_range(text, total))
    } else {
        None
    };
    let response = match range {
        None => Response::bytes(200, CONTENT_TYPE, bytes.to_vec()),
        Some(Some((first, last))) => Response::bytes(206, CONTENT_TYPE, bytes[first..=last].to_vec())
            .with("Content-Range", &format!("bytes {first}-{last}/{total}")),
        Some(None) => {
            return refuse(request, 416, "InvalidRange", "The requested range is not satisfiable")
                .with("Content-Range", &format!("bytes */{total}"));
        }
    };
    let response = response.with("ETag", etag);
    if shared.config.ranges { response.with("Accept-Ranges", "bytes") } else { response }
}

/// True when an `If-Match` list has the tag or is `*`.
fn names(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|tag| tag == "*" || tag == etag)
}

/// First and last byte of a `Range`. The outer `None`: no range this storage serves, send everything; the inner `None`: the
/// range is beyond the end.
#[expect(clippy::option_option, reason = "whole body, one range and no byte in range are three answers")]
fn parse_range(text: &str, total: usize) -> Option<Option<(usize, usize)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let end = total.checked_sub(1);
    if first.is_empty() {
        let suffix: usize = last.parse().ok()?;
        let from = total.saturating_sub(suffix);
        return Some(end.filter(|_| suffix > 0).map(|end| (from, end)));
    }
    let first: usize = first.parse().ok()?;
    let last: usize = if last.is_empty() { usize::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some(end.filter(|end| first <= *end).map(|end| (first, last.min(end))))
}

/// An error as S3 words it.
fn refuse(request: &Request, status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <Resource>{}</Resource><RequestId>{}</RequestId></Error>",
        request.path().replace('&', "&amp;").replace('<', "&lt;"),
        request.id
    );
    let response = Response::bytes(status, "application/xml", body.into_bytes());
    Response { why: Some(format!("{code}: {message}")), ..response }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_the_rfc() {
        for (text, total, expected) in [
            ("bytes=0-", 10, Some(Some((0, 9)))),
            ("bytes=4-6", 10, Some(Some((4, 6)))),
            ("bytes=4-99", 10, Some(Some((4, 9)))),
            ("bytes=9-9", 10, Some(Some((9, 9)))),
            ("bytes=-3", 10, Some(Some((7, 9)))),
            ("bytes=-30", 10, Some(Some((0, 9)))),
            ("bytes=10-", 10, Some(None)),
            ("bytes=10-20", 10, Some(None)),
            ("bytes=-0", 10, Some(None)),
            ("bytes=0-", 0, Some(None)),
            ("bytes=6-4", 10, None),
            ("bytes=a-4", 10, None),
            ("bytes=0-1,3-4", 10, None),
            ("items=0-1", 10, None),
            ("bytes=0", 10, None),
        ] {
            assert_eq!(parse_range(text, total), expected, "{text} of {total}");
        }
    }

    #[test]
    fn if_match_names_one_of_a_list_or_anything() {
        assert!(
            names("\"a\", \"b\"", "\"b\"")
                && names("*", "\"b\"")
                && !names("\"a\"", "\"b\"")
                && !names("b", "\"b\"")
        );
    }
}
