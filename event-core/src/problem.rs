//! The answer to a sender whose event is not forwarded: a problem body (RFC 9457) and its headers. It never repeats what
//! the sender sent: PINs travel in these events.

use crate::Cause;
use crate::headers::{EVENT_DUPLICATE, EVENT_QUARANTINED};
use crate::shape::ShapeError;
use crate::tally::Label;
use crate::verify::SignatureFault;
use serde::Serialize;
use std::borrow::Cow;

/// The media type of every problem body (RFC 9457, section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why an event is not forwarded, with all that the answer to the sender says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    cause: Cause,
    detail: Cow<'static, str>,
    errors: Vec<ShapeError>,
    status: u16,
    retry_after: Option<RetryAfter>,
    signature_fault: Option<SignatureFault>,
    label: Label,
}

/// When a sender should come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// At least so many seconds later.
    pub(crate) seconds: u32,
    /// At most so many seconds after that: a fleet of senders that were refused at once does not return at once.
    spread: u32,
}

impl RetryAfter {
    /// Both in seconds.
    pub(crate) fn spread(seconds: u64, spread: u64) -> Self {
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { seconds: narrow(seconds), spread: narrow(spread) }
    }

    /// Neither earlier nor later.
    pub(crate) const fn exactly(seconds: u32) -> Self {
        Self { seconds, spread: 0 }
    }

    /// The seconds for one request. The multiplier is 2⁶⁴ over the golden ratio: neighbouring numbers land far apart.
    fn of(self, salt: u64) -> u32 {
        let mixed = u32::try_from(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap_or_default();
        self.seconds.saturating_add(mixed % self.spread.saturating_add(1))
    }
}

impl Refusal {
    /// A refusal with the status of its cause. `detail` is for people and holds nothing from the request.
    #[must_use]
    pub fn new(cause: Cause, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cause,
            detail: detail.into(),
            errors: Vec::new(),
            status: cause.status(),
            retry_after: None,
            signature_fault: None,
            label: Label::default(),
        }
    }

    /// The body is over the limit, in bytes.
    #[must_use]
    pub fn body_too_large(limit: usize, label: Label) -> Self {
        Self::new(Cause::BodyTooLarge, format!("the body is larger than {limit} bytes")).labelled(label)
    }

    /// One answer whatever the fault: it would help whoever tries to guess.
    pub(crate) fn signature_invalid(fault: SignatureFault) -> Self {
        let refusal = Self::new(Cause::SignatureInvalid, "nothing proves that the source sent this request");
        Self { signature_fault: Some(fault), ..refusal }
    }

    pub(crate) fn event_invalid(errors: Vec<ShapeError>) -> Self {
        let detail = "the members under `errors` do not have the shape that the event type asks for";
        Self { errors, ..Self::new(Cause::EventInvalid, detail) }
    }

    /// Answers with another status than the cause's own.
    #[must_use]
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Says when the sender should try again.
    #[must_use]
    pub(crate) fn retry_after(self, when: RetryAfter) -> Self {
        Self { retry_after: Some(when), ..self }
    }

    /// The answer once the quarantine sink has the event.
    #[must_use]
    pub(crate) fn taken_aside(self) -> Self {
        Self { status: 202, retry_after: None, ..self }
    }

    /// Says what it is counted under.
    #[must_use]
    pub(crate) fn labelled(self, label: Label) -> Self {
        Self { label, ..self }
    }

    /// What it is counted under.
    pub(crate) const fn label(&self) -> Label {
        self.label
    }

    /// Why.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// What was wrong, for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with the shape, for `event_invalid`.
    #[must_use]
    pub fn errors(&self) -> &[ShapeError] {
        &self.errors
    }

    /// What was wrong, for `signature_invalid`. For metrics; no answer says it.
    #[must_use]
    pub const fn signature_fault(&self) -> Option<SignatureFault> {
        self.signature_fault
    }

    /// Whether the answer says when to come back: only then [`Refusal::headers`] looks at its number.
    #[must_use]
    pub const fn is_for_later(&self) -> bool {
        self.retry_after.is_some()
    }

    /// The headers of the answer. `salt` is any number that is another one for another request, a time for instance; it
    /// spreads out when senders come back.
    #[must_use]
    pub fn headers(&self, salt: u64) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", MEDIA_TYPE.to_owned())];
        if self.cause == Cause::MethodNotAllowed {
            // RFC 9110, section 15.5.6: a 405 names what is allowed.
            headers.push(("allow", "POST".to_owned()));
        }
        if let Some(when) = self.retry_after {
            headers.push(("retry-after", when.of(salt).to_string()));
        }
        if self.cause == Cause::Duplicate {
            headers.push((EVENT_DUPLICATE, "true".to_owned()));
        }
        if self.status == 202 {
            headers.push((EVENT_QUARANTINED, "true".to_owned()));
        }
        headers
    }

    /// The problem body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let problem = Problem {
            r#type: self.cause.urn(),
            title: self.cause.title(),
            status: self.status,
            detail: &self.detail,
            cause: self.cause.name(),
            errors: self.errors.iter().map(Entry::of).collect(),
        };
        // Strings and a number: this cannot fail, and an empty body would still carry the status.
        serde_json::to_vec(&problem).unwrap_or_default()
    }
}

/// RFC 9457, section 3.1, with two members of our own.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    cause: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    pointer: &'a str,
    message: String,
}

impl<'a> Entry<'a> {
    fn of(error: &'a ShapeError) -> Self {
        Self { pointer: &error.pointer, message: error.fault.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Fault;
    use serde_json::{Value, json};

    fn body(refusal: &Refusal) -> Value {
        serde_json::from_slice(&refusal.body()).unwrap()
    }

    #[test]
    fn a_problem_says_type_title_status_detail_and_cause() {
        let refusal = Refusal::new(Cause::SubjectMissing, "the event names no subject");
        assert_eq!(
            body(&refusal),
            json!({
                "type": "urn:bellhop:cause:subject_missing",
                "title": "The event names no device, bridge or access code",
                "status": 422,
                "detail": "the event names no subject",
                "cause": "subject_missing",
            })
        );
        assert_eq!(refusal.headers(0), [("content-type", MEDIA_TYPE.to_owned())]);
    }

    #[test]
    fn an_invalid_event_is_told_where_and_what() {
        let error = ShapeError { pointer: "/code".to_owned(), fault: Fault::Required };
        assert_eq!(
            body(&Refusal::event_invalid(vec![error]))["errors"],
            json!([{"pointer": "/code", "message": "is required"}])
        );
    }

    #[test]
    fn a_405_names_the_method_and_a_503_the_time() {
        let refusal = Refusal::new(Cause::MethodNotAllowed, "");
        assert!(refusal.headers(0).contains(&("allow", "POST".to_owned())));
        let refusal = Refusal::new(Cause::UpstreamUnavailable, "").retry_after(RetryAfter::exactly(7));
        assert!(refusal.headers(u64::MAX).contains(&("retry-after", "7".to_owned())));
    }

    #[test]
    fn senders_that_are_refused_together_come_back_one_by_one() {
        let when = RetryAfter::spread(30, 15);
        let mut n_of = [0; 60];
        for millisecond in 0..16_000_u64 {
            n_of[when.of(1_767_225_600_000 + millisecond) as usize] += 1;
        }
        assert!(n_of[..30].iter().chain(&n_of[46..]).all(|n| *n == 0), "{n_of:?}");
        assert!(n_of[30..46].iter().all(|n| (900..1_100).contains(n)), "{n_of:?}");
    }

    #[test]
    fn what_was_accepted_or_taken_aside_is_marked() {
        let mark =
            |refusal: Refusal| refusal.headers(0).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let duplicate = Refusal::new(Cause::Duplicate, "");
        assert_eq!((duplicate.status(), mark(duplicate)), (200, vec!["content-type", "x-event-duplicate"]));
        let later = Refusal::new(Cause::AccountUnknown, "").retry_after(RetryAfter::exactly(7)).taken_aside();
        assert_eq!((later.status(), mark(later)), (202, vec!["content-type", "x-event-quarantined"]));
    }
}
