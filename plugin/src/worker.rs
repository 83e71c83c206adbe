//! What the streams of one worker share: the core with its configuration, and the directory if there is one. It sees no request.

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

    pub(crate) const fn directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }
}
