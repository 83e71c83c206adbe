//! The account directory of a test: a script of answers for both hosts. It is no directory: it looks nothing up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use envoy_sim::{CalloutAnswer, Cluster, Response};
use serde_json::Value;
use testbed::upstream::{Answer, Received, Upstream};

use crate::exchange::{Failure, Step, nth};

/// The name of its cluster.
pub const CLUSTER: &str = "directory";

/// The script of the exchange that is running.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<(Vec<Step>, usize)>>);

impl Script {
    fn lock(&self) -> MutexGuard<'_, (Vec<Step>, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a script.
    pub fn begin(&self, steps: &[Step]) {
        *self.lock() = (steps.to_vec(), 0);
    }

    fn next(&self) -> Step {
        let mut script = self.lock();
        script.1 += 1;
        nth(&script.0, script.1).unwrap_or_else(|| Step::status(500))
    }

    /// Its cluster in the simulator.
    pub fn cluster(&self) -> Cluster {
        let script = self.clone();
        Cluster::answering(CLUSTER, move |_| match script.next() {
            Step::Answer { status, body, .. } => {
                let response = Response::new(status).header("content-type", "application/json");
                CalloutAnswer::Now(response.with_body(body))
            }
            Step::Fail(Failure::Reset | Failure::NoHost) => CalloutAnswer::Reset,
            Step::Fail(Failure::Connect) => CalloutAnswer::ConnectFailure,
            Step::Fail(Failure::Timeout) => CalloutAnswer::Silence,
        })
    }

    /// Its server behind Envoy.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn serve(&self) -> std::io::Result<Upstream> {
        let script = self.clone();
        Upstream::start_with(0, move |_| match script.next() {
            Step::Answer { status, body, .. } => {
                Answer::status(status).header("content-type", "application/json").body(body)
            }
            Step::Fail(Failure::Timeout) => Answer::Hang,
            Step::Fail(Failure::Reset | Failure::Connect | Failure::NoHost) => Answer::Reset,
        })
    }
}

/// The questions among these requests, each of which must be well-formed.
///
/// # Errors
/// When one of them is not what the contract says.
pub fn questions<'a>(received: impl IntoIterator<Item = &'a Received>) -> Result<Vec<String>> {
    let questions = received.into_iter().filter(|request| request.method == "GET");
    questions
        .map(|request| {
            ensure!(request.body.is_empty(), "a question has a body: {request:?}");
            check(&request.path, request.headers.all("accept").next())?;
            Ok(request.path.clone())
        })
        .collect()
}

/// What holds for every question.
///
/// # Errors
/// When it does not.
pub fn check(path: &str, accept: Option<&[u8]>) -> Result<()> {
    ensure!(path.starts_with("/v1/resolve?source="), "a question that is none: {path}");
    ensure!(accept == Some(b"application/json".as_slice()), "a question that accepts {accept:?}");
    Ok(())
}

/// What the plain core makes of a step: accounts with their customers and the kind of id, nobody, a conflict, or nothing.
///
/// # Errors
/// When the step is a 200 that is no answer of the contract.
pub fn resolution(step: &Step) -> Result<event_core::directory::Resolution> {
    use event_core::accounts::Account;
    use event_core::directory::{Answer, Owners, Resolution};
    use event_core::subject::IdKind;
    Ok(match step {
        Step::Answer { status: 409, .. } => Resolution::Answered(Answer::Conflict),
        Step::Answer { status: 200, body, .. } => {
            let Ok(value) = serde_json::from_slice::<Value>(body) else { return Ok(Resolution::Unavailable) };
            let accounts = value["accounts"].as_array().context("an answer has accounts")?;
            let account = |account: &Value| -> Result<_> {
                Ok(std::rc::Rc::new(Account {
                    connected_account_id: account["connected_account_id"].as_str().context("an id")?.into(),
                    customer_key: account["customer_key"].as_str().map(Into::into),
                }))
            };
            let accounts = accounts.iter().map(account).collect::<Result<Vec<_>>>()?;
            let by = IdKind::ALL.into_iter().find(|kind| value["assigned_by"] == kind.name());
            let owners = by.and_then(|by| Owners::new(accounts, by));
            Resolution::Answered(owners.map_or(Answer::Unknown, Answer::Assigned))
        }
        Step::Answer { .. } | Step::Fail(_) => Resolution::Unavailable,
    })
}
