// SPDX-License-Identifier: Apache-2.0
//! Writes the C header, or with `--check` says whether it is stale.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let done = if env::args().any(|a| a == "--check") { check(&root) } else { write(&root) };
    done.map_or_else(
        |e| {
            eprintln!("{e}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn check(root: &Path) -> Result<(), String> {
    let stale = mender_header::is_stale(root).map_err(|e| e.to_string())?;
    if stale { Err(format!("stale: {}; run `cargo xtask header`", mender_header::PATH)) } else { Ok(()) }
}

fn write(root: &Path) -> Result<(), String> {
    let text = mender_header::header(root).map_err(|e| e.to_string())?;
    let path = root.join(mender_header::PATH);
    fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
