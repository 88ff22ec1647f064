// SPDX-License-Identifier: Apache-2.0
//! The `Store` port: each record has pages of its own, which a write erases before it programs them.
//!
//! That is harsher than Zephyr's settings: a cut leaves the record absent or torn, hardly ever old. The client must cope, with its two
//! copies. A record is its length, the complement of its length, and its bytes; nothing here checks the bytes.

use mender_port::{Errno, RecordId, Result};

use crate::flash::{ERASED, Flash};
use crate::layout::Area;

/// Bytes programmed at a time: small, so that a power cut finds many moments within a record.
const PIECE: usize = 64;

const fn area_of(id: RecordId) -> Area {
    match id {
        RecordId::A => Area::RecordA,
        RecordId::B => Area::RecordB,
        RecordId::Log => Area::Log,
    }
}

/// The length field's bytes, whole granules.
fn header_size(flash: &Flash) -> u32 {
    4u32.next_multiple_of(flash.layout().granule)
}

/// See [`mender_port::Store::read`]. What a power cut left behind is returned as it is; where not even the length is right, as many
/// bytes as there are.
///
/// # Errors
/// `-ENOSPC` when the record is longer than `buf`, or what the flash said.
pub fn read(flash: &mut Flash, id: RecordId, buf: &mut [u8]) -> Result<Option<usize>> {
    let area = area_of(id);
    let start = header_size(flash);
    let room = (flash.layout().size_of(area) - start) as usize;
    let mut header = [0; 4];
    flash.read(area, 0, &mut header)?;
    if header == [ERASED; 4] {
        return Ok(None);
    }
    let [a, b, c, d] = header;
    let (len, complement) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    let len = if len == !complement { usize::from(len).min(room) } else { buf.len().min(room) };
    let bytes = buf.get_mut(..len).ok_or(Errno::ENOSPC)?;
    flash.read(area, start, bytes)?;
    Ok(Some(len))
}

/// See [`mender_port::Store::write`].
///
/// # Errors
/// `-ENOSPC` when the record is longer than its area; or what the flash said, and the record is torn or absent.
pub fn write(flash: &mut Flash, id: RecordId, record: &[u8]) -> Result<()> {
    let (area, layout) = (area_of(id), *flash.layout());
    let len = u16::try_from(record.len()).map_err(|_huge| Errno::ENOSPC)?;
    let mut bytes = [len.to_le_bytes(), (!len).to_le_bytes()].concat();
    bytes.resize(header_size(flash) as usize, ERASED);
    bytes.extend_from_slice(record);
    bytes.resize(bytes.len().next_multiple_of(layout.granule as usize), ERASED);
    if bytes.len() > layout.size_of(area) as usize {
        return Err(Errno::ENOSPC);
    }
    (0..bytes.len() as u32)
        .step_by(layout.page_size as usize)
        .try_for_each(|offset| flash.erase(area, offset))?;
    for (i, piece) in bytes.chunks(PIECE).enumerate() {
        flash.program(area, (i * PIECE) as u32, piece)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cut, Layout, Moment, Tear};

    #[test]
    fn records_are_read_as_they_were_written_and_apart_from_each_other() {
        for granule in [1, 8, 32] {
            let mut flash = Flash::new(Layout { granule, page_size: 1024, ..Layout::default() });
            let mut buf = [0; 3000];
            for id in [RecordId::A, RecordId::B, RecordId::Log] {
                assert_eq!(read(&mut flash, id, &mut buf), Ok(None), "never written is no error");
            }
            for (id, len) in [(RecordId::A, 1), (RecordId::B, 2500), (RecordId::Log, 0), (RecordId::A, 333)] {
                let record = vec![len as u8; len];
                write(&mut flash, id, &record).unwrap();
                assert_eq!(read(&mut flash, id, &mut buf), Ok(Some(len)));
                assert_eq!(buf[..len], record);
            }
            assert_eq!(read(&mut flash, RecordId::B, &mut buf), Ok(Some(2500)));
            assert_eq!(read(&mut flash, RecordId::B, &mut [0; 10]), Err(Errno::ENOSPC));
            assert_eq!(write(&mut flash, RecordId::Log, &[0; 5000]), Err(Errno::ENOSPC));
            assert_eq!(flash.misuse(), None);
        }
    }

    #[test]
    fn a_cut_in_a_write_leaves_something_readable_and_the_other_record_untouched() {
        let mut start = Flash::new(Layout::default());
        write(&mut start, RecordId::A, &[0xaa; 300]).unwrap();
        write(&mut start, RecordId::B, &[0xbb; 300]).unwrap();
        for tear in [Tear::Nothing, Tear::Half, Tear::Bits(5), Tear::All] {
            for number in 1.. {
                let mut flash = Flash::from_bytes(*start.layout(), start.bytes().to_vec());
                flash.power.plan(Some(Cut { moment: Moment::RecordWrite, number, tear }));
                if write(&mut flash, RecordId::A, &[0xcc; 500]).is_ok() {
                    assert!(number > 5, "the cuts did hit a write");
                    break;
                }
                flash.power.restore();
                let mut buf = [0; 1024];
                read(&mut flash, RecordId::A, &mut buf).unwrap();
                assert_eq!(read(&mut flash, RecordId::B, &mut buf), Ok(Some(300)));
                assert_eq!(buf[..300], [0xbb; 300]);
                write(&mut flash, RecordId::A, &[0xdd; 500]).unwrap();
                assert_eq!(flash.misuse(), None);
            }
        }
    }
}
