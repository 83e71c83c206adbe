//! HTTP/2 frames that no client library sends: names and values that HTTP/1.1 upstream would read as another request, lengths
//! that are wrong, trailers that are headers. None of them reaches upstream; a good event does, in the same way.

use edge_tests::{Filter, Setup, TestResult, event, shipped};
use testbed::frames::{self, Connection, End};

use crate::{assert_all_judged, assert_serves};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// One attack: the header block, the body, and the block of its trailers.
struct Attack {
    name: &'static str,
    head: Fields,
    body: Vec<u8>,
    trailers: Option<Fields>,
}

fn field(name: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}

fn good_head() -> Fields {
    vec![
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":authority", "a"),
        field(":path", event::PATH),
        field("content-type", "application/json"),
    ]
}

impl Attack {
    fn new(name: &'static str) -> Self {
        Self { name, head: good_head(), body: event::GOOD.into(), trailers: None }
    }

    fn with(name: &'static str, header: &str, value: &str) -> Self {
        let mut attack = Self::new(name);
        attack.head.push(field(header, value));
        attack
    }

    /// Without this header, or with another value.
    fn but(name: &'static str, header: &str, value: Option<&str>) -> Self {
        let mut attack = Self::new(name);
        let at = attack.head.iter().position(|(it, _)| it == header.as_bytes()).expect("it is there");
        match value {
            Some(value) => attack.head[at].1 = value.into(),
            None => drop(attack.head.remove(at)),
        }
        attack
    }

    fn trailing(name: &'static str, trailer: &str, value: &str) -> Self {
        Self { trailers: Some(vec![field(trailer, value)]), ..Self::new(name) }
    }

    fn send(&self, connection: &mut Connection) -> std::io::Result<End> {
        let head = frames::block(self.head.iter().map(|(name, value)| (name, value)));
        let ends = |last: bool| if last { frames::END_STREAM } else { 0 };
        let sent = || -> std::io::Result<()> {
            connection.send(frames::HEADERS, frames::END_HEADERS, 1, &head)?;
            connection.send(frames::DATA, ends(self.trailers.is_none()), 1, &self.body)?;
            if let Some(trailers) = &self.trailers {
                let trailers = frames::block(trailers.iter().map(|(name, value)| (name, value)));
                connection.send(frames::HEADERS, frames::END_HEADERS | frames::END_STREAM, 1, &trailers)?;
            }
            Ok(())
        };
        // The connection may have been closed before all was sent: how is read all the same.
        let _ = { sent }();
        connection.end_of(1)
    }
}

fn length_of(difference: i64) -> String {
    (i64::try_from(event::GOOD.len()).unwrap_or_default() + difference).to_string()
}

fn attacks() -> Vec<Attack> {
    let mut attacks = vec![
        Attack::with("a name in upper case", "X-Device-Id", "forged"),
        Attack::with("a line end in a value", "x-a", "b\r\nx-smuggled: 1"),
        Attack::with("a line feed in a value", "x-a", "b\nx-smuggled: 1"),
        Attack::with("a carriage return in a value", "x-a", "b\rc"),
        Attack::with("a zero byte in a value", "x-a", "b\0c"),
        Attack::with("a line end in a name", "x-a: b\r\nx-smuggled", "1"),
        Attack::with("a colon in a name", "x-smuggled:", "1"),
        Attack::with("a space in a name", "x smuggled", "1"),
        Attack::with("an empty name", "", "1"),
        Attack::with("chunks", "transfer-encoding", "chunked"),
        Attack::with("a connection", "connection", "x-event-id"),
        Attack::with("keep-alive", "keep-alive", "1"),
        Attack::with("an upgrade", "upgrade", "websocket"),
        Attack::with("a second path", ":path", "/other"),
        Attack::with("a second method", ":method", "GET"),
        Attack::with("an unknown pseudo-header", ":smuggled", "1"),
        Attack::with("a status", ":status", "200"),
        Attack::with("a length too short", "content-length", &length_of(-1)),
        Attack::with("a length too long", "content-length", &length_of(1)),
        Attack::with("a length of nothing", "content-length", "0"),
        Attack::with("a length that is none", "content-length", "4,4"),
        Attack::but("no path", ":path", None),
        Attack::but("no method", ":method", None),
        Attack::but("an empty path", ":path", Some("")),
        Attack::but(
            "a path with a line end",
            ":path",
            Some("/provider_events HTTP/1.1\r\nx-smuggled: 1\r\n\r\n"),
        ),
        Attack::but("a path with a space", ":path", Some("/provider_events HTTP/1.1")),
        Attack::but("a path with a zero byte", ":path", Some("/provider_events\0")),
        Attack::but("a path without a slash", ":path", Some("provider_events")),
        Attack::but("a path with a fragment", ":path", Some("/provider_events#a")),
        Attack::but(
            "a method with a line end",
            ":method",
            Some("POST /smuggled HTTP/1.1\r\na: b\r\n\r\nPOST"),
        ),
        Attack::but("a method with a space", ":method", Some("POST /smuggled")),
        Attack::but("an authority with a line end", ":authority", Some("a\r\nx-smuggled: 1")),
        Attack::but("a scheme with a line end", ":scheme", Some("http\r\nx-smuggled: 1")),
        Attack::trailing("a path in trailers", ":path", "/other"),
        Attack::trailing("a line end in a trailer", "x-a", "b\r\nx-smuggled: 1"),
        Attack::trailing("a trailer in upper case", "X-Device-Id", "forged"),
        Attack::trailing("a zero byte in a trailer", "x-a", "\0"),
    ];
    let mut late = Attack::new("a pseudo-header behind the others");
    late.head.rotate_left(1);
    attacks.push(late);
    attacks
}

#[test]
fn headers_that_are_none_reach_nobody() -> TestResult {
    // For a body that is shorter than announced.
    let edge = Setup::new(Filter::Bellhop).change("request_timeout: 30s", "request_timeout: 0.5s").start()?;
    let attacks = attacks();
    assert!(attacks.len() > 30);
    for attack in attacks {
        let end = attack.send(&mut Connection::open(edge.address())?)?;
        // Whatever is answered is a refusal: upstream's answer has no body.
        let refused = match &end {
            End::Answered(body) => String::from_utf8_lossy(body).contains(r#""cause""#),
            End::Reset(_) | End::Closed => true,
        };
        assert!(refused, "{}: {end:?}", attack.name);
        assert_eq!(edge.n_upstream(), 0, "{}: {:?}", attack.name, edge.upstream().received());
    }
    assert_serves(&edge, "all of them");
    Ok(())
}

/// These frames do reach it, when they are good.
#[test]
fn a_good_event_in_frames_of_the_same_make_arrives() -> TestResult {
    let edge = shipped()?;
    for attack in [
        Attack::new("plain"),
        Attack::with("with its length", "content-length", &length_of(0)),
        Attack::with("with te", "te", "trailers"),
        Attack::trailing("with a trailer", "x-checksum", "1"),
    ] {
        let end = attack.send(&mut Connection::open(edge.address())?)?;
        assert_eq!(end, End::Answered(Vec::new()), "{}", attack.name);
        let received = edge.upstream().take();
        assert_eq!(received.len(), 1, "{}", attack.name);
        assert_all_judged(&received, attack.name);
    }
    Ok(())
}

#[test]
fn a_header_block_in_many_frames_is_read_as_one() -> TestResult {
    let edge = shipped()?;
    let mut connection = Connection::open(edge.address())?;
    let block = frames::block(good_head());
    let (first, rest) = block.split_at(10);
    connection.send(frames::HEADERS, 0, 1, first)?;
    for piece in rest.chunks(7) {
        connection.send(frames::CONTINUATION, 0, 1, piece)?;
    }
    connection.send(frames::CONTINUATION, frames::END_HEADERS, 1, &[])?;
    connection.send(frames::DATA, frames::END_STREAM, 1, event::GOOD.as_bytes())?;
    assert_eq!(connection.end_of(1)?, End::Answered(Vec::new()));
    assert_all_judged(&edge.upstream().wait_for(1)?, "many frames");
    Ok(())
}
