//! The embedded directory: which connected accounts own an id, and how the ids of one event agree. It learns nothing and
//! asks nobody.

use crate::subject::{IdKind, Ids};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most accounts that can own one id.
pub const MAX_PER_ID: usize = 16;

/// A connected account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Identifies the account; the order of accounts is the order of these.
    pub connected_account_id: Box<str>,
    /// The customer that it belongs to.
    pub customer_key: Option<Box<str>>,
}

/// The accounts that own one id: sorted, without repeats, never empty.
type Owners = Vec<Rc<Account>>;

/// Whose an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// Sorted by id, never empty, at most [`MAX_PER_ID`].
    pub accounts: &'a [Rc<Account>],
    /// The kind of id that found them.
    pub assigned_by: IdKind,
}

/// What the directory says of the ids of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The known ids agree.
    Assigned(Assignment<'a>),
    /// No id is known.
    Unknown,
    /// The known ids share no account.
    Conflict,
}

/// An id that more than [`MAX_PER_ID`] accounts claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyOwners;

/// The ids of one source, or those that hold for every source.
#[derive(Debug, Default)]
struct Index([BTreeMap<Box<str>, Owners>; 3]);

impl Index {
    fn of(&self, kind: IdKind) -> &BTreeMap<Box<str>, Owners> {
        let [device, bridge, access_code] = &self.0;
        match kind {
            IdKind::Device => device,
            IdKind::Bridge => bridge,
            IdKind::AccessCode => access_code,
        }
    }

    fn of_mut(&mut self, kind: IdKind) -> &mut BTreeMap<Box<str>, Owners> {
        let [device, bridge, access_code] = &mut self.0;
        match kind {
            IdKind::Device => device,
            IdKind::Bridge => bridge,
            IdKind::AccessCode => access_code,
        }
    }
}

/// Which accounts own which ids. Ordered maps: what a stranger sends cannot make a look-up slow.
#[derive(Debug)]
pub struct Accounts {
    every_source: Index,
    /// An id that stands here holds its owners for every source too.
    by_source: Vec<Index>,
}

impl Accounts {
    /// An empty directory for `sources` sources.
    #[must_use]
    pub fn new(sources: usize) -> Self {
        Self { every_source: Index::default(), by_source: (0..sources).map(|_| Index::default()).collect() }
    }

    /// Makes `account` an owner of an id, in every source if `source` is `None`. Accounts of every source come first:
    /// an id of one source takes over what holds for every source when it is first claimed.
    ///
    /// # Errors
    /// If the id has [`MAX_PER_ID`] owners already.
    pub fn claim(
        &mut self,
        source: Option<usize>,
        kind: IdKind,
        id: &str,
        account: &Rc<Account>,
    ) -> Result<(), TooManyOwners> {
        let owners = match source.and_then(|source| self.by_source.get_mut(source)) {
            None => self.every_source.of_mut(kind).entry(id.into()).or_default(),
            Some(index) => index
                .of_mut(kind)
                .entry(id.into())
                .or_insert_with(|| self.every_source.of(kind).get(id).cloned().unwrap_or_default()),
        };
        if let Err(place) = owners.binary_search(account) {
            if owners.len() == MAX_PER_ID {
                return Err(TooManyOwners);
            }
            owners.insert(place, Rc::clone(account));
        }
        Ok(())
    }

    fn owners(&self, source: usize, kind: IdKind, id: &str) -> Option<&Owners> {
        let own = self.by_source.get(source).and_then(|index| index.of(kind).get(id));
        own.or_else(|| self.every_source.of(kind).get(id))
    }

    /// Finds the accounts of an event: those of its first known id, if all known ids share an account.
    #[must_use]
    pub fn assign(&self, source: usize, ids: &Ids<'_>) -> Lookup<'_> {
        let mut known = ids.present().filter_map(|(kind, id)| Some((kind, self.owners(source, kind, id)?)));
        let Some((assigned_by, accounts)) = known.next() else { return Lookup::Unknown };
        let others = known.map(|(_, owners)| owners).collect::<Vec<_>>();
        let shared =
            |account: &Rc<Account>| others.iter().all(|owners| owners.binary_search(account).is_ok());
        if accounts.iter().any(shared) {
            Lookup::Assigned(Assignment { accounts, assigned_by })
        } else {
            Lookup::Conflict
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> Rc<Account> {
        Rc::new(Account { connected_account_id: id.into(), customer_key: None })
    }

    fn directory(claims: &[(Option<usize>, IdKind, &str, &str)]) -> Accounts {
        let mut accounts = Accounts::new(2);
        for (source, kind, id, owner) in claims {
            accounts.claim(*source, *kind, id, &account(owner)).unwrap();
        }
        accounts
    }

    fn assigned<'a>(lookup: Lookup<'a>) -> Option<(Vec<&'a str>, IdKind)> {
        let Lookup::Assigned(Assignment { accounts, assigned_by }) = lookup else { return None };
        Some((accounts.iter().map(|account| &*account.connected_account_id).collect(), assigned_by))
    }

    const D: IdKind = IdKind::Device;
    const B: IdKind = IdKind::Bridge;
    const A: IdKind = IdKind::AccessCode;

    #[test]
    fn the_first_known_id_decides_and_all_its_accounts_are_named() {
        let accounts = directory(&[
            (None, D, "d", "two"),
            (None, D, "d", "one"),
            (None, B, "b", "two"),
            (None, A, "a", "two"),
        ]);
        let ids = |device, bridge, access_code| Ids { device, bridge, access_code };
        let both = vec!["one", "two"];
        assert_eq!(assigned(accounts.assign(0, &ids(Some("d"), Some("b"), Some("a")))), Some((both, D)));
        assert_eq!(assigned(accounts.assign(0, &ids(Some("?"), Some("b"), None))), Some((vec!["two"], B)));
        assert_eq!(assigned(accounts.assign(0, &ids(None, None, Some("a")))), Some((vec!["two"], A)));
        assert_eq!(accounts.assign(0, &ids(Some("?"), None, Some("?"))), Lookup::Unknown);
    }

    #[test]
    fn known_ids_without_a_common_account_conflict() {
        let accounts = directory(&[
            (None, D, "d", "one"),
            (None, D, "d", "two"),
            (None, B, "b", "one"),
            (None, A, "a", "two"),
            (None, A, "other", "three"),
        ]);
        let ids = |bridge, access_code| Ids { device: Some("d"), bridge, access_code };
        assert!(assigned(accounts.assign(0, &ids(Some("b"), None))).is_some());
        assert!(assigned(accounts.assign(0, &ids(None, Some("a")))).is_some());
        assert_eq!(accounts.assign(0, &ids(Some("b"), Some("a"))), Lookup::Conflict);
        assert_eq!(accounts.assign(0, &ids(None, Some("other"))), Lookup::Conflict);
    }

    #[test]
    fn an_id_of_one_source_is_unknown_to_another() {
        let accounts = directory(&[
            (None, D, "shared", "every"),
            (Some(0), D, "d", "first"),
            (Some(0), D, "shared", "first"),
        ]);
        let device = |device| Ids { device: Some(device), ..Ids::default() };
        assert_eq!(assigned(accounts.assign(0, &device("d"))), Some((vec!["first"], D)));
        assert_eq!(accounts.assign(1, &device("d")), Lookup::Unknown);
        assert_eq!(assigned(accounts.assign(0, &device("shared"))), Some((vec!["every", "first"], D)));
        assert_eq!(assigned(accounts.assign(1, &device("shared"))), Some((vec!["every"], D)));
    }

    #[test]
    fn kinds_of_ids_do_not_mix() {
        let accounts = directory(&[(None, D, "x", "one")]);
        assert_eq!(accounts.assign(0, &Ids { bridge: Some("x"), ..Ids::default() }), Lookup::Unknown);
    }

    #[test]
    fn an_id_has_at_most_sixteen_owners() {
        let mut accounts = Accounts::new(1);
        for owner in 0..MAX_PER_ID {
            accounts.claim(None, D, "d", &account(&owner.to_string())).unwrap();
        }
        assert_eq!(accounts.claim(None, D, "d", &account("0")), Ok(()), "an owner already");
        assert_eq!(accounts.claim(None, D, "d", &account("one more")), Err(TooManyOwners));
    }
}
