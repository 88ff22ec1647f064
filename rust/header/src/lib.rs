// SPDX-License-Identifier: Apache-2.0
//! The C headers, made from `rust/ffi` by cbindgen: `include/mender_mcu.h` and `include/mender_port.h`.
//!
//! The codes come from the table of `mender_base::Error`, everything else from the sources of `mender-ffi`, so that a header cannot
//! say what the library does not do. The headers are committed; `cargo xtask header --check` says whether they are fresh.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

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

struct Header {
    path: &'static str,
    sources: &'static [&'static str],
    guard: &'static str,
    about: &'static str,
    includes: &'static str,
    /// Goes behind the includes.
    extra: fn() -> String,
}

const HEADERS: [Header; 2] = [
    Header {
        path: "include/mender_mcu.h",
        sources: &["types.rs", "api.rs"],
        guard: "MENDER_MCU_H_",
        about: "Mender client for microcontrollers: the application's interface.\n *\n \
                * Functions return 0, or a negative code; outputs are written only on success; every pointer is checked for NULL.\n \
                * The library cannot be linked beside another Mender client: both define `mender_` functions.",
        includes: "#include <stddef.h>\n#include <stdint.h>\n",
        extra: codes,
    },
    Header {
        path: "include/mender_port.h",
        sources: &["sys.rs"],
        guard: "MENDER_PORT_H_",
        about: "Mender client for microcontrollers: what a platform defines.\n *\n \
                * Every function must be defined. All but the lock, `mender_port_defaults` and the clock's wait and wake are called only\n \
                * from `mender_client_poll`, one at a time. They return at once, but for what their documentation says, and keep no pointer\n \
                * beyond the call. -errno is kept for the log, never interpreted, but for `MENDER_AGAIN` and -ENOENT.",
        includes: "#include <errno.h>\n#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n#include <mender_mcu.h>\n",
        extra: errno_check,
    },
];

/// Every header: its path below the repository's root, and its text.
///
/// # Errors
/// A source cannot be read, or cbindgen does not understand it.
pub fn headers(root: &Path) -> Result<Vec<(PathBuf, String)>, Failed> {
    HEADERS.iter().map(|header| Ok((root.join(header.path), generate(root, header)?))).collect()
}

/// The headers that are not what the sources say, of those that are committed.
///
/// # Errors
/// As [`headers`].
pub fn stale(root: &Path) -> Result<Vec<PathBuf>, Failed> {
    let fresh = headers(root)?;
    let stale = fresh.into_iter().filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text));
    Ok(stale.map(|(path, _)| path).collect())
}

fn generate(root: &Path, header: &Header) -> Result<String, Failed> {
    let folder = tempfile::tempdir().map_err(|e| Failed(format!("no temporary folder: {e}")))?;
    let mut config = config(header);
    let mut builder = Builder::new();
    for name in header.sources {
        let path = root.join("rust/ffi/src").join(name);
        let source =
            fs::read_to_string(&path).map_err(|e| Failed(format!("cannot read {}: {e}", path.display())))?;
        let readable = readable(&source);
        let copy = folder.path().join(name);
        fs::write(&copy, readable).map_err(|e| Failed(format!("cannot write {}: {e}", copy.display())))?;
        builder = builder.with_src(copy);
    }
    let types = root.join("rust/ffi/src/types.rs");
    let types =
        fs::read_to_string(&types).map_err(|e| Failed(format!("cannot read {}: {e}", types.display())))?;
    let defined_here = header.sources.contains(&"types.rs");
    for name in type_names(&types) {
        let tag = if defined_here { "" } else { "struct " };
        let c_name = format!("{tag}{}", snake(&name));
        config.export.rename.insert(name, c_name);
    }
    let bindings = builder.with_config(config).generate().map_err(|e| Failed(e.to_string()))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(finish(&String::from_utf8_lossy(&text)))
}

fn config(header: &Header) -> Config {
    let mut config = Config {
        language: Language::C,
        style: Style::Tag,
        cpp_compat: true,
        no_includes: true,
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::Doxy,
        tab_width: 8,
        line_length: 110,
        include_guard: Some(header.guard.into()),
        header: Some(format!(
            "/* SPDX-License-Identifier: Apache-2.0 */\n/**\n * @file\n * {}\n */\n\
             /* Made from rust/ffi by `cargo xtask header`: edit there. */",
            header.about
        )),
        after_includes: Some(format!("{}{}", header.includes, (header.extra)())),
        ..Config::default()
    };
    config.function.sort_by = Some(cbindgen::SortKey::None);
    config.constant.sort_by = Some(cbindgen::SortKey::None);
    config
}

/// The source as cbindgen can read it.
fn readable(source: &str) -> String {
    source
        // It does not know this word.
        .replace("pub safe fn", "pub fn")
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

fn errno_check() -> String {
    "\n#if EAGAIN != 11 || ENOENT != 2\n#error \"the library takes EAGAIN for 11 and ENOENT for 2\"\n#endif"
        .into()
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
