//! A body, and what would become of it, as JSON for JavaScript. Every word of the judgement is `event_core`'s.

mod answer;
mod subject;

use event_core::config::ConfigFault;
use event_core::trial::{Outcome, Proof, Trial, TrialError};
use event_core::{ConfigError, Refusal, ValidEvent, Verdict, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::places::{self, Place};
use answer::Answer;
use subject::Subject;

/// The longest body and configuration that are looked at, in bytes: the largest body that a configuration can allow, and more
/// than any configuration needs.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The content type of an event whose sender is not asked for headers.
const JSON: (&str, &str) = ("content-type", "application/json");

/// What is asked beside the body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Question {
    /// The plugin configuration, as JSON text; without one only form and shape count.
    config: Option<String>,
    /// The source that would send the event.
    source: Option<String>,
    /// The sender's headers; a content type is added if there is none.
    headers: Vec<(String, String)>,
    /// If given, the source's proof is asked for, with this secret in place of the configured ones.
    secret: Option<String>,
    /// In seconds since 1970.
    now_s: u64,
}

/// The answer to a question: one of the members is null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    /// What is wrong with the configuration.
    config_error: Option<ConfigFailure>,
    /// What would become of the event.
    judgement: Option<Judgement>,
}

/// Why there is nothing to judge with.
#[derive(Debug, Serialize)]
struct ConfigFailure {
    message: String,
    /// The key, as in `sources[0].verify`; empty for the whole.
    path: String,
    place: Option<Place>,
}

/// What would become of an event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Judgement {
    /// `forwarded`, a cause, or `asks_the_directory`.
    outcome: &'static str,
    /// The title of the cause, if there is one.
    title: Option<&'static str>,
    /// Whether it goes to the quarantine sink.
    quarantined: bool,
    /// Whether its sender should send it again unchanged.
    retry: bool,
    /// The name of the source.
    source: String,
    /// What is wrong, where.
    errors: Vec<Fault>,
    /// What was wrong with the proof; no sender is told.
    signature_fault: Option<&'static str>,
    /// What was read of the event before it was refused.
    event: Option<Event>,
    subject: Option<Subject>,
    /// What its sender gets, unless that is upstream's own answer.
    answer: Option<Answer>,
    /// What is added to the request for upstream, or for the sink.
    headers: Vec<(&'static str, String)>,
    /// The sender's headers that are removed.
    removed: Vec<String>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize)]
struct Fault {
    /// A JSON Pointer, or null where the text is no JSON.
    pointer: Option<String>,
    message: String,
    place: Option<Place>,
}

/// What an event says of itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event_type: String,
    /// Whether the type has a schema of its own.
    known: bool,
    /// As upstream gets it.
    timestamp: String,
}

/// Judges a body. `question` is JSON, so is what is given back.
#[must_use]
pub fn judge(body: &[u8], question: &str) -> String {
    let reply = match serde_json::from_str::<Question>(question) {
        Ok(question) => reply(body, &question),
        Err(error) => failed(&format!("the question is not understood: {error}")),
    };
    to_text(&reply)
}

pub(crate) fn to_text(value: &impl Serialize) -> String {
    // Structs of strings and numbers: this cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

fn failed(message: &str) -> Reply {
    let config_error = ConfigFailure { message: message.to_owned(), path: String::new(), place: None };
    Reply { config_error: Some(config_error), judgement: None }
}

fn reply(body: &[u8], question: &Question) -> Reply {
    let config = question.config.as_deref().unwrap_or_default();
    if config.len() > MOST_BYTES {
        return failed("the configuration is larger than 4 MiB");
    }
    let proof = question.secret.as_deref().map_or(Proof::NotAsked, Proof::Under);
    let trial = match &question.config {
        None => Trial::of_shape(),
        Some(config) => Trial::new(config.as_bytes(), question.source.as_deref(), proof),
    };
    match trial {
        Ok(trial) => Reply { config_error: None, judgement: Some(judgement(&trial, body, question)) },
        Err(TrialError::Config(error)) => {
            let failure = ConfigFailure {
                message: error.fault.to_string(),
                place: place_in_configuration(config, &error),
                path: error.path,
            };
            Reply { config_error: Some(failure), judgement: None }
        }
        Err(error @ (TrialError::SourceUnknown | TrialError::SourceNotNamed)) => failed(&error.to_string()),
    }
}

fn judgement(trial: &Trial, body: &[u8], question: &Question) -> Judgement {
    let mut headers: Vec<(&[u8], &[u8])> =
        question.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(JSON.0.as_bytes())) {
        headers.push((JSON.0.as_bytes(), JSON.1.as_bytes()));
    }
    // The longest body is over any limit; what follows it changes nothing.
    let body = body.get(..=MOST_BYTES).unwrap_or(body);
    let Outcome { verdict, removed } = trial.judge(&headers, body, question.now_s);
    let refusal = match &verdict {
        Verdict::Refuse(refusal) => Some(refusal.clone()),
        Verdict::Forward(_) | Verdict::Ask(_) => None,
    };
    let mut judgement = Judgement {
        outcome: "asks_the_directory",
        title: None,
        quarantined: false,
        retry: false,
        source: trial.source().to_owned(),
        errors: Vec::new(),
        signature_fault: None,
        event: None,
        subject: None,
        answer: None,
        headers: Vec::new(),
        removed,
    };
    let refusal = match verdict {
        Verdict::Refuse(_) => refusal,
        Verdict::Ask(_) => None,
        Verdict::Forward(headers) => {
            judgement.outcome = headers.outcome();
            judgement.headers = headers.iter().map(|(name, value)| (name, value.to_owned())).collect();
            let sent = headers.into_sent();
            judgement.quarantined = sent.set_aside().is_some();
            answer::of_sink(trial, &sent)
        }
    };
    let content = Content::read(trial, body);
    if let Some(refusal) = &refusal {
        judgement.outcome = refusal.cause().name();
        judgement.title = Some(refusal.cause().title());
        judgement.retry = refusal.is_for_later();
        judgement.signature_fault = refusal.signature_fault().map(event_core::SignatureFault::name);
        judgement.errors = content.faults(body, refusal);
        judgement.answer = Some(Answer::of(refusal));
    }
    if let Some(event) = content.event() {
        judgement.event = Some(Event {
            event_type: event.event_type().to_owned(),
            known: event_core::shape::is_known(event.event_type()),
            timestamp: event.timestamp().to_string(),
        });
        judgement.subject = Some(Subject::of(trial, &event));
    }
    judgement
}

/// The body read once more, for what a refusal does not keep.
struct Content {
    value: Result<Value, json::JsonError>,
    id_bytes: usize,
}

impl Content {
    fn read(trial: &Trial, body: &[u8]) -> Self {
        let config = trial.edge().config();
        let value = if body.len() > config.body_bytes() {
            Err(json::JsonError::Empty)
        } else {
            json::parse(body, config.depth())
        };
        Self { value, id_bytes: config.id_bytes() }
    }

    fn event(&self) -> Option<ValidEvent<'_>> {
        ValidEvent::check(self.value.as_ref().ok()?, self.id_bytes).ok()
    }

    fn faults(&self, body: &[u8], refusal: &Refusal) -> Vec<Fault> {
        match &self.value {
            Err(error) if refusal.cause() == event_core::Cause::JsonMalformed => {
                let range = places::of_json_error(body, *error);
                let message = refusal.detail().to_owned();
                vec![Fault { pointer: None, message, place: places::places(body, &[range]).pop() }]
            }
            Err(_) => Vec::new(),
            Ok(_) => {
                let text = std::str::from_utf8(body).unwrap_or_default();
                let places = places::places(body, &places::of_errors(text, refusal.errors()));
                let fault = |(error, place): (&event_core::shape::ShapeError, Place)| Fault {
                    pointer: Some(error.pointer.clone()),
                    message: error.fault.to_string(),
                    place: Some(place),
                };
                refusal.errors().iter().zip(places).map(fault).collect()
            }
        }
    }
}

fn place_in_configuration(text: &str, error: &ConfigError) -> Option<Place> {
    let range = match &error.fault {
        ConfigFault::NotJson(error) => places::of_json_error(text.as_bytes(), *error),
        ConfigFault::UnknownKey { .. }
        | ConfigFault::Missing
        | ConfigFault::Expected { .. }
        | ConfigFault::NotUnique { .. }
        | ConfigFault::Needs { .. }
        | ConfigFault::TooManyOwners { .. }
        | ConfigFault::NotInEnvironment { .. }
        | ConfigFault::SecretNot { .. } => places::of_pointer(text, &pointer(&error.path)),
    };
    places::places(text.as_bytes(), &[range]).pop()
}

/// `sources[0].verify` as a JSON Pointer. A key that the configuration knows has no dot and no bracket; one that it does not know
/// may, and then the place is around it.
fn pointer(path: &str) -> String {
    let mut pointer = String::new();
    for key in path.split(['.', '[']).map(|key| key.trim_end_matches(']')).filter(|key| !key.is_empty()) {
        pointer.push('/');
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

#[cfg(test)]
mod tests;
