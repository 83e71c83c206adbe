//! One request and how upstream takes it, as data for every runner. It sends nothing.

use std::borrow::Cow;

use crate::headers::{Raw, Shown, shown};
use crate::sign::Sign;

/// A request to the gateway and the script of the upstream behind it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers in order, without what frames the body. HTTP/2 gets the names in lower case: it knows no other.
    pub headers: Raw,
    /// The body as it is cut: chunks, DATA frames or writes.
    pub pieces: Vec<Vec<u8>>,
    /// The trailers.
    pub trailers: Raw,
    /// Whether an HTTP/1.1 body is chunked even without trailers.
    pub chunked: bool,
    /// How it is signed. Without it the headers are as they stand.
    pub sign: Option<Sign>,
    /// What upstream does with each attempt; the last step again and again. Empty: it answers 200.
    pub upstream: Vec<Step>,
    /// What the account directory does with each question, the last step again and again. Empty: it answers 500.
    pub directory: Vec<Step>,
    /// How far the clock goes before the request is sent. Envoy's clock cannot be moved.
    pub wait_ms: u64,
}

/// What upstream does with one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It answers.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Raw,
        /// The body.
        body: Vec<u8>,
    },
    /// It does not.
    Fail(Failure),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The connection closes once the request has come.
    Reset,
    /// Nothing comes within the time that the plugin gives.
    Timeout,
    /// Nobody listens.
    Connect,
    /// The cluster has no host.
    NoHost,
}

impl Exchange {
    /// A POST of JSON to `path`.
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        Self {
            method: "POST".to_owned(),
            path: path.to_owned(),
            headers: vec![(b"content-type".to_vec(), b"application/json".to_vec())],
            pieces: if body.is_empty() { Vec::new() } else { vec![body.to_vec()] },
            trailers: Raw::new(),
            chunked: false,
            sign: None,
            upstream: Vec::new(),
            directory: Vec::new(),
            wait_ms: 0,
        }
    }

    /// The whole body.
    pub fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// The request as it is sent at this time: its headers filled in, if it is signed.
    pub fn at(&self, now_s: u64) -> Cow<'_, Self> {
        let Some(sign) = &self.sign else { return Cow::Borrowed(self) };
        let body = self.body();
        let mut sent = self.clone();
        for (_, value) in &mut sent.headers {
            // Bytes that are not UTF-8 have no names to fill in.
            if let Ok(text) = std::str::from_utf8(value) {
                *value = sign.fill(text, &body, now_s).into_bytes();
            }
        }
        Cow::Owned(sent)
    }

    /// Headers that upstream got as they were sent, shown as they are written here.
    pub fn as_written(&self, sent: &Self, headers: &mut Shown) {
        for ((name, written), (_, filled)) in self.headers.iter().zip(&sent.headers) {
            let name = shown(&name.to_ascii_lowercase());
            for (_, value) in headers.iter_mut().filter(|(it, value)| *it == name && *value == shown(filled))
            {
                *value = shown(written);
            }
        }
    }

    /// What upstream does with this attempt, counted from 1.
    pub fn step(&self, attempt: usize) -> Step {
        nth(&self.upstream, attempt).unwrap_or_else(Step::accepted)
    }

    /// What the directory does with the first question.
    pub fn first_of_directory(&self) -> Step {
        nth(&self.directory, 1).unwrap_or_else(|| Step::status(500))
    }

    /// Whether an HTTP/1.1 body goes in chunks.
    pub fn is_chunked(&self) -> bool {
        self.chunked || !self.trailers.is_empty()
    }
}

/// The step of an attempt, counted from 1; the last one again and again.
pub(crate) fn nth(steps: &[Step], attempt: usize) -> Option<Step> {
    steps.get(attempt.saturating_sub(1).min(steps.len().saturating_sub(1))).cloned()
}

impl Step {
    /// An empty 200.
    pub fn accepted() -> Self {
        Self::status(200)
    }

    /// An empty answer.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Raw::new(), body: Vec::new() }
    }
}
