// SPDX-License-Identifier: Apache-2.0
//! Instructions per artifact byte, and bytes copied. What is counted is said in `tests/bench/src/main.rs`.
//!
//! callgrind counts instructions, so the figures are the same on every run and do not depend on what else the machine does.

use std::path::{Path, PathBuf};

use crate::elf::Elf;
use crate::nopanic::SHA2;
use crate::report::Outcome;
use crate::run::{cargo, clean, find, output, target_dir};

/// Payload bytes of the two runs whose difference is taken.
const SIZES: [u64; 2] = [256 * 1024, 512 * 1024];
/// Bytes per receive.
const CHUNKS: [u64; 3] = [512, 1024, 4096];
/// Instructions per byte beyond SHA-256 itself (design: "Numbers").
const BEYOND_MAX: f64 = 1.0;
/// Bytes copied per byte.
const COPIED_MAX: f64 = 0.1;
/// Functions at whose calls counting begins or ends. They must be there under these names, not inlined.
const TOGGLES: [&str; 8] = [
    "mender_bench::poll",
    "mender_bench::update",
    "mender_bench::ports::receive",
    "mender_bench::ports::send",
    "mender_bench::ports::look",
    "mender_sim::flash::Flash::program",
    "mender_sim::flash::Flash::erase",
    "mender_sim::slot::guard",
];

/// What one run said.
struct Run {
    instructions: f64,
    artifact: f64,
    copied: f64,
}

/// Figures for one chunk size, per byte.
struct Figures {
    chunk: u64,
    all: f64,
    sha: f64,
    copied: f64,
}

impl Figures {
    fn beyond(&self) -> f64 {
        self.all - self.sha
    }
}

/// What is missing for it.
pub(crate) fn missing() -> Option<String> {
    find("valgrind").is_none().then(|| "valgrind is not installed (apt install valgrind)".to_owned())
}

/// The measurement as a check.
pub(crate) fn check() -> Outcome {
    match measure() {
        Ok(figures) => {
            let note: Vec<_> = figures.iter().map(|f| format!("{}: {:.2}", f.chunk, f.beyond())).collect();
            let note = format!("instructions per byte beyond SHA-256, by chunk: {}", note.join(", "));
            Outcome::of(over(&figures), note)
        }
        Err(error) => Outcome::failed(error),
    }
}

/// The figures as a table.
pub(crate) fn table() -> Result<String, String> {
    let figures = measure()?;
    let mut text =
        String::from("  chunk    instructions   SHA-256   beyond    copied   (per byte of the artifact)\n");
    for f in &figures {
        text +=
            &format!("{:>7} {:>15.2} {:>9.2} {:>8.2} {:>9.3}\n", f.chunk, f.all, f.sha, f.beyond(), f.copied);
    }
    text += &format!("{:>7} {:>34.2} {:>9.3}\n", "limit", BEYOND_MAX, COPIED_MAX);
    let wrong = over(&figures);
    if wrong.is_empty() { Ok(text) } else { Err(text + &wrong) }
}

fn over(figures: &[Figures]) -> String {
    let mut wrong = String::new();
    for f in figures {
        if f.beyond() > BEYOND_MAX {
            wrong += &format!("chunk {}: {:.2} instructions per byte beyond SHA-256\n", f.chunk, f.beyond());
        }
        if f.copied > COPIED_MAX {
            wrong += &format!("chunk {}: {:.3} bytes copied per byte\n", f.chunk, f.copied);
        }
    }
    wrong
}

fn measure() -> Result<Vec<Figures>, String> {
    let folder = target_dir().join("bench");
    let mut command = cargo(["build", "--locked", "--release", "-p", "mender-bench", "--target-dir"]);
    command.arg(&folder).env("RUSTFLAGS", SHA2).env_remove("CARGO_ENCODED_RUSTFLAGS");
    let built = output(&mut command);
    if !built.ok {
        return Err(built.text);
    }
    let program = folder.join("release/mender-bench");
    let toggles = toggles(&program)?;
    CHUNKS.into_iter().map(|chunk| figures(&program, &toggles, chunk)).collect()
}

/// callgrind's options. It is told not to undo the mangling of names: it may not know the compiler's way.
fn toggles(program: &Path) -> Result<Vec<String>, String> {
    let elf = Elf::read(program)?;
    let option = |wanted: &&str| {
        let is =
            |name: &str| format!("{:#}", rustc_demangle::demangle(name)).replace(['<', '>'], "") == *wanted;
        let found = elf.symbols.iter().find(|symbol| symbol.function && is(&symbol.name));
        let found = found.ok_or_else(|| format!("{wanted} is inlined: the count would be wrong"))?;
        Ok(format!("--toggle-collect={}", found.name))
    };
    TOGGLES.iter().map(option).collect()
}

fn figures(program: &Path, toggles: &[String], chunk: u64) -> Result<Figures, String> {
    let run = |what: &str, size: u64| count(program, toggles, what, size, chunk);
    let [small, large] = SIZES;
    let (client, more) = (run("client", small)?, run("client", large)?);
    let (sha, more_sha) = (run("sha", small)?, run("sha", large)?);
    Ok(Figures {
        chunk,
        all: (more.instructions - client.instructions) / (more.artifact - client.artifact),
        sha: (more_sha.instructions - sha.instructions) / (more_sha.artifact - sha.artifact),
        copied: more.copied / more.artifact,
    })
}

fn count(program: &Path, toggles: &[String], what: &str, size: u64, chunk: u64) -> Result<Run, String> {
    let profile: PathBuf = program.with_file_name(format!("callgrind.{what}.{size}.{chunk}"));
    let mut command = clean("valgrind");
    command.args(["--tool=callgrind", "--demangle=no", "--collect-atstart=no"]).args(toggles);
    command.arg(format!("--callgrind-out-file={}", profile.display())).arg(program);
    let told = output(command.args([what, &size.to_string(), &chunk.to_string()]));
    let after = |mark: &str| {
        let line = told.text.lines().find_map(|line| line.split_once(mark));
        line.and_then(|(_, number)| number.trim().parse::<f64>().ok())
    };
    let instructions = after("Collected :").filter(|n| told.ok && *n > 0.0);
    let (Some(instructions), Some(artifact)) = (instructions, after("artifact ")) else {
        return Err(format!("{what} {size} {chunk}:\n{}", told.text));
    };
    Ok(Run { instructions, artifact, copied: after("copied ").unwrap_or(0.0) })
}
