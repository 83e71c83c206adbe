//! The way of an event through Bellhop, in the order of its steps: the first that fails names the cause. Each step's rules
//! stand in its own module.

use crate::accounts::Lookup;
use crate::admission::{self, Admission};
use crate::config::{Config, ConfigError, Environment, OnUnassigned, Source};
use crate::directory::lessons::Lesson;
use crate::directory::question::{Question, Subject};
use crate::directory::{Answer, Owners, Resolution};
use crate::event_id::content_id;
use crate::forward::{EventHeaders, ForwardHeaders};
use crate::headers::encoded;
use crate::response::{self, UpstreamResponse};
use crate::shape::ValidEvent;
use crate::subject::Ids;
use crate::{Cause, Refusal, json};

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
    /// The account directory must be asked whose it is; [`Edge::resolve`] judges it then.
    Ask(Question),
    /// It does not go upstream; the sender gets this.
    Refuse(Refusal),
}

/// What becomes of an event once it is known what the directory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'e> {
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
        self.config.sources.get(admission.source.0).is_some_and(|source| source.verify.needs_time())
    }

    /// Judges a whole body of an admitted request. `now_s` is in seconds since 1970; any number will do where
    /// [`Edge::needs_time`] says no.
    #[must_use]
    pub fn judge(&self, admission: &Admission, body: &[u8], now_s: u64) -> Verdict<'_> {
        self.judge_body(admission, body, now_s).unwrap_or_else(Verdict::Refuse)
    }

    /// Judges an event once it is known what the directory says of it.
    #[must_use]
    pub fn resolve(&self, question: Question, resolution: &Resolution) -> Decision<'_> {
        self.complete(question, resolution).map_or_else(Decision::Refuse, Decision::Forward)
    }

    /// The name of the source whose events have this subject.
    #[must_use]
    pub fn source_name(&self, subject: &Subject) -> &str {
        self.config.sources.get(subject.source().0).map_or("", |source| &source.name)
    }

    /// Judges the status that came back for a forwarded event: `None` lets it pass to the sender.
    #[must_use]
    pub fn judge_response(&self, response: &impl UpstreamResponse) -> Option<Refusal> {
        response::judge(response, self.config.delivery.retry_after_s)
    }

    fn judge_body(&self, admission: &Admission, body: &[u8], now_s: u64) -> Result<Verdict<'_>, Refusal> {
        let index = admission.source;
        let config = &self.config;
        let limits = &config.limits;
        if body.len() > limits.body_bytes {
            return Err(Refusal::body_too_large(limits.body_bytes));
        }
        let source = self.source(index)?;
        let proved = source
            .verify
            .check(admission.presented.as_deref(), body, now_s)
            .map_err(Refusal::signature_invalid)?;
        let value = json::parse(body, limits.depth)
            .map_err(|error| Refusal::new(Cause::JsonMalformed, error.to_string()))?;
        let event = ValidEvent::check(&value, limits.id_bytes).map_err(Refusal::event_invalid)?;
        require_registered(source, &event)?;
        let event_headers = || {
            let id = match proved.event_id {
                Some(id) => encoded(id),
                None => content_id(&source.name, body),
            };
            EventHeaders::new(source, &event, &id)
        };
        let subject = event.subject();
        if subject.first().is_none() {
            let detail = "device_id, bridge_id and access_code_id are absent or null";
            return Err(Refusal::new(Cause::SubjectMissing, detail));
        }
        let assignment = match config.accounts.assign(index.0, subject.ids()) {
            Lookup::Assigned(assignment) => Some(assignment),
            Lookup::Conflict => return Err(conflict()),
            Lookup::Unknown if config.directory.is_some() => {
                let headers = event_headers();
                let subject = Subject::new(index, subject.ids());
                return Ok(Verdict::Ask(Question { subject, headers }));
            }
            Lookup::Unknown => {
                self.unassigned()?;
                None
            }
        };
        let mut headers = event_headers();
        let mut lesson = None;
        if let Some(assignment) = assignment {
            headers.assign(assignment);
            if self.teaches(source, subject.ids()) {
                let owners = Owners::of_assignment(assignment);
                lesson = Some(Lesson { subject: Subject::new(index, subject.ids()), owners });
            }
        }
        Ok(Verdict::Forward(headers.complete(config, source, lesson)))
    }

    fn complete(&self, question: Question, resolution: &Resolution) -> Result<ForwardHeaders<'_>, Refusal> {
        let Question { subject, mut headers } = question;
        let source = self.source(subject.source())?;
        let mut lesson = None;
        match resolution {
            Resolution::Answered(Answer::Assigned(owners)) => {
                headers.assign(owners.assignment());
                if self.teaches(source, &subject.ids()) {
                    lesson = Some(Lesson { subject, owners: owners.clone() });
                }
            }
            Resolution::Stale(owners, age_s) => {
                headers.assign(owners.assignment());
                headers.flag_stale(*age_s);
            }
            Resolution::Answered(Answer::Unknown) => self.unassigned()?,
            Resolution::Answered(Answer::Conflict) => return Err(conflict()),
            Resolution::Unavailable => {
                let detail = "the account directory gave no answer; send the event again later";
                let refusal = Refusal::new(Cause::DirectoryUnavailable, detail);
                return Err(refusal.retry_after(self.config.delivery.retry_after_s));
            }
        }
        Ok(headers.complete(&self.config, source, lesson))
    }

    /// Whether an assigned event with these ids shows a directory something. What a stranger can send does not.
    fn teaches(&self, source: &Source, ids: &Ids<'_>) -> bool {
        self.config.directory.is_some() && source.is_verified() && ids.present().count() > 1
    }

    fn source(&self, index: SourceIndex) -> Result<&Source, Refusal> {
        let source = self.config.sources.get(index.0);
        source.ok_or_else(|| Refusal::new(Cause::SourceUnknown, "no such source"))
    }

    /// No account owns the subject: refused, unless such events are forwarded all the same.
    fn unassigned(&self) -> Result<(), Refusal> {
        let unknown =
            || Refusal::new(Cause::AccountUnknown, "no connected account owns the ids of this event");
        match self.config.on_unassigned {
            OnUnassigned::Forward => Ok(()),
            OnUnassigned::Reject => Err(unknown().with_status(422)),
            OnUnassigned::Defer => Err(unknown().retry_after(self.config.delivery.retry_after_s)),
        }
    }
}

fn conflict() -> Refusal {
    Refusal::new(Cause::AccountConflict, "the ids of this event share no connected account")
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
