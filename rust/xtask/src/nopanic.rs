// SPDX-License-Identifier: Apache-2.0
//! The proof that the firmware crates have no reachable panic and no heap: `tests/nopanic` links.
//!
//! All of it runs for `thumbv7em-none-eabi` where a toolchain can build for it, and for this machine everywhere; the program that calls
//! every function is linked for the other CPUs, too, for the optimiser leaves other panics there, and some have no atomics.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::elf::Elf;
use crate::report::{Outcome, Report};
use crate::run::{self, clean, find, output, root, target_dir};
use crate::surface;

const THUMB: &str = "thumbv7em-none-eabi";
/// Has no atomic read-modify-write, and its use is an error there.
const WITHOUT_ATOMICS: [&str; 1] = ["thumbv6m-none-eabi"];
/// What else Zephyr's boards have (docs/building.md).
const FURTHER: [&str; 6] = [
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabi",
    "thumbv8m.main-none-eabihf",
    "riscv32imac-unknown-none-elf",
    "riscv32imafc-unknown-none-elf",
    "riscv32imc-unknown-none-elf",
];
/// Function that the panic handler calls and nobody defines.
const UNDEFINED: &str = "mender_panic_is_reachable";
/// What a heap cannot do without, by its names in Rust and C.
const HEAP: [&str; 9] = [
    "__rust_alloc",
    "__rust_dealloc",
    "__rdl_alloc",
    "__rg_alloc",
    "malloc",
    "calloc",
    "realloc",
    "free",
    "sbrk",
];
/// The compact backend of the `sha2` crate, which is what firmware uses.
pub(crate) const SHA2: &str = r#"--cfg sha2_backend="soft" --cfg sha2_backend_soft="compact""#;

/// How the programs of `tests/nopanic` are built for one target.
struct Build {
    target: String,
    cargo: PathBuf,
    /// With `-Zbuild-std=core`, for a compiler that brings no libraries for the target.
    build_std: bool,
    env: Vec<(String, String)>,
    /// How it came to be chosen, for the report.
    with: String,
}

/// All checks, two at a time, for each keeps one processor busy. `quick` leaves out the cross builds.
pub(crate) fn steps(report: &mut Report, quick: bool) {
    report.step("nopanic: calls", all_called);
    let mut proofs = Vec::new();
    if !quick {
        proofs.extend(able(report, THUMB, cross(THUMB)));
    }
    proofs.extend(able(report, "this machine", host()));
    let few = if quick { Vec::new() } else { able_of(report, &WITHOUT_ATOMICS) };
    let proved = proofs.iter().map(|build| Check::new(short(&build.target), build, prove));
    let every = few.iter().map(|build| Check::new(short(&build.target), build, prove_every));
    let refuted = proofs.iter().map(|build| Check::new("one index".to_owned(), build, refuted));
    run_in_pairs(report, proved.chain(every));
    // Not beside the proofs: it builds the same program.
    run_in_pairs(report, refuted);
}

/// The other CPUs that Zephyr's boards have.
pub(crate) fn further(report: &mut Report) {
    let builds = able_of(report, &FURTHER);
    run_in_pairs(report, builds.iter().map(|build| Check::new(short(&build.target), build, prove_every)));
}

/// One line of the report.
struct Check<'b> {
    name: String,
    build: &'b Build,
    run: fn(&Build) -> Outcome,
}

impl<'b> Check<'b> {
    fn new(name: String, build: &'b Build, run: fn(&Build) -> Outcome) -> Self {
        Self { name: format!("nopanic: {name}"), build, run }
    }
}

fn run_in_pairs<'b>(report: &mut Report, checks: impl Iterator<Item = Check<'b>>) {
    let checks: Vec<_> = checks.collect();
    let steps: Vec<_> =
        checks.iter().map(|check| (check.name.as_str(), || (check.run)(check.build))).collect();
    report.steps_in_pairs(&steps);
}

/// The builds for those targets that can be made.
fn able_of(report: &mut Report, targets: &[&str]) -> Vec<Build> {
    targets.iter().filter_map(|target| able(report, target, cross(target))).collect()
}

/// The build, or a line that says what is missing for it.
fn able(report: &mut Report, target: &str, build: Result<Build, String>) -> Option<Build> {
    build.map_err(|missing| report.skip(&format!("nopanic: {target}"), &missing)).ok()
}

/// The architecture, and `hf` where floats are passed in registers.
fn short(target: &str) -> String {
    let architecture = target.split_once('-').map_or(target, |(architecture, _)| architecture);
    format!("{architecture}{}", if target.ends_with("hf") { "hf" } else { "" })
}

/// Every public function of the firmware crates is named in `tests/nopanic`.
fn all_called() -> Outcome {
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let calls: Vec<_> = surface::sources(&root().join("tests/nopanic/src")).iter().map(read).collect();
    let (mut count, mut wrong) = (0, String::new());
    for name in surface::CRATES {
        let files: Vec<_> = surface::sources(&root().join("rust").join(name).join("src"))
            .iter()
            .filter(|path| !is_tests(path))
            .map(|path| (stem(path), read(path)))
            .collect();
        let functions = surface::public_functions(&files);
        count += functions.len();
        for missing in surface::not_named(&functions, &calls) {
            wrong += &format!("tests/nopanic does not call {}::{} of {name}\n", missing.owner, missing.name);
        }
    }
    Outcome::of(wrong, format!("{count} public functions"))
}

fn is_tests(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

// ---- choosing the toolchain

/// A cross compiler: one that has the target's libraries, else one that has their source.
fn cross(target: &str) -> Result<Build, String> {
    let linker = linker(target);
    let compilers = compilers();
    let mut tried = Vec::new();
    for build_std in [false, true] {
        for rustc in &compilers {
            let Some(sysroot) = sysroot(rustc) else { continue };
            let lib = sysroot.join("lib/rustlib");
            let has = if build_std {
                lib.join("src/rust/library/core/src/lib.rs").is_file()
            } else {
                has_core(&lib.join(target).join("lib"))
            };
            let cargo = rustc.with_file_name("cargo");
            if !has || !cargo.is_file() {
                tried.push(rustc.display().to_string());
                continue;
            }
            let Some((linker, flavor)) = &linker else {
                return Err("no linker (rust-lld, ld.lld, for Arm arm-none-eabi-ld)".to_owned());
            };
            let variable = target.to_uppercase().replace(['-', '.'], "_");
            let mut env = vec![
                ("RUSTC".to_owned(), rustc.display().to_string()),
                ("RUSTFLAGS".to_owned(), format!("{SHA2} -Clinker-flavor={flavor}")),
                (format!("CARGO_TARGET_{variable}_LINKER"), linker.display().to_string()),
            ];
            if build_std {
                env.push(("RUSTC_BOOTSTRAP".to_owned(), "1".to_owned()));
            }
            let how = if build_std { ", core built from source" } else { "" };
            let with = format!("{}{how}", version(rustc));
            return Ok(Build { target: target.to_owned(), cargo, build_std, env, with });
        }
    }
    tried.sort();
    tried.dedup();
    Err(format!(
        "no Rust for {target} (looked at {}); `rustup target add {target}`, or a rustc with rust-src",
        tried.join(", ")
    ))
}

fn compilers() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo/bin/rustc"));
    let fixed = ["/usr/local/bin/rustc", "/usr/bin/rustc"].map(PathBuf::from);
    let all = find("rustc").into_iter().chain(home).chain(fixed);
    let mut seen = Vec::new();
    for rustc in all.filter(|rustc| rustc.is_file() && is_new_enough(&version(rustc))) {
        if !seen.contains(&rustc) {
            seen.push(rustc);
        }
    }
    seen
}

/// By what `version` says: no older than the workspace asks for.
fn is_new_enough(version: &str) -> bool {
    let numbers =
        |text: &str| -> Vec<u32> { text.split(['.', '-']).map_while(|part| part.parse().ok()).collect() };
    let release = version.split(' ').nth(1).unwrap_or_default();
    numbers(release) >= numbers(env!("CARGO_PKG_RUST_VERSION"))
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let told = output(clean(rustc).args(["--print", "sysroot"]));
    told.ok.then(|| PathBuf::from(told.text.trim()))
}

fn version(rustc: &Path) -> String {
    let told = output(clean(rustc).arg("--version")).text;
    told.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn has_core(lib: &Path) -> bool {
    let entries = std::fs::read_dir(lib).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

/// A linker for a target, and its flavour.
fn linker(target: &str) -> Option<(PathBuf, &'static str)> {
    for rustc in compilers() {
        let Some(sysroot) = sysroot(&rustc) else { continue };
        for host in std::fs::read_dir(sysroot.join("lib/rustlib")).into_iter().flatten().flatten() {
            let lld = host.path().join("bin/rust-lld");
            if lld.is_file() {
                return Some((lld, "ld.lld"));
            }
        }
    }
    let named = [("rust-lld", "ld.lld"), ("ld.lld", "ld.lld"), ("arm-none-eabi-ld", "ld")];
    let fits = |name: &str| name != "arm-none-eabi-ld" || target.starts_with("thumb");
    named.into_iter().filter(|(name, _)| fits(name)).find_map(|(name, flavor)| Some((find(name)?, flavor)))
}

/// This machine's own compiler. Where cargo runs, it can build for itself.
fn host() -> Result<Build, String> {
    let rustc = find("rustc").ok_or("no rustc on the path")?;
    let told = output(clean(&rustc).arg("-vV")).text;
    let target =
        told.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc -vV names no host")?;
    if !target.contains("linux") {
        return Err(format!("its programs are not ELF files ({target})"));
    }
    Ok(Build {
        target: target.to_owned(),
        cargo: std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from),
        build_std: false,
        // Addresses that are final in the file let the places of panics be read.
        env: vec![("RUSTFLAGS".to_owned(), format!("{SHA2} -Crelocation-model=static"))],
        with: version(&rustc),
    })
}

impl Build {
    fn folder(&self) -> PathBuf {
        // One for each, or one build would wait for the other.
        target_dir().join("nopanic").join(&self.target)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder().join(&self.target).join("release").join(name)
    }

    /// Builds one program with features beside `proof`.
    fn run(&self, program: &str, features: &str) -> run::Output {
        self.run_with(program, features, &[])
    }

    fn run_with(&self, program: &str, features: &str, more: &[&str]) -> run::Output {
        let mut command: Command = clean(&self.cargo);
        command.args(["build", "--locked", "--release", "--package", "nopanic", "--bin", program]);
        command.args(["--features", &format!("proof,{features}"), "--target", &self.target]);
        command.arg("--target-dir").arg(self.folder()).args(more);
        if self.build_std {
            command.arg("-Zbuild-std=core").env_remove("RUSTUP_TOOLCHAIN");
        }
        command.envs(self.env.iter().cloned()).env_remove("CARGO_ENCODED_RUSTFLAGS");
        output(&mut command)
    }
}

// ---- the checks

/// The programs link, without a heap, and so does the smallest client; says what the two clients cost.
fn prove(build: &Build) -> Outcome {
    let (mut wrong, mut says) = (String::new(), build.with.clone());
    for (name, program, more) in [
        ("every", "every", &[][..]),
        ("smallest client", "client", &["--no-default-features"]),
        ("client", "client", &[]),
    ] {
        let built = build.run_with(program, "", more);
        if !built.ok {
            wrong += &explain(build, program, &built.text);
            continue;
        }
        match Elf::read(&build.program(program)) {
            Ok(elf) => {
                wrong += &heap_in(&elf, program);
                if program == "client" {
                    let own = elf.symbol_size("MENDER_CLIENT").unwrap_or(0);
                    let (text, constants) = (elf.section_size(".text"), elf.section_size(".rodata"));
                    says += &format!("; {name}: .text {text} B, .rodata {constants} B, object {own} B");
                }
            }
            Err(error) => wrong += &error,
        }
    }
    if wrong.is_empty() { Outcome::passed(says) } else { Outcome::failed(wrong) }
}

/// The program that calls every function links, without a heap.
fn prove_every(build: &Build) -> Outcome {
    let built = build.run("every", "");
    if !built.ok {
        return Outcome::failed(explain(build, "every", &built.text));
    }
    match Elf::read(&build.program("every")) {
        Ok(elf) => Outcome::of(heap_in(&elf, "every"), build.with.clone()),
        Err(error) => Outcome::failed(error),
    }
}

fn heap_in(elf: &Elf, program: &str) -> String {
    let has = |symbol: &&crate::elf::Symbol| {
        let name = symbol.name.trim_start_matches("_R").split('@').next().unwrap_or_default();
        HEAP.iter().any(|heap| name == *heap || heap.starts_with("__") && name.contains(heap))
    };
    let mut wrong = String::new();
    for symbol in elf.symbols.iter().filter(has) {
        wrong += &format!("{program}: heap function {}\n", symbol.name);
    }
    if elf.symbols.iter().any(|symbol| symbol.undefined && symbol.name == UNDEFINED) {
        wrong += &format!("{program}: linked with {UNDEFINED} undefined\n");
    }
    if !elf.symbols.iter().any(|symbol| symbol.function && symbol.name == "_start") {
        wrong += &format!("{program}: nothing was linked\n");
    }
    wrong
}

/// Why a program does not link: the panics that are left, if that is the reason.
fn explain(build: &Build, program: &str, said: &str) -> String {
    if !said.contains(UNDEFINED) {
        return format!("{program} does not build:\n{said}\n");
    }
    let mut wrong = format!("{program}: a panic can be reached. Those left in the program:\n");
    let built = build.run(program, "explain");
    match Elf::read(&build.program(program)) {
        Ok(elf) if built.ok => {
            let places = elf.panic_places();
            places.iter().for_each(|place| wrong += &format!("    {place}\n"));
            if places.is_empty() {
                wrong += "    none with a place in the source\n";
            }
        }
        _ => wrong += &built.text,
    }
    wrong
}

/// The check is worth something: with one slice index in a port it fails, for that reason.
fn refuted(build: &Build) -> Outcome {
    let built = build.run("client", "one_index");
    if built.ok {
        return Outcome::failed("the program links although a slice is indexed out of bounds");
    }
    if !built.text.contains(UNDEFINED) {
        return Outcome::failed(format!("the program fails for another reason:\n{}", built.text));
    }
    let explained = build.run("client", "one_index,explain");
    let places = Elf::read(&build.program("client")).map(|elf| elf.panic_places()).unwrap_or_default();
    match places.as_slice() {
        [place] if explained.ok && place.starts_with("tests/nopanic/src/ports.rs:") => {
            Outcome::passed(format!("does not link, for {place}"))
        }
        _ => Outcome::failed(format!("its panic is not found: {places:?}\n{}", explained.text)),
    }
}

/// Sizes of the client's largest functions.
pub(crate) fn sizes() -> Result<String, String> {
    let build = cross(THUMB).or_else(|_| host())?;
    let built = build.run("client", "");
    if !built.ok {
        return Err(built.text);
    }
    let elf = Elf::read(&build.program("client"))?;
    let mut functions: Vec<_> = elf.symbols.iter().filter(|symbol| symbol.function).collect();
    functions.sort_by_key(|symbol| std::cmp::Reverse(symbol.size));
    let mut text = format!("{} ({})\n", build.target, build.with);
    for section in elf.sections.iter().filter(|section| section.size > 0) {
        text += &format!("{:>8}  {}\n", section.size, section.name);
    }
    for object in ["MENDER_CLIENT", "MENDER_IO", "MENDER_TOKEN", "MENDER_URI"] {
        text += &format!("{:>8}  {object}\n", elf.symbol_size(object).unwrap_or(0));
    }
    for symbol in functions.iter().take(40) {
        text += &format!("{:>8}  {:#}\n", symbol.size, rustc_demangle::demangle(&symbol.name));
    }
    Ok(text)
}

#[cfg(test)]
mod own_tests {
    use super::*;

    #[test]
    fn a_compiler_older_than_the_workspace_asks_for_is_not_used() {
        assert!(is_new_enough(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"))));
        assert!(is_new_enough("rustc 2.0.0-nightly"));
        for old in ["rustc 1.63.0", "rustc 1.9.0", "rustc", ""] {
            assert!(!is_new_enough(old), "{old}");
        }
    }
}
