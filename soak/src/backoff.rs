//! One event on its way, as the provider documentation tells it: what is not answered 2xx is sent again, unchanged, at growing
//! distances for at least a day. Time is an argument; nothing is sent here.
//!
//! ```text
//!              begin                  2xx
//!   Waiting ───────────▶ UnderWay ───────────▶ Delivered
//!      ▲                    │  │
//!      └────────────────────┘  └─────────────▶ GivenUp
//!        anything else,          anything else,
//!        tried for less          tried for as long as
//!        than the policy says    the policy says
//! ```

use std::time::Duration;

/// How a sender tries again.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    first: Duration,
    longest: Duration,
    keeps_trying: Duration,
}

/// Why there is no such policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Senders would hammer.
    #[error("the first wait must not be zero")]
    NoFirstWait,
    /// Waits would shrink.
    #[error("the longest wait is shorter than the first")]
    LongestBelowFirst,
    /// The documentation promises a day.
    #[error("a sender keeps trying for at least 24 hours")]
    LessThanADay,
}

/// The provider documentation's promise.
pub const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// A `Retry-After` beyond this is not obeyed: it would take most of the day.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

impl Policy {
    /// Waits `first`, then twice as long each time up to `longest`, until `keeps_trying` has passed since the first attempt.
    ///
    /// # Errors
    /// When a bound is broken.
    pub const fn try_new(
        first: Duration,
        longest: Duration,
        keeps_trying: Duration,
    ) -> Result<Self, PolicyError> {
        if first.is_zero() {
            return Err(PolicyError::NoFirstWait);
        }
        if longest.as_nanos() < first.as_nanos() {
            return Err(PolicyError::LongestBelowFirst);
        }
        if keeps_trying.as_nanos() < A_DAY.as_nanos() {
            return Err(PolicyError::LessThanADay);
        }
        Ok(Self { first, longest, keeps_trying })
    }

    /// How long to wait after so many failed attempts. `spread` (0 to 255) adds up to a quarter, so that not all come back at once.
    pub fn wait(&self, n_failed: u32, spread: u8) -> Duration {
        let doublings = n_failed.saturating_sub(1).min(31);
        let wait = self.first.saturating_mul(1 << doublings).min(self.longest);
        wait + wait / 1024 * u32::from(spread)
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Accepted,
    /// Any other status.
    NotAccepted {
        /// Its `Retry-After`, if it has one.
        retry_after: Option<Duration>,
    },
    /// None in time, or the connection broke.
    None,
}

/// An event on its way. Times are the provider's, since the beginning of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is sent when its time has come.
    Waiting {
        /// When that is.
        due: Duration,
        /// The first attempt's time, once there was one.
        since: Option<Duration>,
        /// Attempts so far.
        n_attempts: u32,
    },
    /// An attempt has no answer yet.
    UnderWay {
        /// The first attempt's time.
        since: Duration,
        /// Attempts so far, this one too.
        n_attempts: u32,
    },
    /// It was answered 2xx.
    Delivered {
        /// The first attempt's time.
        since: Duration,
        /// The time of the answer.
        at: Duration,
        /// Attempts in all.
        n_attempts: u32,
    },
    /// It was tried for as long as the policy says.
    GivenUp {
        /// The first attempt's time.
        since: Duration,
        /// The time of the last answer.
        at: Duration,
        /// Attempts in all.
        n_attempts: u32,
    },
}

/// What a delivery cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IllegalStep {
    /// Its time has not come.
    #[error("due at {due:?}, not at {now:?}")]
    TooEarly {
        /// When it is due.
        due: Duration,
        /// What time it is.
        now: Duration,
    },
    /// Only what waits can begin.
    #[error("{0:?} does not wait")]
    NotWaiting(Delivery),
    /// Only what is under way gets an answer.
    #[error("{0:?} is not under way")]
    NotUnderWay(Delivery),
}

impl Delivery {
    /// An event that is to be sent for the first time then.
    pub const fn new(due: Duration) -> Self {
        Self::Waiting { due, since: None, n_attempts: 0 }
    }

    /// An attempt begins.
    ///
    /// # Errors
    /// When it is not due, or does not wait.
    pub fn begin(self, now: Duration) -> Result<Self, IllegalStep> {
        match self {
            Self::Waiting { due, .. } if now < due => Err(IllegalStep::TooEarly { due, now }),
            Self::Waiting { since, n_attempts, .. } => {
                Ok(Self::UnderWay { since: since.unwrap_or(now), n_attempts: n_attempts + 1 })
            }
            Self::UnderWay { .. } | Self::Delivered { .. } | Self::GivenUp { .. } => {
                Err(IllegalStep::NotWaiting(self))
            }
        }
    }

    /// An attempt has ended.
    ///
    /// # Errors
    /// When none is under way.
    pub fn end(
        self,
        now: Duration,
        answer: Answer,
        policy: &Policy,
        spread: u8,
    ) -> Result<Self, IllegalStep> {
        let Self::UnderWay { since, n_attempts } = self else { return Err(IllegalStep::NotUnderWay(self)) };
        let asked_for = match answer {
            Answer::Accepted => return Ok(Self::Delivered { since, at: now, n_attempts }),
            Answer::NotAccepted { retry_after } => retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER),
            Answer::None => Duration::ZERO,
        };
        if now.saturating_sub(since) >= policy.keeps_trying {
            return Ok(Self::GivenUp { since, at: now, n_attempts });
        }
        let due = now + policy.wait(n_attempts, spread).max(asked_for);
        Ok(Self::Waiting { due, since: Some(since), n_attempts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn policy() -> Policy {
        Policy::try_new(MINUTE, 180 * MINUTE, A_DAY).unwrap()
    }

    fn any_failure() -> impl Strategy<Value = Answer> {
        let asked_for = proptest::option::of((0u64..100_000).prop_map(Duration::from_secs));
        prop_oneof![Just(Answer::None), asked_for.prop_map(|retry_after| Answer::NotAccepted { retry_after })]
    }

    #[test]
    fn a_policy_that_breaks_the_promise_is_refused() {
        let day_less = A_DAY - MINUTE;
        assert_eq!(Policy::try_new(MINUTE, MINUTE, day_less).unwrap_err(), PolicyError::LessThanADay);
        assert_eq!(Policy::try_new(MINUTE, MINUTE / 2, A_DAY).unwrap_err(), PolicyError::LongestBelowFirst);
        assert_eq!(Policy::try_new(Duration::ZERO, MINUTE, A_DAY).unwrap_err(), PolicyError::NoFirstWait);
    }

    #[test]
    fn nothing_happens_twice() {
        let waiting = Delivery::new(MINUTE);
        assert_eq!(
            waiting.begin(Duration::ZERO).unwrap_err(),
            IllegalStep::TooEarly { due: MINUTE, now: Duration::ZERO }
        );
        let under_way = waiting.begin(MINUTE).unwrap();
        assert_eq!(under_way.begin(MINUTE).unwrap_err(), IllegalStep::NotWaiting(under_way));
        let delivered = under_way.end(2 * MINUTE, Answer::Accepted, &policy(), 0).unwrap();
        assert_eq!(delivered, Delivery::Delivered { since: MINUTE, at: 2 * MINUTE, n_attempts: 1 });
        assert_eq!(
            delivered.end(MINUTE, Answer::None, &policy(), 0).unwrap_err(),
            IllegalStep::NotUnderWay(delivered)
        );
        assert_eq!(delivered.begin(A_DAY).unwrap_err(), IllegalStep::NotWaiting(delivered));
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<_> = (1..12).map(|n_failed| policy().wait(n_failed, 0).as_secs() / 60).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 180, 180, 180]);
        assert!(policy().wait(u32::MAX, 255) < 225 * MINUTE);
    }

    proptest! {
        #[test]
        fn whatever_fails_is_tried_for_a_day_at_growing_distances(
            answers in proptest::collection::vec((any_failure(), any::<u8>(), 0u64..600), 200),
            first in 0u64..100_000,
        ) {
            let mut delivery = Delivery::new(Duration::from_secs(first));
            let mut begins: Vec<Duration> = Vec::new();
            for (answer, spread, takes_s) in answers {
                let Delivery::Waiting { due, .. } = delivery else { break };
                // Not before its time, and a late sender does no harm.
                begins.push(due);
                let ended = due + Duration::from_secs(takes_s);
                delivery = delivery.begin(due).unwrap().end(ended, answer, &policy(), spread).unwrap();
                if let Delivery::Waiting { due, n_attempts, .. } = delivery {
                    prop_assert!(due >= ended + policy().wait(n_attempts, 0));
                    if let Answer::NotAccepted { retry_after: Some(asked_for) } = answer {
                        prop_assert!(due >= ended + asked_for.min(LONGEST_RETRY_AFTER));
                    }
                }
            }
            let Delivery::GivenUp { since, at, n_attempts } = delivery else {
                return Err(TestCaseError::fail(format!("{delivery:?}")));
            };
            prop_assert_eq!(since, begins[0]);
            prop_assert!(at >= since + A_DAY);
            prop_assert_eq!(n_attempts as usize, begins.len());
            // Often enough that an outage of some hours is survived.
            prop_assert!(begins.len() >= 12, "{} attempts", begins.len());
        }

        #[test]
        fn what_is_accepted_is_over(n_failures in 0usize..12, spread in any::<u8>()) {
            let mut delivery = Delivery::new(Duration::ZERO);
            for _ in 0..n_failures {
                let Delivery::Waiting { due, .. } = delivery else { break };
                delivery = delivery.begin(due).unwrap().end(due, Answer::None, &policy(), spread).unwrap();
            }
            let Delivery::Waiting { due, .. } = delivery else {
                return Err(TestCaseError::fail(format!("{delivery:?}")));
            };
            let delivered = delivery.begin(due).unwrap().end(due, Answer::Accepted, &policy(), spread).unwrap();
            prop_assert_eq!(
                delivered,
                Delivery::Delivered { since: Duration::ZERO, at: due, n_attempts: n_failures as u32 + 1 }
            );
        }
    }
}
