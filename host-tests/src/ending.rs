//! What came of an exchange, in the form that all runners share and that scenario files hold. It runs nothing.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::Exchange;
use crate::headers::{self, Shown};

/// The media type of refusals.
const PROBLEM: &str = "application/problem+json";

/// What the sender got, and what upstream saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// The status that the sender got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The headers that the sender got, but for those that HTTP and Envoy add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Shown,
    /// The cause, if the answer is a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The problem's detail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Pointer and message of each of the problem's errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Shown,
    /// The body of an answer that is no problem.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// What the account directory was asked: path and query of each question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// What reached upstream. The path and the body are not in here: every runner holds them equal to what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamSaw>,
}

/// How an exchange ended for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With a whole answer.
    Answered,
    /// The connection or stream ended without one.
    Reset,
    /// Never.
    Hung,
}

/// What reached upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSaw {
    /// How often. Only Envoy's router tries again: the other runners take this number as given.
    pub attempts: usize,
    /// The headers, but for those that HTTP and Envoy add.
    pub headers: Shown,
    /// The trailers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trailers: Shown,
}

impl Ending {
    /// An answer. What calls itself a problem must be a whole one.
    ///
    /// # Errors
    /// When it is not.
    pub fn answered<'a>(
        status: u16,
        response_headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
        body: &[u8],
        upstream: Option<UpstreamSaw>,
    ) -> Result<Self> {
        let shown = headers::of_response(response_headers);
        let mut ending = Self { status: Some(status), upstream, ..Self::without_answer(Outcome::Answered) };
        let is_problem = shown.iter().any(|(name, value)| name == "content-type" && value == PROBLEM);
        ending.headers = shown;
        if is_problem {
            let text = headers::shown(body);
            ending.read_problem(status, body).with_context(|| format!("the answer is no problem: {text}"))?;
        } else {
            ending.body = headers::shown(body);
        }
        Ok(ending)
    }

    /// No answer.
    pub fn without_answer(outcome: Outcome) -> Self {
        Self {
            outcome,
            status: None,
            headers: Shown::new(),
            cause: None,
            detail: None,
            errors: Shown::new(),
            body: String::new(),
            asked: Vec::new(),
            upstream: None,
        }
    }

    /// The same, with what the request brought shown as it is written.
    #[must_use]
    pub fn as_written(mut self, exchange: &Exchange, sent: &Exchange) -> Self {
        if let Some(upstream) = &mut self.upstream {
            exchange.as_written(sent, &mut upstream.headers);
        }
        self
    }

    /// The value of a header that upstream got, if it got exactly one of this name.
    pub fn upstream_header(&self, name: &str) -> Option<&str> {
        let mut values =
            self.upstream.iter().flat_map(|upstream| &upstream.headers).filter(|(it, _)| it == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    fn read_problem(&mut self, status: u16, body: &[u8]) -> Result<()> {
        let problem: Value = serde_json::from_slice(body)?;
        let members = problem.as_object().context("no object")?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).context(name.to_owned());
        let cause = text("cause")?;
        ensure!(text("type")? == format!("urn:bellhop:cause:{cause}"), "the type is not that of the cause");
        ensure!(!text("title")?.is_empty(), "the title is empty");
        // Envoy's own formatter writes the number, too.
        ensure!(members.get("status") == Some(&Value::from(status)), "the status is not that of the answer");
        let known = ["type", "title", "status", "detail", "cause", "errors"];
        ensure!(members.keys().all(|name| known.contains(&name.as_str())), "it has further members");
        for error in members.get("errors").and_then(Value::as_array).into_iter().flatten() {
            let part = |name: &str| error[name].as_str().map(str::to_owned).context("an error has no text");
            self.errors.push((part("pointer")?, part("message")?));
        }
        self.detail = Some(text("detail")?.to_owned());
        self.cause = Some(cause.to_owned());
        Ok(())
    }
}
