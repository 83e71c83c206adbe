//! Answers made without upstream, and the end of a stream. It forwards nothing of a peer.

use super::Chain;
use crate::abi::Callback;
use crate::flow::{Direction, Forwarded};
use crate::host::LocalReply;
use crate::maps::HeaderMap;
use crate::message::Response;
use crate::seen::{Answerer, Outcome};
use crate::stream::{ContextState, Life};

impl Chain<'_> {
    /// Answers in upstream's stead. Before a response has begun it passes the filter's response callbacks; while
    /// the response's headers are still held it goes straight out; after that only a reset is left.
    pub(crate) fn local_reply(&mut self, id: u32, reply: LocalReply) {
        let Some(stream) = self.open(id) else { return };
        if stream.deciding {
            // The first reply counts.
            stream.local_reply = true;
            stream.prepared_reply.get_or_insert(reply);
            return;
        }
        self.send_reply(id, reply);
    }

    pub(super) fn send_reply(&mut self, id: u32, reply: LocalReply) {
        let settings = self.host().settings.clone();
        let joined = &settings.profile.joined_response_headers;
        let Some(stream) = self.open(id) else { return };
        stream.code_details = Some(reply.details.clone());
        let mut headers = HeaderMap::new();
        headers.push(":status", reply.status.to_string());
        for (name, value) in &reply.headers {
            headers.add(joined, name, value);
        }
        if reply.body.is_empty() {
            headers.remove(b"content-length");
            headers.remove(b"content-type");
        } else {
            headers.replace(joined, b"content-length", reply.body.len().to_string().as_bytes());
            if headers.get("content-type").is_none() {
                headers.add(joined, b"content-type", b"text/plain");
            }
        }
        let body = if stream.head_request { Vec::new() } else { reply.body };
        let answerer = if reply.by_filter { Answerer::Filter } else { Answerer::Envoy };
        stream.local_reply = true;
        if !stream.response.started {
            stream.answerer = answerer;
            let end = body.is_empty();
            self.headers(id, Direction::Response, headers, end);
            if !end {
                self.data(id, Direction::Response, body, true);
            }
        } else if stream.response.forwarded == Forwarded::Nothing {
            stream.answerer = answerer;
            let pieces = if body.is_empty() { Vec::new() } else { vec![body] };
            stream.downstream = Some(Response { headers, pieces, trailers: None });
            self.finish(id, Outcome::Answered);
        } else {
            self.finish(id, Outcome::Reset);
        }
    }

    /// Ends a stream: the access log, then the context goes, in Envoy's order.
    pub(crate) fn finish(&mut self, id: u32, outcome: Outcome) {
        let Some(stream) = self.open(id) else { return };
        stream.life = Life::Over(outcome);
        stream.from_client.clear();
        stream.from_upstream.clear();
        let context = stream.context;
        let live = stream.context_state == ContextState::Live && !stream.bypassed;
        if live && !self.failed(id) {
            for callback in [Callback::Log, Callback::Done, Callback::Delete] {
                if let Some(stream) = self.stream(id) {
                    stream.logging = callback == Callback::Log;
                }
                self.vm.call(callback, context, &[]);
                self.host().stop_next = false;
                // Nothing can be done for a stream that is over.
                self.run_deferred();
            }
        }
        let pages = self.vm.memory_pages();
        if let Some(stream) = self.stream(id) {
            stream.logging = false;
            stream.context_state = ContextState::Gone;
            stream.pages_after = pages;
        }
    }
}

/// An answer that Envoy makes by itself.
pub(crate) fn envoy_reply(status: u32, body: &str, details: &str) -> LocalReply {
    LocalReply {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
        details: details.to_owned(),
        by_filter: false,
    }
}
