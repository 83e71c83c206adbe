//! The wire form of a scenario, and how it becomes an exchange. Unknown keys and contradictions are errors.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::{Runner, behind};
use crate::headers::{Raw, Shown, unshown};
use crate::on_envoy::{Behind, Edge};
use crate::{Ending, Exchange, Failure, Step, sign};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Scenario {
    about: String,
    configuration: String,
    #[serde(default = "yes")]
    stop_iteration: bool,
    #[serde(default)]
    http1_trailers: bool,
    #[serde(default)]
    environment: Shown,
    runs_on: Option<BTreeSet<Runner>>,
    /// Why it does not run everywhere.
    because: Option<String>,
    request: Vec<Request>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Request {
    #[serde(default = "post")]
    method: String,
    #[serde(default = "path")]
    path: String,
    #[serde(default = "json")]
    headers: Shown,
    body: Option<String>,
    body_bytes: Option<String>,
    body_file: Option<String>,
    body_repeat: Option<Repeat>,
    cut_at: Option<Vec<usize>>,
    cut_every: Option<usize>,
    /// Ends the body with an empty piece of its own.
    #[serde(default)]
    empty_last_piece: bool,
    #[serde(default)]
    chunked: bool,
    #[serde(default)]
    trailers: Shown,
    sign: Option<Sign>,
    #[serde(default)]
    upstream: Vec<Upstream>,
    /// What the account directory does with each question.
    #[serde(default)]
    directory: Vec<Upstream>,
    #[serde(default)]
    wait_ms: u64,
    expect: Option<Ending>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sign {
    #[serde(default)]
    algorithm: Algorithm,
    key: Option<String>,
    key_base64: Option<String>,
    #[serde(default = "body")]
    text: String,
    #[serde(default)]
    seconds_from_now: i64,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Algorithm {
    Sha1,
    #[default]
    Sha256,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    #[serde(default)]
    before: String,
    text: String,
    times: usize,
    #[serde(default)]
    after: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Upstream {
    status: Option<u16>,
    #[serde(default)]
    headers: Shown,
    #[serde(default)]
    body: String,
    fails: Option<Fails>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Fails {
    Reset,
    Timeout,
    Connect,
    NoHost,
}

fn yes() -> bool {
    true
}

fn post() -> String {
    "POST".to_owned()
}

fn path() -> String {
    "/provider_events".to_owned()
}

fn json() -> Shown {
    vec![("content-type".to_owned(), "application/json".to_owned())]
}

fn body() -> String {
    "{body}".to_owned()
}

fn raw(headers: Shown) -> Result<Raw> {
    headers.into_iter().map(|(name, value)| Ok((name.into_bytes(), unshown(&value)?))).collect()
}

impl Scenario {
    /// `fixture` reads a file and marks it as used.
    pub(super) fn read(
        self,
        name: String,
        path: PathBuf,
        mut fixture: impl FnMut(&str) -> Result<Vec<u8>>,
    ) -> Result<super::Scenario> {
        ensure!(self.about.ends_with('.'), "`about` is a sentence");
        let runs_on = self.runs_on.unwrap_or_else(|| Runner::ALL.into());
        let everywhere = runs_on.len() == Runner::ALL.len();
        ensure!(
            everywhere != self.because.is_some(),
            "`because` says why a scenario does not run everywhere"
        );
        ensure!(!runs_on.is_empty() && !self.request.is_empty(), "there is nothing to run");
        let configuration = fixture(&format!("configurations/{}.json", self.configuration))?;
        let requests =
            self.request.into_iter().map(|request| request.read(&mut fixture)).collect::<Result<Vec<_>>>()?;
        let has_clock = runs_on.iter().all(|runner| matches!(runner, Runner::Core | Runner::Simulator));
        ensure!(
            has_clock || requests.iter().all(|(exchange, _)| exchange.wait_ms == 0),
            "only the core and the simulator have a clock that can be moved"
        );
        let edge = Edge {
            configuration: String::from_utf8(configuration)?,
            stop_iteration: self.stop_iteration,
            http1_trailers: self.http1_trailers,
            behind: behind(&requests)?,
            environment: self.environment,
        };
        let edge_name = edge_name(&self.configuration, &edge);
        Ok(super::Scenario { name, runs_on, edge, edge_name, requests, path })
    }
}

fn edge_name(configuration: &str, edge: &Edge) -> String {
    let mut name = configuration.to_owned();
    if !edge.stop_iteration {
        name.push_str("_without_stop_iteration");
    }
    if edge.http1_trailers {
        name.push_str("_with_http1_trailers");
    }
    match edge.behind {
        Behind::Listening => {}
        Behind::Refusing => name.push_str("_before_a_host_that_refuses"),
        Behind::Nobody => name.push_str("_before_no_host"),
    }
    for (variable, _) in &edge.environment {
        name.push_str("_with_");
        name.push_str(variable);
    }
    name
}

impl Request {
    fn read(self, fixture: &mut impl FnMut(&str) -> Result<Vec<u8>>) -> Result<(Exchange, Option<Ending>)> {
        let body = match (self.body, self.body_bytes, self.body_file, self.body_repeat) {
            (None, None, None, None) => Vec::new(),
            (Some(text), None, None, None) => text.into_bytes(),
            (None, Some(text), None, None) => unshown(&text)?,
            (None, None, Some(file), None) => fixture(&format!("bodies/{file}"))?,
            (None, None, None, Some(Repeat { before, text, times, after })) => {
                [before, text.repeat(times), after].concat().into_bytes()
            }
            _ => bail!("a request has one body"),
        };
        let mut pieces = match (self.cut_at, self.cut_every) {
            (None, None) if body.is_empty() => Vec::new(),
            (None, None) => vec![body],
            (Some(offsets), None) => cut(&body, &offsets)?,
            (None, Some(0)) | (Some(_), Some(_)) => bail!("a body is cut in one way"),
            (None, Some(size)) => body.chunks(size).map(<[u8]>::to_vec).collect(),
        };
        if self.empty_last_piece {
            pieces.push(Vec::new());
        }
        let exchange = Exchange {
            method: self.method,
            path: self.path,
            headers: raw(self.headers)?,
            pieces,
            trailers: raw(self.trailers)?,
            chunked: self.chunked,
            sign: self.sign.map(Sign::read).transpose()?,
            upstream: self.upstream.into_iter().map(Upstream::read).collect::<Result<_>>()?,
            directory: self.directory.into_iter().map(Upstream::read).collect::<Result<_>>()?,
            wait_ms: self.wait_ms,
        };
        Ok((exchange, self.expect))
    }
}

fn cut(body: &[u8], offsets: &[usize]) -> Result<Vec<Vec<u8>>> {
    let mut start = 0;
    let mut pieces = Vec::new();
    for end in offsets.iter().copied().chain([body.len()]) {
        let piece = body.get(start..end).with_context(|| format!("the body cannot be cut at {end}"))?;
        pieces.push(piece.to_vec());
        start = end;
    }
    Ok(pieces)
}

impl Sign {
    fn read(self) -> Result<sign::Sign> {
        let key = match (self.key, self.key_base64) {
            (Some(key), None) => key.into_bytes(),
            (None, Some(key)) => sign::from_base64(&key)?,
            _ => bail!("a request is signed with one key"),
        };
        let algorithm = match self.algorithm {
            Algorithm::Sha1 => sign::Algorithm::Sha1,
            Algorithm::Sha256 => sign::Algorithm::Sha256,
        };
        Ok(sign::Sign { algorithm, key, text: self.text, seconds_from_now: self.seconds_from_now })
    }
}

impl Upstream {
    fn read(self) -> Result<Step> {
        match (self.status, self.fails) {
            (Some(status), None) => {
                Ok(Step::Answer { status, headers: raw(self.headers)?, body: self.body.into_bytes() })
            }
            (None, Some(fails)) if self.headers.is_empty() && self.body.is_empty() => {
                Ok(Step::Fail(match fails {
                    Fails::Reset => Failure::Reset,
                    Fails::Timeout => Failure::Timeout,
                    Fails::Connect => Failure::Connect,
                    Fails::NoHost => Failure::NoHost,
                }))
            }
            _ => bail!("upstream answers with a status, or fails"),
        }
    }
}
