// SPDX-License-Identifier: Apache-2.0
//! The manifest: SHA-256 of `version`, the header and every payload file, one line each (artifact format v3; §7.4).

use crate::member::Member;
use mender_base::sha256::{Hasher, Sha256};
use mender_base::text::hex_digit;
use mender_base::{Error, limits};

/// The first bytes of the SHA-256 of a payload file's name stand for the name: 96 bits make a second name
/// for a signed file infeasible to find, and 14 names take 168 bytes.
type NameHash = [u8; 12];

#[derive(Clone, Copy)]
struct File {
    name: NameHash,
    hash: Sha256,
}

/// What the manifest lists, and which of it was delivered.
#[repr(C)]
pub(crate) struct Manifest {
    count: u8,
    has_version: bool,
    has_header: bool,
    /// Bit of each file that was begun.
    delivered: u16,
    line_len: u16,
    header: Sha256,
    files: [File; limits::FILES_MAX],
}

const LINE_MAX: usize = 64 + 2 + DIRECTORY.len() + limits::FILE_NAME_MAX;
const DIRECTORY: &[u8] = b"data/0000/";

impl Manifest {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self {
            files: [File { name: [0; 12], hash: [0; 32] }; limits::FILES_MAX],
            count: 0,
            delivered: 0,
            has_version: false,
            has_header: false,
            header: [0; 32],
            line_len: 0,
        }
    }

    /// Lists nothing. What lies behind `count` is not looked at.
    pub(crate) fn clear(&mut self) {
        (self.count, self.delivered, self.line_len) = (0, 0, 0);
        (self.has_version, self.has_header) = (false, false);
    }

    /// Takes bytes of the manifest. `line` keeps the current line between calls; `version` is the hash of that member.
    pub(crate) fn feed<H: Hasher>(
        &mut self,
        input: &[u8],
        line: &mut [u8],
        version: &Sha256,
    ) -> Result<(), Error> {
        for byte in input {
            if *byte == b'\n' {
                let whole = line.get(..self.line_len.into()).unwrap_or_default();
                self.line_len = 0;
                self.line::<H>(whole, version)?;
                continue;
            }
            let to = line.get_mut(..LINE_MAX).and_then(|line| line.get_mut(usize::from(self.line_len)));
            *to.ok_or(Error::Manifest)? = *byte;
            self.line_len = self.line_len.saturating_add(1);
        }
        Ok(())
    }

    #[inline(never)]
    fn line<H: Hasher>(&mut self, line: &[u8], version: &Sha256) -> Result<(), Error> {
        let mut hash = [0; 32];
        let name = parse(line, &mut hash).ok_or(Error::Manifest)?;
        let name = match Member::named(name) {
            Ok(Member::Version) => return self.version(hash == *version),
            Ok(Member::Header) => {
                self.header = hash;
                return if core::mem::replace(&mut self.has_header, true) {
                    Err(Error::ManifestTwice)
                } else {
                    Ok(())
                };
            }
            Err(Error::MemberUnknown) => name.strip_prefix(DIRECTORY).filter(|name| is_file_name(name)),
            Err(error) => return Err(error),
            Ok(_) => None,
        };
        let name = name.ok_or(Error::Manifest)?;
        let name = name_hash::<H>(name);
        if self.find(&name).is_some() {
            return Err(Error::ManifestTwice);
        }
        *self.files.get_mut(usize::from(self.count)).ok_or(Error::ManifestFull)? = File { name, hash };
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    fn version(&mut self, same: bool) -> Result<(), Error> {
        if core::mem::replace(&mut self.has_version, true) {
            return Err(Error::ManifestTwice);
        }
        if same { Ok(()) } else { Err(Error::VersionHash) }
    }

    #[inline(never)]
    fn listed(&self) -> &[File] {
        self.files.get(..self.count.into()).unwrap_or_default()
    }

    fn find(&self, name: &NameHash) -> Option<usize> {
        self.listed().iter().position(|file| file.name == *name)
    }

    /// The manifest has ended.
    pub(crate) fn end(&self) -> Result<(), Error> {
        // Go's reader would ignore a last line without its line feed.
        let whole = self.line_len == 0 && self.has_version && self.has_header;
        if whole { Ok(()) } else { Err(Error::Manifest) }
    }

    /// The header's hash is the one listed.
    pub(crate) fn is_header(&self, hash: &Sha256) -> bool {
        self.has_header && self.header == *hash
    }

    /// A payload file of that name begins: its place in the manifest.
    pub(crate) fn begin_file<H: Hasher>(&mut self, name: &[u8]) -> Result<usize, Error> {
        if !is_file_name(name) {
            return Err(Error::FileName);
        }
        let place = self.find(&name_hash::<H>(name)).ok_or(Error::FileUnlisted)?;
        let bit = bit(place);
        if self.delivered & bit != 0 {
            return Err(Error::FileTwice);
        }
        self.delivered |= bit;
        Ok(place)
    }

    /// The hash listed at that place.
    pub(crate) fn sum(&self, place: usize) -> &Sha256 {
        self.listed().get(place).map_or(&[0; 32], |file| &file.hash)
    }

    /// The hash listed at that place is this one.
    pub(crate) fn is_file(&self, place: usize, hash: &Sha256) -> bool {
        self.listed().get(place).is_some_and(|file| file.hash == *hash)
    }

    /// Every listed file was delivered.
    pub(crate) fn is_complete(&self) -> bool {
        self.delivered == bit(self.count.into()).wrapping_sub(1)
    }
}

fn bit(place: usize) -> u16 {
    1u16.wrapping_shl(u32::try_from(place).unwrap_or(0))
}

fn name_hash<H: Hasher>(name: &[u8]) -> NameHash {
    let hash = mender_base::sha256::digest::<H>(name);
    hash.first_chunk().copied().unwrap_or_default()
}

/// Name, and hash, of `<64 lowercase hex><2 spaces><name>`.
fn parse<'l>(line: &'l [u8], hash: &mut Sha256) -> Option<&'l [u8]> {
    let (hex, rest) = line.split_at_checked(64)?;
    let name = rest.strip_prefix(b"  ")?;
    let (pairs, _) = hex.as_chunks::<2>();
    for (to, [high, low]) in hash.iter_mut().zip(pairs) {
        *to = lower_hex(*high)?.wrapping_shl(4) | lower_hex(*low)?;
    }
    Some(name)
}

fn lower_hex(byte: u8) -> Option<u8> {
    hex_digit(byte).filter(|_| !byte.is_ascii_uppercase())
}

/// `^[\w\-.,]+$` in ASCII, other than the two names every directory has; short enough for [`limits::FILE_NAME_MAX`].
fn is_file_name(name: &[u8]) -> bool {
    let fits = !name.is_empty() && name.len() <= limits::FILE_NAME_MAX && name != b"." && name != b"..";
    fits && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b','))
}
