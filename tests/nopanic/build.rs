// SPDX-License-Identifier: Apache-2.0
//! How a program without an operating system is linked, here also where there is one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg-bins=--entry=_start");
    } else {
        // The C library is there for memcpy and the like, nothing more.
        println!("cargo:rustc-link-arg-bins=-nostartfiles");
        println!("cargo:rustc-link-arg-bins=-lc");
    }
}
