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
/// One more than the zeros that may follow the end marker.
const TRAILER_MAX: u32 = limits::TRAILING_ZERO_BLOCKS_MAX * 512 + 1;

/// What [`Level::step`] came to. As wide as [`Error`], so that a result of both is two registers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Step {
    /// Nothing to tell.
    More,
    /// A file begins; its name is in the lent buffer.
    File,
    /// A directory, which has no content.
    Directory,
    /// The next byte of input is content: see [`Level::content`].
    Data,
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
#[repr(C)]
pub(crate) struct Level {
    at: At,
    /// The last block was the first half of the end marker.
    half_ended: bool,
    /// The entry that comes has had a global extended header.
    after_global: bool,
    /// Content of the current entry that is still to come; after the end marker, zeros that may.
    left: u32,
    padding: u32,
}

impl Level {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { at: At::Header, left: 0, padding: 0, half_ended: false, after_global: false }
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

    /// Counts `n` bytes of content as used, of those that [`Step::Data`] offered.
    pub(crate) fn consume(&mut self, n: usize) {
        self.left = less(self.left, n);
    }

    /// The part of `input` that is content of the entry. It is not used until [`Level::consume`] says so.
    pub(crate) fn content<'i>(&self, input: &'i [u8]) -> &'i [u8] {
        first(input, self.left)
    }

    /// Reads on. `name` receives the name of the entry.
    pub(crate) fn step(
        &mut self,
        header: &mut Header,
        name: &mut [u8],
        input: &mut &[u8],
    ) -> Result<Step, Error> {
        match self.at {
            At::Header => return if header.feed(input, name) { self.block(header) } else { Ok(Step::More) },
            At::Extended | At::Ignored => {
                let body = take(input, self.left);
                self.consume(body.len());
                if self.at == At::Extended {
                    for byte in body {
                        header.pax.feed(*byte, name, &mut header.name_len)?;
                    }
                    if self.left == 0 {
                        header.pax.end()?;
                    }
                }
                if self.left == 0 {
                    self.at = At::Padding;
                }
            }
            At::Data if self.left > 0 => return Ok(if input.is_empty() { Step::More } else { Step::Data }),
            At::Data => {
                self.at = At::Padding;
                return Ok(Step::EntryEnd);
            }
            At::Padding => {
                let skipped = take(input, self.padding).len();
                self.padding = less(self.padding, skipped);
                if self.padding == 0 {
                    header.restart();
                    self.at = At::Header;
                }
            }
            At::Trailer => {
                self.left = less(self.left, input.len());
                // At zero the limit was reached or passed.
                if self.left == 0 || input.iter().any(|byte| *byte != 0) {
                    return Err(Error::TarEnd);
                }
                *input = &[];
            }
        }
        Ok(Step::More)
    }

    /// Acts on a whole header block.
    fn block(&mut self, header: &mut Header) -> Result<Step, Error> {
        let Some((kind, size)) = header.check()? else {
            // An extended header describes the entry after it.
            if header.pax.due {
                return Err(Error::TarPax);
            }
            header.restart();
            if !self.half_ended {
                self.half_ended = true;
                return Ok(Step::More);
            }
            self.left = TRAILER_MAX;
            self.at = At::Trailer;
            return Ok(Step::End);
        };
        if self.half_ended {
            return Err(Error::TarEnd);
        }
        self.left = size;
        self.padding = 0u32.wrapping_sub(size) & u32::from(BLOCK.wrapping_sub(1));
        let entry = match kind {
            b'0' | 0 => Step::File,
            b'5' if size == 0 => Step::Directory,
            b'x' | b'g' if header.pax.due || size > limits::PAX_MAX => return Err(Error::TarPax),
            // One for each entry, or there would be no end to them.
            b'g' if self.after_global => return Err(Error::TarPax),
            b'x' => {
                header.pax.begin();
                self.at = At::Extended;
                return Ok(Step::More);
            }
            b'g' => {
                self.after_global = true;
                self.at = At::Ignored;
                return Ok(Step::More);
            }
            _ => return Err(Error::TarType),
        };
        header.pax.due = false;
        self.after_global = false;
        self.at = At::Data;
        Ok(entry)
    }
}

/// The first `max` bytes of `input`, or all.
fn first(input: &[u8], max: u32) -> &[u8] {
    usize::try_from(max).ok().and_then(|max| input.get(..max)).unwrap_or(input)
}

/// Cuts the first `max` bytes, or all, off `input`.
#[inline(never)]
pub(crate) fn take<'i>(input: &mut &'i [u8], max: u32) -> &'i [u8] {
    let taken = first(input, max);
    *input = input.get(taken.len()..).unwrap_or_default();
    taken
}

/// Cuts the first `n` bytes off `input`.
pub(crate) fn skip(input: &mut &[u8], n: usize) {
    take(input, u32::try_from(n).unwrap_or(u32::MAX));
}

fn less(left: u32, n: usize) -> u32 {
    left.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX))
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

/// Where each field ends. An offset belongs to the first that ends after it.
const FIELDS: [(u16, Field); 11] = [
    (100, Field::Name),
    (124, Field::Other),
    (136, Field::Size),
    (148, Field::Other),
    (156, Field::Checksum),
    (157, Field::Kind),
    (257, Field::Other),
    (265, Field::Magic),
    (345, Field::Other),
    (346, Field::Prefix),
    (BLOCK, Field::Other),
];

const POSIX_MAGIC: u64 = u64::from_be_bytes(*b"ustar\x0000");
const GNU_MAGIC: u64 = u64::from_be_bytes(*b"ustar  \0");

/// The header block that is being read. One serves all levels: an inner header lies within the content of an outer entry.
#[repr(C)]
pub(crate) struct Header {
    kind: u8,
    has_prefix: bool,
    name_ended: bool,
    at: u16,
    sum: u32,
    size: Octal,
    checksum: Octal,
    /// Its last 8 bytes.
    magic: u64,
    name_len: usize,
    pax: Pax,
}

impl Header {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self {
            at: 0,
            sum: 0,
            size: Octal::new(),
            checksum: Octal::new(),
            kind: 0,
            magic: 0,
            has_prefix: false,
            name_ended: false,
            name_len: 0,
            pax: Pax::new(),
        }
    }

    /// Length of the name of the entry.
    pub(crate) const fn name_len(&self) -> usize {
        self.name_len
    }

    /// The name of the entry, in the buffer that was lent for it.
    #[inline(never)]
    pub(crate) fn name<'n>(&self, lent: &'n [u8]) -> &'n [u8] {
        lent.get(..self.name_len).unwrap_or_default()
    }

    /// Ready for the next block. A name from an extended header stays.
    pub(crate) fn restart(&mut self) {
        let named = self.pax.due && self.pax.named;
        let name_len = if named { self.name_len } else { 0 };
        let pax = core::mem::replace(&mut self.pax, Pax::new());
        *self = Self { name_ended: named, name_len, pax, ..Self::new() };
    }

    /// Takes bytes up to the end of the block; whether it is whole.
    fn feed(&mut self, input: &mut &[u8], name: &mut [u8]) -> bool {
        for &(end, field) in &FIELDS {
            if self.at >= end {
                continue;
            }
            let now = take(input, end.wrapping_sub(self.at).into());
            self.fields(field, now, name);
            self.at = self.at.saturating_add(u16::try_from(now.len()).unwrap_or(BLOCK));
            if self.at < end {
                return false;
            }
        }
        true
    }

    fn fields(&mut self, field: Field, now: &[u8], name: &mut [u8]) {
        for byte in now {
            match field {
                Field::Name => self.name_byte(*byte, name),
                Field::Size => self.size.push(*byte),
                Field::Checksum => {
                    self.checksum.push(*byte);
                    // It is summed as spaces.
                    self.sum = self.sum.wrapping_add(0x20).wrapping_sub(u32::from(*byte));
                }
                Field::Kind => self.kind = *byte,
                Field::Magic => self.magic = self.magic.wrapping_shl(8) | u64::from(*byte),
                Field::Prefix => self.has_prefix = *byte != 0,
                Field::Other => {}
            }
            self.sum = self.sum.wrapping_add(u32::from(*byte));
        }
    }

    fn name_byte(&mut self, byte: u8, name: &mut [u8]) {
        self.name_ended |= byte == 0;
        if !self.name_ended
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
        if self.magic != POSIX_MAGIC && self.magic != GNU_MAGIC {
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

// The keys that count, as [`Pax::key`] has them.
const PATH: u32 = u32::from_be_bytes(*b"path");
const SIZE: u32 = u32::from_be_bytes(*b"size");

/// The extended header that is being read. Only `path` counts; owners, times and comments do not.
struct Pax {
    /// One was read, and the entry it describes is still to come.
    due: bool,
    /// It set the name.
    named: bool,
    part: Part,
    /// Bytes of the record that are still to come; while its length is read, that number.
    left: u32,
    length_digits: u32,
    /// The last four bytes of the key.
    key: u32,
    key_len: u32,
}

impl Pax {
    const fn new() -> Self {
        Self { due: false, named: false, part: Part::Length, left: 0, length_digits: 0, key: 0, key_len: 0 }
    }

    fn begin(&mut self) {
        *self = Self { due: true, ..Self::new() };
    }

    #[inline(never)]
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
                self.key = self.key.wrapping_shl(8) | u32::from(byte);
                self.key_len = self.key_len.wrapping_add(1);
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
            let head = self.length_digits.wrapping_add(1);
            self.left = self.left.checked_sub(head).filter(|left| *left >= 3)?;
            (self.part, self.key_len) = (Part::Key, 0);
            return Some(());
        }
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10 && self.left <= limits::PAX_MAX)?;
        self.left = self.left.wrapping_mul(10).wrapping_add(digit.into());
        self.length_digits = self.length_digits.wrapping_add(1);
        Some(())
    }

    fn value_of_key(&mut self, name_len: &mut usize) -> Result<Part, Error> {
        match (self.key_len, self.key) {
            (4, PATH) if !self.named => {
                self.named = true;
                *name_len = 0;
                Ok(Part::Path)
            }
            // A second path has no right order. Sizes are only written above 8 GiB.
            (4, PATH | SIZE) => Err(Error::TarPax),
            _ => Ok(Part::Other),
        }
    }

    fn end(&self) -> Result<(), Error> {
        let between = self.part == Part::Length && self.length_digits == 0;
        if between { Ok(()) } else { Err(Error::TarPax) }
    }
}
