// SPDX-License-Identifier: Apache-2.0
//! `include/mender_mcu.h`, the header of the C API, made from `rust/ffi` by cbindgen.
//!
//! The codes come from the table of `mender_base::Error`, everything else from the sources of `mender-ffi`, so that the header cannot
//! say what the library does not do. It is committed; `cargo xtask header --check` says whether it is fresh.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use cbindgen::{Builder, Config, DocumentationStyle, Language, Style};
use mender_base::Error;

/// A header that could not be made, for a person to read.
#[derive(Debug)]
pub struct Failed(String);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

/// The header, below the repository's root.
pub const PATH: &str = "include/mender_mcu.h";

const SOURCES: [&str; 2] = ["types.rs", "api.rs"];

const TOP: &str = "\
/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Mender client for microcontrollers: the application's interface.
 *
 * Functions return 0, or a negative code; outputs are written only on success, but where it is said; every pointer is checked for NULL.
 * The library cannot be linked beside another Mender client: both define `mender_` functions.
 */
/* Made from rust/ffi by `cargo xtask header`: edit there. */";

/// Whether the committed header is not what the sources say.
///
/// # Errors
/// As [`header`].
pub fn is_stale(root: &Path) -> Result<bool, Failed> {
    let fresh = header(root)?;
    Ok(fs::read_to_string(root.join(PATH)).ok() != Some(fresh))
}

/// The header's text.
///
/// # Errors
/// A source cannot be read, or cbindgen does not understand it.
pub fn header(root: &Path) -> Result<String, Failed> {
    let folder = tempfile::tempdir().map_err(|e| Failed(format!("no temporary folder: {e}")))?;
    let mut config = config();
    let mut builder = Builder::new();
    for name in SOURCES {
        let path = root.join("rust/ffi/src").join(name);
        let source =
            fs::read_to_string(&path).map_err(|e| Failed(format!("cannot read {}: {e}", path.display())))?;
        let copy = folder.path().join(name);
        fs::write(&copy, readable(&source))
            .map_err(|e| Failed(format!("cannot write {}: {e}", copy.display())))?;
        builder = builder.with_src(copy);
        for name in type_names(&source) {
            let c_name = snake(&name);
            config.export.rename.insert(name, c_name);
        }
    }
    let bindings = builder.with_config(config).generate().map_err(|e| Failed(e.to_string()))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(finish(&String::from_utf8_lossy(&text)))
}

fn config() -> Config {
    let mut config = Config {
        language: Language::C,
        style: Style::Tag,
        cpp_compat: true,
        no_includes: true,
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::Doxy,
        tab_width: 8,
        line_length: 110,
        include_guard: Some("MENDER_MCU_H_".into()),
        header: Some(TOP.into()),
        after_includes: Some(format!("#include <stddef.h>\n#include <stdint.h>\n{}", codes())),
        ..Config::default()
    };
    config.function.sort_by = Some(cbindgen::SortKey::None);
    config.constant.sort_by = Some(cbindgen::SortKey::None);
    config
}

/// The source as cbindgen can read it.
fn readable(source: &str) -> String {
    source
        // A structure that C must not look into is one without a layout.
        .replace("#[repr(C)]\npub struct MenderPairs", "pub struct MenderPairs")
        .replace("\n/// # Safety\n/// ", "\n/// @pre ")
}

fn type_names(source: &str) -> Vec<String> {
    let after = source.split("pub struct ").skip(1);
    after.filter_map(|rest| rest.split([' ', '<', '{']).next().map(str::to_owned)).collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// One constant per error of the table.
fn codes() -> String {
    let mut text = String::from("\n");
    for error in Error::ALL {
        // Writing to a string does not fail.
        let name = snake(error.name()).to_uppercase();
        writeln!(text, "\n/** {}: {} */", capital(error.text()), error.advice().trim()).unwrap_or_default();
        writeln!(text, "#define MENDER_E_{name} (-{})", error.number()).unwrap_or_default();
    }
    writeln!(text, "\n/** Version of this header and its library. */").unwrap_or_default();
    write!(text, "#define MENDER_MCU_VERSION \"{}\"", env!("CARGO_PKG_VERSION")).unwrap_or_default();
    text
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Zephyr's style: tabs, short comments on one line, no `extern` before functions.
fn finish(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut out = String::new();
    let mut rest = &lines[..];
    let mut too_far = "";
    while let [line, behind @ ..] = rest {
        rest = behind;
        let one_line = match rest {
            [text, end, behind @ ..] if line.trim() == "/**" && end.trim() == "*/" => {
                let text = text.trim_start().trim_start_matches("* ");
                let indent = &line[..line.len() - line.trim_start().len()];
                rest = behind;
                format!("{indent}/** {text} */")
            }
            _ => (*line).to_owned(),
        };
        let line = match one_line.rsplit_once(" -") {
            // A number that is part of an expression keeps its sign.
            Some((define, digits)) if define.starts_with("#define ") => format!("{define} (-{digits})"),
            _ => one_line,
        };
        let mut line = line.strip_prefix(too_far).unwrap_or(&line);
        if let Some(function) = line.strip_prefix("extern ").filter(|l| !l.starts_with('"')) {
            line = function;
            // The next lines are aligned for a longer first one.
            too_far = "       ";
        }
        if line.ends_with(';') {
            too_far = "";
        }
        while let Some(rest) = line.strip_prefix("        ") {
            out.push('\t');
            line = rest;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_c_calls_them() {
        assert_eq!(snake("MenderUpdateModule"), "mender_update_module");
        assert_eq!(finish("  /**\n   * One.\n   */\nextern int f(void);\n"), "  /** One. */\nint f(void);\n");
        assert_eq!(finish("extern int f(int a,\n             int b);\n"), "int f(int a,\n      int b);\n");
        assert_eq!(finish("#define A -11"), "#define A (-11)\n");
        assert_eq!(type_names("#[repr(C)]\npub struct MenderPairs {\n"), ["MenderPairs"]);
    }
}
