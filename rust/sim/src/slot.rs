// SPDX-License-Identifier: Apache-2.0
//! The `Slot` port: writes a new image into the secondary slot, erasing as it goes.

use mender_port::{Errno, Result};

use crate::bootloader;
use crate::flash::{ERASED, Flash, FlashError};
use crate::layout::Area;
use crate::mcuboot::{self, Mode};

const GRANULE_MAX: usize = 32;

/// Where the writing of an image stands. Lost at a reset, as on a device.
#[derive(Debug, Default)]
pub struct SlotWriter {
    size: u32,
    /// Bytes that are in flash, whole granules.
    programmed: u32,
    /// Bytes erased from the start of the slot.
    erased: u32,
    /// Pages at the end of the slot whose trailer is still to be erased.
    trailer_left: u32,
    tail: [u8; GRANULE_MAX],
    tail_len: usize,
    copied_bytes: u64,
    /// How MCUboot upgrades: it decides where an image begins, and how large it may be.
    pub mode: Mode,
}

impl SlotWriter {
    /// Bytes that were copied in RAM on their way to the flash, since the start: what did not make up a whole granule.
    #[must_use]
    pub fn copied_bytes(&self) -> u64 {
        self.copied_bytes
    }

    /// Where in the slot the image begins.
    fn base(&self, flash: &Flash) -> u32 {
        mcuboot::upload_offset(flash.layout(), self.mode)
    }

    /// See [`mender_port::Slot::begin`]. Erases nothing yet.
    ///
    /// # Errors
    /// `-ENOSPC` when MCUboot could not swap an image of that size, `-EBUSY` while the running image is unconfirmed.
    pub fn begin(&mut self, flash: &mut Flash, size: u32) -> Result<()> {
        guard(flash)?;
        let layout = *flash.layout();
        if size > mcuboot::max_image_size(&layout, self.mode) {
            return Err(Errno::ENOSPC);
        }
        let trailer_left = layout.trailer_pages_size() / layout.page_size;
        let (copied_bytes, mode) = (self.copied_bytes, self.mode);
        *self = Self { size, trailer_left, copied_bytes, mode, ..Self::default() };
        Ok(())
    }

    /// See [`mender_port::Slot::write`]. The trailer pages are erased first: an old request for a swap must not meet a new image.
    ///
    /// # Errors
    /// `-ENOSPC` for more bytes than announced, or what the flash said.
    pub fn write(&mut self, flash: &mut Flash, data: &[u8]) -> Result<usize> {
        guard(flash)?;
        let layout = *flash.layout();
        if self.trailer_left > 0 {
            flash.erase(Area::Slot1, layout.slot_size - self.trailer_left * layout.page_size)?;
            self.trailer_left -= 1;
            return Ok(0);
        }
        let left = self.size - self.programmed - self.tail_len as u32;
        if data.len() > left as usize {
            return Err(Errno::ENOSPC);
        }
        if data.is_empty() {
            return Ok(0);
        }
        if self.programmed == self.erased {
            flash.erase(Area::Slot1, self.base(flash) + self.erased)?;
            self.erased += layout.page_size;
        }
        let granule = layout.granule as usize;
        let mut rest = data;
        if self.tail_len > 0 {
            rest = self.fill_tail(flash, rest, granule)?;
        }
        // A granule is a power of two.
        let in_page = (self.erased - self.programmed) as usize;
        let (whole, end) = rest.split_at(rest.len().min(in_page) & !(granule - 1));
        if !whole.is_empty() {
            flash.program(Area::Slot1, self.base(flash) + self.programmed, whole)?;
            self.programmed += whole.len() as u32;
        }
        rest = end;
        if !rest.is_empty() && self.programmed < self.erased {
            rest = self.fill_tail(flash, rest, granule)?;
        }
        Ok(data.len() - rest.len())
    }

    /// Keeps bytes until they make up a granule, and programs it then; the bytes that are left.
    fn fill_tail<'d>(&mut self, flash: &mut Flash, data: &'d [u8], granule: usize) -> Result<&'d [u8]> {
        let room = &mut self.tail[self.tail_len..granule];
        let (now, rest) = data.split_at(room.len().min(data.len()));
        for (to, from) in room.iter_mut().zip(now) {
            *to = *from;
        }
        self.tail_len += now.len();
        self.copied_bytes += now.len() as u64;
        if self.tail_len == granule {
            self.program_tail(flash, granule)?;
        }
        Ok(rest)
    }

    fn program_tail(&mut self, flash: &mut Flash, granule: usize) -> Result<()> {
        flash.program(Area::Slot1, self.base(flash) + self.programmed, &self.tail[..granule])?;
        self.programmed += granule as u32;
        self.tail_len = 0;
        Ok(())
    }

    /// See [`mender_port::Slot::finish`]: programs the last bytes, filled up to a granule with erased ones.
    ///
    /// # Errors
    /// What the flash said.
    pub fn finish(&mut self, flash: &mut Flash) -> Result<()> {
        guard(flash)?;
        if self.tail_len > 0 {
            self.tail[self.tail_len..].fill(ERASED);
            let granule = flash.layout().granule as usize;
            self.program_tail(flash, granule)?;
        }
        Ok(())
    }

    /// See [`mender_port::Slot::read`].
    ///
    /// # Errors
    /// `-EINVAL` beyond what was programmed, or what the flash said.
    pub fn read(&mut self, flash: &mut Flash, offset: u32, buf: &mut [u8]) -> Result<()> {
        let len = u32::try_from(buf.len()).map_err(|_huge| Errno::EINVAL)?;
        match offset.checked_add(len) {
            Some(end) if end <= self.programmed => {
                Ok(flash.read(Area::Slot1, self.base(flash) + offset, buf)?)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// See [`mender_port::Slot::invalidate`]: the trailer goes first, which disarms, then the image header.
    ///
    /// # Errors
    /// `-EBUSY` while the running image is unconfirmed, or what the flash said.
    pub fn invalidate(&mut self, flash: &mut Flash) -> Result<bool> {
        guard(flash)?;
        *self = Self { copied_bytes: self.copied_bytes, mode: self.mode, ..Self::default() };
        let (page, end) = (flash.layout().page_size, flash.layout().slot_size);
        for offset in [end - page, self.base(flash)] {
            if !flash.is_blank(Area::Slot1, offset, page)? {
                flash.erase(Area::Slot1, offset)?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// While the running image is on trial, the secondary slot is what makes the device come back from it. A check of the model, which the
/// benchmark leaves out of its count by this name.
#[inline(never)]
fn guard(flash: &mut Flash) -> Result<()> {
    if bootloader::is_confirmed(flash) {
        return Ok(());
    }
    Err(flash.refuse(Area::Slot1, FlashError::FallbackInDanger).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cut, Layout, Moment, Tear};

    fn layout(granule: u32) -> Layout {
        Layout { page_size: 1024, granule, slot_size: 16 * 1024, scratch_size: 1024, record_size: 1024 }
    }

    /// Writes `image` in chunks; the number of calls that erased.
    fn write_all(flash: &mut Flash, slot: &mut SlotWriter, image: &[u8], chunk: usize) {
        slot.begin(flash, image.len() as u32).unwrap();
        for mut piece in image.chunks(chunk) {
            while !piece.is_empty() {
                let before = flash.counts(Area::Slot1).erases;
                let taken = slot.write(flash, piece).unwrap();
                assert!(flash.counts(Area::Slot1).erases - before <= 1, "one page erase per call");
                piece = &piece[taken..];
            }
        }
        slot.finish(flash).unwrap();
    }

    #[test]
    fn an_image_written_in_any_chunks_is_read_back() {
        let image: Vec<u8> = (0..5003u32).map(|i| (i * 7 % 251) as u8).collect();
        for granule in [1, 2, 4, 8, 16, 32] {
            for chunk in [1, 7, 512, 1000, 1024, 5003] {
                let mut flash = Flash::new(layout(granule));
                flash.provision(Area::Slot1, &[0; 16 * 1024]).unwrap();
                let mut slot = SlotWriter::default();
                write_all(&mut flash, &mut slot, &image, chunk);
                let mut back = vec![0; image.len()];
                slot.read(&mut flash, 0, &mut back).unwrap();
                assert_eq!(back, image, "granule {granule}, chunk {chunk}");
                assert_eq!(flash.misuse(), None);
            }
        }
    }

    #[test]
    fn whole_granules_are_not_copied_and_the_rest_is_counted() {
        let image = vec![5; 4096];
        for (chunk, copied) in [(512, 0), (1024, 0), (1, 4096)] {
            let (mut flash, mut slot) = (Flash::new(layout(8)), SlotWriter::default());
            write_all(&mut flash, &mut slot, &image, chunk);
            assert_eq!(slot.copied_bytes(), copied, "chunk {chunk}");
        }
    }

    #[test]
    fn what_mcuboot_could_not_swap_is_refused_before_anything_is_erased() {
        let mut flash = Flash::new(layout(8));
        let mut slot = SlotWriter::default();
        let room = flash.layout().max_image_size();
        assert_eq!(slot.begin(&mut flash, room + 1), Err(Errno::ENOSPC));
        slot.begin(&mut flash, room).unwrap();
        assert_eq!(flash.counts(Area::Slot1).erases, 0);
        slot.begin(&mut flash, 10).unwrap();
        while slot.trailer_left > 0 {
            slot.write(&mut flash, &[0; 11]).unwrap();
        }
        assert_eq!(slot.write(&mut flash, &[0; 11]), Err(Errno::ENOSPC));
    }

    #[test]
    fn the_fallback_image_is_out_of_reach_during_a_trial() {
        let mut flash = Flash::new(layout(8));
        crate::trailer::write_magic(&mut flash, Area::Slot0).unwrap();
        let mut slot = SlotWriter::default();
        assert_eq!(slot.begin(&mut flash, 10), Err(Errno(-16)));
        assert_eq!(slot.invalidate(&mut flash), Err(Errno(-16)));
        assert_eq!(flash.misuse(), Some((Area::Slot1, FlashError::FallbackInDanger)));
    }

    #[test]
    fn an_invalidated_slot_is_disarmed_wherever_the_power_goes() {
        for tear in [Tear::Nothing, Tear::Half, Tear::Bits(3), Tear::All] {
            for number in 1..=2 {
                let (mut flash, mut slot) = (Flash::new(layout(8)), SlotWriter::default());
                write_all(&mut flash, &mut slot, &[1; 3000], 512);
                bootloader::request_swap(&mut flash).unwrap();
                flash.power.plan(Some(Cut { moment: Moment::PageErase, number, tear }));
                while let Ok(done) = slot.invalidate(&mut flash) {
                    assert!(!done, "the cut comes before the end");
                }
                flash.power.restore();
                let mut after = SlotWriter::default();
                while !after.invalidate(&mut flash).unwrap() {}
                assert_eq!(crate::mcuboot::swap_type(&flash), crate::trailer::SwapType::None);
                assert!(flash.is_blank(Area::Slot1, 0, 1024).unwrap());
                assert_eq!(flash.misuse(), None);
            }
        }
    }
}
