// SPDX-License-Identifier: Apache-2.0
//! What each feature costs: a linked image with it minus one without it, all else being equal.

use std::collections::BTreeMap;

use super::budget::Bytes;
use super::{DEFAULT, build, configuration, folder, grouped, line, state};
use crate::run::root;
use crate::zephyr::Zephyr;

/// How it is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// With the feature minus the client as it is.
    On,
    /// The client as it is minus one without the feature.
    Off,
    /// There is no way to have the client without it: what the client costs beside it, minus what it costs as it is.
    Beside,
}

/// Which application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum App {
    /// `tests/footprint`.
    Footprint,
    /// `tests/twister/matrix`, which names no algorithms of TLS, so that those of a preset are its own.
    Presets,
}

struct Feature {
    /// Without `CONFIG_MENDER_MCU_`.
    name: &'static str,
    how: How,
    app: App,
    /// Settings that both images have.
    both: &'static [&'static str],
    /// Settings that make the difference.
    sets: &'static [&'static str],
    /// What is to be said beside the figures.
    note: &'static str,
}

impl Feature {
    const fn new(name: &'static str, how: How, sets: &'static [&'static str], note: &'static str) -> Self {
        Self { name, how, app: App::Footprint, both: &[], sets, note }
    }

    const fn beside(self, both: &'static [&'static str]) -> Self {
        Self { both, ..self }
    }

    const fn preset(self) -> Self {
        Self { app: App::Presets, ..self }
    }
}

const P256: &str = "MENDER_MCU_VERIFY_KEY_FILES=\"../../conformance/fixtures/keys/p256.pub.pem\"";
const P256_AND_RSA: &str = "MENDER_MCU_VERIFY_KEY_FILES=\"../../conformance/fixtures/keys/p256.pub.pem \
                            ../../conformance/fixtures/keys/rsa2048.pub.pem\"";

const FEATURES: &[Feature] = &[
    Feature::new("UPDATE_MODULES", How::On, &["MENDER_MCU_UPDATE_MODULES=y"], ""),
    Feature::new(
        "SIGNATURES",
        How::On,
        &["MENDER_MCU_VERIFY_KEY_FILES=\"../conformance/fixtures/keys/p256.pub.pem\""],
        "with one P-256 key",
    ),
    Feature::new(
        "VERIFY_RSA",
        How::On,
        &["MENDER_MCU_VERIFY_RSA=y", P256_AND_RSA],
        "beside a P-256 key, with one RSA key of 2048 bits, where TLS has no RSA",
    )
    .preset()
    .beside(&[P256]),
    Feature::new("DEPLOYMENT_LOG", How::Off, &["MENDER_MCU_DEPLOYMENT_LOG=n"], ""),
    Feature::new("ERROR_TEXTS", How::Off, &["MENDER_MCU_ERROR_TEXTS=n"], ""),
    Feature::new("LOG_LEVEL_INF", How::Off, &["MENDER_MCU_LOG_LEVEL_OFF=y"], "over LOG_LEVEL_OFF"),
    Feature::new("WAIT_FOR_NETWORK", How::Off, &["MENDER_MCU_WAIT_FOR_NETWORK=n"], ""),
    Feature::new("THREAD", How::Off, &["MENDER_MCU_THREAD=n"], "its stack of 4 096 bytes included"),
    Feature::new("SETTINGS", How::On, &["MENDER_MCU_SETTINGS=y"], "its buffer of 1 024 bytes included"),
    Feature::new(
        "SHELL",
        How::On,
        &["MENDER_MCU_SHELL=y", "MENDER_MCU_SETTINGS=n"],
        "beside Zephyr's shell, whose stack it doubles; without SETTINGS",
    )
    .beside(&["SHELL=y"]),
    Feature::new(
        "MCUMGR",
        How::Beside,
        &["ZCBOR=y", "MCUMGR=y", "MCUMGR_GRP_IMG=y"],
        "beside MCUmgr's image group, with the hooks that it turns on there",
    ),
    Feature::new("SHA256_PSA", How::On, &["MENDER_MCU_SHA256_PSA=y"], ""),
    Feature::new(
        "TLS_PUBLIC_CA",
        How::On,
        &["MENDER_MCU_TLS_PUBLIC_CA=y"],
        "over TLS_OWN_SERVER, in Mbed TLS; its contexts are smaller, the stack that the thread has then is 2 048 B more",
    )
    .preset(),
];

/// The figures as a table of docs/footprint.md; `names` are the features, all when there are none.
pub(crate) fn table(zephyr: &Zephyr, names: &[&str]) -> Result<String, String> {
    if let Some(unknown) = names.iter().find(|name| FEATURES.iter().all(|feature| feature.name != **name)) {
        let known: Vec<_> = FEATURES.iter().map(|feature| feature.name).collect();
        return Err(format!("no feature {unknown}; there are {}", known.join(", ")));
    }
    let (mut text, mut known) = (String::new(), Known::new());
    line(&mut text, format_args!("for docs/footprint.md, at {}:\n", state()));
    line(&mut text, format_args!("| `CONFIG_MENDER_MCU_…` | flash, B | RAM, B | |"));
    line(&mut text, format_args!("|---|---:|---:|---|"));
    for feature in FEATURES.iter().filter(|feature| names.is_empty() || names.contains(&feature.name)) {
        let (flash, ram) =
            cost(zephyr, &mut known, feature).map_err(|error| format!("{}: {error}", feature.name))?;
        eprintln!("{} {flash} {ram}", feature.name);
        line(&mut text, format_args!("| `{}` | {flash} | {ram} | {} |", feature.name, feature.note));
    }
    Ok(text)
}

/// The images that were built already, by what they were built with.
type Known = BTreeMap<(App, Vec<String>), Bytes>;

fn cost(zephyr: &Zephyr, known: &mut Known, feature: &Feature) -> Result<(String, String), String> {
    let with: Vec<_> = feature.both.iter().chain(feature.sets).copied().collect();
    let as_it_is = image(zephyr, known, feature.app, true, feature.both)?;
    let other = image(zephyr, known, feature.app, true, &with)?;
    let (more, less) = match feature.how {
        How::On => (other, as_it_is),
        How::Off => (as_it_is, other),
        How::Beside => {
            let without = image(zephyr, known, feature.app, false, &[])?;
            let beside = image(zephyr, known, feature.app, false, &with)?;
            (sum(other, without), sum(as_it_is, beside))
        }
    };
    Ok((difference(more.flash, less.flash), difference(more.ram, less.ram)))
}

fn sum(one: Bytes, other: Bytes) -> Bytes {
    Bytes { flash: one.flash + other.flash, ram: one.ram + other.ram }
}

fn difference(more: u64, less: u64) -> String {
    let sign = if more < less { "−" } else { "" };
    format!("{sign}{}", grouped(more.abs_diff(less)))
}

/// An image. They take turns in a folder, where a cache of the compiler knows their files again. With Zephyr's small C library: it
/// saves a thousand files to compile for each.
fn image(
    zephyr: &Zephyr,
    known: &mut Known,
    app: App,
    client: bool,
    settings: &[&str],
) -> Result<Bytes, String> {
    let (name, source) = match app {
        App::Footprint => ("features", folder()),
        App::Presets => ("presets", root().join("tests/twister/matrix")),
    };
    let mut options = match app {
        App::Footprint if client => vec![configuration(DEFAULT)],
        App::Footprint => Vec::new(),
        App::Presets => vec!["-DSNIPPET=mender-mcu".to_owned()],
    };
    options.push("-DCONFIG_MINIMAL_LIBC=y".to_owned());
    options.extend(settings.iter().map(|setting| format!("-DCONFIG_{setting}")));
    let key = (app, options);
    if let Some(bytes) = known.get(&key) {
        return Ok(*bytes);
    }
    let bytes = build::image(zephyr, name, &source, &key.1)?.bytes;
    known.insert(key, bytes);
    Ok(bytes)
}

#[cfg(test)]
mod own_tests {
    use super::*;

    #[test]
    fn what_saves_bytes_is_shown_as_that() {
        assert_eq!(difference(1500, 200), "1 300");
        assert_eq!(difference(200, 1044), "−844");
        assert_eq!(difference(7, 7), "0");
    }

    /// A row whose two images are the same would say that the feature is free.
    #[test]
    fn each_feature_sets_something_of_its_own() {
        for (at, feature) in FEATURES.iter().enumerate() {
            assert!(feature.sets.iter().all(|set| !feature.both.contains(set)), "{}", feature.name);
            assert!(!feature.sets.is_empty(), "{}", feature.name);
            assert!(FEATURES[..at].iter().all(|other| other.name != feature.name), "{}", feature.name);
        }
    }
}
