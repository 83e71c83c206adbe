//! What the streams of one worker share: the core with its configuration, and the directory if there is one. It sees no request.

use crate::callout::Reply;
use crate::directory::Directory;
use crate::metrics::Metrics;
use crate::{host, shared_data};
use event_core::Edge;
use event_core::tally::{Label, Outcome, Tally};
use proxy_wasm::types::LogLevel;

/// One per accepted configuration and worker of Envoy.
pub(crate) struct Worker {
    edge: Edge,
    directory: Option<Directory>,
    metrics: Metrics,
}

impl Worker {
    #[inline(never)]
    pub(crate) fn new(edge: Edge) -> Self {
        let edge = remembering(edge);
        let directory = edge.config().directory().map(|settings| Directory::new(edge.config(), settings));
        Self { edge, directory, metrics: Metrics::default() }
    }

    pub(crate) const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// A callout has ended: all that wait for its answer go on. Only for the callback of its end.
    pub(crate) fn answered(&self, token: u32, n_headers: usize, body_size: usize) {
        if let Some(directory) = &self.directory {
            directory.answered(self, token, &Reply::read(n_headers, body_size));
        }
    }

    /// An event has come to its end.
    pub(crate) fn count(&self, tally: Tally) {
        self.metrics.count(self.edge.config(), tally);
    }

    /// An event has come to an end that no one is told of.
    pub(crate) fn count_abandoned(&self, label: Label) {
        self.count(Tally::new(label, Outcome::Abandoned));
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) const fn directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }
}

/// Without a secret nothing is remembered: copies are forwarded, and late events not flagged.
fn remembering(edge: Edge) -> Edge {
    if !edge.config().memory().is_any() {
        return edge;
    }
    match shared_data::secret() {
        Some(secret) => edge.remembering(&secret),
        None => {
            host::log(LogLevel::Warn, "accepted events are not remembered: other data is in the way");
            edge
        }
    }
}
