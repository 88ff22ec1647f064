// SPDX-License-Identifier: Apache-2.0
//! The least a Mender server can say for one deployment, in memory.

pub(crate) const URL: &str = "http://server";
pub(crate) const DEVICE_TYPE: &str = "bench";
pub(crate) const RELEASE: &str = "release-2";

const TOKEN: &str = "e30.e30.c2lnbmF0dXJl";
const OFFER: &str = r#"{"id":"0f6a2c4e-0000-4000-8000-000000000001","artifact":{"artifact_name":"release-2",
    "source":{"uri":"http://store/artifact","expire":"2030-01-01T00:00:00Z"},"device_types_compatible":["bench"]}}"#;

/// Takes one request after the other and has the replies.
pub(crate) struct Server {
    artifact: Vec<u8>,
    request: Vec<u8>,
    reply: Vec<u8>,
    sent: usize,
}

impl Server {
    pub(crate) fn new(artifact: Vec<u8>) -> Self {
        Self { artifact, request: Vec::new(), reply: Vec::new(), sent: 0 }
    }

    /// Bytes of a request. When it is whole, the reply is there.
    pub(crate) fn take(&mut self, data: &[u8]) {
        self.request.extend_from_slice(data);
        let Some(head) = self.request.windows(4).position(|end| end == b"\r\n\r\n") else { return };
        let text = String::from_utf8_lossy(&self.request[..head]).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if self.request.len() < head + 4 + length {
            return;
        }
        self.request.clear();
        let (status, body) = match text.split(' ').nth(1).unwrap_or_default() {
            path if path.ends_with("/auth_requests") => ("200 OK", TOKEN.as_bytes()),
            path if path.ends_with("/next") => ("200 OK", OFFER.as_bytes()),
            "/artifact" => ("200 OK", self.artifact.as_slice()),
            path if path.ends_with("/inventory/device/attributes") => ("200 OK", &[][..]),
            _ => ("204 No Content", &[][..]),
        };
        let length = if status.starts_with("204") {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        self.reply = format!("HTTP/1.1 {status}\r\n{length}\r\n").into_bytes();
        self.reply.extend_from_slice(body);
        self.sent = 0;
    }

    /// The next bytes of the reply.
    pub(crate) fn give(&mut self, buf: &mut [u8]) -> usize {
        let left = self.reply.get(self.sent..).unwrap_or_default();
        let count = left.len().min(buf.len());
        buf[..count].copy_from_slice(&left[..count]);
        self.sent += count;
        count
    }
}
