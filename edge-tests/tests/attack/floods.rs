//! HTTP/2 frames that cost the sender nothing and the gateway something, as many as it takes. Each flood ends with the
//! connection, soon, and harms nobody else.

use edge_tests::{TestResult, event, shipped};
use testbed::frames::{self, Connection, End, frame};

use crate::assert_serves;

/// More frames than any flood may need. Envoy's own bounds are far lower.
const MOST_FRAMES: usize = 1_000_000;

/// So many frames in one write.
const AT_ONCE: usize = 1_000;

fn good_head() -> Vec<u8> {
    frames::block([
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", event::PATH),
        ("content-type", "application/json"),
    ])
}

/// Sends the start and then as many of these frames as the gateway takes.
#[track_caller]
fn flood(name: &str, start: &[u8], again: impl Fn(usize) -> Vec<u8>) -> TestResult {
    const PROBE: [u8; 8] = *b"survived";
    let edge = shipped()?;
    let mut connection = Connection::open(edge.address())?;
    connection.write(start)?;
    for first in (0..MOST_FRAMES).step_by(AT_ONCE) {
        let frames: Vec<u8> = (first..first + AT_ONCE).flat_map(&again).collect();
        if connection.write(&frames).is_err() {
            break;
        }
    }
    // What the system has taken from us the gateway may not have read yet.
    let _ = connection.send(frames::PING, 0, 0, &PROBE);
    while let Some(frame) = connection.read().map_err(|error| format!("{name}: {error}"))? {
        assert!(frame.kind != frames::PING || frame.payload != PROBE, "{name}: it went on");
    }
    assert_eq!(edge.n_upstream(), 0, "{name}");
    assert_serves(&edge, name);
    Ok(())
}

fn stream(n: usize) -> u32 {
    u32::try_from(2 * n + 1).unwrap_or(u32::MAX)
}

#[test]
fn a_header_block_that_never_ends() -> TestResult {
    let head = frame(frames::HEADERS, 0, 1, &good_head());
    let field = frames::block([("x-a", "b".repeat(100))]);
    flood("fields", &head, |_| frame(frames::CONTINUATION, 0, 1, &field))
}

#[test]
fn a_header_block_that_never_ends_and_never_grows() -> TestResult {
    let head = frame(frames::HEADERS, 0, 1, &good_head());
    flood("nothing", &head, |_| frame(frames::CONTINUATION, 0, 1, &[]))
}

#[test]
fn streams_that_are_reset_at_once() -> TestResult {
    let head = good_head();
    flood("rapid reset", &[], |n| {
        let mut both = frame(frames::HEADERS, frames::END_HEADERS, stream(n), &head);
        both.extend(frame(frames::RST_STREAM, 0, stream(n), &8_u32.to_be_bytes()));
        both
    })
}

#[test]
fn pings_whose_answers_nobody_reads() -> TestResult {
    flood("pings", &[], |_| frame(frames::PING, 0, 0, &[0; 8]))
}

#[test]
fn settings_whose_answers_nobody_reads() -> TestResult {
    flood("settings", &[], |_| frame(frames::SETTINGS, 0, 0, &[]))
}

#[test]
fn data_without_data() -> TestResult {
    let head = frame(frames::HEADERS, frames::END_HEADERS, 1, &good_head());
    flood("empty data", &head, |_| frame(frames::DATA, 0, 1, &[]))
}

/// A window that is never opened: what upstream answers would wait for it for ever. Its answers here are small, so they are
/// sent; what counts is that the next sender is served while the connection stays.
#[test]
fn a_hundred_streams_in_the_middle_of_their_bodies_keep_nobody_out() -> TestResult {
    let edge = shipped()?;
    let mut connection = Connection::open(edge.address())?;
    let head = good_head();
    for n in 0..100 {
        connection.send(frames::HEADERS, frames::END_HEADERS, stream(n), &head)?;
        connection.send(frames::DATA, 0, stream(n), &event::GOOD.as_bytes()[..40])?;
    }
    assert_serves(&edge, "half bodies");
    // One stream more than the connection may have is refused, not queued.
    connection.send(frames::HEADERS, frames::END_HEADERS, stream(100), &head)?;
    let end = connection.end_of(stream(100))?;
    assert!(matches!(end, End::Reset(_) | End::Closed), "{end:?}");
    assert_serves(&edge, "a stream too many");
    Ok(())
}
