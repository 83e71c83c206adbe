//! What the streams of one worker share: the core with its configuration, and the directory if there is one. It sees no request.

use crate::callout::Reply;
use crate::directory::Directory;
use event_core::Edge;

/// One per accepted configuration and worker.
pub(crate) struct Worker {
    edge: Edge,
    directory: Option<Directory>,
}

impl Worker {
    pub(crate) fn new(edge: Edge) -> Self {
        let directory = edge.config().directory().map(|settings| Directory::new(edge.config(), settings));
        Self { edge, directory }
    }

    pub(crate) const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// A callout has ended: all that wait for its answer go on. Only for the callback of its end.
    pub(crate) fn answered(&self, token: u32, n_headers: usize, body_size: usize) {
        if let Some(directory) = &self.directory {
            directory.answered(&self.edge, token, &Reply::read(n_headers, body_size));
        }
    }

    pub(crate) const fn directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }
}
