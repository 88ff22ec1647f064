// SPDX-License-Identifier: Apache-2.0
//! Every way for a deployment to go, as far as up to two actions (three, for images and for power cuts alone) do not end well; and every
//! action that never ends well. The world objects to what must not happen.

use crate::device::{
    EMPTY, IMAGE, MODULE, MODULE_ONE_WAY, MODULE_REBOOT, MODULE_REBOOT_ONE_WAY, NEW, NEW_INCONSISTENT, OLD,
    Payload,
};
use crate::world::{Outcome, World, outcomes};
use mender_base::Status;
use mender_base::limits::REBOOTS_MAX;
use mender_base::words::ModuleState;
use mender_update::{Action, Kind};

/// An image where MCUboot overwrites the old one.
const IMAGE_ONE_WAY: Payload = Payload { supports_rollback: false, ..IMAGE };
const ALL: [Payload; 7] =
    [EMPTY, IMAGE, IMAGE_ONE_WAY, MODULE, MODULE_ONE_WAY, MODULE_REBOOT, MODULE_REBOOT_ONE_WAY];

/// What was seen, so that a test that sees nothing fails.
#[derive(Debug, Default)]
struct Seen {
    runs: u32,
    success: u32,
    failure: u32,
    nothing_told: u32,
    told_twice: u32,
    old: u32,
    new: u32,
    inconsistent: u32,
    /// The fewest troubles after which a device was inconsistent.
    fewest_to_inconsistent: Option<usize>,
    most_steps: usize,
    most_saves: u32,
    most_restarts: u32,
}

impl Seen {
    fn count(&mut self, w: &World, troubles: usize) {
        self.runs += 1;
        match w.finals.last() {
            Some(Status::Success) => self.success += 1,
            Some(_) => self.failure += 1,
            None => self.nothing_told += 1,
        }
        self.told_twice += u32::from(w.finals.len() > 1);
        match w.name().as_str() {
            OLD => self.old += 1,
            NEW => self.new += 1,
            NEW_INCONSISTENT => {
                self.inconsistent += 1;
                let fewest = self.fewest_to_inconsistent.unwrap_or(usize::MAX);
                self.fewest_to_inconsistent = Some(fewest.min(troubles));
            }
            other => panic!("{other}"),
        }
        self.most_steps = self.most_steps.max(w.steps());
        self.most_saves = self.most_saves.max(w.d.saves);
        self.most_restarts = self.most_restarts.max(w.restarts);
    }
}

/// All runs in which the given steps end otherwise, and up to `more` later ones. `may` says which outcomes count.
fn explore(
    payload: Payload,
    otherwise: &mut Vec<(usize, Outcome)>,
    more: u32,
    may: fn(Outcome) -> bool,
    seen: &mut Seen,
) {
    let mut w = World::new(payload);
    let mut actions = Vec::new();
    while !w.is_over() {
        let step = actions.len();
        actions.push(w.d.action);
        let outcome = otherwise.iter().find(|o| o.0 == step).map_or(Outcome::Well, |o| o.1);
        w.step(outcome);
    }
    w.true_at_the_end();
    seen.count(&w, otherwise.len());
    if more == 0 {
        return;
    }
    let from = otherwise.last().map_or(0, |o| o.0 + 1);
    for (step, action) in actions.iter().enumerate().skip(from) {
        for outcome in outcomes(*action).iter().skip(1).filter(|o| may(**o)) {
            otherwise.push((step, *outcome));
            explore(payload, otherwise, more - 1, may, seen);
            otherwise.pop();
        }
    }
}

fn explored(payload: Payload, more: u32, may: fn(Outcome) -> bool) -> Seen {
    let mut seen = Seen::default();
    explore(payload, &mut Vec::new(), more, may, &mut seen);
    // Every action of the flow, each with some outcomes, in pairs: far more than a flow that ends at its first step.
    let expected = if payload == EMPTY { 200 } else { 1_500 };
    assert!(seen.runs > expected && seen.success > 0 && seen.told_twice > 0, "{payload:?} {seen:?}");
    assert!(seen.most_saves <= 24 && seen.most_restarts <= 6, "{payload:?} {seen:?}");
    assert!(seen.old > 0 && seen.new > 0 && seen.failure > 0, "{payload:?} {seen:?}");
    seen
}

const ANY: fn(Outcome) -> bool = |_| true;
const CUTS: fn(Outcome) -> bool = |o| matches!(o, Outcome::CutBefore | Outcome::CutAfter);

#[test]
fn every_two_troubles_with_an_empty_payload_end_in_the_truth() {
    assert_eq!(explored(EMPTY, 2, ANY).inconsistent, 0);
}

#[test]
fn every_three_troubles_with_an_image_end_in_the_truth() {
    let seen = explored(IMAGE, 3, ANY);
    assert!(seen.runs > 50_000 && seen.nothing_told > 0 && seen.inconsistent > 0, "{seen:?}");
}

#[test]
fn every_two_troubles_with_an_image_without_way_back_end_in_the_truth() {
    assert!(explored(IMAGE_ONE_WAY, 2, ANY).inconsistent > 0);
}

#[test]
fn every_two_troubles_with_a_module_end_in_the_truth() {
    assert!(explored(MODULE, 2, ANY).inconsistent > 0);
}

#[test]
fn every_two_troubles_with_a_module_without_rollback_end_in_the_truth() {
    assert!(explored(MODULE_ONE_WAY, 2, ANY).inconsistent > 0);
}

#[test]
fn every_two_troubles_with_a_module_that_restarts_end_in_the_truth() {
    assert!(explored(MODULE_REBOOT, 2, ANY).inconsistent > 0);
}

#[test]
fn every_two_troubles_with_a_module_that_restarts_without_rollback_end_in_the_truth() {
    assert!(explored(MODULE_REBOOT_ONE_WAY, 2, ANY).inconsistent > 0);
}

#[test]
fn c89_a_power_cut_at_every_step_of_every_flow_ends_in_one_true_final_status() {
    for payload in ALL {
        let mut seen = Seen::default();
        explore(payload, &mut Vec::new(), 3, CUTS, &mut seen);
        let one_way = !payload.supports_rollback && payload.kind == Kind::Module;
        assert!(seen.runs > 500 && seen.success > 0 && seen.nothing_told == 0, "{payload:?} {seen:?}");
        // Cuts alone never leave an image between old and new. A module has two restarts of its own, and four are the limit.
        match payload.kind {
            Kind::Module if one_way => assert!(seen.inconsistent > 0, "{payload:?} {seen:?}"),
            Kind::Module => {
                assert!(seen.fewest_to_inconsistent.is_none_or(|n| n > 2), "{payload:?} {seen:?}")
            }
            Kind::Image | Kind::Nothing => assert_eq!(seen.inconsistent, 0, "{payload:?} {seen:?}"),
        }
    }
}

/// Every action that a deployment can come to with one trouble.
fn actions_of(payload: Payload) -> Vec<Action> {
    let mut found: Vec<Action> = Vec::new();
    for (trouble, nth) in (0..40).flat_map(|t| (0..6).map(move |n| (t, n))) {
        let mut w = World::new(payload);
        while !w.is_over() {
            let action = w.d.action;
            if !found.iter().any(|a| alike(*a, action)) {
                found.push(action);
            }
            let ways = outcomes(action);
            w.step(if w.steps() == trouble { ways[nth % ways.len()] } else { Outcome::Well });
        }
    }
    let expected = if payload == EMPTY { 9 } else { 15 };
    assert!(found.len() >= expected, "{found:?}");
    found
}

/// The same action; one wait is like another.
fn alike(a: Action, b: Action) -> bool {
    a == b || matches!((a, b), (Action::Wait, Action::Wait))
}

/// What only the world can end, it ends after a while: these the client must not give up.
fn patient(action: Action, outcome: Outcome) -> bool {
    let tried_for_ever = matches!(
        action,
        Action::Save
            | Action::Check
            | Action::Report(_)
            | Action::Probe
            | Action::Wait
            | Action::UploadLog
            | Action::Disarm
            | Action::Run(ModuleState::Cleanup)
            // Confirming an image again until it lasts is what the boot table says.
            | Action::Run(ModuleState::ArtifactCommit)
    );
    tried_for_ever || matches!(outcome, Outcome::Pends | Outcome::Defers)
}

/// Runs a deployment in which the `first` trouble comes once and the `other` whenever it can; `None` if that is never.
fn always(payload: Payload, first: (Action, Outcome), other: (Action, Outcome)) -> Option<World> {
    let mut w = World::new(payload);
    let (mut led_there, mut count) = (false, 0);
    let most = if patient(other.0, other.1) { 30 } else { u32::MAX };
    while !w.is_over() {
        let action = w.d.action;
        w.step(if alike(action, other.0) && count < most {
            count += 1;
            other.1
        } else if alike(action, first.0) && !std::mem::replace(&mut led_there, true) {
            first.1
        } else {
            Outcome::Well
        });
    }
    w.true_at_the_end();
    (count > 0).then_some(w)
}

#[test]
fn an_action_that_never_ends_well_does_not_keep_the_deployment_from_ending() {
    let mut seen = Seen::default();
    for payload in ALL {
        let actions = actions_of(payload);
        let troubles: Vec<_> = actions.iter().flat_map(|a| outcomes(*a).iter().map(|o| (*a, *o))).collect();
        // A first that ends well is no trouble.
        for first in troubles.iter().copied() {
            for other in troubles.iter().filter(|t| t.1 != Outcome::Well) {
                let Some(w) = always(payload, first, *other) else { continue };
                seen.count(&w, 2);
                let patient = patient(other.0, other.1) || patient(first.0, first.1);
                assert!(
                    patient || w.cuts + w.restarts <= 2 + 3 * u32::from(REBOOTS_MAX),
                    "{payload:?} {first:?} {other:?}: {} cuts, {} restarts",
                    w.cuts,
                    w.restarts
                );
            }
        }
    }
    assert!(seen.runs > 10_000 && seen.success > 1_000 && seen.failure > 1_000, "{seen:?}");
    assert!(seen.inconsistent > 1_000 && seen.most_restarts >= u32::from(REBOOTS_MAX), "{seen:?}");
}
