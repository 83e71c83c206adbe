//! When a directory that fails is left alone, so that an outage does not cost each event a time-out. It asks nothing itself.
//!
//! ```text
//!          failed                 pause over: one question goes
//! Closed ─────────▶ Open(until) ─────────────────────▶ Trying(since)
//!    ▲                 ▲ ▲                                │ │
//!    │ succeeded       │ └────────────── failed ──────────┘ │
//!    └─────────────────┴─────────────── succeeded ──────────┘
//! ```
//!
//! An answer to a question from before the pause closes it, too.

/// Whether the directory is asked.
#[derive(Debug)]
pub struct Circuit {
    state: State,
    pause_ms: u64,
    /// After this long a trial counts as lost: its request went away before the answer.
    trial_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until_ms: u64 },
    Trying { until_ms: u64 },
}

/// What a change means to who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// As before.
    None,
    /// From now on the directory is away.
    Opened,
    /// It is back.
    Closed,
}

impl Circuit {
    /// A circuit for a directory that is believed to be well.
    #[must_use]
    pub const fn new(pause_ms: u64, trial_ms: u64) -> Self {
        Self { state: State::Closed, pause_ms, trial_ms }
    }

    /// Whether a question may go now. After a pause only one may, until it has ended.
    pub fn may_ask(&mut self, now_ms: u64) -> bool {
        match self.state {
            State::Closed => true,
            // A clock that was set back must not make the pause longer.
            State::Open { until_ms } | State::Trying { until_ms }
                if (until_ms.saturating_sub(self.pause_ms.max(self.trial_ms))..until_ms)
                    .contains(&now_ms) =>
            {
                false
            }
            State::Open { .. } | State::Trying { .. } => {
                self.state = State::Trying { until_ms: now_ms.saturating_add(self.trial_ms) };
                true
            }
        }
    }

    /// Whether the directory is believed to be well.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// A question failed in a way that says: the next will, too.
    pub const fn failed(&mut self, now_ms: u64) -> Change {
        let was_closed = matches!(self.state, State::Closed);
        self.state = State::Open { until_ms: now_ms.saturating_add(self.pause_ms) };
        if was_closed { Change::Opened } else { Change::None }
    }

    /// The directory answered.
    pub const fn succeeded(&mut self) -> Change {
        let was_closed = matches!(self.state, State::Closed);
        self.state = State::Closed;
        if was_closed { Change::None } else { Change::Closed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_nothing_is_asked_for_a_while_and_then_one_question() {
        let mut circuit = Circuit::new(1_000, 300);
        assert!(circuit.may_ask(0));
        assert_eq!(circuit.failed(10_000), Change::Opened);
        assert!(!circuit.may_ask(10_000) && !circuit.may_ask(10_999));
        assert!(circuit.may_ask(11_000));
        assert!(!circuit.may_ask(11_001), "one question at a time");
        assert_eq!(circuit.failed(11_100), Change::None);
        assert!(!circuit.may_ask(12_099) && circuit.may_ask(12_100));
        assert_eq!(circuit.succeeded(), Change::Closed);
        assert!(circuit.may_ask(12_101) && circuit.may_ask(12_101));
        assert_eq!(circuit.succeeded(), Change::None);
    }

    #[test]
    fn a_trial_whose_answer_never_comes_does_not_keep_it_open() {
        let mut circuit = Circuit::new(1_000, 300);
        circuit.failed(0);
        assert!(circuit.may_ask(1_000));
        assert!(!circuit.may_ask(1_299) && circuit.may_ask(1_300));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_make_the_pause_longer() {
        let mut circuit = Circuit::new(1_000, 300);
        circuit.failed(1_000_000);
        assert!(circuit.may_ask(5_000));
    }
}
