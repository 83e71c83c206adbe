//! `verify`: how the sender of a source proves that it sent an event. How a proof is judged stands in `crate::verify`.

use super::reader::{Node, Object};
use super::secret::{self, Environment, Secret};
use super::{ConfigError, ConfigFault};
use crate::headers::{BELLHOP_REPLAY, is_reserved, same_name};
use crate::verify::encoding::Encoding;
use crate::verify::keys::{Algorithm, Keys};
use crate::verify::{Hmac, Message, Stamp, StampPlace, StandardWebhooks, Token, Verify};
use std::ops::RangeInclusive;

/// How many secrets a source can have: the one in use, and those before and after it.
const SECRETS: RangeInclusive<usize> = 1..=16;
/// Bytes in a secret, as it is written.
const SECRET_BYTES: usize = 1024;
const SECRET: &str = "1 to 1024 visible ASCII characters, with spaces only inside";
/// How far a timestamp may lie from now, in seconds.
const TOLERANCE_S: RangeInclusive<u64> = 1..=86_400;
const DEFAULT_TOLERANCE_S: u64 = 300;
/// Bytes in the name of a header.
const HEADER_NAME_BYTES: usize = 64;
/// Bytes in a prefix.
const PREFIX_BYTES: usize = 64;
/// Bytes in the name of an item.
const ITEM_BYTES: usize = 32;
/// Bytes in what is signed besides timestamp and body.
const SIGNED_BYTES: usize = 256;

/// Headers that Envoy writes or that say how the request is framed: no sender can prove anything with them.
const NOT_FOR_PROOFS: [&str; 16] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
];

const BODY: &str = "{body}";
const TIMESTAMP: &str = "{timestamp}";

#[inline(never)]
pub(super) fn read(node: &Node<'_>, environment: &Environment<'_>) -> Result<Verify, ConfigError> {
    const EXPECTED: &str = "\"none\", or an object with one of `standard_webhooks`, `hmac`, `token`";
    match node.as_string() {
        Some("none") => return Ok(Verify::None),
        Some(_) => return Err(node.expected(EXPECTED)),
        None => {}
    }
    let object = node.object(&["hmac", "standard_webhooks", "token"])?;
    let schemes = ["hmac", "standard_webhooks", "token"].map(|scheme| object.optional(scheme));
    match &schemes {
        [Some(node), None, None] => read_hmac(node, environment).map(Verify::Hmac),
        [None, Some(node), None] => read_standard_webhooks(node, environment).map(Verify::StandardWebhooks),
        [None, None, Some(node)] => read_token(node, environment).map(Verify::Token),
        _ => Err(node.expected(EXPECTED)),
    }
}

#[inline(never)]
fn read_standard_webhooks(
    node: &Node<'_>,
    environment: &Environment<'_>,
) -> Result<StandardWebhooks, ConfigError> {
    let object = node.object(&["secrets", "tolerance_s"])?;
    let secrets = read_secrets(&object, environment, |secret| {
        let text = secret.strip_prefix("whsec_").unwrap_or(secret);
        Encoding::Base64
            .decode_secret(text)
            .filter(|key| !key.is_empty())
            .ok_or("base64, behind `whsec_` or not")
    })?;
    Ok(StandardWebhooks {
        keys: Keys::prepare(Algorithm::Sha256, &secrets),
        tolerance_s: object.integer_or("tolerance_s", TOLERANCE_S, DEFAULT_TOLERANCE_S)?,
    })
}

#[inline(never)]
fn read_hmac(node: &Node<'_>, environment: &Environment<'_>) -> Result<Hmac, ConfigError> {
    let object = node.object(&[
        "algorithm",
        "encoding",
        "header",
        "item",
        "prefix",
        "secret_encoding",
        "secrets",
        "signed",
        "timestamp",
    ])?;
    let header = read_header(&object.required("header")?)?;
    let algorithm = match object.optional("algorithm") {
        None => Algorithm::Sha256,
        Some(node) => node.choice(&[("sha256", Algorithm::Sha256), ("sha1", Algorithm::Sha1)])?,
    };
    let encoding = match object.optional("encoding") {
        None => Encoding::Hex,
        Some(node) => node.choice(&[("hex", Encoding::Hex), ("base64", Encoding::Base64)])?,
    };
    let secret_encoding = match object.optional("secret_encoding") {
        None => None,
        Some(node) => {
            node.choice(&[("text", None), ("hex", Some(Encoding::Hex)), ("base64", Some(Encoding::Base64))])?
        }
    };
    let secrets = read_secrets(&object, environment, |secret| match secret_encoding {
        None => Ok(secret.as_bytes().to_vec()),
        Some(encoding) => encoding
            .decode_secret(secret)
            .filter(|key| !key.is_empty())
            .ok_or("written as `secret_encoding` says"),
    })?;
    let item = object.optional("item").map(|node| read_item(&node)).transpose()?;
    let timestamp = match object.optional("timestamp") {
        None => None,
        Some(node) => Some(read_stamp(&node, header, item)?),
    };
    Ok(Hmac {
        header: header.into(),
        prefix: read_prefix(&object)?.into(),
        encoding,
        keys: Keys::prepare(algorithm, &secrets),
        message: read_signed(object.optional("signed"), timestamp.is_some())?,
        item: item.map(Into::into),
        timestamp,
    })
}

fn read_token(node: &Node<'_>, environment: &Environment<'_>) -> Result<Token, ConfigError> {
    let object = node.object(&["header", "prefix", "secrets"])?;
    let header = read_header(&object.required("header")?)?;
    let secrets = read_secrets(&object, environment, |secret| Ok(secret.as_bytes().to_vec()))?;
    Ok(Token::new(header, read_prefix(&object)?, &secrets))
}

/// `replay`: what whoever replays quarantined events presents in place of a proof.
#[inline(never)]
pub(super) fn read_replay(node: &Node<'_>, environment: &Environment<'_>) -> Result<Token, ConfigError> {
    let secrets =
        read_secrets(&node.object(&["secrets"])?, environment, |secret| Ok(secret.as_bytes().to_vec()))?;
    Ok(Token::new(BELLHOP_REPLAY, "", &secrets))
}

/// Every secret as bytes. `bytes` says what one must be, if it is not.
fn read_secrets(
    scheme: &Object<'_>,
    environment: &Environment<'_>,
    bytes: impl Fn(&str) -> Result<Vec<u8>, &'static str>,
) -> Result<Vec<Vec<u8>>, ConfigError> {
    let nodes = scheme.required("secrets")?.array(SECRETS)?;
    let read = |node: &Node<'_>| {
        let secret: Secret = secret::read(node, environment)?;
        let secret = secret.expose();
        let read = if is_secret(secret) { bytes(secret) } else { Err(SECRET) };
        read.map_err(|rule| node.fault(ConfigFault::SecretNot { rule }))
    };
    nodes.iter().map(read).collect()
}

/// What surrounds a secret got there by accident, mostly a line end from a file; a key of any bytes can be written in hex.
fn is_secret(text: &str) -> bool {
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    printable && text.trim() == text && text.len() <= SECRET_BYTES
}

fn read_header<'v>(node: &Node<'v>) -> Result<&'v str, ConfigError> {
    let name = node.string()?;
    let well_formed = (1..=HEADER_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_token);
    if !well_formed {
        return Err(node.expected(format!("the name of a header, at most {HEADER_NAME_BYTES} characters")));
    }
    let taken = NOT_FOR_PROOFS.iter().any(|other| same_name(name.as_bytes(), other.as_bytes()));
    if taken || is_reserved(name.as_bytes()) {
        return Err(node.expected("a header that neither Bellhop nor Envoy sets, nor frames the request"));
    }
    Ok(name)
}

fn read_prefix<'v>(scheme: &Object<'v>) -> Result<&'v str, ConfigError> {
    let Some(node) = scheme.optional("prefix") else { return Ok("") };
    let prefix = node.string()?;
    // A header has no white space at its ends, but there may be some between a prefix and what follows.
    let printable = prefix.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !prefix.starts_with(' ');
    if printable && prefix.len() <= PREFIX_BYTES {
        Ok(prefix)
    } else {
        Err(node.expected(format!("at most {PREFIX_BYTES} printable ASCII characters, the first no space")))
    }
}

fn read_item<'v>(node: &Node<'v>) -> Result<&'v str, ConfigError> {
    let name = node.string()?;
    if (1..=ITEM_BYTES).contains(&name.len()) && name.bytes().all(is_token) {
        Ok(name)
    } else {
        Err(node.expected(format!("the name of an item, at most {ITEM_BYTES} letters, digits or signs")))
    }
}

fn read_stamp(node: &Node<'_>, header: &str, item: Option<&str>) -> Result<Stamp, ConfigError> {
    let object = node.object(&["header", "item", "tolerance_s"])?;
    let place = match (object.optional("header"), object.optional("item")) {
        (Some(node), None) => {
            let name = read_header(&node)?;
            if same_name(name.as_bytes(), header.as_bytes()) {
                return Err(node.expected("another header than the signature's, or `item` instead"));
            }
            StampPlace::Header(name.into())
        }
        (None, Some(node)) => {
            let name = read_item(&node)?;
            match item {
                None => return Err(node.expected("`item` beside the signature's `header`, too")),
                Some(item) if item == name => return Err(node.expected("another item than the signature's")),
                Some(_) => StampPlace::Item(name.into()),
            }
        }
        _ => return Err(node.expected("an object with one of `header`, `item`")),
    };
    Ok(Stamp { place, tolerance_s: object.integer_or("tolerance_s", TOLERANCE_S, DEFAULT_TOLERANCE_S)? })
}

/// What is signed: a text with `{body}` once and, where there is a timestamp, `{timestamp}` once. A timestamp that is not
/// signed would prove nothing.
fn read_signed(node: Option<Node<'_>>, timed: bool) -> Result<Vec<Message>, ConfigError> {
    let Some(node) = node else {
        let text = if timed { "{timestamp}.{body}" } else { BODY };
        return Ok(pieces(text));
    };
    let text = node.string()?;
    let pieces = pieces(text);
    let count = |wanted: &Message| pieces.iter().filter(|piece| *piece == wanted).count();
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.len() <= SIGNED_BYTES;
    let no_braces = pieces.iter().all(|piece| match piece {
        Message::Text(text) => !text.contains(['{', '}']),
        Message::Timestamp | Message::Body => true,
    });
    if printable
        && no_braces
        && count(&Message::Body) == 1
        && count(&Message::Timestamp) == usize::from(timed)
    {
        return Ok(pieces);
    }
    let what = if timed {
        "`{timestamp}` and `{body}` once each, with printable ASCII around them, at most 256 characters"
    } else {
        "`{body}` once, with printable ASCII around it, at most 256 characters; `{timestamp}` needs `timestamp`"
    };
    Err(node.expected(what))
}

fn pieces(text: &str) -> Vec<Message> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let next = [(BODY, Message::Body), (TIMESTAMP, Message::Timestamp)]
            .into_iter()
            .filter_map(|(name, piece)| Some((rest.split_once(name)?, piece)))
            .min_by_key(|((before, _), _)| before.len());
        let (before, after, piece) = match next {
            None => (rest, "", None),
            Some(((before, after), piece)) => (before, after, Some(piece)),
        };
        if !before.is_empty() {
            pieces.push(Message::Text(before.into()));
        }
        pieces.extend(piece);
        rest = after;
    }
    pieces
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
