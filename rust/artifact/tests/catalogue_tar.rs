// SPDX-License-Identifier: Apache-2.0
//! Hostile archives: entries 45 to 56 of the catalogue in §10.

mod common;

use common::{accepted, content, ordinary, refused, refused_data, refused_header, refused_outer, sample};
use mender_base::{Error, limits};
use mender_testkit::artifact::Artifact;
use mender_testkit::tar::{Member, Tar, checksum_of, field, pax_record};

#[test]
fn c45_an_empty_body_is_refused() {
    assert_eq!(refused(&[]), Error::ArtifactTruncated);
}

#[test]
fn c46_a_wrong_tar_checksum_is_refused_at_every_level() {
    let wrong = |tar: &mut Tar| {
        for member in &mut tar.members {
            member.checksum = Some(*b"000000\0 ");
        }
    };
    assert_eq!(refused_outer(wrong), Error::TarChecksum);
    assert_eq!(refused_header(wrong), Error::TarChecksum);
    assert_eq!(refused_data(wrong), Error::TarChecksum);
}

#[test]
fn c46_a_changed_byte_of_a_header_is_found_by_its_checksum() {
    let good = ordinary().build();
    for at in (0..512).filter(|at| !(148..156).contains(at)) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(common::read_in(&bad, 512).result, Err(Error::TarChecksum), "byte {at}");
    }
}

#[test]
fn c46_a_checksum_may_be_written_with_spaces_or_without_zeros() {
    let header: [u8; 512] = ordinary().build()[..512].try_into().unwrap();
    let sum = String::from_utf8(checksum_of(&header)[..6].to_vec()).unwrap();
    let spaced = format!(" {}\0 ", sum.trim_start_matches('0'));
    for text in [format!("{sum} \0"), format!("{sum}\0\0"), format!("0{sum}\0"), format!("{spaced:\0<8}")] {
        let field: [u8; 8] = text.as_bytes()[..8].try_into().unwrap();
        accepted(&ordinary().raw().edit_outer(|tar| tar.member("version").checksum = Some(field)).bytes());
    }
}

#[test]
fn c47_a_size_that_is_no_octal_number_is_refused() {
    let sizes: [&[u8; 12]; 9] = [
        b"-0000000037\0",
        b"0000000003x\0",
        b"00000000038\0",
        b"0x0000001f\0\0",
        b"\0\0\0\0\0\0\0\0\0\0\0\0",
        b"            ",
        b"0000\x0000037\0\0",
        b"77777777777\0",
        b"\x80\0\0\0\0\0\0\0\0\0\0\x1f",
    ];
    for size in sizes {
        let patch = |tar: &mut Tar, name: &str| tar.member(name).patch(field::SIZE, size);
        assert_eq!(refused_outer(|tar| patch(tar, "version")), Error::TarSize);
        assert_eq!(refused_header(|tar| patch(tar, "header-info")), Error::TarSize);
        assert_eq!(refused_data(|tar| patch(tar, "app.bin")), Error::TarSize);
    }
}

#[test]
fn c47_a_size_may_be_padded_with_spaces_or_fill_its_field() {
    for size in [b"         37 ", b"00000000037 ", b"000000000037"] {
        accepted(&ordinary().raw().edit_outer(|tar| tar.member("version").patch(field::SIZE, size)).bytes());
    }
}

#[test]
fn c47_an_entry_larger_than_the_archive_around_it_is_refused_at_its_header() {
    let large = |tar: &mut Tar, name: &str| tar.member(name).patch(field::SIZE, b"00000010000\0");
    assert_eq!(refused_header(|tar| large(tar, "headers/0000/type-info")), Error::TarSize);
    let reading = common::read(&ordinary().raw().edit_data(|tar| large(tar, "app.bin")).bytes());
    assert_eq!(reading.result, Err(Error::TarSize));
    assert!(reading.files.is_empty(), "no file was announced");
}

#[test]
fn c47_a_member_above_its_limit_is_refused_at_its_header() {
    let sized = |name: &'static str, size: u32| {
        refused_outer(move |tar| tar.member(name).patch(field::SIZE, format!("{size:011o}\0").as_bytes()))
    };
    assert_eq!(sized("version", limits::VERSION_MAX + 1), Error::MemberSize);
    assert_eq!(sized("manifest", limits::MANIFEST_MAX + 1), Error::MemberSize);
    assert_eq!(sized("header.tar", limits::HEADER_TAR_MAX + 1), Error::MemberSize);
    let long = refused_header(|tar| {
        tar.member("header-info").data = vec![b' '; usize::try_from(limits::HEADER_JSON_MAX).unwrap() + 1];
    });
    assert_eq!(long, Error::MemberSize);
}

#[test]
fn c48_a_name_of_a_hundred_bytes_needs_no_nul() {
    let name = "n".repeat(100);
    let artifact = Artifact::new("release-2", "board").file(&name, content(10));
    assert_eq!(artifact.raw().bytes().windows(5).filter(|w| w == b"ustar").count(), 7, "no PAX header");
    assert_eq!(accepted(&artifact.build()).files[0].0, name);
}

#[test]
fn c48_a_nul_ends_a_name_and_what_follows_it_does_not_count() {
    let hidden = |tar: &mut Tar| tar.member("version").patch(field::NAME, b"version\0/../../etc");
    accepted(&ordinary().raw().edit_outer(hidden).bytes());
    let shortened = |tar: &mut Tar| tar.member("version").patch(field::NAME, b"vers\0on");
    assert_eq!(refused_outer(shortened), Error::MemberUnknown);
}

#[test]
fn c49_entries_that_are_no_files_are_refused() {
    for kind in *b"12346789KLMNSVDAX" {
        let set = |tar: &mut Tar, name: &str| tar.member(name).kind = kind;
        assert_eq!(refused_outer(|tar| set(tar, "version")), Error::TarType, "{}", char::from(kind));
        assert_eq!(refused_header(|tar| set(tar, "header-info")), Error::TarType);
        assert_eq!(refused_data(|tar| set(tar, "app.bin")), Error::TarType);
    }
    // A directory, here without content, as it has to be.
    let directory = || Member::of_kind(b'5', "data/", []);
    assert_eq!(refused_outer(|tar| tar.insert_before("header.tar", directory())), Error::TarType);
    assert_eq!(refused_data(|tar| tar.insert_before("app.bin", directory())), Error::TarType);
    assert_eq!(refused_data(|tar| tar.member("app.bin").kind = b'5'), Error::TarType);
}

#[test]
fn c49_the_old_mark_of_a_file_is_read_and_directories_in_the_header_are_passed_over() {
    accepted(&ordinary().raw().edit_outer(|tar| tar.member("version").kind = 0).bytes());
    let header = |tar: &mut Tar| {
        tar.insert_before("headers/0000/type-info", Member::of_kind(b'5', "headers/0000/", []));
    };
    assert!(accepted(&ordinary().raw().edit_header(header).bytes()).has("type-info true true"));
}

/// Why an artifact is refused whose payload file has this extended header.
fn refused_pax(body: impl Into<Vec<u8>>) -> Error {
    let body = body.into();
    refused_data(|tar| tar.insert_before("app.bin", Member::pax("PaxHeaders.0/app.bin", body)))
}

#[test]
fn c50a_a_record_whose_length_lies_is_refused() {
    for body in [
        "16 uid=3000000\n",
        "14 uid=3000000\n",
        "999 uid=3000000\n",
        "5 uid=3000000\n",
        "0 uid=3000000\n",
        "15uid=3000000\n",
        "-15 uid=3000000\n",
        " uid=3000000\n",
        "99999999999999999999 uid=3\n",
        "15",
        "4 =\n",
        "15 uid3000000\n\n",
        "6 uid\n",
        "15 uid=3000000\n3",
    ] {
        assert_eq!(refused_pax(body), Error::TarPax, "{body:?}");
    }
}

#[test]
fn c50b_a_record_without_its_line_feed_is_refused() {
    assert_eq!(refused_pax("15 uid=3000000 "), Error::TarPax);
    assert_eq!(refused_pax("14 uid=3000000"), Error::TarPax);
}

#[test]
fn c50c_a_record_that_sets_the_size_is_refused() {
    assert_eq!(refused_pax(pax_record("size", "10")), Error::TarPax);
    assert_eq!(refused_pax(pax_record("size", "1000")), Error::TarPax);
}

#[test]
fn c50d_an_extended_header_of_a_mebibyte_is_refused_at_its_header() {
    let large = pax_record("comment", &"c".repeat(1 << 20));
    assert_eq!(refused_pax(large), Error::TarPax);
    let just_over = pax_record("comment", &"c".repeat(1020));
    assert_eq!(refused_pax(just_over), Error::TarPax);
    let global = |tar: &mut Tar| {
        tar.insert_before("app.bin", Member::of_kind(b'g', "global", vec![b'g'; 1025]));
    };
    assert_eq!(refused_data(global), Error::TarPax);
}

#[test]
fn c50e_two_extended_headers_in_a_row_are_refused() {
    let body = pax_record("uid", "3000000");
    let two = |kind: u8| {
        let body = body.clone();
        refused_data(move |tar| {
            tar.insert_before("app.bin", Member::pax("PaxHeaders.0/app.bin", body.clone()));
            tar.insert_before("app.bin", Member::of_kind(kind, "PaxHeaders.0/app.bin", body));
        })
    };
    assert_eq!(two(b'x'), Error::TarPax);
    assert_eq!(two(b'g'), Error::TarPax);
}

#[test]
fn c50i_global_headers_without_end_are_refused_at_the_second_before_an_entry() {
    let two = |before: &'static str| {
        move |tar: &mut Tar| {
            for _ in 0..2 {
                tar.insert_before(before, Member::of_kind(b'g', "pax_global_header", "52 comment=whatever"));
            }
        }
    };
    assert_eq!(refused_outer(two("version")), Error::TarPax);
    assert_eq!(refused_data(two("app.bin")), Error::TarPax);
}

#[test]
fn c50f_an_extended_header_at_the_end_is_refused() {
    let last = |tar: &mut Tar| tar.members.push(Member::pax("PaxHeaders.0/x", pax_record("uid", "3000000")));
    assert_eq!(refused_outer(last), Error::TarPax);
    assert_eq!(refused_header(last), Error::TarPax);
    assert_eq!(refused_data(last), Error::TarPax);
}

#[test]
fn c50g_benign_extended_headers_are_accepted() {
    accepted(&sample("33-big-uid-pax.mender"));
    let body = ["uid", "gid", "mtime", "LIBARCHIVE.creationtime", "a"].map(|key| pax_record(key, "3000000"));
    let benign = |tar: &mut Tar| {
        tar.insert_before("app.bin", Member::pax("PaxHeaders.0/app.bin", body.concat()));
        tar.insert_before("app.bin", Member::of_kind(b'g', "pax_global_header", "52 comment=whatever"));
    };
    // The global header comes first, as it must: an extended header belongs to the entry right after it.
    let ordered = |tar: &mut Tar| {
        benign(tar);
        tar.members.swap(0, 1);
    };
    accepted(&ordinary().raw().edit_data(ordered).bytes());
    accepted(&ordinary().raw().edit_outer(|tar| tar.insert_before("version", Member::pax("p", ""))).bytes());
}

#[test]
fn c50h_the_path_of_an_extended_header_names_the_entry() {
    let name = "n".repeat(limits::FILE_NAME_MAX);
    let artifact = Artifact::new("release-2", "board").file(&name, content(10)).file("b", content(3));
    let reading = accepted(&artifact.build());
    assert_eq!(reading.files[0].0, name);
    assert_eq!(reading.files[1].0, "b", "it counts once");

    let too_long = "n".repeat(limits::FILE_NAME_MAX + 1);
    let refused_path = |records: String| {
        let mut data = Tar::new();
        data.members.push(Member::pax("PaxHeaders.0/app.bin", records));
        data.push_stream("app.bin", content(1000));
        refused_outer(|tar| tar.member("data/0000.tar").data = data.to_bytes())
    };
    assert_eq!(refused_path(pax_record("path", &too_long)), Error::TarName);
    assert_eq!(refused_path(pax_record("path", "a\0b")), Error::TarName);
    assert_eq!(refused_path(pax_record("path", "a") + &pax_record("path", "b")), Error::TarPax);
    assert_eq!(refused_path(pax_record("path", "../app.bin")), Error::FileName);
    assert_eq!(refused_path(pax_record("path", "app")), Error::FileUnlisted);
    assert_eq!(refused_path(pax_record("path", "")), Error::FileName);
}

#[test]
fn c51_a_gnu_long_name_is_refused() {
    for len in [101, 10_240] {
        let long = |tar: &mut Tar| {
            tar.insert_before("app.bin", Member::of_kind(b'L', "././@LongLink", vec![b'n'; len]));
        };
        assert_eq!(refused_data(long), Error::TarType);
    }
}

#[test]
fn c52_without_the_whole_end_marker_the_artifact_is_refused() {
    let good = ordinary().build();
    for cut in [1, 511, 512, 513, 1023, 1024] {
        assert_eq!(refused(&good[..good.len() - cut]), Error::ArtifactTruncated, "{cut} bytes short");
    }
    let single = |tar: &mut Tar| tar.end = [vec![0; 512], vec![1; 512]].concat();
    assert_eq!(refused_outer(single), Error::TarChecksum);
    let mut version = Tar::new();
    version.push_stream("version", "");
    let after = |tar: &mut Tar| tar.end = [vec![0; 512], version.to_bytes()].concat();
    assert_eq!(refused_outer(after), Error::TarEnd);
}

#[test]
fn c52_zero_blocks_may_follow_the_end_marker_and_nothing_else() {
    let padded = |zeros: usize, last: &'static [u8]| {
        let end = [vec![0; 1024 + zeros], last.to_vec()].concat();
        common::read(&ordinary().raw().edit_outer(|tar| tar.end = end).bytes()).result
    };
    let most = usize::try_from(limits::TRAILING_ZERO_BLOCKS_MAX).unwrap() * 512;
    assert_eq!(padded(9216, b""), Ok(()), "GNU tar fills records of 10 KiB");
    assert_eq!(padded(most, b""), Ok(()));
    assert_eq!(padded(most + 1, b""), Err(Error::TarEnd));
    assert_eq!(padded(0, b"x"), Err(Error::TarEnd));
    assert_eq!(padded(700, b"\x01"), Err(Error::TarEnd));
}

/// Why it is refused with the outer members in this order.
fn refused_order(names: &[&str]) -> Error {
    refused_outer(|tar| {
        tar.members = names.iter().map(|name| tar.members[tar.position(name)].clone()).collect();
    })
}

#[test]
fn c53_members_out_of_order_twice_or_missing_are_refused() {
    let order = ["version", "manifest", "header.tar", "data/0000.tar"];
    for at in 0..order.len() {
        let mut missing = order.to_vec();
        missing.remove(at);
        assert_eq!(refused_order(&missing), Error::MemberOrder, "{missing:?}");
        let mut twice = order.to_vec();
        twice.insert(at, order[at]);
        assert_eq!(refused_order(&twice), Error::MemberOrder, "{twice:?}");
        let mut again = order.to_vec();
        again.push(order[at]);
        assert_eq!(refused_order(&again), Error::MemberOrder, "{again:?}");
        let mut swapped = order.to_vec();
        swapped.swap(at, (at + 1) % order.len());
        assert_eq!(refused_order(&swapped), Error::MemberOrder, "{swapped:?}");
    }
    assert_eq!(refused_order(&[]), Error::MemberOrder);
}

#[test]
fn c53_an_unknown_member_is_refused_wherever_it_stands() {
    for before in ["version", "manifest", "header.tar", "data/0000.tar"] {
        let foo = |tar: &mut Tar| tar.insert_before(before, Member::new("foo", "bar"));
        assert_eq!(refused_outer(foo), Error::MemberUnknown);
    }
    assert_eq!(refused_outer(|tar| tar.push_stream("foo", "bar")), Error::MemberUnknown);
}

#[test]
fn c54_only_the_exact_names_of_members_are_known() {
    for name in ["./version", "/version", "version/", "data/../version", "Version", "version ", "versio", ""]
    {
        let rename = |tar: &mut Tar| tar.member("version").name = name.into();
        assert_eq!(refused_outer(rename), Error::MemberUnknown, "{name}");
    }
    for name in ["./header.tar", "header.tar/", "header.tar.", "header.tarx", "header.tar.GZ", "header"] {
        let rename = |tar: &mut Tar| tar.member("header.tar").name = name.into();
        assert_eq!(refused_outer(rename), Error::MemberUnknown, "{name}");
    }
    let prefixed = |tar: &mut Tar| tar.member("version").patch(field::PREFIX, b"data");
    assert_eq!(refused_outer(prefixed), Error::TarName);
}

#[test]
fn c55_only_one_payload_archive_of_the_known_name_is_read() {
    for name in ["data/0001.tar", "data/00000.tar", "data/0000.tar.bz2", "data/0000", "data/0000/app.bin"] {
        let rename = |tar: &mut Tar| tar.member("data/0000.tar").name = name.into();
        assert_eq!(refused_outer(rename), Error::MemberUnknown, "{name}");
        let second = |tar: &mut Tar| tar.push_stream(name, Tar::new().to_bytes());
        assert_eq!(refused_outer(second), Error::MemberUnknown, "{name}");
    }
    let twice = |tar: &mut Tar| tar.push_stream("data/0000.tar", Tar::new().to_bytes());
    assert_eq!(refused_outer(twice), Error::MemberOrder);
}

#[test]
fn c56_an_archive_cut_off_inside_an_intact_member_is_refused() {
    let header = ordinary().raw();
    let len = {
        let mut len = 0;
        drop(header.clone().edit_packed_header(|packed| len = packed.len()));
        len
    };
    for left in [0, 1, 511, 512, 700, 1024, len - 1025, len - 1024, len - 512, len - 1] {
        let bytes = header.clone().edit_packed_header(|packed| packed.truncate(left)).bytes();
        let error = refused(&bytes);
        assert!(matches!(error, Error::ArtifactTruncated | Error::TarSize), "{left}: {error:?}");
    }
    for left in [0, 1, 511, 512, 1000, 1536, 1537, 2048, 2559] {
        let error = refused_outer(|tar| tar.member("data/0000.tar").data.truncate(left));
        let wanted = if (512..1536).contains(&left) { Error::TarSize } else { Error::ArtifactTruncated };
        assert_eq!(error, wanted, "{left}");
    }
}

#[test]
fn c56_data_after_the_end_of_an_inner_archive_is_refused() {
    let tail = ordinary().raw().edit_packed_header(|packed| packed.extend_from_slice(b"hidden"));
    assert_eq!(refused(&tail.bytes()), Error::TarEnd);
    let tail = |tar: &mut Tar| tar.member("data/0000.tar").data.extend_from_slice(b"hidden");
    assert_eq!(refused_outer(tail), Error::TarEnd);
    let zeros = |tar: &mut Tar| tar.member("data/0000.tar").data.extend_from_slice(&[0; 9216]);
    accepted(&ordinary().raw().edit_outer(zeros).bytes());
}

#[test]
fn padding_may_hold_anything_and_old_archives_are_refused() {
    let filled = |tar: &mut Tar| {
        for member in &mut tar.members {
            member.padding = Some(vec![0xa5; member.data.len().next_multiple_of(512) - member.data.len()]);
        }
    };
    accepted(&ordinary().raw().edit_outer(filled).bytes());
    accepted(&ordinary().raw().edit_header(filled).bytes());
    accepted(&ordinary().raw().edit_data(filled).bytes());
    for magic in [&[0; 8], b"ustar\x0001", b"ustar\0 \0", b"ustar 00", b"Ustar\x0000"] {
        let old = |tar: &mut Tar| tar.member("version").patch(field::MAGIC, magic);
        assert_eq!(refused_outer(old), Error::TarMagic);
    }
    let gnu = |tar: &mut Tar| tar.member("version").patch(field::MAGIC, b"ustar  \0");
    accepted(&ordinary().raw().edit_outer(gnu).bytes());
}
