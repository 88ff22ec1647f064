// SPDX-License-Identifier: Apache-2.0
//! Ports that may answer anything.

use crate::any::{Any, any, fill, one_of, see};
use mender_base::Event;
use mender_base::sha256::{Sha256, Soft};
use mender_port::{
    Application, Boot, Channel, Clock, Crypto, DeviceKey, Errno, KeyKind, Log, ModuleId, ModuleState,
    Modules, Notice, Progress, Received, RecordId, ResetCause, Result, Slot, Stage, Store, SwapState, System,
    Transport, Verdict,
};

/// A platform of which nothing is known but the traits.
pub struct Unknown;

impl Any for Errno {
    fn any() -> Self {
        Errno(any())
    }
}

impl Any for Progress {
    fn any() -> Self {
        one_of(&[Progress::Done, Progress::Pending])
    }
}

impl Any for ModuleId {
    fn any() -> Self {
        ModuleId(any())
    }
}

impl Transport for Unknown {
    const SESSIONS: usize = 3;

    fn open(&mut self, channel: Channel, host: &str, port: u16, tls: bool) -> Result<()> {
        see((channel, host, port, tls));
        any()
    }

    fn send(&mut self, channel: Channel, data: &[u8]) -> Result<usize> {
        see((channel, data));
        any()
    }

    fn receive(&mut self, channel: Channel, buf: &mut [u8]) -> Result<Received> {
        see(channel);
        fill(buf);
        match any() {
            0u8 => Ok(Received::Data(any())),
            1 => Ok(Received::Nothing),
            2 => Ok(Received::Closed),
            _ => Err(any()),
        }
    }

    fn close(&mut self, channel: Channel) {
        see(channel);
    }
}

impl Slot for Unknown {
    fn begin(&mut self, size: u32) -> Result<()> {
        see(size);
        any()
    }

    fn write(&mut self, data: &[u8]) -> Result<usize> {
        see(data);
        #[cfg(feature = "one_index")]
        see(data[any::<usize>()]);
        any()
    }

    fn finish(&mut self) -> Result<()> {
        any()
    }

    fn read(&mut self, offset: u32, buf: &mut [u8]) -> Result<()> {
        see(offset);
        fill(buf);
        any()
    }

    fn invalidate(&mut self) -> Result<bool> {
        any()
    }
}

impl Boot for Unknown {
    fn running_hash(&mut self) -> Result<Sha256> {
        any()
    }

    fn is_confirmed(&mut self) -> Result<bool> {
        any()
    }

    fn confirm(&mut self) -> Result<()> {
        any()
    }

    fn request_swap(&mut self) -> Result<()> {
        any()
    }

    fn can_revert(&mut self) -> bool {
        any()
    }

    fn swap_state(&mut self) -> SwapState {
        one_of(&[SwapState::Whole, SwapState::Refused, SwapState::Unknown])
    }
}

impl Store for Unknown {
    fn read(&mut self, id: RecordId, buf: &mut [u8]) -> Result<Option<usize>> {
        see(id);
        fill(buf);
        any()
    }

    fn write(&mut self, id: RecordId, bytes: &[u8]) -> Result<()> {
        see((id, bytes));
        any()
    }
}

impl Crypto for Unknown {
    type Hasher = Soft;

    fn device_key(&mut self) -> Result<DeviceKey> {
        if any() { Ok(one_of(&[DeviceKey::Present, DeviceKey::Absent])) } else { Err(any()) }
    }

    fn make_device_key(&mut self) -> Result<()> {
        any()
    }

    fn public_key(&mut self, point: &mut [u8; 65]) -> Result<()> {
        fill(point);
        any()
    }

    fn sign(&mut self, hash: &Sha256, signature: &mut [u8; 64]) -> Result<()> {
        see(hash);
        fill(signature);
        any()
    }

    fn verification_key(&mut self, index: usize) -> Option<KeyKind> {
        see(index);
        any::<bool>().then(|| one_of(&[KeyKind::P256, KeyKind::Rsa]))
    }

    fn verify(&mut self, index: usize, hash: &Sha256, signature: &[u8]) -> Result<bool> {
        see((index, hash, signature));
        any()
    }

    fn random(&mut self) -> u32 {
        any()
    }
}

impl Clock for Unknown {
    fn now_ms(&mut self) -> u64 {
        any()
    }

    fn unix_ms(&mut self) -> Option<u64> {
        any()
    }
}

impl Log for Unknown {
    fn log(&mut self, event: Event, a: i64, b: i64, text: &str) {
        see((event, a, b, text));
    }
}

impl System for Unknown {
    fn identity(&self, pair: &mut dyn FnMut(&str, &str)) {
        while any() {
            pair(any(), any());
        }
    }

    fn reset_cause(&mut self) -> ResetCause {
        one_of(&[ResetCause::Unknown, ResetCause::Power, ResetCause::Watchdog])
    }

    fn reboot(&mut self) {}
}

impl Application for Unknown {
    fn approve(&mut self, stage: Stage) -> Verdict {
        see(stage);
        one_of(&[Verdict::Approve, Verdict::Defer, Verdict::Refuse])
    }

    fn self_test(&mut self) -> Result<Progress> {
        any()
    }

    fn inventory(&self, attribute: &mut dyn FnMut(&str, &str)) {
        while any() {
            attribute(any(), any());
        }
    }

    fn notice(&mut self, notice: Notice) {
        see(notice);
    }
}

impl Modules for Unknown {
    fn find(&mut self, payload_type: &str) -> Option<ModuleId> {
        see(payload_type);
        any()
    }

    fn needs_reboot(&mut self, module: ModuleId) -> bool {
        see(module);
        any()
    }

    fn supports_rollback(&mut self, module: ModuleId) -> bool {
        see(module);
        any()
    }

    fn meta_data(&mut self, module: ModuleId, piece: &[u8]) -> Result<()> {
        see((module, piece));
        any()
    }

    fn begin(&mut self, module: ModuleId, file: u8, name: &str, size: u32) -> Result<()> {
        see((module, file, name, size));
        any()
    }

    fn write(&mut self, module: ModuleId, file: u8, offset: u32, data: &[u8]) -> Result<usize> {
        see((module, file, offset, data));
        any()
    }

    fn end(&mut self, module: ModuleId, file: u8) -> Result<()> {
        see((module, file));
        any()
    }

    fn run(&mut self, module: ModuleId, state: ModuleState) -> Result<Progress> {
        see((module, state));
        any()
    }
}
