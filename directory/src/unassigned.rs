//! Questions of the filter that led to no account, lately, for people to look at. It decides nothing, and is not stored.
//!
//! It lives in memory, on purpose: strangers cause such questions at will, and each would be a write that waits for the disk.
//! Nothing is lost with it: what was put off comes again, and is asked for again. Each process has its own.
//!
//! Invariant: there are at most [`MOST`]. When one more comes, the oldest of the source that has most of them goes: whoever
//! floods one source pushes out what is of that source.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use directory_api::{AssignedBy, Ids};

/// How many are kept. With three ids of 1024 bytes each, kept twice, that is 6 MB at the worst.
pub const MOST: usize = 1000;

/// Why something is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nobody owns any of the ids.
    Unknown,
    /// Those who own them are not the same.
    Conflict,
    /// An accepted event contradicted what links said of an id; they are gone.
    Contradiction,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unknown, Self::Conflict, Self::Contradiction];

    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Conflict => "conflict",
            Self::Contradiction => "contradiction",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Ids that led to no account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Later ones have larger numbers; one that is seen again gets a new one.
    pub number: u64,
    /// Why it is here.
    pub reason: Reason,
    /// The source of the event.
    pub source: String,
    /// By kind, in the order of [`AssignedBy::ALL`], as they were the last time.
    pub ids: [Option<String>; 3],
    /// How often.
    pub times_seen: u64,
    /// When it was first, in Unix milliseconds.
    pub first_seen_at: i64,
    /// When it was last, in Unix milliseconds.
    pub last_seen_at: i64,
}

impl Sighting {
    /// The ids, to ask for them again.
    #[must_use]
    pub fn ids(&self) -> Ids<'_> {
        let [device_id, bridge_id, access_code_id] = self.ids.each_ref().map(Option::as_deref);
        Ids { device_id, bridge_id, access_code_id }
    }
}

/// Which of them; what is `None` does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// The source of the event.
    pub source: Option<&'a str>,
    /// Why it is here.
    pub reason: Option<Reason>,
}

/// What is seen as the same thing again.
type Key = (Reason, [Option<String>; 3]);

#[derive(Debug, Default)]
struct OfSource {
    numbers: BTreeMap<Key, u64>,
    sightings: BTreeMap<u64, (Key, Sighting)>,
}

#[derive(Debug, Default)]
struct Inner {
    sources: BTreeMap<String, OfSource>,
    n_sightings: usize,
    last_number: u64,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub struct Unassigned(Mutex<Inner>);

impl Unassigned {
    /// Remembers a question.
    pub fn saw(&self, reason: Reason, source: &str, ids: &Ids<'_>, now: i64) {
        let all = AssignedBy::ALL.map(|kind| ids.get(kind).map(str::to_owned));
        let key = (reason, key_of(reason, all.clone()));
        let mut inner = self.lock();
        inner.last_number += 1;
        let number = inner.last_number;
        let seen = inner.remove(source, &key);
        if seen.is_none() && inner.n_sightings >= MOST {
            inner.make_room();
        }
        let (times_seen, first_seen_at) =
            seen.map_or((0, now), |sighting| (sighting.times_seen, sighting.first_seen_at));
        let sighting = Sighting {
            number,
            reason,
            source: source.to_owned(),
            ids: all,
            times_seen: times_seen.saturating_add(1),
            first_seen_at,
            last_seen_at: now,
        };
        let of_source = inner.sources.entry(source.to_owned()).or_default();
        of_source.numbers.insert(key.clone(), number);
        of_source.sightings.insert(number, (key, sighting));
        inner.n_sightings += 1;
    }

    /// Forgets one, unless it was seen again since it got this number.
    pub fn forget(&self, source: &str, number: u64) {
        let mut inner = self.lock();
        let of_source = inner.sources.get(source);
        let key = of_source.and_then(|it| it.sightings.get(&number)).map(|(key, _)| key.clone());
        if let Some(key) = key {
            inner.remove(source, &key);
        }
    }

    /// Up to `limit` of them with smaller numbers than `before`, newest first.
    pub fn before(&self, which: Which<'_>, before: u64, limit: usize) -> Vec<Sighting> {
        let inner = self.lock();
        let sources = inner.sources.iter().filter(|(name, _)| which.source.is_none_or(|it| it == *name));
        let mut found: Vec<&Sighting> = sources
            .flat_map(|(_, of_source)| of_source.sightings.range(..before))
            .map(|(_, (_, sighting))| sighting)
            .filter(|sighting| which.reason.is_none_or(|it| it == sighting.reason))
            .collect();
        found.sort_unstable_by_key(|sighting| std::cmp::Reverse(sighting.number));
        found.into_iter().take(limit).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whoever held it did not panic between two of its changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An unknown device with every new code of its own is one thing: the first id says which, as it would say the account.
fn key_of(reason: Reason, mut ids: [Option<String>; 3]) -> [Option<String>; 3] {
    if reason == Reason::Unknown
        && let Some(first) = ids.iter().position(Option::is_some)
    {
        ids.iter_mut().skip(first + 1).for_each(|id| *id = None);
    }
    ids
}

impl Inner {
    fn remove(&mut self, source: &str, key: &Key) -> Option<Sighting> {
        let of_source = self.sources.get_mut(source)?;
        let number = of_source.numbers.remove(key)?;
        let removed = of_source.sightings.remove(&number);
        if of_source.sightings.is_empty() {
            self.sources.remove(source);
        }
        self.n_sightings -= usize::from(removed.is_some());
        removed.map(|(_, sighting)| sighting)
    }

    fn make_room(&mut self) {
        let fullest = self.sources.iter().max_by_key(|(_, of_source)| of_source.sightings.len());
        let oldest = fullest.and_then(|(source, of_source)| {
            let (_, (key, _)) = of_source.sightings.first_key_value()?;
            Some((source.clone(), key.clone()))
        });
        if let Some((source, key)) = oldest {
            self.remove(&source, &key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str) -> Ids<'_> {
        Ids { device_id: Some(id), ..Ids::default() }
    }

    fn shown(unassigned: &Unassigned, which: Which<'_>) -> Vec<String> {
        let all = unassigned.before(which, u64::MAX, usize::MAX);
        let text = |it: &Sighting| {
            let ids: Vec<_> = it.ids().present().map(|(_, id)| id.to_owned()).collect();
            format!("{} {} {} x{}", it.source, it.reason.name(), ids.join("+"), it.times_seen)
        };
        all.iter().map(text).collect()
    }

    #[test]
    fn what_is_seen_again_is_counted_and_comes_first() {
        let unassigned = Unassigned::default();
        let with_code = |code| Ids { access_code_id: Some(code), ..device("d") };
        unassigned.saw(Reason::Unknown, "acme", &with_code("c1"), 5);
        unassigned.saw(Reason::Unknown, "acme", &device("e"), 6);
        unassigned.saw(Reason::Unknown, "other", &device("d"), 7);
        unassigned.saw(Reason::Unknown, "acme", &with_code("c2"), 8);
        unassigned.saw(Reason::Conflict, "acme", &with_code("c1"), 9);
        unassigned.saw(Reason::Conflict, "acme", &with_code("c2"), 10);
        let all = shown(&unassigned, Which::default());
        assert_eq!(all[..2], ["acme conflict d+c2 x1", "acme conflict d+c1 x1"]);
        assert_eq!(all[2..], ["acme unknown d+c2 x2", "other unknown d x1", "acme unknown e x1"]);
        let again = &unassigned.before(Which::default(), u64::MAX, 3)[2];
        assert_eq!((again.first_seen_at, again.last_seen_at), (5, 8));
        let of_acme = Which { source: Some("acme"), reason: Some(Reason::Unknown) };
        assert_eq!(shown(&unassigned, of_acme), ["acme unknown d+c2 x2", "acme unknown e x1"]);
    }

    #[test]
    fn pages_follow_each_other_and_what_is_forgotten_is_gone() {
        let unassigned = Unassigned::default();
        for id in ["a", "b", "c"] {
            unassigned.saw(Reason::Unknown, "acme", &device(id), 1);
        }
        let first = unassigned.before(Which::default(), u64::MAX, 2);
        let rest = unassigned.before(Which::default(), first[1].number, 2);
        assert_eq!(rest.len(), 1);
        // Seen again since: the old number says nothing any more.
        unassigned.saw(Reason::Unknown, "acme", &device("a"), 2);
        unassigned.forget("acme", rest[0].number);
        unassigned.forget("acme", first[0].number);
        unassigned.forget("nobody", 1);
        assert_eq!(shown(&unassigned, Which::default()), ["acme unknown a x2", "acme unknown b x1"]);
    }

    #[test]
    fn a_flood_of_one_source_leaves_the_others_alone_and_the_number_bounded() {
        let unassigned = Unassigned::default();
        unassigned.saw(Reason::Unknown, "quiet", &device("mine"), 1);
        for number in 0..3 * MOST {
            let (id, source) = (number.to_string(), if number % 3 == 0 { "less" } else { "flood" });
            unassigned.saw(Reason::Unknown, source, &device(&id), 2);
        }
        let of = |source| shown(&unassigned, Which { source, reason: None });
        assert_eq!(of(None).len(), MOST);
        assert_eq!(of(Some("quiet")), ["quiet unknown mine x1"]);
        assert!(of(Some("less")).len() >= MOST / 3, "{}", of(Some("less")).len());
        let newest = unassigned.before(Which::default(), u64::MAX, 1).remove(0);
        assert_eq!(newest.ids().device_id, Some((3 * MOST - 1).to_string().as_str()));
        // What is known does not need room.
        unassigned.saw(Reason::Unknown, "quiet", &device("mine"), 3);
        assert_eq!(of(None).len(), MOST);
        let many_sources = (0..2 * MOST).map(|number| format!("s{number}"));
        many_sources.for_each(|source| unassigned.saw(Reason::Unknown, &source, &device("d"), 4));
        assert_eq!(of(None).len(), MOST);
    }
}
