//! Several requests on one connection, slow ones, and those that wait to be invited.

use std::io::{Read, Write};
use std::net::TcpStream;

use edge_tests::{TestResult, event, shipped};
use testbed::message::Request;
use testbed::{PATIENCE, http1};

/// An event that is refused once all of it has come.
const WRONG_SHAPE: &str = r#"{"event_type":"device.online","timestamp":7,"device_id":"lock_491829"}"#;

#[test]
fn a_connection_serves_on_after_a_refusal() -> TestResult {
    let edge = shipped()?;
    let mut connection = edge.connect()?;
    let requests = [
        (event::post(event::about("nobodys")), 503),
        (Request::new("GET", event::PATH), 405),
        (event::post(WRONG_SHAPE), 422),
        (event::post(event::GOOD), 200),
    ];
    for (request, status) in requests {
        assert_eq!(connection.send(&request)?.status, status);
    }
    Ok(())
}

#[test]
fn an_answer_that_ends_its_connection_says_so() -> TestResult {
    let edge = shipped()?;
    // Envoy takes every 400 for broken HTTP. The others are answered before their bodies have come.
    let requests = [
        (event::post("{"), 400),
        (Request::post_json("/other", event::GOOD), 404),
        (event::post(event::of_bytes(event::LARGEST + 1)), 413),
        (Request::new("POST", event::PATH).header("content-type", "application/grpc").body("{}"), 415),
    ];
    for (request, status) in requests {
        let mut connection = edge.connect()?;
        connection.write(&request)?;
        let response = connection.read_response("POST")?;
        assert_eq!((response.status, response.headers.get("connection")), (status, Some("close")));
    }
    Ok(())
}

#[test]
fn pipelined_events_are_all_answered_in_order() -> TestResult {
    let edge = shipped()?;
    let [good, bad] = [event::GOOD, WRONG_SHAPE].map(|body| http1::to_bytes(&event::post(body)));
    let mut connection = edge.connect()?;
    connection.send_raw(&[good.as_slice(), &bad, &good].concat())?;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(connection.read_response("POST")?.status);
    }
    assert_eq!(statuses, [200, 422, 200]);
    Ok(())
}

#[test]
fn an_event_that_comes_byte_by_byte_arrives_whole() -> TestResult {
    let edge = shipped()?;
    let cuts: Vec<_> = (1..event::GOOD.len()).collect();
    let request = event::post(event::GOOD).cut_at(&cuts);
    assert_eq!(edge.http1(&request)?.status, 200);
    assert_eq!(edge.http1(&request.clone().chunked())?.status, 200);
    assert_eq!(edge.http2(&request)?.status, 200);
    let received = edge.upstream().wait_for(3)?;
    assert!(received.iter().all(|it| it.body == event::GOOD.as_bytes()), "{received:?}");
    Ok(())
}

#[test]
fn a_sender_that_waits_to_be_invited_is_invited() -> TestResult {
    let edge = shipped()?;
    let mut stream = TcpStream::connect(edge.address())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = event::GOOD.len();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n",
        event::PATH
    );
    stream.write_all(head.as_bytes())?;
    assert_eq!(start_line(&mut stream)?, "HTTP/1.1 100 Continue");
    stream.write_all(event::GOOD.as_bytes())?;
    assert_eq!(start_line(&mut stream)?, "HTTP/1.1 200 OK");
    Ok(())
}

/// Reads a head to its end and gives its first line.
fn start_line(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    Ok(head.lines().next().unwrap_or_default().to_owned())
}
