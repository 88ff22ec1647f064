// SPDX-License-Identifier: Apache-2.0
//! Building Zephyr applications with CMake, each in a folder of its own that is kept.

use std::path::{Path, PathBuf};

use crate::elf::Elf;
use crate::run::{output, target_dir};
use crate::size::budget::Bytes;
use crate::size::map::{self, Piece};
use crate::zephyr::{Zephyr, cargo_dir};

const BOARD: &str = "nucleo_l4a6zg";

/// An image that was built.
pub(crate) struct Image {
    pub(crate) elf: Elf,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) folder: PathBuf,
    /// Bytes, as the linker reports them.
    pub(crate) bytes: Bytes,
}

impl Image {
    fn read(folder: PathBuf) -> Result<Self, String> {
        let elf = Elf::read(&folder.join("zephyr/zephyr.elf"))?;
        let map = folder.join("zephyr/zephyr.map");
        let text = std::fs::read(&map).map_err(|error| format!("{}: {error}", map.display()))?;
        let pieces = map::parse(&String::from_utf8_lossy(&text));
        // Without them the client would seem to cost nothing.
        let value =
            |name: &str| elf.value(name).ok_or_else(|| format!("{}: no symbol {name}", folder.display()));
        let bytes = Bytes { flash: value("_flash_used")?, ram: value("_image_ram_size")? };
        Ok(Self { elf, pieces, folder, bytes })
    }
}

/// Builds an application. `options` are for CMake; a change of them takes effect in a folder that exists already.
pub(crate) fn image(zephyr: &Zephyr, name: &str, source: &Path, options: &[String]) -> Result<Image, String> {
    let folder = target_dir().join(format!("size-{name}"));
    let mut configure = zephyr.command("cmake");
    configure.arg("-GNinja").arg("-B").arg(&folder).arg("-S").arg(source).arg(format!("-DBOARD={BOARD}"));
    configure.arg(cargo_dir()).args(options);
    // Variables outlive a run of CMake in its cache; what was given before is forgotten.
    if changed(&folder, options)? {
        configure.arg("--fresh");
    }
    let told = output(&mut configure);
    if !told.ok {
        return Err(format!("{name} does not configure:\n{}", told.text));
    }
    let told = output(zephyr.command("ninja").arg("-C").arg(&folder));
    if !told.ok {
        return Err(format!("{name} does not build:\n{}", tail(&told.text)));
    }
    Image::read(folder)
}

/// Whether the folder was configured with other options; remembers these.
fn changed(folder: &Path, options: &[String]) -> Result<bool, String> {
    let file = folder.join("options.txt");
    let now = options.join("\n");
    let before = std::fs::read_to_string(&file).ok();
    let write = || {
        std::fs::create_dir_all(folder)?;
        std::fs::write(&file, &now)
    };
    write().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(before.is_some_and(|before| before != now))
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
