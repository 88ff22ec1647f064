// SPDX-License-Identifier: Apache-2.0
//! A device to talk to: the machine, its record on flash as bytes, and what MCUboot would make of its slots.

use mender_base::limits::IO_BUFFER_MIN;
use mender_base::words::{ModuleState, Progress, Stage as Ask, Verdict};
use mender_base::{Error, Status};
use mender_records::{Record, Writer};
use mender_update::{Action, Checkpoint, Event, Kind, Machine, Phase, Report, Running, Timing};

pub(crate) const ID: &str = "0f6a2c4e-0000-4000-8000-000000000001";
pub(crate) const OTHER_ID: &str = "0f6a2c4e-0000-4000-8000-000000000002";
pub(crate) const OLD: &str = "release-1";
pub(crate) const NEW: &str = "release-2";
pub(crate) const NEW_INCONSISTENT: &str = "release-2_INCONSISTENT";
const NEW_HASH: [u8; 32] = [2; 32];
/// The checksum of the payload file with that image.
const NEW_FILE: [u8; 32] = [3; 32];
const OLD_HASH: [u8; 32] = [1; 32];

/// What the artifact holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) kind: Kind,
    pub(crate) needs_reboot: bool,
    pub(crate) supports_rollback: bool,
}

pub(crate) const EMPTY: Payload = payload(Kind::Nothing, false, false);
pub(crate) const IMAGE: Payload = payload(Kind::Image, true, true);
pub(crate) const MODULE: Payload = payload(Kind::Module, false, true);
pub(crate) const MODULE_ONE_WAY: Payload = payload(Kind::Module, false, false);
pub(crate) const MODULE_REBOOT: Payload = payload(Kind::Module, true, true);
pub(crate) const MODULE_REBOOT_ONE_WAY: Payload = payload(Kind::Module, true, false);

const fn payload(kind: Kind, needs_reboot: bool, supports_rollback: bool) -> Payload {
    Payload { kind, needs_reboot, supports_rollback }
}

/// MCUboot and the two slots.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mcuboot {
    /// The new image runs.
    pub(crate) new: bool,
    /// The new image runs, and stays.
    pub(crate) confirmed: bool,
    /// A test swap is asked for.
    pub(crate) armed: bool,
    pub(crate) overwrite_only: bool,
    /// The new image is not accepted.
    pub(crate) refuses: bool,
    pub(crate) refused: bool,
}

impl Mcuboot {
    fn reset(&mut self) {
        if std::mem::take(&mut self.armed) {
            self.refused = self.refuses;
            self.new |= !self.refuses;
            self.confirmed = self.overwrite_only && self.new;
        } else if self.new && !self.confirmed {
            self.new = false;
        }
    }

    fn running(&self, hash: [u8; 32]) -> Running {
        Running {
            new: hash == if self.new { NEW_HASH } else { OLD_HASH },
            confirmed: self.confirmed || !self.new,
            can_revert: !self.overwrite_only,
            refused: self.refused,
        }
    }
}

pub(crate) struct Device {
    pub(crate) machine: Machine,
    /// Given out and not yet answered.
    pub(crate) action: Action,
    pub(crate) flash: Option<Vec<u8>>,
    /// What a start would find there.
    pub(crate) record: Checkpoint,
    pub(crate) boot: Mcuboot,
    pub(crate) payload: Payload,
    pub(crate) timing: Timing,
    pub(crate) now_ms: u64,
    /// Records written.
    pub(crate) saves: u32,
    generation: u32,
}

impl Device {
    /// A device on its old software, about to ask for a deployment.
    pub(crate) fn new(payload: Payload) -> Self {
        let timing = Timing::default();
        let mut d = Self {
            machine: Machine::new(Checkpoint::factory(OLD), timing),
            action: Action::Save,
            flash: None,
            record: Checkpoint::factory(OLD),
            boot: Mcuboot { overwrite_only: !payload.supports_rollback, ..Mcuboot::default() },
            payload,
            timing,
            now_ms: 1_000,
            saves: 0,
            generation: 0,
        };
        d.power_cut();
        d
    }

    /// A device whose flash says `phase` for a deployment of `payload`, started with MCUboot as given.
    pub(crate) fn found(phase: Phase, payload: Payload, boot: Mcuboot) -> Self {
        let mut d = Self::new(payload);
        let c = &mut d.machine.checkpoint;
        if phase != Phase::Idle {
            c.begin(ID, NEW).unwrap();
        }
        if !matches!(phase, Phase::Idle | Phase::Download) {
            d.fill();
            d.machine.checkpoint.needs_reboot = payload.needs_reboot;
        }
        let c = &mut d.machine.checkpoint;
        c.phase = phase;
        match phase {
            Phase::SuccessPending => c.provides.commit(),
            Phase::Rollback | Phase::RollbackReboot | Phase::FailurePending => {
                c.reason = Some(Error::SelfTest);
            }
            _ => {}
        }
        d.store();
        d.saves = 0;
        d.restarted(boot)
    }

    /// The same flash, started with MCUboot as given.
    pub(crate) fn restarted(mut self, boot: Mcuboot) -> Self {
        self.boot = boot;
        self.start();
        self
    }

    /// What the artifact's header and the image tell the checkpoint; `false` when the file is refused for what it did before.
    fn fill(&mut self) -> bool {
        let (p, c) = (self.payload, &mut self.machine.checkpoint);
        c.kind = p.kind;
        c.supports_rollback = p.supports_rollback;
        if p.kind == Kind::Image {
            (c.image_hash, c.image_size) = (NEW_HASH, 4096);
        }
        p.kind != Kind::Image || c.may_try(&NEW_FILE)
    }

    pub(crate) fn store(&mut self) {
        let mut buf = [0; IO_BUFFER_MIN];
        self.generation += 1;
        let mut w = Writer::new(&mut buf, self.generation);
        self.machine.checkpoint.encode(&mut w);
        self.flash = Some(w.finish().unwrap().to_vec());
        self.saves += 1;
        self.load();
    }

    fn load(&mut self) {
        let read = self.flash.as_deref().and_then(|b| Checkpoint::decode(&Record::parse(b).ok()?));
        self.record = read.unwrap_or_else(|| Checkpoint::factory(OLD));
    }

    /// What a start would find on flash.
    pub(crate) fn on_flash(&self) -> &Checkpoint {
        &self.record
    }

    /// Everything in RAM is gone; MCUboot does its part; the machine starts from the bytes on flash.
    pub(crate) fn power_cut(&mut self) -> &mut Self {
        self.boot.reset();
        self.start()
    }

    fn start(&mut self) -> &mut Self {
        self.load();
        self.machine = Machine::new(self.record.clone(), self.timing);
        let running = self.boot.running(self.machine.checkpoint.image_hash);
        self.now_ms = 1_000;
        self.action = self.machine.boot(running, self.now_ms, 0);
        self
    }

    /// Answers the action.
    pub(crate) fn answer(&mut self, event: Event<'_>) -> &mut Self {
        self.action = self.machine.next(event, self.now_ms, 0);
        self
    }

    #[track_caller]
    fn expect(&mut self, action: Action) -> &mut Self {
        let phase = self.machine.checkpoint.phase;
        assert_eq!(self.action, action, "the device is in {phase:?}");
        self
    }

    // ---- between deployments

    #[track_caller]
    pub(crate) fn offered(&mut self) -> &mut Self {
        self.offered_as(ID, Ok(()))
    }

    #[track_caller]
    pub(crate) fn offered_as(&mut self, id: &str, usable: Result<(), Error>) -> &mut Self {
        self.expect(Action::Check).answer(Event::Offered { id, artifact_name: NEW, usable })
    }

    #[track_caller]
    pub(crate) fn nothing_offered(&mut self) -> &mut Self {
        self.expect(Action::Check).answer(Event::NothingOffered)
    }

    #[track_caller]
    pub(crate) fn conflicts(&mut self) -> &mut Self {
        self.expect(Action::Check).answer(Event::Conflict)
    }

    #[track_caller]
    pub(crate) fn check_fails(&mut self, retry_after_ms: Option<u32>) -> &mut Self {
        self.expect(Action::Check).answer(Event::CheckFailed { accepted: true, retry_after_ms })
    }

    #[track_caller]
    pub(crate) fn sends_inventory(&mut self) -> &mut Self {
        self.expect(Action::SendInventory).answer(Event::InventorySent)
    }

    #[track_caller]
    pub(crate) fn inventory_fails(&mut self, retry_after_ms: Option<u32>) -> &mut Self {
        self.expect(Action::SendInventory).answer(Event::InventoryFailed { retry_after_ms })
    }

    #[track_caller]
    pub(crate) fn waits(&mut self, ms: u64) -> &mut Self {
        self.expect(Action::Wait);
        assert_eq!(self.machine.wake_at_ms(), self.now_ms + ms);
        self.now_ms += ms;
        self.answer(Event::Woke)
    }

    #[track_caller]
    pub(crate) fn idles(&mut self) -> &mut Self {
        assert!(self.machine.is_idle() && self.machine.is_between(), "{:?}", self.action);
        assert!(matches!(self.action, Action::Wait), "{:?}", self.action);
        self
    }

    // ---- within a deployment

    #[track_caller]
    pub(crate) fn saves(&mut self, phase: Phase) -> &mut Self {
        self.expect(Action::Save);
        assert_eq!(self.machine.checkpoint.phase, phase);
        self.store();
        self.answer(Event::Saved(Ok(())))
    }

    #[track_caller]
    pub(crate) fn save_fails(&mut self, phase: Phase) -> &mut Self {
        self.expect(Action::Save);
        assert_eq!(self.machine.checkpoint.phase, phase);
        self.answer(Event::Saved(Err(Error::StoreWrite)))
    }

    #[track_caller]
    pub(crate) fn reports(&mut self, status: Status) -> &mut Self {
        self.expect(Action::Report(status)).answer(Event::Reported(Report::Accepted))
    }

    #[track_caller]
    pub(crate) fn report_aborted(&mut self, status: Status) -> &mut Self {
        self.expect(Action::Report(status)).answer(Event::Reported(Report::Aborted))
    }

    #[track_caller]
    pub(crate) fn report_fails(&mut self, status: Status, retry_after_ms: Option<u32>) -> &mut Self {
        self.expect(Action::Report(status))
            .answer(Event::Reported(Report::Failed { accepted: true, retry_after_ms }))
    }

    #[track_caller]
    pub(crate) fn probes(&mut self) -> &mut Self {
        self.expect(Action::Probe).answer(Event::Reported(Report::Accepted))
    }

    #[track_caller]
    pub(crate) fn probe_aborted(&mut self) -> &mut Self {
        self.expect(Action::Probe).answer(Event::Reported(Report::Aborted))
    }

    #[track_caller]
    pub(crate) fn probe_fails(&mut self, retry_after_ms: Option<u32>) -> &mut Self {
        self.expect(Action::Probe).answer(Event::Reported(Report::Failed { accepted: true, retry_after_ms }))
    }

    #[track_caller]
    pub(crate) fn downloads(&mut self) -> &mut Self {
        self.expect(Action::Download);
        self.downloaded()
    }

    pub(crate) fn downloaded(&mut self) -> &mut Self {
        let done = if self.fill() { Event::Downloaded } else { Event::DownloadFailed(Error::RevertedBefore) };
        self.answer(done)
    }

    /// The file was begun; what came of it was bad.
    #[track_caller]
    pub(crate) fn download_fails(&mut self, reason: Error) -> &mut Self {
        self.expect(Action::Download);
        self.machine.checkpoint.kind = self.payload.kind;
        self.machine.checkpoint.supports_rollback = self.payload.supports_rollback;
        self.machine.checkpoint.may_try(&NEW_FILE);
        self.answer(Event::DownloadFailed(reason))
    }

    #[track_caller]
    pub(crate) fn asks(&mut self, stage: Ask) -> &mut Self {
        self.expect(Action::Ask(stage)).answer(Event::Answered(Verdict::Approve))
    }

    #[track_caller]
    pub(crate) fn defers(&mut self, stage: Ask) -> &mut Self {
        self.expect(Action::Ask(stage)).answer(Event::Answered(Verdict::Defer))
    }

    #[track_caller]
    pub(crate) fn refuses(&mut self, stage: Ask) -> &mut Self {
        self.expect(Action::Ask(stage)).answer(Event::Answered(Verdict::Refuse))
    }

    #[track_caller]
    pub(crate) fn runs(&mut self, state: ModuleState) -> &mut Self {
        self.expect(Action::Run(state)).ran(state)
    }

    pub(crate) fn ran(&mut self, state: ModuleState) -> &mut Self {
        if state == ModuleState::ArtifactInstall {
            return self.answer(Event::Installed { needs_reboot: self.payload.needs_reboot });
        }
        if state == ModuleState::ArtifactCommit && self.payload.kind == Kind::Image {
            self.boot.confirmed = true;
        }
        self.answer(Event::Ran(Ok(Progress::Done)))
    }

    #[track_caller]
    pub(crate) fn run_pends(&mut self, state: ModuleState) -> &mut Self {
        self.expect(Action::Run(state)).answer(Event::Ran(Ok(Progress::Pending)))
    }

    #[track_caller]
    pub(crate) fn run_fails(&mut self, state: ModuleState) -> &mut Self {
        self.expect(Action::Run(state)).answer(Event::Ran(Err(Error::ModuleFailed)))
    }

    #[track_caller]
    pub(crate) fn arms(&mut self) -> &mut Self {
        self.expect(Action::Arm);
        self.boot.armed = true;
        self.answer(Event::Ran(Ok(Progress::Done)))
    }

    #[track_caller]
    pub(crate) fn arm_fails(&mut self) -> &mut Self {
        self.expect(Action::Arm).answer(Event::Ran(Err(Error::RequestSwap)))
    }

    #[track_caller]
    pub(crate) fn disarms(&mut self) -> &mut Self {
        self.expect(Action::Disarm);
        self.boot.armed = false;
        self.answer(Event::Ran(Ok(Progress::Done)))
    }

    #[track_caller]
    pub(crate) fn disarm_fails(&mut self) -> &mut Self {
        self.expect(Action::Disarm).answer(Event::Ran(Err(Error::SlotInvalidate)))
    }

    #[track_caller]
    pub(crate) fn self_tests(&mut self) -> &mut Self {
        self.expect(Action::SelfTest).answer(Event::Ran(Ok(Progress::Done)))
    }

    #[track_caller]
    pub(crate) fn self_test_pends(&mut self) -> &mut Self {
        self.expect(Action::SelfTest).answer(Event::Ran(Ok(Progress::Pending)))
    }

    #[track_caller]
    pub(crate) fn self_test_fails(&mut self) -> &mut Self {
        self.expect(Action::SelfTest).answer(Event::Ran(Err(Error::SelfTest)))
    }

    #[track_caller]
    pub(crate) fn uploads_log(&mut self) -> &mut Self {
        self.expect(Action::UploadLog).answer(Event::LogUploaded)
    }

    #[track_caller]
    pub(crate) fn reboots(&mut self) -> &mut Self {
        self.expect(Action::Reboot).power_cut()
    }

    #[track_caller]
    pub(crate) fn expect_reboot(&mut self) -> &mut Self {
        self.expect(Action::Reboot)
    }

    #[track_caller]
    pub(crate) fn reboot_returns(&mut self) -> &mut Self {
        self.expect(Action::Reboot).answer(Event::RebootReturned)
    }

    // ---- asked for at the device

    /// What was being done is broken off.
    #[track_caller]
    pub(crate) fn aborts(&mut self) -> &mut Self {
        assert!(self.machine.can_abort());
        self.action = self.machine.abort(self.now_ms).expect("an abort");
        self
    }

    #[track_caller]
    pub(crate) fn cannot_abort(&mut self) -> &mut Self {
        let before = (self.machine.checkpoint.phase, self.machine.checkpoint.reason);
        assert!(!self.machine.can_abort());
        assert_eq!(self.machine.abort(self.now_ms), None);
        assert_eq!((self.machine.checkpoint.phase, self.machine.checkpoint.reason), before);
        self
    }

    // ---- stretches that many dialogues have in common

    /// From the offer until the artifact is downloaded.
    #[track_caller]
    pub(crate) fn takes(&mut self) -> &mut Self {
        self.offered().saves(Phase::Download).reports(Status::Downloading).downloads()
    }

    /// The same for a deployment of that id.
    #[track_caller]
    pub(crate) fn takes_as(&mut self, id: &str) -> &mut Self {
        self.offered_as(id, Ok(())).saves(Phase::Download).reports(Status::Downloading).downloads()
    }

    /// Until just before the payload is installed, or the swap is armed.
    #[track_caller]
    pub(crate) fn gets_ready(&mut self) -> &mut Self {
        self.takes().asks(Ask::Install).reports(Status::Installing);
        if self.payload.kind == Kind::Image {
            self.asks(Ask::Reboot).reports(Status::Rebooting);
        }
        self.saves(Phase::Install)
    }

    /// Until the new software runs on trial (with a restart), or waits for its commit (without).
    #[track_caller]
    pub(crate) fn installs(&mut self) -> &mut Self {
        self.gets_ready();
        if self.payload.kind == Kind::Image {
            self.arms().saves(Phase::VerifyReboot).reboots();
            if self.boot.overwrite_only {
                self.saves(Phase::VerifyReboot);
            }
            return self;
        }
        self.runs(ModuleState::ArtifactInstall);
        if self.payload.needs_reboot {
            self.asks(Ask::Reboot).reports(Status::Rebooting).saves(Phase::VerifyReboot);
            self.runs(ModuleState::ArtifactReboot).reboots().saves(Phase::VerifyReboot);
        }
        self
    }

    /// Until the commit is about to run.
    #[track_caller]
    pub(crate) fn proves(&mut self) -> &mut Self {
        self.installs();
        if self.payload.kind == Kind::Image {
            self.self_tests().probes();
        } else if self.payload.needs_reboot {
            self.runs(ModuleState::ArtifactVerifyReboot).probes();
        }
        self.asks(Ask::Commit).saves(Phase::Commit)
    }

    /// An image on trial, to a good end.
    #[track_caller]
    pub(crate) fn proves_from_trial(&mut self) -> &mut Self {
        self.self_tests().probes().asks(Ask::Commit).saves(Phase::Commit);
        self.runs(ModuleState::ArtifactCommit).succeeds()
    }

    /// The end of a deployment that went well, from the record on.
    #[track_caller]
    pub(crate) fn succeeds(&mut self) -> &mut Self {
        self.saves(Phase::SuccessPending).reports(Status::Success).cleans_up();
        assert_eq!(self.on_flash().provides.artifact_name(), NEW);
        self
    }

    /// The end of a deployment that failed, from the record on.
    #[track_caller]
    pub(crate) fn fails(&mut self, reason: Error, name: &str) -> &mut Self {
        assert_eq!(self.machine.checkpoint.reason, Some(reason));
        self.saves(Phase::FailurePending).reports(Status::Failure).uploads_log().cleans_up();
        assert_eq!(self.on_flash().provides.artifact_name(), name);
        self
    }

    /// The end of an aborted deployment: the server has its final status.
    #[track_caller]
    pub(crate) fn drops_it(&mut self) -> &mut Self {
        self.cleans_up();
        let c = self.on_flash();
        assert_eq!((c.provides.artifact_name(), c.failures), (OLD, 0));
        self
    }

    /// Dropped after a trial: it counts, for another server than the one that made the offer may have said so.
    #[track_caller]
    pub(crate) fn drops_it_after_its_trial(&mut self) -> &mut Self {
        self.cleans_up();
        let c = self.on_flash();
        assert_eq!((c.provides.artifact_name(), c.failures, c.reverted), (OLD, 1, 0));
        self
    }

    /// From the final status to idle.
    #[track_caller]
    pub(crate) fn cleans_up(&mut self) -> &mut Self {
        if self.machine.checkpoint.kind == Kind::Module {
            self.runs(ModuleState::Cleanup);
        }
        self.saves(Phase::Idle);
        if self.action == Action::Check {
            self.nothing_offered();
        }
        self.sends_inventory().idles()
    }
}
