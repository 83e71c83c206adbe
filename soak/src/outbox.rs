//! Everything that a sender still has to deliver, and what is next. Order is kept per device where that is possible: first
//! attempts follow each other, and one attempt is under way at a time; what failed waits, and others overtake it. Time is an
//! argument; nothing is sent here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::backoff::{Answer, Delivery, IllegalStep, Policy};

/// The events of a sender, by their numbers.
#[derive(Debug)]
pub struct Outbox {
    policy: Policy,
    // What is delivered or given up has left.
    open: BTreeMap<u64, Open>,
    due: BTreeSet<(Duration, u64)>,
    lanes: BTreeMap<u64, Lane>,
}

#[derive(Debug)]
struct Open {
    lane: u64,
    delivery: Delivery,
}

/// The events of one device.
#[derive(Debug, Default)]
struct Lane {
    busy: bool,
    /// Not tried yet, in order. Only the first of them is due.
    untried: VecDeque<(u64, Duration)>,
    /// Due while another one is under way.
    parked: Vec<(Duration, u64)>,
}

/// An attempt to be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Whose.
    pub event: u64,
    /// Which one, from 1.
    pub number: u32,
}

/// What the outbox cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// The event was never added, or has left.
    #[error("event {0} is not in the outbox")]
    NotThere(u64),
    /// See [`IllegalStep`].
    #[error(transparent)]
    Step(#[from] IllegalStep),
}

impl Outbox {
    /// An empty one.
    pub const fn new(policy: Policy) -> Self {
        Self { policy, open: BTreeMap::new(), due: BTreeSet::new(), lanes: BTreeMap::new() }
    }

    /// How many events are neither delivered nor given up.
    pub fn n_open(&self) -> usize {
        self.open.len()
    }

    /// A new event of this device. Numbers rise.
    pub fn add(&mut self, event: u64, lane: u64, due: Duration) {
        self.open.insert(event, Open { lane, delivery: Delivery::new(due) });
        let of_device = self.lanes.entry(lane).or_default();
        if of_device.untried.is_empty() {
            self.due.insert((due, event));
        }
        of_device.untried.push_back((event, due));
    }

    /// When the next attempt may be made, for all that is known now.
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The next attempt, if its time has come. It is under way from here on.
    ///
    /// # Errors
    /// Never, if the outbox keeps its own rules.
    pub fn take(&mut self, now: Duration) -> Result<Option<Attempt>, OutboxError> {
        while let Some(&(due, event)) = self.due.first().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, event));
            let open = self.open.get_mut(&event).ok_or(OutboxError::NotThere(event))?;
            let lane = self.lanes.entry(open.lane).or_default();
            if lane.busy {
                lane.parked.push((due, event));
                continue;
            }
            open.delivery = open.delivery.begin(now)?;
            lane.busy = true;
            let Delivery::UnderWay { n_attempts, .. } = open.delivery else {
                return Err(IllegalStep::NotUnderWay(open.delivery).into());
            };
            return Ok(Some(Attempt { event, number: n_attempts }));
        }
        Ok(None)
    }

    /// An attempt has ended. Where the event stands now.
    ///
    /// # Errors
    /// When no attempt of this event is under way.
    pub fn end(
        &mut self,
        event: u64,
        now: Duration,
        answer: Answer,
        spread: u8,
    ) -> Result<Delivery, OutboxError> {
        let open = self.open.get_mut(&event).ok_or(OutboxError::NotThere(event))?;
        let delivery = open.delivery.end(now, answer, &self.policy, spread)?;
        open.delivery = delivery;
        let lane_number = open.lane;
        let lane = self.lanes.entry(lane_number).or_default();
        lane.busy = false;
        self.due.extend(lane.parked.drain(..));
        if lane.untried.front().is_some_and(|(first, _)| *first == event) {
            lane.untried.pop_front();
            self.due.extend(lane.untried.front().map(|(event, due)| (*due, *event)));
        }
        match delivery {
            Delivery::Waiting { due, .. } => {
                self.due.insert((due, event));
            }
            Delivery::Delivered { .. } | Delivery::GivenUp { .. } => {
                self.open.remove(&event);
            }
            Delivery::UnderWay { .. } => return Err(IllegalStep::NotUnderWay(delivery).into()),
        }
        Ok(delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backoff::A_DAY;
    use proptest::prelude::*;
    use testbed::random::Random;

    const MINUTE: Duration = Duration::from_secs(60);

    fn outbox() -> Outbox {
        Outbox::new(Policy::try_new(MINUTE, 180 * MINUTE, A_DAY).unwrap())
    }

    #[test]
    fn what_failed_is_overtaken_and_first_attempts_follow_each_other() {
        let mut outbox = outbox();
        outbox.add(0, 7, Duration::ZERO);
        outbox.add(1, 7, Duration::ZERO);
        outbox.add(2, 8, Duration::ZERO);
        let mut take = |now| outbox.take(now).unwrap().map(|it| (it.event, it.number));
        assert_eq!(take(Duration::ZERO), Some((0, 1)));
        assert_eq!(take(Duration::ZERO), Some((2, 1)), "another device does not wait");
        assert_eq!(take(A_DAY), None, "the first of its device is under way");
        outbox.end(0, Duration::ZERO, Answer::None, 0).unwrap();
        let mut take = |now| outbox.take(now).unwrap().map(|it| (it.event, it.number));
        assert_eq!(take(Duration::ZERO), Some((1, 1)));
        assert_eq!(take(MINUTE), None, "its device is busy");
        outbox.end(1, MINUTE, Answer::Accepted, 0).unwrap();
        assert_eq!(outbox.take(MINUTE).unwrap(), Some(Attempt { event: 0, number: 2 }));
        assert_eq!(outbox.end(1, MINUTE, Answer::None, 0), Err(OutboxError::NotThere(1)));
        assert_eq!(outbox.n_open(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// Some senders at a time, answers by chance, time that jumps: in the end every event is delivered, or was tried for a day.
        #[test]
        fn every_event_comes_to_its_end(seed in any::<u64>(), n_events in 1u64..120, n_lanes in 1u64..12, fails in 0u8..=100) {
            let mut random = Random::new(seed);
            let mut outbox = outbox();
            for event in 0..n_events {
                outbox.add(event, random.below(n_lanes), MINUTE * event as u32);
            }
            let lanes: BTreeMap<u64, u64> = outbox.open.iter().map(|(event, open)| (*event, open.lane)).collect();
            let mut now = Duration::ZERO;
            let mut under_way: Vec<u64> = Vec::new();
            let mut first_tried: BTreeMap<u64, u64> = BTreeMap::new();
            let mut ended = 0;
            while outbox.n_open() > 0 {
                while under_way.len() < 5 {
                    let Some(attempt) = outbox.take(now).unwrap() else { break };
                    let lane = lanes[&attempt.event];
                    prop_assert!(under_way.iter().all(|it| lanes[it] != lane), "two of one device at a time");
                    if attempt.number == 1 {
                        let before = first_tried.insert(lane, attempt.event);
                        prop_assert!(before < Some(attempt.event), "{before:?} before {}", attempt.event);
                    }
                    under_way.push(attempt.event);
                }
                if under_way.is_empty() {
                    let due = outbox.next_due();
                    prop_assert!(due.is_some(), "{} events are open and none will ever be due", outbox.n_open());
                    now = now.max(due.unwrap());
                    continue;
                }
                let index = random.below(under_way.len() as u64) as usize;
                let event = under_way.swap_remove(index);
                now += Duration::from_secs(random.below(300));
                let answer = if random.percent(fails) { Answer::None } else { Answer::Accepted };
                match outbox.end(event, now, answer, random.bits() as u8).unwrap() {
                    Delivery::Delivered { .. } => ended += 1,
                    Delivery::GivenUp { since, at, .. } => {
                        prop_assert!(at - since >= A_DAY);
                        ended += 1;
                    }
                    Delivery::Waiting { .. } | Delivery::UnderWay { .. } => {}
                }
            }
            prop_assert_eq!(ended, n_events);
            prop_assert_eq!(outbox.next_due(), None);
        }
    }
}
