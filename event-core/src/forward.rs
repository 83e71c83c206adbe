//! The headers that a forwarded event gets. The body is not touched, and nothing here refuses an event.

use crate::accounts::Account;
use crate::config::{Config, Source};
use crate::directory::lessons::Lesson;
use crate::headers::{self, encode_into};
use crate::subject::IdKind;
use crate::{Assignment, ValidEvent};
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
    /// What the event shows once upstream has accepted it.
    lesson: Option<Lesson>,
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

    /// What the event teaches about its ids, for when upstream has accepted it. `None` unless a directory is configured, the
    /// source is verified, and the event is assigned and carries two ids or more.
    pub const fn take_lesson(&mut self) -> Option<Lesson> {
        self.lesson.take()
    }
}

/// Enough for the values of a usual event.
const USUAL_VALUES: usize = 512;
/// The most headers that depend on the event.
const MOST_OWN: usize = 12;

impl EventHeaders {
    /// The headers for an event whose id is `id`, visible ASCII, and whose accounts are not known yet.
    pub(crate) fn new(source: &Source, event: &ValidEvent<'_>, id: &str) -> Self {
        let mut headers =
            Self { values: String::with_capacity(USUAL_VALUES), own: Vec::with_capacity(MOST_OWN) };
        headers.push(headers::EVENT_ID, |value| value.push_str(id));
        headers.push(headers::IDEMPOTENCY_KEY, |value| value.push_str(id));
        headers.push(headers::EVENT_TYPE, |value| value.push_str(event.event_type()));
        headers.push(headers::EVENT_TIMESTAMP, |value| {
            // Writing to a string cannot fail.
            write!(value, "{}", event.timestamp()).unwrap_or_default();
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

    /// All headers for an event of this source.
    pub(crate) fn complete<'e>(
        self,
        config: &'e Config,
        source: &'e Source,
        lesson: Option<Lesson>,
    ) -> ForwardHeaders<'e> {
        ForwardHeaders {
            own: self,
            // The names of sources and environments are plain ASCII by their own rules.
            fixed: [(headers::EVENT_SOURCE, &source.name), (headers::EVENT_ENVIRONMENT, &config.environment)],
            router: &config.delivery.router_headers,
            lesson,
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
