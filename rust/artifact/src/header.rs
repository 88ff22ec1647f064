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

impl Document {
    const fn bit(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::HeaderInfo => 2,
            Self::TypeInfo => 4,
            Self::MetaData => 8,
        }
    }
}

/// The member of the top-level object whose value is being read. Its number is its bit in [`Header::members`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Member {
    Other = 0,
    Format = 0x01,
    Version = 0x02,
    Payloads = 0x04,
    Type = 0x08,
    Provides = 0x10,
    Depends = 0x20,
    Clears = 0x40,
}

const BOTH: u8 = Document::HeaderInfo.bit() | Document::TypeInfo.bit();

/// The members that are looked at, and in which texts.
const MEMBERS: [(&[u8], Member, u8); 7] = [
    (b"format", Member::Format, Document::Version.bit()),
    (b"version", Member::Version, Document::Version.bit()),
    (b"payloads", Member::Payloads, Document::HeaderInfo.bit()),
    (b"type", Member::Type, Document::TypeInfo.bit()),
    (b"artifact_provides", Member::Provides, BOTH),
    (b"artifact_depends", Member::Depends, BOTH),
    (b"clears_artifact_provides", Member::Clears, Document::TypeInfo.bit()),
];

impl Member {
    fn named(document: Document, name: &[u8]) -> Self {
        let found = MEMBERS.iter().find(|(known, _, texts)| *known == name && texts & document.bit() != 0);
        found.map_or(Self::Other, |(_, member, _)| *member)
    }

    #[allow(clippy::as_conversions, reason = "the number of a variant, which has no other name")]
    const fn bit(self) -> u8 {
        self as u8
    }
}

/// Keys of provides and depends that mean something to the reader itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Other,
    ArtifactName,
    ArtifactGroup,
    DeviceType,
}

const KEYS: [(&[u8], Key); 3] = [
    (b"artifact_name", Key::ArtifactName),
    (b"artifact_group", Key::ArtifactGroup),
    (b"device_type", Key::DeviceType),
];

/// The payload type of header-info.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PayloadType {
    Unknown,
    Empty,
    /// Its length; the text is in the scratch.
    Named(u8),
}

/// Reader of the JSON texts, one after the other.
#[repr(C)]
pub(crate) struct Header {
    document: Document,
    begun: bool,
    member: Member,
    /// Bit of each member of the current text that was there.
    members: u8,
    payloads: u8,
    in_type: bool,
    payload_type: PayloadType,
    has_name: bool,
    has_device_type: bool,
    /// A single value was handed out as [`Note::Depends`]; its end is still to be.
    end_due: bool,
    note: Option<Note>,
    provides: u8,
    depends: u8,
    key: Key,
    key_len: usize,
    scanner: Scanner,
}

const _: () = assert!(limits::NAME_MAX == limits::PAIR_VALUE_MAX, "`plain` serves both");

impl Header {
    #[inline(always)]
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
            key: Key::Other,
            key_len: 0,
            end_due: false,
            note: None,
            provides: 0,
            depends: 0,
        }
    }

    /// A text begins.
    pub(crate) fn begin(&mut self, document: Document) {
        self.document = document;
        self.scanner = const { Scanner::new() };
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
        match self.scanner.feed(input, areas.text)? {
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
        text_of(scratch.bytes(), self.scanner.len())
    }

    /// The key of the last fact.
    pub(crate) fn key_text<'s>(&self, scratch: &'s Scratch) -> &'s str {
        text_of(scratch.key(), self.key_len)
    }

    /// The payload type of header-info; `None` for the empty payload.
    pub(crate) fn payload_type<'s>(&self, scratch: &'s Scratch) -> Option<&'s str> {
        match self.payload_type {
            PayloadType::Named(len) => Some(text_of(scratch.payload_type(), len.into())),
            PayloadType::Empty | PayloadType::Unknown => None,
        }
    }

    /// Whether the current text had provides, and clears.
    pub(crate) const fn had(&self) -> (bool, bool) {
        (self.has(Member::Provides), self.has(Member::Clears))
    }

    fn token(&mut self, token: Token, areas: &mut Areas<'_>) -> Result<(), Error> {
        let depth = self.scanner.depth();
        let text = areas.text.get(..self.scanner.len()).unwrap_or_default();
        if !self.begun {
            self.begun = true;
            return if token == Token::ObjectStart { Ok(()) } else { Err(self.malformed()) };
        }
        let pairs_or_clears = matches!(self.member, Member::Provides | Member::Depends | Member::Clears);
        match (depth, token) {
            (0, _) => self.object_end(),
            (1, Token::Key) => {
                self.member = Member::named(self.document, text);
                let bit = self.member.bit();
                if self.members & bit != 0 {
                    return Err(Error::HeaderKeyTwice);
                }
                self.members |= bit;
                Ok(())
            }
            (1, Token::LongKey) => {
                self.member = Member::Other;
                Ok(())
            }
            // Written by tools that do not leave an absent member out.
            (1, Token::Null) if pairs_or_clears => {
                self.members &= !self.member.bit();
                Ok(())
            }
            _ if pairs_or_clears => self.pairs_or_clears(depth, token, areas),
            _ => match self.member {
                Member::Format if (depth, token) == (1, Token::String) && text == b"mender" => Ok(()),
                Member::Version if (depth, token) == (1, Token::Number) && text == b"3" => Ok(()),
                Member::Format | Member::Version => Err(Error::FormatVersion),
                Member::Payloads => self.payloads(depth, token, areas),
                Member::Type => self.repeated_type(depth, token, areas),
                Member::Provides | Member::Depends | Member::Clears | Member::Other => Ok(()),
            },
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
        let len = self.scanner.len();
        match (depth, token) {
            (2, Token::ArrayStart | Token::ObjectEnd) => {}
            (3, Token::ObjectStart) if self.payloads == 0 => {
                self.payloads = 1;
                self.in_type = false;
            }
            (3, Token::Key) => {
                self.in_type = areas.text.get(..len) == Some(b"type");
                if self.in_type && self.payload_type != PayloadType::Unknown {
                    return Err(Error::HeaderKeyTwice);
                }
            }
            (3, Token::LongKey) => self.in_type = false,
            (3, Token::Null) if self.in_type => {
                self.payload_type = PayloadType::Empty;
                return self.say(Note::PayloadType);
            }
            (3, Token::String) if self.in_type => {
                let kept = keep(areas.payload_type, plain(areas.text, len)?)?;
                if kept == 0 {
                    return Err(Error::Payloads);
                }
                self.payload_type = PayloadType::Named(kept);
                return self.say(Note::PayloadType);
            }
            (3, Token::LongValue) if self.in_type => return Err(Error::HeaderLimit),
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
            (1, Token::String, PayloadType::Named(named)) => {
                let text = areas.text.get(..self.scanner.len()).unwrap_or_default();
                let first = areas.payload_type.get(..named.into()).unwrap_or_default();
                // mender-artifact 3.x writes an empty type for its own `rootfs-image`.
                text == first || text.is_empty() && first == b"rootfs-image"
            }
            (1, Token::String | Token::Null | Token::LongValue, _) => false,
            _ => return Err(Error::TypeInfo),
        };
        if same { Ok(()) } else { Err(Error::PayloadTypeDiffers) }
    }

    /// `"artifact_provides":{key:value}`, `"artifact_depends":{key:value, key:[value]}`, `"clears_artifact_provides":[pattern]`
    #[inline(never)]
    fn pairs_or_clears(&mut self, depth: u8, token: Token, areas: &mut Areas<'_>) -> Result<(), Error> {
        use Member::{Clears, Depends, Provides};
        match (self.member, depth, token) {
            (Provides | Depends, 2, Token::ObjectStart) | (Provides | Depends, 1, Token::ObjectEnd) => Ok(()),
            (Clears, 2, Token::ArrayStart) | (Clears, 1, Token::ArrayEnd) => Ok(()),
            (Depends, 3, Token::ArrayStart) => Ok(()),
            (Provides | Depends, 2, Token::Key) => self.key(areas),
            (_, 2, Token::String) | (Depends, 3, Token::String) => {
                let text = plain(areas.text, self.scanner.len())?;
                self.value(depth, text.is_empty())
            }
            (Depends, 2, Token::ArrayEnd) => self.say(Note::DependsEnd),
            (_, _, Token::LongKey | Token::LongValue) => Err(Error::HeaderLimit),
            _ => Err(self.malformed()),
        }
    }

    /// The key of a pair is kept while its values are read.
    fn key(&mut self, areas: &mut Areas<'_>) -> Result<(), Error> {
        let key = plain(areas.text, self.scanner.len())?;
        self.key_len = keep(areas.key, key)?.into();
        if key.is_empty() {
            return Err(self.malformed());
        }
        self.key = KEYS.iter().find(|(known, _)| *known == key).map_or(Key::Other, |(_, key)| *key);
        let provides = self.member == Member::Provides;
        let reserved = matches!(self.key, Key::ArtifactName | Key::DeviceType);
        if provides && reserved && self.document == Document::TypeInfo {
            return Err(Error::ProvidesReserved);
        }
        let (of_provides, of_depends) =
            areas.keys.split_at_mut_checked(limits::PAIRS_MAX).unwrap_or_default();
        if provides {
            remember(of_provides, &mut self.provides, mark(key))
        } else {
            remember(of_depends, &mut self.depends, mark(key))
        }
    }

    /// A value of that key, or a pattern.
    fn value(&mut self, depth: u8, is_empty: bool) -> Result<(), Error> {
        let note = match (self.member, self.document, self.key) {
            (Member::Clears, ..) => Note::Clears,
            (Member::Depends, ..) => {
                self.end_due = depth == 2;
                self.has_device_type |= self.key == Key::DeviceType;
                Note::Depends
            }
            (_, Document::TypeInfo, _) => Note::Provides,
            (.., Key::ArtifactName) if is_empty => return Err(Error::ArtifactName),
            (.., Key::ArtifactName) => {
                self.has_name = true;
                Note::ArtifactName
            }
            (.., Key::ArtifactGroup) => Note::ArtifactGroup,
            (.., Key::DeviceType | Key::Other) => return Ok(()),
        };
        self.say(note)
    }
}

/// Copies a text to its area; its length.
#[inline(never)]
fn keep(area: &mut [u8], text: &[u8]) -> Result<u8, Error> {
    let to = area.get_mut(..text.len()).ok_or(Error::HeaderLimit)?;
    to.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    u8::try_from(text.len()).map_err(|_too_long| Error::HeaderLimit)
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
#[inline(never)]
fn remember(marks: &mut [KeyMark], count: &mut u8, mark: KeyMark) -> Result<(), Error> {
    for (n, seen) in (0..).zip(marks) {
        if n == *count {
            *seen = mark;
            *count = count.saturating_add(1);
            return Ok(());
        }
        if *seen == mark {
            return Err(Error::HeaderKeyTwice);
        }
    }
    Err(Error::HeaderLimit)
}
