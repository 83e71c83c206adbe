//! The answer of a directory: the accounts of an event. It does not say how they were found.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

impl Account {
    fn from_value(value: &Value) -> Result<Self, ReadError> {
        let members = value.as_object().ok_or(ReadError::OtherShape)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(ReadError::OtherShape);
        Ok(Self {
            connected_account_id: text(members.get("connected_account_id").ok_or(ReadError::OtherShape)?)?,
            customer_key: match members.get("customer_key") {
                None | Some(Value::Null) => None,
                Some(key) => Some(text(key)?),
            },
        })
    }
}

impl Resolved {
    /// Reads an answer. The accounts need not be sorted, and one that is repeated word for word counts once.
    ///
    /// # Errors
    /// If the body is no answer, or is outside the bounds.
    pub fn from_json(body: &[u8]) -> Result<Self, ReadError> {
        let wire: Wire = read::object(body, MAX_RESOLVED_BYTES)?;
        Self::new(wire.accounts.into_iter().map(|account| account.0).collect(), wire.assigned_by)
    }

    /// The same of a JSON value that another strict parser has read: for a filter, that has one and counts bytes of code.
    ///
    /// # Errors
    /// If the value is no answer, or is outside the bounds.
    pub fn from_value(value: &Value) -> Result<Self, ReadError> {
        let members = value.as_object().ok_or(ReadError::OtherShape)?;
        let accounts = members.get("accounts").and_then(Value::as_array).ok_or(ReadError::OtherShape)?;
        let assigned_by = match members.get("assigned_by") {
            None | Some(Value::Null) => None,
            Some(name) => {
                let kind = AssignedBy::ALL.into_iter().find(|kind| name == kind.name());
                Some(kind.ok_or(ReadError::OtherShape)?)
            }
        };
        Self::new(accounts.iter().map(Account::from_value).collect::<Result<_, _>>()?, assigned_by)
    }

    fn new(mut accounts: Vec<Account>, assigned_by: Option<AssignedBy>) -> Result<Self, ReadError> {
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
        if accounts.is_empty() != assigned_by.is_none() {
            return Err(ReadError::AssignedByMismatch);
        }
        Ok(Self { accounts, assigned_by })
    }

    /// The body of an answer.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and an enum: this cannot fail, and an empty body is refused by every reader.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
