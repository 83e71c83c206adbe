//! The signature of a webhook, as Svix makes it and Standard Webhooks describes it. What the body says is not its matter.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use seam::Secret;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

/// Bytes in the longest header: an id of 256, or some signatures of 47 each.
const MAX_HEADER_BYTES: usize = 1024;

/// The headers as Svix names them, and as the standard does.
const HEADERS: [(&str, &str); 3] = [
    ("svix-id", HEADER_WEBHOOK_ID),
    ("svix-timestamp", HEADER_WEBHOOK_TIMESTAMP),
    ("svix-signature", HEADER_WEBHOOK_SIGNATURE),
];

/// Everything that one of these secrets has signed is Seam's.
pub struct Signatures {
    keys: Vec<Webhook>,
}

/// A secret that is none.
#[derive(Debug, thiserror::Error)]
#[error("secret {position} is not the base64 of at least 16 bytes, with or without `whsec_`")]
pub struct BadSecret {
    /// From 1.
    pub position: usize,
}

/// Why a delivery is not believed. For counting; whoever sent it is told none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// A header is missing, stands twice, or has a form that the standard does not know.
    #[error("a signature header is missing, repeated or malformed")]
    Header,
    /// Its time is more than five minutes off.
    #[error("the delivery is too old or from the future")]
    Time,
    /// No secret has signed it.
    #[error("no secret fits the signature")]
    Signature,
}

impl Unverified {
    /// A short stable name, for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Time => "time",
            Self::Signature => "signature",
        }
    }
}

impl Signatures {
    /// With these secrets, each `whsec_` and base64. Several: while they rotate. None: nothing is believed.
    ///
    /// # Errors
    /// When one cannot be a secret.
    pub fn try_new(secrets: &[Secret]) -> Result<Self, BadSecret> {
        /// 16 bytes are 24 characters of base64 with their padding.
        const MIN_CHARACTERS: usize = 24;
        let key = |(index, secret): (usize, &Secret)| {
            let text = secret.expose();
            let is_long = text.strip_prefix("whsec_").unwrap_or(text).len() >= MIN_CHARACTERS;
            let bad = || BadSecret { position: index + 1 };
            if is_long { Webhook::new(text).map_err(|_| bad()) } else { Err(bad()) }
        };
        Ok(Self { keys: secrets.iter().enumerate().map(key).collect::<Result<_, _>>()? })
    }

    /// Whether Seam sent this, within the last five minutes.
    ///
    /// # Errors
    /// When it is not sure.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Unverified> {
        use standardwebhooks::WebhookError as E;
        let headers = standard(headers)?;
        let mut why = Unverified::Signature;
        for key in &self.keys {
            match key.verify(body, &headers) {
                Ok(()) => return Ok(()),
                Err(E::TimestampTooOldError | E::FutureTimestampError) => return Err(Unverified::Time),
                Err(E::InvalidTimestamp | E::InvalidHeader(_) | E::MissingHeader(_)) => {
                    why = Unverified::Header
                }
                Err(E::InvalidSecret(_) | E::InvalidSignature | E::InvalidPayload) => {}
            }
        }
        Err(why)
    }
}

impl std::fmt::Debug for Signatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signatures").field("n_keys", &self.keys.len()).finish()
    }
}

/// The three headers under their standard names. All of them come under one kind of name, each once.
fn standard(headers: &HeaderMap) -> Result<HeaderMap, Unverified> {
    let is_svix = headers.contains_key("svix-id");
    let mut standard = HeaderMap::with_capacity(HEADERS.len());
    for (svix, name) in HEADERS {
        let (wanted, other) = if is_svix { (svix, name) } else { (name, svix) };
        let mut values = headers.get_all(wanted).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Unverified::Header) };
        if headers.contains_key(other) || !is_well_formed(name, value) {
            return Err(Unverified::Header);
        }
        standard.insert(HeaderName::from_static(name), value.clone());
    }
    Ok(standard)
}

/// The library takes any number as time, `+1` and `-0001` too, and any id; signed is `id.time.body`, which a dot in the id
/// would make ambiguous.
fn is_well_formed(name: &str, value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let visible = bytes.len() <= MAX_HEADER_BYTES && !bytes.is_empty();
    visible
        && match name {
            HEADER_WEBHOOK_ID => {
                bytes.len() <= 256 && bytes.iter().all(|it| it.is_ascii_graphic() && *it != b'.')
            }
            HEADER_WEBHOOK_TIMESTAMP => bytes.len() <= 12 && bytes.iter().all(u8::is_ascii_digit),
            _ => bytes.iter().all(|it| it.is_ascii_graphic() || *it == b' '),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const BODY: &[u8] = br#"{"event_type":"device.added"}"#;

    fn now() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_secs()).unwrap()
    }

    /// The headers of a delivery, under names with this prefix.
    fn signed(prefix: &str, secret: &str, id: &str, time: i64) -> HeaderMap {
        let signature = Webhook::new(secret).unwrap().sign(id, time, BODY).unwrap();
        let values = [("id", id.to_owned()), ("timestamp", time.to_string()), ("signature", signature)];
        let header = |(name, value): (&str, String)| {
            (HeaderName::try_from(format!("{prefix}-{name}")).unwrap(), HeaderValue::try_from(value).unwrap())
        };
        values.into_iter().map(header).collect()
    }

    fn signatures() -> Signatures {
        Signatures::try_new(&[Secret::new(NEW), Secret::new(OLD)]).unwrap()
    }

    #[test]
    fn every_secret_counts_under_either_name() {
        for secret in [OLD, NEW] {
            for prefix in ["svix", "webhook"] {
                for off in [-290, 0, 290] {
                    let headers = signed(prefix, secret, "msg_1", now() + off);
                    assert_eq!(signatures().verify(&headers, BODY), Ok(()), "{prefix} {off}");
                }
            }
        }
        let none = Signatures::try_new(&[]).unwrap();
        assert_eq!(none.verify(&signed("svix", OLD, "msg_1", now()), BODY), Err(Unverified::Signature));
    }

    #[test]
    fn another_body_secret_or_time_is_refused() {
        let headers = signed("svix", OLD, "msg_1", now());
        assert_eq!(signatures().verify(&headers, b"{}"), Err(Unverified::Signature));
        assert_eq!(signatures().verify(&headers, b"\xff"), Err(Unverified::Signature));
        let other = signed("svix", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "msg_1", now());
        assert_eq!(signatures().verify(&other, BODY), Err(Unverified::Signature));
        for off in [-310, 310, -now()] {
            let headers = signed("svix", OLD, "msg_1", now() + off);
            assert_eq!(signatures().verify(&headers, BODY), Err(Unverified::Time), "{off}");
        }
    }

    #[test]
    fn every_shortened_signature_is_refused() {
        let whole = signed("svix", OLD, "msg_1", now());
        let signature = whole["svix-signature"].to_str().unwrap();
        for end in 1..signature.len() {
            let mut headers = whole.clone();
            headers.insert("svix-signature", signature[..end].parse().unwrap());
            assert_eq!(signatures().verify(&headers, BODY), Err(Unverified::Signature), "{end}");
        }
    }

    #[test]
    fn one_signature_of_several_is_enough() {
        let mut headers = signed("svix", OLD, "msg_1", now());
        let several = format!("v1a,xyz garbage v1, {} v1,AAAA", headers["svix-signature"].to_str().unwrap());
        headers.insert("svix-signature", several.parse().unwrap());
        assert_eq!(signatures().verify(&headers, BODY), Ok(()));
    }

    #[test]
    fn headers_that_are_not_each_there_once_are_refused() {
        let good = signed("svix", OLD, "msg_1", now());
        for name in ["svix-id", "svix-timestamp", "svix-signature"] {
            let mut missing = good.clone();
            missing.remove(name);
            assert_eq!(signatures().verify(&missing, BODY), Err(Unverified::Header), "{name}");
            let mut twice = good.clone();
            twice.append(name, good[name].clone());
            assert_eq!(signatures().verify(&twice, BODY), Err(Unverified::Header), "{name}");
        }
        let mut both = good;
        both.extend(signed("webhook", OLD, "msg_1", now()));
        assert_eq!(signatures().verify(&both, BODY), Err(Unverified::Header));
    }

    #[test]
    fn an_id_or_time_of_another_form_is_refused_though_signed() {
        for id in ["a.b", &"x".repeat(257)] {
            assert_eq!(
                signatures().verify(&signed("svix", OLD, id, now()), BODY),
                Err(Unverified::Header),
                "{id}"
            );
        }
        for time in [format!("+{}", now()), format!("000{}", now()), format!(" {}", now()), "1e9".to_owned()]
        {
            let mut headers = signed("svix", OLD, "msg_1", now());
            headers.insert("svix-timestamp", time.parse().unwrap());
            assert_eq!(signatures().verify(&headers, BODY), Err(Unverified::Header), "{time}");
        }
    }

    #[test]
    fn a_secret_that_is_none_is_named_by_its_place() {
        for bad in ["", "whsec_", "whsec_c2hvcnQ=", "not base64 at all, but long enough"] {
            let error = Signatures::try_new(&[Secret::new(OLD), Secret::new(bad)]).unwrap_err();
            assert_eq!(error.position, 2, "{bad}");
        }
    }
}
