//! What an event is about, and whose it is as far as the configuration knows.

use event_core::ValidEvent;
use event_core::accounts::{Account, Lookup};
use event_core::subject::{IdKind, Ids};
use event_core::trial::Trial;
use serde::Serialize;

/// The ids that are taken, and how they are assigned.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subject {
    ids: Vec<Id>,
    /// The kind of id that found the accounts.
    assigned_by: Option<&'static str>,
    /// Whose the event is.
    accounts: Vec<Owner>,
}

/// An id.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Id {
    kind: &'static str,
    id: String,
    /// Who owns this one alone.
    owners: Vec<String>,
}

/// An account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    connected_account_id: String,
    customer_key: Option<String>,
}

impl Owner {
    fn of(account: &Account) -> Self {
        Self {
            connected_account_id: account.connected_account_id.to_string(),
            customer_key: account.customer_key.as_deref().map(str::to_owned),
        }
    }
}

impl Subject {
    pub(super) fn of(trial: &Trial, event: &ValidEvent<'_>) -> Self {
        let subject = event.subject();
        let id = |(kind, id): (IdKind, &str)| Id {
            kind: kind.name(),
            id: id.to_owned(),
            owners: owners(&trial.owners(&alone(kind, id)))
                .into_iter()
                .map(|it| it.connected_account_id)
                .collect(),
        };
        let lookup = trial.owners(subject.ids());
        let assigned_by = match &lookup {
            Lookup::Assigned(assignment) => Some(assignment.assigned_by.name()),
            Lookup::Unknown | Lookup::Conflict => None,
        };
        Self { ids: subject.ids().present().map(id).collect(), assigned_by, accounts: owners(&lookup) }
    }
}

fn owners(lookup: &Lookup<'_>) -> Vec<Owner> {
    match lookup {
        Lookup::Assigned(assignment) => {
            assignment.accounts.iter().map(|account| Owner::of(account)).collect()
        }
        Lookup::Unknown | Lookup::Conflict => Vec::new(),
    }
}

fn alone(kind: IdKind, id: &str) -> Ids<'_> {
    let of = |other| (kind == other).then_some(id);
    Ids { device: of(IdKind::Device), bridge: of(IdKind::Bridge), access_code: of(IdKind::AccessCode) }
}
