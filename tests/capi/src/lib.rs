// SPDX-License-Identifier: Apache-2.0
//! Builds the static library and C programs on it, and runs them.
//!
//! The programs are in `c/`: each defines the platform by `c/ports.c`, talks to the server of `c/server.c`, and ends with 0 or with
//! the line where something was not so. With one argument more than it needs, a program prints the device log.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Flags of every compilation.
pub const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder for what is compiled.
#[must_use]
pub fn scratch() -> PathBuf {
    let folder = target_dir().join("capi");
    std::fs::create_dir_all(&folder).expect("a folder in the target directory");
    folder
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Which `libmender_mcu.a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// As firmware links it.
    Release,
    /// With debug assertions and overflow checks.
    Debug,
}

/// The static library, built once.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn library(which: Library) -> &'static Path {
    static BUILT: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    let (index, profile, folder) = match which {
        Library::Release => (0, "--release", "release"),
        Library::Debug => (1, "--profile=dev", "debug"),
    };
    BUILT[index].get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(root()).args(["build", "-q", "--locked", "-p", "mender-staticlib"]);
        // There is no unwinding in firmware; cargo builds host programs for tests as it builds the tests, with it.
        command.args(["--features", "firmware", profile]).env("CARGO_PROFILE_DEV_PANIC", "abort");
        // What cargo tells this test of its package would make the other cargo build everything anew.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        must(&mut command);
        target_dir().join(folder).join("libmender_mcu.a")
    })
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be run or fails; with all it wrote.
pub fn must(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// Whether a program is installed; where it is not, a line says what is left out.
#[must_use]
pub fn has(program: &str, without: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        println!("skipped: {without} (no {program})");
    }
    found
}

/// Whether the C compiler can link with a sanitizer; where it cannot, a line says what is left out.
#[must_use]
pub fn has_sanitizer(flag: &str) -> bool {
    let source = scratch().join("empty.c");
    std::fs::write(&source, "int main(void)\n{\n\treturn 0;\n}\n").expect("a file");
    let program = scratch().join(format!("empty{}", flag.replace(['=', ','], "-")));
    let linked = Command::new("cc").arg(flag).arg(&source).arg("-o").arg(&program).output();
    let found = linked.is_ok_and(|o| o.status.success())
        && Command::new(&program).output().is_ok_and(|o| o.status.success());
    if !found {
        println!("skipped: C programs with {flag} (the C compiler has it not)");
    }
    found
}

/// Compiles and links one of the programs; returns its path.
///
/// # Panics
/// When that fails, for instance on any warning.
#[must_use]
pub fn program(name: &str, std: &str, flags: &[&str], which: Library) -> PathBuf {
    let c = Path::new(env!("CARGO_MANIFEST_DIR")).join("c");
    let kind = flags.join("").replace(['=', ','], "-");
    let path = scratch().join(format!("{name}-{std}{kind}-{which:?}"));
    let mut command = Command::new("cc");
    command.arg(format!("-std={std}")).args(["-D_POSIX_C_SOURCE=200809L", "-g"]).args(WARNINGS).args(flags);
    command.arg("-I").arg(root().join("include"));
    command.args([format!("{name}.c"), "ports.c".into(), "server.c".into()].map(|file| c.join(file)));
    if which == Library::Debug {
        command.arg(c.join("panic.c"));
    }
    command.arg(library(which)).args(["-lpthread", "-o"]).arg(&path);
    must(&mut command);
    path
}
