//! What a reply of the directory means. It waits for none and keeps none.

use crate::callout::Reply;
use crate::metrics::Callout;
use directory_api::{AssignedBy, Resolved};
use event_core::accounts::Account;
use event_core::directory::{Answer, Owners};
use event_core::json::{self, MAX_DEPTH};
use event_core::subject::IdKind;
use std::rc::Rc;

/// What a reply means.
pub(super) enum Meaning {
    /// The directory answered.
    Answer(Answer),
    /// It is not well: the next question would fare no better.
    Away,
    /// It has nothing to say that can be used, about this question.
    Unusable,
}

impl Meaning {
    /// What the question is counted as.
    pub(super) fn counts_as(&self, reply: &Reply) -> Callout {
        match (self, reply.status) {
            (Self::Answer(Answer::Conflict), _) => Callout::Conflict,
            (Self::Answer(_), _) => Callout::Ok,
            (Self::Unusable, _) => Callout::Unusable,
            (Self::Away, Some(504)) => Callout::Timeout,
            (Self::Away, _) => Callout::Error,
        }
    }
}

pub(super) fn read(reply: &Reply) -> Meaning {
    match reply.status {
        Some(200) => reply.body.as_deref().and_then(read_body).map_or(Meaning::Unusable, Meaning::Answer),
        Some(409) => Meaning::Answer(Answer::Conflict),
        // About the ids in the question.
        Some(400 | 413 | 414 | 422 | 431) => Meaning::Unusable,
        Some(_) | None => Meaning::Away,
    }
}

fn read_body(body: &[u8]) -> Option<Answer> {
    let resolved = Resolved::from_value(&json::parse(body, MAX_DEPTH).ok()?).ok()?;
    let Some(assigned_by) = resolved.assigned_by else { return Some(Answer::Unknown) };
    let account = |account: directory_api::Account| {
        Rc::new(Account {
            connected_account_id: account.connected_account_id.into(),
            customer_key: account.customer_key.map(Into::into),
        })
    };
    let assigned_by = match assigned_by {
        AssignedBy::DeviceId => IdKind::Device,
        AssignedBy::BridgeId => IdKind::Bridge,
        AssignedBy::AccessCodeId => IdKind::AccessCode,
    };
    Owners::new(resolved.accounts.into_iter().map(account).collect(), assigned_by).map(Answer::Assigned)
}
