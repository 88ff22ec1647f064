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
