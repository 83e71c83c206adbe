//! An HTTP/1.1 client that sends any bytes. It corrects nothing and follows nothing.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::PATIENCE;
use crate::message::{Request, Response, read_body, read_head};

/// One connection. Requests may follow each other on it.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<TcpStream>,
}

/// A connection that waits [`PATIENCE`] for each read and write.
pub(crate) fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When the peer does not accept.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        connect(address).map(|reader| Self { reader })
    }

    /// Waits this long for each piece of an answer, instead of [`PATIENCE`].
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.reader.get_ref().set_read_timeout(Some(patience))
    }

    /// Writes these bytes as they are.
    ///
    /// # Errors
    /// When the peer has gone.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Reads one answer. `method` is the one of its request: an answer to `HEAD` has no body.
    ///
    /// # Errors
    /// When the peer closes first, or what it sends is no HTTP/1.1 answer.
    pub fn read_response(&mut self, method: &str) -> io::Result<Response> {
        loop {
            let (start, headers) = read_head(&mut self.reader)?.ok_or_else(|| {
                io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed without an answer")
            })?;
            let status: u16 =
                start.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("no status line: {start:?}"))
                })?;
            if (100..200).contains(&status) {
                continue;
            }
            if method == "HEAD" || status == 204 || status == 304 {
                return Ok(Response { status, headers, body: Vec::new(), trailers: Default::default() });
            }
            let (body, trailers) = read_body(&mut self.reader, &headers, true)?;
            return Ok(Response { status, headers, body, trailers });
        }
    }

    /// Sends a request and reads its answer.
    ///
    /// A peer may answer and close before it has read the whole request: then its answer counts, not the
    /// broken write.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&mut self, request: &Request) -> io::Result<Response> {
        let written = self.write(request);
        let response = self.read_response(&request.method);
        match written {
            Ok(()) => response,
            Err(broken) => response.map_err(|_| broken),
        }
    }

    /// Writes a request without waiting for an answer.
    ///
    /// # Errors
    /// When the peer has gone.
    pub fn write(&mut self, request: &Request) -> io::Result<()> {
        let chunked = is_chunked(request);
        self.send_raw(&head(request))?;
        for piece in &request.pieces {
            if chunked {
                // An empty chunk would end the body.
                if piece.is_empty() {
                    continue;
                }
                let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
                chunk.extend_from_slice(piece);
                chunk.extend_from_slice(b"\r\n");
                self.send_raw(&chunk)?;
            } else {
                self.send_raw(piece)?;
            }
        }
        if chunked {
            let mut end = b"0\r\n".to_vec();
            push_fields(&mut end, &request.trailers);
            self.send_raw(&end)?;
        }
        Ok(())
    }
}

/// Sends one request on a connection of its own.
///
/// # Errors
/// When there is no answer.
pub fn send(address: SocketAddr, request: &Request) -> io::Result<Response> {
    Connection::open(address)?.send(request)
}

/// The bytes of the whole request when its body is one piece: what a load generator sends again and again.
pub fn to_bytes(request: &Request) -> Vec<u8> {
    let mut bytes = head(request);
    bytes.extend(request.pieces.concat());
    bytes
}

fn is_chunked(request: &Request) -> bool {
    let said = request.headers.get("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked"));
    request.chunked || said || !request.trailers.is_empty()
}

fn head(request: &Request) -> Vec<u8> {
    let Request { method, path, authority, headers, .. } = request;
    let mut head = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    if !headers.has("host") {
        head.extend_from_slice(format!("host: {authority}\r\n").as_bytes());
    }
    if !headers.has("content-length") && !headers.has("transfer-encoding") {
        let length: usize = request.pieces.iter().map(Vec::len).sum();
        if is_chunked(request) {
            head.extend_from_slice(b"transfer-encoding: chunked\r\n");
        } else if length > 0 || method == "POST" {
            head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
    }
    push_fields(&mut head, headers);
    head
}

/// The fields and the empty line behind them.
fn push_fields(bytes: &mut Vec<u8>, headers: &crate::message::Headers) {
    for (name, value) in headers.iter() {
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
}
