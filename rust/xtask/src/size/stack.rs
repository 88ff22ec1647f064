// SPDX-License-Identifier: Apache-2.0
//! The deepest path through the client's own functions, from the machine code: what each pushes, and whom it calls.
//!
//! Calls through pointers are not followed (stages of the update machine, the application's callbacks), nor are functions of
//! Zephyr and Mbed TLS: for those there is the high-water mark that tests/stack measures.

use std::collections::BTreeMap;

use crate::run::{Output, output};
use crate::size::build::Image;
use crate::zephyr::Zephyr;

/// What runs in the thread of the client.
const ROOT: &str = "mender_client_poll";

/// One function.
#[derive(Debug, Default)]
struct Function {
    name: String,
    frame: u64,
    calls: Vec<u64>,
    /// Calls through pointers.
    indirect: u32,
}

/// Bytes, and the functions from the root to the deepest, each with its own bytes.
type Path = (u64, Vec<(String, u64)>);

/// The figures as text.
pub(super) fn explain(zephyr: &Zephyr, image: &Image) -> Result<String, String> {
    let elf = image.folder.join("zephyr/zephyr.elf");
    let Output { ok, text } = output(zephyr.command("arm-none-eabi-objdump").arg("-d").arg(elf));
    if !ok {
        return Err(text);
    }
    let ours = |address: u64| {
        let mut pieces = image.pieces.iter().filter(|piece| piece.library().starts_with("mender_mcu"));
        pieces.any(|piece| (piece.address..piece.address + piece.size).contains(&address))
    };
    let mut functions = parse(&text);
    functions.retain(|address, _| ours(*address));
    let root = functions.iter().find(|(_, function)| function.name == ROOT).map(|(address, _)| *address);
    let root = root.ok_or_else(|| format!("{ROOT} is not in the image"))?;
    let mut known = BTreeMap::new();
    let (bytes, path) = deepest(&functions, root, &mut Vec::new(), &mut known)?;
    let indirect: u32 = functions.values().map(|function| function.indirect).sum();
    let mut told = format!("\nstack of {ROOT}, our own functions: {bytes} bytes at most, by\n");
    for (name, frame) in path {
        told += &format!("{frame:>8}   {}\n", super::map::demangled(&name));
    }
    told += &format!(
        "{indirect} calls through pointers and all calls of Zephyr are not in it; there is no recursion\n"
    );
    Ok(told)
}

/// Functions by address, from `objdump -d` of Thumb code.
fn parse(text: &str) -> BTreeMap<u64, Function> {
    let mut functions = BTreeMap::new();
    let mut at = 0;
    for line in text.lines() {
        if let Some((address, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            at = hex(address).unwrap_or(0);
            functions.insert(at, Function { name: name.to_owned(), ..Function::default() });
            continue;
        }
        let Some(function) = functions.get_mut(&at) else { continue };
        let mut fields = line.split('\t').skip(2);
        let (mnemonic, operands) = (fields.next().unwrap_or("").trim(), fields.next().unwrap_or(""));
        function.frame += pushed(mnemonic, operands);
        match mnemonic {
            "blx" => function.indirect += 1,
            // A call, or the last act of a function; branches within it begin behind its own address.
            "bl" | "b.w" | "b.n" | "b" => {
                let target = operands.split_whitespace().next().and_then(hex);
                function.calls.extend(target.filter(|target| *target != at || mnemonic == "bl"));
            }
            _ => {}
        }
    }
    functions
}

/// Bytes that an instruction takes of the stack.
fn pushed(mnemonic: &str, operands: &str) -> u64 {
    let number =
        |text: &str| text.split('#').nth(1).and_then(|n| n.split([' ', ']', ',']).next()?.parse().ok());
    match mnemonic {
        "push" | "stmdb" if mnemonic == "push" || operands.starts_with("sp!") => {
            let list = operands.split(['{', '}']).nth(1).unwrap_or("");
            list.split(',').map(|register| if register.contains('-') { range(register) } else { 4 }).sum()
        }
        "sub" | "sub.w" | "subw" if operands.starts_with("sp") => number(operands).unwrap_or(0),
        "str.w" | "strd" if operands.contains("[sp, #-") => number(&operands.replace("#-", "#")).unwrap_or(0),
        _ => 0,
    }
}

/// `r4-r7`
fn range(text: &str) -> u64 {
    let number = |register: &str| register.trim().trim_start_matches('r').parse::<u64>().unwrap_or(0);
    text.split_once('-').map_or(4, |(first, last)| 4 * (1 + number(last).saturating_sub(number(first))))
}

fn deepest(
    functions: &BTreeMap<u64, Function>,
    at: u64,
    above: &mut Vec<u64>,
    known: &mut BTreeMap<u64, Path>,
) -> Result<Path, String> {
    let Some(function) = functions.get(&at) else { return Ok((0, Vec::new())) };
    if let Some(path) = known.get(&at) {
        return Ok(path.clone());
    }
    if above.contains(&at) {
        return Err(format!("{} calls itself, by others", super::map::demangled(&function.name)));
    }
    above.push(at);
    let mut most: Path = (0, Vec::new());
    for call in &function.calls {
        let path = deepest(functions, *call, above, known)?;
        if path.0 > most.0 {
            most = path;
        }
    }
    above.pop();
    most.0 += function.frame;
    most.1.insert(0, (function.name.clone(), function.frame));
    known.insert(at, most.clone());
    Ok(most)
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim(), 16).ok()
}

#[cfg(test)]
mod own_tests {
    use super::*;

    const CODE: &str = "\
08010400 <mender_client_poll>:
 8010400:\tb570      \tpush\t{r4, r5, r6, lr}
 8010402:\tb084      \tsub\tsp, #16
 8010404:\tf000 f804 \tbl\t8010420 <step>
 8010408:\te7fe      \tb.n\t8010404 <mender_client_poll+0x4>
 801040a:\t4798      \tblx\tr3

08010420 <step>:
 8010420:\te92d 47f0 \tstmdb\tsp!, {r4-r7, lr}
 8010424:\tf5ad 7d00 \tsub.w\tsp, sp, #512\t@ 0x200
 8010428:\tf84d ed08 \tstr.w\tlr, [sp, #-8]!
 801042c:\tf000 f804 \tb.w\t8010500 <zephyr>
";

    #[test]
    fn frames_add_up_along_the_calls() {
        let functions = parse(CODE);
        let (bytes, path) = deepest(&functions, 0x0801_0400, &mut Vec::new(), &mut BTreeMap::new()).unwrap();
        let step = 5 * 4 + 512 + 8;
        assert_eq!(bytes, 16 + 16 + step);
        assert_eq!(path, [("mender_client_poll".to_owned(), 32), ("step".to_owned(), step)]);
        assert_eq!(functions.values().map(|function| function.indirect).sum::<u32>(), 1);
    }

    #[test]
    fn recursion_is_an_error() {
        let code = CODE.replace("8010500 <zephyr>", "8010400 <mender_client_poll>");
        let told = deepest(&parse(&code), 0x0801_0400, &mut Vec::new(), &mut BTreeMap::new());
        assert_eq!(told.unwrap_err(), "mender_client_poll calls itself, by others");
    }
}
