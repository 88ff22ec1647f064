// SPDX-License-Identifier: Apache-2.0
//! Chooses the bindings: made now by bindgen (feature `bindgen`), or the committed ones of a host.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ZEPHYR_SYS_CLANG_ARGS");
    match bindings() {
        Ok(path) => {
            println!("cargo::rustc-env=ZEPHYR_SYS_BINDINGS={}", path.display());
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("cargo::error={what}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(feature = "bindgen"))]
fn bindings() -> Result<PathBuf, String> {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("not run by cargo")?;
    Ok(PathBuf::from(folder).join("src/host.rs"))
}

#[cfg(feature = "bindgen")]
fn bindings() -> Result<PathBuf, String> {
    use std::{env, fs, panic};

    /// What the client interprets or reports of its own; the other numbers are the platform's.
    const ERRNO: &str = "EAGAIN|EINVAL|ENOENT|ENOSPC";
    const NO_LIBCLANG: &str = "no libclang was found, which bindgen reads C headers with: `apt install libclang-dev`, \
                               `pip install libclang`, or name its folder by LIBCLANG_PATH";

    println!("cargo::rerun-if-env-changed=LIBCLANG_PATH");
    let of = |name: &str| env::var_os(name).map(PathBuf::from).ok_or(format!("{name} is not set"));
    let include = of("CARGO_MANIFEST_DIR")?.join("../../include");
    let out = of("OUT_DIR")?.join("bindings.rs");

    let mut builder = bindgen::Builder::default();
    if let Some(file) = env::var_os("ZEPHYR_SYS_CLANG_ARGS").map(PathBuf::from) {
        println!("cargo::rerun-if-changed={}", file.display());
        println!("cargo::rustc-cfg=zephyr");
        let args = fs::read_to_string(&file)
            .map_err(|e| format!("ZEPHYR_SYS_CLANG_ARGS: {}: {e}", file.display()))?;
        // Not told by bindgen: files that are read before the header, among them all of Kconfig.
        let before = args
            .lines()
            .zip(args.lines().skip(1))
            .filter(|(flag, _)| ["-imacros", "-include"].contains(flag));
        before.for_each(|(_, path)| println!("cargo::rerun-if-changed={path}"));
        builder = builder.clang_args(args.lines());
    } else {
        // The committed bindings serve machines of every pointer width.
        builder = builder.layout_tests(false);
    }

    // It panics where there is no libclang, and says so at length.
    panic::set_hook(Box::new(|_| ()));
    panic::catch_unwind(bindgen::clang_version).map_err(|_| NO_LIBCLANG)?;
    drop(panic::take_hook());

    builder
        .header(include.join("mender_port.h").display().to_string())
        .clang_arg(format!("-I{}", include.display()))
        .use_core()
        .disable_header_comment()
        .raw_line("// SPDX-License-Identifier: Apache-2.0")
        .raw_line("// Made from include/mender_port.h by bindgen (build.rs).")
        .formatter(bindgen::Formatter::Prettyplease)
        .derive_debug(false)
        .generate_comments(false)
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .allowlist_function("mender_port_.*")
        .allowlist_var("MENDER_.*")
        .allowlist_var("CONFIG_MENDER_MCU_.*")
        .allowlist_var(ERRNO)
        .blocklist_item("MENDER_(MCU_VERSION|E_.*)")
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .generate()
        .map_err(|e| format!("include/mender_port.h cannot be bound: {e}"))?
        .write_to_file(&out)
        .map_err(|e| format!("{}: {e}", out.display()))?;
    Ok(out)
}
