//! What the request headers alone decide: the source, and whether the body is worth waiting for. It reads no body.

use crate::config::{Limits, Source};
use crate::edge::SourceIndex;
use crate::headers::{BELLHOP_REPLAY, BELLHOP_REPLAY_ID, folded_starts_with, is_reserved, same_name};
use crate::tally::Label;
use crate::verify::{self, Presented, Token, Verify};
use crate::{Cause, Refusal};

/// Bytes in the id of a replayed event: as a header value, a byte can take three.
const REPLAY_ID_BYTES: usize = 3 * verify::ID_BYTES;

/// A request whose headers are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Whose event it is.
    pub source: SourceIndex,
    /// Names of headers that upstream may not get from a client, as it spelt them: remove them.
    pub forbidden: Vec<String>,
    /// What the sender presents, to be judged with the body.
    pub(crate) presented: Option<Box<Presented>>,
    /// The id that the event had when it was quarantined: whoever replays it has proved itself, in place of its sender.
    pub(crate) replayed: Option<Box<str>>,
}

/// The headers that decide, gathered in one pass.
#[derive(Default)]
struct Head<'h> {
    path: Option<&'h [u8]>,
    method: Option<&'h [u8]>,
    content_type: Values<'h>,
    content_encoding: Values<'h>,
    content_length: Option<&'h [u8]>,
    signature_names: Vec<&'h [u8]>,
    signature_repeated: bool,
    replay: Values<'h>,
    replay_id: Values<'h>,
    forbidden: Vec<String>,
}

/// The values of a header that must stand alone.
#[derive(Clone, Copy, Default)]
enum Values<'h> {
    #[default]
    None,
    One(&'h [u8]),
    Several,
}

impl<'h> Values<'h> {
    const fn and(self, value: &'h [u8]) -> Self {
        match self {
            Self::None => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

impl<'h> Head<'h> {
    fn read(headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>) -> Self {
        let mut head = Self::default();
        for (name, value) in headers {
            // Most headers decide nothing: their first letter says so.
            match name.first() {
                Some(b':') => head.read_pseudo_header(name, value),
                Some(b'c' | b'C') => head.read_content_header(name, value),
                Some(b'w' | b'W' | b's' | b'S') => head.read_signature_header(name),
                Some(b'i' | b'I' | b'x' | b'X') => head.read_other(name, value),
                Some(_) | None => {}
            }
        }
        head
    }

    fn read_pseudo_header(&mut self, name: &'h [u8], value: &'h [u8]) {
        match name {
            b":path" => self.path = Some(value),
            b":method" => self.method = Some(value),
            _ => {}
        }
    }

    fn read_content_header(&mut self, name: &'h [u8], value: &'h [u8]) {
        if name.eq_ignore_ascii_case(b"content-type") {
            self.content_type = self.content_type.and(value);
        } else if name.eq_ignore_ascii_case(b"content-encoding") {
            self.content_encoding = self.content_encoding.and(value);
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.content_length = Some(value);
        } else {
            self.read_other(name, value);
        }
    }

    fn read_signature_header(&mut self, name: &'h [u8]) {
        if folded_starts_with(name, b"webhook-") || folded_starts_with(name, b"svix-") {
            self.signature_repeated |= self.signature_names.iter().any(|earlier| same_name(earlier, name));
            self.signature_names.push(name);
        }
    }

    fn read_other(&mut self, name: &[u8], value: &'h [u8]) {
        if is_reserved(name) {
            if same_name(name, BELLHOP_REPLAY.as_bytes()) {
                self.replay = self.replay.and(value);
            } else if same_name(name, BELLHOP_REPLAY_ID.as_bytes()) {
                self.replay_id = self.replay_id.and(value);
            }
            self.forbidden.push(String::from_utf8_lossy(name).into_owned());
        }
    }

    /// What upstream must not see either, though the client must bring it.
    fn hide(&mut self, verify: &Verify, headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) {
        let hidden = headers.filter(|(name, _)| verify.is_kept_from_upstream(name));
        self.forbidden.extend(hidden.map(|(name, _)| String::from_utf8_lossy(name).into_owned()));
    }
}

/// Judges request headers, pseudo-headers included.
pub(crate) fn admit<'h>(
    sources: &[Source],
    limits: &Limits,
    replay: Option<&Token>,
    headers: impl IntoIterator<Item = (&'h [u8], &'h [u8]), IntoIter: Clone>,
) -> Result<Admission, Refusal> {
    let headers = headers.into_iter();
    let head = Head::read(headers.clone());
    let path = head.path.unwrap_or_default();
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (index, source) = sources
        .iter()
        .enumerate()
        .find(|(_, source)| source.path.as_bytes() == path)
        .ok_or_else(|| Refusal::new(Cause::SourceUnknown, "no source has this path"))?;
    let index = SourceIndex(index);
    admit_to(index, source, limits, replay, head, headers)
        .map_err(|refusal| refusal.labelled(Label::of(index)))
}

/// Judges the headers of a request to a source's path.
fn admit_to<'h>(
    index: SourceIndex,
    source: &Source,
    limits: &Limits,
    replay: Option<&Token>,
    mut head: Head<'h>,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone,
) -> Result<Admission, Refusal> {
    if head.method != Some(b"POST") {
        return Err(Refusal::new(Cause::MethodNotAllowed, "events are sent with POST"));
    }
    if head.signature_repeated {
        return Err(Refusal::new(Cause::HeaderAmbiguous, "a webhook- or svix- header is repeated"));
    }
    let replayed = replay.map_or(Ok(None), |token| judge_replay(token, head.replay, head.replay_id))?;
    let presented = if source.is_verified() {
        if source.verify.hides_a_header() {
            head.hide(&source.verify, headers.clone());
        }
        let repeated = |_| Refusal::new(Cause::HeaderAmbiguous, "a header that proves who sent is repeated");
        Some(Box::new(source.verify.gather(headers).map_err(repeated)?))
    } else {
        None
    };
    judge_content_type(head.content_type)?;
    match head.content_encoding {
        Values::None => {}
        Values::One(encoding) if encoding.trim_ascii().eq_ignore_ascii_case(b"identity") => {}
        Values::One(_) | Values::Several => {
            return Err(Refusal::new(
                Cause::MediaTypeUnsupported,
                "content-encoding must be absent or identity",
            ));
        }
    }
    if head.content_length.is_some_and(|length| is_over(length, limits.body_bytes)) {
        return Err(Refusal::body_too_large(limits.body_bytes, Label::of(index)));
    }
    Ok(Admission { source: index, forbidden: head.forbidden, presented, replayed })
}

/// Whether the request is a replay, and of which event. Who is no sender of the source proves itself by a secret of its own.
fn judge_replay(token: &Token, secret: Values<'_>, id: Values<'_>) -> Result<Option<Box<str>>, Refusal> {
    let repeated =
        || Refusal::new(Cause::HeaderAmbiguous, "x-bellhop-replay or x-bellhop-replay-id is repeated");
    let secret = match secret {
        Values::None => return Ok(None),
        Values::One(secret) => secret,
        Values::Several => return Err(repeated()),
    };
    token.check_value(secret).map_err(Refusal::signature_invalid)?;
    let id = match id {
        Values::None => None,
        Values::One(id) => verify::as_id(id, REPLAY_ID_BYTES),
        Values::Several => return Err(repeated()),
    };
    let missing = || Refusal::new(Cause::HeaderAmbiguous, "x-bellhop-replay-id must be the id of an event");
    id.map(|id| Some(id.into())).ok_or_else(missing)
}

/// `application/json` or `application/*+json`, in any case, with any parameters (RFC 9110, section 8.3.1; RFC 6839,
/// section 3.1).
fn judge_content_type(values: Values<'_>) -> Result<(), Refusal> {
    let ambiguous = || Refusal::new(Cause::HeaderAmbiguous, "content-type is repeated");
    let unsupported = || {
        Refusal::new(
            Cause::MediaTypeUnsupported,
            "content-type must be application/json or application/*+json",
        )
    };
    let value = match values {
        Values::None => return Err(unsupported()),
        // What nearly all send.
        Values::One(b"application/json") => return Ok(()),
        Values::One(value) => value,
        Values::Several => return Err(ambiguous()),
    };
    // Envoy joins repeats with a comma.
    if has_comma_outside_quotes(value) {
        return Err(ambiguous());
    }
    let essence =
        value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let subtype = essence.strip_prefix(b"application/").ok_or_else(unsupported)?;
    let is_json = subtype == b"json" || subtype.strip_suffix(b"+json").is_some_and(|name| !name.is_empty());
    if is_json && subtype.iter().all(|byte| is_token(*byte)) { Ok(()) } else { Err(unsupported()) }
}

/// RFC 9110, section 5.6.4: a quoted string runs to the next quote that no backslash precedes.
fn has_comma_outside_quotes(value: &[u8]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in value {
        match (quoted, byte) {
            _ if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b',') => return true,
            _ => {}
        }
    }
    false
}

/// RFC 9110, section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a content length is over the limit. One that is no number is left to Envoy, which refuses it.
fn is_over(length: &[u8], limit: usize) -> bool {
    let length = length.trim_ascii();
    let digits = length.iter().all(u8::is_ascii_digit) && !length.is_empty();
    let number = std::str::from_utf8(length).ok().and_then(|text| text.parse::<u64>().ok());
    // All digits and yet no number: more than 64 bits.
    digits && number.is_none_or(|number| number > limit as u64)
}

#[cfg(test)]
mod tests;
