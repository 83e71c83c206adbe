//! HTTP messages as the testbed sees them: header lists of bytes in order. It opens no connection.

use std::fmt;
use std::io::{self, BufRead, Read};

/// The longest header line and the largest number of headers that the testbed reads.
const LINE_BYTES: u64 = 256 * 1024;
const N_HEADERS: usize = 1024;

/// Headers or trailers: names and values as they stood on the wire, in order, repeats kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one header.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
    }

    /// Name and value of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// The values of this name, in order. Case of the name does not count.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(it, _)| it.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The first value of this name, as bytes.
    pub fn get_bytes<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The first value of this name, if it is UTF-8.
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.get_bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Whether this name occurs.
    pub fn has(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// How many headers there are, repeats counted.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, value)| {
                format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
            }))
            .finish()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut list = Self::new();
        for (name, value) in headers {
            list.push(name, value);
        }
        list
    }
}

/// A request to send, over either protocol.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, e.g. `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// `Host` or `:authority`.
    pub authority: String,
    /// Headers in order. Over HTTP/1.1 a `content-length` or `transfer-encoding` in here is sent as it stands
    /// and no framing header is added.
    pub headers: Headers,
    /// The body, as it is cut: one chunk, DATA frame or write each.
    pub pieces: Vec<Vec<u8>>,
    /// Trailers. Over HTTP/1.1 they make the body chunked.
    pub trailers: Headers,
    /// Whether an HTTP/1.1 body is chunked even without trailers.
    pub chunked: bool,
}

impl Request {
    /// A request without headers and body, for the authority `bellhop.test`.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            authority: "bellhop.test".to_owned(),
            headers: Headers::new(),
            pieces: Vec::new(),
            trailers: Headers::new(),
            chunked: false,
        }
    }

    /// A POST of JSON with its content type.
    pub fn post_json(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path).header("content-type", "application/json").body(body)
    }

    /// Appends a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Sets the body, in one piece. An empty one is no piece at all.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        self.pieces = if body.is_empty() { Vec::new() } else { vec![body.to_vec()] };
        self
    }

    /// Cuts the body again, before each of these offsets. They count from its first byte and must rise.
    ///
    /// # Panics
    /// When an offset lies outside the body or before the one in front of it.
    #[must_use]
    pub fn cut_at(mut self, offsets: &[usize]) -> Self {
        let body = self.pieces.concat();
        let mut start = 0;
        let mut pieces = Vec::new();
        for &end in offsets.iter().chain([&body.len()]) {
            pieces.push(body[start..end].to_vec());
            start = end;
        }
        self.pieces = pieces;
        self
    }

    /// Appends a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push(name, value);
        self
    }

    /// Sends an HTTP/1.1 body in chunks, one a piece.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }
}

/// An answer as the client got it.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code. Interim answers (1xx) are skipped.
    pub status: u16,
    /// The headers in order.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
    /// The trailers, mostly empty.
    pub trailers: Headers,
}

impl Response {
    /// The body as text, with replacement characters where it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }
}

/// The start line and headers of an HTTP/1.1 message, `None` when the peer closed before its first byte.
pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Option<(String, Headers)>> {
    let Some(start) = read_line(reader)? else { return Ok(None) };
    let start = String::from_utf8_lossy(&start).into_owned();
    Ok(Some((start, read_fields(reader)?)))
}

/// The body and trailers that these headers announce. `until_close` says what no framing header means.
pub(crate) fn read_body(
    reader: &mut impl BufRead,
    headers: &Headers,
    until_close: bool,
) -> io::Result<(Vec<u8>, Headers)> {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked")) {
        loop {
            let line = read_line(reader)?.ok_or_else(cut_off)?;
            let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
                .ok_or_else(|| malformed("chunk size", &line))?;
            if size == 0 {
                return Ok((body, read_fields(reader)?));
            }
            take_exactly(reader, size, &mut body)?;
            if read_line(reader)?.ok_or_else(cut_off)? != b"" {
                return Err(malformed("end of a chunk", b""));
            }
        }
    }
    match headers.get_bytes("content-length") {
        Some(digits) => {
            let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            take_exactly(reader, length.ok_or_else(|| malformed("content-length", digits))?, &mut body)?;
        }
        None if until_close => {
            reader.read_to_end(&mut body)?;
        }
        None => {}
    }
    Ok((body, Headers::new()))
}

fn read_fields(reader: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Headers::new();
    loop {
        let line = read_line(reader)?.ok_or_else(cut_off)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| malformed("header", &line))?;
        headers.push(&line[..colon], line[colon + 1..].trim_ascii());
        if headers.len() > N_HEADERS {
            return Err(malformed("header list: it is too long", b""));
        }
    }
}

/// One line without its CR LF, `None` at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(cut_off());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

fn take_exactly(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let taken = reader.by_ref().take(length).read_to_end(body)?;
    if taken as u64 == length { Ok(()) } else { Err(cut_off()) }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the message was cut off")
}

fn malformed(what: &str, bytes: &[u8]) -> io::Error {
    let bytes = String::from_utf8_lossy(bytes);
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}: {bytes:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_message_gives_its_body_and_trailers() {
        let wire = b"POST / HTTP/1.1\r\nX-Odd:  \xff \r\nx-odd: two\r\ntransfer-encoding: chunked\r\n\r\n\
                     3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-last: yes\r\n\r\nrest";
        let mut reader = wire.as_slice();
        let (start, headers) = read_head(&mut reader).unwrap().unwrap();
        assert_eq!(start, "POST / HTTP/1.1");
        assert_eq!(headers.all("x-ODD").collect::<Vec<_>>(), [b"\xff".as_slice(), b"two"]);
        let (body, trailers) = read_body(&mut reader, &headers, false).unwrap();
        assert_eq!((body.as_slice(), trailers.get("x-last")), (b"abcde".as_slice(), Some("yes")));
        assert_eq!(reader, b"rest");
    }

    #[test]
    fn a_body_shorter_than_announced_is_an_error() {
        let headers = Headers::from_iter([("content-length", "4")]);
        let error = read_body(&mut b"abc".as_slice(), &headers, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_body_is_cut_before_each_offset() {
        let request = Request::post_json("/", "abcdef").cut_at(&[0, 2, 5]);
        assert_eq!(request.pieces, [b"".as_slice(), b"ab", b"cde", b"f"]);
    }
}
