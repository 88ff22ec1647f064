// SPDX-License-Identifier: Apache-2.0
//! The outer archive: which member may come now, and what is checked when it ends (artifact format v3; §7.1, §7.13).

use crate::header::{Document, Header};
use crate::manifest::Manifest;
use crate::member::Member;
use crate::payload::Payload;
use crate::piece::{Note, Piece};
use crate::scratch::Scratch;
use crate::signature::Signature;
use crate::tar::{self, Kind, Level, Step};
use mender_base::sha256::{Hasher, Sha256};
use mender_base::{Error, limits};

/// What to do with an artifact that is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// Read it: no verification key is configured.
    Accept,
    /// Refuse it before its header is looked at: a verification key is configured.
    Refuse,
}

/// How far the outer archive was read: the member that was begun last, or the verdict after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    Version,
    Manifest,
    Signature,
    /// The signature was handed out; nothing is read before the answer.
    Verdict,
    Trusted,
    Header,
    Data,
    End,
    Failed(Error),
}

/// Last entry of `header.tar` that was begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeaderEntry {
    None,
    HeaderInfo,
    TypeInfo,
    MetaData,
}

/// The reader of one artifact. See the [crate] for how to drive it.
pub struct Reader<H: Hasher> {
    stage: Stage,
    unsigned: Unsigned,
    outer: Level,
    inner: Level,
    tar: tar::Header,
    /// Of the member or payload file that is being read.
    hash: H,
    /// Of the last whole member before the header: `version`, then the manifest.
    digest: Sha256,
    manifest: Manifest,
    signature: Signature,
    header: Header,
    header_entry: HeaderEntry,
    /// The current entry of `header.tar` is a JSON text.
    in_text: bool,
    payload: Payload,
    scratch: Scratch,
}

impl<H: Hasher> Reader<H> {
    /// Ready for the first byte of an artifact.
    #[must_use]
    pub fn new(unsigned: Unsigned) -> Self {
        Self {
            stage: Stage::Start,
            unsigned,
            outer: Level::new(),
            inner: Level::new(),
            tar: tar::Header::new(),
            hash: H::new(),
            digest: [0; 32],
            manifest: Manifest::new(),
            signature: Signature::new(),
            header: Header::new(),
            header_entry: HeaderEntry::None,
            in_text: false,
            payload: Payload::new(),
            scratch: Scratch::new(),
        }
    }

    /// Reads on, at most to the next piece.
    ///
    /// Returns how many bytes of `input` were used, and the piece. Without a piece all of `input` was used. Payload data is
    /// not counted as used: it is the start of what is left, and stays there until [`Reader::take`].
    /// Each call uses at least one byte or yields a piece, unless `input` is empty.
    ///
    /// # Errors
    /// Any of the artifact's (12xx) or of its JSON texts (11xx): the artifact is to be refused, and every later call says so again.
    /// [`Error::Internal`] when the answer to [`Piece::Signature`] is due.
    pub fn feed<'s, 'i>(&'s mut self, input: &'i [u8]) -> Result<(usize, Option<Piece<'s, 'i>>), Error> {
        if let Stage::Failed(error) = self.stage {
            return Err(error);
        }
        let mut used: usize = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let (now, note) = match self.step(rest) {
                Ok(step) => step,
                Err(error) => {
                    self.stage = Stage::Failed(error);
                    return Err(error);
                }
            };
            used = used.saturating_add(now);
            if let Some(note) = note {
                let (before, coming) = input.split_at_checked(used).unwrap_or((input, &[]));
                return Ok((used, Some(note.piece(&self.scratch, &self.digest, before, coming))));
            }
            if rest.is_empty() {
                return Ok((used, None));
            }
        }
    }

    /// Says that the sink took these bytes: the first ones of [`Piece::Payload`], or, right after [`Piece::FileStart`],
    /// the start of the file as it was read back from where an earlier download left it. They are hashed where they lie.
    ///
    /// # Errors
    /// [`Error::Internal`] when no payload file is being read, or when it has fewer bytes left.
    pub fn take(&mut self, taken: &[u8]) -> Result<(), Error> {
        let in_file = self.stage == Stage::Data && self.inner.is_in_entry();
        if !in_file {
            return Err(Error::Internal);
        }
        self.inner.consume(taken.len())?;
        self.outer.consume(taken.len())?;
        self.payload.take(taken.len())?;
        self.hash.update(taken);
        Ok(())
    }

    /// Answers [`Piece::Signature`]: whether one of the configured keys made it. Where none is configured the answer is `true`.
    ///
    /// # Errors
    /// [`Error::SignatureWrong`] for `false`; [`Error::Internal`] when nobody asked.
    pub fn signature(&mut self, good: bool) -> Result<(), Error> {
        let (stage, result) = match (self.stage, good) {
            (Stage::Verdict, true) => (Stage::Trusted, Ok(())),
            (Stage::Verdict, false) => (Stage::Failed(Error::SignatureWrong), Err(Error::SignatureWrong)),
            (stage, _) => (stage, Err(Error::Internal)),
        };
        self.stage = stage;
        result
    }

    /// Says that the input has ended.
    ///
    /// # Errors
    /// [`Error::ArtifactTruncated`] before [`Piece::End`]; the first error if there was one.
    pub fn finish(&self) -> Result<(), Error> {
        match self.stage {
            Stage::End => Ok(()),
            Stage::Failed(error) => Err(error),
            Stage::Start
            | Stage::Version
            | Stage::Manifest
            | Stage::Signature
            | Stage::Verdict
            | Stage::Trusted
            | Stage::Header
            | Stage::Data => Err(Error::ArtifactTruncated),
        }
    }

    fn step(&mut self, input: &[u8]) -> Result<(usize, Option<Note>), Error> {
        if self.stage == Stage::Verdict {
            return Err(Error::Internal);
        }
        let (used, step) = self.outer.step(&mut self.tar, self.scratch.all(), input)?;
        let note = match step {
            Step::More => None,
            Step::Entry(kind) => self.member_start(kind)?,
            Step::Data(len) => return self.content(input.get(..len).unwrap_or_default()),
            Step::EntryEnd => self.member_end()?,
            Step::End => Some(self.end()?),
        };
        Ok((used, note))
    }

    fn member_start(&mut self, kind: Kind) -> Result<Option<Note>, Error> {
        if kind != Kind::File {
            return Err(Error::TarType);
        }
        let name = self.scratch.text().get(..self.tar.name_len()).unwrap_or_default();
        let member = Member::named(name)?;
        let (stage, limit) = match (self.stage, member) {
            (Stage::Start, Member::Version) => (Stage::Version, limits::VERSION_MAX),
            (Stage::Version, Member::Manifest) => (Stage::Manifest, limits::MANIFEST_MAX),
            (Stage::Manifest, Member::Signature) => (Stage::Signature, limits::SIGNATURE_MAX),
            (Stage::Manifest, Member::Header) if self.unsigned == Unsigned::Refuse => {
                return Err(Error::SignatureMissing);
            }
            (Stage::Manifest | Stage::Trusted, Member::Header) => (Stage::Header, limits::HEADER_TAR_MAX),
            (Stage::Header, Member::Data) => (Stage::Data, u32::MAX),
            _ => return Err(Error::MemberOrder),
        };
        if self.outer.left() > limit {
            return Err(Error::MemberSize);
        }
        let note = (self.stage == Stage::Manifest && stage == Stage::Header).then_some(Note::Unsigned);
        self.stage = stage;
        self.inner = Level::new();
        self.tar.restart();
        self.hash = H::new();
        Ok(note)
    }

    /// Takes bytes of the current member.
    fn content(&mut self, data: &[u8]) -> Result<(usize, Option<Note>), Error> {
        let mut note = None;
        let used = match self.stage {
            Stage::Version => self.header.feed(data, &mut self.scratch.areas()?)?.0,
            Stage::Manifest => {
                self.manifest.feed::<H>(data, self.scratch.all(), &self.digest)?;
                data.len()
            }
            Stage::Signature => {
                self.signature.feed(data, self.scratch.all())?;
                data.len()
            }
            // An inflater would stand here, between the member and the archive in it.
            Stage::Header | Stage::Data => {
                let (used, found) = self.archive(data)?;
                note = found;
                used
            }
            Stage::Start | Stage::Verdict | Stage::Trusted | Stage::End | Stage::Failed(_) => {
                return Err(Error::Internal);
            }
        };
        if self.stage != Stage::Data {
            self.hash.update(data.get(..used).unwrap_or_default());
        }
        self.outer.consume(used)?;
        Ok((used, note))
    }

    /// Takes bytes of the archive in the header or data member.
    fn archive(&mut self, data: &[u8]) -> Result<(usize, Option<Note>), Error> {
        let (used, step) = {
            let text = self.scratch.areas()?.text;
            self.inner.step(&mut self.tar, text, data)?
        };
        let in_header = self.stage == Stage::Header;
        let note = match step {
            Step::More => None,
            Step::Entry(kind) => {
                let before = u32::try_from(used).unwrap_or(u32::MAX);
                if !self.inner.fits(self.outer.left().saturating_sub(before)) {
                    return Err(Error::TarSize);
                }
                if in_header { self.header_entry_start(kind)? } else { Some(self.file_start(kind)?) }
            }
            Step::Data(len) if in_header => {
                return self.header_text(data.get(..len).unwrap_or_default());
            }
            Step::Data(len) => Some(self.payload.offer(len)),
            Step::EntryEnd if in_header => self.header_entry_end()?,
            Step::EntryEnd => Some(self.payload.end(&self.manifest, &self.hash.clone().finish())?),
            Step::End => None,
        };
        Ok((used, note))
    }

    fn header_entry_start(&mut self, kind: Kind) -> Result<Option<Note>, Error> {
        self.in_text = kind == Kind::File;
        if !self.in_text {
            // Go's reader skips directories here.
            return Ok(None);
        }
        let name = self.scratch.text().get(..self.tar.name_len()).unwrap_or_default();
        let (entry, document) = match (name, self.header_entry) {
            (b"header-info", HeaderEntry::None) => (HeaderEntry::HeaderInfo, Document::HeaderInfo),
            (b"headers/0000/type-info", HeaderEntry::HeaderInfo) => {
                (HeaderEntry::TypeInfo, Document::TypeInfo)
            }
            (b"headers/0000/meta-data", HeaderEntry::TypeInfo) => (HeaderEntry::MetaData, Document::MetaData),
            (b"header-info" | b"headers/0000/type-info" | b"headers/0000/meta-data", _) => {
                return Err(Error::MemberOrder);
            }
            _ if name.starts_with(b"scripts/") => return Err(Error::StateScripts),
            _ => return Err(Error::MemberUnknown),
        };
        let size = self.inner.left();
        if size > limits::HEADER_JSON_MAX {
            return Err(Error::MemberSize);
        }
        if entry == HeaderEntry::MetaData {
            // The tool writes an empty one where there is none.
            self.in_text = size > 0;
            if self.in_text && self.header.is_empty_payload() {
                return Err(Error::EmptyPayload);
            }
        }
        self.header_entry = entry;
        self.header.begin(document);
        Ok(None)
    }

    fn header_text(&mut self, text: &[u8]) -> Result<(usize, Option<Note>), Error> {
        let areas = &mut self.scratch.areas()?;
        if self.header_entry != HeaderEntry::MetaData {
            let (used, note) = self.header.feed(text, areas)?;
            self.inner.consume(used)?;
            return Ok((used, note));
        }
        let mut used: usize = 0;
        while used < text.len() {
            let (now, _) = self.header.feed(text.get(used..).unwrap_or_default(), areas)?;
            used = used.saturating_add(now);
        }
        self.inner.consume(used)?;
        Ok((used, Some(Note::MetaData { len: used })))
    }

    fn header_entry_end(&mut self) -> Result<Option<Note>, Error> {
        if !self.in_text {
            return Ok(None);
        }
        self.header.end()?;
        Ok((self.header_entry == HeaderEntry::MetaData).then_some(Note::MetaDataEnd))
    }

    fn file_start(&mut self, kind: Kind) -> Result<Note, Error> {
        if kind != Kind::File {
            return Err(Error::TarType);
        }
        if self.header.is_empty_payload() {
            return Err(Error::EmptyPayload);
        }
        let name = self.scratch.text().get(..self.tar.name_len()).unwrap_or_default();
        self.hash = H::new();
        self.payload.begin::<H>(&mut self.manifest, name, self.inner.left())
    }

    /// The member has ended: what it was for is checked before anything else is read.
    fn member_end(&mut self) -> Result<Option<Note>, Error> {
        let hash = self.hash.clone().finish();
        match self.stage {
            Stage::Version => {
                self.header.end()?;
                self.digest = hash;
                Ok(None)
            }
            Stage::Manifest => {
                self.manifest.end()?;
                self.digest = hash;
                Ok(None)
            }
            Stage::Signature => {
                let len = self.signature.end()?;
                self.stage = Stage::Verdict;
                Ok(Some(Note::Signature { len }))
            }
            Stage::Header | Stage::Data if !self.inner.has_ended() => Err(Error::ArtifactTruncated),
            Stage::Header => match self.header_entry {
                HeaderEntry::None | HeaderEntry::HeaderInfo => Err(Error::MemberOrder),
                HeaderEntry::TypeInfo | HeaderEntry::MetaData if self.manifest.is_header(&hash) => {
                    Ok(Some(Note::HeaderEnd))
                }
                HeaderEntry::TypeInfo | HeaderEntry::MetaData => Err(Error::HeaderHash),
            },
            Stage::Data => Ok(None),
            Stage::Start | Stage::Verdict | Stage::Trusted | Stage::End | Stage::Failed(_) => {
                Err(Error::Internal)
            }
        }
    }

    /// The end marker of the artifact.
    fn end(&mut self) -> Result<Note, Error> {
        if self.stage != Stage::Data {
            return Err(Error::MemberOrder);
        }
        if !self.manifest.is_complete() {
            return Err(Error::FileMissing);
        }
        self.stage = Stage::End;
        Ok(Note::End)
    }
}
