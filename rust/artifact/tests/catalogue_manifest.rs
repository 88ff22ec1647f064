// SPDX-License-Identifier: Apache-2.0
//! Hostile versions, manifests and signatures: entries 57 to 67 of the catalogue in §10.

mod common;

use common::{
    Reading, accepted, content, manifest_of, ordinary, read_signed, read_with, refused, refused_outer, sample,
};
use mender_artifact::{Piece, Reader, Unsigned};
use mender_base::sha256::Soft;
use mender_base::{Error, limits};
use mender_testkit::artifact::Artifact;
use mender_testkit::key::{Key, P256_ORDER, der_signature, other_s, sha256};
use mender_testkit::pem::base64;
use mender_testkit::raw::manifest_line;
use mender_testkit::tar::{Member, Tar};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

/// Why it is refused with this text of `version`, hash made right.
fn refused_version(text: &str) -> Error {
    refused(&ordinary().raw().edit_version(|version| *version = text.into()).bytes())
}

#[test]
fn c57_any_version_but_three_is_refused() {
    for version in
        ["1", "2", "4", "\"3\"", "3.0e0", "3.0", "1e99", "33", "-3", "03", "null", "[3]", "{\"a\":3}"]
    {
        let error = refused_version(&format!(r#"{{"format":"mender","version":{version}}}"#));
        let wanted = if version == "03" { Error::JsonSyntax } else { Error::FormatVersion };
        assert_eq!(error, wanted, "{version}");
    }
    for format in ["\"Mender\"", "\"mender \"", "\"\"", "\"mende\"", "null", "[\"mender\"]"] {
        let error = refused_version(&format!(r#"{{"format":{format},"version":3}}"#));
        assert_eq!(error, Error::FormatVersion, "{format}");
    }
    for text in [r#"{"version":3}"#, r#"{"format":"mender"}"#, "{}", "[]", "3", r#""mender""#] {
        let error = refused_version(text);
        assert!(matches!(error, Error::FormatVersion | Error::JsonSyntax), "{text}: {error:?}");
    }
    assert_eq!(refused_version(r#"{"format":"mender","version":3,"version":2}"#), Error::HeaderKeyTwice);
}

#[test]
fn c57_a_version_that_is_no_whole_json_text_is_refused() {
    for text in ["", r#"{"format":"mender","version":3"#, r#"{"format":"mender","version":3}}"#, "\u{feff}{}"]
    {
        assert_eq!(refused_version(text), Error::JsonSyntax, "{text}");
    }
    let spaced = "\n{ \"version\" : 3 ,\t\"format\":\"\\u006dender\", \"more\": [] }\n";
    accepted(&ordinary().raw().edit_version(|version| *version = spaced.into()).bytes());
}

/// Why it is refused with this manifest.
fn refused_manifest(edit: impl FnOnce(String) -> Vec<u8>) -> Error {
    let edit = |text: &mut Vec<u8>| *text = edit(String::from_utf8(text.clone()).unwrap());
    refused(&ordinary().raw().edit_manifest(edit).bytes())
}

#[test]
fn c58_a_manifest_of_another_shape_is_refused() {
    let edits: [&dyn Fn(String) -> String; 13] = [
        &|text| text.replace('\n', "\r\n"),
        &|text| text.replace("  ", " "),
        &|text| text.replace("  ", "\t"),
        &|text| text.replace("  ", " *"),
        &|text| text.replace("  ", "   "),
        &|text| text.to_uppercase(),
        &|text| text[1..].into(),
        &|text| format!("0{text}"),
        &|text| text.trim_end().into(),
        &|text| format!("{text}\n"),
        &|text| format!("\n{text}"),
        &|_| String::new(),
        &|text| text.replace("version", "versions"),
    ];
    for (number, edit) in edits.iter().enumerate() {
        assert_eq!(refused_manifest(|text| edit(text).into()), Error::Manifest, "edit {number}");
    }
    assert_eq!(refused_manifest(|_| vec![0xff; 300]), Error::Manifest);
    assert_eq!(refused_manifest(|_| vec![b'a'; 300]), Error::Manifest);
    assert_eq!(refused_manifest(|text| [text.as_bytes(), &[b'x'; 1 << 20]].concat()), Error::MemberSize);
}

#[test]
fn c58_hexadecimal_digits_must_be_lowercase() {
    let upper = |text: String| {
        let at = text.find(|c: char| c.is_ascii_lowercase()).unwrap();
        let mut text = text.into_bytes();
        text[at] = text[at].to_ascii_uppercase();
        text
    };
    assert_eq!(refused_manifest(upper), Error::Manifest);
    assert_eq!(
        refused_manifest(|text| text.replacen(|c: char| c.is_ascii_digit(), "g", 1).into()),
        Error::Manifest
    );
}

#[test]
fn c58_a_name_no_artifact_has_is_refused() {
    for name in
        ["manifest", "manifest.sig", "data/0000.tar", "header-info", "data/0000/", "data/0001/app.bin", "x"]
    {
        let error = refused_manifest(|text| (text + &manifest_line(b"", name)).into());
        assert_eq!(error, Error::Manifest, "{name}");
    }
    for file in ["..", ".", "a/b", "a b", "a\\b", "ä", "a\0b", "~", &"n".repeat(limits::FILE_NAME_MAX + 1)] {
        let error =
            refused_manifest(|text| (text + &manifest_line(b"", &format!("data/0000/{file}"))).into());
        assert_eq!(error, Error::Manifest, "{file}");
    }
}

#[test]
fn c58_the_order_of_lines_does_not_matter() {
    let reverse = |text: &mut Vec<u8>| {
        let lines = String::from_utf8(text.clone()).unwrap();
        *text = lines.lines().rev().flat_map(|line| [line, "\n"]).collect::<String>().into();
    };
    accepted(&ordinary().raw().edit_manifest(reverse).bytes());
}

#[test]
fn c58_more_files_than_the_limit_are_refused() {
    let with = |count: usize| {
        let start = Artifact::new("release-2", "board");
        (0..count).fold(start, |artifact, i| artifact.file(&format!("f{i}"), content(i))).build()
    };
    assert_eq!(accepted(&with(limits::FILES_MAX)).files.len(), limits::FILES_MAX);
    assert_eq!(refused(&with(limits::FILES_MAX + 1)), Error::ManifestFull);
}

#[test]
fn c59_a_name_that_is_listed_twice_is_refused() {
    for name in ["version", "header.tar", "data/0000/app.bin"] {
        let other = manifest_line(b"another content", name);
        // Which comes first must not matter; a wrong hash of the version is seen before the second line is.
        let first = refused_manifest(|text| (other.clone() + &text).into());
        let last = refused_manifest(|text| (text + &other).into());
        let wanted = if name == "version" { Error::VersionHash } else { Error::ManifestTwice };
        assert_eq!((first, last), (wanted, Error::ManifestTwice), "{name}");
        let same = |text: String| {
            let line = text.lines().find(|line| line.ends_with(name)).unwrap();
            format!("{text}{line}\n").into()
        };
        assert_eq!(refused_manifest(same), Error::ManifestTwice);
    }
}

#[test]
fn c60_a_listed_file_that_is_not_delivered_is_refused_at_the_end() {
    let listed = |text: String| (text + &manifest_line(b"extra", "data/0000/extra.bin")).into();
    assert_eq!(refused_manifest(listed), Error::FileMissing);
}

#[test]
fn c60_a_delivered_file_that_is_not_listed_is_refused_at_once() {
    let mut data = Tar::new();
    data.push_stream("extra.bin", "extra");
    data.push_stream("app.bin", content(1000));
    let bytes = ordinary().raw().edit_outer(|tar| tar.member("data/0000.tar").data = data.to_bytes()).bytes();
    let reading = common::read(&bytes);
    assert_eq!(reading.result, Err(Error::FileUnlisted));
    assert!(reading.files.is_empty());
}

#[test]
fn c60_a_file_that_is_delivered_twice_is_refused_at_once() {
    let mut data = Tar::new();
    data.push_stream("app.bin", content(1000));
    data.push_stream("app.bin", content(1000));
    let twice = |tar: &mut Tar| tar.member("data/0000.tar").data = data.to_bytes();
    assert_eq!(refused_outer(twice), Error::FileTwice);
}

#[test]
fn c60_a_manifest_without_version_or_header_is_refused() {
    for name in ["version", "header.tar"] {
        let without = |text: String| {
            let lines = text.lines().filter(|line| !line.ends_with(name));
            lines.flat_map(|line| [line, "\n"]).collect::<String>().into()
        };
        assert_eq!(refused_manifest(without), Error::Manifest, "{name}");
    }
}

#[test]
fn c61_a_hash_mismatch_of_any_content_is_refused() {
    let version = |tar: &mut Tar| tar.member("version").data.push(b'\n');
    assert_eq!(refused_outer(version), Error::VersionHash);
    // The padding of `header.tar` is inside the hashed bytes and read by nobody else.
    let header = |tar: &mut Tar| tar.member("header.tar").data[512 + 511] ^= 1;
    assert_eq!(refused_outer(header), Error::HeaderHash);
    for at in [0, 1, 500, 999] {
        let file = |tar: &mut Tar| tar.member("data/0000.tar").data[512 + at] ^= 1;
        assert_eq!(refused_outer(file), Error::FileHash, "byte {at}");
    }
    for at in [0, 31, 63] {
        for name in ["version", "header.tar", "data/0000/app.bin"] {
            let edit = |text: String| {
                let line = text.find(name).unwrap() - 66;
                let mut text = text.into_bytes();
                text[line + at] = if text[line + at] == b'0' { b'1' } else { b'0' };
                text
            };
            let wanted = match name {
                "version" => Error::VersionHash,
                "header.tar" => Error::HeaderHash,
                _ => Error::FileHash,
            };
            assert_eq!(refused_manifest(edit), wanted, "digit {at} of {name}");
        }
    }
}

#[test]
fn c61_nothing_is_believed_before_its_hash_was_right() {
    let header = |tar: &mut Tar| tar.member("header.tar").data[512 + 511] ^= 1;
    let reading = common::read(&ordinary().raw().edit_outer(header).bytes());
    assert!(!reading.has("header-end"));
    let file = |tar: &mut Tar| tar.member("data/0000.tar").data[512 + 999] ^= 1;
    let reading = common::read(&ordinary().raw().edit_outer(file).bytes());
    assert!(reading.has("header-end") && !reading.has("file-end") && !reading.has("end"));
}

#[test]
fn c62_a_missing_signature_is_refused_before_the_header_when_a_key_is_configured() {
    let reading = read_with(&ordinary().build(), Unsigned::Refuse, 512);
    assert_eq!(reading, Reading { result: Err(Error::SignatureMissing), ..Reading::new() });
}

#[test]
fn c62_a_signature_without_a_configured_key_is_accepted_and_can_be_logged() {
    let reading = accepted(&ordinary().sign(&Key::generate()).build());
    assert_eq!(reading.facts[0], "signature 64");
    assert!(!reading.has("unsigned"));
}

/// Reads with this text of `manifest.sig` and this key configured, as `ring` verifies.
fn read_signature(key: &Key, artifact: &[u8], text: &[u8]) -> Result<(), Error> {
    let manifest = manifest_of(artifact).to_vec();
    let der = key.public_der();
    let point = der[der.len() - 65..].to_vec();
    let verify = |hash: &[u8; 32], signature: &[u8]| {
        assert_eq!(*hash, sha256(&manifest));
        match (key.is_p256(), signature.len()) {
            (true, 64) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).verify(&manifest, signature).is_ok()
            }
            (true, _) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point).verify(&manifest, signature).is_ok()
            }
            (false, _) => key.verify(&manifest, signature),
        }
    };
    let raw = common::replace_signature(artifact, text);
    let reading = read_signed(&raw, &verify);
    assert_eq!(reading.fact("name").is_some(), reading.result.is_ok(), "nothing is said before the verdict");
    reading.result
}

#[test]
fn c63_a_signature_in_every_right_form_is_accepted() {
    let key = Key::generate();
    let artifact = ordinary().sign(&key).build();
    let raw = key.sign(manifest_of(&artifact));
    let text = base64(&raw);
    for text in [
        text.clone(),
        format!("{text}\n"),
        format!("{text}\r\n \t\n"),
        base64(&der_signature(&raw)),
        base64(&other_s(&raw)),
        base64(&der_signature(&other_s(&raw))),
    ] {
        assert_eq!(read_signature(&key, &artifact, text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn c63_a_signature_that_is_wrong_is_refused() {
    let key = Key::generate();
    let artifact = ordinary().sign(&key).build();
    let raw = key.sign(manifest_of(&artifact));
    let with = |range: std::ops::Range<usize>, bytes: &[u8]| {
        let mut raw = raw.clone();
        raw[range].copy_from_slice(bytes);
        raw
    };
    let flipped = |bit: usize| {
        let mut raw = raw.clone();
        raw[bit / 8] ^= 1 << (bit % 8);
        raw
    };
    let mut wrong = vec![
        Key::generate().sign(manifest_of(&artifact)),
        key.sign(b"another manifest"),
        with(0..32, &[0; 32]),
        with(32..64, &[0; 32]),
        with(0..32, &P256_ORDER),
        with(32..64, &P256_ORDER),
        with(0..32, &[0xff; 32]),
        [raw.as_slice(), &[0]].concat(),
        raw[..63].to_vec(),
        [der_signature(&raw).as_slice(), &[0]].concat(),
        der_signature(&raw)[..60].to_vec(),
        vec![0x30; limits::SIGNATURE_BYTES_MAX],
    ];
    wrong.extend((0..512).step_by(37).map(flipped));
    for signature in wrong {
        let result = read_signature(&key, &artifact, base64(&signature).as_bytes());
        assert_eq!(result, Err(Error::SignatureWrong), "{signature:?}");
    }
}

#[test]
fn c63_a_signature_that_is_no_base64_of_a_signature_s_length_is_refused() {
    let key = Key::generate();
    let artifact = ordinary().sign(&key).build();
    let text = base64(&key.sign(manifest_of(&artifact)));
    let mut bad = vec![
        String::new(),
        "\n".into(),
        "AAAA".into(),
        text[..87].into(),
        text[..86].into(),
        format!("{text}="),
        format!("{text}AAAA"),
        format!("{text}\n{text}"),
        format!(" {text}"),
        format!("{}\n{}", &text[..44], &text[44..]),
        format!("{}-{}", &text[..44], &text[45..]),
        format!("{}_{}", &text[..44], &text[45..]),
        format!("-----BEGIN SIGNATURE-----\n{text}"),
        base64(&[1; limits::SIGNATURE_BYTES_MAX + 1]),
        base64(&[1; 7]),
    ];
    // The last digit before the padding has four bits that must be zero.
    bad.push(format!("{}B==", &text[..85]));
    for text in bad {
        assert_eq!(read_signature(&key, &artifact, text.as_bytes()), Err(Error::SignatureFormat), "{text:?}");
    }
    let long = vec![b'\n'; usize::try_from(limits::SIGNATURE_MAX).unwrap() + 1];
    assert_eq!(read_signature(&key, &artifact, &long), Err(Error::MemberSize));
}

#[test]
fn c63_no_verdict_no_reading_on() {
    let artifact = ordinary().sign(&Key::generate()).build();
    let mut reader = Reader::<Soft>::new(Unsigned::Refuse);
    assert_eq!(reader.signature(true), Err(Error::Internal), "nobody asked");
    let (used, piece) = reader.feed(&artifact).unwrap();
    assert!(matches!(piece, Some(Piece::Signature { .. })));
    assert_eq!(reader.feed(&artifact[used..]), Err(Error::Internal));
    assert_eq!(reader.signature(true), Err(Error::Internal), "it is too late");
}

#[test]
fn c64_a_signature_of_the_other_kind_of_key_is_refused() {
    let rsa = Key::from_pem(&String::from_utf8(sample("keys/rsa2048.pem")).unwrap()).unwrap();
    let p256 = Key::from_pem(&String::from_utf8(sample("keys/p256.pem")).unwrap()).unwrap();
    for (signer, verifier) in [(&rsa, &p256), (&p256, &rsa)] {
        let artifact = ordinary().sign(signer).build();
        let text = signer.sign_manifest(manifest_of(&artifact));
        assert_eq!(read_signature(verifier, &artifact, &text), Err(Error::SignatureWrong));
        assert_eq!(read_signature(signer, &artifact, &text), Ok(()));
    }
}

#[test]
fn c65_a_signature_after_the_header_is_refused() {
    let late = |tar: &mut Tar| {
        let signature = tar.remove("manifest.sig");
        tar.insert_before("data/0000.tar", signature);
    };
    let artifact = ordinary().sign(&Key::generate()).raw().edit_outer(late).bytes();
    assert_eq!(read_with(&artifact, Unsigned::Refuse, 512).result, Err(Error::SignatureMissing));
    assert_eq!(refused(&artifact), Error::MemberOrder);
    let twice = |tar: &mut Tar| {
        let again = tar.member("manifest.sig").clone();
        tar.insert_before("header.tar", again);
    };
    assert_eq!(
        refused(&ordinary().sign(&Key::generate()).raw().edit_outer(twice).bytes()),
        Error::MemberOrder
    );
}

#[test]
fn c66_an_augmented_artifact_is_refused() {
    assert_eq!(refused(&sample("26-augmented.mender")), Error::Augmented);
    for (name, before) in [
        ("manifest-augment", "header.tar"),
        ("header-augment.tar", "data/0000.tar"),
        ("header-augment.tar.gz", "data/0000.tar"),
    ] {
        let augment = |tar: &mut Tar| tar.insert_before(before, Member::new(name, "x"));
        assert_eq!(refused_outer(augment), Error::Augmented, "{name}");
    }
}

#[test]
fn c67_rsa_signatures_with_forged_padding_reach_the_verifier_whole_and_are_refused_by_it() {
    let key = Key::from_pem(&String::from_utf8(sample("keys/rsa2048.pem")).unwrap()).unwrap();
    let forgeries = [
        "bare-hash",
        "block-type-2",
        "garbage-after-hash",
        "long-form-length",
        "short-padding",
        "without-null",
    ];
    for forgery in forgeries {
        let artifact = sample(&format!("50-rsa-{forgery}.mender"));
        let manifest = manifest_of(&artifact).to_vec();
        let reading = read_signed(&artifact, &|hash, signature| {
            assert_eq!((*hash, signature.len()), (sha256(&manifest), 256));
            key.verify(&manifest, signature)
        });
        assert_eq!(reading.result, Err(Error::SignatureWrong), "{forgery}");
        assert_eq!(reading.facts, ["signature 256"]);
    }
}
