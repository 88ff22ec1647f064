// SPDX-License-Identifier: Apache-2.0
//! mender-artifact.

use mender_artifact::{Reader, Unsigned};
use mender_base::sha256::Soft;
use nopanic::any::{any, one_of, see};

pub(crate) fn every() {
    let mut reader = Reader::<Soft>::new(one_of(&[Unsigned::Accept, Unsigned::Refuse]));
    while any() {
        match any() {
            0u8 => see(Reader::feed(&mut reader, any())),
            1 => see(Reader::take(&mut reader, any())),
            2 => see(Reader::signature(&mut reader, any())),
            3 => Reader::reset(&mut reader, Unsigned::Accept),
            _ => see(Reader::finish(&reader)),
        }
    }
}
