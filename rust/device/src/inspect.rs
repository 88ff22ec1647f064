// SPDX-License-Identifier: Apache-2.0
//! `inspect`: an artifact as the firmware's own reader sees it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};

use mender_artifact::{Piece, Reader, Unsigned};
use mender_base::Error;
use mender_base::sha256::{Hasher, Sha256, Soft};
use mender_sim::keys::PublicKey;
use mender_testkit::image::{self, ImageError};

use crate::boot::read_keys;
use crate::settings::Inspect;

const ZEPHYR_IMAGE: &str = "zephyr-image";
/// Chunks as a device receives them.
const CHUNK: usize = 1024;

/// Prints what the artifact holds; whether the device would accept it.
///
/// # Errors
/// A sentence for a person: a file cannot be read.
pub(crate) fn run(what: &Inspect) -> Result<bool, String> {
    let keys = read_keys(&what.keys)?;
    let name = what.file.display();
    let meta = fs::metadata(&what.file).map_err(|e| format!("{name}: {e}"))?;
    let file = File::open(&what.file).map_err(|e| format!("{name}: {e}"))?;
    println!("{name}, {} bytes", meta.len());
    let mut view = View::new(what, keys);
    let result = read(file, &mut view).map_err(|e| format!("{name}: {e}"))?;
    view.print();
    match result {
        Ok(()) => println!("accepted"),
        Err(error) => {
            println!("refused: {} (error {}, {})", error.text(), error.number(), error.name());
            println!("  {}", error.advice().trim());
        }
    }
    Ok(result.is_ok())
}

/// The outer error is the file's, the inner one the artifact's.
fn read(mut file: impl Read, view: &mut View<'_>) -> std::io::Result<Result<(), Error>> {
    let unsigned = if view.keys.is_empty() { Unsigned::Accept } else { Unsigned::Refuse };
    let mut reader = Reader::<Soft>::new(unsigned);
    let mut chunk = vec![0; CHUNK];
    loop {
        let len = match file.read(&mut chunk) {
            Ok(0) => return Ok(reader.finish()),
            Ok(len) => len,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let fed = feed(&mut reader, &chunk[..len], view);
        if fed.is_err() {
            return Ok(fed);
        }
    }
}

fn feed(reader: &mut Reader<Soft>, mut data: &[u8], view: &mut View<'_>) -> Result<(), Error> {
    while !data.is_empty() {
        let (used, piece) = reader.feed(data)?;
        data = &data[used..];
        match piece {
            None => {}
            Some(Piece::Signature { manifest, signature }) => {
                let good = view.signature(manifest, signature);
                reader.signature(good)?;
            }
            Some(Piece::Payload { data: payload, .. }) => {
                view.payload(payload);
                reader.take(payload)?;
                data = &data[payload.len()..];
            }
            Some(piece) => view.fact(piece)?,
        }
    }
    Ok(())
}

/// What was read so far.
struct View<'w> {
    what: &'w Inspect,
    keys: Vec<PublicKey>,
    lines: Vec<(&'static str, String)>,
    payload_type: Option<String>,
    values: Vec<String>,
    meta_data: Vec<u8>,
    file: Option<(String, u32)>,
    hash: Soft,
    /// The payload file, when it is an image.
    image: Vec<u8>,
    trusted: bool,
}

impl<'w> View<'w> {
    fn new(what: &'w Inspect, keys: Vec<PublicKey>) -> Self {
        Self {
            what,
            keys,
            lines: Vec::new(),
            payload_type: None,
            values: Vec::new(),
            meta_data: Vec::new(),
            file: None,
            hash: Soft::new(),
            image: Vec::new(),
            trusted: false,
        }
    }

    fn line(&mut self, label: &'static str, text: impl Into<String>) {
        self.lines.push((label, text.into()));
    }

    fn signature(&mut self, manifest: &Sha256, signature: &[u8]) -> bool {
        if self.keys.is_empty() {
            self.line("signature", format!("{} bytes, not checked: no key given", signature.len()));
            return true;
        }
        let by = self.keys.iter().position(|key| key.verify_encoded(manifest, signature));
        let text = match by.and_then(|index| self.what.keys.get(index)) {
            Some(file) => format!("good, by {}", file.display()),
            None => "by none of the keys given".to_owned(),
        };
        self.line("signature", text);
        by.is_some()
    }

    fn payload(&mut self, data: &[u8]) {
        self.hash.update(data);
        if self.payload_type.as_deref() == Some(ZEPHYR_IMAGE) {
            self.image.extend_from_slice(data);
        }
    }

    fn fact(&mut self, piece: Piece<'_, '_>) -> Result<(), Error> {
        match piece {
            Piece::Unsigned => self.line("signature", "none"),
            Piece::ArtifactName(name) => self.line("artifact name", name),
            Piece::ArtifactGroup(group) => self.line("artifact group", group),
            Piece::PayloadType(payload_type) => {
                self.line("payload type", payload_type.unwrap_or("none (only provides)"));
                self.payload_type = payload_type.map(str::to_owned);
            }
            Piece::Depends { value, .. } => self.values.push(value.to_owned()),
            Piece::DependsEnd { key } => return self.depends(key),
            Piece::Provides { key, value } => self.line("provides", format!("{key}: {value}")),
            Piece::Clears(pattern) => self.line("clears", pattern),
            Piece::TypeInfoEnd { clears, .. } => {
                if !clears {
                    self.line("clears", "everything (no clears_artifact_provides)");
                }
            }
            Piece::MetaData(data) => self.meta_data.extend_from_slice(data),
            Piece::MetaDataEnd => {
                let text = String::from_utf8_lossy(&self.meta_data);
                let text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
                self.line("meta-data", text);
            }
            Piece::HeaderEnd => self.trusted = true,
            Piece::FileStart { name, size, .. } => {
                self.file = Some((name.to_owned(), size));
                self.hash = Soft::new();
                self.image.clear();
            }
            Piece::FileEnd { .. } => return self.file_end(),
            // The caller deals with the first two; nothing is left to do at the end.
            Piece::Signature { .. } | Piece::Payload { .. } | Piece::End => {}
        }
        Ok(())
    }

    fn depends(&mut self, key: &str) -> Result<(), Error> {
        let values = std::mem::take(&mut self.values);
        if key != "device_type" {
            self.line("depends", format!("{key}: {}", values.join(" or ")));
            return Ok(());
        }
        let ours = self.what.device_type.as_ref().is_none_or(|wanted| values.contains(wanted));
        self.line("device types", values.join(", "));
        if ours { Ok(()) } else { Err(Error::DeviceType) }
    }

    fn file_end(&mut self) -> Result<(), Error> {
        let hash: String = self.hash.clone().finish().iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some((name, size)) = self.file.take() {
            self.line("file", format!("{name}, {size} bytes, SHA-256 {hash}"));
        }
        if self.payload_type.as_deref() != Some(ZEPHYR_IMAGE) {
            return Ok(());
        }
        match image::check(&self.image) {
            Ok(info) => {
                let behaviour =
                    info.behaviour.map_or(String::new(), |how| format!(", simulated: {}", how.word()));
                self.line("", format!("MCUboot image, version {}{behaviour}", info.version));
                Ok(())
            }
            Err(ImageError::NotAnImage) => Err(Error::ImageMagic),
            Err(ImageError::Truncated) => Err(Error::ImageSize),
            Err(ImageError::NoHash) => Err(Error::ImageHash),
            // Only MCUboot notices that, after the restart.
            Err(ImageError::HashMismatch) => Err(Error::Refused),
        }
    }

    fn print(&self) {
        if !self.trusted && !self.lines.is_empty() {
            println!("  read before the header was verified:");
        }
        for (label, text) in &self.lines {
            println!("  {label:<15} {text}");
        }
    }
}
