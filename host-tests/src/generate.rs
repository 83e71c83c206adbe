//! Streams made from a seed: good and bad events, cut, smuggled into, cut short, met by failing upstreams. It judges none.

use testbed::random::Random;

use crate::exchange::{Exchange, Failure, Step};
use crate::headers::Raw;

/// The same seed gives the same streams.
#[derive(Debug, Clone)]
pub struct Generator(Random);

/// One stream.
#[derive(Debug)]
pub struct Stream {
    /// What is sent, and what upstream does.
    pub exchange: Exchange,
    /// The client goes away after so many frames.
    pub leaves_after: Option<usize>,
    /// The client never ends its request.
    pub never_ends: bool,
    /// Upstream takes its time.
    pub late_upstream: bool,
}

impl Stream {
    /// Whether it may end without an answer.
    pub fn may_be_cut_short(&self) -> bool {
        self.never_ends || self.leaves_after.is_some()
    }

    /// Makes the client stay to the end, and upstream answer at once.
    pub fn stays(&mut self) {
        self.never_ends = false;
        self.leaves_after = None;
        self.late_upstream = false;
    }
}

impl Generator {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.bits()
    }

    /// A number below `bound`, which is positive.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A stream whose body is one of these, often changed.
pub fn stream(generator: &mut Generator, bodies: &[Vec<u8>]) -> Stream {
    let body = body(generator, bodies);
    let mut exchange = Exchange::post("/provider_events", "");
    exchange.pieces = pieces(generator, &body);
    exchange.chunked = generator.one_in(2);
    if generator.one_in(20) {
        exchange.path = (*generator.pick(&["/", "/provider_event", "/provider_events?x=1", "//"])).to_owned();
    }
    if generator.one_in(30) {
        exchange.method = (*generator.pick(&["GET", "PUT", "OPTIONS", "DELETE"])).to_owned();
    }
    exchange.headers = headers(generator);
    if generator.one_in(4) {
        exchange.trailers = smuggled(generator, 3);
        exchange.trailers.push((b"x-checksum".to_vec(), b"1".to_vec()));
    }
    if generator.one_in(2) {
        exchange.upstream = vec![step(generator)];
    }
    let never_ends = exchange.trailers.is_empty() && generator.one_in(25);
    let leaves_after = generator.one_in(15).then(|| generator.below(exchange.pieces.len() + 2));
    Stream { exchange, leaves_after, never_ends, late_upstream: generator.one_in(5) }
}

fn body(generator: &mut Generator, bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut body = generator.pick(bodies).clone();
    match generator.below(20) {
        0 if !body.is_empty() => {
            let at = generator.below(body.len());
            body[at] = generator.next().to_le_bytes()[0];
        }
        1 => body.truncate(generator.below(body.len() + 1)),
        2 => body.extend_from_slice(&generator.pick(bodies).clone()),
        3 => {
            // White space is part of the bytes, not of the value.
            let at = generator.below(3);
            body.extend(b" \n\t"[at..].iter());
        }
        4 if generator.one_in(4) => body = vec![b'x'; 262_144 + generator.below(3)],
        _ => {}
    }
    body
}

fn pieces(generator: &mut Generator, body: &[u8]) -> Vec<Vec<u8>> {
    let n_cuts = if generator.one_in(10) { generator.below(40) } else { generator.below(4) };
    let mut offsets: Vec<usize> = (0..n_cuts).map(|_| generator.below(body.len() + 1)).collect();
    offsets.sort_unstable();
    let mut start = 0;
    let mut pieces = Vec::new();
    for end in offsets.into_iter().chain([body.len()]) {
        pieces.push(body[start..end].to_vec());
        start = end;
    }
    if body.is_empty() && generator.one_in(2) {
        pieces.clear();
    }
    pieces
}

fn headers(generator: &mut Generator) -> Raw {
    let content_type = if generator.one_in(10) {
        *generator.pick(&["text/plain", "application/json, text/plain", "application/x+json", "\u{ff}"])
    } else {
        "application/json"
    };
    let mut headers = smuggled(generator, 4);
    headers.push((b"content-type".to_vec(), content_type.as_bytes().to_vec()));
    for (name, value, rarity) in [
        ("content-encoding", "gzip", 40),
        ("content-encoding", "identity", 20),
        ("webhook-id", "a", 10),
        ("webhook-id", "b", 20),
        ("x-odd", "\u{e9}", 5),
        ("content-type", "application/json", 40),
    ] {
        if generator.one_in(rarity) {
            headers.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
    }
    headers
}

/// Up to so many headers that a client may not bring, now and then.
fn smuggled(generator: &mut Generator, most: usize) -> Raw {
    let mut headers = Raw::new();
    if !generator.one_in(3) {
        return headers;
    }
    for _ in 0..generator.below(most + 1) {
        let name = *generator.pick(&event_core::headers::RESERVED);
        let name = if generator.one_in(3) { name.replace('-', "_") } else { name.to_owned() };
        headers.push((name.into_bytes(), b"smuggled".to_vec()));
    }
    headers
}

fn step(generator: &mut Generator) -> Step {
    const STATUSES: [u16; 16] =
        [200, 201, 204, 299, 301, 304, 400, 404, 409, 410, 429, 500, 502, 503, 504, 599];
    const RETRY_AFTER: [&str; 5] = ["1", "86400", "86401", "soon", ""];
    if generator.one_in(4) {
        let failures = [Failure::Reset, Failure::Timeout, Failure::Connect, Failure::NoHost];
        return Step::Fail(*generator.pick(&failures));
    }
    let mut headers = Raw::new();
    if generator.one_in(3) {
        let value = generator.pick(&RETRY_AFTER).as_bytes().to_vec();
        headers.push((b"retry-after".to_vec(), value));
    }
    let status = *generator.pick(&STATUSES);
    let has_body = status != 204 && status != 304 && generator.one_in(2);
    Step::Answer {
        status,
        headers,
        body: if has_body { b"upstream's own words".to_vec() } else { Vec::new() },
    }
}
