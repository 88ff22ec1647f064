// SPDX-License-Identifier: Apache-2.0
//! What came of all moments.

use std::collections::BTreeSet;
use std::fmt;

use crate::plan::{Amount, Amounts, Kind, Moment};

/// One moment and what came of it.
#[derive(Clone, Debug)]
pub struct Round {
    /// The moment.
    pub moment: Moment,
    /// The power really went there; otherwise the update was over before.
    pub cut: bool,
    /// The end of the update at the server: `success` or `failure`.
    pub end: Option<String>,
    /// What is wrong, if anything.
    pub violations: Vec<String>,
    /// The end of what the device printed.
    pub(crate) transcript: String,
}

/// All rounds.
#[derive(Clone, Debug)]
pub struct Report {
    rounds: Vec<Round>,
    amounts: Option<Amounts>,
}

impl Report {
    pub(crate) fn new(rounds: Vec<Round>, amounts: Option<Amounts>) -> Self {
        Self { rounds, amounts }
    }

    /// The rounds, by device in the order of time.
    #[must_use]
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }

    /// How often the power really went.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.rounds.iter().filter(|round| round.cut).count()
    }

    /// What is wrong: with an update, or with the number of moments that were hit.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let of_round = |round: &Round| {
            round.violations.iter().map(|text| format!("{}: {text}", round.moment)).collect::<Vec<_>>()
        };
        let mut all: Vec<String> = self.rounds.iter().flat_map(of_round).collect();
        let Some(amounts) = self.amounts else { return all };
        let mut enough = |what: &str, cuts: usize, wanted: usize| {
            if cuts < wanted {
                all.push(format!("{what}: {cuts} moments were hit, it should be {wanted}"));
            }
        };
        enough("all kinds", self.cuts(), amounts.wanted);
        for Amount { kind, wanted, .. } in amounts.kinds {
            enough(kind.word(), self.of(*kind).filter(|round| round.cut).count(), *wanted);
        }
        all
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Round> {
        self.rounds.iter().filter(move |round| round.moment.kind == kind)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kind          planned  killed  success  failure  places")?;
        let kinds: BTreeSet<Kind> = self.rounds.iter().map(|round| round.moment.kind).collect();
        for kind in kinds {
            let ends = |word: &str| self.of(kind).filter(|r| r.cut && r.end.as_deref() == Some(word)).count();
            let killed = self.of(kind).filter(|round| round.cut).count();
            let places: BTreeSet<_> = self
                .of(kind)
                .filter(|round| round.cut)
                .map(|r| (r.moment.lane, r.moment.scenario, r.moment.number, r.moment.how))
                .collect();
            let (word, planned) = (kind.word(), self.of(kind).count());
            let (success, failure, places) = (ends("success"), ends("failure"), places.len());
            writeln!(f, "{word:<12}  {planned:>7}  {killed:>6}  {success:>7}  {failure:>7}  {places:>6}")?;
        }
        for round in self.rounds.iter().filter(|round| !round.violations.is_empty()) {
            write!(f, "{}\n{}", round.moment, round.transcript)?;
        }
        let violations = self.violations();
        for violation in &violations {
            writeln!(f, "VIOLATION {violation}")?;
        }
        writeln!(f, "sigkill: {} moments, {} violations", self.cuts(), violations.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::QUICK;

    #[test]
    fn a_moment_that_was_not_hit_does_not_count_and_too_few_are_a_violation() {
        let round = |text: &str, cut| Round {
            moment: Moment::parse(text).unwrap(),
            cut,
            end: Some("success".to_owned()),
            violations: Vec::new(),
            transcript: String::new(),
        };
        let rounds = vec![round("0/good-image:arm:1:half", true), round("0/good-image:arm:2:half", false)];
        let report = Report::new(rounds.clone(), None);
        assert_eq!((report.cuts(), report.violations().len()), (1, 0));
        assert!(report.to_string().ends_with("\nsigkill: 1 moments, 0 violations\n"), "{report}");
        let wanted = Report::new(rounds, Some(QUICK)).violations();
        assert!(wanted.contains(&"arm: 1 moments were hit, it should be 2".to_owned()), "{wanted:?}");
        assert!(wanted.contains(&"all kinds: 1 moments were hit, it should be 20".to_owned()), "{wanted:?}");
    }
}
