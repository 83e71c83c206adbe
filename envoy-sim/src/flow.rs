//! One direction of a stream: how far it has come through the filter and what is held back. It moves nothing.

use crate::maps::HeaderMap;

/// The two directions of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// Where Envoy's filter iteration stands.
///
/// ```text
///             Continue                 StopIteration
///  Running ─────────────► Running  ───────────────────► Held ──┐ body and trailer
///     │                                                  ▲     │ callbacks still come
///     │ StopAllIteration                                 └─────┘
///     └───────────────────► Blocked   no callback comes until the filter continues
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Iteration {
    /// Frames go on as they come.
    Running,
    /// What the filter has seen is held; it is still shown what comes.
    Held,
    /// Nothing is shown. `streaming` means back-pressure instead of the buffer limit.
    Blocked { streaming: bool },
}

/// Which frame of a direction was last forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Forwarded {
    Nothing,
    Headers,
    End,
}

/// The state of one direction.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) iteration: Iteration,
    pub(crate) forwarded: Forwarded,
    /// Envoy's own buffer of this direction; `None` until something was held.
    pub(crate) held: Option<Vec<u8>>,
    /// The piece that the running body callback is about.
    pub(crate) piece: Vec<u8>,
    /// Bytes of the body that the peer has sent.
    pub(crate) received_bytes: u64,
    /// Whether the peer has sent its last byte.
    pub(crate) source_ended: bool,
    /// Whether the filter has been told of the end.
    pub(crate) told_end: bool,
    /// Whether the held bytes are subject to back-pressure instead of the limit.
    pub(crate) streaming: bool,
    /// Set while frames held by `Blocked` are shown to this filter after all.
    pub(crate) replaying: bool,
    pub(crate) started: bool,
    // What the filter's context can reach now.
    pub(crate) headers_shown: bool,
    pub(crate) trailers_shown: bool,
    pub(crate) body_shown: bool,
    /// The filter returned "stop and buffer" last: it sees the held body, not the piece.
    pub(crate) buffering: bool,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            headers: HeaderMap::new(),
            trailers: None,
            iteration: Iteration::Running,
            forwarded: Forwarded::Nothing,
            held: None,
            piece: Vec::new(),
            received_bytes: 0,
            source_ended: false,
            told_end: false,
            streaming: false,
            replaying: false,
            started: false,
            headers_shown: false,
            trailers_shown: false,
            body_shown: false,
            buffering: false,
        }
    }
}

impl Flow {
    /// The body that the filter's getter reads.
    pub(crate) fn visible_body(&self) -> &[u8] {
        if self.buffering {
            self.held.as_deref().unwrap_or_default()
        } else if self.body_shown {
            &self.piece
        } else {
            &[]
        }
    }

    /// The body that the filter's setter changes, or `None` if there is none to change.
    pub(crate) fn visible_body_mut(&mut self) -> Option<&mut Vec<u8>> {
        if self.buffering {
            self.held.as_mut()
        } else if self.body_shown {
            Some(&mut self.piece)
        } else {
            None
        }
    }

    /// Takes the maps and the body out of the filter's reach, as `proxy_continue_stream` does at once.
    pub(crate) fn hide(&mut self) {
        self.headers_shown = false;
        self.trailers_shown = false;
        self.body_shown = false;
    }

    /// Moves the piece into the held bytes.
    pub(crate) fn hold_piece(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        self.held.get_or_insert_default().extend(piece);
    }
}
