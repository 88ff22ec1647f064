// SPDX-License-Identifier: Apache-2.0
//! NOR flash, stricter than the real thing: only erased bytes are programmed, on granules, each once, and erased by the page.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use mender_port::Errno;

use crate::layout::{Area, Layout};
use crate::power::{Moment, Power, Tear, Xorshift};

/// The value of an erased byte.
pub const ERASED: u8 = 0xff;

/// Why an operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// The range leaves the area.
    OutOfArea,
    /// Start or length is not a multiple of the granule, or of the page for an erase; or the length is 0.
    Misaligned,
    /// A byte to be programmed is not erased.
    NotErased,
    /// The application wanted to touch the inactive slot while that holds the image to fall back to.
    FallbackInDanger,
    /// The power is off, or went off during the operation.
    PowerCut,
    /// The file under the flash cannot be written.
    File,
}

impl From<FlashError> for Errno {
    fn from(e: FlashError) -> Self {
        match e {
            FlashError::OutOfArea => Errno(-7),
            FlashError::Misaligned => Errno::EINVAL,
            FlashError::NotErased => Errno(-17),
            FlashError::FallbackInDanger => Errno(-16),
            FlashError::PowerCut | FlashError::File => Errno::EIO,
        }
    }
}

/// What was done to an area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pages erased.
    pub erases: u64,
    /// Program operations.
    pub programs: u64,
    /// Bytes programmed.
    pub programmed_bytes: u64,
    /// Read operations.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
}

/// Simulated flash in memory, or in memory and a file that always holds the same.
///
/// A process that is killed leaves in the file exactly the operations that were done: each is one `pwrite`.
#[derive(Debug)]
pub struct Flash {
    layout: Layout,
    bytes: Vec<u8>,
    /// Granules that were programmed since their page was erased as a whole. Flash with an ECC programs none of them again, even where
    /// its bytes look erased.
    programmed: Vec<bool>,
    file: Option<File>,
    purpose: Option<Moment>,
    whole: bool,
    kept: u32,
    counts: [Counts; Area::ALL.len()],
    misuse: Option<(Area, FlashError)>,
    /// The power supply.
    pub power: Power,
}

impl Flash {
    /// Erased flash in memory.
    ///
    /// # Panics
    /// When the layout does not pass [`Layout::check`].
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self::from_bytes(layout, vec![ERASED; layout.total() as usize])
    }

    /// Flash in memory with this content.
    ///
    /// # Panics
    /// When the layout does not pass [`Layout::check`] or the length is not its total.
    #[must_use]
    pub fn from_bytes(layout: Layout, bytes: Vec<u8>) -> Self {
        if let Err(why) = layout.check() {
            panic!("{why}");
        }
        assert_eq!(bytes.len(), layout.total() as usize, "flash content and layout differ in length");
        // More than its bytes is not known of it.
        let granules = bytes.chunks(layout.granule as usize);
        let programmed = granules.map(|granule| granule.iter().any(|byte| *byte != ERASED)).collect();
        Self::with(layout, bytes, programmed)
    }

    /// The same flash once more, in memory, with power and nothing counted.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::with(self.layout, self.bytes.clone(), self.programmed.clone())
    }

    fn with(layout: Layout, bytes: Vec<u8>, programmed: Vec<bool>) -> Self {
        Self {
            layout,
            bytes,
            programmed,
            file: None,
            purpose: None,
            whole: false,
            kept: 0,
            counts: Default::default(),
            misuse: None,
            power: Power::default(),
        }
    }

    /// Flash in a file that exists. The file is locked: two processes on one flash would be two devices in one box.
    ///
    /// # Errors
    /// The file cannot be opened or read, is in use, or is not as long as the layout says.
    pub fn open(layout: Layout, path: &Path) -> io::Result<Self> {
        layout.check().map_err(io::Error::other)?;
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        file.try_lock().map_err(|_locked| io::Error::other("in use by another process"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if bytes.len() != layout.total() as usize {
            return Err(io::Error::other(format!(
                "{} bytes where the flash layout needs {}: page, slot or scratch size differ from those it was made with",
                bytes.len(),
                layout.total()
            )));
        }
        Ok(Self { file: Some(file), ..Self::from_bytes(layout, bytes) })
    }

    /// The geometry.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The whole content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The content of an area, looked at from outside: not counted, and there without power.
    #[must_use]
    pub fn view(&self, area: Area) -> &[u8] {
        let start = self.layout.start_of(area) as usize;
        &self.bytes[start..start + self.layout.size_of(area) as usize]
    }

    /// What was done to an area since the start.
    #[must_use]
    pub fn counts(&self, area: Area) -> Counts {
        self.counts[area.index()]
    }

    /// The first operation that broke the rules of the flash, if any did. A driver that provokes one is wrong, whatever it does next.
    #[must_use]
    pub fn misuse(&self) -> Option<(Area, FlashError)> {
        self.misuse
    }

    /// Puts bytes at the start of an area as a factory does: no rules, no counting, no power cut; the rest of the area is erased.
    ///
    /// # Errors
    /// The file cannot be written, or the bytes are longer than the area.
    pub fn provision(&mut self, area: Area, content: &[u8]) -> Result<(), FlashError> {
        let range = self.range(area, 0, self.layout.size_of(area))?;
        let target = self.bytes.get_mut(range.clone()).ok_or(FlashError::OutOfArea)?;
        let (head, tail) = target.split_at_mut_checked(content.len()).ok_or(FlashError::OutOfArea)?;
        head.copy_from_slice(content);
        tail.fill(ERASED);
        let (start, len) = (range.start, content.len());
        self.mark(range.clone(), false);
        self.mark(start..start + len, true);
        self.write_through(range)
    }

    /// Does `work` with operations counted as that moment, whatever area they touch.
    pub fn during<T>(&mut self, moment: Moment, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.purpose.replace(moment);
        let result = work(self);
        self.purpose = before;
        result
    }

    /// Does `work` with every program whole or not done at all, whatever tear was planned: for what MCUboot takes for granted.
    pub(crate) fn never_torn<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.whole, true);
        let result = work(self);
        self.whole = before;
        result
    }

    /// Does `work` with the last bytes of each page, so many, left as they were where an erase is torn at a byte: for what MCUboot
    /// takes for granted.
    pub(crate) fn never_parting<T>(&mut self, kept: u32, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.kept, kept);
        let result = work(self);
        self.kept = before;
        result
    }

    /// Reads `buf.len()` bytes at `offset` of an area.
    ///
    /// # Errors
    /// [`FlashError::OutOfArea`], [`FlashError::PowerCut`].
    pub fn read(&mut self, area: Area, offset: u32, buf: &mut [u8]) -> Result<(), FlashError> {
        self.powered()?;
        let len = u32::try_from(buf.len()).unwrap_or(u32::MAX);
        let range = self.checked(area, self.range(area, offset, len))?;
        buf.copy_from_slice(&self.bytes[range]);
        let counts = &mut self.counts[area.index()];
        counts.reads += 1;
        counts.read_bytes += u64::from(len);
        Ok(())
    }

    /// Programs erased bytes. Offset and length are multiples of the granule.
    ///
    /// # Errors
    /// Any [`FlashError`]; without [`FlashError::PowerCut`] nothing was changed.
    pub fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError> {
        self.powered()?;
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let range = self.checked(area, self.range(area, offset, len))?;
        let granule = self.layout.granule;
        if len == 0 || !offset.is_multiple_of(granule) || !len.is_multiple_of(granule) {
            return self.checked(area, Err(FlashError::Misaligned));
        }
        let granules = self.granules(range.clone());
        if self.bytes[range.clone()].iter().any(|byte| *byte != ERASED)
            || self.programmed[granules].contains(&true)
        {
            return self.checked(area, Err(FlashError::NotErased));
        }
        let counts = &mut self.counts[area.index()];
        counts.programs += 1;
        counts.programmed_bytes += u64::from(len);
        let moment = self.moment(area, Moment::Program);
        let cut = self.power.step(moment);
        let tear = cut.map_or(Tear::All, |cut| cut.tear);
        let flag = len == granule && matches!(moment, Moment::Arm | Moment::Swap | Moment::Confirm);
        let tear = if flag || self.whole { whole_or_nothing(tear) } else { tear };
        let target = &mut self.bytes[range.clone()];
        let done = match prefix(tear, len, granule, offset) {
            Ok(done) => {
                target[..done].copy_from_slice(&data[..done]);
                done
            }
            Err(mut random) => {
                for (to, from) in target.iter_mut().zip(data) {
                    *to = from | random.next().to_be_bytes()[0];
                }
                data.len()
            }
        };
        self.mark(range.start..range.start + done, true);
        self.done(range, cut)
    }

    /// Erases the page at `offset`, a multiple of the page size.
    ///
    /// # Errors
    /// Any [`FlashError`]; without [`FlashError::PowerCut`] nothing was changed.
    pub fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        self.powered()?;
        let page = self.layout.page_size;
        let range = self.checked(area, self.range(area, offset, page))?;
        if !offset.is_multiple_of(page) {
            return self.checked(area, Err(FlashError::Misaligned));
        }
        self.counts[area.index()].erases += 1;
        let cut = self.power.step(self.moment(area, Moment::PageErase));
        let target = &mut self.bytes[range.clone()];
        let done = match prefix(cut.map_or(Tear::All, |cut| cut.tear), page, self.layout.granule, offset) {
            Ok(done) => {
                let parting = (page - self.kept) as usize;
                let done = if done < page as usize { done.min(parting) } else { done };
                target[..done].fill(ERASED);
                done
            }
            Err(mut random) => {
                target.iter_mut().for_each(|byte| *byte |= random.next().to_be_bytes()[0]);
                1
            }
        };
        if done > 0 {
            // A page that was not erased to the end must be erased again before anything is programmed in it.
            self.mark(range.clone(), done < page as usize);
        }
        self.done(range, cut)
    }

    /// Whether a range holds nothing but erased bytes. Reads it.
    ///
    /// # Errors
    /// As [`Flash::read`].
    pub fn is_blank(&mut self, area: Area, offset: u32, len: u32) -> Result<bool, FlashError> {
        let mut buf = vec![0; len as usize];
        self.read(area, offset, &mut buf)?;
        Ok(buf.iter().all(|byte| *byte == ERASED))
    }

    /// Notes a breach of the rules that a port found, and gives it back.
    pub(crate) fn refuse(&mut self, area: Area, why: FlashError) -> FlashError {
        self.misuse.get_or_insert((area, why));
        why
    }

    fn powered(&self) -> Result<(), FlashError> {
        if self.power.is_off() { Err(FlashError::PowerCut) } else { Ok(()) }
    }

    fn checked<T>(&mut self, area: Area, result: Result<T, FlashError>) -> Result<T, FlashError> {
        result.map_err(|why| self.refuse(area, why))
    }

    fn range(&self, area: Area, offset: u32, len: u32) -> Result<std::ops::Range<usize>, FlashError> {
        let end = offset.checked_add(len).filter(|end| *end <= self.layout.size_of(area));
        let end = end.ok_or(FlashError::OutOfArea)?;
        let start = self.layout.start_of(area);
        Ok((start + offset) as usize..(start + end) as usize)
    }

    fn granules(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let granule = self.layout.granule as usize;
        range.start / granule..range.end.div_ceil(granule)
    }

    fn mark(&mut self, range: std::ops::Range<usize>, programmed: bool) {
        let granules = self.granules(range);
        self.programmed[granules].fill(programmed);
    }

    fn moment(&self, area: Area, otherwise: Moment) -> Moment {
        self.purpose.unwrap_or(match area {
            Area::RecordA | Area::RecordB | Area::Log => Moment::RecordWrite,
            Area::Key => Moment::KeyWrite,
            Area::Slot0 | Area::Slot1 | Area::Scratch => otherwise,
        })
    }

    fn done(&mut self, range: std::ops::Range<usize>, cut: Option<crate::Cut>) -> Result<(), FlashError> {
        self.write_through(range)?;
        match cut {
            Some(cut) => {
                self.power.fail(&cut);
                Err(FlashError::PowerCut)
            }
            None => Ok(()),
        }
    }

    fn write_through(&self, range: std::ops::Range<usize>) -> Result<(), FlashError> {
        let Some(file) = &self.file else { return Ok(()) };
        let at = range.start as u64;
        file.write_all_at(&self.bytes[range], at).map_err(|_unwritable| FlashError::File)
    }
}

/// Flags and status entries of the image trailer are one granule each. MCUboot relies on such a granule being written whole or not at
/// all: a half-written image-ok flag would neither revert nor count as confirmed, and nobody could mend it.
fn whole_or_nothing(tear: Tear) -> Tear {
    match tear {
        Tear::Nothing | Tear::Half | Tear::Bytes(_) | Tear::AllButLast => Tear::Nothing,
        Tear::Bits(seed) | Tear::Prefix(seed) if seed & 1 == 0 => Tear::Nothing,
        Tear::Bits(_) | Tear::Prefix(_) | Tear::All => Tear::All,
    }
}

/// How many bytes from its start are done of an operation on `len` bytes; or random bits of all of them.
fn prefix(tear: Tear, len: u32, granule: u32, offset: u32) -> Result<usize, Xorshift> {
    let random = |seed| Xorshift::new(seed ^ u64::from(offset));
    Ok(match tear {
        Tear::Nothing => 0,
        Tear::Half => len / 2,
        Tear::Bytes(count) => count.min(len),
        Tear::Prefix(seed) => (random(seed).next() % u64::from(len + 1)) as u32,
        Tear::AllButLast => len - granule,
        Tear::Bits(seed) => return Err(random(seed)),
        Tear::All => len,
    } as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cut;

    fn small() -> Layout {
        Layout { page_size: 1024, granule: 8, slot_size: 8 * 1024, scratch_size: 1024, record_size: 1024 }
    }

    #[test]
    fn what_real_flash_would_spoil_is_refused_and_remembered() {
        let mut flash = Flash::new(small());
        flash.program(Area::Slot1, 8, &[0; 16]).unwrap();
        assert_eq!(flash.misuse(), None);
        for (offset, len, error) in [
            (8, 8, FlashError::NotErased),
            (20, 8, FlashError::Misaligned),
            (24, 7, FlashError::Misaligned),
            (24, 0, FlashError::Misaligned),
            (8 * 1024, 8, FlashError::OutOfArea),
            (8 * 1024 - 8, 16, FlashError::OutOfArea),
            (u32::MAX - 7, 8, FlashError::OutOfArea),
        ] {
            let data = vec![0; len];
            assert_eq!(flash.program(Area::Slot1, offset, &data), Err(error), "{offset}+{len}");
        }
        assert_eq!(flash.erase(Area::Slot1, 512), Err(FlashError::Misaligned));
        assert_eq!(flash.erase(Area::Slot1, 8 * 1024), Err(FlashError::OutOfArea));
        assert_eq!(flash.read(Area::Key, 1020, &mut [0; 8]), Err(FlashError::OutOfArea));
        assert_eq!(flash.misuse(), Some((Area::Slot1, FlashError::NotErased)));
    }

    #[test]
    fn a_torn_operation_may_end_at_any_byte_and_what_must_be_whole_is_whole_or_not_there() {
        for (count, done) in [(0, 0), (5, 5), (16, 16), (99, 16)] {
            let tear = Tear::Bytes(count);
            let mut flash = Flash::new(small());
            flash.power.plan(Some(Cut { moment: Moment::Any, number: 1, tear }));
            assert_eq!(flash.program(Area::Slot1, 0, &[0; 16]), Err(FlashError::PowerCut));
            assert_eq!(flash.view(Area::Slot1).iter().filter(|byte| **byte == 0).count(), done);

            let mut flash = Flash::new(small());
            flash.power.plan(Some(Cut { moment: Moment::Any, number: 1, tear }));
            let torn = flash.never_torn(|flash| flash.program(Area::Slot1, 0, &[0; 16]));
            assert_eq!(torn, Err(FlashError::PowerCut));
            assert!(flash.view(Area::Slot1).iter().all(|byte| *byte == ERASED));

            let mut flash = Flash::new(small());
            flash.program(Area::Slot1, 0, &[0; 1024]).unwrap();
            flash.power.plan(Some(Cut { moment: Moment::Any, number: 1, tear }));
            assert_eq!(flash.erase(Area::Slot1, 0), Err(FlashError::PowerCut));
            let erased = flash.view(Area::Slot1)[..1024].iter().filter(|byte| **byte == ERASED).count();
            assert_eq!(erased, count as usize);
        }
    }

    #[test]
    fn a_granule_is_programmed_once_even_with_erased_bytes_until_its_page_is_erased_to_the_end() {
        let torn = [Tear::Half, Tear::Bytes(1), Tear::Bits(1), Tear::Prefix(3), Tear::AllButLast];
        for tear in torn {
            let mut flash = Flash::new(small());
            flash.program(Area::Slot1, 8, &[ERASED; 8]).unwrap();
            flash.program(Area::Slot1, 0, &[1; 8]).unwrap();
            flash.power.plan(Some(Cut { moment: Moment::Any, number: 1, tear }));
            flash.erase(Area::Slot1, 0).unwrap_err();
            flash.power.restore();
            for at in [8, 512, 1016] {
                assert_eq!(
                    flash.fork().program(Area::Slot1, at, &[1; 8]),
                    Err(FlashError::NotErased),
                    "{tear:?}"
                );
            }
            flash.program(Area::Slot1, 1024, &[1; 8]).unwrap();
            flash.erase(Area::Slot1, 0).unwrap();
            flash.program(Area::Slot1, 8, &[1; 8]).unwrap();
        }
    }

    #[test]
    fn an_operation_is_torn_anywhere_over_its_whole_length() {
        let done = |tear, number| {
            let mut flash = Flash::new(small());
            flash.program(Area::Slot1, 0, &[0; 1024]).unwrap();
            flash.power.plan(Some(Cut { moment: Moment::Any, number, tear }));
            let _first = flash.program(Area::Slot1, 1024, &[0; 1024]);
            let _second = flash.erase(Area::Slot1, 0);
            let count = |view: &[u8], value| view.iter().filter(|byte| **byte == value).count();
            let view = flash.view(Area::Slot1);
            if number == 1 { count(&view[1024..2048], 0) } else { count(&view[..1024], ERASED) }
        };
        for number in [1, 2] {
            assert_eq!(done(Tear::AllButLast, number), 1016);
            let lengths: Vec<usize> = (0..200).map(|seed| done(Tear::Prefix(seed), number)).collect();
            for eighth in 0..8 {
                assert!(lengths.iter().any(|len| len / 128 == eighth), "{lengths:?}");
            }
        }
    }

    #[test]
    fn an_erase_clears_its_page_and_no_other() {
        let mut flash = Flash::new(small());
        for page in 0..3 {
            flash.program(Area::Slot1, page * 1024, &[0; 1024]).unwrap();
        }
        flash.erase(Area::Slot1, 1024).unwrap();
        let view = flash.view(Area::Slot1);
        assert!(view[1024..2048].iter().all(|byte| *byte == ERASED));
        assert!(view[..1024].iter().chain(&view[2048..3072]).all(|byte| *byte == 0));
        assert_eq!(flash.counts(Area::Slot1).erases, 1);
        assert_eq!(flash.counts(Area::Slot1).programmed_bytes, 3072);
    }

    #[test]
    fn a_cut_leaves_part_of_the_operation_and_nothing_works_until_power_returns() {
        for (tear, expected) in [
            (Tear::Nothing, vec![0xff; 16]),
            (Tear::Half, [[0; 8], [0xff; 8]].concat()),
            (Tear::All, vec![0; 16]),
        ] {
            let mut flash = Flash::new(small());
            flash.power.plan(Some(Cut { moment: Moment::Program, number: 2, tear }));
            flash.program(Area::Slot1, 0, &[0; 16]).unwrap();
            assert_eq!(flash.program(Area::Slot1, 16, &[0; 16]), Err(FlashError::PowerCut));
            assert_eq!(flash.erase(Area::Slot1, 0), Err(FlashError::PowerCut));
            assert_eq!(flash.read(Area::Slot1, 0, &mut [0; 8]), Err(FlashError::PowerCut));
            flash.power.restore();
            let mut seen = [0; 16];
            flash.read(Area::Slot1, 16, &mut seen).unwrap();
            assert_eq!(seen, expected[..], "{tear:?}");
        }
    }

    #[test]
    fn random_tears_only_move_bits_the_way_the_operation_does() {
        let mut flash = Flash::new(small());
        let cut = |moment, seed| Some(Cut { moment, number: 1, tear: Tear::Bits(seed) });
        flash.power.plan(cut(Moment::Program, 1));
        let data: Vec<u8> = (0..=255).collect();
        flash.program(Area::Slot1, 0, &data).unwrap_err();
        flash.power.restore();
        let torn = flash.view(Area::Slot1)[..256].to_vec();
        assert!(torn.iter().zip(&data).all(|(is, wanted)| is & wanted == *wanted));
        assert!(torn != data && torn.iter().any(|byte| *byte != ERASED), "neither nothing nor all");
        flash.power.plan(cut(Moment::PageErase, 2));
        flash.erase(Area::Slot1, 0).unwrap_err();
        let erased = &flash.view(Area::Slot1)[..256];
        assert!(erased.iter().zip(&torn).all(|(is, was)| is & was == *was));
        assert!(erased != torn && erased.iter().any(|byte| *byte != ERASED));
    }

    #[test]
    fn the_file_is_the_flash() {
        let dir = crate::scratch_dir("flash-file");
        let path = dir.path().join("flash.bin");
        std::fs::write(&path, vec![ERASED; small().total() as usize]).unwrap();
        let mut flash = Flash::open(small(), &path).unwrap();
        flash.program(Area::Key, 0, &[7; 8]).unwrap();
        assert!(Flash::open(small(), &path).is_err(), "two devices in one box");
        drop(flash);
        let flash = Flash::open(small(), &path).unwrap();
        assert_eq!(flash.view(Area::Key)[..9], [7, 7, 7, 7, 7, 7, 7, 7, 0xff]);
        drop(flash);
        assert!(Flash::open(Layout { slot_size: 16 * 1024, ..small() }, &path).is_err());
    }
}
