// SPDX-License-Identifier: Apache-2.0
//! What is run where there is a Zephyr workspace: the tiers T1 to T4 of the tests.
//!
//! [`STEPS`] is the one list. A step that lacks a tool becomes a line that names it, and nothing else.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::qemu::{self, QEMU};
use crate::report::{Outcome, Report};
use crate::run::{Output, cargo, clean, find, in_pairs, output, root, target_dir};
use crate::size;
use crate::twister::{Scenario, twister};

/// Programs beside the compiler, and where they come from.
type Tools = &'static [(&'static str, &'static str)];

/// One line of the report.
struct Step {
    /// Tier and what it shows.
    name: &'static str,
    /// What it compiles for.
    chip: Chip,
    /// What it needs.
    tools: Tools,
    run: fn(&Zephyr) -> Outcome,
    /// No other step is under way: it needs what one before it has made, keeps all processors busy by itself, or is in a hurry.
    is_alone: bool,
}

impl Step {
    /// Another one may be under way: it builds, and what it runs has patience.
    const fn new(name: &'static str, chip: Chip, tools: Tools, run: fn(&Zephyr) -> Outcome) -> Self {
        Self { name, chip, tools, run, is_alone: false }
    }

    const fn alone(name: &'static str, chip: Chip, tools: Tools, run: fn(&Zephyr) -> Outcome) -> Self {
        Self { name, chip, tools, run, is_alone: true }
    }
}

/// Assembly of Zephyr (IA-32) and of libgcc (Arm) does not say whether its stack is executable; a distribution's linker warns of that.
const NO_NOTE: &str = "-Wl,--no-warn-execstack";

const QEMU_RISCV32: (&str, &str) = ("qemu-system-riscv32", "apt install qemu-system-misc");

const QEMU_X86: (&str, &str) = ("qemu-system-i386", "apt install qemu-system-x86");

const OPENSSL: (&str, &str) = ("openssl", "apt install openssl");

const MENDER_ARTIFACT: (&str, &str) = ("mender-artifact", "apt install mender-artifact");

/// Suites that run, and how many cases each has. Whoever adds a case says so here.
const SUITES: &[Scenario] = &[
    Scenario::runs("tests/twister/port", "mender_mcu.port", 88),
    Scenario::runs("tests/twister/net", "mender_mcu.net", 51),
    Scenario::runs("tests/twister/public", "mender_mcu.public", 9),
    Scenario::runs("tests/twister/shell", "mender_mcu.shell", 19),
];

/// The same, for RISC-V.
const RV32: &[Scenario] = &[
    Scenario::runs("tests/twister/port", "mender_mcu.port", 88),
    Scenario::runs("tests/twister/net", "mender_mcu.net", 51),
];

/// The same, of what is seldom used.
const ZMS: &[Scenario] = &[Scenario::runs("tests/twister/zms", "mender_mcu.zms", 7)];

/// Configurations that are only built, with warnings as errors.
const MATRIX: &[Scenario] = &[
    Scenario::builds("tests/twister/matrix", "mender_mcu.matrix.smallest"),
    Scenario::builds("tests/twister/matrix", "mender_mcu.matrix.default"),
    Scenario::builds("tests/twister/matrix", "mender_mcu.matrix.everything"),
];
const FURTHER_MATRIX: &[Scenario] = &[
    Scenario::builds("tests/twister/matrix", "mender_mcu.matrix.application"),
    Scenario::builds("tests/twister/matrix", "mender_mcu.matrix.m4f"),
];

/// The same for other CPUs.
const M0PLUS: &[Scenario] = &[Scenario::builds("tests/twister/matrix", "mender_mcu.matrix.m0plus")];
const M33: &[Scenario] = &[Scenario::builds("tests/twister/matrix", "mender_mcu.matrix.m33")];

/// Samples, with and without MCUboot.
const NUCLEO: &[Scenario] = &[
    Scenario::builds("samples/nucleo_l4a6zg", "sample.mender_mcu.nucleo_l4a6zg"),
    Scenario::builds("samples/nucleo_l4a6zg", "sample.mender_mcu.nucleo_l4a6zg.mcuboot"),
];
const OTA: &[Scenario] = &[
    Scenario::builds("samples/ota", "sample.mender_mcu.ota"),
    Scenario::builds("samples/ota", "sample.mender_mcu.ota.mcuboot"),
];
const OTA_ALONE: &[Scenario] = &[Scenario::builds("samples/ota", "sample.mender_mcu.ota")];

/// All of it, in the order it begins in: what takes longest is not among the last.
const STEPS: &[Step] = &[
    Step::alone("T1 twister native_sim", Chip::Native, &[], |zephyr| {
        twister(zephyr, "native_sim/native/64", SUITES)
    }),
    Step::alone("T2 twister qemu_x86", Chip::Ia32, &[QEMU_X86], |zephyr| {
        twister(zephyr, "qemu_x86/atom", SUITES)
    }),
    Step::new("T4 configurations", Chip::Arm, &[MENDER_ARTIFACT], |zephyr| {
        twister(zephyr, "nucleo_l4a6zg/stm32l4a6xx", MATRIX)
    }),
    Step::new("T4 samples/ota", Chip::Arm, &[], ota),
    Step::new("T4 samples/nucleo", Chip::Arm, &[], |zephyr| {
        zephyr.build_with_mcuboot("nucleo", "samples/nucleo_l4a6zg", "nucleo_l4a6zg", &[&any_ca()])
    }),
    Step::new("T4 footprint", Chip::Arm, &[], size::check),
    Step::new("T4 foreign nucleo", Chip::Arm, &[], |zephyr| {
        let board = ["--board", "nucleo_l4a6zg", "--sysbuild", "-DSHIELD=arceli_eth_w5500"];
        foreign(zephyr, "foreign-nucleo", &board)
    }),
    Step::new("T3 sample in QEMU", Chip::Arm, &[QEMU], sample),
    Step::new("T3 stack in QEMU", Chip::Arm, &[QEMU], stack),
    Step::new("T1 updates native_sim", Chip::Native, &[], updates),
    Step::new("T4 foreign native_sim", Chip::Native, &[], |zephyr| {
        foreign(zephyr, "foreign-native", &["--board", "native_sim/native/64"])
    }),
    Step::alone("T4 artifact", Chip::Arm, &[MENDER_ARTIFACT], artifact),
];

type Last = fn(&mut Report, &str);

/// Those that look for what they need themselves.
const LAST: &[(&str, Last)] = &[("T3 MCUboot in QEMU", qemu::step)];

/// What takes long and seldom finds anything: other CPUs and boards, samples without sysbuild, the other clients' application, ports
/// that are broken on purpose.
const LONG: &[Step] = &[
    Step::new("T4 further configurations", Chip::Arm, &[], |zephyr| {
        twister(zephyr, "nucleo_l4a6zg/stm32l4a6xx", FURTHER_MATRIX)
    }),
    Step::new("T4 Cortex-M0+", Chip::Arm, &[], |zephyr| twister(zephyr, "nucleo_g0b1re/stm32g0b1xx", M0PLUS)),
    Step::new("T4 Cortex-M33", Chip::Arm, &[], |zephyr| twister(zephyr, "nucleo_l552ze_q/stm32l552xx", M33)),
    Step::new("T4 plain samples/ota", Chip::Arm, &[], |zephyr| {
        zephyr.build_for_mcuboot("ota-plain", "samples/ota", "nucleo_l4a6zg", &[&any_ca()])
    }),
    Step::new("T4 plain samples/nucleo", Chip::Arm, &[], |zephyr| {
        zephyr.build_for_mcuboot("nucleo-plain", "samples/nucleo_l4a6zg", "nucleo_l4a6zg", &[&any_ca()])
    }),
    Step::new("T4 samples nucleo_l4a6zg", Chip::Arm, &[], |zephyr| {
        twister(zephyr, "nucleo_l4a6zg/stm32l4a6xx", NUCLEO)
    }),
    Step::new("T4 samples nucleo_f767zi", Chip::Arm, &[], |zephyr| {
        twister(zephyr, "nucleo_f767zi/stm32f767xx", OTA)
    }),
    Step::new("T4 samples nucleo_h563zi", Chip::Arm, &[], |zephyr| {
        twister(zephyr, "nucleo_h563zi/stm32h563xx", OTA)
    }),
    Step::new("T4 samples mps2/an385", Chip::Arm, &[], |zephyr| twister(zephyr, "mps2/an385", OTA)),
    Step::new("T4 samples qemu_x86", Chip::Ia32, &[], |zephyr| twister(zephyr, "qemu_x86/atom", OTA_ALONE)),
    Step::alone("T2 twister qemu_riscv32", Chip::Rv32, &[QEMU_RISCV32], |zephyr| {
        twister(zephyr, "qemu_riscv32/qemu_virt_riscv32", RV32)
    }),
    Step::alone("T1 records in ZMS", Chip::Native, &[], |zephyr| {
        twister(zephyr, "native_sim/native/64", ZMS)
    }),
    Step::new("T3 stack, public CAs", Chip::Arm, &[QEMU, OPENSSL], stack_public),
    Step::alone("T1 mutants", Chip::Native, &[], broken),
];
const LONG_LAST: &[(&str, Last)] = &[("T4 footprint skeleton", size::skeleton::step)];

/// Runs what can be run of what is run each time.
pub(crate) fn steps(report: &mut Report) {
    run(report, STEPS, LAST, "");
}

/// The same of the rest.
pub(crate) fn long(report: &mut Report) {
    run(report, LONG, LONG_LAST, "");
}

/// The names of those.
pub(crate) fn names_of_long() -> Vec<&'static str> {
    LONG.iter().map(|step| step.name).chain(LONG_LAST.iter().map(|(name, _)| *name)).collect()
}

/// The steps whose names contain `name`, of both.
pub(crate) fn only(report: &mut Report, name: &str) {
    run(report, STEPS, LAST, name);
    run(report, LONG, LONG_LAST, name);
}

/// Whether there is such a step.
pub(crate) fn has(name: &str) -> bool {
    let steps = [STEPS, LONG].into_iter().flatten().map(|step| step.name);
    let last = [LAST, LONG_LAST].into_iter().flatten().map(|(name, _)| *name);
    steps.chain(last).any(|each| each.contains(name))
}

fn run(report: &mut Report, steps: &[Step], last: &[(&str, Last)], only: &str) {
    let base = match base() {
        Ok(base) => base,
        Err(why) => return report.skip("T1, T2, T3, T4", &why),
    };
    let mut able = Vec::new();
    for step in steps.iter().filter(|step| step.name.contains(only)) {
        match Zephyr::new(&base, step.chip).and_then(|zephyr| present(step.tools).map(|()| zephyr)) {
            Ok(zephyr) => able.push((step, zephyr)),
            Err(missing) => report.skip(step.name, &missing),
        }
    }
    for group in able.chunk_by(|(one, _), (other, _)| !one.is_alone && !other.is_alone) {
        let steps: Vec<_> = group.iter().map(|(step, zephyr)| (step.name, || (step.run)(zephyr))).collect();
        match &steps[..] {
            [(name, step)] => report.step(name, step),
            steps => report.steps_in_pairs(steps),
        }
    }
    for (name, step) in last.iter().filter(|(name, _)| name.contains(only)) {
        step(report, name);
    }
}

/// Breaks each port on purpose; its suite must notice.
fn broken(zephyr: &Zephyr) -> Outcome {
    let mut command = zephyr.command("python3");
    command.args(["tests/twister/mutants.py", &cargo_dir(), "--build-dir"]).arg(scratch("mutants"));
    counted(output(&mut command), "mutants noticed")
}

/// A workspace and a compiler for Arm, or what is missing of them and of the tools.
pub(crate) fn arm(tools: &[(&str, &str)]) -> Result<Zephyr, String> {
    let zephyr = base().and_then(|base| Zephyr::new(&base, Chip::Arm))?;
    present(tools).map(|()| zephyr)
}

fn present(tools: &[(&str, &str)]) -> Result<(), String> {
    let needed =
        [("cmake", "apt install cmake"), ("ninja", "apt install ninja-build"), ("dtc", "apt install dtc")];
    for (program, from) in needed.iter().chain(tools) {
        find(program).ok_or_else(|| format!("no {program} ({from})"))?;
    }
    Ok(())
}

/// The `zephyr` folder, by the three ways in which Zephyr itself is found.
fn base() -> Result<PathBuf, String> {
    let named = std::env::var_os("ZEPHYR_BASE").map(PathBuf::from);
    let found = named.or_else(in_workspace).or_else(registered);
    let base =
        found.ok_or("no Zephyr found (ZEPHYR_BASE, west workspace, CMake package registry)".to_owned())?;
    let version = std::fs::read_to_string(base.join("VERSION"))
        .map_err(|error| format!("{} is no Zephyr: VERSION: {error}", base.display()))?;
    let part = |name: &str| {
        let line = version.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("", |rest| rest.trim_start_matches([' ', '='])).to_owned()
    };
    match (part("VERSION_MAJOR"), part("VERSION_MINOR")) {
        (major, minor) if major == "4" && minor == "3" => Ok(base),
        (major, minor) => Err(format!("{} is Zephyr {major}.{minor}, not 4.3", base.display())),
    }
}

/// This repository is in a west workspace.
fn in_workspace() -> Option<PathBuf> {
    let here = root();
    let top = here.ancestors().find(|folder| folder.join(".west/config").is_file())?;
    let config = std::fs::read_to_string(top.join(".west/config")).ok()?;
    let lines = config.lines().skip_while(|line| line.trim() != "[zephyr]");
    let named = lines.skip(1).find_map(|line| line.trim().strip_prefix("base"));
    Some(top.join(named.map_or("zephyr", |rest| rest.trim_start_matches([' ', '=']))))
}

/// `west zephyr-export` leaves a file with the path of Zephyr's CMake package.
fn registered() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("HOME")?).join(".cmake/packages/Zephyr");
    let mut packages = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    packages.find_map(|package| {
        let path = std::fs::read_to_string(package).ok()?;
        let base = Path::new(path.trim()).ancestors().nth(3)?;
        base.join("VERSION").is_file().then(|| base.to_path_buf())
    })
}

/// What is compiled for.
#[derive(Clone, Copy)]
pub(crate) enum Chip {
    Native,
    Ia32,
    Rv32,
    Arm,
}

/// A Zephyr workspace and a compiler.
pub(crate) struct Zephyr {
    pub(crate) base: PathBuf,
    env: Vec<(&'static str, OsString)>,
    /// Options of twister, where it would refuse the compiler.
    pub(crate) options: Vec<String>,
}

impl Zephyr {
    /// What the user has chosen, else a compiler of the distribution.
    fn new(base: &Path, chip: Chip) -> Result<Self, String> {
        let base = base.to_path_buf();
        let ours = ["host", "cross-compile", "gnuarmemb"];
        let chosen = std::env::var("ZEPHYR_TOOLCHAIN_VARIANT");
        if chosen.is_ok_and(|variant| !ours.contains(&variant.as_str())) || has_sdk() {
            return Ok(Self { base, env: Vec::new(), options: Vec::new() });
        }
        let sdk = "and no Zephyr SDK";
        let cross_compile = |gcc: &Path, prefix: &str| {
            let prefix = gcc.with_file_name(prefix).into_os_string();
            vec![("ZEPHYR_TOOLCHAIN_VARIANT", "cross-compile".into()), ("CROSS_COMPILE", prefix)]
        };
        let (env, linking) = match chip {
            Chip::Native => {
                find("gcc").ok_or(format!("no gcc {sdk}"))?;
                (vec![("ZEPHYR_TOOLCHAIN_VARIANT", "host".into())], String::new())
            }
            Chip::Ia32 => {
                let gcc = find("i686-linux-gnu-gcc").ok_or(format!("no i686-linux-gnu-gcc {sdk}"))?;
                (cross_compile(&gcc, "i686-linux-gnu-"), NO_NOTE.to_owned())
            }
            Chip::Rv32 => {
                let gcc =
                    find("riscv64-unknown-elf-gcc").ok_or(format!("no riscv64-unknown-elf-gcc {sdk}"))?;
                (cross_compile(&gcc, "riscv64-unknown-elf-"), linking_rv32(&gcc))
            }
            Chip::Arm => {
                let gcc = find("arm-none-eabi-gcc").ok_or(format!("no arm-none-eabi-gcc {sdk}"))?;
                let path = gcc.ancestors().nth(2).unwrap_or(&gcc).as_os_str().to_owned();
                let env = vec![
                    ("ZEPHYR_TOOLCHAIN_VARIANT", "gnuarmemb".into()),
                    ("GNUARMEMB_TOOLCHAIN_PATH", path),
                ];
                (env, NO_NOTE.to_owned())
            }
        };
        let options = vec!["--force-toolchain".to_owned(), format!("-x=EXTRA_LDFLAGS={linking}")];
        Ok(Self { base, env, options })
    }

    /// A program that uses Zephyr.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = clean(program);
        command.env("ZEPHYR_BASE", &self.base).env_remove("CROSS_COMPILE").envs(self.env.iter().cloned());
        // Zephyr's files are the same in all of these builds; ccache, where it is, would take them for others by their folders.
        command.env("CCACHE_BASEDIR", root()).env("CCACHE_NOHASHDIR", "1");
        command
    }

    /// Builds an application anew, except for its cargo part. A warning that names one of our files is a failure.
    fn build(&self, name: &str, source: &str, board: &str, options: &[&str]) -> Outcome {
        let folder = scratch(name);
        drop(std::fs::remove_dir_all(&folder));
        let mut configure = self.command("cmake");
        configure.args(["-GNinja", "-S", source, &format!("-DBOARD={board}"), &cargo_dir()]).args(options);
        let configured = output(configure.arg("-B").arg(&folder));
        if !configured.ok {
            return Outcome::failed(configured.text);
        }
        let built = output(self.command("ninja").arg("-C").arg(&folder));
        if !built.ok {
            return Outcome::failed(built.text);
        }
        let ours = root().to_string_lossy().into_owned();
        let text = configured.text + &built.text;
        Outcome::of(warnings(&text, &ours).join("\n"), "")
    }

    /// The same for a sample on a board, with MCUboot: there is a signed image, and an artifact where the tool for it is.
    fn build_with_mcuboot(&self, name: &str, source: &str, board: &str, options: &[&str]) -> Outcome {
        let sysbuild = self.base.join("share/sysbuild");
        let app = format!("-DAPP_DIR={}", root().join(source).display());
        let options = [&[app.as_str()], options].concat();
        let built = self.build(name, &sysbuild.to_string_lossy(), board, &options);
        let image = Path::new(source).file_name().unwrap_or_default();
        with_images(built, &scratch(name).join(image))
    }

    /// The same without sysbuild, for an MCUboot that is already there.
    fn build_for_mcuboot(&self, name: &str, source: &str, board: &str, options: &[&str]) -> Outcome {
        with_images(self.build(name, source, board, options), &scratch(name))
    }
}

/// Whether a build that went well has left the files that it is for in its folder.
fn with_images(built: Outcome, folder: &Path) -> Outcome {
    let Outcome::Passed { .. } = built else { return built };
    let signed = folder.join("zephyr/zephyr.signed.bin");
    for file in [signed.clone(), signed.with_file_name("zephyr.mender")] {
        if !file.is_file() && (file == signed || find(MENDER_ARTIFACT.0).is_some()) {
            return Outcome::failed(format!("there is no {}", file.display()));
        }
    }
    built
}

/// Lines that complain, of compilers, CMake or Kconfig, about what is in a folder. CMake and Kconfig name it in the lines after.
fn warnings<'a>(text: &'a str, folder: &str) -> Vec<&'a str> {
    let lines: Vec<_> = text.lines().collect();
    let about = |from: usize| lines.iter().skip(from).take(4).any(|line| line.contains(folder));
    let complains = |(at, line): &(usize, &&str)| {
        let line = line.to_lowercase();
        let place = line.split(':').next().unwrap_or_default();
        // By ccache, which is told our folder, the places in it are relative.
        let relative = !place.starts_with('/') && (place.ends_with(".c") || place.ends_with(".h"));
        let ours = line.contains("warning:") && (relative || line.contains(&folder.to_lowercase()));
        // A value that Kconfig does not take is one of ours, but for that of QEMU's board, which has a network here.
        let lost = line.contains("was assigned the value") && !line.contains("qemu_icount_shift");
        ours || lost || line.starts_with("cmake warning") && about(*at)
    };
    lines.iter().enumerate().filter(complains).map(|(_, line)| *line).collect()
}

/// Before version 13, gcc knows no libgcc by names of an architecture that say Zicsr; and the linker finds code that can be written to.
fn linking_rv32(gcc: &Path) -> String {
    let asked = ["-march=rv32imac", "-mabi=ilp32", "-print-libgcc-file-name"];
    let libgcc = output(clean(gcc).args(asked)).text;
    let folder = Path::new(libgcc.trim()).parent().unwrap_or(Path::new("")).display().to_string();
    format!("-L{folder} -Wl,--no-warn-rwx-segments")
}

fn has_sdk() -> bool {
    let registered =
        std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cmake/packages/Zephyr-sdk"));
    std::env::var_os("ZEPHYR_SDK_INSTALL_DIR").is_some() || registered.is_some_and(|folder| folder.is_dir())
}

/// A folder for what is built.
pub(crate) fn scratch(name: &str) -> PathBuf {
    target_dir().join("zephyr").join(name)
}

/// One folder of cargo for all builds, so that the crates are compiled once for each target.
pub(crate) fn cargo_dir() -> String {
    format!("-DMENDER_MCU_CARGO_TARGET_DIR={}", scratch("cargo").display())
}

/// The option that makes firmware trust these CAs, each in a folder.
fn trusting(cas: &[PathBuf]) -> String {
    let files: Vec<_> = cas.iter().map(|ca| ca.join("ca.pem").display().to_string()).collect();
    format!("-DCONFIG_MENDER_MCU_CA_FILES=\"{}\"", files.join(" "))
}

/// Has the server make the CA that it will have in the tests, unless it is there.
pub(crate) fn make_ca(server: &Path) -> Result<PathBuf, String> {
    // Of two steps at a time one makes it.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let ca = scratch("ca");
    let paths = [("--server", server.to_path_buf()), ("--make-ca", ca.clone())];
    let made = script("tests/native_sim/updates.py", &paths);
    if made.ok { Ok(ca) } else { Err(made.text) }
}

/// Some CA, for what is only built.
fn any_ca() -> String {
    format!("-DCONFIG_MENDER_MCU_CA_FILES=\"{}\"", root().join("tests/twister/net/fixtures/ca.der").display())
}

/// A script and its options. What it counts are its lines that begin with `ok `.
pub(crate) fn script(name: &str, paths: &[(&str, PathBuf)]) -> Output {
    let mut command = clean("python3");
    command.arg(name);
    for (name, path) in paths {
        command.arg(name).arg(path);
    }
    output(&mut command)
}

pub(crate) fn counted(ran: Output, what: &str) -> Outcome {
    let count = ran.text.lines().filter(|line| line.starts_with("ok ")).count();
    match u32::try_from(count) {
        Ok(count) if ran.ok && count > 0 => Outcome::Passed { count, note: format!("{count} {what}") },
        _ => Outcome::failed(ran.text),
    }
}

/// The host programs that scripts use.
pub(crate) fn programs() -> Result<[PathBuf; 3], String> {
    let names = ["mender-server", "mender-testkit", "mender-device"];
    let built = output(cargo(["build", "--locked", "-q"]).args(names.iter().flat_map(|name| ["-p", name])));
    let program = |name| target_dir().join("debug").join(name);
    if built.ok { Ok(names.map(program)) } else { Err(built.text) }
}

/// An application outside of this repository.
fn foreign(zephyr: &Zephyr, name: &str, options: &[&str]) -> Outcome {
    let mut command = zephyr.command("python3");
    command.arg("tests/foreign/build.py").arg("--out").arg(scratch(name)).args(options).arg(cargo_dir());
    counted(output(&mut command), "application")
}

/// Whole updates over TLS, from `samples/ota` to another firmware.
fn updates(zephyr: &Zephyr) -> Outcome {
    let [server, testkit, _] = match programs() {
        Ok(programs) => programs,
        Err(text) => return Outcome::failed(text),
    };
    let ca = match make_ca(&server) {
        Ok(ca) => ca,
        Err(text) => return Outcome::failed(text),
    };
    let trusted = trusting(std::slice::from_ref(&ca));
    let settings = format!("-DEXTRA_CONF_FILE={}", root().join("tests/native_sim/updates.conf").display());
    let images = [("ota-native", "samples/ota"), ("new-native", "tests/native_sim/firmware")];
    let built = in_pairs(&images, |(folder, source)| {
        zephyr.build(folder, source, "native_sim/native/64", &[&trusted, &settings])
    });
    if let Some(failed) = built.into_iter().find(|built| matches!(built, Outcome::Failed { .. })) {
        return failed;
    }
    let old = ("--firmware", scratch("ota-native/zephyr/zephyr.exe"));
    let new = ("--new-firmware", scratch("new-native/zephyr/zephyr.exe"));
    let paths = [("--server", server), ("--testkit", testkit), old, new, ("--ca", ca)];
    let ran = script("tests/native_sim/updates.py", &paths);
    counted(ran, "scenarios")
}

/// What an update must leave of the default stacks: for the application's callbacks, and for what another compiler takes more.
const STACK_RESERVE: &str = "1024";

/// How much of its stack the client's thread has used at most, and `main`, in a whole update over TLS.
fn stack(zephyr: &Zephyr) -> Outcome {
    match programs().and_then(|[server, _, _]| make_ca(&server)) {
        Ok(ca) => stack_with(zephyr, "stack", &[ca], &[]),
        Err(text) => Outcome::failed(text),
    }
}

/// `samples/ota` as it is on a board: an address by DHCP, long waits, a watchdog.
fn sample(zephyr: &Zephyr) -> Outcome {
    let [server, ..] = match programs() {
        Ok(programs) => programs,
        Err(text) => return Outcome::failed(text),
    };
    let ca = match make_ca(&server) {
        Ok(ca) => ca,
        Err(text) => return Outcome::failed(text),
    };
    let options = [
        trusting(std::slice::from_ref(&ca)),
        "-DCONFIG_MENDER_MCU_SERVER_URL=\"https://10.0.2.2:18743\"".to_owned(),
        "-DCONFIG_MENDER_MCU_FIRST_CHECK_MAX_S=1".to_owned(),
    ];
    let built = zephyr.build_with_mcuboot(
        "ota-qemu",
        "samples/ota",
        "mps2/an385",
        &options.each_ref().map(String::as_str),
    );
    let Outcome::Passed { .. } = built else { return built };
    let ran = script(
        "tests/qemu/sample.py",
        &[("--server", server), ("--build", scratch("ota-qemu")), ("--ca", ca)],
    );
    counted(ran, "run")
}

/// The same with chains as public certification authorities have them.
fn stack_public(zephyr: &Zephyr) -> Outcome {
    let kinds: [(&str, &[&str]); 2] = [
        ("ca-rsa", &["-newkey", "rsa:4096"]),
        ("ca-p384", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384"]),
    ];
    for (name, options) in kinds {
        let made = output(clean("tests/stack/make-ca.sh").arg(scratch(name)).args(options));
        if !made.ok {
            return Outcome::failed(made.text);
        }
    }
    let settings = format!("-DEXTRA_CONF_FILE={}", root().join("tests/stack/public.conf").display());
    stack_with(zephyr, "stack-public", &kinds.map(|(name, _)| scratch(name)), &[&settings])
}

/// Builds `tests/stack` with these CAs, and takes an update from a server of each.
fn stack_with(zephyr: &Zephyr, name: &str, cas: &[PathBuf], options: &[&str]) -> Outcome {
    let [server, testkit, _] = match programs() {
        Ok(programs) => programs,
        Err(text) => return Outcome::failed(text),
    };
    let built =
        zephyr.build(name, "tests/stack", "mps2/an385", &[&[trusting(cas).as_str()], options].concat());
    if let Outcome::Failed { .. } = built {
        return built;
    }
    let mut told = Vec::new();
    for ca in cas {
        let elf = ("--elf", scratch(name).join("zephyr/zephyr.elf"));
        let (server, testkit) = (("--server", server.clone()), ("--testkit", testkit.clone()));
        let reserve = ("--reserve", STACK_RESERVE.into());
        let ran = script("tests/stack/stack.py", &[server, testkit, elf, ("--ca", ca.clone()), reserve]);
        if !ran.ok {
            return Outcome::failed(ran.text);
        }
        told.extend(ran.text.lines().filter_map(|line| line.strip_prefix("ok ")).map(str::to_owned));
    }
    match u32::try_from(told.len()) {
        Ok(count) if count > 0 => Outcome::Passed { count, note: told.join(", ") },
        _ => Outcome::failed("no figure".to_owned()),
    }
}

/// `samples/ota` for a board.
fn ota(zephyr: &Zephyr) -> Outcome {
    zephyr.build_with_mcuboot("ota-nucleo", "samples/ota", "nucleo_l4a6zg", &[&any_ca()])
}

/// The `.mender` file that the build of `samples/ota` made, and the settings of it.
fn artifact(zephyr: &Zephyr) -> Outcome {
    let [_, testkit, device] = match programs() {
        Ok(programs) => programs,
        Err(text) => return Outcome::failed(text),
    };
    let build = scratch("ota-nucleo/ota");
    // It is there, unless this step runs alone.
    if !build.join("zephyr/zephyr.mender").is_file()
        && let failed @ Outcome::Failed { .. } = ota(zephyr)
    {
        return failed;
    }
    let paths = [("--device", device), ("--testkit", testkit), ("--build", build)];
    counted(script("tests/artifact/artifact.py", &paths), "artifacts")
}

#[cfg(test)]
mod own_tests {
    use super::*;

    #[test]
    fn warnings_about_our_files_are_found_in_every_form() {
        for text in [
            "/ours/src/main.c:3:1: warning: unused variable\n",
            "../../../samples/ota/src/main.c:3:1: warning: unused variable\n",
            "CMake Warning at /ours/zephyr/cmake/rust.cmake:3 (message):\n  too old\n",
            "CMake Warning (dev) in CMakeLists.txt:\n  one\n  two\n  at /ours/CMakeLists.txt\n",
            "warning: WATCHDOG (defined at drivers/Kconfig:3) was assigned the value 'y' but got the value 'n'.\n",
        ] {
            assert_eq!(warnings(text, "/ours").len(), 1, "{text}");
        }
    }

    #[test]
    fn other_peoples_warnings_are_theirs() {
        let text = "/theirs/main.c:3:1: warning: unused\nCMake Warning at CMakeLists.txt:3 (message):\n  x\nok /ours/main.c\n";
        assert_eq!(warnings(text, "/theirs/other"), Vec::<&str>::new());
        assert_eq!(warnings("building /ours/main.c\n", "/ours"), Vec::<&str>::new());
        let board = "warning: QEMU_ICOUNT_SHIFT (defined at boards/Kconfig:74) was assigned the value '7' but got the value ''.\n";
        assert_eq!(warnings(board, "/ours"), Vec::<&str>::new());
    }
}
