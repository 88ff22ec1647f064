// SPDX-License-Identifier: Apache-2.0
//! What the server needs to know of a `.mender` file: its name, whom it is for, what it provides and depends on.
//!
//! It is no validator: hashes and signatures are the device's business, and tests upload artifacts that are broken on purpose.
//!
//! Source: Mender artifact format, version 3.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// What is known of an artifact besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactInfo {
    /// The artifact's name, by which deployments ask for it.
    pub name: String,
    /// Device types it may be installed on.
    pub device_types: Vec<String>,
    /// Payload type; empty for an artifact without payload.
    #[serde(default)]
    pub payload_type: String,
    /// What a device provides once it is installed, name and group included.
    #[serde(default)]
    pub provides: BTreeMap<String, String>,
    /// What a device must provide before, besides its type.
    #[serde(default)]
    pub depends: BTreeMap<String, Vec<String>>,
    /// Whether it carries a signature (which is not checked here).
    #[serde(default)]
    pub signed: bool,
}

/// Most bytes of `header.tar` when unpacked: a header is a few KiB.
const HEADER_LIMIT: u64 = 1 << 20;

/// Reads the header of an artifact that is uncompressed or compressed with gzip.
///
/// # Errors
/// [`Error::Artifact`] for anything else; such a file can still be uploaded with its [`ArtifactInfo`] given by hand.
pub fn read(bytes: &[u8]) -> Result<ArtifactInfo, Error> {
    let mut signed = false;
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(bad)? {
        let mut entry = entry.map_err(bad)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match name.as_str() {
            "version" => check_version(&small(&mut entry)?)?,
            "manifest" => {}
            "manifest.sig" => signed = true,
            "header.tar" => return read_header(&small(&mut entry)?, signed),
            "header.tar.gz" => {
                return read_header(&small(&mut flate2::read::MultiGzDecoder::new(entry))?, signed);
            }
            "header.tar.xz" | "header.tar.zst" => {
                return Err(Error::Artifact(format!(
                    "{name}: this compression is not read here, give name and device type"
                )));
            }
            _ => return Err(Error::Artifact(format!("unexpected member {name:?} before the header"))),
        }
    }
    Err(Error::Artifact("no header.tar".to_owned()))
}

fn bad(error: std::io::Error) -> Error {
    Error::Artifact(error.to_string())
}

fn small(input: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = input.take(HEADER_LIMIT + 1).read_to_end(&mut bytes).map_err(bad)?;
    match u64::try_from(read) {
        Ok(read) if read <= HEADER_LIMIT => Ok(bytes),
        _ => Err(Error::Artifact("header too large".to_owned())),
    }
}

fn parse(what: &str, bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Artifact(format!("{what}: {error}")))
}

fn check_version(bytes: &[u8]) -> Result<(), Error> {
    let version = parse("version", bytes)?;
    if version["format"] == "mender" && version["version"] == 3 {
        return Ok(());
    }
    Err(Error::Artifact(format!("unsupported format {version}")))
}

fn read_header(bytes: &[u8], signed: bool) -> Result<ArtifactInfo, Error> {
    let mut info = ArtifactInfo { signed, ..ArtifactInfo::default() };
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(bad)? {
        let mut entry = entry.map_err(bad)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match name.as_str() {
            "header-info" => {
                let header = parse(&name, &small(&mut entry)?)?;
                info.payload_type = header["payloads"][0]["type"].as_str().unwrap_or_default().to_owned();
                add(&mut info, &header);
            }
            "headers/0000/type-info" => add(&mut info, &parse(&name, &small(&mut entry)?)?),
            _ => {}
        }
    }
    info.name = info.provides.get("artifact_name").cloned().unwrap_or_default();
    info.device_types = info.depends.remove("device_type").unwrap_or_default();
    if info.name.is_empty() || info.device_types.is_empty() {
        return Err(Error::Artifact("no artifact name or device type in header-info".to_owned()));
    }
    Ok(info)
}

/// Adds the provides and depends of one of the header's two JSON files.
fn add(info: &mut ArtifactInfo, json: &Value) {
    for (key, value) in json["artifact_provides"].as_object().into_iter().flatten() {
        if let Some(text) = value.as_str() {
            info.provides.insert(key.clone(), text.to_owned());
        }
    }
    for (key, value) in json["artifact_depends"].as_object().into_iter().flatten() {
        let values = match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(text) => vec![text.clone()],
            _ => continue,
        };
        info.depends.insert(key.clone(), values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = include_bytes!("../tests/fixtures/provides-depends.mender");
    const GZIP_SIGNED: &[u8] = include_bytes!("../tests/fixtures/gzip-signed.mender");
    const ZSTD: &[u8] = include_bytes!("../tests/fixtures/zstd.mender");
    const EMPTY: &[u8] = include_bytes!("../tests/fixtures/bootstrap.mender");

    #[test]
    fn name_types_provides_and_depends_are_read() {
        let info = read(PLAIN).unwrap();
        assert_eq!(info.name, "provdep-1.0");
        assert_eq!(info.device_types, ["nucleo_l4a6zg"]);
        assert_eq!(info.payload_type, "zephyr-image");
        assert_eq!(info.provides["zephyr.board"], "nucleo");
        assert_eq!(info.provides["artifact_group"], "grpA");
        assert_eq!(info.depends["artifact_name"], ["none-1.0", "gzip-1.0"]);
        assert_eq!(info.depends["foo"], ["bar"]);
        assert!(!info.signed);
    }

    #[test]
    fn gzip_headers_and_artifacts_without_payload_are_read_and_signatures_seen() {
        let info = read(GZIP_SIGNED).unwrap();
        assert_eq!((info.name.as_str(), info.signed), ("multigz-1.0", true));
        let info = read(EMPTY).unwrap();
        assert_eq!((info.name.as_str(), info.payload_type.as_str()), ("bootstrap-1.0", ""));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_reason() {
        let reason = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert!(reason(ZSTD).contains("give name and device type"), "{}", reason(ZSTD));
        assert!(reason(b"").contains("no header.tar"));
        assert!(reason(&PLAIN[..3000]).starts_with("artifact: "));
        assert!(reason(&[b'x'; 2048]).starts_with("artifact: "));
    }
}
