// SPDX-License-Identifier: Apache-2.0
//! The server's own certificate authority and its certificates, good and bad.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Which certificate the server shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// Valid, for `localhost`, 127.0.0.1, ::1 and the configured host, issued by [`crate::Server::ca_pem`].
    #[default]
    Good,
    /// Like the good one, but it ended in 2021.
    Expired,
    /// Like the good one, but it begins in 2090.
    NotYetValid,
    /// For `other.example` only.
    WrongHost,
    /// Issued by a CA of the same name that nobody trusts.
    UnknownCa,
    /// Issued by itself.
    SelfSigned,
}

const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca.key.pem";

/// The CA, and the certificate that is shown.
pub(crate) struct Tls {
    ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
    names: Vec<String>,
    shown: Arc<Shown>,
}

#[derive(Debug)]
struct Shown(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Makes a CA, or takes the one in `data`, and a good certificate.
    pub(crate) fn new(host: Option<&str>, listen: &[IpAddr], data: Option<&Path>) -> Result<Self, Error> {
        let (ca_pem, issuer) = match data {
            Some(folder) => stored_ca(folder)?,
            None => new_ca()?,
        };
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let others = listen.iter().filter(|ip| !ip.is_unspecified()).map(ToString::to_string);
        for name in host.map(str::to_owned).into_iter().chain(others) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let first = make(&issuer, &names, Certificate::Good)?;
        Ok(Self { ca_pem, issuer, names, shown: Arc::new(Shown(Mutex::new(first))) })
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Shows another certificate from the next handshake on.
    pub(crate) fn show(&self, kind: Certificate) -> Result<(), Error> {
        let certificate = make(&self.issuer, &self.names, kind)?;
        *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
        Ok(())
    }

    /// TLS 1.2 and 1.3.
    pub(crate) fn config(&self, record_bytes: Option<usize>) -> Result<Arc<ServerConfig>, Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(tls_error)?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Shown>::clone(&self.shown);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.max_fragment_size = record_bytes;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        // A size out of range shows only when a connection is made: find out now.
        ServerConnection::new(Arc::clone(&config)).map_err(tls_error)?;
        Ok(config)
    }
}

fn tls_error(error: impl std::fmt::Display) -> Error {
    Error::Tls(error.to_string())
}

fn new_key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(tls_error)
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "mender-server development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // A board without a clock may believe it is the day its firmware was built: begin early, end late.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2050, 1, 1);
    params
}

fn new_ca() -> Result<(String, Issuer<'static, KeyPair>), Error> {
    let key = new_key()?;
    let pem = ca_params().self_signed(&key).map_err(tls_error)?.pem();
    Ok((pem, Issuer::new(ca_params(), key)))
}

fn stored_ca(folder: &Path) -> Result<(String, Issuer<'static, KeyPair>), Error> {
    let (cert_file, key_file) = (folder.join(CA_FILE), folder.join(CA_KEY_FILE));
    if cert_file.exists() && key_file.exists() {
        let read = |file: &Path| std::fs::read_to_string(file).map_err(Error::io(file.display().to_string()));
        let key = KeyPair::from_pem(&read(&key_file)?).map_err(tls_error)?;
        return Ok((read(&cert_file)?, Issuer::new(ca_params(), key)));
    }
    let (pem, issuer) = new_ca()?;
    crate::disk::write_private(&key_file, issuer.key().serialize_pem().as_bytes())?;
    crate::disk::write(&cert_file, pem.as_bytes())?;
    Ok((pem, issuer))
}

fn make(
    ca: &Issuer<'static, KeyPair>,
    names: &[String],
    kind: Certificate,
) -> Result<Arc<CertifiedKey>, Error> {
    let wrong = ["other.example".to_owned()];
    let names = if kind == Certificate::WrongHost { wrong.as_slice() } else { names };
    let mut params = CertificateParams::new(names).map_err(tls_error)?;
    let common_name = names.first().map_or("", String::as_str);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = kind != Certificate::SelfSigned;
    (params.not_before, params.not_after) = match kind {
        Certificate::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
        Certificate::NotYetValid => (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1)),
        _ => (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1)),
    };
    let key = new_key()?;
    let certificate = match kind {
        Certificate::SelfSigned => params.self_signed(&key),
        Certificate::UnknownCa => params.signed_by(&key, &new_ca()?.1),
        _ => params.signed_by(&key, ca),
    }
    .map_err(tls_error)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signing_key = default_provider().key_provider.load_private_key(private).map_err(tls_error)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing_key)))
}
