// SPDX-License-Identifier: Apache-2.0
//! The client's records as `docs/records.md` describes them, read by other code than the client's.

use mender_sim::flash::ERASED;
use mender_sim::{Area, Flash};

/// Where the two copies lie.
pub const AREAS: [Area; 2] = [Area::RecordA, Area::RecordB];

const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
/// Bytes before the entries.
const HEAD: usize = 12;

fn room_before(flash: &Flash) -> usize {
    4usize.next_multiple_of(flash.layout().granule as usize)
}

/// The bytes of a record as the store keeps them, if they are whole.
#[must_use]
pub fn stored(flash: &Flash, area: Area) -> Option<Vec<u8>> {
    let view = flash.view(area);
    let word = |at: usize| Some(u16::from_le_bytes([*view.get(at)?, *view.get(at + 1)?]));
    let len = word(0).filter(|len| word(2) == Some(!len))?;
    view.get(room_before(flash)..)?.get(..usize::from(len)).map(<[u8]>::to_vec)
}

/// Puts a record where the store would.
pub fn put(flash: &mut Flash, area: Area, record: &[u8]) {
    let len = record.len() as u16;
    let mut bytes = [len.to_le_bytes(), (!len).to_le_bytes()].concat();
    bytes.resize(room_before(flash), ERASED);
    bytes.extend_from_slice(record);
    // A record longer than its area is left as it was.
    let _too_long = flash.provision(area, &bytes);
}

/// Whether these bytes are a record: magic, an oldest reader that there is, length, CRC.
#[must_use]
pub fn is_valid(record: &[u8]) -> bool {
    let Some(entries) = length(record) else { return false };
    let end = HEAD + entries;
    let Some((covered, crc)) = record.split_at_checked(end) else { return false };
    record.starts_with(b"MNDR")
        && record[5] <= 1
        && crc.first_chunk() == Some(&CRC.checksum(covered).to_be_bytes())
}

fn length(record: &[u8]) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes([*record.get(6)?, *record.get(7)?])))
}

/// The record in a format of tomorrow that today's readers cope with: another number, and an entry they do not know.
#[must_use]
pub fn newer(record: &[u8]) -> Option<Vec<u8>> {
    if !is_valid(record) || record[4] != 1 {
        return None;
    }
    let entries = length(record)?;
    let mut new = record[..HEAD + entries].to_vec();
    new.extend_from_slice(&[250, 0, 5, 1, 2, 3, 4, 5]);
    new[4] = 2;
    new[6..8].copy_from_slice(&((entries + 8) as u16).to_be_bytes());
    new.extend(CRC.checksum(&new).to_be_bytes());
    Some(new)
}

/// The record as a firmware writes it that today's readers do not cope with.
#[must_use]
pub fn forbidden(record: &[u8]) -> Option<Vec<u8>> {
    let mut new = newer(record)?;
    new.truncate(new.len() - 4);
    new[5] = 2;
    new.extend(CRC.checksum(&new).to_be_bytes());
    Some(new)
}

/// How many of the two copies can be read.
#[must_use]
pub fn readable(flash: &Flash) -> usize {
    valid(flash).count()
}

fn valid(flash: &Flash) -> impl Iterator<Item = (Area, Vec<u8>)> {
    let records = AREAS.into_iter().filter_map(|area| Some((area, stored(flash, area)?)));
    records.filter(|(_, record)| is_valid(record))
}

/// Generation, area and bytes of the record that counts.
#[must_use]
pub fn newest(flash: &Flash) -> Option<(u32, Area, Vec<u8>)> {
    let generation = |record: &[u8]| Some(u32::from_be_bytes(*record.get(8..)?.first_chunk()?));
    let all = valid(flash).filter_map(|(area, record)| Some((generation(&record)?, area, record)));
    all.max_by_key(|(generation, ..)| *generation)
}

/// No deployment is in progress.
#[must_use]
pub fn is_idle(record: &[u8]) -> bool {
    phase(record) == Some(0)
}

/// How far the deployment is: the first byte of the entry with tag 1.
#[must_use]
pub fn phase(record: &[u8]) -> Option<u8> {
    let mut rest = record.get(HEAD..).unwrap_or_default();
    while let [tag, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        if *tag == 1 {
            return tail.first().copied();
        }
        rest = tail.get(len..).unwrap_or_default();
    }
    None
}
