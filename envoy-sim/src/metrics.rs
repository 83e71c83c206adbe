//! Counters, gauges and histograms by name, shared by all workers. It has no labels, as the ABI has none.

use std::collections::BTreeMap;

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the three kinds of the ABI")]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

impl MetricKind {
    pub(crate) fn from_abi(number: u32) -> Option<Self> {
        Some(match number {
            0 => MetricKind::Counter,
            1 => MetricKind::Gauge,
            2 => MetricKind::Histogram,
            _ => return None,
        })
    }

    /// An id carries its kind in the low two bits.
    pub(crate) fn of_id(id: u32) -> Option<Self> {
        Self::from_abi(id & 3)
    }
}

/// Every metric that any worker defined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    scalars: BTreeMap<(MetricKind, String), u64>,
    samples: BTreeMap<String, Vec<u64>>,
}

impl Metrics {
    /// The value of a counter, or `None` if none of that name is defined.
    #[must_use]
    pub fn counter(&self, name: &str) -> Option<u64> {
        self.scalars.get(&(MetricKind::Counter, name.to_owned())).copied()
    }

    /// The value of a gauge, or `None` if none of that name is defined.
    #[must_use]
    pub fn gauge(&self, name: &str) -> Option<u64> {
        self.scalars.get(&(MetricKind::Gauge, name.to_owned())).copied()
    }

    /// What was recorded in a histogram, in order, or `None` if none of that name is defined.
    #[must_use]
    pub fn histogram(&self, name: &str) -> Option<&[u64]> {
        self.samples.get(name).map(Vec::as_slice)
    }

    /// Every counter and its value.
    pub fn counters(&self) -> impl Iterator<Item = (&str, u64)> {
        self.scalars
            .iter()
            .filter(|((kind, _), _)| *kind == MetricKind::Counter)
            .map(|((_, name), value)| (name.as_str(), *value))
    }

    pub(crate) fn define(&mut self, kind: MetricKind, name: &str) {
        match kind {
            MetricKind::Counter | MetricKind::Gauge => {
                self.scalars.entry((kind, name.to_owned())).or_insert(0);
            }
            MetricKind::Histogram => {
                self.samples.entry(name.to_owned()).or_default();
            }
        }
    }

    pub(crate) fn scalar(&mut self, kind: MetricKind, name: &str) -> Option<&mut u64> {
        self.scalars.get_mut(&(kind, name.to_owned()))
    }

    pub(crate) fn record_sample(&mut self, name: &str, value: u64) {
        self.samples.entry(name.to_owned()).or_default().push(value);
    }
}
