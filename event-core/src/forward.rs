//! The headers that a forwarded event gets. The body is not touched, and nothing here refuses an event.

use crate::accounts::Account;
use crate::config::{Config, Source};
use crate::event_id::content_id;
use crate::headers::{self, encode, encode_into};
use crate::subject::IdKind;
use crate::{Assignment, ValidEvent};
use std::borrow::Cow;
use std::rc::Rc;

/// A header to add: a lower-case name and a value of visible ASCII.
pub type Header<'e> = (&'static str, Cow<'e, str>);

/// The most headers that one event gets.
const MOST: usize = 19;

/// The headers for an event, each name once. Without an assignment none names an account.
pub(crate) fn headers<'e>(
    config: &'e Config,
    source: &'e Source,
    event: &ValidEvent<'_>,
    assignment: Option<Assignment<'_>>,
    body: &[u8],
) -> Vec<Header<'e>> {
    let mut list: Vec<Header<'e>> = Vec::with_capacity(MOST);
    let id = content_id(&source.name, body);
    list.push((headers::IDEMPOTENCY_KEY, id.clone().into()));
    list.push((headers::EVENT_ID, id.into()));
    list.push((headers::EVENT_TYPE, event.event_type().to_owned().into()));
    list.push((headers::EVENT_TIMESTAMP, event.timestamp().to_string().into()));
    // The names of sources and environments are plain ASCII by their own rules.
    list.push((headers::EVENT_SOURCE, (&*source.name).into()));
    list.push((headers::EVENT_ENVIRONMENT, (&*config.environment).into()));
    let subject = event.subject();
    for (kind, id) in subject.ids().present() {
        list.push((id_header(kind), encode(id).into()));
    }
    if let Some(first) = subject.first() {
        list.push((headers::EVENT_PARTITION_KEY, partition_key(&source.name, first).into()));
    }
    if let Some(assignment) = assignment {
        list.push((
            headers::CONNECTED_ACCOUNT_ID,
            join(assignment, |account| &account.connected_account_id).into(),
        ));
        list.push((
            headers::CUSTOMER_KEY,
            join(assignment, |account| account.customer_key.as_deref().unwrap_or_default()).into(),
        ));
        list.push((headers::ASSIGNED_BY, assignment.assigned_by.name().into()));
    }
    list.extend(config.delivery.router_headers.iter().map(|(name, value)| (*name, Cow::Borrowed(&**value))));
    list
}

const fn id_header(kind: IdKind) -> &'static str {
    match kind {
        IdKind::Device => headers::DEVICE_ID,
        IdKind::Bridge => headers::BRIDGE_ID,
        IdKind::AccessCode => headers::ACCESS_CODE_ID,
    }
}

/// The name of a source has no `/`, so two sources never share a key.
fn partition_key(source: &str, id: &str) -> String {
    let mut key = String::with_capacity(source.len() + 1 + id.len());
    key.push_str(source);
    key.push('/');
    encode_into(&mut key, id);
    key
}

/// Commas inside an item are escaped, so the list can be split at them.
fn join<'a>(assignment: Assignment<'a>, item: impl Fn(&'a Account) -> &'a str) -> String {
    let mut list = String::new();
    for (index, account) in assignment.accounts.iter().map(Rc::as_ref).enumerate() {
        if index > 0 {
            list.push(',');
        }
        encode_into(&mut list, item(account));
    }
    list
}
