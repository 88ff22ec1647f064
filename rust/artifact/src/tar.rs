// SPDX-License-Identifier: Apache-2.0
//! One level of a tar archive (POSIX ustar with PAX headers, or GNU's magic), without a block buffer.
//!
//! A header is read a field at a time, the bytes between are only summed. The content of entries is counted here and
//! looked at by the caller. Padding is skipped unseen: POSIX leaves its content open, nothing acts on it and Go's and GNU's
//! readers do the same. After the end marker only zeros are accepted, so that nothing can hide there.
//!
//! Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header"; §7.2.

use mender_base::{Error, limits};

const BLOCK: u16 = 512;

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
}

/// What [`Level::step`] came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing to tell.
    More,
    /// An entry begins; its name is in the lent buffer.
    Entry(Kind),
    /// The next bytes of input, this many, are content. They are not used until [`Level::consume`] says so.
    Data(usize),
    /// All content of the entry was consumed.
    EntryEnd,
    /// The end marker is complete.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Header,
    Extended,
    Ignored,
    Data,
    Padding,
    Trailer,
}

/// A position in one archive.
pub(crate) struct Level {
    at: At,
    /// Content of the current entry that is still to come.
    left: u32,
    padding: u32,
    /// Zero bytes seen of the end marker and after it.
    zeros: u32,
}

impl Level {
    pub(crate) const fn new() -> Self {
        Self { at: At::Header, left: 0, padding: 0, zeros: 0 }
    }

    /// Content of the current entry that is still to come, bytes.
    pub(crate) const fn left(&self) -> u32 {
        self.left
    }

    /// Content of the current entry with its padding fits into `room` bytes.
    pub(crate) fn fits(&self, room: u32) -> bool {
        self.left.checked_add(self.padding).is_some_and(|need| need <= room)
    }

    /// The end marker was read.
    pub(crate) fn has_ended(&self) -> bool {
        self.at == At::Trailer
    }

    /// The next bytes are content of an entry.
    pub(crate) fn is_in_entry(&self) -> bool {
        self.at == At::Data
    }

    /// Counts `n` bytes of content as used.
    pub(crate) fn consume(&mut self, n: usize) -> Result<(), Error> {
        let n = u32::try_from(n).ok().ok_or(Error::Internal)?;
        self.left = self.left.checked_sub(n).ok_or(Error::Internal)?;
        Ok(())
    }

    /// Reads on: how many bytes of `input` were used, and what came of it. `name` receives the name of the entry.
    pub(crate) fn step(
        &mut self,
        header: &mut Header,
        name: &mut [u8],
        input: &[u8],
    ) -> Result<(usize, Step), Error> {
        match self.at {
            At::Header => {
                let (used, whole) = header.feed(input, name);
                let step = if whole { self.block(header)? } else { Step::More };
                Ok((used, step))
            }
            At::Extended => {
                let body = first(input, self.left);
                for byte in body {
                    header.pax.feed(*byte, name, &mut header.name_len)?;
                }
                self.consume(body.len())?;
                if self.left == 0 {
                    header.pax.end()?;
                    self.at = At::Padding;
                }
                Ok((body.len(), Step::More))
            }
            At::Ignored => {
                let used = first(input, self.left).len();
                self.consume(used)?;
                if self.left == 0 {
                    self.at = At::Padding;
                }
                Ok((used, Step::More))
            }
            At::Data if self.left == 0 => {
                self.at = At::Padding;
                Ok((0, Step::EntryEnd))
            }
            At::Data if input.is_empty() => Ok((0, Step::More)),
            At::Data => Ok((0, Step::Data(first(input, self.left).len()))),
            At::Padding => {
                let used = first(input, self.padding).len();
                self.padding = self.padding.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
                if self.padding == 0 {
                    header.restart();
                    self.at = At::Header;
                }
                Ok((used, Step::More))
            }
            At::Trailer => {
                let more = u32::try_from(input.len()).ok().ok_or(Error::TarEnd)?;
                self.zeros = self.zeros.saturating_add(more);
                let limit = limits::TRAILING_ZERO_BLOCKS_MAX.saturating_mul(BLOCK.into());
                if self.zeros > limit || input.iter().any(|byte| *byte != 0) {
                    return Err(Error::TarEnd);
                }
                Ok((input.len(), Step::More))
            }
        }
    }

    /// Acts on a whole header block.
    fn block(&mut self, header: &mut Header) -> Result<Step, Error> {
        let Some((kind, size)) = header.check()? else {
            // An extended header describes the entry after it.
            if header.pax.due {
                return Err(Error::TarPax);
            }
            header.restart();
            self.zeros = self.zeros.saturating_add(1);
            if self.zeros < 2 {
                return Ok(Step::More);
            }
            self.zeros = 0;
            self.at = At::Trailer;
            return Ok(Step::End);
        };
        if self.zeros > 0 {
            return Err(Error::TarEnd);
        }
        self.left = size;
        self.padding = 0u32.wrapping_sub(size) & u32::from(BLOCK.wrapping_sub(1));
        let entry = match kind {
            b'0' | 0 => Kind::File,
            b'5' if size == 0 => Kind::Directory,
            b'x' | b'g' if header.pax.due || size > limits::PAX_MAX => return Err(Error::TarPax),
            b'x' => {
                header.pax.begin();
                self.at = At::Extended;
                return Ok(Step::More);
            }
            b'g' => {
                self.at = At::Ignored;
                return Ok(Step::More);
            }
            _ => return Err(Error::TarType),
        };
        header.pax.due = false;
        self.at = At::Data;
        Ok(Step::Entry(entry))
    }
}

/// The first `max` bytes of `input`, or all.
fn first(input: &[u8], max: u32) -> &[u8] {
    usize::try_from(max).ok().and_then(|max| input.get(..max)).unwrap_or(input)
}

/// Fields of a header that are looked at; the rest only counts for the checksum.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Size,
    Checksum,
    Kind,
    Magic,
    Prefix,
    Other,
}

/// The field at an offset of the header, and where it ends.
const fn field(at: u16) -> (Field, u16) {
    match at {
        0..100 => (Field::Name, 100),
        100..124 => (Field::Other, 124),
        124..136 => (Field::Size, 136),
        136..148 => (Field::Other, 148),
        148..156 => (Field::Checksum, 156),
        156 => (Field::Kind, 157),
        157..257 => (Field::Other, 257),
        257..265 => (Field::Magic, 265),
        265..345 => (Field::Other, 345),
        345 => (Field::Prefix, 346),
        _ => (Field::Other, BLOCK),
    }
}

const POSIX_MAGIC: &[u8; 8] = b"ustar\x0000";
const GNU_MAGIC: &[u8; 8] = b"ustar  \0";

/// The header block that is being read. One serves all levels: an inner header lies within the content of an outer entry.
pub(crate) struct Header {
    at: u16,
    sum: u32,
    size: Octal,
    checksum: Octal,
    kind: u8,
    /// How many bytes of the magic fitted.
    posix: u8,
    gnu: u8,
    has_prefix: bool,
    name_open: bool,
    name_len: usize,
    pax: Pax,
}

impl Header {
    pub(crate) const fn new() -> Self {
        Self {
            at: 0,
            sum: 0,
            size: Octal::new(),
            checksum: Octal::new(),
            kind: 0,
            posix: 0,
            gnu: 0,
            has_prefix: false,
            name_open: true,
            name_len: 0,
            pax: Pax::new(),
        }
    }

    /// Length of the name of the entry.
    pub(crate) const fn name_len(&self) -> usize {
        self.name_len
    }

    /// Ready for the next block. A name from an extended header stays.
    pub(crate) fn restart(&mut self) {
        let named = self.pax.due && self.pax.named;
        let name_len = if named { self.name_len } else { 0 };
        let pax = core::mem::replace(&mut self.pax, Pax::new());
        *self = Self { name_open: !named, name_len, pax, ..Self::new() };
    }

    /// Takes bytes up to the end of the block; how many, and whether it is whole.
    fn feed(&mut self, input: &[u8], name: &mut [u8]) -> (usize, bool) {
        let mut used: usize = 0;
        while self.at < BLOCK {
            let (field, end) = field(self.at);
            let rest = input.get(used..).unwrap_or_default();
            let now = first(rest, end.wrapping_sub(self.at).into());
            if now.is_empty() {
                return (used, false);
            }
            self.fields(field, now, name);
            used = used.saturating_add(now.len());
            self.at = self.at.saturating_add(u16::try_from(now.len()).unwrap_or(BLOCK));
        }
        (used, true)
    }

    fn fields(&mut self, field: Field, now: &[u8], name: &mut [u8]) {
        if field == Field::Checksum {
            // It is summed as spaces.
            now.iter().for_each(|byte| self.checksum.push(*byte));
            self.sum = now.iter().fold(self.sum, |sum, _| sum.wrapping_add(0x20));
            return;
        }
        self.sum = now.iter().fold(self.sum, |sum, byte| sum.wrapping_add(u32::from(*byte)));
        for byte in now {
            match field {
                Field::Name => self.name(*byte, name),
                Field::Size => self.size.push(*byte),
                Field::Kind => self.kind = *byte,
                Field::Magic => {
                    let fits = |magic: &[u8; 8], n: u8| {
                        n.saturating_add(u8::from(magic.get(usize::from(n)) == Some(byte)))
                    };
                    // One that missed a byte stays behind for good: its next byte is compared with a later one.
                    (self.posix, self.gnu) = (fits(POSIX_MAGIC, self.posix), fits(GNU_MAGIC, self.gnu));
                }
                Field::Prefix => self.has_prefix = *byte != 0,
                Field::Checksum | Field::Other => return,
            }
        }
    }

    fn name(&mut self, byte: u8, name: &mut [u8]) {
        self.name_open &= byte != 0;
        if self.name_open
            && let Some(to) = name.get_mut(self.name_len)
        {
            *to = byte;
            self.name_len = self.name_len.saturating_add(1);
        }
    }

    /// Type and size of the entry; `None` for a block of zeros.
    fn check(&self) -> Result<Option<(u8, u32)>, Error> {
        // The checksum field counts as 8 spaces.
        if self.sum == 8 * 0x20 && self.checksum.is_blank() {
            return Ok(None);
        }
        if self.checksum.value() != Some(self.sum) {
            return Err(Error::TarChecksum);
        }
        if self.posix < 8 && self.gnu < 8 {
            return Err(Error::TarMagic);
        }
        if self.has_prefix {
            return Err(Error::TarName);
        }
        let size = self.size.value().ok_or(Error::TarSize)?;
        Ok(Some((self.kind, size)))
    }
}

/// A number in octal digits: leading spaces, digits, then only NUL and spaces. Base-256 (top bit set) is none.
struct Octal {
    value: u32,
    digits: bool,
    ended: bool,
    bad: bool,
    any: u8,
}

impl Octal {
    const fn new() -> Self {
        Self { value: 0, digits: false, ended: false, bad: false, any: 0 }
    }

    fn push(&mut self, byte: u8) {
        self.any |= byte;
        match byte {
            b'0'..=b'7' => {
                self.bad |= self.ended || self.value > u32::MAX >> 3;
                self.value = self.value.wrapping_shl(3) | u32::from(byte & 7);
                self.digits = true;
            }
            0 => self.ended = true,
            b' ' => self.ended |= self.digits,
            _ => self.bad = true,
        }
    }

    /// Only NULs.
    const fn is_blank(&self) -> bool {
        self.any == 0
    }

    fn value(&self) -> Option<u32> {
        (self.digits && !self.bad).then_some(self.value)
    }
}

/// Where in a record of an extended header the reader stands: `"%d %s=%s\n"`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Length,
    Key,
    Path,
    Other,
}

/// The extended header that is being read. Only `path` counts; owners, times and comments do not.
struct Pax {
    /// One was read, and the entry it describes is still to come.
    due: bool,
    /// It set the name.
    named: bool,
    part: Part,
    /// Bytes of the record that are still to come; while its length is read, that number.
    left: u16,
    length_digits: u16,
    key: [u8; 4],
    key_len: usize,
}

impl Pax {
    const fn new() -> Self {
        Self {
            due: false,
            named: false,
            part: Part::Length,
            left: 0,
            length_digits: 0,
            key: [0; 4],
            key_len: 0,
        }
    }

    fn begin(&mut self) {
        *self = Self { due: true, ..Self::new() };
    }

    fn feed(&mut self, byte: u8, name: &mut [u8], name_len: &mut usize) -> Result<(), Error> {
        if self.part == Part::Length {
            return self.length(byte).ok_or(Error::TarPax);
        }
        self.left = self.left.checked_sub(1).ok_or(Error::TarPax)?;
        if self.left == 0 {
            let ended = byte == b'\n' && self.part != Part::Key;
            (self.part, self.length_digits) = (Part::Length, 0);
            return if ended { Ok(()) } else { Err(Error::TarPax) };
        }
        match self.part {
            Part::Key if byte == b'=' => self.part = self.value_of_key(name_len)?,
            Part::Key => {
                if let Some(to) = self.key.get_mut(self.key_len) {
                    *to = byte;
                }
                self.key_len = self.key_len.saturating_add(1);
            }
            Part::Path => {
                let name = name.get_mut(..limits::FILE_NAME_MAX).unwrap_or_default();
                let to = name.get_mut(*name_len).filter(|_| byte != 0).ok_or(Error::TarName)?;
                *to = byte;
                *name_len = name_len.saturating_add(1);
            }
            Part::Length | Part::Other => {}
        }
        Ok(())
    }

    fn length(&mut self, byte: u8) -> Option<()> {
        if byte == b' ' {
            // What is left is at least a key of one byte, `=` and the line feed.
            let head = self.length_digits.checked_add(1)?;
            self.left = self.left.checked_sub(head).filter(|left| *left >= 3)?;
            (self.part, self.key_len) = (Part::Key, 0);
            return Some(());
        }
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        self.left = self.left.checked_mul(10)?.checked_add(digit.into())?;
        self.length_digits = self.length_digits.checked_add(1)?;
        Some(())
    }

    fn value_of_key(&mut self, name_len: &mut usize) -> Result<Part, Error> {
        let key = self.key.get(..self.key_len).unwrap_or_default();
        match key {
            b"path" if !self.named => {
                self.named = true;
                *name_len = 0;
                Ok(Part::Path)
            }
            // A second path has no right order. Sizes are only written above 8 GiB.
            b"path" | b"size" => Err(Error::TarPax),
            _ => Ok(Part::Other),
        }
    }

    fn end(&self) -> Result<(), Error> {
        let between = self.part == Part::Length && self.length_digits == 0;
        if between { Ok(()) } else { Err(Error::TarPax) }
    }
}
