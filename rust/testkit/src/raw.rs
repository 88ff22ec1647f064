// SPDX-License-Identifier: Apache-2.0
//! An artifact taken apart: change any piece, have the rest made right again or left wrong.
//!
//! Edits nest like the artifact does. [`Raw::edit_version`], [`Raw::edit_header`] and [`Raw::edit_data`]
//! change what is inside and then *seal*: `header.tar` and `data/0000.tar` are packed again, and manifest and
//! signature are made again, so that a hostile header still carries right hashes; so does
//! [`Raw::edit_packed_header`]. [`Raw::edit_manifest`] changes the manifest and signs it again.
//! [`Raw::edit_outer`] changes the finished members and repairs nothing. So go from the inside out: a later
//! seal undoes an earlier outer edit.
//!
//! ```
//! use mender_testkit::artifact::Artifact;
//! let artifact = Artifact::new("release-2", "board").file("app.bin", [7; 100]);
//! let list = artifact.raw().edit_header(|tar| tar.member("header-info").data = b"[]".to_vec());
//! let checksum = artifact.raw().edit_outer(|tar| tar.member("version").checksum = Some(*b"000000\0 "));
//! assert_ne!(list.bytes(), checksum.bytes());
//! ```

use std::io::Write;

use flate2::Compression as Level;
use flate2::write::GzEncoder;

use crate::key::{Key, hex, sha256};
use crate::tar::{Member, Meta, Tar};

/// How `header.tar` and `data/0000.tar` are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// One gzip member each, names with `.gz`.
    Gzip,
}

impl Compression {
    /// What the member names end in.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
        }
    }

    /// What it is called on the tool's command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
        }
    }

    fn pack(self, plain: Vec<u8>) -> Vec<u8> {
        match self {
            Self::None => plain,
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Level::default());
                encoder.write_all(&plain).expect("a vector takes all bytes");
                encoder.finish().expect("a vector takes all bytes")
            }
        }
    }
}

/// The parts of an artifact; see the module's text.
#[derive(Clone, Debug)]
pub struct Raw {
    version: Vec<u8>,
    header: Tar,
    data: Tar,
    outer: Tar,
    store: Meta,
    key: Option<Key>,
    compression: Compression,
}

impl Raw {
    /// Seals these parts. `store` is the metadata of the `header.tar` and `data/0000.tar` members.
    pub(crate) fn new(
        header: Tar,
        data: Tar,
        store: Meta,
        key: Option<Key>,
        compression: Compression,
    ) -> Self {
        let version = br#"{"format":"mender","version":3}"#.to_vec();
        Self { version, header, data, outer: Tar::new(), store, key, compression }.sealed()
    }

    /// Changes the text of `version`, then seals.
    #[must_use]
    pub fn edit_version(mut self, edit: impl FnOnce(&mut Vec<u8>)) -> Self {
        edit(&mut self.version);
        self.sealed()
    }

    /// Changes the members of `header.tar`, then seals.
    #[must_use]
    pub fn edit_header(mut self, edit: impl FnOnce(&mut Tar)) -> Self {
        edit(&mut self.header);
        self.sealed()
    }

    /// Changes the members of `data/0000.tar`, then seals: every regular file in it is listed in the
    /// manifest.
    #[must_use]
    pub fn edit_data(mut self, edit: impl FnOnce(&mut Tar)) -> Self {
        edit(&mut self.data);
        self.sealed()
    }

    /// Changes the bytes stored as `header.tar` (compressed where they are) and makes its line of the
    /// manifest and the signature right again: for archives no [`Tar`] can express, such as one that is cut
    /// off.
    #[must_use]
    pub fn edit_packed_header(mut self, edit: impl FnOnce(&mut Vec<u8>)) -> Self {
        let name = self.header_name();
        let packed = &mut self.outer.member(&name).data;
        let old_line = manifest_line(packed, &name);
        edit(packed);
        let new_line = manifest_line(packed, &name);
        self.edit_manifest(|text| {
            *text = String::from_utf8_lossy(text).replace(&old_line, &new_line).into_bytes();
        })
    }

    /// Changes the bytes of `manifest` and signs them again; hashes are not made right.
    #[must_use]
    pub fn edit_manifest(mut self, edit: impl FnOnce(&mut Vec<u8>)) -> Self {
        let manifest = &mut self.outer.member("manifest").data;
        edit(manifest);
        let signature = self.key.as_ref().map(|key| key.sign_manifest(manifest));
        if let Some(signature) = signature {
            self.outer.member("manifest.sig").data = signature;
        }
        self
    }

    /// Changes the outer members and repairs nothing.
    #[must_use]
    pub fn edit_outer(mut self, edit: impl FnOnce(&mut Tar)) -> Self {
        edit(&mut self.outer);
        self
    }

    /// The artifact as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.outer.to_bytes()
    }

    /// The manifest as it stands.
    pub fn manifest(&self) -> &[u8] {
        &self.outer.members[self.outer.position("manifest")].data
    }

    fn header_name(&self) -> String {
        format!("header.tar{}", self.compression.suffix())
    }

    fn sealed(mut self) -> Self {
        let header_name = self.header_name();
        let data_name = format!("data/0000.tar{}", self.compression.suffix());
        let header = self.compression.pack(self.header.to_bytes());
        let mut manifest = String::new();
        for (name, content) in regular_files(&self.data) {
            manifest.push_str(&manifest_line(content, &format!("data/0000/{name}")));
        }
        manifest.push_str(&manifest_line(&header, &header_name));
        manifest.push_str(&manifest_line(&self.version, "version"));

        let mut outer = Tar::new();
        outer.push_stream("version", self.version.clone());
        outer.push_stream("manifest", manifest.clone());
        if let Some(key) = &self.key {
            outer.push_stream("manifest.sig", key.sign_manifest(manifest.as_bytes()));
        }
        outer.push_file(&header_name, &self.store, header);
        outer.push_file(&data_name, &self.store, self.compression.pack(self.data.to_bytes()));
        self.outer = outer;
        self
    }
}

/// A line of the manifest: `<hex SHA-256>`, two spaces, the name, a newline.
pub fn manifest_line(content: &[u8], name: &str) -> String {
    format!("{}  {name}\n", hex(&sha256(content)))
}

/// The files of an archive, with the names a preceding PAX header gives them.
fn regular_files(tar: &Tar) -> Vec<(String, &[u8])> {
    let mut files = Vec::new();
    let mut long_name = None;
    for Member { name, kind, data, .. } in &tar.members {
        match kind {
            b'x' => long_name = pax_path(data),
            b'0' | 0 => {
                let name = long_name.take().unwrap_or_else(|| String::from_utf8_lossy(name).into_owned());
                files.push((name, data.as_slice()));
            }
            _ => {}
        }
    }
    files
}

fn pax_path(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let record = text.lines().find_map(|line| line.split_once(' ')?.1.strip_prefix("path="))?;
    Some(record.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::artifact::Artifact;
    use crate::key::Key;
    use crate::pem::unbase64;
    use crate::raw::{Compression, Raw, manifest_line};

    /// Whether the signature is right for the manifest, and the manifest for these members.
    fn assert_sealed(raw: &Raw, key: &Key, header_name: &str, files: &[(&[u8], &str)]) {
        let content = |name: &str| raw.outer.members[raw.outer.position(name)].data.as_slice();
        let mut manifest = String::new();
        for (file, name) in files {
            manifest.push_str(&manifest_line(file, name));
        }
        manifest.push_str(&manifest_line(content(header_name), header_name));
        manifest.push_str(&manifest_line(content("version"), "version"));
        assert_eq!(String::from_utf8_lossy(raw.manifest()), manifest);
        let signature = unbase64(std::str::from_utf8(content("manifest.sig")).unwrap()).unwrap();
        assert!(key.verify(manifest.as_bytes(), &signature));
    }

    #[test]
    fn edits_inside_leave_manifest_and_signature_right() {
        let key = Key::generate();
        for (compression, header) in [(Compression::None, "header.tar"), (Compression::Gzip, "header.tar.gz")]
        {
            let artifact = Artifact::new("n", "d").file("a", [1]).sign(&key).compression(compression);
            let a: (&[u8], &str) = (&[1], "data/0000/a");
            assert_sealed(&artifact.raw(), &key, header, &[a]);
            let edited = artifact.raw().edit_version(|text| text.clear());
            assert_sealed(&edited, &key, header, &[a]);
            let edited = artifact.raw().edit_header(|tar| tar.members.clear());
            assert_sealed(&edited, &key, header, &[a]);
            let long = "l".repeat(101);
            let edited = artifact.raw().edit_data(|tar| tar.push_file(&long, &crate::tar::Meta::file(), [2]));
            assert_sealed(&edited, &key, header, &[a, (&[2], &format!("data/0000/{long}"))]);
            let edited = artifact.raw().edit_packed_header(|bytes| bytes.truncate(100));
            assert_eq!(edited.outer.members[edited.outer.position(header)].data.len(), 100);
            assert_sealed(&edited, &key, header, &[a]);
        }
    }
}
