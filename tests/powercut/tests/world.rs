// SPDX-License-Identifier: Apache-2.0
//! The world itself: it is deterministic, its faults happen, and its oracle sees what is wrong.

use powercut::Sweep;
use powercut::plan::{Fault, NetFault};
use powercut::story::{STORIES, Setup, find, layout};
use powercut::sweep::{mixture, replay};
use powercut::world::{End, World};

use mender_sim::Tear;
use mender_sim::mcuboot::Mode;

fn trace_of(seed: u64) -> (u64, String) {
    let setup = Setup::new(find("good").unwrap(), Mode::SwapUsingMove, layout(1024, 8));
    let mut world = World::start(&setup, 1, true).unwrap();
    world.stutter(seed);
    let mut plain = world.fork();
    plain.plan(&[]);
    plain.run().unwrap();
    world.plan(&mixture(&plain.counts, seed));
    world.run().unwrap();
    world.run_next().unwrap();
    (world.trace.hash(), world.trace.text())
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another_one() {
    for seed in 0..20 {
        let (hash, text) = trace_of(seed);
        assert_eq!((hash, text), trace_of(seed), "{seed}");
        assert_ne!(hash, trace_of(seed + 1).0, "{seed}");
    }
}

#[test]
fn every_scenario_ends_as_it_says_when_nothing_goes_wrong() {
    for story in &STORIES {
        for mode in [Mode::SwapUsingScratch, Mode::SwapUsingMove, Mode::SwapUsingOffset] {
            let setup = Setup::new(story, mode, layout(2048, 8));
            let mut world = World::start(&setup, 1, true).unwrap();
            world.plan(&[]);
            let ended = world.run().and_then(|()| world.run_next());
            assert_eq!(ended, Ok(()), "{}\n{}", setup.name(), world.trace.text());
            let steps = story.steps.iter();
            let ends: Vec<End> = steps
                .map(|step| match (step.abort_at_report, step.good) {
                    (Some(_), _) => End::Aborted,
                    (None, true) => End::Success,
                    (None, false) => End::Failure,
                })
                .collect();
            assert_eq!(world.ends, ends, "{}", setup.name());
        }
    }
}

#[test]
fn a_download_that_breaks_is_resumed_by_range() {
    let setup = Setup::new(find("resume").unwrap(), Mode::SwapUsingScratch, layout(1024, 8));
    let mut world = World::start(&setup, 1, false).unwrap();
    world.plan(&[]);
    world.run().unwrap();
    assert_eq!(world.link.borrow().server.ranges, 1);
    assert_eq!(world.link.borrow().hits, 1);
}

#[test]
fn every_network_fault_strikes_once() {
    let setup = Setup::new(find("good").unwrap(), Mode::SwapUsingScratch, layout(1024, 8));
    let start = World::start(&setup, 1, false).unwrap();
    let (sent, received) = (start.link.borrow().sent, start.link.borrow().received);
    let request = start.link.borrow().requests + 2;
    let mut faults = vec![NetFault::CutSend(sent + 40), NetFault::CutReply(received + 40)];
    faults.extend(NetFault::AT_REQUESTS.map(|fault| fault(request)));
    for fault in faults {
        let mut world = start.fork();
        world.plan(&[Fault::Net(fault)]);
        assert_eq!(world.run(), Ok(()), "{fault:?}");
        assert_eq!(world.link.borrow().hits, 1, "{fault:?}");
    }
}

#[test]
fn a_fault_that_cannot_happen_is_not_counted_as_survived() {
    let setup = Setup::new(find("empty").unwrap(), Mode::SwapUsingScratch, layout(1024, 8));
    let mut sweep = Sweep::new(&setup, 1).unwrap();
    let counts = sweep.plain();
    assert!(counts.flash > 5);
    for (fault, complaint) in [
        (Fault::flash(counts.flash + 100, Tear::Nothing), "the cut did not happen"),
        (Fault::Net(NetFault::LoseReply(1_000)), "l1000 did not happen"),
    ] {
        sweep.tally.failed.clear();
        sweep.run(&[fault]);
        let failed: Vec<&str> = sweep.tally.failed.iter().map(|failed| failed.what.as_str()).collect();
        assert_eq!(failed, [complaint]);
    }
    sweep.tally.failed.clear();
    sweep.run(&[Fault::flash(counts.flash, Tear::Nothing)]);
    assert!(sweep.tally.failed.is_empty());
}

#[test]
fn a_replay_that_is_not_understood_is_refused() {
    for wrong in ["", "nothing/scratch/1024x8:1", "good/scratch/1000x8:1", "good/scratch/1024x8:1:z9"] {
        assert!(replay(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_copy_of_the_records_that_cannot_be_read_is_a_fault_that_strikes() {
    for fault in ["a1", "b1", "A1", "B1", "q1", "k1"] {
        let replay = replay(&format!("good/scratch/1024x8:1:{fault}")).unwrap();
        assert_eq!(replay.wrong, None, "{fault}");
        // After the first boot, in which the key was made, the newest copy is A.
        assert_eq!(replay.struck > 0, fault != "B1", "{fault}: {}", replay.struck);
    }
}
