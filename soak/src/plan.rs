//! What fails when: a schedule from a seed. It breaks nothing itself.

use std::fmt;
use std::time::Duration;

use testbed::random::Random;

/// What upstream does with a request instead of taking it and saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mood {
    /// It answers with this status; 429 and 503 with `Retry-After`.
    Answers(u16),
    /// It never answers.
    Hangs,
    /// It resets the connection.
    Resets,
    /// It takes the event and says so late.
    IsSlow,
    /// It takes the event and answers 500 all the same.
    TakesAndFails,
    /// It takes the event and never answers.
    TakesAndHangs,
    /// It takes the event and resets the connection.
    TakesAndResets,
    /// It takes the event, and the filter traps on its answer.
    TakesAndTraps,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Upstream is there but does this.
    Upstream(Mood),
    /// Upstream's process is gone: nobody listens.
    UpstreamKilled,
    /// The directory's process is gone. It comes back with its database.
    DirectoryKilled,
    /// The directory takes connections and does not answer.
    DirectoryHangs,
    /// A new Envoy starts on the same port, the old one is drained and ends.
    EnvoyDrained,
    /// Envoy is killed. A new one starts on the same port when the fault is over.
    EnvoyKilled,
    /// The listener gets another plugin configuration.
    ConfigurationReloaded,
    /// The listener is to get a plugin configuration that is refused.
    ConfigurationRefused,
    /// Some requests make the filter trap: its VM is gone with all that it holds.
    FilterTraps,
    /// The same while requests wait in it for a directory that does not answer.
    FilterTrapsWhileRequestsWait,
}

/// Every fault of which a run has at least one.
pub const FAULTS: [Fault; 22] = [
    Fault::Upstream(Mood::Answers(500)),
    Fault::Upstream(Mood::Answers(503)),
    Fault::Upstream(Mood::Answers(429)),
    Fault::Upstream(Mood::Answers(404)),
    Fault::Upstream(Mood::Answers(410)),
    Fault::Upstream(Mood::Answers(302)),
    Fault::Upstream(Mood::Hangs),
    Fault::Upstream(Mood::Resets),
    Fault::Upstream(Mood::IsSlow),
    Fault::Upstream(Mood::TakesAndFails),
    Fault::Upstream(Mood::TakesAndHangs),
    Fault::Upstream(Mood::TakesAndResets),
    Fault::Upstream(Mood::TakesAndTraps),
    Fault::UpstreamKilled,
    Fault::DirectoryKilled,
    Fault::DirectoryHangs,
    Fault::EnvoyDrained,
    Fault::EnvoyKilled,
    Fault::ConfigurationReloaded,
    Fault::ConfigurationRefused,
    Fault::FilterTraps,
    Fault::FilterTrapsWhileRequestsWait,
];

impl Fault {
    /// Whether what the filter has noted of accepted events is there afterwards. It lies in Envoy's process, not in a VM's.
    pub const fn keeps_memory(self) -> bool {
        !matches!(self, Self::EnvoyDrained | Self::EnvoyKilled)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upstream(Mood::Answers(status)) => return write!(f, "upstream answers {status}"),
            Self::Upstream(Mood::Hangs) => "upstream hangs",
            Self::Upstream(Mood::Resets) => "upstream resets",
            Self::Upstream(Mood::IsSlow) => "upstream is slow",
            Self::Upstream(Mood::TakesAndFails) => "upstream takes and answers 500",
            Self::Upstream(Mood::TakesAndHangs) => "upstream takes and hangs",
            Self::Upstream(Mood::TakesAndResets) => "upstream takes and resets",
            Self::Upstream(Mood::TakesAndTraps) => "filter traps on the answer",
            Self::UpstreamKilled => "upstream killed",
            Self::DirectoryKilled => "directory killed",
            Self::DirectoryHangs => "directory hangs",
            Self::EnvoyDrained => "envoy drained, a new one started",
            Self::EnvoyKilled => "envoy killed",
            Self::ConfigurationReloaded => "configuration reloaded",
            Self::ConfigurationRefused => "configuration refused",
            Self::FilterTraps => "filter traps",
            Self::FilterTrapsWhileRequestsWait => "filter traps, directory hangs",
        })
    }
}

/// A fault with its times, in provider time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// All is well for so long before it.
    pub after: Duration,
    /// What goes wrong.
    pub fault: Fault,
    /// How many requests of a hundred it strikes, where that can be less than all.
    pub percent: u8,
    /// For how long.
    pub lasts: Duration,
}

/// A schedule without end: every fault of a list once, in an order by chance, then all of them again in another one. Envoy
/// ends in the rounds 1, 2, 4, 8 and so on only, so that in a long run one process of it lives long.
#[derive(Debug)]
pub struct Plan {
    random: Random,
    faults: Vec<Fault>,
    left: Vec<Fault>,
    n_rounds: u64,
}

/// Minutes without a fault between two.
const PAUSE_MIN: (u64, u64) = (30, 90);
/// Minutes of one.
const FAULT_MIN: (u64, u64) = (20, 60);

impl Plan {
    /// The schedule of this seed over these faults.
    pub fn new(seed: u64, faults: &[Fault]) -> Self {
        Self { random: Random::of(seed, 2, 0), faults: faults.to_vec(), left: Vec::new(), n_rounds: 0 }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.left.is_empty() {
            self.n_rounds += 1;
            let envoy_may_end = self.n_rounds.is_power_of_two();
            let chosen = self.faults.iter().filter(|it| envoy_may_end || it.keeps_memory());
            self.left = chosen.copied().collect();
            self.random.shuffle(&mut self.left);
        }
        let minutes = |number: u64| Duration::from_secs(60 * number);
        let fault = self.left.pop()?;
        let percent = match fault {
            // One is enough to take a VM with it.
            Fault::FilterTraps
            | Fault::FilterTrapsWhileRequestsWait
            | Fault::Upstream(Mood::TakesAndTraps) => 2,
            Fault::Upstream(_)
            | Fault::UpstreamKilled
            | Fault::DirectoryKilled
            | Fault::DirectoryHangs
            | Fault::EnvoyDrained
            | Fault::EnvoyKilled
            | Fault::ConfigurationReloaded
            | Fault::ConfigurationRefused => {
                if self.random.percent(50) {
                    100
                } else {
                    40
                }
            }
        };
        Some(Step {
            after: minutes(self.random.between(PAUSE_MIN.0, PAUSE_MIN.1)),
            fault,
            percent,
            lasts: minutes(self.random.between(FAULT_MIN.0, FAULT_MIN.1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_gives_one_plan_and_a_round_has_every_fault() {
        let round = |seed| Plan::new(seed, &FAULTS).take(FAULTS.len()).collect::<Vec<_>>();
        assert_eq!(round(1), round(1));
        assert_ne!(round(1), round(2));
        let seen: BTreeSet<_> = round(3).iter().map(|it| it.fault).collect();
        assert_eq!(seen, BTreeSet::from(FAULTS));
        let later: Vec<_> = Plan::new(3, &FAULTS).skip(2 * FAULTS.len()).take(FAULTS.len() - 2).collect();
        assert!(later.iter().all(|it| it.fault.keeps_memory()), "the third round");
        let names: BTreeSet<_> = FAULTS.iter().map(Fault::to_string).collect();
        assert_eq!(names.len(), FAULTS.len());
    }
}
