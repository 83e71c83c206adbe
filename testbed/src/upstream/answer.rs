//! What an upstream does with a request. It carries nothing out.

use std::time::Duration;

use crate::message::Headers;

/// What the server does once it has read a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It answers and keeps the connection.
    Reply(Reply),
    /// It writes these bytes as they are and closes.
    Raw(Vec<u8>),
    /// It closes without an answer.
    Close,
    /// It resets the connection.
    Reset,
    /// It says nothing and keeps the connection open.
    Hang,
}

/// A well-formed answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers; `content-length` is added.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// How long it waits before it answers.
    pub delay: Duration,
}

impl Answer {
    /// An answer with this status and an empty body.
    pub fn status(status: u16) -> Self {
        Self::Reply(Reply { status, headers: Headers::new(), body: Vec::new(), delay: Duration::ZERO })
    }

    /// Adds a header to a reply. Other answers have none and stay as they are.
    #[must_use]
    pub fn header(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.edit(|reply| reply.headers.push(name, value))
    }

    /// Sets the body of a reply.
    #[must_use]
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        self.edit(|reply| reply.body = body.as_ref().to_vec())
    }

    /// Makes a reply wait.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        self.edit(|reply| reply.delay = delay)
    }

    fn edit(mut self, change: impl FnOnce(&mut Reply)) -> Self {
        if let Self::Reply(reply) = &mut self {
            change(reply);
        }
        self
    }
}

impl Reply {
    /// The answer on the wire; without its body when the request was a `HEAD`.
    pub(super) fn to_bytes(&self, head_only: bool) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Scripted\r\n", self.status).into_bytes();
        for (name, value) in self.headers.iter() {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        let has_body = self.status != 204 && self.status != 304;
        if has_body && !self.headers.has("content-length") {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        if has_body && !head_only {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}
