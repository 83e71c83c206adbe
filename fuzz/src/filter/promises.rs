//! What must hold of every stream and of the filter as a whole, whatever was sent. It drives nothing.

use envoy_sim::{Answerer, Error, Outcome, Seen, Simulator, UpstreamSaw};
use event_core::headers::{EVENT_DUPLICATE, EVENT_OUT_OF_ORDER, is_reserved};
use event_core::{Edge, Verdict};

use super::script::{FORGED, Head};

/// A value of bodies that no answer and no log may show. It stands in the dictionary of the fuzzer.
const PIN: &[u8] = b"PIN-4711-SECRET";

/// Pages of 64 KiB that the module may need for eight small streams.
const MOST_PAGES: u64 = 64;

/// Keys of shared data: the slots of the configurations and what the filter keeps beside them.
const MOST_KEYS: usize = 16;

/// What a client has sent.
pub(super) struct Sent {
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
    pub(super) ended: bool,
    pub(super) disconnected: bool,
    /// Upstream may have been out of reach.
    pub(super) no_upstream: bool,
}

/// What the core makes of it without knowing what a directory would say.
enum Judged {
    Refused { status: u16, body: Vec<u8> },
    Forwarded(Vec<(String, String)>),
    Asked,
}

/// A step that makes no sense now is passed over; anything else is the filter's fault.
pub(super) fn went_well(result: Result<(), Error>) {
    match result {
        Ok(()) | Err(Error::Misuse { .. } | Error::NoCallout(_) | Error::NoStream(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

/// What holds once everything has come to its end.
pub(super) fn of_the_whole(sim: &mut Simulator, n_workers: usize) {
    for worker in 0..n_workers {
        assert!(!sim.worker(worker).has_failed().expect("there is such a worker"), "worker {worker} trapped");
        let pages = sim.worker(worker).memory_pages().expect("there is such a worker");
        assert!(pages <= MOST_PAGES, "{pages} pages");
    }
    assert!(sim.shared_data_len() <= MOST_KEYS, "{} keys of shared data", sim.shared_data_len());
    for line in sim.logs() {
        assert!(!shows(line.message.as_bytes(), PIN), "a value of an event is logged: {}", line.message);
    }
}

/// Nobody is told that its event is a copy unless upstream has accepted one with the same bytes.
pub(super) fn of_copies(streams: &[(Sent, Seen)]) {
    for (copy, told) in streams.iter().filter(|(_, seen)| is_copy(seen)) {
        let is_first = |(sent, seen): &(Sent, Seen)| {
            let is_accepted = seen.answered_by == Answerer::Upstream && (200..300).contains(&seen.status());
            seen.upstream.is_some() && sent.body == copy.body && (is_accepted || sent.disconnected)
        };
        assert!(streams.iter().any(is_first), "nobody has the first: {told:?}");
    }
}

fn is_copy(seen: &Seen) -> bool {
    seen.answered_by == Answerer::Filter && seen.response_header(EVENT_DUPLICATE).is_some()
}

/// What holds for every stream. Whether it reached upstream.
pub(super) fn of_a_stream(edge: &Edge, sent: &Sent, seen: &Seen) -> bool {
    assert!(seen.violations.is_empty(), "calls outside their phase: {seen:?}");
    let n_replies = seen.trace.host_calls("proxy_send_local_response");
    assert!(n_replies <= 1, "{n_replies} answers: {seen:?}");
    match seen.outcome {
        Outcome::Answered => {
            let by = seen.answered_by;
            assert!(matches!(by, Answerer::Filter | Answerer::Upstream), "answered by {by:?}: {seen:?}");
        }
        Outcome::Reset => assert!(sent.disconnected, "reset: {seen:?}"),
        Outcome::Hung(_) => assert!(sent.disconnected, "neither answered nor forwarded: {seen:?}"),
    }
    for line in &seen.logs {
        assert!(!shows(line.message.as_bytes(), PIN), "a value of the event is logged: {seen:?}");
    }
    if seen.answered_by == Answerer::Filter {
        assert!(!shows(&seen.body(), PIN), "a value of the event is echoed: {seen:?}");
        let answer: serde_json::Value = serde_json::from_slice(&seen.body()).expect("a refusal is JSON");
        assert_eq!(answer["status"], seen.status(), "{seen:?}");
    }
    match (&seen.upstream, judge(edge, sent)) {
        (Some(_), Judged::Refused { .. }) => panic!("what the core refuses went upstream: {seen:?}"),
        (Some(upstream), Judged::Forwarded(headers)) => of_upstream(sent, upstream, Some(&headers)),
        (Some(upstream), Judged::Asked) => of_upstream(sent, upstream, None),
        (None, Judged::Refused { status, body }) if sent.ended && seen.outcome == Outcome::Answered => {
            assert_eq!((seen.status(), seen.body()), (status, body), "the core refuses otherwise: {seen:?}");
        }
        (None, Judged::Forwarded(_)) => {
            let excused = sent.disconnected || sent.no_upstream || is_copy(seen);
            assert!(!sent.ended || excused, "the core forwards it: {seen:?}");
        }
        (None, Judged::Refused { .. } | Judged::Asked) => {}
    }
    seen.upstream.is_some()
}

fn of_upstream(sent: &Sent, upstream: &UpstreamSaw, wanted: Option<&[(String, String)]>) {
    assert!(sent.ended, "upstream got an event without an end: {upstream:?}");
    assert!(upstream.complete, "upstream got half an event: {upstream:?}");
    assert_eq!(upstream.body, sent.body, "the body was changed");
    assert_eq!(upstream.headers.text(":path"), Some(&*sent.head.path), "the path was changed");
    for (name, value) in upstream.headers.iter().filter(|(name, _)| is_reserved(name)) {
        let shown = String::from_utf8_lossy(name);
        assert!(!shows(value, FORGED.as_bytes()), "{shown} was smuggled in: {upstream:?}");
        assert_eq!(upstream.headers.values(&shown).count(), 1, "{shown}: {upstream:?}");
        // The core beside it does not remember what was accepted.
        if let Some(wanted) = wanted.filter(|_| name != EVENT_OUT_OF_ORDER.as_bytes()) {
            let is_wanted = wanted.iter().any(|(it, of)| it.as_bytes() == name && of.as_bytes() == value);
            assert!(is_wanted, "{shown} is not what the core says: {upstream:?}");
        }
    }
    for (name, value) in wanted.into_iter().flatten() {
        assert_eq!(upstream.headers.text(name), Some(&**value), "{name}: {upstream:?}");
    }
    for (name, _) in upstream.trailers.iter().flat_map(|trailers| trailers.iter()) {
        assert!(!is_reserved(name), "a trailer was smuggled in: {upstream:?}");
    }
}

/// No proof of the configurations depends on the time.
fn judge(edge: &Edge, sent: &Sent) -> Judged {
    let refused =
        |refusal: event_core::Refusal| Judged::Refused { status: refusal.status(), body: refusal.body() };
    let head = joined(&sent.head);
    let admission = match edge.admit(head.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()))) {
        Ok(admission) => admission,
        Err(refusal) => return refused(refusal),
    };
    match edge.judge(&admission, &sent.body, 0, &()) {
        Verdict::Forward(headers) => Judged::Forwarded(
            headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ),
        Verdict::Refuse(refusal) => refused(refusal),
        Verdict::Ask(_) => Judged::Asked,
    }
}

/// Envoy keeps each of these in one slot.
fn joined(head: &Head) -> Vec<(String, Vec<u8>)> {
    let pseudo = [(":path", &head.path), (":method", &head.method)];
    let mut joined: Vec<(String, Vec<u8>)> =
        pseudo.into_iter().map(|(name, value)| (name.to_owned(), value.clone().into_bytes())).collect();
    for (name, value) in &head.headers {
        let in_one_slot = matches!(&**name, "content-encoding" | "content-type");
        match joined.iter_mut().find(|(it, _)| in_one_slot && it == name) {
            // An empty value adds nothing, not even a comma.
            Some((_, first)) => {
                if !first.is_empty() && !value.is_empty() {
                    first.push(b',');
                }
                first.extend(value);
            }
            None => joined.push((name.clone(), value.clone())),
        }
    }
    joined
}

fn shows(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
