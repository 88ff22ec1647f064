// SPDX-License-Identifier: Apache-2.0
//! Drives the reader the way the client's loop does, and writes down what it says.
#![allow(dead_code, reason = "each test binary uses its part")]

use mender_artifact::{Piece, Reader, Unsigned};
use mender_base::Error;
use mender_base::sha256::Soft;
use mender_testkit::artifact::Artifact;
use mender_testkit::tar::Tar;
use std::path::PathBuf;

/// What came of reading an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// One line for each piece but payload and meta-data.
    pub(crate) facts: Vec<String>,
    /// Names and contents of the payload files.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) meta_data: Vec<u8>,
    pub(crate) result: Result<(), Error>,
}

impl Reading {
    pub(crate) fn new() -> Self {
        Self { facts: Vec::new(), files: Vec::new(), meta_data: Vec::new(), result: Ok(()) }
    }

    /// The first fact that begins with `what`, without it.
    pub(crate) fn fact(&self, what: &str) -> Option<&str> {
        self.facts.iter().find_map(|fact| fact.strip_prefix(what)?.strip_prefix(' '))
    }

    pub(crate) fn has(&self, fact: &str) -> bool {
        self.facts.iter().any(|f| f == fact)
    }
}

/// How an artifact is read.
pub(crate) struct Driver<'a> {
    pub(crate) unsigned: Unsigned,
    /// Whether manifest hash and signature are good.
    pub(crate) verify: &'a dyn Fn(&[u8; 32], &[u8]) -> bool,
    /// Length of the next chunk.
    pub(crate) chunk: &'a mut dyn FnMut() -> usize,
    /// How many of so many bytes the sink takes.
    pub(crate) appetite: &'a mut dyn FnMut(usize) -> usize,
}

impl Driver<'_> {
    pub(crate) fn read(&mut self, artifact: &[u8]) -> Reading {
        let mut reading = Reading::new();
        let mut reader = Reader::<Soft>::new(self.unsigned);
        reading.result = self.feed(&mut reader, artifact, &mut reading);
        match reading.result {
            Ok(()) => reading.result = reader.finish(),
            Err(error) => {
                assert_eq!(reader.feed(b"x").unwrap_err(), error, "an error stays");
                assert_eq!(reader.finish(), Err(error));
            }
        }
        reading
    }

    fn feed(
        &mut self,
        reader: &mut Reader<Soft>,
        artifact: &[u8],
        reading: &mut Reading,
    ) -> Result<(), Error> {
        let (mut start, mut end) = (0, 0);
        loop {
            end = artifact.len().min(end + (self.chunk)().max(1));
            loop {
                let window = &artifact[start..end];
                let (used, piece) = reader.feed(window)?;
                assert!(used <= window.len());
                start += used;
                let Some(piece) = piece else {
                    assert_eq!(start, end, "without a piece all input is used");
                    break;
                };
                match piece {
                    Piece::Signature { manifest, signature } => {
                        let good = (self.verify)(manifest, signature);
                        reading.facts.push(format!("signature {}", signature.len()));
                        reader.signature(good)?;
                    }
                    Piece::Payload { index, offset, data } => {
                        assert_eq!(usize::from(index) + 1, reading.files.len());
                        let (_, content) = reading.files.last_mut().unwrap();
                        assert_eq!(usize::try_from(offset).unwrap(), content.len());
                        assert_eq!(data, &artifact[start..start + data.len()], "payload lies in the input");
                        assert!(!data.is_empty());
                        let taken = (self.appetite)(data.len()).min(data.len());
                        content.extend_from_slice(&data[..taken]);
                        reader.take(&data[..taken])?;
                        start += taken;
                        if taken == 0 && end < artifact.len() {
                            break;
                        }
                    }
                    Piece::MetaData(data) => reading.meta_data.extend_from_slice(data),
                    other => note(reading, other),
                }
            }
            if end == artifact.len() && start == end {
                return Ok(());
            }
        }
    }
}

fn note(reading: &mut Reading, piece: Piece<'_, '_>) {
    reading.facts.push(match piece {
        Piece::Unsigned => "unsigned".into(),
        Piece::ArtifactName(name) => format!("name {name}"),
        Piece::ArtifactGroup(group) => format!("group {group}"),
        Piece::PayloadType(kind) => format!("payload {}", kind.unwrap_or("null")),
        Piece::Depends { key, value } => format!("depends {key}={value}"),
        Piece::DependsEnd { key } => format!("depends-end {key}"),
        Piece::Provides { key, value } => format!("provides {key}={value}"),
        Piece::Clears(pattern) => format!("clears {pattern}"),
        Piece::TypeInfoEnd { provides, clears } => format!("type-info {provides} {clears}"),
        Piece::MetaDataEnd => "meta-data-end".into(),
        Piece::HeaderEnd => "header-end".into(),
        Piece::FileStart { index, name, size, .. } => {
            assert_eq!(usize::from(index), reading.files.len());
            reading.files.push((name.into(), Vec::new()));
            format!("file {name} {size}")
        }
        Piece::FileEnd { index } => {
            assert_eq!(usize::from(index) + 1, reading.files.len());
            "file-end".into()
        }
        Piece::End => "end".into(),
        Piece::Signature { .. } | Piece::Payload { .. } | Piece::MetaData(_) => unreachable!(),
    });
}

/// Reads in chunks of `chunk` bytes, with a sink that takes all; every signature is good.
pub(crate) fn read_with(artifact: &[u8], unsigned: Unsigned, chunk: usize) -> Reading {
    Driver { unsigned, verify: &|_, _| true, chunk: &mut || chunk, appetite: &mut |offered| offered }
        .read(artifact)
}

/// Reads as a client without keys does.
pub(crate) fn read_in(artifact: &[u8], chunk: usize) -> Reading {
    read_with(artifact, Unsigned::Accept, chunk)
}

/// Reads as a client with keys does.
pub(crate) fn read_signed(artifact: &[u8], verify: &dyn Fn(&[u8; 32], &[u8]) -> bool) -> Reading {
    let unsigned = Unsigned::Refuse;
    Driver { unsigned, verify, chunk: &mut || 512, appetite: &mut |offered| offered }.read(artifact)
}

/// Reads with chunks of 1, 7, 512 and all bytes, which must not make a difference.
pub(crate) fn read(artifact: &[u8]) -> Reading {
    let whole = read_in(artifact, artifact.len().max(1));
    // Byte by byte takes long where there is much payload.
    let smallest = if artifact.len() > 200_000 { 3 } else { 1 };
    for chunk in [smallest, 7, 512] {
        let mut reading = read_in(artifact, chunk);
        if whole.result.is_err() {
            // How much came before the error is found may differ: these are in the middle of a text.
            reading.meta_data.clone_from(&whole.meta_data);
        }
        assert!(reading == whole, "chunks of {chunk}: {:?} instead of {:?}", reading.result, whole.result);
    }
    whole
}

/// Folder of samples by the official tool: the project's own, and all of them where they are at hand.
pub(crate) fn sample_folders() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = root.join("tests/conformance/fixtures");
    assert!(own.is_dir(), "the project's own samples are there");
    [own, root.join("../shared/artifacts")].into_iter().filter(|folder| folder.is_dir()).collect()
}

/// The content of a sample or key.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    let path = sample_folders().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    std::fs::read(path.unwrap_or_else(|| panic!("no sample {name}"))).unwrap()
}

/// Where header and content of an outer member lie, padding included.
fn member(artifact: &[u8], name: &str) -> std::ops::Range<usize> {
    let mut start = 0;
    loop {
        let header = &artifact[start..start + 512];
        let size = std::str::from_utf8(&header[124..135]).unwrap();
        let end = start + 512 + usize::from_str_radix(size, 8).unwrap().next_multiple_of(512);
        if header.split(|byte| *byte == 0).next() == Some(name.as_bytes()) {
            return start..end;
        }
        start = end;
    }
}

/// The bytes of the manifest.
pub(crate) fn manifest_of(artifact: &[u8]) -> &[u8] {
    let content = &artifact[member(artifact, "manifest")][512..];
    content.split(|byte| *byte == 0).next().unwrap()
}

/// The artifact with this text of `manifest.sig`.
pub(crate) fn replace_signature(artifact: &[u8], text: &[u8]) -> Vec<u8> {
    let mut tar = Tar::new();
    tar.push_stream("manifest.sig", text);
    let signature = tar.to_bytes();
    let mut replaced = artifact.to_vec();
    replaced.splice(member(artifact, "manifest.sig"), signature[..signature.len() - 1024].iter().copied());
    replaced
}

/// The artifact without its signature.
pub(crate) fn cut_signature(artifact: &[u8]) -> Vec<u8> {
    let mut cut = artifact.to_vec();
    cut.drain(member(artifact, "manifest.sig"));
    cut
}

/// An ordinary artifact to spoil: one file of 1000 bytes.
pub(crate) fn ordinary() -> Artifact {
    Artifact::new("release-2", "board").file("app.bin", content(1000))
}

/// `len` bytes that are not all the same.
pub(crate) fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

/// Why the artifact is refused, whatever the chunks.
pub(crate) fn refused(artifact: &[u8]) -> Error {
    let reading = read(artifact);
    assert!(!reading.has("end") || reading.result == Err(Error::TarEnd), "{:?}", reading.facts);
    reading.result.expect_err("the artifact is refused")
}

/// What an artifact says that is not refused.
pub(crate) fn accepted(artifact: &[u8]) -> Reading {
    let reading = read(artifact);
    assert_eq!(reading.result, Ok(()));
    reading
}

/// Why it is refused after this change of its outer archive.
pub(crate) fn refused_outer(edit: impl FnOnce(&mut Tar)) -> Error {
    refused(&ordinary().raw().edit_outer(edit).bytes())
}

/// Why it is refused after this change of its header archive, hashes made right.
pub(crate) fn refused_header(edit: impl FnOnce(&mut Tar)) -> Error {
    refused(&ordinary().raw().edit_header(edit).bytes())
}

/// Why it is refused after this change of its payload archive, hashes made right.
pub(crate) fn refused_data(edit: impl FnOnce(&mut Tar)) -> Error {
    refused(&ordinary().raw().edit_data(edit).bytes())
}

/// Why it is refused with another name in its manifest.
pub(crate) fn refused_manifest_name(old: &str, new: &str) -> Error {
    let edit = |text: &mut Vec<u8>| *text = String::from_utf8(text.clone()).unwrap().replace(old, new).into();
    refused(&ordinary().raw().edit_manifest(edit).bytes())
}

/// Numbers that only look random (xorshift).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next one, below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound.max(1)
    }
}
