//! The closed list of causes: why an event was not forwarded. Texts for people stand here, bodies in `problem`.

/// Why an event was not forwarded. The sender sees [`Cause::name`] in the problem body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The path names no source.
    SourceUnknown,
    /// A source's path, but the method is not POST.
    MethodNotAllowed,
    /// A header that decides something stands there more than once.
    HeaderAmbiguous,
    /// The content type is not JSON, or the content is encoded.
    MediaTypeUnsupported,
    /// The body is over the limit.
    BodyTooLarge,
    /// The signature or token is missing or wrong.
    SignatureInvalid,
    /// The body is not exactly one strict JSON value.
    JsonMalformed,
    /// The value does not have the shape of an event.
    EventInvalid,
    /// The event type is not among the registered ones of its source.
    EventTypeRefused,
    /// The same event was accepted before, within the window.
    Duplicate,
    /// The event names no device, bridge or access code.
    SubjectMissing,
    /// The ids of the event belong to different accounts.
    AccountConflict,
    /// No account owns the subject.
    AccountUnknown,
    /// The account directory gave no answer.
    DirectoryUnavailable,
    /// Upstream did not accept the event.
    UpstreamUnavailable,
}

impl Cause {
    /// Every cause, in the order in which the steps of an event can name it.
    pub const ALL: [Self; 15] = [
        Self::SourceUnknown,
        Self::MethodNotAllowed,
        Self::HeaderAmbiguous,
        Self::MediaTypeUnsupported,
        Self::BodyTooLarge,
        Self::SignatureInvalid,
        Self::JsonMalformed,
        Self::EventInvalid,
        Self::EventTypeRefused,
        Self::Duplicate,
        Self::SubjectMissing,
        Self::AccountConflict,
        Self::AccountUnknown,
        Self::DirectoryUnavailable,
        Self::UpstreamUnavailable,
    ];

    /// The stable name: in problem bodies, in the access log, in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SourceUnknown => "source_unknown",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::HeaderAmbiguous => "header_ambiguous",
            Self::MediaTypeUnsupported => "media_type_unsupported",
            Self::BodyTooLarge => "body_too_large",
            Self::SignatureInvalid => "signature_invalid",
            Self::JsonMalformed => "json_malformed",
            Self::EventInvalid => "event_invalid",
            Self::EventTypeRefused => "event_type_refused",
            Self::Duplicate => "duplicate",
            Self::SubjectMissing => "subject_missing",
            Self::AccountConflict => "account_conflict",
            Self::AccountUnknown => "account_unknown",
            Self::DirectoryUnavailable => "directory_unavailable",
            Self::UpstreamUnavailable => "upstream_unavailable",
        }
    }

    /// The HTTP status of the answer. `account_unknown` has the one of `on_unassigned: defer`, the default.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Duplicate => 200,
            Self::HeaderAmbiguous | Self::JsonMalformed => 400,
            Self::SignatureInvalid => 401,
            Self::SourceUnknown => 404,
            Self::MethodNotAllowed => 405,
            Self::BodyTooLarge => 413,
            Self::MediaTypeUnsupported => 415,
            Self::EventInvalid | Self::EventTypeRefused | Self::SubjectMissing | Self::AccountConflict => 422,
            Self::AccountUnknown | Self::DirectoryUnavailable | Self::UpstreamUnavailable => 503,
        }
    }

    /// The title of the problem body: the same for every occurrence of a cause (RFC 9457, section 3.1.3).
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::SourceUnknown => "No source has this path",
            Self::MethodNotAllowed => "Events are sent with POST",
            Self::HeaderAmbiguous => "A header that must stand alone is repeated",
            Self::MediaTypeUnsupported => "The body must be unencoded JSON",
            Self::BodyTooLarge => "The body is too large",
            Self::SignatureInvalid => "The signature is missing or wrong",
            Self::JsonMalformed => "The body is not one strict JSON value",
            Self::EventInvalid => "The event does not have the standard shape",
            Self::EventTypeRefused => "The event type is not registered for this source",
            Self::Duplicate => "The event was accepted before",
            Self::SubjectMissing => "The event names no device, bridge or access code",
            Self::AccountConflict => "The ids of the event belong to different accounts",
            Self::AccountUnknown => "No connected account owns the subject",
            Self::DirectoryUnavailable => "The account directory gave no answer",
            Self::UpstreamUnavailable => "The event was not accepted upstream",
        }
    }

    /// The problem type: a URN, since it names the cause and points nowhere.
    #[must_use]
    pub fn urn(self) -> String {
        ["urn:bellhop:cause:", self.name()].concat()
    }

    /// Whether the same event, sent again later, can succeed without anyone changing it.
    #[must_use]
    pub const fn sender_should_retry(self) -> bool {
        self.status() == 503
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_cause_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.name()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
    }

    #[test]
    fn no_cause_answers_with_a_redirect_or_with_410() {
        // Senders take 410 as "disable the endpoint".
        for cause in Cause::ALL {
            assert!(!(300..400).contains(&cause.status()) && cause.status() != 410, "{cause:?}");
        }
    }
}
