// SPDX-License-Identifier: Apache-2.0
//! What was found here once, named after what happened.

use powercut::sweep::replay;

/// Replays a run of which nothing may be violated, and in which faults strike that often at least.
fn replays(what: &str, struck: u32) -> String {
    let replay = replay(what).expect("a scenario and faults");
    assert_eq!(replay.wrong, None, "{what}\n{}", replay.story);
    assert!(replay.struck >= struck, "{what}: {} faults struck", replay.struck);
    replay.story
}

#[test]
fn records_that_cannot_be_read_in_the_first_second_of_the_first_boot_do_not_leave_the_device_without_a_key() {
    replays("first-boot/scratch/1024x8:1:q1", 1);
}

#[test]
fn a_last_record_that_cannot_be_written_for_a_moment_does_not_make_a_restart_tell_another_end() {
    replays("module-stays/scratch/1024x8:1:w2", 1);
}

/// The magic that a revert begins with is whole or not there in the model: on MCUboot a torn one loses the revert (docs/reliability.md).
#[test]
fn two_cuts_while_a_revert_begins_do_not_keep_a_bad_image() {
    for mode in ["move", "offset"] {
        let mut reverts = 0;
        for cut in 50..75 {
            let story = replays(&format!("bad-self-test/{mode}/1024x8:1:f{cut}h:f3n"), 2);
            reverts += u32::from(story.contains("Upgraded(Revert)"));
        }
        assert!(reverts > 5, "{mode}: {reverts} of the pairs fell into the beginning of a revert");
    }
}

#[test]
fn an_older_record_is_not_taken_up_while_the_newer_copy_cannot_be_read() {
    for story in ["good", "bad-self-test", "module-reboot", "abort-probe"] {
        for fault in ["a2", "b2", "A2", "B2", "a3", "b3"] {
            let _story = replays(&format!("{story}/scratch/1024x8:1:{fault}"), 0);
        }
    }
}

#[test]
fn a_bad_image_that_nothing_leads_back_from_is_no_success_when_it_is_deployed_again() {
    let story = replays("bad-self-test/overwrite/1024x8:1", 0);
    assert!(story.contains("image was reverted before and is not tried again"), "{story}");
}

#[test]
fn an_abort_whose_record_cannot_be_written_may_be_followed_by_a_failure() {
    replays("abort-probe/scratch/1024x8:1:w2", 1);
}

/// The magic that asked for the revert is all that is left: MCUboot then puts the old image on trial. Using an offset it would lose the
/// revert, and the model rules that tear out (docs/reliability.md).
#[test]
fn a_trailer_that_is_half_erased_when_a_revert_begins_does_not_bring_the_bad_image_back() {
    let story = replays("unreachable/move/8192x32:1:f121l", 1);
    let mut boots = story.split("MCUboot: ");
    let on_trial =
        boots.find(|boot| boot.contains("Upgraded(Test), image: Info { version: Version { major: 1"));
    assert!(on_trial.expect("the old image on trial").contains("image confirmed"), "{story}");
    replays("unreachable/offset/8192x32:1:f101l", 1);
}

#[test]
fn two_broken_replies_break_in_the_order_in_which_they_come() {
    replays("resume/scratch/1024x8:1:y13398", 2);
}

#[test]
fn an_artifact_whose_link_is_refused_twice_may_fail() {
    replays("resume/move/2048x8:1:c11:o8:c7:~97335", 3);
    replays("empty/offset/8192x32:1:d8:c7:c9:b4:~13174", 3);
}

#[test]
fn an_abort_is_not_heard_where_the_deadline_ends_the_wait_for_it() {
    replays("abort-probe/scratch/4096x16:1:f61n:j11:j5:u5:~21594", 3);
}

#[test]
fn a_report_that_was_overtaken_does_not_come_after_the_end() {
    replays("module-fails/overwrite/1024x1:1:u10:o9:y8604:b1:~47023", 4);
    replays("defers/overwrite/8192x32:1:f14l:j16:o17:~11847", 3);
}

#[test]
fn an_old_image_on_trial_is_confirmed_once_its_record_can_be_read() {
    let story = replays("abort-probe/move/4096x16:1:f91l:r1n:f32l:f52a:c7:a4:~73075", 3);
    assert!(story.contains("image confirmed"), "{story}");
}
