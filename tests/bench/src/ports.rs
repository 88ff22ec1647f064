// SPDX-License-Identifier: Apache-2.0
//! A platform with the real slot port, a flash in memory, and the least of everything else.

use std::ops::Range;

use mender_base::Event;
use mender_base::sha256::{Sha256, Soft};
use mender_port::{
    Application, Boot, Channel, Clock, Crypto, DeviceKey, Errno, KeyKind, Log, ModuleId, ModuleState,
    Modules, Notice, Progress, Received, RecordId, ResetCause, Result, Slot, Stage, Store, SwapState, System,
    Transport, Verdict,
};
use mender_sim::slot::SlotWriter;
use mender_sim::{Flash, Layout};

use crate::server::Server;

/// What is counted beside the instructions.
#[derive(Default)]
pub(crate) struct Counts {
    /// Payload bytes that the slot port took.
    pub(crate) to_slot: u64,
    /// Length of the first piece; the others but the last are whole chunks.
    pub(crate) first: usize,
    /// Those of them that did not lie in the IO buffer.
    pub(crate) from_elsewhere: u64,
    /// Calls of [`receive`] that gave something.
    pub(crate) receives: u64,
}

pub(crate) struct Ports {
    pub(crate) now_ms: u64,
    pub(crate) restart: bool,
    pub(crate) slot: SlotWriter,
    pub(crate) counts: Counts,
    /// The device log, for a run that does not end.
    pub(crate) log: Vec<String>,
    flash: Flash,
    server: Server,
    chunk: usize,
    io: Range<*const u8>,
    records: [Option<Vec<u8>>; 3],
}

impl Ports {
    /// Ports that receive at most `chunk` bytes at a time into the IO buffer at `io`.
    pub(crate) fn new(artifact: Vec<u8>, chunk: usize, io: Range<*const u8>) -> Self {
        let slot_size = u32::try_from(artifact.len()).unwrap_or(u32::MAX).next_multiple_of(1 << 20);
        Self {
            now_ms: 0,
            restart: false,
            slot: SlotWriter::default(),
            counts: Counts::default(),
            log: Vec::new(),
            flash: Flash::new(Layout { slot_size, ..Layout::default() }),
            server: Server::new(artifact),
            chunk,
            io,
            records: [None, None, None],
        }
    }
}

/// The network's part: not counted.
#[inline(never)]
fn receive(ports: &mut Ports, buf: &mut [u8]) -> Received {
    let room = buf.len().min(ports.chunk);
    let count = ports.server.give(buf.get_mut(..room).unwrap_or_default());
    ports.counts.receives += u64::from(count > 0);
    if count > 0 { Received::Data(count) } else { Received::Closed }
}

/// The network's part: not counted.
#[inline(never)]
fn send(server: &mut Server, data: &[u8]) {
    server.take(data);
}

/// Where the bytes lay that the slot port took: not counted.
#[inline(never)]
fn look(ports: &mut Ports, data: &[u8], taken: usize) {
    let source = data.get(..taken).unwrap_or_default().as_ptr_range();
    if ports.counts.to_slot == 0 {
        ports.counts.first = data.len();
    }
    ports.counts.to_slot += taken as u64;
    if source.start < ports.io.start || source.end > ports.io.end {
        ports.counts.from_elsewhere += taken as u64;
    }
}

impl Transport for Ports {
    const SESSIONS: usize = 2;

    fn open(&mut self, _: Channel, _: &str, _: u16, _: bool) -> Result<()> {
        Ok(())
    }

    fn send(&mut self, _: Channel, data: &[u8]) -> Result<usize> {
        send(&mut self.server, data);
        Ok(data.len())
    }

    fn receive(&mut self, _: Channel, buf: &mut [u8]) -> Result<Received> {
        Ok(receive(self, buf))
    }

    fn close(&mut self, _: Channel) {}
}

impl Slot for Ports {
    fn begin(&mut self, size: u32) -> Result<()> {
        self.slot.begin(&mut self.flash, size)
    }

    fn write(&mut self, data: &[u8]) -> Result<usize> {
        let taken = self.slot.write(&mut self.flash, data)?;
        look(self, data, taken);
        Ok(taken)
    }

    fn finish(&mut self) -> Result<()> {
        self.slot.finish(&mut self.flash)
    }

    fn read(&mut self, offset: u32, buf: &mut [u8]) -> Result<()> {
        self.slot.read(&mut self.flash, offset, buf)
    }

    fn invalidate(&mut self) -> Result<bool> {
        self.slot.invalidate(&mut self.flash)
    }
}

impl Boot for Ports {
    fn running_hash(&mut self) -> Result<Sha256> {
        Ok([0; 32])
    }

    fn is_confirmed(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn confirm(&mut self) -> Result<()> {
        Ok(())
    }

    fn request_swap(&mut self) -> Result<()> {
        Ok(())
    }

    fn can_revert(&mut self) -> bool {
        true
    }

    fn swap_state(&mut self) -> SwapState {
        SwapState::Unknown
    }
}

impl Store for Ports {
    fn read(&mut self, id: RecordId, buf: &mut [u8]) -> Result<Option<usize>> {
        let Some(Some(record)) = self.records.get(id as usize) else { return Ok(None) };
        let to = buf.get_mut(..record.len()).ok_or(Errno::ENOSPC)?;
        to.copy_from_slice(record);
        Ok(Some(record.len()))
    }

    fn write(&mut self, id: RecordId, bytes: &[u8]) -> Result<()> {
        let record = self.records.get_mut(id as usize).ok_or(Errno::EINVAL)?;
        *record = Some(bytes.to_vec());
        Ok(())
    }
}

/// The server of this benchmark does not look at signatures, so there is no need to make one.
impl Crypto for Ports {
    type Hasher = Soft;

    fn device_key(&mut self) -> Result<DeviceKey> {
        Ok(DeviceKey::Present)
    }

    fn make_device_key(&mut self) -> Result<()> {
        Ok(())
    }

    fn public_key(&mut self, point: &mut [u8; 65]) -> Result<()> {
        point.fill(4);
        Ok(())
    }

    fn sign(&mut self, _: &Sha256, signature: &mut [u8; 64]) -> Result<()> {
        signature.fill(1);
        Ok(())
    }

    fn verification_key(&mut self, _: usize) -> Option<KeyKind> {
        None
    }

    fn verify(&mut self, _: usize, _: &Sha256, _: &[u8]) -> Result<bool> {
        Ok(false)
    }

    fn random(&mut self) -> u32 {
        0
    }
}

impl Clock for Ports {
    fn now_ms(&mut self) -> u64 {
        self.now_ms
    }

    fn unix_ms(&mut self) -> Option<u64> {
        None
    }
}

impl Log for Ports {
    fn log(&mut self, event: Event, a: i64, b: i64, text: &str) {
        self.log.push(mender_sim::log::text_of(event, a, b, text));
    }
}

impl System for Ports {
    fn identity(&self, pair: &mut dyn FnMut(&str, &str)) {
        pair("mac", "02:00:00:00:00:01");
    }

    fn reset_cause(&mut self) -> ResetCause {
        ResetCause::Unknown
    }

    fn reboot(&mut self) {
        self.restart = true;
    }
}

impl Application for Ports {
    fn approve(&mut self, _: Stage) -> Verdict {
        Verdict::Approve
    }

    fn self_test(&mut self) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn inventory(&self, _: &mut dyn FnMut(&str, &str)) {}

    fn notice(&mut self, _: Notice) {}
}

impl Modules for Ports {
    fn find(&mut self, _: &str) -> Option<ModuleId> {
        None
    }

    fn needs_reboot(&mut self, _: ModuleId) -> bool {
        false
    }

    fn supports_rollback(&mut self, _: ModuleId) -> bool {
        false
    }

    fn meta_data(&mut self, _: ModuleId, _: &[u8]) -> Result<()> {
        Err(Errno::EINVAL)
    }

    fn begin(&mut self, _: ModuleId, _: u8, _: &str, _: u32) -> Result<()> {
        Err(Errno::EINVAL)
    }

    fn write(&mut self, _: ModuleId, _: u8, _: u32, _: &[u8]) -> Result<usize> {
        Err(Errno::EINVAL)
    }

    fn end(&mut self, _: ModuleId, _: u8) -> Result<()> {
        Err(Errno::EINVAL)
    }

    fn run(&mut self, _: ModuleId, _: ModuleState) -> Result<Progress> {
        Err(Errno::EINVAL)
    }
}
