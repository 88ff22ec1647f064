// SPDX-License-Identifier: Apache-2.0
//! The client in the application that the other clients' figures in docs/footprint.md were measured in, where it is at hand.

use std::path::{Path, PathBuf};

use super::budget::Bytes;
use super::{build, folder, grouped, line, state};
use crate::report::{Outcome, Report};
use crate::run::root;
use crate::zephyr::{Zephyr, arm};

/// Names the application's folder where it is not beside the repository.
const VARIABLE: &str = "MENDER_FOOTPRINT_SKELETON";
const BESIDE: &str = "../shared/footprint-skel";

/// Flash of the application with Mbed TLS's older interface when the other clients were measured in it. With another one, neither
/// compiler nor Zephyr nor the application are those, and the figures cannot stand beside each other.
const BASELINE: u64 = 199_128;
/// The most it may differ, in thousandths.
const TOLERANCE: u64 = 5;

/// Linked images of the application.
struct Measured {
    plain: Bytes,
    psa: Bytes,
    client: Bytes,
}

impl Measured {
    fn adds(&self) -> Bytes {
        self.client.beyond(self.psa)
    }
}

/// As a test, where there is the application.
pub(crate) fn step(report: &mut Report, name: &str) {
    match arm(&[]).and_then(|zephyr| source().map(|source| (zephyr, source))) {
        Ok((zephyr, source)) => report.step(name, || check(&zephyr, &source)),
        Err(missing) => report.skip(name, &missing),
    }
}

fn check(zephyr: &Zephyr, source: &Path) -> Outcome {
    match measure(zephyr, source) {
        Ok(measured) => {
            let Measured { plain, psa, .. } = &measured;
            let adds = measured.adds();
            let note = format!(
                "baseline {}/{}, with PSA {}/{}; the client adds {}/{}",
                plain.flash, plain.ram, psa.flash, psa.ram, adds.flash, adds.ram
            );
            Outcome::of(judge(plain.flash).unwrap_or_default(), note)
        }
        Err(error) => Outcome::failed(error),
    }
}

/// The figures as a table and as a row of docs/footprint.md; the second is what is wrong with them. Without a folder it looks for
/// one.
pub(crate) fn table(zephyr: &Zephyr, named: Option<&str>) -> Result<(String, String), String> {
    let source = match named {
        Some(named) => application(Path::new(named))?,
        None => source()?,
    };
    let measured = measure(zephyr, &source)?;
    let Measured { plain, psa, client } = &measured;
    let Bytes { flash, ram } = measured.adds();
    let mut text = String::from("bytes                flash      RAM   + flash    + RAM\n");
    for (name, bytes) in [("as it is", plain), ("with PSA", psa)] {
        line(&mut text, format_args!("{name:<16} {:>9} {:>8}", bytes.flash, bytes.ram));
    }
    let (all, most) = (client.flash, client.ram);
    line(&mut text, format_args!("{:<16} {all:>9} {most:>8} {flash:>9} {ram:>8}", "and the client"));
    let (at, [flash, ram, with]) = (state(), [flash, ram, psa.flash].map(grouped));
    line(&mut text, format_args!("\nfor docs/footprint.md, at {at}:"));
    let cells = format!("**{flash}** | **{ram}** | the skeleton with PSA, {with} B");
    line(&mut text, format_args!("| this one, `CONFIG_MENDER_MCU=y` as it is, in a thread | {cells} |"));
    Ok((text, judge(plain.flash).unwrap_or_default()))
}

/// What is wrong with the baseline.
fn judge(flash: u64) -> Option<String> {
    let off = flash.abs_diff(BASELINE);
    (off * 1000 > BASELINE * TOLERANCE).then(|| {
        format!(
            "the application has {flash} bytes of flash without a client, not {BASELINE} ± 0.5 %: compiler, Zephyr or application \
             are not those that the other clients were measured with\n"
        )
    })
}

fn source() -> Result<PathBuf, String> {
    let Some(named) = std::env::var_os(VARIABLE) else {
        return application(&root().join(BESIDE))
            .map_err(|why| format!("{why}, and {VARIABLE} names no other"));
    };
    application(Path::new(&named)).map_err(|why| format!("{VARIABLE}: {why}"))
}

fn application(folder: &Path) -> Result<PathBuf, String> {
    let absolute = std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    if absolute.join("CMakeLists.txt").is_file() {
        return Ok(absolute);
    }
    Err(format!("no application in {}", folder.display()))
}

fn measure(zephyr: &Zephyr, source: &Path) -> Result<Measured, String> {
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
    let bytes = |name, options: &[String]| build::image(zephyr, name, source, options).map(|i| i.bytes);
    Ok(Measured {
        plain: bytes("skeleton", &[])?,
        psa: bytes("skeleton-psa", &[conf(&["psa.conf"])])?,
        client: bytes("skeleton-client", &client)?,
    })
}

#[cfg(test)]
mod own_tests {
    use super::*;

    #[test]
    fn the_baseline_may_differ_by_half_a_percent() {
        for good in [BASELINE, 199_120, 198_133, 200_123] {
            assert_eq!(judge(good), None, "{good}");
        }
        for bad in [0, 198_132, 200_124, 220_544] {
            assert!(judge(bad).is_some(), "{bad}");
        }
    }
}
