//! The answer to a sender whose event is not forwarded: a problem body (RFC 9457) and its headers. It never repeats what
//! the sender sent: PINs travel in these events.

use crate::Cause;
use crate::shape::ShapeError;
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
    retry_after_s: Option<u32>,
    signature_fault: Option<SignatureFault>,
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
            retry_after_s: None,
            signature_fault: None,
        }
    }

    /// The body is over the limit, in bytes.
    #[must_use]
    pub fn body_too_large(limit: usize) -> Self {
        Self::new(Cause::BodyTooLarge, format!("the body is larger than {limit} bytes"))
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

    /// Says after how many seconds the sender should try again.
    #[must_use]
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
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

    /// The headers of the answer.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", MEDIA_TYPE.to_owned())];
        if self.cause == Cause::MethodNotAllowed {
            // RFC 9110, section 15.5.6: a 405 names what is allowed.
            headers.push(("allow", "POST".to_owned()));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.push(("retry-after", seconds.to_string()));
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
        assert_eq!(refusal.headers(), [("content-type", MEDIA_TYPE.to_owned())]);
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
        assert!(refusal.headers().contains(&("allow", "POST".to_owned())));
        let refusal = Refusal::new(Cause::UpstreamUnavailable, "").retry_after(7);
        assert!(refusal.headers().contains(&("retry-after", "7".to_owned())));
    }
}
