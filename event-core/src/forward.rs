//! The headers that a forwarded event gets. The body is not touched, and nothing here refuses an event.

use crate::accounts::Account;
use crate::config::{Config, Delivery, Source};
use crate::headers::{self, encode_into};
use crate::response::Sent;
use crate::subject::IdKind;
use crate::{Assignment, Cause, ValidEvent};
use std::fmt::Write as _;
use std::rc::Rc;

/// The headers to add to one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardHeaders<'e> {
    own: EventHeaders,
    /// The same for every event.
    fixed: [(&'static str, &'e str); 2],
    /// What the router reads and takes off.
    router: &'e [(&'static str, Box<str>)],
    /// What is kept of the event until the response is here.
    sent: Box<Sent>,
}

/// The headers that depend on the event. All values stand in one string: this is made for every event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventHeaders {
    /// The values, one behind the other.
    values: String,
    /// Names, and where in `values` each value ends; it starts where the one before ends.
    own: Vec<(&'static str, usize)>,
}

impl ForwardHeaders<'_> {
    /// Names (lower-case) and values (visible ASCII, or empty), each name once.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let mut start = 0;
        let own = self.own.own.iter().map(move |(name, end)| {
            let value = self.own.values.get(start..*end).unwrap_or_default();
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

    /// What must be kept until the response is here.
    #[must_use]
    pub fn into_sent(self) -> Box<Sent> {
        self.sent
    }

    /// The word for the access log.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        self.sent.set_aside().map_or("forwarded", |refusal| refusal.cause().name())
    }
}

/// Enough for the values of a usual event.
const USUAL_VALUES: usize = 512;
/// The value of `x-bellhop-route` for the route to the sink.
const QUARANTINE: &str = "quarantine";
/// The most headers that depend on the event.
const MOST_OWN: usize = 13;

impl EventHeaders {
    /// The headers for a body whose id is `id`, visible ASCII, and of which nothing else is known.
    pub(crate) fn identified(id: &str) -> Self {
        let mut headers =
            Self { values: String::with_capacity(USUAL_VALUES), own: Vec::with_capacity(MOST_OWN) };
        headers.push(headers::EVENT_ID, |value| value.push_str(id));
        headers.push(headers::IDEMPOTENCY_KEY, |value| value.push_str(id));
        headers
    }

    /// The headers for an event whose id is `id`, visible ASCII, and whose accounts are not known yet.
    pub(crate) fn new(source: &Source, event: &ValidEvent<'_>, id: &str) -> Self {
        let mut headers = Self::identified(id);
        headers.push(headers::EVENT_TYPE, |value| value.push_str(event.event_type()));
        headers.push(headers::EVENT_TIMESTAMP, |value| {
            event.timestamp().write_into(value);
        });
        let subject = event.subject();
        for (kind, id) in subject.ids().present() {
            headers.push(id_header(kind), |value| encode_into(value, id));
        }
        if let Some(first) = subject.first() {
            headers.push(headers::EVENT_PARTITION_KEY, |value| {
                write_partition_key(value, &source.name, first);
            });
        }
        headers
    }

    /// The type of the event, if it is known.
    pub(crate) fn event_type(&self) -> &str {
        let value = |(index, (name, end)): (usize, &(&str, usize))| {
            let start =
                index.checked_sub(1).and_then(|before| self.own.get(before)).map_or(0, |(_, end)| *end);
            (*name == headers::EVENT_TYPE).then(|| self.values.get(start..*end)).flatten()
        };
        self.own.iter().enumerate().find_map(value).unwrap_or_default()
    }

    /// Names the accounts.
    pub(crate) fn assign(&mut self, assignment: Assignment<'_>) {
        self.push(headers::CONNECTED_ACCOUNT_ID, |value| {
            write_list(value, assignment, |account| &account.connected_account_id);
        });
        self.push(headers::CUSTOMER_KEY, |value| {
            write_list(value, assignment, |account| account.customer_key.as_deref().unwrap_or_default());
        });
        self.push(headers::ASSIGNED_BY, |value| value.push_str(assignment.assigned_by.name()));
    }

    /// Says how old the assignment is, in seconds.
    pub(crate) fn flag_stale(&mut self, age_s: u64) {
        self.push(headers::ASSIGNMENT_STALE, |value| write!(value, "{age_s}").unwrap_or_default());
    }

    /// Says that a newer event of its device was accepted before.
    pub(crate) fn flag_out_of_order(&mut self) {
        self.push(headers::EVENT_OUT_OF_ORDER, |value| value.push_str("true"));
    }

    /// Sends the event to the quarantine sink, and says why.
    pub(crate) fn set_aside(&mut self, cause: Cause) {
        self.push(headers::BELLHOP_ROUTE, |value| value.push_str(QUARANTINE));
        self.push(headers::EVENT_CAUSE, |value| value.push_str(cause.name()));
    }

    /// All headers for an event of this source.
    pub(crate) fn complete<'e>(
        self,
        config: &'e Config,
        source: &'e Source,
        delivery: &'e Delivery,
        sent: Box<Sent>,
    ) -> ForwardHeaders<'e> {
        ForwardHeaders {
            own: self,
            // The names of sources and environments are plain ASCII by their own rules.
            fixed: [(headers::EVENT_SOURCE, &source.name), (headers::EVENT_ENVIRONMENT, &config.environment)],
            router: &delivery.router_headers,
            sent,
        }
    }

    /// Adds a header whose value `write` writes.
    fn push(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        write(&mut self.values);
        self.own.push((name, self.values.len()));
    }
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
