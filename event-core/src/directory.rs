//! What is known of the account directory's answers, without asking it: pure, with the time as an argument. Who asks, and how
//! an answer travels, is the plugin's.
//!
//! | module | owns |
//! |---|---|
//! | [`question`] | an event that waits to know whose it is |
//! | [`cache`] | the answers that one worker keeps |
//! | [`lru`] | a bounded map that forgets what was used longest ago |
//! | [`slots`] | the answers that all workers share: which slot, and its bytes |
//! | [`circuit`] | when a directory that fails is left alone |
//! | [`asking`] | who waits for which answer: one question for many |
//! | [`lessons`] | links learned from accepted events |

pub mod asking;
pub mod cache;
pub mod circuit;
pub mod lessons;
pub mod lru;
pub mod question;
pub mod slots;

use crate::accounts::{Account, Assignment};
use crate::subject::IdKind;
use std::rc::Rc;

/// Accounts that own the ids of an event, and the kind of id that found them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    accounts: Rc<[Rc<Account>]>,
    assigned_by: IdKind,
}

impl Owners {
    /// Sorts the accounts. `None` if there are none, or more than [`crate::accounts::MAX_PER_ID`].
    #[must_use]
    pub fn new(accounts: Vec<Rc<Account>>, assigned_by: IdKind) -> Option<Self> {
        let mut sorted: Vec<Rc<Account>> = Vec::with_capacity(accounts.len());
        for account in accounts {
            if let Err(place) = sorted.binary_search(&account) {
                sorted.insert(place, account);
            }
        }
        (1..=crate::accounts::MAX_PER_ID)
            .contains(&sorted.len())
            .then(|| Self { accounts: sorted.into(), assigned_by })
    }

    /// Sorted, without repeats, never empty.
    #[must_use]
    pub fn accounts(&self) -> &[Rc<Account>] {
        &self.accounts
    }

    /// The kind of id that found them.
    #[must_use]
    pub const fn assigned_by(&self) -> IdKind {
        self.assigned_by
    }

    /// The accounts that an event was assigned to.
    pub(crate) fn of_assignment(assignment: Assignment<'_>) -> Self {
        Self { accounts: assignment.accounts.into(), assigned_by: assignment.assigned_by }
    }

    /// As an event is assigned.
    pub(crate) fn assignment(&self) -> Assignment<'_> {
        Assignment { accounts: &self.accounts, assigned_by: self.assigned_by }
    }

    /// The same accounts, found by another kind of id.
    fn found_by(&self, assigned_by: IdKind) -> Self {
        Self { accounts: Rc::clone(&self.accounts), assigned_by }
    }

    /// The accounts that both have, found by another kind of id. `None` if there are none.
    fn shared_with(&self, others: &[Rc<Account>], assigned_by: IdKind) -> Option<Self> {
        let same = |account: &&Rc<Account>| {
            others.iter().any(|other| other.connected_account_id == account.connected_account_id)
        };
        Self::new(self.accounts.iter().filter(same).cloned().collect(), assigned_by)
    }

    /// About how much memory they take.
    fn bytes(&self) -> usize {
        let of_account = |account: &Rc<Account>| {
            64 + account.connected_account_id.len() + account.customer_key.as_ref().map_or(0, |key| key.len())
        };
        self.accounts.iter().map(of_account).sum()
    }
}

/// What the directory said of the ids of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These own it.
    Assigned(Owners),
    /// Nobody does.
    Unknown,
    /// The ids share no account.
    Conflict,
}

/// What an event gets to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// What the directory says.
    Answered(Answer),
    /// What it said so many seconds ago; it is away now.
    Stale(Owners, u64),
    /// It is away, and nothing is known.
    Unavailable,
}
