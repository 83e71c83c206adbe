//! Edges with the file as it is shipped, one test after the other: starting Envoy with Bellhop's filter takes a second
//! of CPU. Whoever reads the access log or the statistics needs an edge of its own.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use crate::{BoxError, Edge, Filter, Setup};

/// Edges that no test uses now. The system ends them with this process.
static IDLE: Mutex<Vec<Edge>> = Mutex::new(Vec::new());

/// The right to use an edge alone. It is given back when this is dropped, unless the test has panicked.
#[derive(Debug)]
pub struct Lease {
    edge: Option<Edge>,
}

/// An edge with Bellhop's filter and an upstream that answers 200, nothing received yet.
///
/// # Errors
/// When Envoy does not start.
pub fn shipped() -> Result<Lease, BoxError> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let edge = idle.map_or_else(|| Setup::new(Filter::Bellhop).start(), Ok)?;
    Ok(Lease { edge: Some(edge) })
}

impl Deref for Lease {
    type Target = Edge;

    fn deref(&self) -> &Edge {
        self.edge.as_ref().expect("an edge is given back only at the end")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(edge) = self.edge.take().filter(|_| !std::thread::panicking()) {
            edge.upstream().take();
            // A script that was not used up would answer the next test.
            if edge.upstream().n_scripted() == 0 {
                IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(edge);
            }
        }
    }
}
