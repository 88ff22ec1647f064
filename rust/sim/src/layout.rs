// SPDX-License-Identifier: Apache-2.0
//! Where everything lies in the simulated flash.

/// A named part of the flash. Operations name an area and an offset in it, so that none can stray into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The primary slot: the image that runs.
    Slot0,
    /// The secondary slot: where a new image is written.
    Slot1,
    /// MCUboot's scratch area.
    Scratch,
    /// Record A of the client.
    RecordA,
    /// Record B of the client.
    RecordB,
    /// The deployment log.
    Log,
    /// The device key.
    Key,
}

impl Area {
    /// All areas, in the order they have in flash.
    pub const ALL: [Self; 7] =
        [Self::Slot0, Self::Slot1, Self::Scratch, Self::RecordA, Self::RecordB, Self::Log, Self::Key];

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// The geometry of the flash. Sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What one erase clears: 1, 2, 4 or 8 KiB.
    pub page_size: u32,
    /// What one program writes at least, and the alignment of every program: a power of two, 1…32.
    pub granule: u32,
    /// Each image slot: whole pages.
    pub slot_size: u32,
    /// The scratch area: whole pages; MCUboot swaps that much at a time.
    pub scratch_size: u32,
    /// Room for each record, rounded up to whole pages.
    pub record_size: u32,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            page_size: 4096,
            granule: 8,
            slot_size: 1024 * 1024,
            scratch_size: 16 * 1024,
            record_size: 4096,
        }
    }
}

impl Layout {
    /// Whether the numbers make sense together; if not, why.
    ///
    /// # Errors
    /// A sentence for a person.
    pub fn check(&self) -> Result<(), String> {
        if !matches!(self.page_size, 1024 | 2048 | 4096 | 8192) {
            return Err(format!("page size {} is not 1024, 2048, 4096 or 8192", self.page_size));
        }
        if !matches!(self.granule, 1 | 2 | 4 | 8 | 16 | 32) {
            return Err(format!("program granule {} is not a power of two up to 32", self.granule));
        }
        for (what, size) in [("slot", self.slot_size), ("scratch", self.scratch_size)] {
            if size == 0 || !size.is_multiple_of(self.page_size) {
                return Err(format!(
                    "{what} size {size} is not a whole number of pages of {}",
                    self.page_size
                ));
            }
        }
        if self.slot_size > 64 * 1024 * 1024 {
            return Err(format!("slot size {} is over 64 MiB", self.slot_size));
        }
        if self.max_image_size() == 0 {
            return Err(format!("slot size {} leaves no room beside MCUboot's trailer", self.slot_size));
        }
        Ok(())
    }

    /// Size of an area.
    #[must_use]
    pub fn size_of(&self, area: Area) -> u32 {
        match area {
            Area::Slot0 | Area::Slot1 => self.slot_size,
            Area::Scratch => self.scratch_size,
            Area::RecordA | Area::RecordB | Area::Log => self.record_size.next_multiple_of(self.page_size),
            Area::Key => self.page_size,
        }
    }

    /// Address of an area's first byte.
    #[must_use]
    pub fn start_of(&self, area: Area) -> u32 {
        Area::ALL.iter().take(area.index()).map(|before| self.size_of(*before)).sum()
    }

    /// Size of the whole flash.
    #[must_use]
    pub fn total(&self) -> u32 {
        Area::ALL.iter().map(|area| self.size_of(*area)).sum()
    }

    /// Bytes at the end of a slot that MCUboot's trailer makes unusable, whole pages.
    #[must_use]
    pub fn trailer_pages_size(&self) -> u32 {
        crate::trailer::size(self).next_multiple_of(self.page_size)
    }

    /// The largest image MCUboot can swap: the pages with the trailer are not swapped.
    #[must_use]
    pub fn max_image_size(&self) -> u32 {
        self.slot_size.saturating_sub(self.trailer_pages_size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_follow_each_other_without_gaps_and_start_on_pages() {
        for page_size in [1024, 2048, 4096, 8192] {
            let layout = Layout { page_size, ..Layout::default() };
            layout.check().unwrap();
            let mut at = 0;
            for area in Area::ALL {
                assert_eq!(layout.start_of(area), at);
                assert!(at.is_multiple_of(page_size));
                at += layout.size_of(area);
            }
            assert_eq!(layout.total(), at);
        }
    }

    #[test]
    fn layouts_that_no_flash_has_are_refused() {
        let good = Layout::default();
        for bad in [
            Layout { page_size: 3000, ..good },
            Layout { granule: 24, ..good },
            Layout { granule: 64, ..good },
            Layout { slot_size: 0, ..good },
            Layout { slot_size: 10_000, ..good },
            Layout { slot_size: 4096, ..good },
            Layout { scratch_size: 100, ..good },
            Layout { slot_size: 1 << 30, ..good },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
