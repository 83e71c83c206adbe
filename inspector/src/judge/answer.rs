//! What the sender gets, byte by byte. Upstream's own answer is not known here.

use event_core::Refusal;
use event_core::response::{Sent, UpstreamResponse};
use event_core::trial::Trial;
use serde::Serialize;

/// An answer of Bellhop's own.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// The earliest `retry-after` of those that are spread out.
    pub(super) fn of(refusal: &Refusal) -> Self {
        let body = String::from_utf8_lossy(&refusal.body()).into_owned();
        Self { status: refusal.status(), headers: refusal.headers(0), body }
    }
}

/// What the sender of a quarantined event gets once the sink has it.
pub(super) fn of_sink(trial: &Trial, sent: &Sent) -> Option<Refusal> {
    sent.set_aside()?;
    trial.edge().judge_response(sent, &Accepted)
}

/// The answer of a sink that took the event.
struct Accepted;

impl UpstreamResponse for Accepted {
    fn status(&self) -> u16 {
        202
    }

    fn code_details(&self) -> Option<Vec<u8>> {
        None
    }

    fn retry_after(&self) -> Option<Vec<u8>> {
        None
    }
}
