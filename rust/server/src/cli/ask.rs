// SPDX-License-Identifier: Apache-2.0
//! Asks the management API of a running server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::Failure;

pub(crate) const DEVICES: &str = "/api/management/v2/devauth/devices";
pub(crate) const ARTIFACTS: &str = "/api/management/v1/deployments/artifacts";
pub(crate) const DEPLOYMENTS: &str = "/api/management/v1/deployments/deployments";
pub(crate) const REQUESTS: &str = "/api/local/requests";
pub(crate) const CONNECTIONS: &str = "/api/local/connections";
pub(crate) const FAULTS: &str = "/api/local/faults";

const DEFAULT: &str = "http://127.0.0.1:8090";
const PATIENCE: Duration = Duration::from_secs(60);

/// A management API.
pub(crate) struct Manager {
    /// `host:port`.
    host: String,
}

impl Manager {
    /// At `url`, else where the environment says, else the default.
    pub(crate) fn new(url: Option<&str>) -> Result<Self, Failure> {
        let from_environment = std::env::var("MENDER_SERVER_URL").ok();
        let url = url.or(from_environment.as_deref()).unwrap_or(DEFAULT);
        let host = url.strip_prefix("http://").ok_or_else(|| format!("{url}: not a http:// URL"))?;
        Ok(Self { host: host.trim_end_matches('/').to_owned() })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&self.call("GET", path, "", b"")?)?)
    }

    pub(crate) fn text(&self, path: &str) -> Result<String, Failure> {
        Ok(String::from_utf8(self.call("GET", path, "", b"")?)?)
    }

    /// The server's answer; null when it has none.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let answer = self.call("POST", path, "application/json", body.to_string().as_bytes())?;
        if answer.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&answer)?) }
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<(), Failure> {
        self.call("PUT", path, "application/json", body.to_string().as_bytes()).map(drop)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<(), Failure> {
        self.call("DELETE", path, "", b"").map(drop)
    }

    pub(crate) fn upload(&self, path: &str, artifact: &[u8]) -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&self.call("POST", path, "application/vnd.mender-artifact", artifact)?)?)
    }

    /// One request on a connection of its own; the body of a good reply, the error of another.
    fn call(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let fail = |error: std::io::Error| {
            format!("http://{}: {error} (is `mender-server run` running?)", self.host)
        };
        let mut stream = TcpStream::connect(&self.host).map_err(fail)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        if !content_type.is_empty() {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).map_err(fail)?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).map_err(fail)?;
        answer(&reply)
    }
}

/// The body of a reply that ended with its connection.
fn answer(reply: &[u8]) -> Result<Vec<u8>, Failure> {
    let end =
        reply.windows(4).position(|window| window == b"\r\n\r\n").ok_or("the server sent no HTTP reply")?;
    let (head, body) = (String::from_utf8_lossy(&reply[..end]), &reply[end + 4..]);
    let status: u16 = head.split(' ').nth(1).unwrap_or_default().parse()?;
    if (200..300).contains(&status) {
        return Ok(body.to_vec());
    }
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    Err(json["error"].as_str().map_or_else(|| format!("status {status}"), str::to_owned).into())
}

/// `base` and further segments, escaped.
pub(crate) fn path(base: &str, segments: &[&str]) -> String {
    let mut path = base.to_owned();
    for segment in segments {
        path.push('/');
        path.push_str(&escape(segment));
    }
    path
}

/// `?name=value`, escaped.
pub(crate) fn query(name: &str, value: &str) -> String {
    format!("?{name}={}", escape(value))
}

fn escape(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
