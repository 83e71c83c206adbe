//! Scripts: bytes as commands, one a line, so that a person can read and write them. It runs none.
//!
//! The first line says the world: a digit for the configuration, `1` or `2` for HTTP, `1` or `2` workers, and a digit of
//! conflicts between them, in tens of per cent. Then, with `N` for the number of a stream in the order of their opening:
//!
//! | line | means |
//! |---|---|
//! | `oW METHOD PATH` | a stream comes to worker W; `OW` ends with its headers |
//! | `hNAME: VALUE` | a further header of it |
//! | `pN BYTES`, `eN BYTES` | a piece of its body, the last one |
//! | `tN NAME: VALUE` | its trailers |
//! | `sN`, `S` | one frame of it reaches the filter; everything that can happen does |
//! | `uN STATUS RETRY-AFTER`, `fN K` | upstream answers it, or fails in the way K |
//! | `cM STATUS BODY`, `CM K` | the callout M has this answer, or fails in the way K |
//! | `dN` | its client goes away |
//! | `w MS` | time passes |
//! | `rK` | every stream ends, and Envoy starts anew with the configuration K |
//!
//! A `~` in a body is a line feed. What is none of these is passed over, so that every input is a script.

use envoy_sim::{CalloutAnswer, Response, UpstreamFailure};
use event_core::headers::is_reserved;

use super::{CONFIGURATIONS, FAILED_CALLOUTS, FAILURES};

/// The value of every header that the client may not bring.
pub(super) const FORGED: &str = "forged-4711";

/// No longer time passes at once: a tick each 10 ms would make a long one dear.
const LONGEST_MS: u64 = 5_000;

/// So many commands are carried out.
const MOST_COMMANDS: usize = 200;

/// What is fixed for the whole script.
pub(super) struct World {
    pub(super) configuration: usize,
    pub(super) http2: bool,
    pub(super) n_workers: usize,
    pub(super) conflicts_percent: u8,
}

/// A request without its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) worker: usize,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) ends: bool,
}

/// One line.
pub(super) enum Command {
    Open(Head),
    Header(String, Vec<u8>),
    Piece { stream: usize, bytes: Vec<u8>, end: bool },
    Trailers { stream: usize, trailers: Vec<(String, Vec<u8>)> },
    Step(usize),
    Settle,
    Answer { stream: usize, status: u16, retry_after: Vec<u8> },
    Fail { stream: usize, failure: UpstreamFailure },
    AnswerCallout { nth: usize, answer: CalloutAnswer },
    Disconnect(usize),
    Wait(u64),
    Reconfigure(usize),
}

/// Reads a script.
pub(super) fn read(input: &[u8]) -> (World, impl Iterator<Item = Command>) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let number = |at: usize| first.get(at).map_or(0, |byte| digit(*byte));
    let world = World {
        configuration: number(0) % CONFIGURATIONS.len(),
        http2: number(1) == 2,
        n_workers: if number(2) == 2 { 2 } else { 1 },
        conflicts_percent: u8::try_from(number(3) * 10).unwrap_or(0),
    };
    (world, lines.filter_map(command).take(MOST_COMMANDS))
}

fn command(line: &[u8]) -> Option<Command> {
    let (kind, rest) = line.split_first()?;
    if *kind == b'h' {
        let (name, value) = field(rest)?;
        return Some(Command::Header(name, value));
    }
    if *kind == b'S' {
        return Some(Command::Settle);
    }
    if *kind == b'w' {
        return Some(Command::Wait(number(rest.trim_ascii()).min(LONGEST_MS)));
    }
    let (n, rest) = rest.split_first()?;
    let n = digit(*n);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (word, tail) = rest.iter().position(|byte| *byte == b' ').map_or((rest, &[][..]), |at| {
        let (word, tail) = rest.split_at(at);
        (word, &tail[1..])
    });
    Some(match kind {
        b'o' | b'O' => Command::Open(Head {
            worker: n,
            method: token(word, "POST"),
            path: token(tail, "/e"),
            headers: Vec::new(),
            ends: *kind == b'O',
        }),
        b'p' | b'e' => Command::Piece { stream: n, bytes: body(rest), end: *kind == b'e' },
        b't' => Command::Trailers { stream: n, trailers: field(rest).into_iter().collect() },
        b's' => Command::Step(n),
        b'u' => Command::Answer { stream: n, status: status(word), retry_after: value(tail) },
        b'f' => Command::Fail { stream: n, failure: FAILURES[(number(word) % 4) as usize] },
        b'c' => {
            let answer = Response::new(status(word)).with_body(body(tail));
            Command::AnswerCallout { nth: n, answer: CalloutAnswer::Now(answer) }
        }
        b'C' => {
            Command::AnswerCallout { nth: n, answer: FAILED_CALLOUTS[(number(word) % 4) as usize].clone() }
        }
        b'd' => Command::Disconnect(n),
        b'r' => Command::Reconfigure(n % CONFIGURATIONS.len()),
        _ => return None,
    })
}

fn digit(byte: u8) -> usize {
    char::from(byte).to_digit(10).unwrap_or(0) as usize
}

fn number(text: &[u8]) -> u64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What upstream and servers can answer.
fn status(text: &[u8]) -> u16 {
    u16::try_from(number(text)).ok().filter(|status| (200..600).contains(status)).unwrap_or(200)
}

fn body(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if *byte == b'~' { b'\n' } else { *byte }).collect()
}

/// A method or path that Envoy lets through.
fn token(text: &[u8], otherwise: &str) -> String {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
    if plain { String::from_utf8_lossy(text).into_owned() } else { otherwise.to_owned() }
}

/// What Envoy lets through as a value.
fn value(text: &[u8]) -> Vec<u8> {
    text.trim_ascii().iter().copied().filter(|byte| *byte >= b' ' && *byte != 0x7f).collect()
}

/// A header. The codecs give names in lower case; those that a client may not bring are marked.
fn field(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8(text[..colon].to_ascii_lowercase()).ok()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(allowed) || name == "host" {
        return None;
    }
    let value = if is_reserved(name.as_bytes()) { FORGED.into() } else { value(&text[colon + 1..]) };
    Some((name, value))
}
