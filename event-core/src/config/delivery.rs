//! `delivery`: what the router is told, and when a sender should come back. The router itself is Envoy's.

use super::ConfigError;
use super::reader::{Node, Object};
use crate::event_type;
use crate::headers;
use crate::problem::RetryAfter;
use std::ops::RangeInclusive;

/// What the router can retry on, for HTTP: Envoy's `x-envoy-retry-on`.
pub const RETRY_ON: [&str; 10] = [
    "5xx",
    "connect-failure",
    "envoy-ratelimited",
    "gateway-error",
    "http3-post-connect-failure",
    "refused-stream",
    "reset",
    "reset-before-request",
    "retriable-4xx",
    "retriable-status-codes",
];

const DEFAULT_RETRY_ON: [&str; 3] = ["connect-failure", "refused-stream", "gateway-error"];
const DEFAULT_PER_TRY_TIMEOUT_MS: u64 = 4000;
const RETRY_AFTER_S: RangeInclusive<u64> = 1..=86_400;

/// The keys: the first is that of an entry alone, the last that of the whole section alone.
const KEYS: &[&str] = &[
    "events",
    "max_retries",
    "per_try_timeout_ms",
    "retriable_status_codes",
    "retry_after_s",
    "retry_after_spread_s",
    "retry_on",
    "timeout_ms",
    "per_event_type",
];
const KEYS_OF_ALL: &[&str] = KEYS.split_at(1).1;
const KEYS_OF_ENTRY: &[&str] = KEYS.split_at(KEYS.len() - 1).0;

/// How many entries `per_event_type` can have, and how many patterns one of them.
const ENTRIES: RangeInclusive<usize> = 0..=64;
const PATTERNS: RangeInclusive<usize> = 1..=64;

/// How events are delivered, each type in its way.
#[derive(Debug)]
pub(crate) struct Deliveries {
    others: Delivery,
    /// The first entry that names an event's type is the one.
    per_event_type: Vec<(Vec<Pattern>, Delivery)>,
}

/// Delivery settings, ready to be sent.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The headers that the router reads and takes off.
    pub(crate) router_headers: Vec<(&'static str, Box<str>)>,
    /// When a sender should try again.
    pub(crate) retry_after: RetryAfter,
}

/// One event type, or all that begin alike.
#[derive(Debug)]
enum Pattern {
    Exactly(Box<str>),
    /// Up to a dot and with it.
    Begins(Box<str>),
}

/// One entry, and what holds where it says nothing.
struct Settings<'o, 'v> {
    own: &'o Object<'v>,
    base: Option<&'o Object<'v>>,
}

impl Deliveries {
    #[inline(never)]
    pub(super) fn read(node: Option<Node<'_>>) -> Result<Self, ConfigError> {
        let base = Object::read_or_empty(node, KEYS_OF_ALL)?;
        let entries = base.optional("per_event_type").map_or(Ok(Vec::new()), |list| list.array(ENTRIES))?;
        let entry = |node: &Node<'_>| {
            let own = node.object(KEYS_OF_ENTRY)?;
            let patterns = own.required("events")?.array(PATTERNS)?;
            let patterns = patterns.iter().map(Pattern::read).collect::<Result<_, _>>()?;
            Ok((patterns, Settings { own: &own, base: Some(&base) }.read()?))
        };
        Ok(Self {
            others: Settings { own: &base, base: None }.read()?,
            per_event_type: entries.iter().map(entry).collect::<Result<_, _>>()?,
        })
    }

    /// How events of a type are delivered.
    pub(crate) fn of(&self, event_type: &str) -> &Delivery {
        let names = |pattern: &Pattern| pattern.names(event_type);
        let entry = self.per_event_type.iter().find(|(patterns, _)| patterns.iter().any(names));
        entry.map_or(&self.others, |(_, delivery)| delivery)
    }

    /// How events are delivered whose type has no entry, or cannot be read.
    pub(crate) const fn others(&self) -> &Delivery {
        &self.others
    }

    /// The shortest time after which a sender is told to come back, in seconds.
    pub(super) fn shortest_retry_after_s(&self) -> u32 {
        let all = self.per_event_type.iter().map(|(_, delivery)| delivery).chain([&self.others]);
        all.map(|delivery| delivery.retry_after.seconds).min().unwrap_or_default()
    }
}

impl Pattern {
    #[inline(never)]
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        let text = node.string()?;
        match text.strip_suffix('*') {
            None if event_type::is_well_formed(text) => Ok(Self::Exactly(text.into())),
            // Whatever word stands there in its place.
            Some(prefix) if prefix.ends_with('.') && event_type::is_well_formed(&format!("{prefix}x")) => {
                Ok(Self::Begins(prefix.into()))
            }
            _ => Err(node.expected(
                "an event type, such as device.online, or its first words and a star, such as device.*",
            )),
        }
    }

    fn names(&self, event_type: &str) -> bool {
        match self {
            Self::Exactly(name) => **name == *event_type,
            Self::Begins(prefix) => event_type.starts_with(&**prefix),
        }
    }
}

impl<'v> Settings<'_, 'v> {
    fn optional(&self, key: &str) -> Option<Node<'v>> {
        self.own.optional(key).or_else(|| self.base?.optional(key))
    }

    fn integer_or(&self, key: &str, bounds: RangeInclusive<u64>, default: u64) -> Result<u64, ConfigError> {
        self.optional(key).map_or(Ok(default), |node| node.integer(&bounds))
    }

    fn read(&self) -> Result<Delivery, ConfigError> {
        let timeout_ms = self.integer_or("timeout_ms", 2..=300_000, 15_000)?;
        let per_try_timeout_ms = self.per_try_timeout_ms(timeout_ms)?;
        let max_retries = self.integer_or("max_retries", 0..=10, 2)?;
        let status_codes = read_status_codes(self.optional("retriable_status_codes"))?;
        let mut retry_on = read_retry_on(self.optional("retry_on"))?;
        if !status_codes.is_empty() && !retry_on.contains(&"retriable-status-codes") {
            // Without it the router does not look at the codes.
            retry_on.push("retriable-status-codes");
        }

        let mut router_headers = vec![
            (headers::TIMEOUT_MS, timeout_ms.to_string().into()),
            (headers::PER_TRY_TIMEOUT_MS, per_try_timeout_ms.to_string().into()),
        ];
        if !retry_on.is_empty() {
            router_headers.push((headers::RETRY_ON, retry_on.join(",").into()));
            router_headers.push((headers::MAX_RETRIES, max_retries.to_string().into()));
        }
        if !status_codes.is_empty() {
            router_headers.push((headers::RETRIABLE_STATUS_CODES, status_codes.join(",").into()));
        }
        let seconds = self.integer_or("retry_after_s", RETRY_AFTER_S, 30)?;
        let spread = self.integer_or("retry_after_spread_s", 0..=*RETRY_AFTER_S.end(), seconds / 2)?;
        Ok(Delivery { router_headers, retry_after: RetryAfter::spread(seconds, spread) })
    }

    /// Envoy ignores a per-try timeout that is not under the whole one: one that is inherited gives way.
    fn per_try_timeout_ms(&self, timeout_ms: u64) -> Result<u64, ConfigError> {
        const KEY: &str = "per_try_timeout_ms";
        if let Some(node) = self.own.optional(KEY) {
            return node.integer(&(1..=timeout_ms - 1));
        }
        let inherited = self.optional(KEY).map(|node| node.integer(&(1..=u64::MAX))).transpose()?;
        let half = timeout_ms / 2;
        Ok(match inherited {
            Some(inherited) if inherited < timeout_ms => inherited,
            Some(_) => half,
            None => DEFAULT_PER_TRY_TIMEOUT_MS.min(half),
        })
    }
}

fn read_retry_on(node: Option<Node<'_>>) -> Result<Vec<&'static str>, ConfigError> {
    let Some(node) = node else { return Ok(DEFAULT_RETRY_ON.to_vec()) };
    let choices = RETRY_ON.map(|name| (name, name));
    node.array(0..=RETRY_ON.len())?.iter().map(|node| node.choice(&choices)).collect()
}

fn read_status_codes(node: Option<Node<'_>>) -> Result<Vec<String>, ConfigError> {
    let Some(node) = node else { return Ok(Vec::new()) };
    node.array(0..=32)?.iter().map(|node| node.integer(&(100..=599)).map(|code| code.to_string())).collect()
}
