// SPDX-License-Identifier: Apache-2.0
//! The command line of `mender-testkit`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mender_testkit::image::{self, Behaviour};
use mender_testkit::key::Key;

/// Runs the command in its own folder; its standard output, or its standard error where it fails.
fn run(folder: &Path, line: &str) -> Result<String, String> {
    let words = line.split_whitespace();
    let output =
        Command::new(env!("CARGO_BIN_EXE_mender-testkit")).current_dir(folder).args(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn an_image_and_a_signed_artifact_are_made_from_the_command_line() {
    let folder = folder("command-artifact");
    run(&folder, "image --version 2.0.0 --behaviour hangs --size 65536 -o v2.bin").unwrap();
    let image = fs::read(folder.join("v2.bin")).unwrap();
    assert_eq!(image.len(), 65536);
    assert_eq!(image::check(&image).unwrap().behaviour, Some(Behaviour::Hangs));

    run(&folder, "keygen -o key.pem --public key.pub.pem").unwrap();
    let key = Key::from_pem(&fs::read_to_string(folder.join("key.pem")).unwrap()).unwrap();
    assert_eq!(fs::read_to_string(folder.join("key.pub.pem")).unwrap(), key.public_pem());

    let common = "artifact --name release-2 --device-type sim --file v2.bin -p a:b:c --key key.pem";
    let said = run(&folder, &format!("{common} --tool own -o own.mender")).unwrap();
    assert_eq!(said, "own.mender: written by mender-testkit\n");
    run(&folder, &format!("{common} --tool auto -o auto.mender")).unwrap();
    let [own, auto] = ["own.mender", "auto.mender"].map(|name| fs::read(folder.join(name)).unwrap());
    assert_eq!(own.len(), auto.len());
    for part in [&br#"{"a":"b:c","rootfs-image.zephyr-image.version":"release-2"}"#[..], &image] {
        assert!(own.windows(part.len()).any(|window| window == part));
        assert!(auto.windows(part.len()).any(|window| window == part));
    }
}

#[test]
fn every_other_option_reaches_the_artifact() {
    let folder = folder("command-options");
    fs::write(folder.join("meta.json"), r#"{ "b": 1, "a": [2] }"#).unwrap();
    let line = "artifact -n r3 -t one -t two -T module -d k:v -g group -G from -N r2 --clears-provides x.* -m meta.json \
                --software-filesystem firmware --software-version 3 --no-default-clears-provides --tool own -o o.mender";
    run(&folder, line).unwrap();
    let bytes = fs::read(folder.join("o.mender")).unwrap();
    for part in [
        r#"{"payloads":[{"type":"module"}],"artifact_provides":{"artifact_name":"r3","artifact_group":"group"},"#,
        r#""artifact_depends":{"artifact_name":["r2"],"device_type":["one","two"],"artifact_group":["from"]}}"#,
        r#"{"type":"module","artifact_depends":{"k":"v"},"artifact_provides":{"firmware.module.version":"3"},"#,
        r#""clears_artifact_provides":["x.*"]}"#,
        r#"{"a":[2],"b":1}"#,
    ] {
        assert!(bytes.windows(part.len()).any(|window| window == part.as_bytes()), "{part}");
    }
    run(&folder, "artifact -n first -t one --bootstrap --tool own --compression gzip -o b.mender").unwrap();
    assert!(fs::read(folder.join("b.mender")).unwrap().windows(13).any(|window| window == b"header.tar.gz"));
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    let folder = folder("command-mistakes");
    for (line, part) in [
        ("frobnicate", "unknown command `frobnicate`"),
        ("image --version 2 -o x", "`2` is not like 1.2.3"),
        ("image --version 2.0.0 --behaviour odd -o x", "unknown behaviour `odd`"),
        ("image --version 2.0.0", "--output-path is missing"),
        ("image --version", "`--version` needs a value"),
        ("artifact --name n -o x", "--device-type is missing"),
        ("artifact --name n -t t -p novalue -o x", "`novalue` is not KEY:VALUE"),
        ("artifact --name n -t t -f absent.bin -o x", "absent.bin: No such file"),
        ("artifact --name n -t t --tool odd -o x", "unknown tool `odd`"),
        ("artifact --frob", "unknown option `--frob`"),
    ] {
        let error = run(&folder, line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
    assert!(run(&folder, "--help").unwrap().contains("mender-testkit artifact"));
}
