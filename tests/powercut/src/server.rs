// SPDX-License-Identifier: Apache-2.0
//! A Mender server as a value: bytes of requests in, bytes of replies out. It has no clock but the world's, and can be cloned.
//!
//! It is strict: what a real server would refuse, and what no client should send, ends the run as a violation.
//!
//! Source: Mender device API (OpenAPI); `docs/protocol.md` §1, §2.

use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mender_base::sha256::{Soft, digest};
use serde_json::Value;

use crate::keys::signature;

/// Host of the device API.
pub const API_HOST: &str = "mender.example";
/// Host of the artifact store.
pub const STORE_HOST: &str = "store.example";

const DEPLOYMENTS: &str = "/api/devices/v1/deployments/device/deployments/";
const FINAL: [&str; 3] = ["success", "failure", "already-installed"];

/// What a device says it has, or an artifact gives it.
pub type Provides = BTreeMap<String, String>;

/// An artifact in the store.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// The file.
    pub bytes: Rc<[u8]>,
}

/// One deployment to the one device.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Number of its release.
    pub release: usize,
    /// Where the device stands, in the server's words.
    pub status: String,
    /// What was reported, and what was answered.
    pub reports: Vec<(String, u16)>,
    /// The user aborts it when this report comes in, counted from 1, before it is answered.
    pub abort_at_report: Option<usize>,
    /// Logs that came.
    pub logs: u32,
    /// What they said.
    pub log: String,
    /// The first report of which the device heard that the deployment was aborted.
    pub first_refused: Option<String>,
    /// How often something had gone wrong when its last word came, heard by the device: an end that was taken, or a report refused.
    pub ended_at: Option<u32>,
    /// The device has it on record that it is over.
    pub on_record: bool,
    /// Though it was aborted, the device told a failure: it can do no better than that where nothing leads back.
    pub failed_after_abort: bool,
    provides: Option<Provides>,
}

impl Deployment {
    /// The server is done with it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status == "aborted" || FINAL.contains(&self.status.as_str())
    }

    /// The final statuses that were taken, repeats included.
    #[must_use]
    pub fn finals(&self) -> Vec<&str> {
        let taken = |(status, reply): &&(String, u16)| *reply == 204 && FINAL.contains(&status.as_str());
        self.reports.iter().filter(taken).map(|(status, _)| status.as_str()).collect()
    }
}

/// The server and its store.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Its clock, seconds since 1970.
    pub unix_s: u64,
    /// What it can deploy.
    pub releases: Vec<Release>,
    /// The deployments, oldest first.
    pub deployments: Vec<Deployment>,
    /// What came in: a word and the status that was answered.
    pub dialogue: Vec<(String, u16)>,
    /// What the device said last that it has.
    pub provides: Provides,
    /// Its inventory.
    pub inventory: Provides,
    /// What no client should do.
    pub complaints: Vec<String>,
    /// Update checks since the last deployment was over.
    pub quiet_checks: u32,
    /// Requests for a part of an artifact.
    pub ranges: u32,
    /// Nobody waits for the replies any more.
    pub unheard: bool,
    /// How often something went wrong so far, the power included.
    pub faults: u32,
    public_key: Option<[u8; 65]>,
    identity: Option<String>,
    tokens: u32,
    /// Tokens up to this one are void.
    void: u32,
}

struct Asked {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    fn error(status: u16, text: &str) -> Self {
        Self::json(status, &serde_json::json!({"error": text, "request_id": "1"}))
    }

    fn json(status: u16, value: &Value) -> Self {
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Self { status, headers, body: value.to_string().into_bytes() }
    }
}

/// The length of the request that `bytes` begin with, once it is whole.
///
/// # Errors
/// What is wrong with it.
pub fn request_len(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut fields = [httparse::EMPTY_HEADER; 24];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(len) = head.parse(bytes).map_err(|e| e.to_string())? else {
        return Ok(None);
    };
    let mut lengths = head.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("Content-Length"));
    let body = lengths.next().map_or(Ok(0), |field| {
        let text = std::str::from_utf8(field.value).unwrap_or_default();
        text.parse::<usize>().map_err(|e| format!("Content-Length {text:?}: {e}"))
    })?;
    if lengths.next().is_some() {
        return Err("two lengths".to_owned());
    }
    Ok((bytes.len() >= len + body).then_some(len + body))
}

fn parse(bytes: &[u8]) -> Result<Asked, String> {
    let mut fields = [httparse::EMPTY_HEADER; 24];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(len) = head.parse(bytes).map_err(|e| e.to_string())? else {
        return Err("half a head".to_owned());
    };
    if head.version != Some(1) {
        return Err("not HTTP/1.1".to_owned());
    }
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Ok(Asked {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect(),
        body: bytes[len..].to_vec(),
    })
}

impl Server {
    /// A server with these artifacts that knows no device.
    #[must_use]
    pub fn new(releases: Vec<Release>) -> Self {
        Self { unix_s: 1_800_000_000, releases, ..Self::default() }
    }

    /// Deploys a release; the deployment's number.
    pub fn deploy(&mut self, release: usize, abort_at_report: Option<usize>) -> usize {
        let number = self.deployments.len();
        self.quiet_checks = 0;
        let id = format!("{:08x}-0000-4000-8000-{:012x}", number + 1, number + 1);
        let status = "pending".to_owned();
        self.deployments.push(Deployment { id, release, status, abort_at_report, ..Deployment::default() });
        number
    }

    /// Makes every token so far void.
    pub fn expire_tokens(&mut self) {
        self.void = self.tokens;
    }

    /// Answers one whole request.
    pub fn answer(&mut self, host: &str, bytes: &[u8]) -> Vec<u8> {
        let (word, answer) = match parse(bytes) {
            Ok(asked) => {
                let stated = asked.header("Host").unwrap_or_default();
                if stated != host {
                    self.complaints.push(format!("Host: {stated} at {host}"));
                }
                if host == STORE_HOST { self.store(&asked) } else { self.api(&asked) }
            }
            Err(why) => {
                self.complaints.push(why);
                ("?".to_owned(), Answer::empty(400))
            }
        };
        if answer.status == 400 || answer.status == 405 {
            self.complaints.push(format!("{word}: {} {}", answer.status, String::from_utf8_lossy(bytes)));
        }
        self.dialogue.push((word, answer.status));
        self.frame(answer)
    }

    /// Answers a request that it does not look at.
    pub fn refuse(&mut self, status: u16) -> Vec<u8> {
        let mut answer = Answer::error(status, "come again");
        if status == 429 {
            answer.headers.push(("Retry-After", "70".to_owned()));
        }
        self.dialogue.push(("?".to_owned(), status));
        self.frame(answer)
    }

    fn frame(&self, answer: Answer) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} -\r\nDate: {}\r\n", answer.status, http_date(self.unix_s));
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if answer.status != 204 {
            head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(answer.body);
        bytes
    }

    fn api(&mut self, asked: &Asked) -> (String, Answer) {
        if asked.target == "/api/devices/v1/authentication/auth_requests" {
            return ("auth".to_owned(), self.authenticate(asked));
        }
        if !self.knows(asked) {
            return ("refused".to_owned(), Answer::empty(401));
        }
        if !asked.body.is_empty() && asked.header("Content-Type") != Some("application/json") {
            return ("?".to_owned(), Answer::empty(400));
        }
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
        match (asked.method.as_str(), asked.target.as_str()) {
            ("POST", "/api/devices/v2/deployments/device/deployments/next") => {
                ("check".to_owned(), self.check(&body))
            }
            ("PUT", "/api/devices/v1/inventory/device/attributes") => {
                ("inventory".to_owned(), self.take_inventory(&body))
            }
            ("PUT", target) => match target.strip_prefix(DEPLOYMENTS).and_then(|rest| rest.split_once('/')) {
                Some((id, "status")) => self.report(id, &body),
                Some((id, "log")) => ("log".to_owned(), self.take_log(id, &body)),
                _ => ("?".to_owned(), Answer::error(400, "no such path")),
            },
            _ => ("?".to_owned(), Answer::error(400, "no such path")),
        }
    }

    fn knows(&self, asked: &Asked) -> bool {
        let token = asked.header("Authorization").and_then(|value| value.strip_prefix("Bearer token."));
        let number = token.and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        number.is_some_and(|number| number > self.void && number <= self.tokens)
    }

    fn authenticate(&mut self, asked: &Asked) -> Answer {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
        let (Some(identity), Some(pem)) = (body["id_data"].as_str(), body["pubkey"].as_str()) else {
            return Answer::error(400, "id_data and pubkey must be there");
        };
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(base64).unwrap_or_default();
        let Some(point) = der.last_chunk::<65>() else { return Answer::error(400, "no public key") };
        let given = asked.header("X-MEN-Signature").and_then(|text| STANDARD.decode(text).ok());
        let made = signature(point, &digest::<Soft>(&asked.body));
        let (r, s) = made.split_at(32);
        let expected = [&[0x30, 68, 2, 32], r, &[2, 32], s].concat();
        if given != Some(expected) {
            self.complaints.push("a signature that is wrong".to_owned());
            return Answer::empty(401);
        }
        let known = *self.public_key.get_or_insert(*point);
        let same = self.identity.get_or_insert_with(|| identity.to_owned()) == identity;
        if known != *point || !same {
            self.complaints.push("the device has become another one".to_owned());
            return Answer::empty(401);
        }
        self.tokens += 1;
        let token = format!("token.{}.{}", self.tokens, "t".repeat(100));
        let headers = vec![("Content-Type", "application/jwt".to_owned())];
        Answer { status: 200, headers, body: token.into_bytes() }
    }

    fn check(&mut self, body: &Value) -> Answer {
        let Some(said) = body["device_provides"].as_object() else {
            return Answer::error(400, "device_provides must be there");
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let provides: Provides = said.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        self.provides.clone_from(&provides);
        let Some(deployment) = self.deployments.iter_mut().find(|deployment| !deployment.is_over()) else {
            self.quiet_checks += 1;
            return Answer::empty(204);
        };
        if *deployment.provides.get_or_insert_with(|| provides.clone()) != provides {
            "failure".clone_into(&mut deployment.status);
            self.complaints.push("the device contradicts what it said before".to_owned());
            return Answer::error(409, "conflicting request data");
        }
        let release = &self.releases[deployment.release];
        if deployment.status == "pending" && provides.get("artifact_name") == Some(&release.name) {
            "already-installed".clone_into(&mut deployment.status);
            return Answer::empty(204);
        }
        let uri = format!("http://{STORE_HOST}/artifacts/{}?x-id=GetObject", deployment.release);
        let source = serde_json::json!({"uri": uri, "expire": "2100-01-01T00:00:00Z", "method": "GET"});
        Answer::json(
            200,
            &serde_json::json!({
                "id": deployment.id,
                "artifact": {
                    "artifact_name": release.name, "source": source, "device_types_compatible": ["sim"],
                },
            }),
        )
    }

    fn report(&mut self, id: &str, body: &Value) -> (String, Answer) {
        let status = body["status"].as_str().unwrap_or_default().to_owned();
        let steps = ["downloading", "installing", "rebooting"];
        let pauses = ["pause_before_installing", "pause_before_rebooting", "pause_before_committing"];
        if !steps.iter().chain(&pauses).chain(&FINAL).any(|known| *known == status) {
            return (status, Answer::error(400, "status: must be a valid value."));
        }
        let Some(deployment) = self.deployments.iter_mut().find(|deployment| deployment.id == id) else {
            return (status, Answer::empty(404));
        };
        if deployment.abort_at_report == Some(deployment.reports.len() + 1) && !deployment.is_over() {
            "aborted".clone_into(&mut deployment.status);
        }
        let refused = deployment.status == "aborted";
        let last_word = refused || FINAL.contains(&status.as_str());
        if !self.unheard {
            // What went wrong since the last word may have kept the device from hearing it, or from putting it on record. Nothing else
            // may make it say more.
            let more = deployment.ended_at.is_some_and(|then| deployment.on_record || self.faults == then);
            // The oracle knows whether that was all it could do.
            let excused = more
                && refused
                && status == "failure"
                && !std::mem::replace(&mut deployment.failed_after_abort, true);
            if more && !excused {
                self.complaints.push(format!("{status} after the last word, and nothing went wrong since"));
            }
            if last_word {
                deployment.ended_at = Some(self.faults);
            }
        }
        if !refused {
            if deployment.is_over() && deployment.status != status {
                self.complaints.push(format!("{status} after {}", deployment.status));
            }
            deployment.status.clone_from(&status);
        }
        let reply = if refused { 409 } else { 204 };
        if refused && !self.unheard {
            deployment.first_refused.get_or_insert_with(|| status.clone());
        }
        deployment.reports.push((status.clone(), reply));
        (status, if refused { Answer::error(409, "Deployment aborted") } else { Answer::empty(204) })
    }

    fn take_log(&mut self, id: &str, body: &Value) -> Answer {
        let lines = body["messages"].as_array().map_or(0, Vec::len);
        let Some(deployment) = self.deployments.iter_mut().find(|deployment| deployment.id == id) else {
            return Answer::empty(404);
        };
        if lines == 0 {
            return Answer::error(400, "no messages");
        }
        deployment.logs += 1;
        deployment.log.push_str(&body["messages"].to_string());
        Answer::empty(204)
    }

    fn take_inventory(&mut self, body: &Value) -> Answer {
        let Some(attributes) = body.as_array() else { return Answer::error(400, "no list") };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.inventory = attributes.iter().map(|a| (text(&a["name"]), text(&a["value"]))).collect();
        Answer::empty(200)
    }

    fn store(&mut self, asked: &Asked) -> (String, Answer) {
        let number = asked.target.strip_prefix("/artifacts/").and_then(|rest| rest.split('?').next());
        let release = number.and_then(|n| self.releases.get(n.parse::<usize>().ok()?));
        let (Some(release), "GET", None) = (release, asked.method.as_str(), asked.header("Authorization"))
        else {
            return ("download".to_owned(), Answer::empty(400));
        };
        let (bytes, etag) = (Rc::clone(&release.bytes), format!("\"{}\"", release.name));
        let first = match asked.header("Range") {
            None => 0,
            Some(text) => {
                self.ranges += 1;
                let first = text.strip_prefix("bytes=").and_then(|rest| rest.strip_suffix('-'));
                match first.and_then(|text| text.parse::<usize>().ok()).filter(|first| *first < bytes.len()) {
                    Some(first) => first,
                    None => return ("download".to_owned(), Answer::empty(416)),
                }
            }
        };
        if asked.header("If-Match").is_some_and(|tag| tag != etag) {
            return ("download".to_owned(), Answer::empty(412));
        }
        let mut headers = vec![("ETag", etag)];
        let status = if first == 0 { 200 } else { 206 };
        if first > 0 {
            headers.push(("Content-Range", format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len())));
        }
        ("download".to_owned(), Answer { status, headers, body: bytes[first..].to_vec() })
    }
}

/// The `Date` form of RFC 9110 §5.6.7.
fn http_date(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let day_names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let month_names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (mut year, mut left) = (1970, days);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    format!(
        "{}, {:02} {} {year} {:02}:{:02}:{:02} GMT",
        day_names[(days % 7) as usize],
        left + 1,
        month_names[month],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_rfc() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
    }

    #[test]
    fn more_than_the_last_word_needs_a_fault_since_that_kept_it_from_being_heard_or_recorded() {
        let told = |abort: Option<usize>, words: &[&str], between: fn(&mut Server)| {
            let mut server = Server::new(Vec::new());
            server.deploy(0, abort);
            let id = server.deployments[0].id.clone();
            for (number, word) in words.iter().enumerate() {
                if number + 1 == words.len() {
                    between(&mut server);
                }
                server.report(&id, &serde_json::json!({"status": word}));
            }
            server.complaints.len()
        };
        for twice in [["success", "success"], ["failure", "failure"]] {
            assert_eq!(told(None, &twice, |_| {}), 1, "nothing went wrong");
            assert_eq!(told(None, &twice, |server| server.faults += 1), 0);
            assert_eq!(told(None, &twice, |server| server.unheard = true), 0, "the network repeats it");
            let on_record = |server: &mut Server| {
                server.faults += 1;
                server.deployments[0].on_record = true;
            };
            assert_eq!(told(None, &twice, on_record), 1, "it was on record before the fault");
        }
        assert_eq!(told(None, &["downloading", "installing", "success"], |_| {}), 0);
        assert_eq!(told(Some(1), &["downloading", "installing"], |_| {}), 1, "it was aborted");
        assert_eq!(told(Some(1), &["downloading", "installing"], |server| server.faults += 1), 0);
        assert_eq!(told(Some(1), &["downloading", "failure"], |_| {}), 0, "for the oracle to judge");
        assert_eq!(told(Some(1), &["downloading", "failure", "failure"], |_| {}), 1);
    }

    #[test]
    fn a_request_is_whole_when_its_body_is() {
        let request = b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
        for len in 0..request.len() {
            assert_eq!(request_len(&request[..len]), Ok(None), "{len}");
        }
        assert_eq!(request_len(request), Ok(Some(request.len())));
        assert!(request_len(b"\x01").is_err());
    }
}
