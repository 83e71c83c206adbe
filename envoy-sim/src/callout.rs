//! HTTP callouts: what the filter asked of a cluster, and how the cluster behaves. It holds no timer.

use std::collections::VecDeque;
use std::fmt;

use crate::maps::HeaderMap;
use crate::message::Response;

/// A callout as the cluster sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalloutRequest {
    /// Names this callout towards the simulator; unique in it.
    pub id: u32,
    /// The worker that sent it.
    pub worker: usize,
    /// The context that asked: a stream's or the root's.
    pub context: u32,
    /// The cluster.
    pub cluster: String,
    /// Pseudo-headers and the rest.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers; empty if none.
    pub trailers: HeaderMap,
    /// The timeout in milliseconds; 0 means none.
    pub timeout_ms: u32,
}

/// What becomes of one callout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CalloutAnswer {
    /// This answer, at once.
    Now(Response),
    /// This answer, so many milliseconds later.
    After(u64, Response),
    /// The connection closes in the middle of the answer: the filter gets a reply without headers.
    Broken,
    /// The connection closes before an answer: Envoy's client answers 503 by itself.
    Reset,
    /// The connection is refused: Envoy's client answers 503 by itself.
    ConnectFailure,
    /// No answer until the timeout, if there is one: Envoy's client then answers 504 by itself.
    Silence,
}

type Script = dyn FnMut(&CalloutRequest) -> CalloutAnswer + Send;

/// A cluster that the filter may call.
pub struct Cluster {
    pub(crate) name: String,
    pub(crate) behaviour: Behaviour,
}

pub(crate) enum Behaviour {
    Scripted(Box<Script>),
    /// The test answers each callout by its id.
    Manual,
    /// There is no host: the dispatch itself fails.
    Empty,
}

impl Cluster {
    /// A cluster that decides each answer with a function.
    pub fn answering(
        name: impl Into<String>,
        script: impl FnMut(&CalloutRequest) -> CalloutAnswer + Send + 'static,
    ) -> Self {
        Self { name: name.into(), behaviour: Behaviour::Scripted(Box::new(script)) }
    }

    /// A cluster that gives these answers one after the other, and then none.
    pub fn scripted(name: impl Into<String>, answers: impl IntoIterator<Item = CalloutAnswer>) -> Self {
        let mut answers: VecDeque<_> = answers.into_iter().collect();
        Self::answering(name, move |_| answers.pop_front().unwrap_or(CalloutAnswer::Silence))
    }

    /// A cluster whose callouts wait for the test, in any order it likes.
    pub fn manual(name: impl Into<String>) -> Self {
        Self { name: name.into(), behaviour: Behaviour::Manual }
    }

    /// A cluster without a healthy host: the dispatch fails with `InternalFailure` and no reply follows.
    pub fn without_hosts(name: impl Into<String>) -> Self {
        Self { name: name.into(), behaviour: Behaviour::Empty }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behaviour = match self.behaviour {
            Behaviour::Scripted(_) => "scripted",
            Behaviour::Manual => "manual",
            Behaviour::Empty => "without hosts",
        };
        f.debug_struct("Cluster").field("name", &self.name).field("behaviour", &behaviour).finish()
    }
}

/// What the filter is handed when a callout ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CalloutEnd {
    Answered(Response),
    Broken,
}

/// The router inside Envoy's client answers a refused connection and a timeout with a response of its own.
pub(crate) fn router_answer(status: u16, body: &str) -> CalloutEnd {
    let response = Response::new(status)
        .header("content-length", body.len().to_string())
        .header("content-type", "text/plain")
        .with_body(body);
    CalloutEnd::Answered(response)
}
