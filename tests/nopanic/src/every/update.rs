// SPDX-License-Identifier: Apache-2.0
//! mender-records and mender-update.

use mender_base::words::{Progress, Verdict};
use mender_records::{Record, Writer};
use mender_update::{
    Action, Backoff, Checkpoint, Event, Kind, Machine, Phase, Provides, Report, Running, Timing, jittered,
};
use nopanic::any::{any, one_of, part, see};

pub(crate) fn records() {
    let mut memory = [0; 64];
    let mut writer = Writer::new(part(&mut memory), any());
    while any() {
        Writer::entry(&mut writer, any(), any());
    }
    see(Writer::finish(writer));
    if let Ok(record) = Record::parse(any()) {
        see((Record::generation(&record), Record::get(&record, any())));
    }
}

pub(crate) fn every() {
    let mut backoff = Backoff::new();
    while any() {
        see(Backoff::next_ms(&mut backoff, any(), any(), any()));
        see(Backoff::tries(backoff));
        if any() {
            Backoff::reset(&mut backoff);
        }
    }
    see(jittered(any(), any(), any()));
    provides();
    let Some(mut checkpoint) = checkpoint() else { return };
    checkpoints(&mut checkpoint);
    machine(Machine::new(checkpoint, timing()));
}

pub(crate) fn timing() -> Timing {
    if any() {
        return Timing::default();
    }
    Timing {
        poll_ms: any(),
        inventory_ms: any(),
        retry_ms: any(),
        retry_cap_ms: any(),
        probe_tries: any(),
        probe_ms: any(),
        commit_deadline_ms: any(),
        defer_ms: any(),
        first_check_ms: any(),
    }
}

fn provides() {
    let mut provides = if any() { Provides::new() } else { Provides::default() };
    while any() {
        match any() {
            0u8 => see(Provides::load(&mut provides, any(), any(), any())),
            1 => see(Provides::begin(&mut provides, any())),
            2 if any() => Provides::reset(&mut provides),
            2 if any() => Provides::rename(&mut provides, any()),
            2 => Provides::forget_incoming(&mut provides),
            3 => see(Provides::push(&mut provides, any(), any())),
            4 => Provides::clear(&mut provides, any()),
            5 => Provides::clear_without_globs(&mut provides),
            _ => Provides::commit(&mut provides),
        }
        see((Provides::stored_bytes(&provides), Provides::incoming_bytes(&provides)));
        see((Provides::cleared(&provides), Provides::commit_fits(&provides)));
        Provides::stored(&provides).for_each(see);
        Provides::incoming(&provides).for_each(see);
        see((Provides::get(&provides, any()), Provides::artifact_name(&provides)));
        see(Provides::incoming_name(&provides));
    }
}

fn checkpoint() -> Option<Checkpoint> {
    match Record::parse(any()) {
        Ok(record) if any() => Checkpoint::decode(&record),
        Ok(record) => {
            let mut checkpoint = Checkpoint::blank();
            if !Checkpoint::load(&mut checkpoint, &record) {
                Checkpoint::reset(&mut checkpoint, any());
            }
            Some(checkpoint)
        }
        Err(_) if any() => Some(Checkpoint::factory(any())),
        Err(_) => {
            let mut checkpoint = Checkpoint::blank();
            Checkpoint::name(&mut checkpoint, any());
            Some(checkpoint)
        }
    }
}

fn checkpoints(checkpoint: &mut Checkpoint) {
    see(Checkpoint::begin(checkpoint, any(), any()));
    let mut memory = [0; 64];
    let mut writer = Writer::new(part(&mut memory), any());
    Checkpoint::encode(checkpoint, &mut writer);
    see(writer.finish());
    if any() {
        Checkpoint::end(checkpoint);
    }
    see(Phase::number(checkpoint.phase));
    checkpoint.kind = one_of(&[Kind::Nothing, Kind::Image, Kind::Module]);
    checkpoint.needs_reboot = any();
    checkpoint.supports_rollback = any();
    checkpoint.writes = any();
    checkpoint.reboots = any();
    checkpoint.failures_in_all = any();
    see(Checkpoint::may_try(checkpoint, &any()));
    Checkpoint::runs(checkpoint, &any(), any());
    Checkpoint::commit_provides(checkpoint);
}

fn event() -> Event<'static> {
    match any() {
        0u8 => Event::Offered { id: any(), artifact_name: any(), usable: any() },
        1 => Event::Woke,
        2 => Event::NothingOffered,
        3 => Event::Conflict,
        4 => Event::CheckFailed { accepted: any(), retry_after_ms: any() },
        5 => Event::InventorySent,
        6 => Event::InventoryFailed { retry_after_ms: any() },
        7 => Event::Saved(any()),
        8 => Event::Reported(match any() {
            0u8 => Report::Accepted,
            1 => Report::Aborted,
            _ => Report::Failed { accepted: any(), retry_after_ms: any() },
        }),
        9 => Event::Downloaded,
        10 => Event::DownloadFailed(any()),
        11 => Event::Answered(one_of(&[Verdict::Approve, Verdict::Defer, Verdict::Refuse])),
        12 => Event::Ran(any::<Result<Progress, _>>()),
        13 => Event::Installed { needs_reboot: any() },
        14 => Event::LogUploaded,
        _ => Event::RebootReturned,
    }
}

fn machine(mut machine: Machine) {
    let running = Running { new: any(), confirmed: any(), can_revert: any(), refused: any() };
    let mut action: Action = Machine::boot(&mut machine, running, any(), any());
    while any() {
        see(action);
        checkpoints(&mut machine.checkpoint);
        Machine::check_now(&mut machine, any());
        Machine::inventory_due(&mut machine, any());
        action = Machine::next(&mut machine, event(), any(), any());
        see(Machine::is_trial_over(&machine, any()));
        see((Machine::is_idle(&machine), Machine::is_between(&machine), Machine::is_on_trial(&machine)));
        see((Machine::commit_deadline_ms(&machine), Machine::wake_at_ms(&machine)));
        see((Machine::can_abort(&machine), Machine::check_at_ms(&machine)));
        see(Machine::abort(&mut machine, any()));
    }
}
