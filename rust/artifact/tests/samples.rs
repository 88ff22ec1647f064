// SPDX-License-Identifier: Apache-2.0
//! Artifacts by the official tool give what the protocol says, in chunks of any size.

mod common;

use common::{read, sample, sample_folders};
use mender_base::Error;

/// Name of a sample, and its facts or why it is refused.
type Expected = (&'static str, Result<&'static [&'static str], Error>);

/// Facts that most samples share are left out: `unsigned`, device type `nucleo_l4a6zg`, `header-end`, `file-end`, `end`.
const SAMPLES: &[Expected] = &[
    (
        "01-none",
        Ok(&[
            "payload zephyr-image",
            "name none-1.0",
            "provides rootfs-image.zephyr-image.version=none-1.0",
            "clears rootfs-image.zephyr-image.*",
            "type-info true true",
            "file zephyr.signed.bin 65673",
        ]),
    ),
    ("02-gzip", Err(Error::CompressedGzip)),
    ("03-lzma", Err(Error::CompressedXz)),
    ("04-none-rsa2048", Ok(&["signature 256", "name rsa2048-1.0", "file zephyr.signed.bin 65673"])),
    ("05-none-rsa3072", Ok(&["signature 384", "name rsa3072-1.0", "file zephyr.signed.bin 65673"])),
    ("06-none-p256", Ok(&["signature 64", "name p256-1.0", "file zephyr.signed.bin 65673"])),
    ("07-gzip-p256", Err(Error::CompressedGzip)),
    ("08-lzma-p256", Err(Error::CompressedXz)),
];

#[test]
fn every_sample_gives_what_the_protocol_says() {
    for (name, expected) in SAMPLES {
        let reading = read(&sample(&format!("{name}.mender")));
        println!("{name}: {:?} {:#?}", reading.result, reading.facts);
        match expected {
            Ok(facts) => {
                assert_eq!(reading.result, Ok(()), "{name}");
                for fact in *facts {
                    assert!(reading.has(fact), "{name}: {fact}");
                }
            }
            Err(error) => assert_eq!(reading.result, Err(*error), "{name}"),
        }
    }
    assert!(!sample_folders().is_empty());
}
