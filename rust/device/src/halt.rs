// SPDX-License-Identifier: Apache-2.0
//! For tests that cut the power: stopping at a moment, and counting moments.

use std::io::Write;
use std::time::Duration;

use mender_sim::{Cut, Moment, Power, Tear};
use serde_json::json;

/// Says where it stopped, then waits to be killed.
pub(crate) fn halt(cut: &Cut) {
    let tear = match cut.tear {
        Tear::Nothing => "before",
        Tear::Half | Tear::Bytes(_) | Tear::Prefix(_) | Tear::AllButLast => "half",
        Tear::Bits(_) => "torn",
        Tear::All => "after",
    };
    print_line(&json!({
        "event": "Halted", "kind": cut.moment.word(), "number": cut.number, "tear": tear,
    }));
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Prints the counts of all moments, when they changed.
#[derive(Default)]
pub(crate) struct Counter {
    printed: Option<Vec<u64>>,
}

impl Counter {
    pub(crate) fn print(&mut self, power: &Power) {
        let counts: Vec<u64> = Moment::ALL.iter().map(|moment| power.count(*moment)).collect();
        if self.printed.as_ref() == Some(&counts) {
            return;
        }
        let by_word: serde_json::Map<_, _> = Moment::ALL
            .iter()
            .zip(&counts)
            .map(|(moment, count)| (moment.word().to_owned(), (*count).into()))
            .collect();
        print_line(&json!({ "event": "Counts", "counts": by_word }));
        self.printed = Some(counts);
    }
}

fn print_line(line: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    // Without a reader there is nobody to tell.
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    drop(written);
}
