// SPDX-License-Identifier: Apache-2.0
//! The map file of GNU ld: which object each byte of the image comes from.

use crate::elf::Elf;

/// A piece of the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Input section, as `.text.main`.
    pub(crate) section: String,
    /// File it comes from, as `app/libapp.a(main.c.obj)`.
    pub(crate) file: String,
    pub(crate) address: u64,
    pub(crate) size: u64,
}

impl Piece {
    /// The archive without `lib` and `.a`, or the object.
    pub(crate) fn library(&self) -> &str {
        let file = self.file.split('(').next().unwrap_or_default();
        let name = file.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".a").unwrap_or(name);
        name.strip_prefix("lib").unwrap_or(name)
    }

    /// The symbol that the section is named after, demangled; what remains of the name where there is none.
    pub(crate) fn symbol(&self) -> String {
        let kinds = [".text.unlikely.", ".text.", ".rodata.", ".data.rel.ro.", ".data.", ".bss.", ".noinit."];
        let name = kinds.iter().find_map(|kind| self.section.strip_prefix(kind)).unwrap_or(&self.section);
        if name.starts_with(".L") || name.starts_with("cst") || name.starts_with("str") {
            return "constants".to_owned();
        }
        // A stack's section has the name of its file.
        if let Some((file, _)) = name.split('/').next_back().and_then(|file| file.split_once('"')) {
            return format!("stack in {file}");
        }
        demangled(name)
    }

    /// The crate of a Rust symbol; of one in another crate's code, as of `core` for `mender_api`, the latter.
    pub(crate) fn krate(&self) -> String {
        let symbol = self.symbol();
        let Some((first, _)) = symbol.split_once("::") else {
            // What C calls has no path.
            return if symbol == "constants" { symbol } else { "mender_ffi".to_owned() };
        };
        match symbol.find("mender_") {
            Some(at) => symbol[at..].split("::").next().unwrap_or_default().to_owned(),
            None if first.contains('[') => "core".to_owned(),
            None => first.trim_start_matches(['<', '&', '(']).to_owned(),
        }
    }
}

/// A symbol as people read it, without the one type that our generic functions have.
pub(crate) fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name)).replace("::<mender_ffi::port::Ports>", "")
}

/// All pieces that have an address, from the text of a map file.
pub(crate) fn parse(text: &str) -> Vec<Piece> {
    let start = text.find("Linker script and memory map").unwrap_or(0);
    let mut pieces = Vec::new();
    let mut name = "";
    for line in text[start..].lines() {
        // Output sections begin at the margin, input sections after one blank. A long name stands on a line of its own.
        let Some(rest) = line.strip_prefix(' ') else {
            name = "";
            continue;
        };
        let fields = if rest.starts_with(' ') {
            if name.is_empty() { None } else { numbers(name, rest.trim_start()) }
        } else {
            let (first, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            name = first;
            if rest.trim().is_empty() {
                continue;
            }
            numbers(first, rest.trim_start())
        };
        name = "";
        pieces.extend(fields);
    }
    pieces
}

/// `0xADDRESS 0xSIZE FILE`
fn numbers(section: &str, rest: &str) -> Option<Piece> {
    let (address, rest) = rest.split_once(char::is_whitespace)?;
    let (size, file) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
    let number = |text: &str| u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok();
    let (address, size) = (number(address)?, number(size)?);
    let file = if section == "*fill*" { "alignment" } else { file.trim() };
    if file.is_empty() || size == 0 {
        return None;
    }
    Some(Piece { section: section.to_owned(), file: file.to_owned(), address, size })
}

/// Where a piece takes room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) flash: bool,
    pub(crate) ram: bool,
}

/// Where a piece takes room; `None` for what is not loaded. What is in RAM with a value takes flash, too.
pub(crate) fn room(elf: &Elf, piece: &Piece) -> Option<Room> {
    let ram_start = elf.value("_image_ram_start")?;
    let ram_end = elf.value("_image_ram_end")?;
    let section = elf.sections.iter().find(|s| (s.address..s.address + s.size).contains(&piece.address))?;
    let ram = (ram_start..ram_end).contains(&piece.address);
    Some(Room { flash: section.has_bytes(), ram })
}

#[cfg(test)]
mod own_tests {
    use super::*;

    const MAP: &str = "\
Discarded input sections

 .text          0x00000000        0x0 a.o

Linker script and memory map

text            0x08010400    0x2f8b4
 .text.main     0x08010400       0x12 app/libapp.a(main.c.obj)
 .text._RNvMs_NtCs8Y2KrNA1TJ5_10mender_ffi6singletonNtB4_9Singleton4init
                0x08010414       0x30 modules/x/libmender_mcu.a(mender_mcu.o)
                0x08010414                main
 *fill*         0x08010412        0x2 
 .rodata..Lanon.abc.5
                0x08010444        0x8 modules/x/libmender_mcu.a(mender_mcu.o)
                0x0801044c                . = ALIGN (0x4)
";

    #[test]
    fn every_piece_has_its_file() {
        let pieces = parse(MAP);
        let told: Vec<_> = pieces.iter().map(|p| (p.library(), p.krate(), p.address, p.size)).collect();
        let wanted = [
            ("app", "mender_ffi", 0x0801_0400, 0x12),
            ("mender_mcu", "mender_ffi", 0x0801_0414, 0x30),
            ("alignment", "mender_ffi", 0x0801_0412, 2),
            ("mender_mcu", "constants", 0x0801_0444, 8),
        ];
        assert_eq!(told, wanted.map(|(l, k, a, s)| (l, k.to_owned(), a, s)));
    }
}
