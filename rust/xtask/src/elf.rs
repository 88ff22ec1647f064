// SPDX-License-Identifier: Apache-2.0
//! Just enough of ELF (System V ABI, "Object Files"), little-endian, 32 and 64 bits: sections, symbols, bytes at addresses.

use std::ops::Range;
use std::path::Path;

/// A section that is loaded.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) address: u64,
    pub(crate) size: u64,
    /// Where its bytes are in the file; `None` when there are none (`.bss`).
    bytes: Option<Range<usize>>,
}

impl Section {
    /// Its bytes are in the file; `.bss` has none.
    pub(crate) fn has_bytes(&self) -> bool {
        self.bytes.is_some()
    }
}

/// A symbol with a name.
pub(crate) struct Symbol {
    pub(crate) name: String,
    /// Its address, mostly.
    pub(crate) value: u64,
    pub(crate) size: u64,
    /// It is defined elsewhere.
    pub(crate) undefined: bool,
    /// It is a function.
    pub(crate) function: bool,
}

/// A linked program.
pub(crate) struct Elf {
    data: Vec<u8>,
    /// 4 or 8.
    pub(crate) word: usize,
    pub(crate) sections: Vec<Section>,
    pub(crate) symbols: Vec<Symbol>,
}

const SHT_SYMTAB: u64 = 2;
const SHT_NOBITS: u64 = 8;
const SHF_ALLOC: u64 = 2;
const STT_FUNC: u8 = 2;

struct Header {
    name: usize,
    kind: u64,
    flags: u64,
    address: u64,
    offset: usize,
    size: usize,
    link: usize,
}

impl Elf {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let data = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(data).ok_or_else(|| format!("{}: not a little-endian ELF file", path.display()))
    }

    fn parse(data: Vec<u8>) -> Option<Self> {
        let word = match data.get(..6)? {
            [0x7f, b'E', b'L', b'F', 1, 1] => 4,
            [0x7f, b'E', b'L', b'F', 2, 1] => 8,
            _ => return None,
        };
        let mut elf = Self { data, word, sections: Vec::new(), symbols: Vec::new() };
        let wide = word == 8;
        let table = elf.number(if wide { 40 } else { 32 }, word)? as usize;
        let at = if wide { 58 } else { 46 };
        let (entry, count, names) =
            (elf.number(at, 2)? as usize, elf.number(at + 2, 2)? as usize, elf.number(at + 4, 2)? as usize);
        let headers = (0..count).map(|n| elf.header(table + n * entry)).collect::<Option<Vec<_>>>()?;
        let names = headers.get(names)?.offset;
        for header in &headers {
            if header.flags & SHF_ALLOC != 0 {
                let bytes = (header.kind != SHT_NOBITS).then_some(header.offset..header.offset + header.size);
                let name = elf.name(names + header.name)?;
                elf.sections.push(Section { name, address: header.address, size: header.size as u64, bytes });
            }
            if header.kind == SHT_SYMTAB {
                let strings = headers.get(header.link)?.offset;
                let size = if wide { 24 } else { 16 };
                for n in 1..header.size / size {
                    let symbol = elf.symbol(header.offset + n * size, strings)?;
                    elf.symbols.push(symbol);
                }
            }
        }
        elf.symbols.retain(|symbol| !symbol.name.is_empty());
        Some(elf)
    }

    fn header(&self, at: usize) -> Option<Header> {
        let w = self.word;
        Some(Header {
            name: self.number(at, 4)? as usize,
            kind: self.number(at + 4, 4)?,
            flags: self.number(at + 8, w)?,
            address: self.number(at + 8 + w, w)?,
            offset: self.number(at + 8 + 2 * w, w)? as usize,
            size: self.number(at + 8 + 3 * w, w)? as usize,
            link: self.number(at + 8 + 4 * w, 4)? as usize,
        })
    }

    fn symbol(&self, at: usize, strings: usize) -> Option<Symbol> {
        let (info, section, value, size) = if self.word == 8 { (4, 6, 8, 16) } else { (12, 14, 4, 8) };
        Some(Symbol {
            name: self.name(strings + self.number(at, 4)? as usize)?,
            value: self.number(at + value, self.word)?,
            size: self.number(at + size, self.word)?,
            undefined: self.number(at + section, 2)? == 0,
            function: self.number(at + info, 1)? as u8 & 15 == STT_FUNC,
        })
    }

    fn number(&self, at: usize, len: usize) -> Option<u64> {
        let bytes = self.data.get(at..at + len)?;
        Some(bytes.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn name(&self, at: usize) -> Option<String> {
        let rest = self.data.get(at..)?;
        let len = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..len]).into_owned())
    }

    /// Size of a section, 0 when it is not there.
    pub(crate) fn section_size(&self, name: &str) -> u64 {
        self.sections.iter().filter(|section| section.name == name).map(|section| section.size).sum()
    }

    /// Size of a symbol.
    pub(crate) fn symbol_size(&self, name: &str) -> Option<u64> {
        self.symbols.iter().find(|symbol| symbol.name == name).map(|symbol| symbol.size)
    }

    /// Value of a symbol.
    pub(crate) fn value(&self, name: &str) -> Option<u64> {
        self.symbols.iter().find(|symbol| symbol.name == name).map(|symbol| symbol.value)
    }

    /// Bytes at an address.
    fn at(&self, address: u64, len: usize) -> Option<&[u8]> {
        let section = self.sections.iter().find(|s| (s.address..s.address + s.size).contains(&address))?;
        let start = section.bytes.as_ref()?.start + usize::try_from(address - section.address).ok()?;
        self.data.get(start..start.checked_add(len)?)
    }

    /// The source positions of the panics that are in the program: each is a `core::panic::Location`, which begins with the
    /// address and the length of a file's name and ends with line and column.
    pub(crate) fn panic_places(&self) -> Vec<String> {
        let mut places = Vec::new();
        for section in &self.sections {
            let Some(bytes) = section.bytes.clone() else { continue };
            for at in bytes.step_by(self.word) {
                places.extend(self.place(at));
            }
        }
        places.sort();
        places.dedup();
        places
    }

    fn place(&self, at: usize) -> Option<String> {
        let address = self.number(at, self.word)?;
        let len = self.number(at + self.word, self.word)? as usize;
        let name = std::str::from_utf8(self.at(address, len.min(1024))?).ok()?;
        if !name.ends_with(".rs") || name.contains(char::is_control) {
            return None;
        }
        let line = self.number(at + 2 * self.word, 4)?;
        Some(format!("{name}:{line}:{}", self.number(at + 2 * self.word + 4, 4)?))
    }
}
