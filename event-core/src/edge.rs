//! The way of an event through Bellhop, in the order of its steps: the first that fails names the cause. Each step's rules
//! stand in its own module.

use crate::accepted::order::Latest;
use crate::accepted::{Memory, Places};
use crate::accounts::Lookup;
use crate::admission::{self, Admission};
use crate::config::{Config, ConfigError, Environment, OnInvalid, OnUnassigned, Source};
use crate::directory::lessons::Lesson;
use crate::directory::question::{Question, Subject};
use crate::directory::{Answer, Owners, Resolution};
use crate::event_id::content_id;
use crate::forward::{EventHeaders, ForwardHeaders};
use crate::headers::encoded;
use crate::problem::RetryAfter;
use crate::response::{self, Sent, UpstreamResponse};
use crate::shape::ValidEvent;
use crate::subject::Ids;
use crate::tally::Label;
use crate::{Cause, Refusal, json};
use std::borrow::Cow;
use std::cell::OnceCell;

/// One environment, ready to judge events.
#[derive(Debug)]
pub struct Edge {
    config: Config,
    /// `None` until there is a secret for it, or if nothing is to be remembered.
    memory: Option<Memory>,
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
        Config::from_json(text, environment).map(|config| Self { config, memory: None })
    }

    /// Remembers accepted events as the configuration says, in places that are found with this secret: the same for all that
    /// share the places. Without it nothing is remembered.
    #[must_use]
    pub fn remembering(self, secret: &[u8]) -> Self {
        let memory = self.config.memory.is_any().then(|| Memory::new(&self.config, secret));
        Self { memory, ..self }
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Believes whoever posts: for trials without their senders.
    pub(crate) fn ask_no_proofs(&mut self) {
        self.config.ask_no_proofs();
    }

    /// Judges the headers of a request, pseudo-headers included.
    ///
    /// # Errors
    /// A refusal, if the body need not be waited for.
    pub fn admit<'h>(
        &self,
        headers: impl IntoIterator<Item = (&'h [u8], &'h [u8]), IntoIter: Clone>,
    ) -> Result<Admission, Refusal> {
        admission::admit(&self.config.sources, &self.config.limits, self.config.replay.as_ref(), headers)
    }

    /// Whether [`Edge::judge`] looks at the time for this request.
    #[must_use]
    pub fn needs_time(&self, admission: &Admission) -> bool {
        self.config.memory.duplicates.is_some()
            || self.config.sources.get(admission.source.0).is_some_and(|source| source.verify.needs_time())
    }

    /// Judges a whole body of an admitted request. `now_s` is in seconds since 1970; any number will do where
    /// [`Edge::needs_time`] says no. `places` hold what is remembered of accepted events.
    #[must_use]
    pub fn judge(&self, admission: &Admission, body: &[u8], now_s: u64, places: &dyn Places) -> Verdict<'_> {
        self.judge_body(admission, body, now_s, places).unwrap_or_else(Verdict::Refuse)
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

    /// Judges the status that came back for an event that has left: `None` lets it pass to the sender.
    #[must_use]
    pub fn judge_response(&self, sent: &Sent, response: &impl UpstreamResponse) -> Option<Refusal> {
        response::judge(sent, response)
    }

    fn judge_body(
        &self,
        admission: &Admission,
        body: &[u8],
        now_s: u64,
        places: &dyn Places,
    ) -> Result<Verdict<'_>, Refusal> {
        let limits = &self.config.limits;
        if body.len() > limits.body_bytes {
            return Err(Refusal::body_too_large(limits.body_bytes, Label::of(admission.source)));
        }
        let source = self.source(admission.source)?;
        let own_id = match admission.replayed.as_deref() {
            Some(id) => Some(id),
            None => {
                let proved = source.verify.check(admission.presented.as_deref(), body, now_s);
                let refused = |fault| Refusal::signature_invalid(fault).labelled(Label::of(admission.source));
                proved.map_err(refused)?.event_id
            }
        };
        let arrival = Arrival {
            index: admission.source,
            source,
            own_id,
            body,
            content_id: OnceCell::new(),
            replayed: admission.replayed.is_some(),
        };
        let value = match json::parse(body, limits.depth) {
            Ok(value) => value,
            Err(error) => {
                let refusal = Refusal::new(Cause::JsonMalformed, error.to_string()).labelled(arrival.label());
                return self.set_aside(&arrival, None, refusal);
            }
        };
        let event = match ValidEvent::check(&value, limits.id_bytes) {
            Ok(event) => event,
            Err(errors) => {
                let refusal = Refusal::event_invalid(errors).labelled(arrival.label());
                return self.set_aside(&arrival, None, refusal);
            }
        };
        self.judge_event(&arrival, &event, now_s, places)
            .map_err(|refusal| refusal.labelled(arrival.label().typed(&event)))
            .or_else(|refusal| self.set_aside(&arrival, Some(&event), refusal))
    }

    // Not inlined, like what a refusal needs: compiling one large function takes more of Envoy's memory than several small ones.
    #[inline(never)]
    fn judge_event(
        &self,
        arrival: &Arrival<'_>,
        event: &ValidEvent<'_>,
        now_s: u64,
        places: &dyn Places,
    ) -> Result<Verdict<'_>, Refusal> {
        let config = &self.config;
        let index = arrival.index;
        let source = self.source(index)?;
        require_registered(source, event)?;
        let delivery = config.delivery.of(event.event_type());
        let mut sent = Box::new(Sent::new(delivery.retry_after, arrival.label().typed(event)));
        if let Some(memory) = self.memory.as_ref().filter(|_| config.memory.duplicates.is_some()) {
            sent.fingerprint = memory.fingerprint(&arrival.id(), arrival.content_id());
            if sent.fingerprint.as_ref().is_some_and(|it| it.is_copy(places, now_s)) {
                return Err(Refusal::new(Cause::Duplicate, "this event was accepted before"));
            }
        }
        let subject = event.subject();
        let Some(first) = subject.first() else {
            let detail = "device_id, bridge_id and access_code_id are absent or null";
            return Err(Refusal::new(Cause::SubjectMissing, detail));
        };
        let lookup = config.accounts.assign(index.0, subject.ids());
        let assignment = match lookup {
            Lookup::Assigned(assignment) => Some(assignment),
            Lookup::Conflict => return Err(conflict()),
            Lookup::Unknown if config.directory.is_some() => None,
            Lookup::Unknown => {
                self.unassigned(sent.retry_after)?;
                None
            }
        };
        let mut headers = EventHeaders::new(source, event, &arrival.id());
        sent.latest = self.memory.as_ref().and_then(|memory| {
            memory.latest(&source.name, first, event.timestamp()).map(|latest| latest.look(places))
        });
        if sent.latest.as_ref().is_some_and(Latest::is_late) {
            headers.flag_out_of_order();
        }
        if let Some(assignment) = assignment {
            headers.assign(assignment);
            if self.teaches(source, subject.ids()) {
                let owners = Owners::of_assignment(assignment);
                sent.lesson = Some(Lesson { subject: Subject::new(index, subject.ids()), owners });
            }
        } else if config.directory.is_some() {
            let subject = Subject::new(index, subject.ids());
            return Ok(Verdict::Ask(Question { subject, headers, sent, replayed: arrival.replayed }));
        }
        Ok(Verdict::Forward(headers.complete(config, source, delivery, sent)))
    }

    fn complete(&self, question: Question, resolution: &Resolution) -> Result<ForwardHeaders<'_>, Refusal> {
        let Question { subject, mut headers, mut sent, replayed } = question;
        let source = self.source(subject.source())?;
        let label = sent.label;
        let assigned = match resolution {
            Resolution::Answered(Answer::Assigned(owners)) => {
                headers.assign(owners.assignment());
                if self.teaches(source, &subject.ids()) {
                    sent.lesson = Some(Lesson { subject, owners: owners.clone() });
                }
                Ok(())
            }
            Resolution::Stale(owners, age_s) => {
                headers.assign(owners.assignment());
                headers.flag_stale(*age_s);
                Ok(())
            }
            Resolution::Answered(Answer::Unknown) => self.unassigned(sent.retry_after),
            Resolution::Answered(Answer::Conflict) => Err(conflict()),
            Resolution::Unavailable => {
                let detail = "the account directory gave no answer; send the event again later";
                Err(Refusal::new(Cause::DirectoryUnavailable, detail).retry_after(sent.retry_after))
            }
        };
        match assigned.map_err(|refusal| refusal.labelled(label)) {
            Ok(()) => {
                let delivery = self.config.delivery.of(headers.event_type());
                Ok(headers.complete(&self.config, source, delivery, sent))
            }
            Err(refusal) if self.quarantines(refusal.cause(), replayed) => {
                Ok(self.to_quarantine(source, headers, refusal))
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Sends to the quarantine sink what is refused, if the configuration says so of its cause.
    #[inline(never)]
    fn set_aside(
        &self,
        arrival: &Arrival<'_>,
        event: Option<&ValidEvent<'_>>,
        refusal: Refusal,
    ) -> Result<Verdict<'_>, Refusal> {
        if !self.quarantines(refusal.cause(), arrival.replayed) {
            return Err(refusal);
        }
        let id = arrival.id();
        let headers = match event {
            Some(event) => EventHeaders::new(arrival.source, event, &id),
            None => EventHeaders::identified(&id),
        };
        let source = self.source(arrival.index)?;
        Ok(Verdict::Forward(self.to_quarantine(source, headers, refusal)))
    }

    fn to_quarantine<'e>(
        &'e self,
        source: &'e Source,
        mut headers: EventHeaders,
        refusal: Refusal,
    ) -> ForwardHeaders<'e> {
        let delivery = self.config.delivery.others();
        headers.set_aside(refusal.cause());
        let sent = Sent::new(delivery.retry_after, refusal.label());
        let sent = Sent { set_aside: Some(refusal), ..sent };
        headers.complete(&self.config, source, delivery, Box::new(sent))
    }

    /// Whether what is refused for this cause goes to the quarantine sink. A replayed event comes from there.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the list of causes that can be quarantined is closed")]
    fn quarantines(&self, cause: Cause, replayed: bool) -> bool {
        !replayed
            && match cause {
                Cause::JsonMalformed
                | Cause::EventInvalid
                | Cause::EventTypeRefused
                | Cause::SubjectMissing
                | Cause::AccountConflict => self.config.on_invalid == OnInvalid::Quarantine,
                Cause::AccountUnknown => self.config.on_unassigned == OnUnassigned::Quarantine,
                _ => false,
            }
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
    fn unassigned(&self, retry_after: RetryAfter) -> Result<(), Refusal> {
        let unknown =
            || Refusal::new(Cause::AccountUnknown, "no connected account owns the ids of this event");
        match self.config.on_unassigned {
            OnUnassigned::Forward => Ok(()),
            OnUnassigned::Reject | OnUnassigned::Quarantine => Err(unknown().with_status(422)),
            OnUnassigned::Defer => Err(unknown().retry_after(retry_after)),
        }
    }
}

/// A whole request whose sender has proved itself.
struct Arrival<'a> {
    index: SourceIndex,
    source: &'a Source,
    /// The id that the sender signed, or that the event had when it was quarantined.
    own_id: Option<&'a str>,
    body: &'a [u8],
    content_id: OnceCell<String>,
    replayed: bool,
}

impl Arrival<'_> {
    fn label(&self) -> Label {
        Label::of(self.index)
    }

    /// The event's id, as a header value.
    fn id(&self) -> Cow<'_, str> {
        match self.own_id {
            // It has been a header value before.
            Some(id) if self.replayed => id.into(),
            Some(id) => encoded(id).into(),
            None => self.content_id().into(),
        }
    }

    /// Hashing is a third of what an event costs: it is done when it is needed, and once.
    fn content_id(&self) -> &str {
        self.content_id.get_or_init(|| content_id(&self.source.name, self.body))
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
