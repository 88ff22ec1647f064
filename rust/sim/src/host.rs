// SPDX-License-Identifier: Apache-2.0
//! All ports in one value: what the client runs on.

use mender_base::Event;
use mender_base::sha256::{Sha256, Soft};
use mender_port::{
    Application, Boot, Channel, Clock, Crypto, DeviceKey, Errno, KeyKind, Log, ModuleId, ModuleState,
    Modules, Notice, Progress, Received, RecordId, ResetCause, Result, Slot, Stage, Store, SwapState, System,
    Transport, Verdict,
};

use crate::application::App;
use crate::flash::Flash;
use crate::keys::{DeviceKeys, Keys};
use crate::log::Sink;
use crate::mcuboot::Mode;
use crate::power::{Moment, Tear};
use crate::reports::Watch;
use crate::slot::SlotWriter;
use crate::{bootloader, store};

/// One record that cannot be read, whatever the others do.
#[derive(Clone, Copy, Debug)]
pub struct Unreadable {
    /// The record.
    pub id: RecordId,
    /// Reads of it that go well before.
    pub spared: u32,
    /// What the others give.
    pub errno: Errno,
}

/// Errors to be given in place of doing the work. The default gives none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// By [`Transport::open`]: the network is out of reach.
    pub open: Option<Errno>,
    /// By [`Store::read`].
    pub record_read: Option<Errno>,
    /// By [`Store::read`] of one record.
    pub one_record_read: Option<Unreadable>,
    /// By [`Store::write`].
    pub record_write: Option<Errno>,
    /// By [`Crypto::device_key`].
    pub device_key: Option<Errno>,
    /// By [`Slot::write`].
    pub slot_write: Option<Errno>,
    /// By [`Boot::request_swap`].
    pub request_swap: Option<Errno>,
    /// By [`Boot::confirm`].
    pub confirm: Option<Errno>,
}

/// A simulated device between two resets. After a power cut all ports fail, the network too: a device without power sends nothing.
///
/// Made anew at each boot around the same [`Flash`], which [`Host::into_flash`] gives back.
pub struct Host<T, C, L, M, K = Keys> {
    /// The flash.
    pub flash: Flash,
    /// How MCUboot upgrades.
    pub mode: Mode,
    /// The writer of the secondary slot.
    pub slot: SlotWriter,
    /// Keys and random numbers.
    pub keys: K,
    /// Sockets.
    pub transport: T,
    /// Time.
    pub clock: C,
    /// The device log.
    pub sink: L,
    /// Update modules.
    pub modules: M,
    /// The application.
    pub app: App,
    /// What [`System::identity`] gives.
    pub identity: Vec<(String, String)>,
    /// What [`System::reset_cause`] gives.
    pub reset_cause: ResetCause,
    /// Errors to come.
    pub faults: Faults,
    /// How often one of them was given.
    pub given: u32,
    /// The client asked for a restart.
    pub restart: bool,
    reports: Watch,
}

impl<T, C: Clock, L: Sink, M, K> Host<T, C, L, M, K> {
    /// A device that has just booted, with default behaviour and no identity.
    pub fn new(flash: Flash, keys: K, transport: T, clock: C, sink: L, modules: M) -> Self {
        Self {
            flash,
            mode: Mode::default(),
            slot: SlotWriter::default(),
            keys,
            transport,
            clock,
            sink,
            modules,
            app: App::default(),
            identity: Vec::new(),
            reset_cause: ResetCause::Unknown,
            faults: Faults::default(),
            given: 0,
            restart: false,
            reports: Watch::default(),
        }
    }

    /// What outlives the reset.
    pub fn into_flash(self) -> Flash {
        self.flash
    }

    /// Puts a line of the model's own into the device log.
    pub fn note(&mut self, what: &str, text: &str) {
        let now = self.clock.now_ms();
        self.sink.note(now, what, text);
    }

    /// A step of an update module, during which the power may go: before it or after it, for what a module does is its own affair.
    fn module_step<R>(&mut self, work: impl FnOnce(&mut M) -> Result<R>) -> Result<R> {
        self.or_fault(None)?;
        let Some(cut) = self.flash.power.step(Moment::Module) else { return work(&mut self.modules) };
        if matches!(cut.tear, Tear::All) {
            // Nobody hears of it any more.
            drop(work(&mut self.modules));
        }
        self.flash.power.fail(&cut);
        Err(Errno::EIO)
    }

    /// The fault to be given, if any; [`Errno::EIO`] without power.
    fn or_fault(&mut self, fault: Option<Errno>) -> Result<()> {
        if self.flash.power.is_off() {
            return Err(Errno::EIO);
        }
        self.given += u32::from(fault.is_some());
        fault.map_or(Ok(()), Err)
    }
}

impl<T: Transport, C: Clock, L: Sink, M, K> Transport for Host<T, C, L, M, K> {
    const SESSIONS: usize = T::SESSIONS;

    fn open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        self.or_fault(self.faults.open)?;
        self.transport.open(channel, host, port, tls)
    }

    fn send(&mut self, channel: Channel, data: &[u8]) -> Result<usize> {
        self.or_fault(None)?;
        let sent = self.transport.send(channel, data)?;
        if channel == Channel::Api {
            self.reports.sent(data.get(..sent).unwrap_or(data));
        }
        Ok(sent)
    }

    fn receive(&mut self, channel: Channel, buf: &mut [u8]) -> Result<Received> {
        if channel == Channel::Api && self.reports.asked() {
            self.flash.power.report_in_flight();
        }
        self.or_fault(None)?;
        self.transport.receive(channel, buf)
    }

    fn close(&mut self, channel: Channel) {
        self.transport.close(channel);
    }
}

impl<T, C: Clock, L: Sink, M, K> Slot for Host<T, C, L, M, K> {
    fn begin(&mut self, size: u32) -> Result<()> {
        self.slot.mode = self.mode;
        self.slot.begin(&mut self.flash, size)
    }

    fn write(&mut self, data: &[u8]) -> Result<usize> {
        self.or_fault(self.faults.slot_write)?;
        self.slot.write(&mut self.flash, data)
    }

    fn finish(&mut self) -> Result<()> {
        self.slot.finish(&mut self.flash)
    }

    fn read(&mut self, offset: u32, buf: &mut [u8]) -> Result<()> {
        self.slot.read(&mut self.flash, offset, buf)
    }

    fn invalidate(&mut self) -> Result<bool> {
        self.slot.mode = self.mode;
        self.slot.invalidate(&mut self.flash)
    }
}

impl<T, C: Clock, L: Sink, M, K> Boot for Host<T, C, L, M, K> {
    fn running_hash(&mut self) -> Result<Sha256> {
        bootloader::running_hash(&self.flash)
    }

    fn is_confirmed(&mut self) -> Result<bool> {
        self.or_fault(None)?;
        Ok(bootloader::is_confirmed(&self.flash))
    }

    fn confirm(&mut self) -> Result<()> {
        self.or_fault(self.faults.confirm)?;
        bootloader::confirm(&mut self.flash)
    }

    fn request_swap(&mut self) -> Result<()> {
        self.or_fault(self.faults.request_swap)?;
        bootloader::request_swap(&mut self.flash)
    }

    fn can_revert(&mut self) -> bool {
        self.mode != Mode::OverwriteOnly
    }

    fn swap_state(&mut self) -> SwapState {
        bootloader::swap_state(&self.flash, self.mode)
    }
}

impl<T, C: Clock, L: Sink, M, K> Store for Host<T, C, L, M, K> {
    fn read(&mut self, id: RecordId, buf: &mut [u8]) -> Result<Option<usize>> {
        let one = self.faults.one_record_read.as_mut().filter(|one| one.id == id);
        let one = one.and_then(|one| match one.spared.checked_sub(1) {
            Some(left) => {
                one.spared = left;
                None
            }
            None => Some(one.errno),
        });
        self.or_fault(self.faults.record_read.or(one))?;
        store::read(&mut self.flash, id, buf)
    }

    fn write(&mut self, id: RecordId, bytes: &[u8]) -> Result<()> {
        self.or_fault(self.faults.record_write)?;
        store::write(&mut self.flash, id, bytes)
    }
}

impl<T, C: Clock, L: Sink, M, K: DeviceKeys> Crypto for Host<T, C, L, M, K> {
    type Hasher = Soft;

    fn device_key(&mut self) -> Result<DeviceKey> {
        self.or_fault(self.faults.device_key)?;
        self.keys.device_key(&mut self.flash)
    }

    fn make_device_key(&mut self) -> Result<()> {
        self.keys.make_device_key(&mut self.flash)
    }

    fn public_key(&mut self, point: &mut [u8; 65]) -> Result<()> {
        self.keys.public_key(&mut self.flash, point)
    }

    fn sign(&mut self, hash: &Sha256, signature: &mut [u8; 64]) -> Result<()> {
        self.keys.sign(&mut self.flash, hash, signature)
    }

    fn verification_key(&mut self, index: usize) -> Option<KeyKind> {
        self.keys.verification_key(index)
    }

    fn verify(&mut self, index: usize, hash: &Sha256, signature: &[u8]) -> Result<bool> {
        self.keys.verify(index, hash, signature)
    }

    fn random(&mut self) -> u32 {
        self.keys.random()
    }
}

impl<T, C: Clock, L, M, K> Clock for Host<T, C, L, M, K> {
    fn now_ms(&mut self) -> u64 {
        self.clock.now_ms()
    }

    fn unix_ms(&mut self) -> Option<u64> {
        self.clock.unix_ms()
    }
}

impl<T, C: Clock, L: Sink, M, K> Log for Host<T, C, L, M, K> {
    fn log(&mut self, event: Event, a: i64, b: i64, text: &str) {
        let now = self.clock.now_ms();
        self.sink.event(now, event, a, b, text);
    }
}

impl<T, C: Clock, L: Sink, M, K> System for Host<T, C, L, M, K> {
    fn identity(&self, pair: &mut dyn FnMut(&str, &str)) {
        self.identity.iter().for_each(|(key, value)| pair(key, value));
    }

    fn reset_cause(&mut self) -> ResetCause {
        std::mem::replace(&mut self.reset_cause, ResetCause::Unknown)
    }

    fn reboot(&mut self) {
        self.restart = true;
    }
}

impl<T, C: Clock, L: Sink, M, K> Application for Host<T, C, L, M, K> {
    fn approve(&mut self, stage: Stage) -> Verdict {
        self.app.approve(stage)
    }

    fn self_test(&mut self) -> Result<Progress> {
        self.app.self_test()
    }

    fn inventory(&self, attribute: &mut dyn FnMut(&str, &str)) {
        self.app.inventory(attribute);
    }

    fn notice(&mut self, notice: Notice) {
        self.app.notice(notice);
    }
}

impl<T, C: Clock, L: Sink, M: Modules, K> Modules for Host<T, C, L, M, K> {
    fn find(&mut self, payload_type: &str) -> Option<ModuleId> {
        self.modules.find(payload_type)
    }

    fn needs_reboot(&mut self, module: ModuleId) -> bool {
        self.modules.needs_reboot(module)
    }

    fn supports_rollback(&mut self, module: ModuleId) -> bool {
        self.modules.supports_rollback(module)
    }

    fn download(&mut self, module: ModuleId) -> Result<()> {
        self.module_step(|modules| modules.download(module))
    }

    fn meta_data(&mut self, module: ModuleId, piece: &[u8]) -> Result<()> {
        self.module_step(|modules| modules.meta_data(module, piece))
    }

    fn begin(&mut self, module: ModuleId, file: u8, name: &str, size: u32) -> Result<()> {
        self.module_step(|modules| modules.begin(module, file, name, size))
    }

    fn write(&mut self, module: ModuleId, file: u8, offset: u32, data: &[u8]) -> Result<usize> {
        self.module_step(|modules| modules.write(module, file, offset, data))
    }

    fn end(&mut self, module: ModuleId, file: u8) -> Result<()> {
        self.module_step(|modules| modules.end(module, file))
    }

    fn run(&mut self, module: ModuleId, state: ModuleState) -> Result<Progress> {
        self.module_step(|modules| modules.run(module, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::log::Memory;
    use crate::modules::Folder;
    use crate::transport::{Sockets, Trust};
    use crate::{Area, Cut, Layout};

    fn host() -> Host<Sockets, ManualClock, Memory, Folder> {
        let trust = Trust::from_pem_files([]).unwrap();
        let sockets = Sockets::new(trust.clone(), trust, std::time::Duration::from_secs(1));
        let keys = Keys::new(crate::keys::Random::seeded(1), Vec::new());
        let modules = Folder::new(std::path::Path::new("/nonexistent"), Vec::new());
        Host::new(
            Flash::new(Layout::default()),
            keys,
            sockets,
            ManualClock::default(),
            Memory::default(),
            modules,
        )
    }

    fn is_platform(_: &impl mender_port::Platform) {}

    #[test]
    fn a_device_without_power_does_nothing_at_all() {
        let mut host = host();
        is_platform(&host);
        host.flash.power.plan(Some(Cut { moment: Moment::Any, number: 1, tear: Tear::Nothing }));
        assert!(Store::write(&mut host, RecordId::A, b"x").is_err());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(host.open(Channel::Api, "127.0.0.1", port, false), Err(Errno::EIO));
        assert!(host.confirm().is_err() && host.is_confirmed().is_err() && host.running_hash().is_err());
        assert!(host.device_key().is_err());
        let flash = host.into_flash();
        assert!(flash.view(Area::RecordA).iter().all(|byte| *byte == 0xff));
    }

    #[test]
    fn a_fault_stands_in_for_the_work() {
        let mut host = host();
        host.faults.open = Some(Errno(-113));
        assert_eq!(host.open(Channel::Api, "127.0.0.1", 1, false), Err(Errno(-113)));
        host.faults.record_read = Some(Errno::EIO);
        assert_eq!(Store::read(&mut host, RecordId::A, &mut [0; 8]), Err(Errno::EIO));
        assert_eq!(host.given, 2);
        host.faults = Faults::default();
        host.faults.one_record_read = Some(Unreadable { id: RecordId::B, spared: 1, errno: Errno::EIO });
        assert_eq!(Store::read(&mut host, RecordId::B, &mut [0; 8]), Ok(None));
        for _ in 0..2 {
            assert_eq!(Store::read(&mut host, RecordId::A, &mut [0; 8]), Ok(None));
            assert_eq!(Store::read(&mut host, RecordId::B, &mut [0; 8]), Err(Errno::EIO));
        }
        assert_eq!(host.given, 4);
        host.faults = Faults::default();
        assert_eq!(Store::read(&mut host, RecordId::A, &mut [0; 8]), Ok(None));
    }
}
