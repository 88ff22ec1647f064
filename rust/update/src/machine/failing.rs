// SPDX-License-Identifier: Apache-2.0
//! Leaving the way of success, from every stage.

use super::stages::Undo;
use super::{Machine, Stage};
use mender_base::{Error, limits, text};

impl Machine {
    pub(super) fn fail_at(&mut self, stage: Stage, reason: Error) {
        self.stage = stage;
        self.fail(reason);
    }

    /// Leaves the way of success: what was done so far decides what must be undone.
    pub(super) fn fail(&mut self, reason: Error) {
        self.note(reason);
        let to = match self.side(self.stage.row().undo) {
            Undo::Nothing => Stage::SaveFailure,
            Undo::Disarm => Stage::Disarm,
            Undo::Rollback if self.checkpoint.supports_rollback => Stage::Rollback,
            Undo::SaveRollback if self.checkpoint.supports_rollback => Stage::SaveRollback,
            // It stays for want of a way back, or because the way back failed.
            Undo::Rollback | Undo::SaveRollback | Undo::GiveUp => return self.give_up(reason),
            Undo::Past => Stage::Failure,
        };
        self.enter(to);
    }

    /// The first cause stays: later ones follow from it.
    fn note(&mut self, reason: Error) {
        self.checkpoint.reason.get_or_insert(reason);
    }

    /// The old software does not come back; the name will say so.
    pub(super) fn give_up(&mut self, reason: Error) {
        self.note(reason);
        self.inconsistent = true;
        self.enter(Stage::Failure);
    }

    /// What runs is neither the old nor, by its own proof, the new: the name says so (protocol §7.11).
    pub(super) fn mark_inconsistent(&mut self) {
        let provides = &mut self.checkpoint.provides;
        if !core::mem::take(&mut self.inconsistent) || provides.incoming_name().is_empty() {
            return;
        }
        let incoming = provides.incoming_name();
        let kept = incoming.floor_char_boundary(const { limits::NAME_MAX - limits::INCONSISTENT.len() });
        let mut name: text::Text<{ limits::NAME_MAX }> = text::Text::new();
        let written = name.push_str(incoming.get(..kept).unwrap_or_default());
        if written.and_then(|()| name.push_str(limits::INCONSISTENT)).is_err() {
            return;
        }
        provides.rename(&name);
        self.checkpoint.commit_provides();
    }
}
