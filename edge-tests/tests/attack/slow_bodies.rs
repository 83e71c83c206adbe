//! Senders that never finish, but never stop either: each byte restarts what waits for silence, so that only a bound on the
//! whole request ends them. How slow a whole event may come is in the tests of connections.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use edge_tests::{BoxError, Edge, Filter, Setup, TestResult, event};
use testbed::PATIENCE;
use testbed::frames::{self, End};
use testbed::http1::Connection;

use crate::assert_serves;

/// How long a request may take here, and the silence that is too long.
const TIMES: &str = "0.5s";

/// Between two bytes: shorter than the silence that is too long.
const PACE: Duration = Duration::from_millis(10);

fn start() -> Result<Edge, BoxError> {
    Setup::new(Filter::Bellhop).change("request_timeout: 30s", &format!("request_timeout: {TIMES}")).start()
}

fn head(framing: &str) -> String {
    format!("POST {} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{framing}\r\n\r\n", event::PATH)
}

/// Sends the start and then this again and again, until there is an answer. Gives its first line.
fn drip(edge: &Edge, start: &str, again: &str) -> Result<String, BoxError> {
    let mut stream = TcpStream::connect(edge.address())?;
    stream.set_read_timeout(Some(PACE))?;
    stream.write_all(start.as_bytes())?;
    let deadline = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while Instant::now() < deadline {
        // Who has been answered may not write any more.
        let _ = stream.write_all(again.as_bytes());
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&piece[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    assert!(Instant::now() < deadline, "never given up: {start:?}");
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

#[test]
fn a_request_that_drips_is_given_up_wherever_it_is() -> TestResult {
    let edge = start()?;
    let chunks = head("transfer-encoding: chunked");
    let (length, good) = (event::GOOD.len(), event::GOOD);
    for (start, again) in [
        (head("content-length: 200000"), " "),
        (format!("{}{good}", head("content-length: 200000")), "\n"),
        (chunks.clone(), "1\r\n \r\n"),
        // Nothing of these is a part of the body.
        (format!("{chunks}1;"), "a"),
        (format!("{chunks}{length:x}\r\n{good}\r\n"), "0"),
        (format!("{chunks}{length:x}\r\n{good}\r\n0\r\nx-a: "), "a"),
        (format!("{chunks}{length:x}\r\n{good}\r\n0\r\n"), "x-a: b\r\n"),
    ] {
        let line = drip(&edge, &start, again)?;
        assert!(
            line.starts_with("HTTP/1.1 408 ") || line.starts_with("HTTP/1.1 431 "),
            "{line:?} to {start:?}"
        );
        assert_eq!(edge.n_upstream(), 0, "{start:?}");
    }
    assert_serves(&edge, "drips");
    Ok(())
}

#[test]
fn headers_that_drip_are_given_up() -> TestResult {
    let edge = Setup::new(Filter::Bellhop)
        .change("request_headers_timeout: 10s", &format!("request_headers_timeout: {TIMES}"))
        .start()?;
    for (start, again) in
        [("POST /", "a"), ("POST / HTTP/1.1\r\nx-a: ", "a"), ("POST / HTTP/1.1\r\n", "x-a: b\r\n")]
    {
        let line = drip(&edge, start, again)?;
        assert!(line.starts_with("HTTP/1.1 408 "), "{line:?} to {start:?}");
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn a_stream_of_http2_that_drips_is_given_up() -> TestResult {
    let edge = start()?;
    let mut connection = frames::Connection::open(edge.address())?;
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", event::PATH),
        ("content-type", "application/json"),
    ];
    connection.send(frames::HEADERS, frames::END_HEADERS, 1, &frames::block(fields))?;
    let mut writer = connection.writer()?;
    let dripping = std::thread::spawn(move || {
        let byte = frames::frame(frames::DATA, 0, 1, b" ");
        let deadline = Instant::now() + PATIENCE;
        // It is the attack that is slow: nothing here waits for it.
        while Instant::now() < deadline && writer.write_all(&byte).is_ok() {
            std::thread::sleep(PACE);
        }
    });
    let End::Answered(body) = connection.end_of(1)? else { panic!("no answer") };
    let text = String::from_utf8(body)?;
    assert!(text.contains(r#""cause":"request_refused""#), "{text}");
    drop(connection);
    assert_eq!(edge.n_upstream(), 0);
    assert_serves(&edge, "a slow stream");
    drop(edge);
    dripping.join().map_err(|_| "the sender panicked")?;
    Ok(())
}

#[test]
fn hundreds_of_senders_in_the_middle_of_their_bodies_keep_nobody_out() -> TestResult {
    let edge = edge_tests::shipped()?;
    let half = format!("{}{}", head("content-length: 200000"), &event::GOOD[..40]);
    let held: Vec<Connection> = (0..300)
        .map(|_| {
            let mut connection = edge.connect()?;
            connection.send_raw(half.as_bytes())?;
            Ok(connection)
        })
        .collect::<std::io::Result<_>>()?;
    for _ in 0..20 {
        assert_serves(&edge, "half bodies");
    }
    assert_eq!((held.len(), edge.n_upstream()), (300, 20));
    Ok(())
}
