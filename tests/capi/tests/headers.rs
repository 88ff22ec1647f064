// SPDX-License-Identifier: Apache-2.0
//! The headers say what the library does, in every C and C++ that applications are written in.

use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::process::Command;

use mender_capi::{WARNINGS, has, must, root, scratch};
use mender_ffi::types::{
    MenderBuffers, MenderCallbacks, MenderConfig, MenderNotice, MenderStatus, MenderUpdateModule,
};

fn compile(compiler: &str, std: &str, language: &str, source: &str) {
    let name = format!("header-{std}.{language}");
    let path = scratch().join(&name);
    std::fs::write(&path, source).expect("a file");
    let mut command = Command::new(compiler);
    command.arg(format!("-std={std}")).args(WARNINGS).args(["-fsyntax-only", "-x", language]);
    must(command.arg("-I").arg(root().join("include")).arg(path));
}

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let stale = mender_header::is_stale(&root()).expect("readable sources");
    assert!(!stale, "run `cargo xtask header`");
}

#[test]
fn c_and_cpp_of_every_age_take_the_headers() {
    let source = "#include <mender_port.h>\n#include <mender_mcu.h>\nint unused_value;\n";
    for std in ["c99", "c11", "c17", "gnu2x"] {
        compile("cc", std, "c", source);
        compile("cc", std, "c", "#include <mender_mcu.h>\nint unused_value;\n");
    }
    if has("c++", "the headers as C++17") {
        compile("c++", "c++17", "c++", source);
    }
}

#[test]
fn c_lays_structures_out_as_rust_does() {
    let mut source = String::from("#include <mender_mcu.h>\n#include <stddef.h>\n");
    let mut claim = |what: &str, is: usize| {
        writeln!(source, "_Static_assert({what} == {is}, \"{what}\");").unwrap_or_default();
    };
    claim("sizeof(struct mender_buffers)", size_of::<MenderBuffers>());
    claim("sizeof(struct mender_callbacks)", size_of::<MenderCallbacks>());
    claim("sizeof(struct mender_config)", size_of::<MenderConfig>());
    claim("sizeof(struct mender_notice)", size_of::<MenderNotice>());
    claim("sizeof(struct mender_status)", size_of::<MenderStatus>());
    claim("sizeof(struct mender_update_module)", size_of::<MenderUpdateModule>());
    claim("offsetof(struct mender_callbacks, restart)", offset_of!(MenderCallbacks, restart));
    claim("offsetof(struct mender_config, buffers)", offset_of!(MenderConfig, buffers));
    claim("offsetof(struct mender_config, probe_tries)", offset_of!(MenderConfig, probe_tries));
    claim("offsetof(struct mender_status, artifact_name)", offset_of!(MenderStatus, artifact_name));
    claim("offsetof(struct mender_update_module, cleanup)", offset_of!(MenderUpdateModule, cleanup));
    compile("cc", "c11", "c", &source);
}
