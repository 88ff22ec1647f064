// SPDX-License-Identifier: Apache-2.0
//! The outer archive: which member may come now, and what is checked when it ends (artifact format v3; §7.1, §7.13).

use crate::header::{Document, Header};
use crate::manifest::Manifest;
use crate::member::Member;
use crate::payload::Payload;
use crate::piece::{Note, Piece};
use crate::scratch::Scratch;
use crate::signature::Signature;
use crate::tar::{self, Level, Step};
use mender_base::json::text_of;
use mender_base::sha256::{Hasher, Sha256};
use mender_base::{Error, limits};

/// What to do with an artifact that is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// Refuse it before its header is looked at: a verification key is configured.
    Refuse,
    /// Read it: no verification key is configured.
    Accept,
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
    /// [`Reader::error`] says why.
    Failed,
}

/// Which member may come after which, and how long it may be.
struct Row {
    after: Stage,
    member: Member,
    stage: Stage,
    limit: u32,
}

const fn row(after: Stage, member: Member, stage: Stage, limit: u32) -> Row {
    Row { after, member, stage, limit }
}

const ORDER: [Row; 6] = [
    row(Stage::Start, Member::Version, Stage::Version, limits::VERSION_MAX),
    row(Stage::Version, Member::Manifest, Stage::Manifest, limits::MANIFEST_MAX),
    row(Stage::Manifest, Member::Signature, Stage::Signature, limits::SIGNATURE_MAX),
    row(Stage::Manifest, Member::Header, Stage::Header, limits::HEADER_TAR_MAX),
    row(Stage::Trusted, Member::Header, Stage::Header, limits::HEADER_TAR_MAX),
    row(Stage::Header, Member::Data, Stage::Data, u32::MAX),
];

/// The entries of `header.tar` in their order; the last one may be left out.
const HEADER_ENTRIES: [(&[u8], Document); 3] = [
    (b"header-info", Document::HeaderInfo),
    (b"headers/0000/type-info", Document::TypeInfo),
    (b"headers/0000/meta-data", Document::MetaData),
];

/// The reader of one artifact. See the [crate] for how to drive it.
#[repr(C)]
pub struct Reader<H: Hasher> {
    stage: Stage,
    /// The verdict in [`Stage::Failed`].
    error: Option<Error>,
    unsigned: Unsigned,
    /// Entries of `header.tar` that were begun.
    header_entries: u8,
    /// The current entry of `header.tar` is a JSON text.
    in_text: bool,
    /// What was come upon.
    note: Option<Note>,
    outer: Level,
    inner: Level,
    payload: Payload,
    tar: tar::Header,
    signature: Signature,
    header: Header,
    /// Of the member or payload file that is being read.
    hash: H,
    /// Of the last whole member before the header: `version`, then the manifest.
    digest: Sha256,
    manifest: Manifest,
    scratch: Scratch,
}

impl<H: Hasher> Reader<H> {
    /// Ready for the first byte of an artifact.
    #[must_use]
    pub fn new(unsigned: Unsigned) -> Self {
        Self { unsigned, hash: H::new(), ..Self::IDLE }
    }

    /// To be [reset](Self::reset) before use. All zeros, so that memory can be filled with it in one go.
    pub const IDLE: Self = Self {
        stage: Stage::Start,
        error: None,
        unsigned: Unsigned::Refuse,
        outer: Level::new(),
        inner: Level::new(),
        tar: tar::Header::new(),
        hash: H::IDLE,
        digest: [0; 32],
        manifest: Manifest::new(),
        signature: Signature::new(),
        header: Header::new(),
        header_entries: 0,
        in_text: false,
        payload: Payload::new(),
        note: None,
        scratch: Scratch::new(),
    };

    /// Ready for the first byte of another artifact. In place: a new reader would be put together on the stack. What follows in
    /// memory follows here, so that its zeros are written in one go.
    pub fn reset(&mut self, unsigned: Unsigned) {
        self.stage = Stage::Start;
        self.unsigned = unsigned;
        (self.header_entries, self.in_text, self.note) = (0, false, None);
        self.outer = const { Level::new() };
        self.inner = const { Level::new() };
        self.payload = const { Payload::new() };
        self.tar = const { tar::Header::new() };
        self.signature = const { Signature::new() };
        self.header = const { Header::new() };
        self.hash.restart();
        self.manifest.clear();
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
        if self.stage == Stage::Failed {
            return Err(self.verdict());
        }
        // Nearly all of an artifact is payload: this is what the general way below would find, in a tenth of the steps.
        if self.stage == Stage::Data && self.inner.is_in_entry() {
            let data = self.inner.content(input);
            if !data.is_empty() {
                let (index, offset) = (self.payload.index(), self.payload.offset());
                return Ok((0, Some(Piece::Payload { index, offset, data })));
            }
        }
        let mut rest = input;
        while !rest.is_empty() {
            let before = rest;
            if let Err(error) = self.step(&mut rest) {
                return Err(self.fail(error));
            }
            if let Some(note) = self.note.take() {
                let used = input.len().saturating_sub(rest.len());
                return Ok((used, Some(self.piece(note, before, rest))));
            }
        }
        Ok((input.len(), None))
    }

    /// Says that the sink took these bytes: the first ones of [`Piece::Payload`], or, right after [`Piece::FileStart`],
    /// the start of the file as it was read back from where an earlier download left it. They are hashed where they lie.
    ///
    /// # Errors
    /// [`Error::Internal`] when no payload file is being read, or when it has fewer bytes left.
    pub fn take(&mut self, taken: &[u8]) -> Result<(), Error> {
        let in_file = self.stage == Stage::Data && self.inner.is_in_entry();
        let len = u32::try_from(taken.len()).unwrap_or(u32::MAX);
        if !in_file || len > self.inner.left() {
            return Err(Error::Internal);
        }
        self.inner.consume(taken.len());
        self.outer.consume(taken.len());
        self.payload.take(len);
        self.hash.update(taken);
        Ok(())
    }

    /// Answers [`Piece::Signature`]: whether one of the configured keys made it. Where none is configured the answer is `true`.
    ///
    /// # Errors
    /// [`Error::SignatureWrong`] for `false`; [`Error::Internal`] when nobody asked.
    pub fn signature(&mut self, good: bool) -> Result<(), Error> {
        if self.stage != Stage::Verdict {
            return Err(Error::Internal);
        }
        self.stage = Stage::Trusted;
        if good { Ok(()) } else { Err(self.fail(Error::SignatureWrong)) }
    }

    fn fail(&mut self, error: Error) -> Error {
        self.stage = Stage::Failed;
        self.error = Some(error);
        error
    }

    fn verdict(&self) -> Error {
        self.error.unwrap_or(Error::Internal)
    }

    /// Says that the input has ended.
    ///
    /// # Errors
    /// [`Error::ArtifactTruncated`] before [`Piece::End`]; the first error if there was one.
    pub fn finish(&self) -> Result<(), Error> {
        match self.stage {
            Stage::End => Ok(()),
            Stage::Failed => Err(self.verdict()),
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

    /// The piece, which was found between `before` and `rest` of the input.
    fn piece<'s, 'i>(&'s self, note: Note, before: &'i [u8], rest: &'i [u8]) -> Piece<'s, 'i> {
        let (header, scratch) = (&self.header, &self.scratch);
        let index = self.payload.index();
        match note {
            Note::Signature => {
                let signature = scratch.bytes().get(..self.signature.len()).unwrap_or_default();
                Piece::Signature { manifest: &self.digest, signature }
            }
            Note::Unsigned => Piece::Unsigned,
            Note::ArtifactName => Piece::ArtifactName(header.text(scratch)),
            Note::ArtifactGroup => Piece::ArtifactGroup(header.text(scratch)),
            Note::PayloadType => Piece::PayloadType(header.payload_type(scratch)),
            Note::Depends => Piece::Depends { key: header.key_text(scratch), value: header.text(scratch) },
            Note::DependsEnd => Piece::DependsEnd { key: header.key_text(scratch) },
            Note::Provides => Piece::Provides { key: header.key_text(scratch), value: header.text(scratch) },
            Note::Clears => Piece::Clears(header.text(scratch)),
            Note::TypeInfoEnd => {
                let (provides, clears) = header.had();
                Piece::TypeInfoEnd { provides, clears }
            }
            Note::MetaData => {
                let len = before.len().saturating_sub(rest.len());
                Piece::MetaData(before.get(..len).unwrap_or_default())
            }
            Note::MetaDataEnd => Piece::MetaDataEnd,
            Note::HeaderEnd => Piece::HeaderEnd,
            Note::FileStart => {
                let name = text_of(scratch.bytes(), self.tar.name_len());
                Piece::FileStart {
                    index,
                    name,
                    size: self.inner.left(),
                    sum: self.payload.sum(&self.manifest),
                }
            }
            Note::Payload => {
                Piece::Payload { index, offset: self.payload.offset(), data: self.inner.content(rest) }
            }
            Note::FileEnd => Piece::FileEnd { index },
            Note::End => Piece::End,
        }
    }

    fn say(&mut self, note: Note) -> Result<(), Error> {
        self.note = Some(note);
        Ok(())
    }

    #[inline(never)]
    fn step(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        if self.stage == Stage::Verdict {
            return Err(Error::Internal);
        }
        match self.outer.step(&mut self.tar, self.scratch.all(), input)? {
            Step::More => Ok(()),
            Step::File => self.member_start(),
            Step::Directory => Err(Error::TarType),
            Step::Data => {
                let data = self.outer.content(input);
                let mut rest = data;
                self.content(&mut rest)?;
                let used = data.len().saturating_sub(rest.len());
                if self.stage != Stage::Data {
                    self.hash.update(data.get(..used).unwrap_or_default());
                }
                self.outer.consume(used);
                tar::skip(input, used);
                Ok(())
            }
            Step::EntryEnd => self.member_end(),
            Step::End => self.end(),
        }
    }

    fn member_start(&mut self) -> Result<(), Error> {
        let name = self.tar.name(self.scratch.bytes());
        let member = Member::named(name)?;
        let row = ORDER.iter().find(|row| row.after == self.stage && row.member == member);
        let row = row.ok_or(Error::MemberOrder)?;
        let unsigned = self.stage == Stage::Manifest && row.stage == Stage::Header;
        if unsigned && self.unsigned == Unsigned::Refuse {
            return Err(Error::SignatureMissing);
        }
        if self.outer.left() > row.limit {
            return Err(Error::MemberSize);
        }
        if unsigned {
            self.note = Some(Note::Unsigned);
        }
        self.stage = row.stage;
        self.inner = Level::new();
        self.tar.restart();
        self.hash.restart();
        Ok(())
    }

    /// Takes bytes of the current member.
    fn content(&mut self, data: &mut &[u8]) -> Result<(), Error> {
        match self.stage {
            Stage::Version => self.header.feed(data, &mut self.scratch.areas()?),
            Stage::Manifest => {
                self.manifest.feed::<H>(core::mem::take(data), self.scratch.all(), &self.digest)
            }
            Stage::Signature => self.signature.feed(core::mem::take(data), self.scratch.all()),
            // An inflater would stand here, between the member and the archive in it.
            Stage::Header | Stage::Data => self.archive(data),
            Stage::Start | Stage::Verdict | Stage::Trusted | Stage::End | Stage::Failed => {
                Err(Error::Internal)
            }
        }
    }

    /// Takes bytes of the archive in the header or data member.
    fn archive(&mut self, data: &mut &[u8]) -> Result<(), Error> {
        let before = data.len();
        let step = self.inner.step(&mut self.tar, self.scratch.areas()?.text, data)?;
        let in_header = self.stage == Stage::Header;
        match step {
            Step::More | Step::End => Ok(()),
            Step::Directory if in_header => {
                // Go's reader skips directories here.
                self.in_text = false;
                Ok(())
            }
            Step::Directory => Err(Error::TarType),
            Step::File => {
                let used = u32::try_from(before.saturating_sub(data.len())).unwrap_or(u32::MAX);
                if !self.inner.fits(self.outer.left().saturating_sub(used)) {
                    return Err(Error::TarSize);
                }
                if in_header { self.header_entry_start() } else { self.file_start() }
            }
            Step::Data if in_header => self.header_text(data),
            Step::Data => self.say(Note::Payload),
            Step::EntryEnd if in_header => self.header_entry_end(),
            Step::EntryEnd => {
                self.payload.end(&self.manifest, &self.hash.finish())?;
                self.say(Note::FileEnd)
            }
        }
    }

    fn header_entry_start(&mut self) -> Result<(), Error> {
        let name = self.tar.name(self.scratch.bytes());
        let Some(place) = HEADER_ENTRIES.iter().position(|(known, _)| *known == name) else {
            let script = name.starts_with(b"scripts/");
            return Err(if script { Error::StateScripts } else { Error::MemberUnknown });
        };
        let (_, document) = HEADER_ENTRIES.get(usize::from(self.header_entries)).ok_or(Error::MemberOrder)?;
        if place != usize::from(self.header_entries) {
            return Err(Error::MemberOrder);
        }
        self.header_entries = self.header_entries.saturating_add(1);
        let size = self.inner.left();
        if size > limits::HEADER_JSON_MAX {
            return Err(Error::MemberSize);
        }
        let meta_data = *document == Document::MetaData;
        // The tool writes an empty one where there is none.
        self.in_text = size > 0 || !meta_data;
        if self.in_text && meta_data && self.header.is_empty_payload() {
            return Err(Error::EmptyPayload);
        }
        self.header.begin(*document);
        Ok(())
    }

    fn header_text(&mut self, data: &mut &[u8]) -> Result<(), Error> {
        let text = self.inner.content(data);
        let mut rest = text;
        let areas = &mut self.scratch.areas()?;
        self.header.feed(&mut rest, areas)?;
        self.note = self.header.note();
        if self.header.is_meta_data() {
            while !rest.is_empty() {
                self.header.feed(&mut rest, areas)?;
            }
            self.note = Some(Note::MetaData);
        }
        let used = text.len().saturating_sub(rest.len());
        self.inner.consume(used);
        tar::skip(data, used);
        Ok(())
    }

    fn header_entry_end(&mut self) -> Result<(), Error> {
        if !self.in_text {
            return Ok(());
        }
        self.header.end()?;
        if self.header.is_meta_data() { self.say(Note::MetaDataEnd) } else { Ok(()) }
    }

    fn file_start(&mut self) -> Result<(), Error> {
        if self.header.is_empty_payload() {
            return Err(Error::EmptyPayload);
        }
        let name = self.tar.name(self.scratch.bytes());
        self.hash.restart();
        self.payload.begin::<H>(&mut self.manifest, name)?;
        self.say(Note::FileStart)
    }

    /// The member has ended: what it was for is checked before anything else is read.
    fn member_end(&mut self) -> Result<(), Error> {
        let hash = self.hash.finish();
        match self.stage {
            Stage::Version | Stage::Manifest => {
                self.digest = hash;
                if self.stage == Stage::Version { self.header.end() } else { self.manifest.end() }
            }
            Stage::Signature => {
                self.signature.end()?;
                self.stage = Stage::Verdict;
                self.say(Note::Signature)
            }
            Stage::Header | Stage::Data if !self.inner.has_ended() => Err(Error::ArtifactTruncated),
            Stage::Header if self.header_entries < 2 => Err(Error::MemberOrder),
            Stage::Header if self.manifest.is_header(&hash) => self.say(Note::HeaderEnd),
            Stage::Header => Err(Error::HeaderHash),
            Stage::Data => Ok(()),
            Stage::Start | Stage::Verdict | Stage::Trusted | Stage::End | Stage::Failed => {
                Err(Error::Internal)
            }
        }
    }

    /// The end marker of the artifact.
    fn end(&mut self) -> Result<(), Error> {
        if self.stage != Stage::Data {
            return Err(Error::MemberOrder);
        }
        if !self.manifest.is_complete() {
            return Err(Error::FileMissing);
        }
        self.stage = Stage::End;
        self.say(Note::End)
    }
}
