// SPDX-License-Identifier: Apache-2.0
//! Writes the C headers, or with `--check` says which are stale.

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
    let stale = mender_header::stale(root).map_err(|e| e.to_string())?;
    if stale.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = stale.iter().map(|path| path.display().to_string()).collect();
    Err(format!("stale: {}; run `cargo xtask header`", names.join(", ")))
}

fn write(root: &Path) -> Result<(), String> {
    for (path, text) in mender_header::headers(root).map_err(|e| e.to_string())? {
        fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    Ok(())
}
