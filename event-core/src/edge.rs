//! The way of an event through Bellhop, in the order of its steps: the first that fails names the cause. Each step's rules
//! stand in its own module.

use crate::accounts::Lookup;
use crate::admission::{self, Admission};
use crate::config::{Config, ConfigError, Environment, OnUnassigned, Source};
use crate::event_id::content_id;
use crate::forward::{self, ForwardHeaders};
use crate::headers::encoded;
use crate::response::{self, UpstreamResponse};
use crate::shape::ValidEvent;
use crate::{Assignment, Cause, Refusal, json};

/// One environment, ready to judge events.
#[derive(Debug)]
pub struct Edge {
    config: Config,
}

/// Which source of the configuration. Only [`Edge::admit`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceIndex(pub(crate) usize);

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'e> {
    /// It goes upstream, byte for byte, with these headers added.
    Forward(ForwardHeaders<'e>),
    /// It does not; the sender gets this.
    Refuse(Refusal),
}

impl Edge {
    /// Makes an edge from the JSON text of a plugin configuration.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn from_json(text: &[u8]) -> Result<Self, ConfigError> {
        Self::with_environment(text, &|_| None)
    }

    /// The same, with the environment variables that the configuration may name for its secrets.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn with_environment(text: &[u8], environment: &Environment<'_>) -> Result<Self, ConfigError> {
        Config::from_json(text, environment).map(|config| Self { config })
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Judges the headers of a request, pseudo-headers included.
    ///
    /// # Errors
    /// A refusal, if the body need not be waited for.
    pub fn admit<'h>(
        &self,
        headers: impl IntoIterator<Item = (&'h [u8], &'h [u8]), IntoIter: Clone>,
    ) -> Result<Admission, Refusal> {
        admission::admit(&self.config.sources, &self.config.limits, headers)
    }

    /// Whether [`Edge::judge`] looks at the time for this request.
    #[must_use]
    pub fn needs_time(&self, admission: &Admission) -> bool {
        self.source(admission.source).is_some_and(|source| source.verify.needs_time())
    }

    /// Judges a whole body of an admitted request. `now_s` is in seconds since 1970; any number will do where
    /// [`Edge::needs_time`] says no.
    #[must_use]
    pub fn judge(&self, admission: &Admission, body: &[u8], now_s: u64) -> Verdict<'_> {
        self.forward(admission, body, now_s).map_or_else(Verdict::Refuse, Verdict::Forward)
    }

    /// Judges the status that came back for a forwarded event: `None` lets it pass to the sender.
    #[must_use]
    pub fn judge_response(&self, response: &impl UpstreamResponse) -> Option<Refusal> {
        response::judge(response, self.config.delivery.retry_after_s)
    }

    fn source(&self, SourceIndex(index): SourceIndex) -> Option<&Source> {
        self.config.sources.get(index)
    }

    fn forward(&self, admission: &Admission, body: &[u8], now_s: u64) -> Result<ForwardHeaders<'_>, Refusal> {
        let config = &self.config;
        let limits = &config.limits;
        if body.len() > limits.body_bytes {
            return Err(Refusal::body_too_large(limits.body_bytes));
        }
        let source = self
            .source(admission.source)
            .ok_or_else(|| Refusal::new(Cause::SourceUnknown, "no such source"))?;
        let proved = source
            .verify
            .check(admission.presented.as_deref(), body, now_s)
            .map_err(Refusal::signature_invalid)?;
        let value = json::parse(body, limits.depth)
            .map_err(|error| Refusal::new(Cause::JsonMalformed, error.to_string()))?;
        let event = ValidEvent::check(&value, limits.id_bytes).map_err(Refusal::event_invalid)?;
        require_registered(source, &event)?;
        let assignment = self.assign(admission.source, &event)?;
        let id = match proved.event_id {
            Some(id) => encoded(id),
            None => content_id(&source.name, body),
        };
        Ok(forward::headers(config, source, &event, assignment, &id))
    }

    /// `None` if no account owns the subject and such events are forwarded all the same.
    fn assign(
        &self,
        SourceIndex(source): SourceIndex,
        event: &ValidEvent<'_>,
    ) -> Result<Option<Assignment<'_>>, Refusal> {
        let subject = event.subject();
        if subject.first().is_none() {
            let detail = "device_id, bridge_id and access_code_id are absent or null";
            return Err(Refusal::new(Cause::SubjectMissing, detail));
        }
        let unknown =
            || Refusal::new(Cause::AccountUnknown, "no connected account owns the ids of this event");
        match (self.config.accounts.assign(source, subject.ids()), self.config.on_unassigned) {
            (Lookup::Assigned(assignment), _) => Ok(Some(assignment)),
            (Lookup::Conflict, _) => {
                Err(Refusal::new(Cause::AccountConflict, "the ids of this event share no connected account"))
            }
            (Lookup::Unknown, OnUnassigned::Forward) => Ok(None),
            (Lookup::Unknown, OnUnassigned::Reject) => Err(unknown().with_status(422)),
            (Lookup::Unknown, OnUnassigned::Defer) => {
                Err(unknown().retry_after(self.config.delivery.retry_after_s))
            }
        }
    }
}

fn require_registered(source: &Source, event: &ValidEvent<'_>) -> Result<(), Refusal> {
    match &source.only {
        Some(only) if !only.contains(event.event_type()) => {
            Err(Refusal::new(Cause::EventTypeRefused, "the event type is not registered for this source"))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
