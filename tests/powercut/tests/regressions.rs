// SPDX-License-Identifier: Apache-2.0
//! What was found here once, named after what happened.

use powercut::sweep::replay;

fn replays(what: &str) {
    let (story, wrong) = replay(what).expect("a scenario and faults");
    assert_eq!(wrong, None, "{what}\n{story}");
}

#[test]
fn records_that_cannot_be_read_in_the_first_second_of_the_first_boot_do_not_leave_the_device_without_a_key() {
    replays("first-boot/scratch/1024x8:1:q1");
}

#[test]
fn a_last_record_that_cannot_be_written_for_a_moment_does_not_make_a_restart_tell_another_end() {
    replays("module-stays/scratch/1024x8:1:w2");
}

#[test]
fn a_torn_magic_of_a_revert_and_a_second_cut_do_not_keep_a_bad_image() {
    for mode in ["move", "offset"] {
        for cut in 50..75 {
            replays(&format!("bad-self-test/{mode}/1024x8:1:f{cut}h:f3n"));
        }
    }
}
