// SPDX-License-Identifier: Apache-2.0
//! The device API: which path is whose, and the checks every request passes.
//!
//! Source: Mender device API (OpenAPI). As behind the real gateway, the token is judged before the path, the path before the
//! method, and the size before the type of the body.

use crate::http::{Request, Response};
use crate::state::Shared;
use crate::{auth, deployments, inventory};

/// The endpoints, by path.
enum Endpoint<'a> {
    Auth,
    NextV1,
    NextV2,
    Status(&'a str),
    Log(&'a str),
    Inventory,
}

const AUTH: &str = "/api/devices/v1/authentication/auth_requests";
const NEXT_V1: &str = "/api/devices/v1/deployments/device/deployments/next";
const NEXT_V2: &str = "/api/devices/v2/deployments/device/deployments/next";
const DEPLOYMENTS: &str = "/api/devices/v1/deployments/device/deployments/";
const INVENTORY: &str = "/api/devices/v1/inventory/device/attributes";

impl<'a> Endpoint<'a> {
    fn find(path: &'a str, v2: bool) -> Option<Self> {
        match path {
            AUTH => Some(Self::Auth),
            NEXT_V1 => Some(Self::NextV1),
            NEXT_V2 if v2 => Some(Self::NextV2),
            INVENTORY => Some(Self::Inventory),
            _ => match path.strip_prefix(DEPLOYMENTS)?.split_once('/')? {
                ("", _) => None,
                (id, "status") => Some(Self::Status(id)),
                (id, "log") => Some(Self::Log(id)),
                _ => None,
            },
        }
    }

    fn takes(&self, method: &str) -> bool {
        match self {
            Self::Auth | Self::NextV2 => method == "POST",
            Self::NextV1 => method == "POST" || method == "GET",
            Self::Status(_) | Self::Log(_) => method == "PUT",
            Self::Inventory => method == "PUT" || method == "PATCH",
        }
    }
}

/// Answers one request of a device.
pub(crate) fn answer(shared: &Shared, request: &Request, tls: bool) -> Response {
    let id = request.header("X-MEN-RequestID").filter(|id| !id.is_empty()).unwrap_or(&request.id).to_owned();
    let request = Request { id, ..request.clone() };
    route(shared, &request, tls).with("X-MEN-RequestID", &request.id)
}

fn route(shared: &Shared, request: &Request, tls: bool) -> Response {
    let refuse = |status, text: &str| Response::error(status, text, &request.id);
    let endpoint = Endpoint::find(request.path(), shared.config.deployments_v2);
    let device = match &endpoint {
        Some(Endpoint::Auth) => String::new(),
        _ if !request.path().starts_with("/api/devices/") => String::new(),
        _ => match auth::verify(shared, request) {
            Ok(device) => device,
            Err(refusal) => return refusal,
        },
    };
    let Some(endpoint) = endpoint else { return refuse(404, "not found") };
    if !endpoint.takes(&request.method) {
        return refuse(405, "method not allowed");
    }
    if let Some(refusal) = refuse_body(shared, request) {
        return refusal;
    }
    match endpoint {
        Endpoint::Auth => auth::submit(shared, request),
        Endpoint::NextV1 if request.method == "GET" => {
            deployments::next_v1_get(shared, request, tls, &device)
        }
        Endpoint::NextV1 => deployments::next_v1_post(shared, request, tls, &device),
        Endpoint::NextV2 => deployments::next_v2(shared, request, tls, &device),
        Endpoint::Status(id) => deployments::report(shared, request, &device, id),
        Endpoint::Log(id) => deployments::log(shared, request, &device, id),
        Endpoint::Inventory => inventory::store(shared, request, &device),
    }
}

/// The refusal of a body for its size or type.
fn refuse_body(shared: &Shared, request: &Request) -> Option<Response> {
    let refuse = |status, text: &str| Some(Response::error(status, text, &request.id));
    if request.content_length > shared.config.body_limit {
        let mut response = Response::error(413, "http: request body too large", &request.id);
        response.close = true;
        return Some(response);
    }
    // The real server looks at the type only where a length is given.
    if request.content_length == 0 || request.chunked {
        return None;
    }
    let media_type = request.header("Content-Type").and_then(media_type);
    match media_type.as_deref() {
        None => refuse(400, "Invalid value for Content-Type header: mime: no media type"),
        Some("application/json") => None,
        Some(_) => refuse(415, "Bad Content-Type, expected 'application/json'"),
    }
}

/// The media type without its parameters, lower-case; `None` when it cannot be parsed.
fn media_type(value: &str) -> Option<String> {
    let is_token = |text: &str| {
        let token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(token_byte)
    };
    let mut parts = value.split(';');
    let kind = parts.next()?.trim();
    let valid = match kind.split_once('/') {
        Some((a, b)) => is_token(a) && is_token(b),
        None => is_token(kind),
    };
    let parameters = parts.map(str::trim).filter(|parameter| !parameter.is_empty());
    let parameters_ok = parameters.into_iter().all(|parameter| match parameter.split_once('=') {
        Some((name, text)) => is_token(name.trim()) && (is_token(text) || text.starts_with('"')),
        None => false,
    });
    (valid && parameters_ok).then(|| kind.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_told_apart_as_go_does() {
        for (value, expected) in [
            ("application/json", Some("application/json")),
            ("Application/JSON; charset=utf-8", Some("application/json")),
            ("application/json;", Some("application/json")),
            ("text/plain", Some("text/plain")),
            ("json", Some("json")),
            ("", None),
            ("application/json, text/plain", None),
            ("application/json; charset", None),
            ("application/", None),
        ] {
            assert_eq!(media_type(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn paths_are_matched_whole() {
        assert!(Endpoint::find(NEXT_V2, true).is_some());
        assert!(Endpoint::find(NEXT_V2, false).is_none());
        for path in [
            "/",
            "/api/devices/v1/inventory/device/attributes/",
            "//api/devices/v1/inventory/device/attributes",
        ] {
            assert!(Endpoint::find(path, true).is_none(), "{path}");
        }
        let status = format!("{DEPLOYMENTS}some-id/status");
        assert!(matches!(Endpoint::find(&status, true), Some(Endpoint::Status("some-id"))));
        assert!(Endpoint::find(&format!("{DEPLOYMENTS}a/b/status"), true).is_none());
    }
}
