// SPDX-License-Identifier: Apache-2.0
//! What the client costs an application: images with it minus the image without it, never archives.

mod budget;
mod build;
pub(crate) mod features;
mod map;
pub(crate) mod skeleton;
mod stack;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::report::Outcome;
use crate::run::{clean, in_pairs, output, root};
use crate::zephyr::Zephyr;
use budget::{Bytes, Limit};
use build::Image;

/// The variant whose parts are shown, where it is among those asked for.
const DEFAULT: &str = "default";
/// Lines of the list of largest symbols.
const LARGEST: usize = 30;
/// Pieces of a library that differ by less are not listed.
const WORTH: i64 = 64;

fn folder() -> PathBuf {
    root().join("tests/footprint")
}

fn limits() -> Result<Vec<Limit>, String> {
    let file = folder().join("budget.toml");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    budget::parse(&text)
}

/// What one variant adds.
struct Row {
    name: String,
    total: Bytes,
    adds: Bytes,
    limit: Bytes,
}

/// All that was measured.
struct Measured {
    base: Bytes,
    rows: Vec<Row>,
    target: Bytes,
    /// What the largest parts of the default are, or of the last variant.
    parts: String,
}

impl Measured {
    /// How far the default is from the target, where it was measured.
    fn way(&self) -> Option<String> {
        let row = self.rows.iter().find(|row| row.name == DEFAULT)?;
        Some(budget::distance(DEFAULT, row.adds, self.target))
    }
}

/// The budget as a check.
pub(crate) fn check(zephyr: &Zephyr) -> Outcome {
    match measure(zephyr, &[]) {
        Ok(measured) => {
            let told: Vec<_> =
                measured.rows.iter().map(|r| format!("{} {}/{}", r.name, r.adds.flash, r.adds.ram)).collect();
            let (wrong, hints) = judge(&measured.rows);
            let way = measured.way().unwrap_or_default();
            let note = format!("flash/RAM added: {}; {way}\n{hints}", told.join(", "));
            Outcome::of(wrong, note.trim_end())
        }
        Err(error) => Outcome::failed(error),
    }
}

/// The figures as a table; `names` are the variants, all when there are none. The second is what is above the budget.
pub(crate) fn table(zephyr: &Zephyr, names: &[&str]) -> Result<(String, String), String> {
    let measured = measure(zephyr, names)?;
    let mut text =
        String::from("bytes                flash      RAM   + flash    + RAM   budget: flash     RAM\n");
    let base = measured.base;
    line(&mut text, format_args!("{:<16} {:>9} {:>8}", "without client", base.flash, base.ram));
    for row in &measured.rows {
        let Row { name, total, adds, limit } = row;
        line(
            &mut text,
            format_args!(
                "{name:<16} {:>9} {:>8} {:>9} {:>8} {:>15} {:>7}",
                total.flash, total.ram, adds.flash, adds.ram, limit.flash, limit.ram
            ),
        );
    }
    let Bytes { flash, ram } = measured.target;
    line(&mut text, format_args!("{:<16} {:>9} {:>8} {flash:>9} {ram:>8}", "target", "", ""));
    if let Some(way) = measured.way() {
        line(&mut text, format_args!("{way}"));
    }
    text += &measured.parts;
    let (wrong, hints) = judge(&measured.rows);
    text += &hints;
    Ok((text, wrong))
}

fn judge(rows: &[Row]) -> (String, String) {
    let (mut wrong, mut hints) = (String::new(), String::new());
    for Row { name, adds, limit, .. } in rows {
        let figures = [("flash", adds.flash, limit.flash), ("RAM", adds.ram, limit.ram)];
        for (over, told) in
            figures.iter().filter_map(|(what, is, limit)| budget::judge(name, what, *is, *limit))
        {
            let to = if over { &mut wrong } else { &mut hints };
            line(to, format_args!("{told}"));
        }
    }
    (wrong, hints)
}

fn measure(zephyr: &Zephyr, names: &[&str]) -> Result<Measured, String> {
    let mut limits = limits()?;
    let target = take(&mut limits, "target")?.bytes;
    if let Some(unknown) = names.iter().find(|name| !limits.iter().any(|limit| limit.name == **name)) {
        let known: Vec<_> = limits.iter().map(|limit| limit.name.as_str()).collect();
        return Err(format!(
            "no variant {unknown} in tests/footprint/budget.toml; there are {}",
            known.join(", ")
        ));
    }
    limits.retain(|limit| names.is_empty() || names.contains(&limit.name.as_str()));
    let mut builds = vec![("without", vec![])];
    builds.extend(limits.iter().map(|limit| (limit.name.as_str(), vec![configuration(&limit.name)])));
    let images = in_pairs(&builds, |(name, options)| build::image(zephyr, name, &folder(), options));
    let mut images = images.into_iter();
    let base = images.next().ok_or("nothing was built")??;
    let mut rows = Vec::new();
    let (mut parts, mut parts_are_default) = (String::new(), false);
    for (Limit { name, bytes: limit }, image) in limits.iter().zip(images) {
        let (image, limit) = (image?, *limit);
        let total = image.bytes;
        let adds = total.beyond(base.bytes);
        if name == DEFAULT || !parts_are_default {
            parts = explain(name, &base, &image)? + &stack::explain(zephyr, &image)?;
            parts_are_default = name == DEFAULT;
        }
        rows.push(Row { name: name.clone(), total, adds, limit });
    }
    Ok(Measured { base: base.bytes, rows, target, parts })
}

fn take(limits: &mut Vec<Limit>, name: &str) -> Result<Limit, String> {
    let at = limits.iter().position(|limit| limit.name == name);
    at.map(|at| limits.remove(at)).ok_or_else(|| format!("tests/footprint/budget.toml has no [{name}]"))
}

fn configuration(name: &str) -> String {
    let folder = folder();
    let files = [folder.join("client.conf"), folder.join(format!("variants/{name}.conf"))];
    format!("-DEXTRA_CONF_FILE={}", files.map(|file| file.display().to_string()).join(";"))
}

// ---- where the bytes are

/// Flash and RAM by some name.
type Sums = BTreeMap<String, (i64, i64)>;

fn sums(image: &Image, key: impl Fn(&map::Piece) -> Option<String>) -> Sums {
    let mut sums = Sums::new();
    for piece in &image.pieces {
        let (Some(key), Some(room)) = (key(piece), map::room(&image.elf, piece)) else { continue };
        let sum = sums.entry(key).or_default();
        let size = i64::try_from(piece.size).unwrap_or(0);
        sum.0 += if room.flash { size } else { 0 };
        sum.1 += if room.ram { size } else { 0 };
    }
    sums
}

fn explain(name: &str, base: &Image, image: &Image) -> Result<String, String> {
    let by_library = |piece: &map::Piece| Some(piece.library().to_owned());
    let mut libraries = sums(image, by_library);
    for (library, (flash, ram)) in sums(base, by_library) {
        let sum = libraries.entry(library).or_default();
        *sum = (sum.0 - flash, sum.1 - ram);
    }
    let rust = |piece: &map::Piece| piece.library() == "mender_mcu";
    let ours = |piece: &map::Piece| piece.library().starts_with("mender_mcu");
    let crates = sums(image, |piece| rust(piece).then(|| piece.krate()));
    let symbols = sums(image, |piece| ours(piece).then(|| piece.symbol()));
    let mut text = String::new();
    section(&mut text, &format!("{name}, by library"), &libraries, usize::MAX);
    section(&mut text, "Rust, by crate", &crates, usize::MAX);
    section(&mut text, "our largest symbols", &symbols, LARGEST);
    differences(&mut text, &base.folder, &image.folder)?;
    Ok(text)
}

fn section(text: &mut String, title: &str, sums: &Sums, most: usize) {
    line(text, format_args!("\n   flash      RAM   {title}"));
    let mut sums: Vec<_> = sums.iter().filter(|(_, sum)| sum.0.abs().max(sum.1.abs()) >= WORTH).collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.0.abs().max(sum.1.abs())));
    for (name, (flash, ram)) in sums.into_iter().take(most) {
        line(text, format_args!("{flash:>8} {ram:>8}   {name}"));
    }
}

/// Settings of Zephyr that differ: what they cost is not the client's own, and belongs into psa.conf if the client needs it.
fn differences(text: &mut String, base: &Path, image: &Path) -> Result<(), String> {
    let read = |folder: &Path| {
        let file = folder.join("zephyr/.config");
        std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
    };
    let (before, after) = (read(base)?, read(image)?);
    let is_setting = |line: &&str| line.starts_with("CONFIG_") && !line.starts_with("CONFIG_MENDER_MCU");
    let before: Vec<_> = before.lines().filter(is_setting).collect();
    let other: Vec<_> = after.lines().filter(is_setting).filter(|line| !before.contains(line)).collect();
    if !other.is_empty() {
        line(text, format_args!("\nother settings of Zephyr than without: {}", other.join(" ")));
    }
    Ok(())
}

/// Digits in groups of three, as the documents have them.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The commit that is measured.
fn state() -> String {
    let told = output(clean("git").args(["describe", "--always", "--dirty"]));
    if told.ok { told.text.trim().to_owned() } else { "an unknown commit".to_owned() }
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    writeln!(text, "{what}").ok();
}

#[cfg(test)]
mod own_tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        for (number, text) in
            [(0, "0"), (844, "844"), (1000, "1 000"), (219_468, "219 468"), (1_000_000, "1 000 000")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
