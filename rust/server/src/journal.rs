// SPDX-License-Identifier: Apache-2.0
//! What came in: a record of every request, and counts of connections.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::http::Request;
use crate::model::Origin;
use crate::stamp;

/// Most records kept; the oldest go first.
const RECORDS_MAX: usize = 100_000;
/// Most bytes of a body that are kept in a record.
const BODY_MAX: usize = 16 * 1024;

/// One request and what became of it. Secrets (tokens, tenant tokens, cookies) are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Position in the order of arrival, from 1.
    pub number: u64,
    /// When it was complete, RFC 3339.
    pub at: String,
    /// Which face of the server it came to.
    pub origin: Origin,
    /// The connection it came on, from 1.
    pub connection: u64,
    /// Whether that connection is TLS.
    pub tls: bool,
    /// Id of the device whose token it carried.
    pub device: Option<String>,
    /// Method; empty when the request could not be parsed.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Headers in order, secrets replaced by `<hidden>`.
    pub headers: Vec<(String, String)>,
    /// The body as text when it is short, UTF-8 and holds no secret.
    pub body: Option<String>,
    /// Bytes of the request's body.
    pub body_bytes: usize,
    /// Status of the reply; 0 when none was sent.
    pub status: u16,
    /// Bytes of the reply's body that were meant to go out.
    pub reply_bytes: usize,
    /// The error a refusal was explained with.
    pub error: Option<String>,
    /// A fault struck this exchange.
    pub fault: bool,
}

impl RequestRecord {
    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The first header of that name, in any case of letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Connections to one face of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionCount {
    /// TCP connections accepted.
    pub accepted: u64,
    /// TLS handshakes completed.
    pub tls: u64,
    /// TLS handshakes that failed, the client's refusal of the certificate included.
    pub tls_failed: u64,
    /// Connections open now.
    pub open: u64,
}

/// Connections to the whole server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// To the device API.
    pub api: ConnectionCount,
    /// To the artifact storage.
    pub storage: ConnectionCount,
    /// To the management API.
    pub management: ConnectionCount,
}

impl Connections {
    pub(crate) fn of(&mut self, origin: Origin) -> &mut ConnectionCount {
        match origin {
            Origin::Api => &mut self.api,
            Origin::Storage => &mut self.storage,
            Origin::Management => &mut self.management,
        }
    }
}

/// The records.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    records: VecDeque<RequestRecord>,
    last: u64,
}

impl Journal {
    pub(crate) fn add(&mut self, mut record: RequestRecord) {
        self.last += 1;
        record.number = self.last;
        if self.records.len() == RECORDS_MAX {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &RequestRecord> {
        self.records.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }
}

/// A record without the reply, secrets left out.
pub(crate) fn record(origin: Origin, connection: u64, tls: bool, request: &Request) -> RequestRecord {
    let secret_body = request.path().contains("/authentication/");
    let short = request.body.len() <= BODY_MAX && !request.body.is_empty();
    let body = (short && !secret_body).then(|| String::from_utf8(request.body.clone()).ok()).flatten();
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), hide(name, value))).collect();
    RequestRecord {
        number: 0,
        at: stamp::now(),
        origin,
        connection,
        tls,
        device: None,
        method: request.method.clone(),
        target: request.target.clone(),
        headers,
        body,
        body_bytes: request.body.len().max(request.content_length),
        status: 0,
        reply_bytes: 0,
        error: None,
        fault: false,
    }
}

fn hide(name: &str, value: &str) -> String {
    if name.eq_ignore_ascii_case("Authorization") {
        return match value.split_once(' ') {
            Some((scheme, _)) => format!("{scheme} <hidden>"),
            None => "<hidden>".to_owned(),
        };
    }
    if name.eq_ignore_ascii_case("Cookie") {
        return "<hidden>".to_owned();
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_enter_the_record() {
        let request = Request {
            method: "POST".into(),
            target: "/api/devices/v1/authentication/auth_requests".into(),
            headers: vec![
                ("authorization".into(), "Bearer aaa.bbb.ccc".into()),
                ("Cookie".into(), "JWT=aaa.bbb.ccc".into()),
                ("User-Agent".into(), "x".into()),
            ],
            body: br#"{"tenant_token":"TOPSECRET"}"#.to_vec(),
            ..Request::default()
        };
        let record = record(Origin::Api, 1, false, &request);
        let text = format!("{record:?}");
        assert!(!text.contains("bbb") && !text.contains("TOPSECRET"), "{text}");
        assert_eq!(record.header("Authorization"), Some("Bearer <hidden>"));
        assert_eq!((record.body_bytes, record.header("user-agent")), (28, Some("x")));
    }
}
