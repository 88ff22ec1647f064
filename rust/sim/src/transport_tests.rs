// SPDX-License-Identifier: Apache-2.0

use std::net::TcpListener;
use std::thread;

use mender_port::Transport as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn trust(&self) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Trust::from_roots(roots)
    }

    fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        Arc::new(config)
    }
}

/// Answers one connection: reads to the first newline, sends back the line and `reply`, then ends with or without close_notify.
fn serve(config: Option<Arc<ServerConfig>>, reply: Vec<u8>, polite: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut tls = config.map(|config| ServerConnection::new(config).unwrap());
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            let read = match &mut tls {
                Some(tls) => rustls::Stream::new(tls, &mut socket).read(&mut byte),
                None => socket.read(&mut byte),
            };
            match read {
                Ok(1) => line.push(byte[0]),
                _ => return,
            }
        }
        line.extend(reply);
        match &mut tls {
            Some(tls) => {
                rustls::Stream::new(tls, &mut socket).write_all(&line).unwrap();
                if polite {
                    tls.send_close_notify();
                    tls.write_tls(&mut socket).unwrap();
                }
            }
            None => socket.write_all(&line).unwrap(),
        }
    });
    port
}

fn sockets(trust: Trust) -> Sockets {
    Sockets::new(trust.clone(), trust, Duration::from_secs(5))
}

fn receive_all(sockets: &mut Sockets) -> (Vec<u8>, Result<Received>) {
    let mut all = Vec::new();
    loop {
        let mut buf = [0; 1000];
        match sockets.receive(Channel::Api, &mut buf) {
            Ok(Received::Data(len)) => all.extend_from_slice(&buf[..len]),
            Ok(Received::Nothing) => thread::sleep(Duration::from_millis(1)),
            end => return (all, end),
        }
    }
}

fn send_all(sockets: &mut Sockets, mut data: &[u8]) {
    while !data.is_empty() {
        let sent = sockets.send(Channel::Api, data).unwrap();
        data = &data[sent..];
    }
}

#[test]
fn bytes_go_both_ways_with_and_without_tls() {
    let authority = Authority::new();
    for (name, tls) in [("localhost", true), ("127.0.0.1", true), ("127.0.0.1", false)] {
        let reply = vec![7; 300_000];
        let port = serve(tls.then(|| authority.server(name)), reply.clone(), true);
        let mut sockets = sockets(authority.trust());
        sockets.open(Channel::Api, name, port, tls).unwrap();
        send_all(&mut sockets, b"hello\n");
        let (all, end) = receive_all(&mut sockets);
        assert_eq!(end, Ok(Received::Closed), "{name} {tls}");
        assert_eq!(all, [b"hello\n".to_vec(), reply].concat());
    }
}

#[test]
fn a_server_nobody_vouches_for_is_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (config, host) in [
        (theirs.server("localhost"), "localhost"),
        (ours.server("example.com"), "localhost"),
        (ours.server("localhost"), "127.0.0.1"),
    ] {
        let port = serve(Some(config), Vec::new(), true);
        let mut sockets = sockets(ours.trust());
        assert_eq!(sockets.open(Channel::Api, host, port, true), Err(EKEYREJECTED), "{host}");
        let why = sockets.take_error().unwrap();
        assert!(why.contains("ertificate"), "{why}");
        assert_eq!(sockets.send(Channel::Api, b"x"), Err(ENOTCONN), "no stream is open afterwards");
    }
}

#[test]
fn each_channel_has_its_own_trust() {
    let (api, storage) = (Authority::new(), Authority::new());
    let mut sockets = Sockets::new(api.trust(), storage.trust(), Duration::from_secs(5));
    let port = serve(Some(storage.server("localhost")), Vec::new(), true);
    assert_eq!(sockets.open(Channel::Api, "localhost", port, true), Err(EKEYREJECTED));
    let port = serve(Some(storage.server("localhost")), Vec::new(), true);
    sockets.open(Channel::Storage, "localhost", port, true).unwrap();
}

#[test]
fn a_tls_stream_that_is_cut_is_an_error_and_not_an_end() {
    let authority = Authority::new();
    let port = serve(Some(authority.server("localhost")), b"part".to_vec(), false);
    let mut sockets = sockets(authority.trust());
    sockets.open(Channel::Api, "localhost", port, true).unwrap();
    send_all(&mut sockets, b"hello\n");
    let (all, end) = receive_all(&mut sockets);
    assert_eq!((all.as_slice(), end), (&b"hello\npart"[..], Err(ECONNRESET)));
}

#[test]
fn what_cannot_be_reached_fails_in_time() {
    let trust = Trust::from_pem_files([]).unwrap();
    let mut sockets = Sockets::new(trust.clone(), trust, Duration::from_millis(200));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(sockets.open(Channel::Api, "127.0.0.1", closed, false), Err(Errno(-111)));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let before = Instant::now();
    assert_eq!(sockets.open(Channel::Api, "127.0.0.1", port, true), Err(Errno(-110)));
    assert!(before.elapsed() < Duration::from_secs(5));
}
