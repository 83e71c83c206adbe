//! The answers that one worker keeps. It does not ask, and what the workers share is in `slots`.
//!
//! "Unknown" and "in conflict" stand apart from assignments: whoever sends ids that nobody owns pushes out only those.

use super::lru::Lru;
use super::question::Subject;
use super::{Answer, Owners};
use crate::config::CacheSettings;

/// The answers of one worker. Times are milliseconds since 1970.
#[derive(Debug)]
pub struct Cache {
    settings: CacheSettings,
    assigned: Lru<Subject, Assigned>,
    others: Lru<Subject, Other>,
}

#[derive(Debug)]
struct Assigned {
    owners: Owners,
    said_ms: u64,
    /// From an event and not from the directory.
    learned: bool,
}

#[derive(Clone, Copy, Debug)]
struct Other {
    conflict: bool,
    said_ms: u64,
}

/// What is kept of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Young enough to be used without asking.
    Fresh(Answer),
    /// To be used only while the directory is away; so many seconds old.
    Stale(Owners, u64),
    /// Nothing.
    Nothing,
}

/// How old something is. What comes from the future, because the clock was set back, is too old for anything.
pub(super) fn age_ms(now_ms: u64, said_ms: u64) -> u64 {
    now_ms.checked_sub(said_ms).unwrap_or(u64::MAX)
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub const fn new(settings: CacheSettings) -> Self {
        Self {
            settings,
            assigned: Lru::new(settings.entries, settings.bytes),
            others: Lru::new(settings.entries.div_ceil(4), settings.bytes / 4),
        }
    }

    /// What is kept of this subject.
    pub fn find(&mut self, subject: &Subject, now_ms: u64) -> Found {
        let stale = match self.assigned.get(subject) {
            None => None,
            Some(Assigned { owners, said_ms, .. }) => match judge_age(&self.settings, now_ms, *said_ms) {
                Age::Fresh => return Found::Fresh(Answer::Assigned(owners.clone())),
                Age::Stale(age_s) => Some((owners.clone(), age_s)),
                Age::TooOld => None,
            },
        };
        if let Some(Other { conflict, said_ms }) = self.others.get(subject)
            && age_ms(now_ms, *said_ms) < self.settings.unknown_ms
        {
            return Found::Fresh(if *conflict { Answer::Conflict } else { Answer::Unknown });
        }
        stale.map_or(Found::Nothing, |(owners, age_s)| Found::Stale(owners, age_s))
    }

    /// Keeps what the directory said at `said_ms`: it replaces all that was known of the subject.
    pub fn keep(&mut self, subject: &Subject, answer: &Answer, said_ms: u64) {
        let conflict = match answer {
            Answer::Assigned(owners) => {
                self.others.remove(subject);
                let bytes = subject.len() + owners.bytes();
                let entry = Assigned { owners: owners.clone(), said_ms, learned: false };
                return self.assigned.put(subject.clone(), entry, bytes);
            }
            Answer::Unknown => false,
            Answer::Conflict => true,
        };
        self.assigned.remove(subject);
        if self.settings.unknown_ms > 0 {
            self.others.put(subject.clone(), Other { conflict, said_ms }, subject.len());
        }
    }

    /// Keeps what an event has shown. What the directory said goes before it; what another event has shown must share an
    /// account, or both are forgotten.
    pub(super) fn learn(&mut self, subject: &Subject, owners: &Owners, now_ms: u64) {
        let known = match self.assigned.get(subject) {
            Some(entry) if judge_age(&self.settings, now_ms, entry.said_ms) == Age::Fresh => {
                Some((entry.learned, entry.owners.shared_with(owners.accounts(), owners.assigned_by())))
            }
            Some(_) | None => None,
        };
        let owners = match known {
            Some((false, _)) => return,
            Some((true, None)) => {
                self.assigned.remove(subject);
                return;
            }
            Some((true, Some(shared))) => shared,
            None => owners.clone(),
        };
        self.others.remove(subject);
        let bytes = subject.len() + owners.bytes();
        self.assigned.put(subject.clone(), Assigned { owners, said_ms: now_ms, learned: true }, bytes);
    }

    /// Forgets what events have shown; what the directory said stays.
    pub(super) fn unlearn(&mut self, subject: &Subject) {
        if self.assigned.get(subject).is_some_and(|entry| entry.learned) {
            self.assigned.remove(subject);
        }
    }

    /// Bytes of all entries.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.assigned.bytes() + self.others.bytes()
    }
}

/// How an assignment of some age may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    Stale(u64),
    TooOld,
}

fn judge_age(settings: &CacheSettings, now_ms: u64, said_ms: u64) -> Age {
    let age_ms = age_ms(now_ms, said_ms);
    if age_ms < settings.fresh_ms {
        Age::Fresh
    } else if age_ms < settings.fresh_ms + settings.stale_ms {
        Age::Stale(age_ms / 1_000)
    } else {
        Age::TooOld
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Account;
    use crate::edge::SourceIndex;
    use crate::subject::{IdKind, Ids};
    use std::rc::Rc;

    const SETTINGS: CacheSettings = CacheSettings {
        entries: 100,
        bytes: 100_000,
        fresh_ms: 10_000,
        unknown_ms: 2_000,
        stale_ms: 60_000,
        shared_slots: 0,
    };

    fn subject(device: &str) -> Subject {
        Subject::new(SourceIndex(0), &Ids { device: Some(device), ..Ids::default() })
    }

    fn owners(ids: &[&str]) -> Owners {
        let account = |id: &&str| Rc::new(Account { connected_account_id: (*id).into(), customer_key: None });
        Owners::new(ids.iter().map(account).collect(), IdKind::Device).unwrap()
    }

    fn assigned(ids: &[&str]) -> Answer {
        Answer::Assigned(owners(ids))
    }

    #[test]
    fn an_assignment_is_fresh_then_stale_then_gone() {
        let mut cache = Cache::new(SETTINGS);
        cache.keep(&subject("d"), &assigned(&["a"]), 1_000_000);
        for (now_ms, found) in [
            (1_000_000, Found::Fresh(assigned(&["a"]))),
            (1_009_999, Found::Fresh(assigned(&["a"]))),
            (1_010_000, Found::Stale(owners(&["a"]), 10)),
            (1_069_999, Found::Stale(owners(&["a"]), 69)),
            (1_070_000, Found::Nothing),
            (999_999, Found::Nothing),
        ] {
            assert_eq!(cache.find(&subject("d"), now_ms), found, "{now_ms}");
        }
    }

    #[test]
    fn unknown_and_conflict_are_short_and_never_stale() {
        for answer in [Answer::Unknown, Answer::Conflict] {
            let mut cache = Cache::new(SETTINGS);
            cache.keep(&subject("d"), &answer, 0);
            assert_eq!(cache.find(&subject("d"), 1_999), Found::Fresh(answer));
            assert_eq!(cache.find(&subject("d"), 2_000), Found::Nothing);
        }
        let mut cache = Cache::new(CacheSettings { unknown_ms: 0, ..SETTINGS });
        cache.keep(&subject("d"), &Answer::Unknown, 0);
        assert_eq!((cache.find(&subject("d"), 0), cache.bytes()), (Found::Nothing, 0));
    }

    #[test]
    fn the_last_answer_counts() {
        let mut cache = Cache::new(SETTINGS);
        cache.keep(&subject("d"), &assigned(&["a"]), 0);
        cache.keep(&subject("d"), &Answer::Unknown, 1);
        assert_eq!(cache.find(&subject("d"), 2), Found::Fresh(Answer::Unknown));
        assert_eq!(
            cache.find(&subject("d"), 5_000),
            Found::Nothing,
            "an account that has gone is not used stale"
        );
        cache.keep(&subject("d"), &assigned(&["b"]), 3);
        assert_eq!(cache.find(&subject("d"), 4), Found::Fresh(assigned(&["b"])));
    }

    #[test]
    fn any_number_of_unknown_ids_pushes_no_assignment_out() {
        let mut cache = Cache::new(SETTINGS);
        for number in 0..100 {
            cache.keep(&subject(&format!("owned {number}")), &assigned(&["a"]), 0);
        }
        for number in 0..10_000 {
            cache.keep(&subject(&format!("unknown {number}")), &Answer::Unknown, 0);
        }
        assert!(cache.bytes() <= SETTINGS.bytes + SETTINGS.bytes / 4);
        for number in 0..100 {
            assert_ne!(cache.find(&subject(&format!("owned {number}")), 0), Found::Nothing, "{number}");
        }
    }

    #[test]
    fn what_events_show_gives_way_to_what_the_directory_says() {
        let mut cache = Cache::new(SETTINGS);
        cache.learn(&subject("d"), &owners(&["a", "b"]), 0);
        assert_eq!(cache.find(&subject("d"), 0), Found::Fresh(assigned(&["a", "b"])));
        cache.learn(&subject("d"), &owners(&["b", "c"]), 0);
        assert_eq!(cache.find(&subject("d"), 0), Found::Fresh(assigned(&["b"])));
        cache.learn(&subject("d"), &owners(&["c"]), 0);
        assert_eq!(cache.find(&subject("d"), 0), Found::Nothing, "a contradiction: ask");
        cache.keep(&subject("d"), &assigned(&["z"]), 0);
        cache.learn(&subject("d"), &owners(&["c"]), 0);
        assert_eq!(cache.find(&subject("d"), 0), Found::Fresh(assigned(&["z"])));
        cache.keep(&subject("e"), &Answer::Unknown, 0);
        cache.learn(&subject("e"), &owners(&["c"]), 0);
        assert_eq!(cache.find(&subject("e"), 0), Found::Fresh(assigned(&["c"])));
    }
}
