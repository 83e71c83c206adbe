//! An HTTP/2 client that sends any frames, with prior knowledge. It keeps no rule of the protocol and decodes no header.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::http1::connect;

/// Frame types (RFC 9113, section 6).
pub const DATA: u8 = 0;
/// A header block, or its beginning.
pub const HEADERS: u8 = 1;
/// One stream ends at once.
pub const RST_STREAM: u8 = 3;
/// How the peers speak.
pub const SETTINGS: u8 = 4;
/// To be answered at once.
pub const PING: u8 = 6;
/// The connection ends.
pub const GOAWAY: u8 = 7;
/// More of a header block.
pub const CONTINUATION: u8 = 9;

/// The last frame of this side of a stream.
pub const END_STREAM: u8 = 1;
/// The header block ends here.
pub const END_HEADERS: u8 = 4;

/// An answer to SETTINGS or PING.
const ACK: u8 = 1;

/// The longest frame that a peer may send by default.
const FRAME_BYTES: usize = 16 * 1024;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<TcpStream>,
}

/// One frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream, 0 for the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With a whole answer, of which the body is known.
    Answered(Vec<u8>),
    /// It was reset, with this code.
    Reset(u32),
    /// The connection ended.
    Closed,
}

impl Connection {
    /// Connects, and says what every client says first.
    ///
    /// # Errors
    /// When the peer does not accept.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let mut connection = Self { reader: connect(address)? };
        connection.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        connection.send(SETTINGS, 0, 0, &[])?;
        Ok(connection)
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// When the peer has gone.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.write(&frame(kind, flags, stream, payload))
    }

    /// Writes these bytes as they are.
    ///
    /// # Errors
    /// When the peer has gone.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// A second handle to write on while this one reads.
    ///
    /// # Errors
    /// When the system has no handle left.
    pub fn writer(&self) -> io::Result<TcpStream> {
        self.reader.get_ref().try_clone()
    }

    /// The next frame, `None` at the end of the connection.
    ///
    /// # Errors
    /// When nothing comes in time, or the connection breaks inside a frame.
    pub fn read(&mut self) -> io::Result<Option<Frame>> {
        let mut head = [0; 9];
        match self.reader.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let [a, b, c, kind, flags, rest @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > FRAME_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
        }
        let mut payload = vec![0; length];
        match self.reader.read_exact(&mut payload) {
            Ok(()) => Ok(Some(Frame { kind, flags, stream: u32::from_be_bytes(rest), payload })),
            Err(error) if is_end(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads until this stream has ended, and answers what must be answered meanwhile.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn end_of(&mut self, stream: u32) -> io::Result<End> {
        let mut body = Vec::new();
        while let Some(frame) = self.read()? {
            let of_stream = frame.stream == stream;
            match frame.kind {
                // Who has gone needs no answer: how it ended is read next.
                SETTINGS | PING if frame.flags & ACK == 0 => {
                    let payload = if frame.kind == PING { frame.payload } else { Vec::new() };
                    let _ = self.send(frame.kind, ACK, 0, &payload);
                }
                GOAWAY => return Ok(End::Closed),
                RST_STREAM if of_stream => {
                    let code = frame.payload.try_into().unwrap_or_default();
                    return Ok(End::Reset(u32::from_be_bytes(code)));
                }
                HEADERS | DATA if of_stream => {
                    if frame.kind == DATA {
                        body.extend(frame.payload);
                    }
                    if frame.flags & END_STREAM != 0 {
                        return Ok(End::Answered(body));
                    }
                }
                _ => {}
            }
        }
        Ok(End::Closed)
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block: each field as it is, in no table and not compressed (RFC 7541, section 6.2.2).
pub fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (N, V)>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            push_length(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// RFC 7541, section 5.1, with a prefix of seven bits.
fn push_length(block: &mut Vec<u8>, length: usize) {
    const PREFIX: usize = 127;
    if length < PREFIX {
        return block.extend(u8::try_from(length));
    }
    block.push(0x7f);
    let mut rest = length - PREFIX;
    while rest >= 128 {
        block.extend(u8::try_from(rest % 128 + 128));
        rest /= 128;
    }
    block.extend(u8::try_from(rest));
}

/// A peer that closes with bytes unread resets the connection.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_has_its_length_in_seven_bit_steps() {
        let block = block([("a", "b".repeat(1337))]);
        // 1337 - 127 = 1210 = 9 * 128 + 58.
        assert_eq!(block[..6], [0, 1, b'a', 0x7f, 58 + 128, 9]);
        assert_eq!(block.len(), 6 + 1337);
    }

    #[test]
    fn a_frame_has_a_head_of_nine_bytes() {
        assert_eq!(frame(DATA, END_STREAM, 1, b"xy"), [0, 0, 2, 0, 1, 0, 0, 0, 1, b'x', b'y']);
    }
}
