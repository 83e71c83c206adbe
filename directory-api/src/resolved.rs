//! The answer of a directory: the accounts of an event. It does not say how they were found.

use serde::{Deserialize, Serialize};

use crate::read::{self, Object};
use crate::{AssignedBy, ReadError, is_id};

/// The most accounts that can own one id.
pub const MAX_ACCOUNTS: usize = 16;

/// The largest answer, in bytes.
pub const MAX_RESOLVED_BYTES: usize = 64 * 1024;

/// A connected account. The order of accounts is the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account {
    /// Identifies the account.
    pub connected_account_id: String,
    /// The customer that it belongs to.
    #[serde(default)]
    pub customer_key: Option<String>,
}

/// The accounts of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// Sorted by id, each once, at most [`MAX_ACCOUNTS`]; empty if no id is known.
    pub accounts: Vec<Account>,
    /// The kind of id that found them; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_by: Option<AssignedBy>,
}

/// As it is sent. Unknown members pass, so that a newer directory can say more.
#[derive(Deserialize)]
struct Wire {
    accounts: Vec<Object<Account>>,
    #[serde(default)]
    assigned_by: Option<AssignedBy>,
}

impl Resolved {
    /// Reads an answer. The accounts need not be sorted, and one that is repeated word for word counts once.
    ///
    /// # Errors
    /// If the body is no answer, or is outside the bounds.
    pub fn from_json(body: &[u8]) -> Result<Self, ReadError> {
        let wire: Wire = read::object(body, MAX_RESOLVED_BYTES)?;
        let mut accounts: Vec<Account> = wire.accounts.into_iter().map(|account| account.0).collect();
        for account in &accounts {
            if !is_id(&account.connected_account_id) {
                return Err(ReadError::NotAnId { member: "connected_account_id" });
            }
            if !account.customer_key.as_deref().is_none_or(is_id) {
                return Err(ReadError::NotAnId { member: "customer_key" });
            }
        }
        accounts.sort_unstable();
        accounts.dedup();
        if accounts.len() > MAX_ACCOUNTS {
            return Err(ReadError::TooManyAccounts);
        }
        let mut pairs = accounts.iter().zip(accounts.iter().skip(1));
        if pairs.any(|(one, next)| one.connected_account_id == next.connected_account_id) {
            return Err(ReadError::AccountTwice);
        }
        if accounts.is_empty() != wire.assigned_by.is_none() {
            return Err(ReadError::AssignedByMismatch);
        }
        Ok(Self { accounts, assigned_by: wire.assigned_by })
    }

    /// The body of an answer.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and an enum: this cannot fail, and an empty body is refused by every reader.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
