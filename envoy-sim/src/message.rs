//! What the test sends and what its upstream answers, as data. The defaults are those of a plain HTTP/1.1 client;
//! what Envoy's connection manager and router add of their own is not imitated.

use std::collections::BTreeMap;

use crate::maps::HeaderMap;

/// A request as the filter is to see it, cut into the pieces in which it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) end: End,
    pub(crate) upstream: Upstream,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Which frame of the request carries the end of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The headers if there is no body, else the last piece, or the trailers.
    Natural,
    /// An empty last piece.
    EmptyPiece,
    /// None: the client stops sending.
    Never,
}

impl Request {
    /// A request with the pseudo-headers in Envoy's order, to the authority `example.test`.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        let headers =
            [(":authority", "example.test"), (":path", path), (":method", method), (":scheme", "http")];
        Self {
            headers: headers.into_iter().collect(),
            pieces: Vec::new(),
            trailers: None,
            end: End::Natural,
            upstream: Upstream::default(),
            properties: BTreeMap::new(),
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A `POST`.
    #[must_use]
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// Adds a header. A name may be added several times.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The whole body in one piece. An empty body means none: the headers end the stream.
    #[must_use]
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        if body.is_empty() { self.body_pieces::<_, &[u8]>([]) } else { self.body_pieces([body]) }
    }

    /// The body in the pieces in which it reaches the filter; the last one ends the stream.
    #[must_use]
    pub fn body_pieces<I, P>(mut self, pieces: I) -> Self
    where
        I: IntoIterator<Item = P>,
        P: AsRef<[u8]>,
    {
        self.pieces = pieces.into_iter().map(|piece| piece.as_ref().to_vec()).collect();
        self
    }

    /// Adds a trailer: the trailers then end the stream, not the body.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.get_or_insert_default().push(name, value);
        self
    }

    /// Ends the body with an empty piece of its own, as HTTP/2 and chunked senders often do.
    #[must_use]
    pub fn end_with_empty_piece(mut self) -> Self {
        self.end = End::EmptyPiece;
        self
    }

    /// The client sends what is described and then nothing: no end of the stream.
    #[must_use]
    pub fn never_ending(mut self) -> Self {
        self.end = End::Never;
        self
    }

    /// What upstream answers if the request gets there. The default is an empty 200.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = upstream;
        self
    }

    /// A property that the filter can read in this stream, such as `["source", "address"]`.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> Self {
        self.properties.insert(path.join("\0").into_bytes(), value.as_ref().to_vec());
        self
    }
}

/// An answer: of upstream, of a callout's cluster, or what came back downstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// `:status` and the rest.
    pub headers: HeaderMap,
    /// The body in the pieces in which it arrives.
    pub pieces: Vec<Vec<u8>>,
    /// Trailers, if any.
    pub trailers: Option<HeaderMap>,
}

impl Response {
    /// An answer with this status and nothing else.
    #[must_use]
    pub fn new(status: u16) -> Self {
        let headers = [(":status", status.to_string())].into_iter().collect();
        Self { headers, pieces: Vec::new(), trailers: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Sets the body, in one piece. An empty body means none.
    #[must_use]
    pub fn with_body(mut self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        self.pieces = if body.is_empty() { Vec::new() } else { vec![body.to_vec()] };
        self
    }

    /// Sets the body, in pieces.
    #[must_use]
    pub fn body_pieces<I, P>(mut self, pieces: I) -> Self
    where
        I: IntoIterator<Item = P>,
        P: AsRef<[u8]>,
    {
        self.pieces = pieces.into_iter().map(|piece| piece.as_ref().to_vec()).collect();
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.get_or_insert_default().push(name, value);
        self
    }

    /// The number in `:status`, or 0.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The whole body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}

/// How upstream behaves towards one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// Answers when it has the whole request.
    Answers(Response),
    /// Answers as soon as it has the headers, whatever the rest of the request does.
    AnswersEarly(Response),
    /// Gives Envoy a reason to answer by itself.
    Fails(UpstreamFailure),
    /// Takes the request and says nothing; the test answers, or the stream hangs.
    Silent,
}

impl Default for Upstream {
    fn default() -> Self {
        Upstream::Answers(Response::new(200))
    }
}

/// Why Envoy's router answers in upstream's stead. Retries are the router's and are not imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamFailure {
    /// No host of the cluster is healthy: 503 at the headers.
    NoHealthyHost,
    /// The connection is refused: 503.
    ConnectFailure,
    /// The connection closes before an answer: 503.
    Reset,
    /// No answer within the route's timeout, which runs from the end of the request: 504.
    Timeout,
}

impl UpstreamFailure {
    /// Status, body and `response.code_details`, as Envoy 1.40 gives them.
    pub(crate) fn reply(self) -> (u16, &'static str, &'static str) {
        match self {
            UpstreamFailure::NoHealthyHost => (503, "no healthy upstream", "no_healthy_upstream"),
            UpstreamFailure::ConnectFailure => (
                503,
                "upstream connect error or disconnect/reset before headers. reset reason: \
                 remote connection failure",
                "upstream_reset_before_response_started{remote_connection_failure|\
                 delayed_connect_error:_Connection_refused}",
            ),
            UpstreamFailure::Reset => (
                503,
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
                "upstream_reset_before_response_started{connection_termination}",
            ),
            UpstreamFailure::Timeout => (504, "upstream request timeout", "response_timeout"),
        }
    }
}
