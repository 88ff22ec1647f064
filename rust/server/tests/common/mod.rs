// SPDX-License-Identifier: Apache-2.0
//! A small HTTP client on a raw socket, and a device that signs.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mender_server::Server;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

pub(crate) const AUTH: &str = "/api/devices/v1/authentication/auth_requests";
pub(crate) const NEXT_V1: &str = "/api/devices/v1/deployments/device/deployments/next";
pub(crate) const NEXT_V2: &str = "/api/devices/v2/deployments/device/deployments/next";
pub(crate) const DEPLOYMENTS: &str = "/api/devices/v1/deployments/device/deployments";
pub(crate) const INVENTORY: &str = "/api/devices/v1/inventory/device/attributes";

/// A reply as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{}:", name.to_ascii_lowercase());
        self.head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with(&prefix))
            .map(|line| line[prefix.len()..].trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// One connection.
pub(crate) struct Http {
    stream: Box<dyn Stream>,
    tcp: TcpStream,
    pub(crate) host: String,
}

/// The address in a URL; a host name stands for this machine.
pub(crate) fn address(url: &str) -> SocketAddr {
    let host = url.split_once("://").unwrap().1.split('/').next().unwrap();
    host.parse()
        .unwrap_or_else(|_| format!("127.0.0.1:{}", host.rsplit(':').next().unwrap()).parse().unwrap())
}

pub(crate) fn roots(ca_pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Http {
    /// Connects to `url`, with TLS for `https`, the server's own CA trusted.
    pub(crate) fn connect(server: &Server, url: &str) -> Self {
        Self::try_connect(server, url).unwrap()
    }

    pub(crate) fn try_connect(server: &Server, url: &str) -> std::io::Result<Self> {
        let addr = address(url);
        let mut tcp = TcpStream::connect(addr)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
        let host = addr.to_string();
        if !url.starts_with("https:") {
            return Ok(Self { tcp: tcp.try_clone()?, stream: Box::new(tcp), host });
        }
        let name = ServerName::from(addr.ip());
        let mut tls = ClientConnection::new(roots(server.ca_pem()), name).map_err(std::io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Self { tcp: tcp.try_clone()?, stream: Box::new(StreamOwned::new(tls, tcp)), host })
    }

    /// Connects to `url` without TLS.
    pub(crate) fn plain(url: &str) -> Self {
        let addr = address(url);
        let tcp = TcpStream::connect(addr).unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { tcp: tcp.try_clone().unwrap(), stream: Box::new(tcp), host: addr.to_string() }
    }

    pub(crate) fn api(server: &Server) -> Self {
        Self::connect(server, &server.api_url())
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// Ends our side; the server may have ended the connection already.
    pub(crate) fn finish(&mut self) {
        drop(self.tcp.shutdown(Shutdown::Write));
        drop(self.rest());
    }

    /// Everything until the connection ends, and whether it ended in good order.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, std::io::Result<()>) {
        let mut bytes = Vec::new();
        let result = self.stream.read_to_end(&mut bytes).map(drop);
        (bytes, result)
    }

    /// Reads one reply with a `Content-Length` (or none for 204).
    pub(crate) fn reply(&mut self) -> Reply {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            let count = self.stream.read(&mut byte).unwrap();
            assert!(count == 1, "connection ended in the head: {:?}", String::from_utf8_lossy(&head));
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut reply = Reply { status, head, body: Vec::new() };
        let length = reply.header("Content-Length").map_or(0, |text| text.parse().unwrap());
        reply.body = vec![0; length];
        self.stream.read_exact(&mut reply.body).unwrap();
        reply
    }

    /// One request with its body and more header lines (each ending in CRLF).
    pub(crate) fn request(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) -> Reply {
        let length = if body.is_empty() && method == "GET" {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{length}{headers}\r\n", self.host));
        self.send(body);
        self.reply()
    }

    pub(crate) fn get(&mut self, target: &str, headers: &str) -> Reply {
        self.request("GET", target, headers, b"")
    }
}

/// A device: a key, an identity, and the token it got.
pub(crate) struct Device {
    key: EcdsaKeyPair,
    pub(crate) pem: String,
    pub(crate) mac: String,
    pub(crate) token: String,
}

impl Device {
    pub(crate) fn new(mac: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        // SubjectPublicKeyInfo of a P-256 key: a constant prefix and the uncompressed point.
        let mut der = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=").unwrap();
        der.extend_from_slice(key.public_key().as_ref());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
        Self { key, pem, mac: mac.to_owned(), token: String::new() }
    }

    pub(crate) fn identity(&self) -> String {
        json!({"mac": self.mac}).to_string()
    }

    pub(crate) fn auth_body(&self) -> Value {
        json!({"id_data": self.identity(), "pubkey": self.pem, "tier": "micro"})
    }

    pub(crate) fn sign(&self, body: &[u8]) -> String {
        STANDARD.encode(self.key.sign(&SystemRandom::new(), body).unwrap())
    }

    pub(crate) fn try_auth(&mut self, http: &mut Http, body: &Value) -> Reply {
        let body = body.to_string();
        let headers = format!("{JSON}X-MEN-Signature: {}\r\n", self.sign(body.as_bytes()));
        let reply = http.request("POST", AUTH, &headers, body.as_bytes());
        if reply.status == 200 {
            self.token = reply.text();
        }
        reply
    }

    /// A new device with a token.
    pub(crate) fn accepted(server: &Server, mac: &str) -> Self {
        let mut device = Self::new(mac);
        let body = device.auth_body();
        let reply = device.try_auth(&mut Http::api(server), &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        device
    }

    /// The headers of an authenticated request with a JSON body.
    pub(crate) fn headers(&self) -> String {
        format!("{JSON}Authorization: Bearer {}\r\n", self.token)
    }

    pub(crate) fn call(&self, http: &mut Http, method: &str, target: &str, body: &Value) -> Reply {
        http.request(method, target, &self.headers(), body.to_string().as_bytes())
    }

    /// An update check in the v2 form.
    pub(crate) fn check(&self, http: &mut Http, artifact_name: &str) -> Reply {
        let body =
            json!({"device_provides": {"device_type": "nucleo_l4a6zg", "artifact_name": artifact_name}});
        self.call(http, "POST", NEXT_V2, &body)
    }

    pub(crate) fn report(&self, http: &mut Http, deployment: &str, status: &str) -> u16 {
        self.call(http, "PUT", &format!("{DEPLOYMENTS}/{deployment}/status"), &json!({"status": status}))
            .status
    }
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// An artifact called `provdep-1.0` for `nucleo_l4a6zg`.
pub(crate) const ARTIFACT: &[u8] = include_bytes!("../fixtures/provides-depends.mender");
pub(crate) const ARTIFACT_NAME: &str = "provdep-1.0";
