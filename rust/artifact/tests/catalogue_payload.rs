// SPDX-License-Identifier: Apache-2.0
//! Hostile compression and payload: entries 80 to 87 of the catalogue in §10.
//!
//! Compressed artifacts are refused by the names of their members, before anything of them is unpacked: what the
//! compressed bytes are cannot matter. What a payload file has to be is judged by the client and its update modules.

mod common;

use common::{accepted, content, ordinary, read, refused, refused_manifest_name, refused_outer, sample};
use mender_base::Error;
use mender_testkit::artifact::Artifact;
use mender_testkit::raw::Compression;

#[test]
fn c80_a_suffix_that_does_not_fit_the_data_is_refused() {
    let suffix =
        |tar: &mut mender_testkit::tar::Tar| tar.member("data/0000.tar").name = b"data/0000.tar.gz".into();
    assert_eq!(refused_outer(suffix), Error::CompressedGzip);
    let packed = ordinary().compression(Compression::Gzip).raw();
    let unnamed = packed.clone().edit_outer(|tar| {
        tar.member("header.tar.gz").name = b"header.tar".into();
        tar.member("data/0000.tar.gz").name = b"data/0000.tar".into();
    });
    assert_eq!(refused(&unnamed.bytes()), Error::CompressedGzip, "the manifest says so");
    let listed = unnamed.edit_manifest(|text| {
        *text = String::from_utf8(text.clone()).unwrap().replace("header.tar.gz", "header.tar").into();
    });
    let error = refused(&listed.bytes());
    assert!(matches!(error, Error::ArtifactTruncated | Error::TarChecksum), "{error:?}");
}

#[test]
fn c81_hostile_gzip_headers_are_refused_with_all_gzip() {
    // Reserved flags; an extra field of 64 KiB; a name without end; a wrong CRC of the header.
    let headers: [&[u8]; 4] = [
        b"\x1f\x8b\x08\xe0\0\0\0\0\0\xff",
        b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\xff\xff",
        b"\x1f\x8b\x08\x08\0\0\0\0\0\xffname",
        b"\x1f\x8b\x08\x02\0\0\0\0\0\xff\0\0",
    ];
    for header in headers {
        refused_gzip(header);
    }
}

/// Artifacts whose compressed members are these bytes are refused as compressed, and say nothing before.
fn refused_gzip(bytes: &[u8]) {
    let raw =
        ordinary().compression(Compression::Gzip).raw().edit_packed_header(|packed| *packed = bytes.into());
    let raw = raw.edit_outer(|tar| tar.member("data/0000.tar.gz").data = bytes.into());
    let reading = read(&raw.bytes());
    assert_eq!(reading.result, Err(Error::CompressedGzip));
    assert!(reading.facts.is_empty());
}

#[test]
fn c82_hostile_deflate_is_refused_with_all_gzip() {
    // Block type 3; a stored block whose length is not its complement; a distance before the start.
    for block in [b"\x07\0\0\0\0".as_slice(), b"\x01\x05\0\0\0hello", b"\x63\0\x82\0\0"] {
        refused_gzip(&[b"\x1f\x8b\x08\0\0\0\0\0\0\xff".as_slice(), block].concat());
    }
}

#[test]
fn c83_a_gzip_bomb_is_refused_with_all_gzip() {
    let bomb = Artifact::new("release-2", "board").file("zeros.bin", vec![0; 1 << 20]);
    let bytes = bomb.compression(Compression::Gzip).build();
    assert!(bytes.len() < 10_000);
    assert_eq!(refused(&bytes), Error::CompressedGzip);
}

#[test]
fn c84_hostile_gzip_trailers_are_refused_with_all_gzip() {
    let good = sample("02-gzip.mender");
    assert_eq!(refused(&good), Error::CompressedGzip);
    for trailer in [b"\0\0\0\0\0\0\0\0".as_slice(), b"\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0\x1f\x8b"] {
        refused_gzip(&[b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0".as_slice(), trailer].concat());
    }
}

#[test]
fn c85_each_way_of_compression_is_refused_with_its_own_text() {
    for (suffix, error) in [
        (".gz", Error::CompressedGzip),
        (".xz", Error::CompressedXz),
        (".zst", Error::CompressedZstd),
        (".bz2", Error::MemberUnknown),
    ] {
        for name in ["header.tar", "data/0000.tar"] {
            let rename =
                |tar: &mut mender_testkit::tar::Tar| tar.member(name).name = format!("{name}{suffix}").into();
            assert_eq!(refused_outer(rename), error, "{name}{suffix}");
        }
        let listed = if error == Error::MemberUnknown { Error::Manifest } else { error };
        assert_eq!(refused_manifest_name("header.tar", &format!("header.tar{suffix}")), listed);
    }
    let texts = [Error::CompressedGzip, Error::CompressedXz, Error::CompressedZstd].map(Error::text);
    assert!(texts[0] != texts[1] && texts[1] != texts[2] && texts[0] != texts[2]);
    assert_eq!(refused(&sample("03-lzma.mender")), Error::CompressedXz);
    assert_eq!(refused(&sample("41-v44-zstd-p256-firmware.mender")), Error::CompressedZstd);
}

#[test]
fn c86_the_size_of_a_payload_file_is_told_before_its_first_byte() {
    let reading = accepted(&sample("17-empty-file.mender"));
    assert!(reading.has("file empty.bin 0"));
    assert_eq!(reading.files, [("empty.bin".into(), vec![])]);
    for len in [1, 511, 512, 513, 5000] {
        let artifact = Artifact::new("release-2", "board").file("app.bin", content(len)).build();
        let reading = accepted(&artifact);
        assert!(reading.has(&format!("file app.bin {len}")));
        assert!(reading.files[0].1 == content(len));
    }
}

#[test]
fn c87_the_client_sees_how_many_files_a_payload_has() {
    let none = accepted(&sample("16-no-files.mender"));
    assert!(none.files.is_empty() && none.has("end"));
    let several = accepted(&sample("13-several-files.mender"));
    assert_eq!(several.files.len(), 3);
    let ends = several.facts.iter().filter(|fact| *fact == "file-end").count();
    assert_eq!(ends, 3);
}
