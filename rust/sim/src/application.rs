// SPDX-License-Identifier: Apache-2.0
//! The `Application` port: an application that does as the test or the image's payload says.

use std::collections::VecDeque;

use mender_port::{Errno, Notice, Progress, Result, Stage, Verdict};

/// What the application does. The default approves everything and passes its self-test.
#[derive(Default)]
pub struct App {
    /// Answers to come, per [`Stage`]; when there is none left, it approves.
    pub verdicts: [VecDeque<Verdict>; 3],
    /// How often the self-test says [`Progress::Pending`] before it ends.
    pub self_test_pending: u32,
    /// The self-test fails.
    pub self_test_fails: bool,
    /// Inventory attributes of its own.
    pub inventory: Vec<(String, String)>,
    /// Called with each notice.
    pub on_notice: Option<Box<dyn FnMut(Notice)>>,
}

impl mender_port::Application for App {
    fn approve(&mut self, stage: Stage) -> Verdict {
        let answers = self.verdicts.get_mut(stage as usize);
        answers.and_then(VecDeque::pop_front).unwrap_or(Verdict::Approve)
    }

    fn self_test(&mut self) -> Result<Progress> {
        if self.self_test_pending > 0 {
            self.self_test_pending -= 1;
            return Ok(Progress::Pending);
        }
        if self.self_test_fails { Err(Errno::EIO) } else { Ok(Progress::Done) }
    }

    fn inventory(&self, attribute: &mut dyn FnMut(&str, &str)) {
        self.inventory.iter().for_each(|(name, value)| attribute(name, value));
    }

    fn notice(&mut self, notice: Notice) {
        if let Some(tell) = &mut self.on_notice {
            tell(notice);
        }
    }
}
