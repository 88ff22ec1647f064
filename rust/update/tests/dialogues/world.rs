// SPDX-License-Identifier: Apache-2.0
//! A world around the device that knows the truth: which software runs, what the server was told. It lets every action end in every way,
//! and objects to whatever must not happen.

use crate::device::{Device, ID, NEW, NEW_INCONSISTENT, OLD, Payload};
use mender_base::words::{ModuleState, Progress, Verdict};
use mender_base::{Error, Status};
use mender_update::{Action, Event, Kind, Phase, Report};

/// How an action ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Well,
    Fails,
    /// It says it failed, and was done all the same: a lost reply, a port that errs late.
    FailsButDone,
    Pends,
    /// The server aborts the deployment.
    Aborted,
    /// The server finds that the device contradicts itself, and fails the deployment.
    Conflict,
    Defers,
    Refuses,
    /// The wait takes longer than the commit deadline.
    Late,
    CutBefore,
    CutAfter,
}

use Outcome::{
    Aborted, Conflict, CutAfter, CutBefore, Defers, Fails, FailsButDone, Late, Pends, Refuses, Well,
};

/// All ways for an action to end, the good one first.
pub(crate) const fn outcomes(action: Action) -> &'static [Outcome] {
    match action {
        Action::Check => &[Well, Fails, Conflict, CutBefore],
        Action::SendInventory => &[Well],
        Action::Save | Action::Arm | Action::Disarm => &[Well, Fails, FailsButDone, CutBefore, CutAfter],
        Action::Report(_) | Action::Probe => &[Well, Fails, FailsButDone, Aborted, CutBefore, CutAfter],
        Action::Download => &[Well, Fails, Aborted, CutBefore],
        Action::Ask(_) => &[Well, Defers, Refuses, CutBefore],
        Action::Run(_) => &[Well, Fails, FailsButDone, Pends, CutBefore, CutAfter],
        Action::SelfTest => &[Well, Fails, Pends, CutBefore],
        Action::UploadLog => &[Well, CutBefore],
        Action::Reboot => &[Well, Fails],
        Action::Wait => &[Well, Late, CutBefore],
    }
}

/// What a module's software is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Software {
    Old,
    New,
    Mixed,
}

pub(crate) struct World {
    pub(crate) d: Device,
    /// The server still wants the deployment.
    active: bool,
    aborted: bool,
    /// The final statuses it has stored, in order.
    pub(crate) finals: Vec<Status>,
    software: Software,
    committed: bool,
    /// A record was lost, or written against the store's word.
    store_failed: bool,
    pub(crate) cuts: u32,
    pub(crate) restarts: u32,
    trace: Vec<(Action, Phase, Outcome)>,
}

impl World {
    pub(crate) fn new(payload: Payload) -> Self {
        Self {
            d: Device::new(payload),
            active: true,
            aborted: false,
            finals: Vec::new(),
            software: Software::Old,
            committed: false,
            store_failed: false,
            cuts: 0,
            restarts: 0,
            trace: Vec::new(),
        }
    }

    pub(crate) fn name(&self) -> String {
        self.d.on_flash().provides.artifact_name().to_owned()
    }

    pub(crate) fn steps(&self) -> usize {
        self.trace.len()
    }

    #[track_caller]
    fn must(&self, holds: bool, what: &str) {
        assert!(holds, "{what}\n{:#?}\n{:?}, record {:?}", self.trace, self.d.boot, self.d.on_flash().phase);
    }

    /// The deployment is over for both sides, on flash too.
    pub(crate) fn is_over(&mut self) -> bool {
        let idle = self.d.machine.is_idle() && matches!(self.d.action, Action::Wait);
        if !idle || self.active {
            return false;
        }
        if self.d.on_flash().phase == Phase::Idle {
            return true;
        }
        // The last record was lost: what is on flash must lead to a true end, too.
        self.must(self.store_failed, "a record was forgotten");
        self.cut();
        false
    }

    /// The action ends in that way, and the device is given its next.
    pub(crate) fn step(&mut self, outcome: Outcome) {
        self.allowed();
        let (action, phase) = (self.d.action, self.d.machine.checkpoint.phase);
        self.trace.push((action, phase, outcome));
        if outcome == CutBefore {
            return self.cut();
        }
        match action {
            Action::Wait => {
                self.d.now_ms = self.d.machine.wake_at_ms() + if outcome == Late { 1_800_000 } else { 0 };
                self.d.answer(Event::Woke);
            }
            Action::Check => self.check(outcome),
            Action::Report(status) => self.report(Some(status), outcome),
            Action::Probe => self.report(None, outcome),
            Action::Save => self.save(outcome),
            Action::Run(state) => self.run(state, outcome),
            Action::Reboot if outcome == Well => {
                self.restarts += 1;
                self.d.power_cut();
            }
            Action::Download if outcome == Aborted => {
                (self.active, self.aborted) = (false, true);
                self.d.download_fails(Error::Aborted);
            }
            Action::Download if outcome == Fails => {
                self.d.download_fails(Error::FileHash);
            }
            Action::Ask(_) => {
                self.d.answer(Event::Answered(match outcome {
                    Defers => Verdict::Defer,
                    Refuses => Verdict::Refuse,
                    _ => Verdict::Approve,
                }));
            }
            Action::Arm | Action::Disarm => {
                if outcome != Fails {
                    self.d.boot.armed = action == Action::Arm;
                }
                self.ran(outcome);
            }
            Action::SelfTest => self.ran(outcome),
            Action::Reboot => {
                self.d.answer(Event::RebootReturned);
            }
            Action::SendInventory | Action::Download | Action::UploadLog => go_well(&mut self.d, action),
        }
        self.true_so_far();
    }

    fn cut(&mut self) {
        self.cuts += 1;
        self.d.power_cut();
    }

    fn ran(&mut self, outcome: Outcome) {
        let result = match outcome {
            Fails | FailsButDone => Err(Error::ModuleFailed),
            Pends => Ok(Progress::Pending),
            CutAfter => return self.cut(),
            _ => Ok(Progress::Done),
        };
        self.d.answer(Event::Ran(result));
    }

    fn check(&mut self, outcome: Outcome) {
        let event = match outcome {
            Fails => Event::CheckFailed { accepted: true, retry_after_ms: None },
            Conflict if self.active => {
                self.active = false;
                Event::Conflict
            }
            _ if self.active => Event::Offered { id: ID, artifact_name: NEW, usable: Ok(()) },
            _ => Event::NothingOffered,
        };
        self.d.answer(event);
    }

    fn report(&mut self, status: Option<Status>, outcome: Outcome) {
        if outcome == Aborted && self.finals.is_empty() {
            (self.active, self.aborted) = (false, true);
        }
        let last = status.filter(|s| s.is_final() && outcome != Fails && !self.aborted);
        if last.is_some() {
            self.finals.extend(last);
            self.active = false;
        }
        let report = match outcome {
            Fails | FailsButDone => Report::Failed { accepted: true, retry_after_ms: None },
            CutAfter => return self.cut(),
            _ if self.aborted => Report::Aborted,
            _ => Report::Accepted,
        };
        self.d.answer(Event::Reported(report));
    }

    fn save(&mut self, outcome: Outcome) {
        self.store_failed |= matches!(outcome, Fails | FailsButDone);
        if outcome != Fails {
            self.d.store();
        }
        match outcome {
            CutAfter => self.cut(),
            Fails | FailsButDone => {
                self.d.answer(Event::Saved(Err(Error::StoreWrite)));
            }
            _ => {
                self.d.answer(Event::Saved(Ok(())));
            }
        }
    }

    fn run(&mut self, state: ModuleState, outcome: Outcome) {
        let whole = matches!(outcome, Well | FailsButDone);
        let image = self.d.payload.kind == Kind::Image;
        match state {
            _ if outcome == Pends => {}
            ModuleState::ArtifactInstall if whole => self.software = Software::New,
            ModuleState::ArtifactRollback if whole => {
                (self.software, self.committed) = (Software::Old, false);
            }
            ModuleState::ArtifactInstall | ModuleState::ArtifactRollback => self.software = Software::Mixed,
            ModuleState::ArtifactCommit if outcome != Fails => {
                self.committed = true;
                self.d.boot.confirmed |= image;
            }
            _ => {}
        }
        if outcome == Well {
            self.d.ran(state);
        } else {
            self.ran(outcome);
        }
    }

    // ---- what must never be

    /// Save, then act.
    fn allowed(&self) {
        use ModuleState::{
            ArtifactCommit, ArtifactInstall, ArtifactReboot, ArtifactRollback, ArtifactRollbackReboot,
        };
        let phase = self.d.on_flash().phase;
        let lost = self.store_failed;
        let boot = self.d.boot;
        let (ok, what) = match self.d.action {
            Action::Arm => (phase == Phase::Install, "armed without a record"),
            Action::Reboot => (
                lost || matches!(phase, Phase::VerifyReboot | Phase::Rollback | Phase::RollbackReboot),
                "restarted without a record",
            ),
            Action::Run(ArtifactCommit) => (phase == Phase::Commit, "committed without a record"),
            Action::Run(ArtifactInstall) => (phase == Phase::Install, "installed without a record"),
            Action::Run(ArtifactReboot) => {
                (phase == Phase::VerifyReboot, "prepared a restart without a record")
            }
            Action::Run(ArtifactRollback) => {
                (lost || matches!(phase, Phase::Install | Phase::Rollback), "rolled back without a record")
            }
            Action::Run(ArtifactRollbackReboot) => {
                (phase == Phase::RollbackReboot, "prepared a restart back without a record")
            }
            Action::Report(Status::Success) => {
                (lost || phase == Phase::SuccessPending, "success without a record")
            }
            Action::Report(Status::Failure) => {
                (lost || phase == Phase::FailurePending, "failure without a record")
            }
            Action::Download => (!boot.new || boot.confirmed, "the image to fall back to is overwritten"),
            _ => (true, ""),
        };
        self.must(ok, what);
        self.must(self.trace.len() < 2_000, "it never ends");
    }

    fn true_so_far(&self) {
        let c = self.d.on_flash();
        if c.provides.artifact_name() == NEW {
            let proved = match self.d.payload.kind {
                Kind::Image => self.d.boot.new && self.d.boot.confirmed,
                Kind::Module => self.committed && self.software == Software::New,
                Kind::Nothing => true,
            };
            self.must(proved, "the new name before the new software was committed");
            let ended = matches!(c.phase, Phase::SuccessPending | Phase::Idle);
            self.must(ended, "the new name before the end");
        }
    }

    /// Both sides are done: the server knows one final status, and it is the truth.
    pub(crate) fn true_at_the_end(&mut self) {
        let name = self.name();
        let last = self.finals.last().copied();
        self.must(
            last.is_some() || self.aborted || self.trace.iter().any(|t| t.2 == Conflict),
            "the final status was lost",
        );
        self.must(
            last.is_none_or(|s| (s == Status::Success) == (name == NEW)),
            "the last final status is not true",
        );
        let same = self.finals.windows(2).all(|w| w[0] == w[1]);
        self.must(same || self.store_failed, "two different final statuses");
        let excuses = self.trace.iter().filter(|t| t.2 != Well).count();
        self.must(self.finals.len() <= 1 + excuses, "the final status was reported twice for no reason");
        // What was armed or is on trial still, is gone after two restarts.
        let (was_new, overwrite_only) = (self.d.boot.new, self.d.boot.overwrite_only);
        self.cut();
        self.cut();
        let boot = self.d.boot;
        match (self.d.payload.kind, name.as_str()) {
            (Kind::Image, NEW) => self.must(boot.new && boot.confirmed, "new by name, not by image"),
            (Kind::Image, OLD) => self.must(!boot.new, "old by name, not by image"),
            (Kind::Image, _) => self.must(was_new || overwrite_only, "inconsistent for no reason"),
            (Kind::Module, NEW) => self.must(self.software == Software::New, "new by name only"),
            (Kind::Module, OLD) => self.must(self.software == Software::Old, "old by name only"),
            _ => self.must(name == NEW || name == OLD || name == NEW_INCONSISTENT, "a strange name"),
        }
        self.must(self.d.machine.is_between(), "a deployment that was over comes back");
    }
}

/// The action ends as one would wish.
pub(crate) fn go_well(d: &mut Device, action: Action) {
    let event = match action {
        Action::Run(state) => {
            d.ran(state);
            return;
        }
        Action::Download => {
            d.downloaded();
            return;
        }
        Action::Reboot => {
            d.power_cut();
            return;
        }
        Action::Save => {
            d.store();
            Event::Saved(Ok(()))
        }
        Action::Wait => {
            d.now_ms = d.machine.wake_at_ms();
            Event::Woke
        }
        Action::Arm | Action::Disarm => {
            d.boot.armed = action == Action::Arm;
            Event::Ran(Ok(Progress::Done))
        }
        Action::Check => Event::NothingOffered,
        Action::SendInventory => Event::InventorySent,
        Action::Report(_) | Action::Probe => Event::Reported(Report::Accepted),
        Action::Ask(_) => Event::Answered(Verdict::Approve),
        Action::SelfTest => Event::Ran(Ok(Progress::Done)),
        Action::UploadLog => Event::LogUploaded,
    };
    d.answer(event);
}
