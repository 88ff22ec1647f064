// SPDX-License-Identifier: Apache-2.0
//! The client in the application that the other clients' figures in docs/footprint.md were measured in, where it is at hand.

use std::fmt::Write;
use std::path::Path;

use super::{build, folder};
use crate::run::root;
use crate::zephyr::Zephyr;

/// The figures as a table: the application as it is, with cryptography by PSA, and with the client.
pub(crate) fn table(zephyr: &Zephyr, source: &str) -> Result<String, String> {
    let source = &std::path::absolute(source).map_err(|error| format!("{source}: {error}"))?;
    if !source.join("CMakeLists.txt").is_file() {
        return Err(format!("{} is no application: it has no CMakeLists.txt", source.display()));
    }
    let conf = |names: &[&str]| {
        let files: Vec<_> = names.iter().map(|name| folder().join(name).display().to_string()).collect();
        format!("-DEXTRA_CONF_FILE={}", files.join(";"))
    };
    let path = |option: &str, path: &Path| format!("-D{option}={}", path.display());
    let client = [
        conf(&["psa.conf", "client.conf"]),
        "-DCONFIG_SKEL_CLIENT_OTHER=y".to_owned(),
        path("SKEL_CLIENT_SOURCE", &folder().join("skeleton.c")),
        path("EXTRA_ZEPHYR_MODULES", &root()),
    ];
    let plain = build::image(zephyr, "skeleton", source, &[])?;
    let psa = build::image(zephyr, "skeleton-psa", source, &[conf(&["psa.conf"])])?;
    let ours = build::image(zephyr, "skeleton-client", source, &client)?;
    let mut text = String::from("bytes                flash      RAM   + flash    + RAM\n");
    for (name, image, adds) in
        [("as it is", &plain, false), ("with PSA", &psa, false), ("and the client", &ours, true)]
    {
        let (flash, ram) = (image.bytes.flash, image.bytes.ram);
        write!(text, "{name:<16} {flash:>9} {ram:>8}").ok();
        if adds {
            let (more, most) = (flash.saturating_sub(psa.bytes.flash), ram.saturating_sub(psa.bytes.ram));
            write!(text, " {more:>9} {most:>8}").ok();
        }
        text.push('\n');
    }
    Ok(text)
}
