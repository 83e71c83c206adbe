//! The bounded record of every call in both directions. It judges nothing.

use std::collections::VecDeque;
use std::fmt;

use crate::abi::Status;

/// How many entries are kept; the oldest go first.
pub(crate) const TRACE_ENTRIES: usize = 2_000;

/// One line of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// Nanoseconds since the simulator's start on the virtual clock.
    pub at_ns: u64,
    /// The worker.
    pub worker: usize,
    /// The context id inside the VM; 0 is the VM itself.
    pub context: u32,
    /// What happened.
    pub event: TraceEvent,
}

/// What a line of the trace tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceEvent {
    /// Envoy called the filter.
    Called {
        /// The export.
        callback: &'static str,
        /// Its arguments after the context id.
        args: Vec<u64>,
    },
    /// The filter returned.
    Returned {
        /// The export.
        callback: &'static str,
        /// Its result, if it has one.
        result: Option<u64>,
        /// Fuel the call used.
        fuel: u64,
    },
    /// The filter trapped.
    Trapped {
        /// The export.
        callback: &'static str,
        /// The trap and the functions it passed.
        message: String,
    },
    /// The filter called Envoy.
    HostCall {
        /// The import.
        name: &'static str,
        /// Its arguments, shortened.
        args: String,
        /// What it got.
        status: Status,
    },
    /// Something happened on the wire or in Envoy.
    Note(String),
}

impl fmt::Display for TraceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3}ms w{} c{} ", self.at_ns as f64 / 1e6, self.worker, self.context)?;
        match &self.event {
            TraceEvent::Called { callback, args } => write!(f, "-> {callback}{args:?}"),
            TraceEvent::Returned { callback, result: Some(result), fuel } => {
                write!(f, "<- {callback} = {result} ({fuel} fuel)")
            }
            TraceEvent::Returned { callback, result: None, fuel } => {
                write!(f, "<- {callback} ({fuel} fuel)")
            }
            TraceEvent::Trapped { callback, message } => write!(f, "!! trap in {callback}: {message}"),
            TraceEvent::HostCall { name, args, status } => write!(f, "     {name}({args}) = {status}"),
            TraceEvent::Note(text) => write!(f, "  .. {text}"),
        }
    }
}

/// The last calls in both directions, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    entries: VecDeque<TraceEntry>,
    dropped: usize,
}

impl Trace {
    pub(crate) fn push(&mut self, entry: TraceEntry) {
        if self.entries.len() == TRACE_ENTRIES {
            self.entries.pop_front();
            self.dropped += 1;
        }
        self.entries.push_back(entry);
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &TraceEntry> {
        self.entries.iter()
    }

    /// The entries of one context.
    #[must_use]
    pub(crate) fn of(&self, worker: usize, context: u32) -> Trace {
        let entries =
            self.entries.iter().filter(|e| e.worker == worker && e.context == context).cloned().collect();
        Trace { entries, dropped: 0 }
    }

    /// How many times the filter called the host function `name`.
    #[must_use]
    pub fn host_calls(&self, name: &str) -> usize {
        self.entries
            .iter()
            .filter(|entry| matches!(&entry.event, TraceEvent::HostCall { name: n, .. } if *n == name))
            .count()
    }

    /// The exports that were called, in order.
    pub fn callbacks(&self) -> Vec<&'static str> {
        self.entries
            .iter()
            .filter_map(|entry| match &entry.event {
                TraceEvent::Called { callback, .. } => Some(*callback),
                TraceEvent::Returned { .. }
                | TraceEvent::Trapped { .. }
                | TraceEvent::HostCall { .. }
                | TraceEvent::Note(_) => None,
            })
            .collect()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            writeln!(f, "({} earlier entries dropped)", self.dropped)?;
        }
        for entry in &self.entries {
            writeln!(f, "{entry}")?;
        }
        Ok(())
    }
}

/// Bytes for a trace line: text where it is text, at most 60 bytes.
pub(crate) fn shorten(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string();
    if bytes.len() > SHOWN { format!("\"{text}\"… {} bytes", bytes.len()) } else { format!("\"{text}\"") }
}
