// SPDX-License-Identifier: Apache-2.0
//! Drives the reader the way the client's loop does, and writes down what it says.
#![allow(dead_code, reason = "each test binary uses its part")]

use mender_artifact::{Piece, Reader, Unsigned};
use mender_base::Error;
use mender_base::sha256::Soft;
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
        let mut reading =
            Reading { facts: Vec::new(), files: Vec::new(), meta_data: Vec::new(), result: Ok(()) };
        let mut reader = Reader::<Soft>::new(self.unsigned);
        reading.result = self.feed(&mut reader, artifact, &mut reading);
        if let Err(error) = reading.result {
            assert_eq!(reader.feed(b"x").unwrap_err(), error, "an error stays");
            assert_eq!(reader.finish(), Err(error));
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
                        let good = (self.verify)(&manifest, signature);
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
                return reader.finish();
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
        Piece::FileStart { index, name, size } => {
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

/// Reads in chunks of `chunk` bytes, with a sink that takes all, no key configured.
pub(crate) fn read_in(artifact: &[u8], chunk: usize) -> Reading {
    Driver {
        unsigned: Unsigned::Accept,
        verify: &|_, _| true,
        chunk: &mut || chunk,
        appetite: &mut |offered| offered,
    }
    .read(artifact)
}

/// Reads with chunks of 1, 7, 512 and all bytes, which must not make a difference.
pub(crate) fn read(artifact: &[u8]) -> Reading {
    let whole = read_in(artifact, artifact.len().max(1));
    for chunk in [1, 7, 512] {
        let reading = read_in(artifact, chunk);
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

/// The content of the first tar entry of that name.
pub(crate) fn entry<'a>(archive: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = archive;
    while rest.len() >= 512 && rest[0] != 0 {
        let size = std::str::from_utf8(&rest[124..135]).ok()?;
        let size = usize::from_str_radix(size, 8).ok()?;
        if rest[..100].split(|b| *b == 0).next()? == name.as_bytes() {
            return rest.get(512..512 + size);
        }
        rest = rest.get(512 + size.next_multiple_of(512)..)?;
    }
    None
}
