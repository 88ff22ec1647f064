// SPDX-License-Identifier: Apache-2.0
//! The project's commands: `cargo xtask <command>`.

mod bench;
mod catalogue;
mod demo;
mod docs;
mod elf;
mod header;
mod nopanic;
mod powercut;
mod qemu;
mod report;
mod run;
mod size;
mod surface;
mod test;
mod twister;
mod zephyr;

use std::process::ExitCode;

use report::{Outcome, Report};
use test::Extent;

const HELP: &str = "\
cargo xtask <command>

  test              the tests; --quick leaves out what takes minutes, --long adds other CPUs and boards, and ports broken on purpose
  demo              a simulated device updates itself over TLS, loses power twice, falls back from a bad image
  powercut          power cuts and broken connections at every place, in a simulation
  bench             instructions and copies per byte of an artifact
  size [VARIANT…]   flash and RAM that the client adds to an application, beside its budget
  nopanic           proves that the firmware crates have no reachable panic and no heap
  zephyr            the tests on Zephyr alone
  qemu              updates and power cuts of firmware under MCUboot itself, in QEMU
  mutants           breaks the Zephyr ports on purpose; their suites must notice
  catalogue         which test covers which entry of the catalogue of hostile input
  docs [--check]    writes docs/errors.md and docs/events.md
  header [--check]  writes include/mender_mcu.h and the bindings of include/mender_port.h

cargo xtask <command> --help says more.
";

const TEST_HELP: &str = "\
cargo xtask test [--quick | --long]

Runs all checks but the longest: formatting, lints, all tests of the workspace, the catalogue of hostile input, generated
documents, the proof that the firmware cannot panic, instructions per byte, the demonstration, and what `cargo xtask zephyr`
runs. A failure does not stop what comes after it. What needs a tool that is not installed is skipped with a line that names the tool.
What --long would add is named at the end, and not counted.

The last line is `N passed, N failed, N skipped`; the exit code is 0 when nothing failed.

  --quick   a minute or two: without the cross build, the measurements, the power cuts by SIGKILL, the demonstration and Zephyr
  --long    also `cargo xtask zephyr --long`, and the proof that nothing panics for other CPUs; not the further power cuts of
            `cargo xtask powercut --long` and `cargo xtask qemu --long`
";

const MUTANTS_HELP: &str = "\
cargo xtask mutants

Breaks the ports in zephyr/src one line at a time, and checks that the suite of that port fails on native_sim. The list is in
tests/twister/mutants.py. Some minutes.
";

const DEMO_HELP: &str = "\
cargo xtask demo

Builds and runs a local Mender server and a simulated device: authentication, a good update with a power cut in mid-download and one
in mid-swap, a bad update that is swapped back and reported with its log. Ends with a table of what happened; the exit code is 0
only if all of it did. Under a minute after the build.
";

const POWERCUT_HELP: &str = "\
cargo xtask powercut [--long] [--story NAME] [--seeds N] | --mutations | --replay RUN | --list

Runs the client in a world of memory: a power cut at every flash operation, torn in several ways, on every flash geometry and in
every mode of MCUboot; a second cut at every operation of the recovery; connections cut at every byte; random mixtures by seed. Flash
and server are judged after each. Prints what was tried; for what went wrong, the command that replays it. A minute or two.

  --long        every tear and every pair, every byte in every mode, ten times as many seeds, then the mutations: an hour
  --story NAME  one scenario
  --seeds N     random mixtures (10000)
  --mutations   breaks a copy of the client in one way after the other, and checks that each is found out
  --replay RUN  one run again, with all that happened in it
  --list        scenarios, and what can go wrong
";

const BENCH_HELP: &str = "\
cargo xtask bench

Counts with callgrind what the client needs per byte of an artifact, from the receive buffer to the slot port, beside SHA-256 alone
over the same data, and the bytes that are copied on the way. Fails above 1.0 instruction per byte beyond SHA-256 itself, and above
0.1 bytes copied per byte. tests/bench/src/main.rs says what is counted and what is not. Needs valgrind.
";

const NOPANIC_HELP: &str = "\
cargo xtask nopanic [--sizes]

Links the programs of tests/nopanic, whose panic handler calls a function that does not exist: they link only when no panic can
be reached. Checks that they have no heap, that they call every public function of the firmware crates, and that with one slice
index added the link fails. For thumbv7em-none-eabi where a toolchain can build for it (an installed target, or a rustc with
rust-src), and for this machine.

  --sizes   prints the sections of the linked client and its largest functions instead
";

const ZEPHYR_HELP: &str = "\
cargo xtask zephyr [--long | --only NAME]

The part of `cargo xtask test` that needs a Zephyr 4.3 workspace: the ports' tests and whole updates on native_sim (T1), the ports'
tests on qemu_x86 (T2), updates with MCUboot itself and the stack that one takes in QEMU (T3), builds for boards and what the client
adds to them (T4).

The workspace is that of ZEPHYR_BASE, else the west workspace this repository is in, else that of CMake's package registry
(`west zephyr-export`). The compiler is that of ZEPHYR_TOOLCHAIN_VARIANT or of the Zephyr SDK, else the distribution's: gcc,
i686-linux-gnu-gcc and arm-none-eabi-gcc.

  --long        what takes long and seldom finds anything: other CPUs, the samples on all their boards and without sysbuild, records in
                ZMS, the stack that chains of public CAs take, the application that the other clients were measured in, and
                `cargo xtask mutants`
  --only NAME   the steps whose names contain NAME, such as T4 or stack, also of the long ones
";

const QEMU_HELP: &str = "\
cargo xtask qemu [--long] [OPTION...]

Builds MCUboot in each of its modes and the application of tests/qemu for mps2/an385, and runs them in QEMU against mender-server over
TLS: good and bad updates, resets, a link that goes down, power cuts at chosen flash operations of the client, the settings and
MCUboot. Both slots are compared with what they must hold. Some minutes; needs Zephyr 4.3 with MCUboot, a compiler for Arm and
qemu-system-arm.

  --long   over 600 power cuts
  OPTION   of tests/qemu/qemu.py, such as --mode offset --only good
";

const SIZE_HELP: &str = "\
cargo xtask size [VARIANT...]
cargo xtask size --skeleton [FOLDER]
cargo xtask size --features [FEATURE...]

Builds the application of tests/footprint for nucleo_l4a6zg without the client and with it, in the variants of budget.toml there
(all, or those named), and prints what the client adds to flash and RAM: linked images are compared, stack and buffers count.
For the default it says which libraries, crates and symbols the bytes are, how deep the stack of our functions is, and how far it is
from the target. Fails above the budget, and says so when a figure is 5 % under. Needs a Zephyr 4.3 workspace and a compiler for Arm.
What was built is kept in the target folder.

  --skeleton   the client in the application that the other clients' figures were measured in: as it is, with cryptography by PSA, and
               with the client. FOLDER, else that of MENDER_FOOTPRINT_SKELETON, else ../shared/footprint-skel. Fails when it is
               not what it was then
  --features   what each feature costs, or those named: a build of a minute or two for each, less with ccache

Both print what is pasted into docs/footprint.md.
";

const CATALOGUE_HELP: &str = "\
cargo xtask catalogue [--list]

Checks that every entry of the catalogue of malformed and hostile input (docs/protocol.md §10) has a test whose name begins with
its number, as c47_ does, or is known to wait for later work.

  --list   prints the whole map instead
";

const DOCS_HELP: &str = "\
cargo xtask docs [--check]

Writes docs/errors.md and docs/events.md from the tables in mender-base.

  --check   writes nothing; fails when they are not what would be written
";

const HEADER_HELP: &str = "\
cargo xtask header [--check]

Writes include/mender_mcu.h from rust/ffi by cbindgen, and rust/zephyr-sys/src/host.rs from include/mender_port.h by bindgen, which
takes libclang; without one it says so and leaves the bindings alone.

  --check   writes nothing; fails when they are not what would be written
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (command, rest) = words.split_first().map_or(("", &[][..]), |(command, rest)| (*command, rest));
    let help = match command {
        "test" => TEST_HELP,
        "demo" => DEMO_HELP,
        "bench" => BENCH_HELP,
        "powercut" => POWERCUT_HELP,
        "size" => SIZE_HELP,
        "nopanic" => NOPANIC_HELP,
        "zephyr" => ZEPHYR_HELP,
        "qemu" => QEMU_HELP,
        "mutants" => MUTANTS_HELP,
        "catalogue" => CATALOGUE_HELP,
        "docs" => DOCS_HELP,
        "header" => HEADER_HELP,
        _ => HELP,
    };
    match (command, rest) {
        (_, [.., "--help" | "-h"]) | ("" | "help" | "--help" | "-h", _) => {
            print!("{help}");
            ExitCode::SUCCESS
        }
        ("test", []) => test::all(Extent::Usual),
        ("test", ["--quick"]) => test::all(Extent::Quick),
        ("test", ["--long"]) => test::all(Extent::Long),
        ("demo", []) => demo::show(),
        ("powercut", arguments) => powercut::show(arguments),
        ("bench", []) => match bench::missing() {
            Some(missing) => {
                println!("bench skipped: {missing}");
                ExitCode::SUCCESS
            }
            None => print_or_fail(bench::table()),
        },
        ("nopanic", []) => steps(|report| {
            nopanic::steps(report, false);
            nopanic::further(report);
        }),
        ("size", words) => size(words),
        ("nopanic", ["--sizes"]) => print_or_fail(nopanic::sizes()),
        ("qemu", options) => qemu::show(options),
        ("mutants", []) => steps(|report| zephyr::only(report, "mutants")),
        ("zephyr", []) => steps(zephyr::steps),
        ("zephyr", ["--long"]) => steps(zephyr::long),
        ("zephyr", ["--only", name]) if zephyr::has(name) => steps(|report| zephyr::only(report, name)),
        ("catalogue", []) => single("catalogue", catalogue::check),
        ("catalogue", ["--list"]) => print_or_fail(Ok(catalogue::list())),
        ("docs", []) => single("docs", docs::write),
        ("docs", ["--check"]) => single("docs", docs::check),
        ("header", []) => steps(|report| _ = header::steps(report, false)),
        ("header", ["--check"]) => steps(|report| _ = header::steps(report, true)),
        _ => {
            eprintln!("cargo xtask: not understood: {}\n\n{help}", args.join(" "));
            ExitCode::from(2)
        }
    }
}

fn size(words: &[&str]) -> ExitCode {
    let zephyr = match zephyr::arm(&[]) {
        Ok(zephyr) => zephyr,
        Err(missing) => {
            println!("size skipped: {missing}");
            return ExitCode::SUCCESS;
        }
    };
    match words {
        ["--skeleton"] => print_and_judge(size::skeleton::table(&zephyr, None)),
        ["--skeleton", folder] => print_and_judge(size::skeleton::table(&zephyr, Some(folder))),
        ["--features", names @ ..] => print_or_fail(size::features::table(&zephyr, names)),
        names => print_and_judge(size::table(&zephyr, names)),
    }
}

fn single(name: &str, step: impl FnOnce() -> Outcome) -> ExitCode {
    steps(|report| report.step(name, step))
}

fn steps(run: impl FnOnce(&mut Report)) -> ExitCode {
    let mut report = Report::default();
    run(&mut report);
    report.close()
}

/// Figures, and what is wrong with them.
fn print_and_judge(told: Result<(String, String), String>) -> ExitCode {
    match told {
        Ok((text, wrong)) => {
            print!("{text}");
            eprint!("{wrong}");
            if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print_or_fail(text: Result<String, String>) -> ExitCode {
    match text {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
