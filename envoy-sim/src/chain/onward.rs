//! What leaves the filter: resuming what is held, and handing frames to upstream and downstream.
//! It does not call the filter, except to show it what was held back from it.

use super::Chain;
use super::reply::envoy_reply;
use crate::flow::{Direction, Forwarded, Iteration};
use crate::message::Response;
use crate::seen::{Outcome, UpstreamSaw, Violation};

impl Chain<'_> {
    pub(super) fn resume_by_filter(&mut self, id: u32, direction: Direction) {
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow(direction);
        if flow.iteration == Iteration::Running && (flow.forwarded != Forwarded::Nothing || !flow.started) {
            let request = direction == Direction::Request;
            stream.violations.push(Violation::ResumedRunning { request });
        }
        self.resume(id, direction);
    }

    /// Lets everything held of a direction go on. Frames of a blocked direction are shown to the filter now.
    pub(super) fn resume(&mut self, id: u32, direction: Direction) {
        let Some(stream) = self.open(id) else { return };
        if direction == Direction::Request && stream.local_reply {
            return;
        }
        let flow = stream.flow_mut(direction);
        if !flow.started {
            return;
        }
        if matches!(flow.iteration, Iteration::Blocked { .. }) {
            flow.replaying = true;
        }
        flow.iteration = Iteration::Running;
        let replaying = flow.replaying;
        if flow.forwarded == Forwarded::Nothing {
            let end = flow.source_ended && flow.held.is_none() && flow.trailers.is_none();
            self.forward_headers(id, direction, end);
        }
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow_mut(direction);
        let had_trailers = flow.trailers.is_some();
        let end = flow.source_ended && !had_trailers;
        if let Some(held) = flow.held.take() {
            if replaying {
                flow.piece = held;
                self.show_data(id, direction, end, true);
            } else {
                self.forward_data(id, direction, held, end);
            }
        }
        if had_trailers && self.is_open(id) {
            if replaying {
                let blocked =
                    self.get(id).is_some_and(|stream| stream.flow(direction).iteration != Iteration::Running);
                // A filter that holds the replayed body is still shown the trailers.
                let _ = blocked;
                self.show_trailers(id, direction);
            } else {
                self.forward_trailers(id, direction);
            }
        }
        if let Some(stream) = self.stream(id) {
            stream.flow_mut(direction).replaying = false;
        }
    }

    pub(super) fn forward_headers(&mut self, id: u32, direction: Direction, end: bool) {
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow_mut(direction);
        flow.forwarded = if end { Forwarded::End } else { Forwarded::Headers };
        let headers = flow.headers.clone();
        match direction {
            Direction::Request => {
                stream.upstream =
                    Some(UpstreamSaw { headers, body: Vec::new(), trailers: None, complete: end });
            }
            Direction::Response => {
                stream.downstream = Some(Response { headers, pieces: Vec::new(), trailers: None });
                if end {
                    self.finish(id, Outcome::Answered);
                }
            }
        }
    }

    pub(super) fn forward_data(&mut self, id: u32, direction: Direction, bytes: Vec<u8>, end: bool) {
        let Some(stream) = self.open(id) else { return };
        // Trailers that the filter made at the last piece follow it and carry the end.
        let made_trailers = end && stream.flow(direction).trailers.is_some();
        let end = end && !made_trailers;
        if end {
            stream.flow_mut(direction).forwarded = Forwarded::End;
        }
        match direction {
            Direction::Request => {
                if let Some(upstream) = &mut stream.upstream {
                    upstream.body.extend(bytes);
                    upstream.complete |= end;
                }
            }
            Direction::Response => {
                if let Some(downstream) = &mut stream.downstream
                    && !bytes.is_empty()
                {
                    downstream.pieces.push(bytes);
                }
                if end {
                    self.finish(id, Outcome::Answered);
                }
            }
        }
        if made_trailers {
            self.forward_trailers(id, direction);
        }
    }

    pub(super) fn forward_trailers(&mut self, id: u32, direction: Direction) {
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow_mut(direction);
        flow.forwarded = Forwarded::End;
        let trailers = flow.trailers.clone();
        match direction {
            Direction::Request => {
                if let Some(upstream) = &mut stream.upstream {
                    upstream.trailers = trailers;
                    upstream.complete = true;
                }
            }
            Direction::Response => {
                if let Some(downstream) = &mut stream.downstream {
                    downstream.trailers = trailers;
                }
                self.finish(id, Outcome::Answered);
            }
        }
    }

    /// Answers for the peer if more is held than the limit allows. False if the stream did not survive.
    pub(super) fn check_limit(&mut self, id: u32, direction: Direction) -> bool {
        let limit = self.host().settings.profile.buffer_limit_bytes;
        let Some(stream) = self.open(id) else { return false };
        let flow = stream.flow(direction);
        let held = flow.held.as_ref().map_or(0, Vec::len);
        if limit == 0 || held <= limit || flow.streaming {
            return true;
        }
        let reply = match direction {
            Direction::Request => envoy_reply(413, "Payload Too Large", "request_payload_too_large"),
            Direction::Response => envoy_reply(500, "Internal Server Error", "response_payload_too_large"),
        };
        self.local_reply(id, reply);
        false
    }
}
