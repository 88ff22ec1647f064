// SPDX-License-Identifier: Apache-2.0
//! What holds for every input: nothing panics, reading goes on, and a payload that is not the listed one is never accepted.
//!
//! The number of cases is multiplied by `MENDER_CASES` where that is set. A failure prints the seed of its case.

mod common;

use common::{Driver, Numbers, Reading, content, ordinary, read_in, sample};
use mender_artifact::{Piece, Reader, Unsigned};
use mender_base::sha256::Soft;
use mender_base::{Error, limits};
use mender_testkit::artifact::Artifact;
use mender_testkit::tar::checksum_of;
use std::cell::RefCell;

fn cases(quick: u64) -> std::ops::Range<u64> {
    let times = std::env::var("MENDER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    1..1 + quick * times
}

/// Reads in chunks of changing size into a sink of changing appetite.
fn read_somehow(artifact: &[u8], numbers: Numbers) -> Reading {
    let numbers = RefCell::new(numbers);
    let below = |bound| numbers.borrow_mut().below(bound);
    let chunk = &mut || [1, below(16), below(700), 512][below(4)];
    let appetite = &mut |offered| [0, below(offered + 1), offered, offered][below(4)];
    Driver { unsigned: Unsigned::Accept, verify: &|_, _| true, chunk, appetite }.read(artifact)
}

/// An artifact that has everything.
fn rich() -> Artifact {
    Artifact::new("release-2", "board")
        .device_type("board-b")
        .group("group")
        .depends_name("release-1")
        .depends("hardware.revision", "b")
        .provides("app.slot", "1")
        .meta_data(serde_json::json!({"list": [1, 2.5, null], "text": "é\n"}))
        .file("app.bin", content(700))
        .file(&"n".repeat(110), content(512))
        .file("empty", [])
}

fn flip(bytes: &mut [u8], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << numbers.below(8);
    }
}

/// Changes an artifact once, somehow.
fn spoil(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let blocks = bytes.len() / 512;
    let (a, b) = (numbers.below(blocks) * 512, numbers.below(blocks) * 512);
    match numbers.below(9) {
        0 | 1 => flip(bytes, numbers),
        2 => {
            let at = numbers.below(bytes.len());
            bytes[at] = u8::try_from(numbers.below(256)).unwrap();
        }
        3 => bytes.truncate(numbers.below(bytes.len())),
        4 => drop(bytes.drain(a..a + 512)),
        5 => {
            let block = bytes[a..a + 512].to_vec();
            drop(bytes.splice(b..b, block));
        }
        6 => (0..512).for_each(|i| bytes.swap(a + i, b + i)),
        7 => bytes[a..a + 512].fill(0),
        // A header that is wrong under a right checksum.
        _ => {
            let mut block: [u8; 512] = bytes[a..a + 512].try_into().unwrap();
            for _ in 0..=numbers.below(3) {
                flip(&mut block[..350], numbers);
            }
            let checksum = checksum_of(&block);
            block[148..156].copy_from_slice(&checksum);
            bytes[a..a + 512].copy_from_slice(&block);
        }
    }
}

#[test]
fn a_spoilt_artifact_is_refused_or_says_the_same() {
    let good = rich().build();
    // Nothing covers the order of the payload files (§9.1).
    let sorted = |mut reading: Reading| {
        reading.facts.sort();
        reading.files.sort();
        reading
    };
    let honest = sorted(read_in(&good, 512));
    assert_eq!(honest.result, Ok(()));
    let mut accepted = 0;
    for seed in cases(20_000) {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut bytes = good.clone();
        for _ in 0..=numbers.below(3) {
            if bytes.len() >= 1024 {
                spoil(&mut bytes, &mut numbers);
            }
        }
        let reading = read_somehow(&bytes, numbers);
        if reading.result.is_ok() {
            assert!(sorted(reading) == honest, "seed {seed}");
            accepted += 1;
        }
    }
    // Owners, times and padding are nobody's business: there must be such cases, and not many.
    assert!(accepted > 100, "{accepted} accepted");
}

#[test]
fn a_spoilt_header_under_right_hashes_never_panics() {
    for seed in cases(8_000) {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let raw = rich().raw().edit_header(|tar| {
            let member = numbers.below(tar.members.len());
            let data = &mut tar.members[member].data;
            for _ in 0..=numbers.below(4) {
                let at = numbers.below(data.len());
                match numbers.below(5) {
                    0 => flip(data, &mut numbers),
                    1 => drop(data.drain(at..data.len().min(at + 1 + numbers.below(20)))),
                    2 => data.insert(at, b"{}[]\",:\\0n\xff"[numbers.below(11)]),
                    3 => {
                        let piece = data[at..data.len().min(at + 1 + numbers.below(40))].to_vec();
                        let to = numbers.below(data.len());
                        drop(data.splice(to..to, piece));
                    }
                    _ => {
                        let tokens: [&[u8]; 6] = [
                            b"null",
                            b"\"type\":",
                            b"{\"a\":[1]}",
                            b"[\"x\"]",
                            b"\"\\ud83d\\ude00\"",
                            b"artifact_depends",
                        ];
                        drop(data.splice(at..at, tokens[numbers.below(6)].iter().copied()));
                    }
                }
            }
        });
        let reading = read_somehow(&raw.bytes(), numbers);
        let files = |reading: &Reading| reading.files.iter().map(|(_, content)| content.len()).sum::<usize>();
        assert!(reading.result.is_err() || files(&reading) == 1212, "seed {seed}");
    }
}

#[test]
fn any_bytes_at_all_never_panic() {
    for seed in cases(4_000) {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let len = numbers.below(3000);
        let bytes: Vec<u8> = (0..len).map(|_| u8::try_from(numbers.below(256)).unwrap()).collect();
        assert!(read_somehow(&bytes, numbers).result.is_err(), "seed {seed}");
    }
}

#[test]
fn an_artifact_cut_short_anywhere_is_refused() {
    let good = rich().build();
    for len in 0..good.len() {
        assert!(read_in(&good[..len], 512).result.is_err(), "{len} bytes");
    }
}

#[test]
fn a_sink_that_takes_less_gets_the_same() {
    for name in ["13-several-files.mender", "15-meta-data.mender", "17-empty-file.mender"] {
        let artifact = sample(name);
        let wanted = read_in(&artifact, 512);
        for chunk in [1, 100, 512, 4096, artifact.len()] {
            for most in [1, 3, 64, 511] {
                let mut turn = 0;
                let appetite = &mut |offered: usize| {
                    turn += 1;
                    if turn % 3 == 0 { 0 } else { offered.min(most) }
                };
                let unsigned = Unsigned::Accept;
                let reading =
                    Driver { unsigned, verify: &|_, _| true, chunk: &mut || chunk, appetite }.read(&artifact);
                assert!(reading == wanted, "{name}, chunks of {chunk}, {most} taken");
            }
        }
    }
}

#[test]
fn taking_what_was_not_offered_is_refused() {
    let artifact = ordinary().build();
    let mut reader = Reader::<Soft>::new(Unsigned::Accept);
    assert_eq!(reader.take(b"x"), Err(Error::Internal), "no file has begun");
    let mut start = 0;
    loop {
        let (used, piece) = reader.feed(&artifact[start..]).unwrap();
        start += used;
        match piece.unwrap() {
            Piece::Payload { data, .. } => {
                assert_eq!(data.len(), 1000, "up to the end of the file");
                assert_eq!(reader.take(&artifact[start..start + 1001]), Err(Error::Internal));
                reader.take(&artifact[start..start + 1000]).unwrap();
                start += 1000;
                assert_eq!(reader.take(b"x"), Err(Error::Internal));
            }
            Piece::FileEnd { .. } => break,
            _ => {}
        }
    }
    assert_eq!(reader.take(b"x"), Err(Error::Internal));
    assert_eq!(reader.feed(&artifact[start..]).unwrap().1, Some(Piece::End));
}

/// Feeds up to the start of the payload file, which is told by the offset of its content.
fn up_to_file(reader: &mut Reader<Soft>, artifact: &[u8]) -> usize {
    let mut start = 0;
    loop {
        let (used, piece) = reader.feed(&artifact[start..]).unwrap();
        start += used;
        if let Some(Piece::FileStart { size, .. }) = piece {
            assert_eq!(size, 1000);
            return start;
        }
    }
}

#[test]
fn a_download_goes_on_where_the_stored_part_of_the_file_ends() {
    let artifact = ordinary().build();
    let stored = content(1000);
    for already in [0, 1, 64, 777, 1000] {
        let mut reader = Reader::<Soft>::new(Unsigned::Accept);
        let file = up_to_file(&mut reader, &artifact);
        reader.take(&stored[..already]).unwrap();
        // The rest comes from a range request.
        let mut start = file + already;
        loop {
            let (used, piece) = reader.feed(&artifact[start..]).unwrap();
            start += used;
            match piece {
                Some(Piece::Payload { offset, data, .. }) => {
                    assert_eq!(usize::try_from(offset).unwrap(), already);
                    reader.take(data).unwrap();
                    start += data.len();
                }
                Some(_) => {}
                None => break,
            }
        }
        assert_eq!(reader.finish(), Ok(()), "{already} bytes were stored");
    }
    let mut reader = Reader::<Soft>::new(Unsigned::Accept);
    let file = up_to_file(&mut reader, &artifact);
    reader.take(&[0xff; 1000]).unwrap();
    assert_eq!(reader.feed(&artifact[file + 1000..]), Err(Error::FileHash), "what is stored is what counts");
}

#[test]
fn the_reader_is_small() {
    let size = size_of::<Reader<Soft>>();
    println!("a reader takes {size} bytes");
    assert!(size <= 1536, "{size} bytes");
    assert_eq!(limits::FILES_MAX, 14, "44 bytes each");
}
