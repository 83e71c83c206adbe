//! Links learned from accepted events: which other id of an event now finds its account. What the directory makes of them is
//! its own; what an unverified source sends teaches nothing and does not come here.
//!
//! Only a device teaches, since only devices are never learned themselves: no chains. An access code counts at once, a bridge
//! after two distinct devices that share an account.

use super::Owners;
use super::cache::{Cache, age_ms};
use super::lru::Lru;
use super::question::Subject;
use crate::subject::IdKind;

/// For how long a link is not sent again.
const REPEAT_MS: u64 = 600_000;

/// How many links one worker sends in a second.
const LINKS_PER_S: u32 = 64;

/// How many links, and how many bridges with one device, are remembered.
const ENTRIES: usize = 4_096;
/// Bytes of either.
const BYTES: usize = 1024 * 1024;

/// What an event teaches once upstream has accepted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    pub(crate) subject: Subject,
    pub(crate) owners: Owners,
}

impl Lesson {
    /// The ids that the event carried.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }
}

/// What one worker has learned and told.
#[derive(Debug)]
pub struct Lessons {
    /// When a link was sent.
    sent: Lru<Subject, u64>,
    /// Bridges that one device has shown.
    bridges: Lru<Subject, Sighting>,
    second: u64,
    n_in_second: u32,
}

/// A bridge beside one device.
#[derive(Debug)]
struct Sighting {
    device: Box<str>,
    owners: Owners,
}

impl Default for Lessons {
    fn default() -> Self {
        Self { sent: Lru::new(ENTRIES, BYTES), bridges: Lru::new(ENTRIES, BYTES), second: 0, n_in_second: 0 }
    }
}

impl Lessons {
    /// Puts into the cache what an accepted event has shown.
    pub fn learn(&mut self, lesson: &Lesson, cache: &mut Cache, now_ms: u64) {
        let ids = lesson.subject.ids();
        let Some(device) = ids.device.filter(|_| lesson.owners.assigned_by() == IdKind::Device) else {
            return;
        };
        if let Some(access_code) = ids.access_code {
            let owners = lesson.owners.found_by(IdKind::AccessCode);
            cache.learn(&lesson.subject.alone(IdKind::AccessCode, access_code), &owners, now_ms);
        }
        if let Some(bridge) = ids.bridge {
            let bridge = lesson.subject.alone(IdKind::Bridge, bridge);
            self.learn_bridge(bridge, device, lesson.owners.found_by(IdKind::Bridge), cache, now_ms);
        }
    }

    fn learn_bridge(
        &mut self,
        bridge: Subject,
        device: &str,
        owners: Owners,
        cache: &mut Cache,
        now_ms: u64,
    ) {
        if let Some(first) = self.bridges.get(&bridge)
            && let Some(shared) = first.owners.shared_with(owners.accounts(), IdKind::Bridge)
        {
            if *first.device != *device {
                cache.learn(&bridge, &shared, now_ms);
            }
            return;
        }
        // The first device, or one that contradicts it.
        cache.unlearn(&bridge);
        let bytes = bridge.len() + device.len() + owners.bytes();
        self.bridges.put(bridge, Sighting { device: device.into(), owners }, bytes);
    }

    /// Whether the directory is told now: not of a link that it was told of lately, and not of too many at a time.
    pub fn tell(&mut self, lesson: &Lesson, now_ms: u64) -> bool {
        if self.sent.get(&lesson.subject).is_some_and(|sent_ms| age_ms(now_ms, *sent_ms) < REPEAT_MS) {
            return false;
        }
        let second = now_ms / 1_000;
        if second != self.second {
            self.second = second;
            self.n_in_second = 0;
        }
        if self.n_in_second >= LINKS_PER_S {
            return false;
        }
        self.n_in_second += 1;
        self.sent.put(lesson.subject.clone(), now_ms, lesson.subject.len());
        true
    }
}

#[cfg(test)]
mod tests;
