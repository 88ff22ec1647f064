// SPDX-License-Identifier: Apache-2.0
//! Dialogues with the update state machine. Each test is what a device does and what it hears, in order; every restart goes through the
//! bytes of the record.
//!
//! Catalogue of hostile input (protocol §10) and the tests that show its outcome:
//!
//! | entry | test |
//! |---|---|
//! | 30 the same deployment again right after its failure | `c30_the_same_deployment_right_after_its_failure_waits_and_the_fourth_is_refused_without_a_download` |
//! | 32 409 from `next` | `c32_a_conflict_at_the_check_clears_the_deployment_and_is_not_retried_at_once` |
//! | 33 409 or 404 at each stage | `c33_an_abort_is_obeyed_at_every_report` |
//! | 89 power loss at every boundary | `c89_a_power_cut_at_every_step_of_every_flow_ends_in_one_true_final_status` |
//! | 90 a corrupt or foreign record | `c90_a_record_that_is_corrupt_or_foreign_is_discarded_and_the_device_starts_clean` |
//! | 91 MCUboot reverts | `c91_an_image_that_mcuboot_reverts_is_reported_as_failure_exactly_once` |

mod aborts;
mod asked;
mod between;
mod boot_table;
mod device;
mod document;
mod exhaustive;
mod flows;
mod limits;
mod pauses;
mod trial;
mod world;
