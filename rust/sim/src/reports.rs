// SPDX-License-Identifier: Apache-2.0
//! Watches what is sent for status reports: between a report and its reply is a moment at which power cuts hurt.

/// Sees the bytes of one stream go out and come in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// The request line, as far as it was sent.
    line: Vec<u8>,
    line_ended: bool,
    in_flight: bool,
}

/// A request line longer than this is no status report.
const LINE_MAX: usize = 256;

impl Watch {
    /// These bytes were sent.
    pub(crate) fn sent(&mut self, data: &[u8]) {
        for byte in data {
            if self.line_ended || self.line.len() >= LINE_MAX {
                break;
            }
            self.line.push(*byte);
            self.line_ended = *byte == b'\n';
        }
        let is_report = |line: &str| line.starts_with("PUT ") && line.contains("/status ");
        self.in_flight = self.line_ended && std::str::from_utf8(&self.line).is_ok_and(is_report);
    }

    /// The reply is looked for: whether it is the first time since a report went out.
    pub(crate) fn asked(&mut self) -> bool {
        let first = std::mem::take(&mut self.in_flight);
        *self = Self::default();
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_seen_once_however_it_is_cut_and_nothing_else_is() {
        let path = "/api/devices/v1/deployments/device/deployments/x";
        for (request, report) in [
            (format!("PUT {path}/status HTTP/1.1\r\nHost: h\r\n\r\n{{}}"), true),
            (format!("PUT {path}/log HTTP/1.1\r\nHost: h\r\n\r\nPUT /status "), false),
            (format!("GET {path}/status HTTP/1.1\r\n\r\n"), false),
        ] {
            for chunk in [1, 5, 1000] {
                let mut watch = Watch::default();
                for _ in 0..2 {
                    request.as_bytes().chunks(chunk).for_each(|piece| watch.sent(piece));
                    assert_eq!(watch.asked(), report, "{request}");
                    assert!(!watch.asked());
                }
            }
        }
    }
}
