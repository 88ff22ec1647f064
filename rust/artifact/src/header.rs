// SPDX-License-Identifier: Apache-2.0
//! The JSON texts of an artifact: `version`, `header-info`, `type-info` and `meta-data` (artifact format v3; §7.3, §7.7).
//!
//! Facts leave as they are read, so nothing is kept but what a later text is compared with: the payload type, and a mark
//! of each key to find one that comes twice. A mark is a 32-bit hash (FNV-1a): equal keys always meet; that two of at
//! most 16 different keys do has a chance of one in 30 million and costs a refusal.
//! Members nobody knows are read over, as the official clients do.

use crate::piece::Note;
use crate::scratch::{Areas, KeyMark, Scratch};
use mender_base::json::{Scanner, Token, text_of};
use mender_base::{Error, limits};

/// Which text is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    Version,
    HeaderInfo,
    TypeInfo,
    MetaData,
}

/// The member of the top-level object whose value is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Format,
    Version,
    Payloads,
    Type,
    Provides,
    Depends,
    Clears,
    Other,
}

/// The members that are looked at, and in which texts.
const MEMBERS: [(&str, Member, &[Document]); 7] = [
    ("format", Member::Format, &[Document::Version]),
    ("version", Member::Version, &[Document::Version]),
    ("payloads", Member::Payloads, &[Document::HeaderInfo]),
    ("type", Member::Type, &[Document::TypeInfo]),
    ("artifact_provides", Member::Provides, &[Document::HeaderInfo, Document::TypeInfo]),
    ("artifact_depends", Member::Depends, &[Document::HeaderInfo, Document::TypeInfo]),
    ("clears_artifact_provides", Member::Clears, &[Document::TypeInfo]),
];

impl Member {
    fn named(document: Document, name: &str) -> Self {
        let found = MEMBERS.iter().find(|(known, _, texts)| *known == name && texts.contains(&document));
        found.map_or(Self::Other, |(_, member, _)| *member)
    }

    /// Its bit in [`Header::members`].
    const fn bit(self) -> u8 {
        match self {
            Self::Format => 0x01,
            Self::Version => 0x02,
            Self::Payloads => 0x04,
            Self::Type => 0x08,
            Self::Provides => 0x10,
            Self::Depends => 0x20,
            Self::Clears => 0x40,
            Self::Other => 0,
        }
    }
}

/// The payload type of header-info.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PayloadType {
    Unknown,
    Empty,
    /// Its length; the text is in the scratch.
    Named(usize),
}

/// Reader of the JSON texts, one after the other.
pub(crate) struct Header {
    document: Document,
    scanner: Scanner,
    begun: bool,
    member: Member,
    /// Bit of each member of the current text that was there.
    members: u8,
    payloads: u8,
    in_type: bool,
    payload_type: PayloadType,
    has_name: bool,
    has_device_type: bool,
    key_len: usize,
    text_len: usize,
    /// A single value was handed out as [`Note::Depends`]; its end is still to be.
    end_due: bool,
    note: Option<Note>,
    provides: u8,
    depends: u8,
}

const _: () = assert!(limits::NAME_MAX == limits::PAIR_VALUE_MAX, "`plain` serves both");

impl Header {
    pub(crate) const fn new() -> Self {
        Self {
            document: Document::Version,
            scanner: Scanner::new(),
            begun: false,
            member: Member::Other,
            members: 0,
            payloads: 0,
            in_type: false,
            payload_type: PayloadType::Unknown,
            has_name: false,
            has_device_type: false,
            key_len: 0,
            text_len: 0,
            end_due: false,
            note: None,
            provides: 0,
            depends: 0,
        }
    }

    /// A text begins.
    pub(crate) fn begin(&mut self, document: Document) {
        self.document = document;
        self.scanner = Scanner::new();
        self.begun = false;
        self.member = Member::Other;
        self.members = 0;
    }

    /// The text has ended.
    pub(crate) fn end(&self) -> Result<(), Error> {
        self.scanner.finish()
    }

    /// The artifact has the empty payload.
    pub(crate) fn is_empty_payload(&self) -> bool {
        self.payload_type == PayloadType::Empty
    }

    /// The current text is meta-data.
    pub(crate) fn is_meta_data(&self) -> bool {
        self.document == Document::MetaData
    }

    /// Reads on, at most to the next fact.
    pub(crate) fn feed(&mut self, input: &mut &[u8], areas: &mut Areas<'_>) -> Result<(), Error> {
        if self.end_due {
            self.end_due = false;
            return self.say(Note::DependsEnd);
        }
        let (used, token) = self.scanner.feed(input, areas.text)?;
        *input = input.get(used..).unwrap_or_default();
        match token {
            Some(token) => self.token(token, areas),
            None => Ok(()),
        }
    }

    fn say(&mut self, note: Note) -> Result<(), Error> {
        self.note = Some(note);
        Ok(())
    }

    /// The fact that was read last.
    pub(crate) fn note(&mut self) -> Option<Note> {
        self.note.take()
    }

    /// The text of the last fact.
    pub(crate) fn text<'s>(&self, scratch: &'s Scratch) -> &'s str {
        text_of(scratch.bytes(), self.text_len)
    }

    /// The key of the last fact.
    pub(crate) fn key_text<'s>(&self, scratch: &'s Scratch) -> &'s str {
        text_of(scratch.key(), self.key_len)
    }

    /// The payload type of header-info; `None` for the empty payload.
    pub(crate) fn payload_type<'s>(&self, scratch: &'s Scratch) -> Option<&'s str> {
        match self.payload_type {
            PayloadType::Named(len) => Some(text_of(scratch.payload_type(), len)),
            PayloadType::Empty | PayloadType::Unknown => None,
        }
    }

    /// Whether the current text had provides, and clears.
    pub(crate) const fn had(&self) -> (bool, bool) {
        (self.has(Member::Provides), self.has(Member::Clears))
    }

    fn token(&mut self, token: Token, areas: &mut Areas<'_>) -> Result<(), Error> {
        let depth = self.scanner.depth();
        if let Token::String(len) = token {
            self.text_len = len;
        }
        if !self.begun {
            self.begun = true;
            return if matches!(token, Token::ObjectStart) { Ok(()) } else { Err(self.malformed()) };
        }
        match (depth, token) {
            (0, _) => return self.object_end(),
            (1, Token::Key(len)) => {
                self.member = Member::named(self.document, text_of(areas.text, len));
                let bit = self.member.bit();
                if self.members & bit != 0 {
                    return Err(Error::HeaderKeyTwice);
                }
                self.members |= bit;
                return Ok(());
            }
            (1, Token::TooLong { key: true }) => {
                self.member = Member::Other;
                return Ok(());
            }
            // Written by tools that do not leave an absent member out.
            (1, Token::Null)
                if matches!(self.member, Member::Provides | Member::Depends | Member::Clears) =>
            {
                self.members &= !self.member.bit();
                return Ok(());
            }
            _ => {}
        }
        match self.member {
            Member::Format | Member::Version => self.version(depth, token, areas),
            Member::Payloads => self.payloads(depth, token, areas),
            Member::Type => self.repeated_type(depth, token, areas),
            Member::Provides => self.provides(depth, token, areas),
            Member::Depends => self.depends(depth, token, areas),
            Member::Clears => self.clears(depth, token, areas),
            Member::Other => Ok(()),
        }
    }

    const fn malformed(&self) -> Error {
        match self.document {
            Document::Version => Error::FormatVersion,
            Document::HeaderInfo => Error::HeaderInfo,
            Document::TypeInfo => Error::TypeInfo,
            Document::MetaData => Error::MetaData,
        }
    }

    /// A token that has no place here.
    const fn misplaced(&self, token: Token) -> Error {
        if matches!(token, Token::TooLong { .. }) { Error::HeaderLimit } else { self.malformed() }
    }

    /// `"format":"mender"` and `"version":3`
    fn version(&self, depth: u8, token: Token, areas: &Areas<'_>) -> Result<(), Error> {
        let (len, wanted): (usize, &[u8]) = match (depth, token) {
            (1, Token::String(len)) if self.member == Member::Format => (len, b"mender"),
            (1, Token::Number(len)) if self.member == Member::Version => (len, b"3"),
            _ => return Err(Error::FormatVersion),
        };
        let is = areas.text.get(..len) == Some(wanted);
        if is { Ok(()) } else { Err(Error::FormatVersion) }
    }

    const fn has(&self, member: Member) -> bool {
        self.members & member.bit() != 0
    }

    /// The closing brace of the text.
    fn object_end(&mut self) -> Result<(), Error> {
        match self.document {
            Document::Version if !self.has(Member::Format) || !self.has(Member::Version) => {
                Err(Error::FormatVersion)
            }
            Document::HeaderInfo if !self.has(Member::Payloads) => Err(Error::Payloads),
            Document::HeaderInfo if !self.has_name => Err(Error::ArtifactName),
            Document::HeaderInfo if !self.has_device_type => Err(Error::DeviceTypeMissing),
            Document::TypeInfo if !self.has(Member::Type) => Err(Error::TypeInfo),
            Document::TypeInfo => self.say(Note::TypeInfoEnd),
            Document::Version | Document::HeaderInfo | Document::MetaData => Ok(()),
        }
    }

    /// `"payloads":[{"type":…}]`
    fn payloads(&mut self, depth: u8, token: Token, areas: &mut Areas<'_>) -> Result<(), Error> {
        match (depth, token) {
            (2, Token::ArrayStart | Token::ObjectEnd) => {}
            (3, Token::ObjectStart) if self.payloads == 0 => {
                self.payloads = 1;
                self.in_type = false;
            }
            (3, Token::Key(len)) => {
                self.in_type = text_of(areas.text, len) == "type";
                if self.in_type && self.payload_type != PayloadType::Unknown {
                    return Err(Error::HeaderKeyTwice);
                }
            }
            (3, Token::TooLong { key: true }) => self.in_type = false,
            (3, Token::Null) if self.in_type => {
                self.payload_type = PayloadType::Empty;
                return self.say(Note::PayloadType);
            }
            (3, Token::String(len)) if self.in_type => {
                let name = plain(areas.text, len)?;
                let to = areas.payload_type.get_mut(..len).ok_or(Error::HeaderLimit)?;
                if name.is_empty() {
                    return Err(Error::Payloads);
                }
                to.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
                self.payload_type = PayloadType::Named(len);
                return self.say(Note::PayloadType);
            }
            (3, Token::TooLong { key: false }) if self.in_type => return Err(Error::HeaderLimit),
            (1, Token::ArrayEnd) if self.payload_type != PayloadType::Unknown => {}
            // What begins at depth 3 is an element of the array itself: a second payload, or no object.
            (3, Token::ObjectStart | Token::ArrayStart) => return Err(Error::Payloads),
            (3.., _) if !self.in_type => {}
            _ => return Err(Error::Payloads),
        }
        Ok(())
    }

    /// `type` of type-info.
    fn repeated_type(&mut self, depth: u8, token: Token, areas: &mut Areas<'_>) -> Result<(), Error> {
        let same = match (depth, token, self.payload_type) {
            (1, Token::Null, PayloadType::Empty) => true,
            (1, Token::String(len), PayloadType::Named(named)) => {
                let first = areas.payload_type.get(..named);
                // mender-artifact 3.x writes an empty type for its own `rootfs-image`.
                let tool_bug = len == 0 && first == Some(b"rootfs-image");
                tool_bug || areas.text.get(..len) == first
            }
            (1, Token::String(_) | Token::Null | Token::TooLong { .. }, _) => false,
            _ => return Err(Error::TypeInfo),
        };
        if same { Ok(()) } else { Err(Error::PayloadTypeDiffers) }
    }

    /// `"artifact_provides":{key:value}`
    fn provides(&mut self, depth: u8, token: Token, areas: &mut Areas<'_>) -> Result<(), Error> {
        match (depth, token) {
            (2, Token::ObjectStart) | (1, Token::ObjectEnd) => Ok(()),
            (2, Token::Key(len)) => {
                let key = self.key(len, areas)?;
                if self.document == Document::TypeInfo && (key == b"artifact_name" || key == b"device_type") {
                    return Err(Error::ProvidesReserved);
                }
                let mark = mark(key);
                let marks = areas.keys.get_mut(..limits::PAIRS_MAX).unwrap_or_default();
                remember(marks, &mut self.provides, mark)
            }
            (2, Token::String(len)) => {
                plain(areas.text, len)?;
                let key = areas.key.get(..self.key_len).unwrap_or_default();
                if self.document == Document::TypeInfo {
                    return self.say(Note::Provides);
                }
                if key == b"artifact_name" {
                    self.has_name = true;
                    return if len > 0 { self.say(Note::ArtifactName) } else { Err(Error::ArtifactName) };
                }
                if key == b"artifact_group" { self.say(Note::ArtifactGroup) } else { Ok(()) }
            }
            _ => Err(self.misplaced(token)),
        }
    }

    /// `"artifact_depends":{key:value, key:[value]}`
    fn depends(&mut self, depth: u8, token: Token, areas: &mut Areas<'_>) -> Result<(), Error> {
        match (depth, token) {
            (2, Token::ObjectStart) | (1, Token::ObjectEnd) | (3, Token::ArrayStart) => Ok(()),
            (2, Token::Key(len)) => {
                let mark = mark(self.key(len, areas)?);
                let marks = areas.keys.get_mut(limits::PAIRS_MAX..).unwrap_or_default();
                remember(marks, &mut self.depends, mark)
            }
            (2 | 3, Token::String(len)) => {
                plain(areas.text, len)?;
                self.end_due = depth == 2;
                self.has_device_type |= areas.key.get(..self.key_len) == Some(b"device_type");
                self.say(Note::Depends)
            }
            (2, Token::ArrayEnd) => self.say(Note::DependsEnd),
            _ => Err(self.misplaced(token)),
        }
    }

    /// `"clears_artifact_provides":[pattern]`
    fn clears(&mut self, depth: u8, token: Token, areas: &mut Areas<'_>) -> Result<(), Error> {
        match (depth, token) {
            (2, Token::ArrayStart) | (1, Token::ArrayEnd) => Ok(()),
            (2, Token::String(len)) => {
                plain(areas.text, len)?;
                self.say(Note::Clears)
            }
            _ => Err(self.misplaced(token)),
        }
    }

    /// Keeps the key of a pair while its values are read.
    fn key<'a>(&mut self, len: usize, areas: &'a mut Areas<'_>) -> Result<&'a [u8], Error> {
        let from = plain(areas.text, len)?;
        let to = areas.key.get_mut(..len).ok_or(Error::HeaderLimit)?;
        if from.is_empty() {
            return Err(self.malformed());
        }
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        self.key_len = len;
        Ok(to)
    }
}

/// The text, if it is within the limit of names and values and has no control characters: it goes into logs, and to C.
fn plain(text: &[u8], len: usize) -> Result<&[u8], Error> {
    let text = text.get(..len).filter(|_| len <= limits::PAIR_VALUE_MAX).ok_or(Error::HeaderLimit)?;
    if text.iter().any(u8::is_ascii_control) { Err(Error::HeaderText) } else { Ok(text) }
}

fn mark(key: &[u8]) -> KeyMark {
    let hash = key.iter().fold(0x811c_9dc5u32, |h, byte| (h ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.to_le_bytes()
}

/// Notes a key that must not come again.
fn remember(marks: &mut [KeyMark], count: &mut u8, mark: KeyMark) -> Result<(), Error> {
    if marks.iter().take((*count).into()).any(|seen| *seen == mark) {
        return Err(Error::HeaderKeyTwice);
    }
    *marks.get_mut(usize::from(*count)).ok_or(Error::HeaderLimit)? = mark;
    *count = count.saturating_add(1);
    Ok(())
}
