// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask header`: what crosses the border to C and is committed, by programs that take long to build: the C API's header by
//! cbindgen, and the host's bindings of the port header by bindgen.

use std::path::PathBuf;
use std::process::Command;

use crate::report::{Outcome, Report};
use crate::run::{cargo, output, root, target_dir};

const BINDINGS: &str = "rust/zephyr-sys/src/host.rs";

/// Writes both, or with `check` compares them with what would be written. Says whether there is a libclang.
pub(crate) fn steps(report: &mut Report, check: bool) -> bool {
    report.step("header", || header(check));
    match fresh_bindings() {
        Made::At(path) => {
            report.step("bindings", || bindings(&path, check));
            return true;
        }
        Made::NoLibclang => report.skip("bindings", "no libclang (apt install libclang-dev)"),
        Made::Failed(text) => report.step("bindings", || Outcome::failed(text)),
    }
    false
}

fn header(check: bool) -> Outcome {
    let program = ["run", "--quiet", "--locked", "-p", "mender-header", "--"];
    let told = output(&mut cargo(program.into_iter().chain(check.then_some("--check"))));
    if told.ok { Outcome::passed("") } else { Outcome::failed(told.text) }
}

fn bindings(fresh: &PathBuf, check: bool) -> Outcome {
    let committed = root().join(BINDINGS);
    let text = match std::fs::read(fresh) {
        Ok(text) => text,
        Err(e) => return Outcome::failed(format!("cannot read {}: {e}", fresh.display())),
    };
    if std::fs::read(&committed).ok().as_ref() == Some(&text) {
        return Outcome::passed("");
    }
    if check {
        return Outcome::failed(format!("stale: {BINDINGS}; run `cargo xtask header`"));
    }
    match std::fs::write(&committed, text) {
        Ok(()) => Outcome::passed("written"),
        Err(e) => Outcome::failed(format!("cannot write {BINDINGS}: {e}")),
    }
}

enum Made {
    At(PathBuf),
    NoLibclang,
    Failed(String),
}

/// Runs bindgen for this machine, by building the crate that does.
fn fresh_bindings() -> Made {
    let told = output(bindgen().arg("--message-format=json-render-diagnostics"));
    let folder = told.text.lines().find_map(|line| {
        let ours = line.contains("build-script-executed") && line.contains("rust/zephyr-sys#");
        let folder = line.split_once("\"out_dir\":\"").and_then(|(_, rest)| rest.split_once('"'));
        folder.filter(|_| ours).map(|(folder, _)| PathBuf::from(folder))
    });
    match folder {
        Some(folder) if told.ok => Made::At(folder.join("bindings.rs")),
        _ if told.text.contains("no libclang") => Made::NoLibclang,
        _ => Made::Failed(told.text),
    }
}

fn bindgen() -> Command {
    let mut command = cargo("check --locked -p zephyr-sys --features bindgen".split(' '));
    command.env_remove("ZEPHYR_SYS_CLANG_ARGS");
    command
}

/// Where bindgen finds no libclang, one sentence says what to install. In a folder of its own, for it is built anew.
pub(crate) fn without_libclang() -> Outcome {
    let mut command = bindgen();
    command
        .env("LIBCLANG_PATH", root().join("docs"))
        .arg("--target-dir")
        .arg(target_dir().join("no-libclang"));
    let told = output(&mut command);
    // Behind it cargo shows all that the build script has printed.
    let says = |line: &&str| line.starts_with("error") && line.contains("no libclang was found");
    let said = told.text.lines().filter(says).count();
    if !told.ok && said == 1 && !told.text.contains("panicked") {
        Outcome::passed("said in one sentence")
    } else {
        Outcome::failed(told.text)
    }
}
