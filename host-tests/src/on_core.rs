//! Exchanges on the native core: what the plugin would decide, without a host. It sends nothing, and remembers nothing but
//! accepted events: each exchange meets the first step of its directory.

use anyhow::Result;
use directory_api::Ids;
use event_core::accepted::{Entry, Place, Places};
use event_core::directory::question::Subject;
use event_core::headers::is_reserved;
use event_core::response::{Sent, UpstreamResponse};
use event_core::{Decision, Edge, Refusal, Verdict};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::directory;
use crate::ending::{Ending, UpstreamSaw};
use crate::exchange::{Exchange, Failure, Step};
use crate::headers::{self, Raw, Shown};

/// What time it is here: seconds since 1970, as the simulator starts.
pub const NOW_S: u64 = 1_767_225_600;

/// A core with what it remembers of accepted events.
pub struct Core {
    edge: Edge,
    places: Written,
    /// How long the exchanges so far have waited, in milliseconds.
    waited_ms: Cell<u64>,
}

/// The places that the workers of an Envoy share.
#[derive(Default)]
struct Written(RefCell<BTreeMap<Place, Entry>>);

impl Written {
    fn write(&self, place: Place, bytes: Vec<u8>) {
        let mut places = self.0.borrow_mut();
        let version = places.get(&place).map_or(1, |entry| entry.version + 1);
        places.insert(place, Entry { bytes, version });
    }
}

impl Places for Written {
    fn read(&self, place: Place) -> Option<Entry> {
        self.0.borrow().get(&place).cloned()
    }
}

impl Core {
    /// Nothing is remembered yet.
    pub fn new(edge: Edge) -> Self {
        Self { edge: edge.remembering(b"a secret"), places: Written::default(), waited_ms: Cell::new(0) }
    }

    /// What it decides with.
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// What time it is: seconds since 1970.
    fn now_s(&self) -> u64 {
        NOW_S + self.waited_ms.get() / 1_000
    }

    fn remember(&self, sent: Sent) {
        if let Some(fingerprint) = sent.fingerprint() {
            self.places.write(fingerprint.place(), fingerprint.entry(self.now_s()));
        }
        if let Some(latest) = sent.into_latest()
            && let Some((entry, _)) = latest.entry()
        {
            self.places.write(latest.place(), entry.to_vec());
        }
    }
}

/// What the core makes of an exchange.
#[derive(Debug)]
pub struct Judged {
    /// What came of it.
    pub ending: Ending,
    /// What the router is told, if the event goes upstream.
    pub for_the_router: Shown,
}

/// Runs an exchange. `attempts` is how often the router would try.
///
/// # Errors
/// When an answer is no whole problem.
pub fn run(core: &Core, exchange: &Exchange, attempts: usize) -> Result<Judged> {
    core.waited_ms.set(core.waited_ms.get() + exchange.wait_ms);
    let sent = exchange.at(core.now_s());
    let judged = judge(core, &sent, attempts)?;
    Ok(Judged { ending: judged.ending.as_written(exchange, &sent), ..judged })
}

fn judge(core: &Core, exchange: &Exchange, attempts: usize) -> Result<Judged> {
    let edge = &core.edge;
    let body = exchange.body();
    let head = head(exchange, true);
    let admission = match edge.admit(headers::slices(&head)) {
        Ok(admission) => admission,
        Err(refusal) => return refused(&refusal, None, Shown::new()),
    };
    let mut asked = Vec::new();
    let decision = match edge.judge(&admission, &body, core.now_s(), &core.places) {
        Verdict::Forward(added) => Decision::Forward(added),
        Verdict::Refuse(refusal) => Decision::Refuse(refusal),
        Verdict::Ask(question) => {
            asked.push(question_path(edge, question.subject()));
            edge.resolve(question, &directory::resolution(&exchange.first_of_directory())?)
        }
    };
    let headers_to_add = match decision {
        Decision::Forward(added) => added,
        Decision::Refuse(refusal) => {
            let mut judged = refused(&refusal, None, Shown::new())?;
            judged.ending.asked = asked;
            return Ok(judged);
        }
    };
    let kept = headers::slices(&head)
        .filter(|(name, _)| !admission.forbidden.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name)));
    let added = headers_to_add.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let all = headers::of_request(kept.chain(added));
    let for_the_router = headers::for_the_router(&all);
    let upstream = UpstreamSaw {
        attempts,
        headers: headers::without_those_for_the_router(all),
        trailers: headers::of_trailers(
            headers::slices(&exchange.trailers).filter(|(name, _)| !is_reserved(name)),
        ),
    };
    let step = exchange.step(attempts);
    let upstream = reached(&step).then_some(upstream);
    let answer = Answer::of(&step);
    let sent = headers_to_add.into_sent();
    let mut judged = match edge.judge_response(&sent, &answer) {
        Some(refusal) => refused(&refusal, upstream, for_the_router)?,
        None => {
            let Answer { status, headers: answered, body, .. } = &answer;
            if (200..300).contains(status) {
                core.remember(*sent);
            }
            let ending = Ending::answered(*status, headers::slices(answered), body, upstream)?;
            Judged { ending, for_the_router }
        }
    };
    judged.ending.asked = asked;
    Ok(judged)
}

fn question_path(edge: &Edge, subject: &Subject) -> String {
    let ids = subject.ids();
    let ids = Ids { device_id: ids.device, bridge_id: ids.bridge, access_code_id: ids.access_code };
    directory_api::resolve_path(edge.source_name(subject), &ids)
}

/// The request's headers as Envoy hands them over. Without `lengths` nothing says how long the body is.
pub(crate) fn head(exchange: &Exchange, lengths: bool) -> Raw {
    let pseudo = [(":authority", "bellhop.test"), (":path", &exchange.path), (":method", &exchange.method)];
    let mut head: Raw = pseudo
        .into_iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    head.push((b":scheme".to_vec(), b"http".to_vec()));
    // White space around a value is none of it (RFC 9110, section 5.5).
    let field = |(name, value): &(Vec<u8>, Vec<u8>)| (name.to_ascii_lowercase(), value.trim_ascii().to_vec());
    head.extend(exchange.headers.iter().map(field));
    let has_length = exchange.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"content-length"));
    if lengths && exchange.is_chunked() {
        head.push((b"transfer-encoding".to_vec(), b"chunked".to_vec()));
    } else if lengths && !has_length {
        head.push((b"content-length".to_vec(), exchange.body().len().to_string().into_bytes()));
    }
    joined(head)
}

/// Envoy keeps each of these in one slot.
fn joined(head: Raw) -> Raw {
    let mut joined = Raw::new();
    for (name, value) in head {
        let in_one_slot = matches!(&name[..], b"authorization" | b"content-encoding" | b"content-type");
        match joined.iter_mut().find(|(it, _)| in_one_slot && *it == name) {
            Some((_, first)) => {
                first.push(b',');
                first.extend(value);
            }
            None => joined.push((name, value)),
        }
    }
    joined
}

/// Whether upstream gets the request before this happens.
fn reached(step: &Step) -> bool {
    !matches!(step, Step::Fail(Failure::Connect | Failure::NoHost))
}

fn refused(refusal: &Refusal, upstream: Option<UpstreamSaw>, for_the_router: Shown) -> Result<Judged> {
    let answer = refusal.headers(0);
    let answer = answer.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let ending = Ending::answered(refusal.status(), answer, &refusal.body(), upstream)?;
    Ok(Judged { ending, for_the_router })
}

/// What the filter gets to see of upstream, or of the router in upstream's place.
struct Answer {
    status: u16,
    details: &'static [u8],
    headers: Raw,
    body: Vec<u8>,
}

impl Answer {
    fn of(step: &Step) -> Self {
        let made_up =
            |status, details: &'static [u8]| Self { status, details, headers: Raw::new(), body: Vec::new() };
        match step {
            Step::Answer { status, headers, body } => Self {
                status: *status,
                details: b"via_upstream",
                headers: headers.clone(),
                body: body.clone(),
            },
            Step::Fail(Failure::Timeout) => made_up(504, b"response_timeout"),
            Step::Fail(Failure::NoHost) => made_up(503, b"no_healthy_upstream"),
            Step::Fail(Failure::Reset | Failure::Connect) => {
                made_up(503, b"upstream_reset_before_response_started")
            }
        }
    }
}

impl UpstreamResponse for Answer {
    fn status(&self) -> u16 {
        self.status
    }

    fn code_details(&self) -> Option<Vec<u8>> {
        Some(self.details.to_vec())
    }

    fn retry_after(&self) -> Option<Vec<u8>> {
        let of_name = |(name, _): &&(Vec<u8>, Vec<u8>)| name.eq_ignore_ascii_case(b"retry-after");
        self.headers.iter().find(of_name).map(|(_, value)| value.clone())
    }
}
