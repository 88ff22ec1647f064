// SPDX-License-Identifier: Apache-2.0
//! Tar archives the way Go's `archive/tar` writes them, with every byte open to a hostile hand.
//!
//! [`Tar::push_stream`] and [`Tar::push_file`] write what `mender-artifact` writes. Anything else (a wrong
//! checksum, a base-256 size, a link, a lying PAX record) is a [`Member`] changed by hand before
//! [`Tar::to_bytes`].
//!
//! Source: POSIX.1-2001 pax interchange format; Mender artifact format, version 3.

/// Length of a tar block in bytes.
pub const BLOCK: usize = 512;

/// Offsets of the header fields, for [`Member::patch`].
pub mod field {
    /// 100 bytes, ended by NUL when shorter.
    pub const NAME: usize = 0;
    /// 8 bytes, octal.
    pub const MODE: usize = 100;
    /// 8 bytes, octal.
    pub const UID: usize = 108;
    /// 8 bytes, octal.
    pub const GID: usize = 116;
    /// 12 bytes, octal, or base-256 when the top bit is set.
    pub const SIZE: usize = 124;
    /// 12 bytes, octal, seconds since 1970.
    pub const MTIME: usize = 136;
    /// 8 bytes; set [`super::Member::checksum`] instead of patching it.
    pub const CHECKSUM: usize = 148;
    /// 1 byte, the type flag.
    pub const KIND: usize = 156;
    /// 100 bytes.
    pub const LINK_NAME: usize = 157;
    /// 6 bytes of magic and 2 of version.
    pub const MAGIC: usize = 257;
    /// 32 bytes.
    pub const UNAME: usize = 265;
    /// 32 bytes.
    pub const GNAME: usize = 297;
    /// Two numbers of 8 bytes.
    pub const DEVICES: usize = 329;
    /// 155 bytes put before the name.
    pub const PREFIX: usize = 345;
}

/// What a file system knows of a file: mode, owner and time of its last change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: u64,
    /// Owner's name; empty when unknown.
    pub uname: String,
    /// Group's name; empty when unknown.
    pub gname: String,
}

impl Meta {
    /// What the tool gives to members it makes up itself: mode 0600, no owner, no time.
    pub fn stream() -> Self {
        Self { mode: 0o600, uid: 0, gid: 0, mtime: 0, uname: String::new(), gname: String::new() }
    }

    /// A readable file (mode 0644) of nobody, changed in 1970.
    pub fn file() -> Self {
        Self { mode: 0o644, ..Self::stream() }
    }
}

/// One header block with its content.
#[derive(Clone, Debug)]
pub struct Member {
    /// Name field; bytes past 100 are cut off.
    pub name: Vec<u8>,
    /// Type flag: `b'0'` file, `b'1'` hard link, `b'2'` symbolic link, `b'5'` directory, `b'x'` PAX, `b'L'`
    /// GNU long name.
    pub kind: u8,
    /// Owner, mode and time.
    pub meta: Meta,
    /// Content; its length goes into the size field unless patched.
    pub data: Vec<u8>,
    /// Bytes laid over the header at an offset, before the checksum is made.
    pub patches: Vec<(usize, Vec<u8>)>,
    /// The checksum field as it shall be; `None` for the right one.
    pub checksum: Option<[u8; 8]>,
    /// Bytes after the content; `None` for zeros up to the next block.
    pub padding: Option<Vec<u8>>,
}

impl Member {
    /// A regular file as the tool makes them up itself (mode 0600, no owner, no time).
    pub fn new(name: &str, data: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            kind: b'0',
            meta: Meta::stream(),
            data: data.into(),
            patches: Vec::new(),
            checksum: None,
            padding: None,
        }
    }

    /// A member of another type.
    pub fn of_kind(kind: u8, name: &str, data: impl Into<Vec<u8>>) -> Self {
        Self { kind, ..Self::new(name, data) }
    }

    /// A PAX extended header with this body, true or not.
    pub fn pax(name: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut member = Self::of_kind(b'x', name, body);
        member.meta.mode = 0;
        member
    }

    /// Lays `bytes` over the header at `offset` (see [`field`]) before the checksum is made.
    pub fn patch(&mut self, offset: usize, bytes: &[u8]) {
        self.patches.push((offset, bytes.to_vec()));
    }

    /// The header block.
    fn header(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        put_text(&mut block, field::NAME, 100, &self.name);
        put_octal(&mut block, field::MODE, 8, u64::from(self.meta.mode));
        put_octal(&mut block, field::UID, 8, self.meta.uid);
        put_octal(&mut block, field::GID, 8, self.meta.gid);
        put_octal(&mut block, field::SIZE, 12, self.data.len() as u64);
        put_octal(&mut block, field::MTIME, 12, self.meta.mtime);
        block[field::KIND] = self.kind;
        put_text(&mut block, field::MAGIC, 8, b"ustar\x0000");
        put_text(&mut block, field::UNAME, 32, self.meta.uname.as_bytes());
        put_text(&mut block, field::GNAME, 32, self.meta.gname.as_bytes());
        // Go leaves the device numbers of extended headers blank.
        if !matches!(self.kind, b'x' | b'g') {
            put_octal(&mut block, field::DEVICES, 8, 0);
            put_octal(&mut block, field::DEVICES + 8, 8, 0);
        }
        for (offset, bytes) in &self.patches {
            block[*offset..*offset + bytes.len()].copy_from_slice(bytes);
        }
        let checksum = self.checksum.unwrap_or_else(|| checksum_of(&block));
        block[field::CHECKSUM..field::CHECKSUM + 8].copy_from_slice(&checksum);
        block
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header());
        out.extend_from_slice(&self.data);
        match &self.padding {
            Some(padding) => out.extend_from_slice(padding),
            None => {
                let zeros = self.data.len().next_multiple_of(BLOCK) - self.data.len();
                out.resize(out.len() + zeros, 0);
            }
        }
    }
}

/// An archive: members in order, then the end marker.
#[derive(Clone, Debug)]
pub struct Tar {
    /// The members, PAX headers included, in the order they are written.
    pub members: Vec<Member>,
    /// What follows the last member: two zero blocks, unless changed.
    pub end: Vec<u8>,
}

impl Tar {
    /// An archive without members.
    pub fn new() -> Self {
        Self { members: Vec::new(), end: vec![0; 2 * BLOCK] }
    }

    /// Adds a member the tool makes up itself: mode 0600, no owner, no time.
    pub fn push_stream(&mut self, name: &str, data: impl Into<Vec<u8>>) {
        self.members.push(Member::new(name, data));
    }

    /// Adds a file, preceded by a PAX header where Go's writer needs one: a name that is long or not ASCII, a
    /// large uid or gid.
    pub fn push_file(&mut self, name: &str, meta: &Meta, data: impl Into<Vec<u8>>) {
        if let Some(body) = pax_records(name, meta) {
            self.members.push(Member::pax(&pax_name(name), body));
        }
        let member = Member::new(&ascii(name), data);
        self.members.push(Member { meta: meta.clone(), ..member });
    }

    /// Position of the first member of that name that is no extended header.
    ///
    /// # Panics
    /// When there is none: a test asked for something the archive never had.
    pub fn position(&self, name: &str) -> usize {
        let found = self.members.iter().position(|m| m.name == name.as_bytes() && m.kind != b'x');
        found.unwrap_or_else(|| panic!("the archive has no member `{name}`"))
    }

    /// The first member of that name, to change.
    ///
    /// # Panics
    /// When there is none.
    pub fn member(&mut self, name: &str) -> &mut Member {
        let position = self.position(name);
        &mut self.members[position]
    }

    /// Puts `member` right before the member of that name.
    ///
    /// # Panics
    /// When there is none.
    pub fn insert_before(&mut self, name: &str, member: Member) {
        let position = self.position(name);
        self.members.insert(position, member);
    }

    /// Takes the first member of that name out.
    ///
    /// # Panics
    /// When there is none.
    pub fn remove(&mut self, name: &str) -> Member {
        let position = self.position(name);
        self.members.remove(position)
    }

    /// The archive as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for member in &self.members {
            member.write(&mut out);
        }
        out.extend_from_slice(&self.end);
        out
    }
}

impl Default for Tar {
    fn default() -> Self {
        Self::new()
    }
}

/// The checksum field for a header block: the sum of its bytes, the field itself taken as spaces.
pub fn checksum_of(block: &[u8; BLOCK]) -> [u8; 8] {
    let outside = block[..field::CHECKSUM].iter().chain(&block[field::CHECKSUM + 8..]);
    let sum: u32 = outside.map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    let mut text = [0; 8];
    text.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    text
}

/// One PAX record: its own length in decimal, a space, `key=value` and a newline.
pub fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    format!("{len} {key}={value}\n")
}

/// The records Go writes for this file, sorted by key; `None` when plain ustar holds it all.
fn pax_records(name: &str, meta: &Meta) -> Option<String> {
    let text = |value: &str, max: usize| (value.len() > max || !value.is_ascii()).then(|| value.to_owned());
    let number = |value: u64, max: u64| (value > max).then(|| value.to_string());
    let records: String = [
        ("gid", number(meta.gid, 0o7_777_777)),
        ("gname", text(&meta.gname, 32)),
        ("mtime", number(meta.mtime, 0o77_777_777_777)),
        ("path", text(name, 100)),
        ("uid", number(meta.uid, 0o7_777_777)),
        ("uname", text(&meta.uname, 32)),
    ]
    .iter()
    .filter_map(|(key, value)| value.as_ref().map(|value| pax_record(key, value)))
    .collect();
    (!records.is_empty()).then_some(records)
}

/// `dir/file` becomes `dir/PaxHeaders.0/file`.
fn pax_name(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((dir, file)) => ascii(&format!("{dir}/PaxHeaders.0/{file}")),
        None => ascii(&format!("PaxHeaders.0/{name}")),
    }
}

fn ascii(text: &str) -> String {
    text.chars().filter(char::is_ascii).collect()
}

fn put_text(block: &mut [u8; BLOCK], offset: usize, width: usize, text: &[u8]) {
    let len = text.len().min(width);
    block[offset..offset + len].copy_from_slice(&text[..len]);
}

/// Zero-padded octal ended by NUL; Go writes 0 for what does not fit and leaves the value to PAX.
fn put_octal(block: &mut [u8; BLOCK], offset: usize, width: usize, value: u64) {
    let digits = width - 1;
    let text = format!("{value:0digits$o}");
    let text = if text.len() > digits { "0".repeat(digits) } else { text };
    put_text(block, offset, width, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pax_record_counts_its_own_length() {
        assert_eq!(pax_record("uid", "3000000"), "15 uid=3000000\n");
        // 8 bytes with one digit would be 9 long in all; 10 needs two digits and so one byte more.
        for len in 0..200 {
            let record = pax_record("path", &"n".repeat(len));
            let (count, _) = record.split_once(' ').unwrap();
            assert_eq!(count.parse::<usize>().unwrap(), record.len());
        }
    }

    #[test]
    fn a_patch_is_covered_by_the_checksum_and_a_given_checksum_is_not_corrected() {
        let mut member = Member::new("version", "x");
        member.patch(field::SIZE, b"\x80\0\0\0\0\0\0\0\0\0\0\x01");
        let block = member.header();
        assert_eq!(block[field::SIZE], 0x80);
        assert_eq!(checksum_of(&block), block[field::CHECKSUM..field::CHECKSUM + 8]);
        member.checksum = Some(*b"000000\0 ");
        assert_eq!(member.header()[field::CHECKSUM..field::CHECKSUM + 8], *b"000000\0 ");
    }

    #[test]
    fn content_is_padded_to_a_block_and_the_end_is_two_zero_blocks() {
        let mut tar = Tar::new();
        tar.push_stream("a", [1; 512]);
        tar.push_stream("b", [1; 513]);
        tar.push_stream("c", []);
        assert_eq!(tar.to_bytes().len(), (2 + 3 + 1 + 2) * BLOCK);
        tar.member("b").padding = Some(vec![7]);
        assert_eq!(tar.to_bytes().len(), (2 + 1 + 1 + 2) * BLOCK + 514);
    }
}
