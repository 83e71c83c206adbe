//! The headers that a forwarded event gets. The body is not touched, and nothing here refuses an event.

use crate::accounts::Account;
use crate::config::{Config, Source};
use crate::headers::{self, encode_into};
use crate::subject::IdKind;
use crate::{Assignment, ValidEvent};
use std::fmt::Write as _;
use std::rc::Rc;

/// The headers to add to one event. All values that depend on the event stand in one string: this is made for every event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardHeaders<'e> {
    /// The values of `own`, one behind the other.
    values: String,
    /// Names, and where in `values` each value ends; it starts where the one before ends.
    own: Vec<(&'static str, usize)>,
    /// The same for every event.
    fixed: [(&'static str, &'e str); 2],
    /// What the router reads and takes off.
    router: &'e [(&'static str, Box<str>)],
}

impl ForwardHeaders<'_> {
    /// Names (lower-case) and values (visible ASCII, or empty), each name once.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let mut start = 0;
        let own = self.own.iter().map(move |(name, end)| {
            let value = self.values.get(start..*end).unwrap_or_default();
            start = *end;
            (*name, value)
        });
        own.chain(self.fixed).chain(self.router.iter().map(|(name, value)| (*name, &**value)))
    }

    /// The value of a header, if the event has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Adds a header whose value `write` writes.
    fn push(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        write(&mut self.values);
        self.own.push((name, self.values.len()));
    }
}

/// Enough for the values of a usual event.
const USUAL_VALUES: usize = 512;
/// The most headers that depend on the event.
const MOST_OWN: usize = 11;

/// The headers for an event whose id is `id`, visible ASCII. Without an assignment none names an account.
pub(crate) fn headers<'e>(
    config: &'e Config,
    source: &'e Source,
    event: &ValidEvent<'_>,
    assignment: Option<Assignment<'_>>,
    id: &str,
) -> ForwardHeaders<'e> {
    let mut headers = ForwardHeaders {
        values: String::with_capacity(USUAL_VALUES),
        own: Vec::with_capacity(MOST_OWN),
        // The names of sources and environments are plain ASCII by their own rules.
        fixed: [(headers::EVENT_SOURCE, &source.name), (headers::EVENT_ENVIRONMENT, &config.environment)],
        router: &config.delivery.router_headers,
    };
    headers.push(headers::EVENT_ID, |value| value.push_str(id));
    headers.push(headers::IDEMPOTENCY_KEY, |value| value.push_str(id));
    headers.push(headers::EVENT_TYPE, |value| value.push_str(event.event_type()));
    // Writing to a string cannot fail.
    headers
        .push(headers::EVENT_TIMESTAMP, |value| write!(value, "{}", event.timestamp()).unwrap_or_default());
    let subject = event.subject();
    for (kind, id) in subject.ids().present() {
        headers.push(id_header(kind), |value| encode_into(value, id));
    }
    if let Some(first) = subject.first() {
        headers.push(headers::EVENT_PARTITION_KEY, |value| write_partition_key(value, &source.name, first));
    }
    if let Some(assignment) = assignment {
        headers.push(headers::CONNECTED_ACCOUNT_ID, |value| {
            write_list(value, assignment, |account| &account.connected_account_id);
        });
        headers.push(headers::CUSTOMER_KEY, |value| {
            write_list(value, assignment, |account| account.customer_key.as_deref().unwrap_or_default());
        });
        headers.push(headers::ASSIGNED_BY, |value| value.push_str(assignment.assigned_by.name()));
    }
    headers
}

const fn id_header(kind: IdKind) -> &'static str {
    match kind {
        IdKind::Device => headers::DEVICE_ID,
        IdKind::Bridge => headers::BRIDGE_ID,
        IdKind::AccessCode => headers::ACCESS_CODE_ID,
    }
}

/// The name of a source has no `/`, so two sources never share a key.
fn write_partition_key(value: &mut String, source: &str, id: &str) {
    value.push_str(source);
    value.push('/');
    encode_into(value, id);
}

/// Commas inside an item are escaped, so the list can be split at them.
fn write_list<'a>(value: &mut String, assignment: Assignment<'a>, item: impl Fn(&'a Account) -> &'a str) {
    for (index, account) in assignment.accounts.iter().map(Rc::as_ref).enumerate() {
        if index > 0 {
            value.push(',');
        }
        encode_into(value, item(account));
    }
}
