// SPDX-License-Identifier: Apache-2.0
//! What we write against programs that were not written by us: `mender-artifact` and `imgtool`, where
//! installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mender_testkit::artifact::Artifact;
use mender_testkit::image::{Behaviour, Image, Version};
use mender_testkit::key::{Key, der_signature};
use mender_testkit::pem::base64;
use mender_testkit::raw::{Compression, Raw, manifest_line};
use mender_testkit::tar::{Member, Meta, Tar, field};
use mender_testkit::tool::{self, ToolError};

fn mender_artifact_is_there() -> bool {
    if let Err(ToolError::NotInstalled) = tool::read(b"") {
        println!("skipped: no mender-artifact (apt install mender-artifact)");
        return false;
    }
    true
}

fn imgtool_is_there() -> bool {
    let there = Command::new("imgtool").arg("version").output().is_ok();
    if !there {
        println!("skipped: no imgtool (pip install imgtool)");
    }
    there
}

/// A file of this test run.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn rsa_key() -> Key {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/fixtures/keys/rsa2048.pem");
    Key::from_pem(&fs::read_to_string(path).unwrap()).unwrap()
}

fn text(header: &[u8], offset: usize, len: usize) -> String {
    String::from_utf8(header[offset..offset + len].iter().copied().take_while(|byte| *byte != 0).collect())
        .unwrap()
}

/// Owner, mode and time that the tool found for one of its temporary files.
fn stored_as(artifact: &[u8], name: &str) -> Meta {
    let header =
        artifact.chunks(512).find(|block| block.starts_with(format!("{name}\0").as_bytes())).unwrap();
    let number = |offset, len| u64::from_str_radix(&text(header, offset, len), 8).unwrap();
    Meta {
        mode: number(field::MODE, 8) as u32,
        uid: number(field::UID, 8),
        gid: number(field::GID, 8),
        mtime: number(field::MTIME, 12),
        uname: text(header, field::UNAME, 32),
        gname: text(header, field::GNAME, 32),
    }
}

/// An artifact whose options are the bits of `seed`; its files belong to `owner`.
fn artifact_of(seed: u32, owner: &Meta) -> Artifact {
    let chosen = |bit: u32| seed >> bit & 1 == 1;
    let name = ["release-1", "r\"2\"<é>\\", "x"][seed as usize % 3];
    let mut artifact = Artifact::new(name, "board");
    if chosen(0) {
        artifact = artifact.payload_type("rootfs-image");
    }
    if chosen(1) {
        artifact = artifact.device_type("board-2").group("g").depends_group("g").depends_group("h");
    }
    if chosen(2) {
        artifact = artifact.depends_name("release-0").depends("k", "v:w").depends("a", "<&>");
    }
    if chosen(3) {
        artifact = artifact.provides("z", "1").provides("b", "\u{2028}").clears("z.*").clears("*");
    }
    if chosen(4) {
        artifact = artifact.software("firmware", "app", "1.2");
    }
    if chosen(5) {
        artifact = artifact.no_default_clears_provides();
    }
    if chosen(6) {
        artifact = artifact.no_default_software_version();
    }
    if chosen(7) && !chosen(0) {
        artifact =
            artifact.meta_data(serde_json::json!({"n": [1.5, 1e30, -2], "a": {"z": null, "b": "<é>"}}));
    }
    // A rootfs-image has one file, others have any number.
    let files = if chosen(0) { 1 } else { seed % 4 };
    for index in 0..files {
        let content = vec![index as u8; (seed as usize * 37 + 511 * index as usize) % 1500];
        let meta = Meta {
            mode: [0o644, 0o755][index as usize % 2],
            mtime: u64::from(seed) * 10_003,
            ..owner.clone()
        };
        artifact = artifact.file_with(&format!("file-{index}.bin"), meta, content);
    }
    artifact
}

#[test]
fn two_hundred_artifacts_equal_those_the_official_tool_writes_from_the_same_options() {
    if !mender_artifact_is_there() {
        return;
    }
    let owner = stored_as(&tool::build_official(&Artifact::new("owner", "board")).unwrap(), "header.tar");
    let mut state = 1u32;
    for _ in 0..200 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let seed = state >> 16;
        let artifact = artifact_of(seed, &owner);
        let official = tool::build_official(&artifact).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        // The two temporary files may be made in different seconds.
        let data = stored_as(&official, "data/0000.tar");
        let own = artifact.stored_as(stored_as(&official, "header.tar")).raw();
        let own = own.edit_outer(|tar| tar.member("data/0000.tar").meta = data).bytes();
        assert!(own == official, "seed {seed}: {}", tool::read(&official).unwrap());
    }
}

#[test]
fn the_official_tool_validates_what_we_write() {
    if !mender_artifact_is_there() {
        return;
    }
    let image = Image::new(Version::parse("2.0.0").unwrap(), Behaviour::Fine).build();
    let plain = Artifact::new("release-2", "board").file("app.signed.bin", image).provides("k", "v");
    for compression in [Compression::None, Compression::Gzip] {
        let plain = plain.clone().compression(compression);
        tool::validate(&plain.build(), None).unwrap();
        for (key, other) in [(Key::generate(), rsa_key()), (rsa_key(), Key::generate())] {
            let signed = plain.clone().sign(&key).build();
            tool::validate(&signed, Some(&key)).unwrap();
            tool::validate(&signed, Some(&other)).unwrap_err();
        }
        let listing = tool::read(&plain.build()).unwrap();
        for part in ["Name: release-2", "app.signed.bin", "k: v", "Type:   zephyr-image", "[board]"] {
            assert!(listing.contains(part), "{part} is missing in:\n{listing}");
        }
    }
    tool::validate(&Artifact::new("first", "board").bootstrap().build(), None).unwrap();
}

/// One hostile artifact per entry: what is wrong with it, and how it is made from a good signed one.
fn hostile(key: &Key) -> Vec<(&'static str, Vec<u8>)> {
    let artifact =
        Artifact::new("release-2", "board").file("a.bin", [1; 600]).file("b.bin", [2; 10]).sign(key);
    let raw = || artifact.raw();
    let outer = |edit: fn(&mut Tar)| raw().edit_outer(edit).bytes();
    let signature = |bytes| raw().edit_outer(|tar| tar.member("manifest.sig").data = bytes).bytes();
    let header = |member, text| with_header(raw(), member, text);
    let forged = Key::generate().sign_manifest(raw().manifest());
    let junk_after_der = base64(&[der_signature(&key.sign(raw().manifest())), vec![0]].concat());
    let version_4 = br#"{"format":"mender","version":4}"#;
    let number = r#"{"type":"zephyr-image","artifact_provides":{"a":1}}"#;
    let no_payload = r#"{"payloads":[],"artifact_provides":{"artifact_name":"n"}}"#;
    let absent = manifest_line(b"", "data/0000/c");
    vec![
        ("checksum", outer(|tar| tar.member("manifest").checksum = Some(*b"000000\0 "))),
        ("size is no number", outer(|tar| tar.member("version").patch(field::SIZE, b"0000000000z\0"))),
        ("size past the end", outer(|tar| tar.member("data/0000.tar").patch(field::SIZE, b"77777777777\0"))),
        ("cut short", artifact.build()[..7000].to_vec()),
        ("unknown member", outer(|tar| tar.insert_before("header.tar", Member::new("foo", "x")))),
        ("manifest first", outer(|tar| tar.members.swap(0, 1))),
        ("manifest twice", outer(|tar| tar.insert_before("manifest", tar.members[1].clone()))),
        ("no header", outer(|tar| drop(tar.remove("header.tar")))),
        ("lying pax length", outer(|tar| tar.insert_before("header.tar", Member::pax("x", "99 uid=1\n")))),
        ("version 4", raw().edit_version(|text| *text = version_4.to_vec()).bytes()),
        ("version's hash", outer(|tar| tar.member("version").data.push(b' '))),
        ("header's hash", outer(|tar| tar.member("header.tar").data[600] ^= 1)),
        ("payload's last byte", outer(|tar| tar.member("data/0000.tar").data[512 + 599] ^= 1)),
        ("file not listed", raw().edit_manifest(|text| drop(text.drain(..81))).bytes()),
        ("listed, not there", raw().edit_manifest(|text| text.extend(absent.bytes())).bytes()),
        ("signature of another key", signature(forged)),
        ("signature is empty", signature(Vec::new())),
        ("signature is DER with junk", signature(junk_after_der.into_bytes())),
        ("unsigned edit of the manifest", outer(|tar| tar.member("manifest").data[0] ^= 1)),
        ("header-info is a list", header("header-info", "[]")),
        ("no payload", header("header-info", no_payload)),
        ("type-info is missing", raw().edit_header(|tar| drop(tar.remove("headers/0000/type-info"))).bytes()),
        ("provides a number", header("headers/0000/type-info", number)),
    ]
}

fn with_header(raw: Raw, member: &str, text: &str) -> Vec<u8> {
    raw.edit_header(|tar| tar.member(member).data = text.into()).bytes()
}

#[test]
fn the_official_tool_refuses_hostile_artifacts_and_accepts_them_unharmed() {
    if !mender_artifact_is_there() {
        return;
    }
    let key = Key::generate();
    let unharmed = Artifact::new("release-2", "board").file("a.bin", [1; 600]).sign(&key).raw();
    tool::validate(&unharmed.clone().edit_header(|_| ()).edit_data(|_| ()).bytes(), Some(&key)).unwrap();
    let benign = Member::pax("PaxHeaders.0/header.tar", "15 uid=3000000\n");
    let benign = unharmed.edit_outer(|tar| tar.insert_before("header.tar", benign)).bytes();
    tool::validate(&benign, Some(&key)).unwrap();
    let accepted: Vec<_> = hostile(&key)
        .into_iter()
        .filter(|(_, bytes)| tool::validate(bytes, Some(&key)).is_ok())
        .map(|(what, _)| what)
        .collect();
    assert_eq!(accepted, Vec::<&str>::new());
}

#[test]
fn imgtool_verifies_our_images_and_writes_the_same_bytes() {
    if !imgtool_is_there() {
        return;
    }
    let imgtool = |arguments: &[&str]| {
        let output = Command::new("imgtool").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(text) } else { Err(text) }
    };
    let paths = ["image.bin", "key.pem", "payload.bin", "imgtool.bin"].map(scratch);
    let [image_path, key_path, payload_path, theirs_path] =
        paths.each_ref().map(|path| path.to_str().unwrap());
    let image = Image::new(Version::parse("1.2.3+4").unwrap(), Behaviour::Fine).size(5000);

    let key = Key::generate();
    fs::write(key_path, key.public_pem()).unwrap();
    fs::write(image_path, image.clone().sign(&key).security_counter(9).build()).unwrap();
    imgtool(&["verify", "-k", key_path, image_path]).unwrap();
    fs::write(key_path, Key::generate().public_pem()).unwrap();
    imgtool(&["verify", "-k", key_path, image_path]).unwrap_err();

    for (image, options) in [
        (image.clone(), &[][..]),
        (image.clone().security_counter(9), &["-s", "9"][..]),
        (image.clone().load_addr(0x2000_0000), &["-L", "0x20000000"][..]),
    ] {
        let ours = image.build();
        let payload_len = u32::from_le_bytes(ours[12..16].try_into().unwrap()) as usize;
        fs::write(payload_path, &ours[0x200..0x200 + payload_len]).unwrap();
        let size = ["-v", "1.2.3+4", "-H", "0x200", "--pad-header", "-R", "0", "-S", "0x10000"];
        imgtool(&[&["create"], &size[..], options, &[payload_path, theirs_path]].concat()).unwrap();
        assert!(fs::read(theirs_path).unwrap() == ours, "{options:?}");
    }
}
