//! Envoy's metrics of this worker: which are defined, and what is counted. It knows what there is to count, not when.
//!
//! A metric is defined when there is something to count: Envoy shows what has happened. Its name holds nothing that a sender
//! chose, so there are so many at most: outcomes with their causes, for each source and known event type.

use event_core::Config;
use event_core::tally::Tally;
use proxy_wasm::types::{MetricType, Status};
use std::borrow::Cow;
use std::cell::RefCell;

/// One per worker. Each metric's key beside the number that Envoy gave it, sorted.
#[derive(Default)]
pub(crate) struct Metrics(RefCell<Vec<(u32, u32)>>);

/// How the search for the owners of an event ended.
#[derive(Clone, Copy)]
pub(crate) enum Lookup {
    /// This worker knew.
    Hit,
    /// Another worker knew.
    SharedHit,
    /// The directory was asked, and said.
    Miss,
    /// The directory did not say: what it said before was used.
    Stale,
    /// The directory did not say, and nothing was known.
    Unavailable,
}

/// How a question to the directory ended.
#[derive(Clone, Copy)]
pub(crate) enum Callout {
    Ok,
    /// It says that the ids belong to different accounts.
    Conflict,
    /// An answer that is none.
    Unusable,
    /// Envoy's own 504, or the directory's.
    Timeout,
    /// Any other status, or an answer that broke off.
    Error,
    /// Envoy did not send it.
    Refused,
}

/// Above every key of a tally, whose last byte is an outcome.
const DIRECTORY: u32 = 0xff00_0000;
const CALLOUTS: u32 = DIRECTORY + 0x100;
const CALLOUT_MS: u32 = DIRECTORY + 0x200;

impl Lookup {
    const fn metric(self) -> &'static str {
        match self {
            Self::Hit => "bellhop.lookups_total.result.hit",
            Self::SharedHit => "bellhop.lookups_total.result.shared_hit",
            Self::Miss => "bellhop.lookups_total.result.miss",
            Self::Stale => "bellhop.lookups_total.result.stale",
            Self::Unavailable => "bellhop.lookups_total.result.unavailable",
        }
    }
}

impl Callout {
    const fn metric(self) -> &'static str {
        match self {
            Self::Ok => "bellhop.callouts_total.result.ok",
            Self::Conflict => "bellhop.callouts_total.result.conflict",
            Self::Unusable => "bellhop.callouts_total.result.unusable",
            Self::Timeout => "bellhop.callouts_total.result.timeout",
            Self::Error => "bellhop.callouts_total.result.error",
            Self::Refused => "bellhop.callouts_total.result.refused",
        }
    }
}

impl Metrics {
    /// An event has come to its end.
    #[inline(never)]
    pub(crate) fn count(&self, config: &Config, tally: Tally) {
        increment(self.id(tally.key(), MetricType::Counter, &|| tally.metric(config).into()));
    }

    /// An event's owners were looked for.
    #[inline(never)]
    pub(crate) fn lookup(&self, lookup: Lookup) {
        let key = DIRECTORY + lookup as u32;
        increment(self.id(key, MetricType::Counter, &|| lookup.metric().into()));
    }

    /// A question was sent, or could not be.
    #[inline(never)]
    pub(crate) fn callout(&self, callout: Callout) {
        let key = CALLOUTS + callout as u32;
        increment(self.id(key, MetricType::Counter, &|| callout.metric().into()));
    }

    /// The directory answered so many milliseconds after it was asked.
    pub(crate) fn callout_ms(&self, ms: u64) {
        if let Some(id) = self.id(CALLOUT_MS, MetricType::Histogram, &|| "bellhop.callout_ms".into()) {
            #[allow(unsafe_code, reason = "the ABI")]
            // SAFETY: two numbers.
            unsafe {
                proxy_record_metric(id, ms);
            }
        }
    }

    /// Envoy's number of a metric.
    #[inline(never)]
    fn id(&self, key: u32, kind: MetricType, name: &dyn Fn() -> Cow<'static, str>) -> Option<u32> {
        // Never fails: nothing else is called while it is borrowed.
        let mut ids = self.0.try_borrow_mut().ok()?;
        match ids.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => ids.get(place).map(|(_, id)| *id),
            Err(place) => {
                let id = define(kind, &name())?;
                ids.insert(place, (key, id));
                Some(id)
            }
        }
    }
}

/// Events are worth more than their count: what Envoy does not take is left out.
#[inline(never)]
fn increment(id: Option<u32>) {
    if let Some(id) = id {
        #[allow(unsafe_code, reason = "the ABI")]
        // SAFETY: two numbers.
        unsafe {
            proxy_increment_metric(id, 1);
        }
    }
}

fn define(kind: MetricType, name: &str) -> Option<u32> {
    let mut id = 0_u32;
    #[allow(unsafe_code, reason = "the ABI")]
    // SAFETY: the name outlives the call, and `id` too.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    (status == Status::Ok as u32).then_some(id)
}

#[allow(unsafe_code, reason = "the ABI; the SDK's functions panic on any status that they do not expect")]
// SAFETY: the signatures are those of proxy-wasm ABI 0.2.1.
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_define_metric(kind: MetricType, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}
