//! What the workers of one Envoy share: data with compare-and-swap, queues, metrics, clock, log, trace.
//! It never calls a filter.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::{LogLevel, Status};
use crate::metrics::Metrics;
use crate::rng::Rng;
use crate::trace::{Trace, TraceEntry, TraceEvent};

/// A line that the filter logged, or wrote to its standard output or error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The worker that logged.
    pub worker: usize,
    /// The context it logged from; 0 is the VM itself.
    pub context: u32,
    /// The level.
    pub level: LogLevel,
    /// The text; bytes that are not UTF-8 are replaced.
    pub message: String,
}

/// When a compare-and-swap meets another worker's write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflicts {
    /// Only when workers of the test really collide.
    Never,
    /// The next `n` compare-and-swap writes find that another worker wrote the same value again.
    Next(u32),
    /// Each compare-and-swap write collides with this chance, drawn from the seed.
    Percent(u8),
}

#[derive(Debug)]
struct Queue {
    worker: usize,
    context: u32,
    items: VecDeque<Vec<u8>>,
}

/// A queue notification on its way to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueReady {
    pub(crate) worker: usize,
    pub(crate) context: u32,
    pub(crate) token: u32,
}

/// The state behind the lock.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) start_ns: u64,
    pub(crate) now_ns: u64,
    pub(crate) metrics: Metrics,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) trace: Trace,
    pub(crate) posted: VecDeque<QueueReady>,
    pub(crate) conflicts: Conflicts,
    data: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
    queues: BTreeMap<u32, Queue>,
    queue_names: BTreeMap<Vec<u8>, u32>,
    rng: Rng,
}

/// One Envoy process' shared state, held by each of its workers.
#[derive(Debug, Clone)]
pub(crate) struct SharedHandle(Arc<Mutex<Shared>>);

impl SharedHandle {
    pub(crate) fn new(start_ns: u64, seed: u64, conflicts: Conflicts) -> Self {
        Self(Arc::new(Mutex::new(Shared {
            start_ns,
            now_ns: start_ns,
            metrics: Metrics::default(),
            logs: Vec::new(),
            trace: Trace::default(),
            posted: VecDeque::new(),
            conflicts,
            data: BTreeMap::new(),
            last_cas: 0,
            queues: BTreeMap::new(),
            queue_names: BTreeMap::new(),
            rng: Rng::new(seed ^ 0x5EED_CA5E),
        })))
    }

    /// A panic of a test while it held the lock says nothing about the data: it is used on.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(crate) fn trace(&mut self, worker: usize, context: u32, event: TraceEvent) {
        let at_ns = self.now_ns - self.start_ns;
        self.trace.push(TraceEntry { at_ns, worker, context, event });
    }

    fn next_cas(&mut self) -> u32 {
        self.last_cas = self.last_cas.wrapping_add(1).max(1);
        self.last_cas
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<(&[u8], u32)> {
        self.data.get(key).map(|(value, cas)| (value.as_slice(), *cas))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.data.iter().map(|(key, (value, _))| (key.as_slice(), value.as_slice()))
    }

    /// A number of 0 writes whatever stands there; a missing key takes any number.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Status {
        if cas != 0 && self.data.contains_key(key) && self.collides() {
            let next = self.next_cas();
            if let Some((_, stored)) = self.data.get_mut(key) {
                *stored = next;
            }
        }
        if let Some((_, stored)) = self.data.get(key)
            && cas != 0
            && cas != *stored
        {
            return Status::CasMismatch;
        }
        let next = self.next_cas();
        self.data.insert(key.to_vec(), (value.to_vec(), next));
        Status::Ok
    }

    fn collides(&mut self) -> bool {
        match self.conflicts {
            Conflicts::Never | Conflicts::Next(0) => false,
            Conflicts::Next(left) => {
                self.conflicts = Conflicts::Next(left - 1);
                true
            }
            Conflicts::Percent(percent) => self.rng.below(100) < usize::from(percent),
        }
    }

    /// The last to register is the one that is told of new items; items stay.
    pub(crate) fn register_queue(&mut self, name: &[u8], worker: usize, context: u32) -> u32 {
        let fresh = u32::try_from(self.queue_names.len()).unwrap_or(u32::MAX - 1) + 1;
        let token = *self.queue_names.entry(name.to_vec()).or_insert(fresh);
        let queue = self.queues.entry(token).or_insert(Queue { worker, context, items: VecDeque::new() });
        queue.worker = worker;
        queue.context = context;
        token
    }

    pub(crate) fn resolve_queue(&self, name: &[u8]) -> Option<u32> {
        self.queue_names.get(name).copied()
    }

    pub(crate) fn enqueue(&mut self, token: u32, item: Vec<u8>) -> Status {
        let Some(queue) = self.queues.get_mut(&token) else { return Status::NotFound };
        queue.items.push_back(item);
        self.posted.push_back(QueueReady { worker: queue.worker, context: queue.context, token });
        Status::Ok
    }

    pub(crate) fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        queue.items.pop_front().ok_or(Status::Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(conflicts: Conflicts) -> SharedHandle {
        SharedHandle::new(0, 7, conflicts)
    }

    #[test]
    fn a_stale_number_is_refused_and_zero_always_writes() {
        let handle = shared(Conflicts::Never);
        let mut state = handle.lock();
        assert_eq!(state.set(b"k", b"1", 99), Status::Ok);
        let (_, cas) = state.get(b"k").unwrap();
        assert_eq!(state.set(b"k", b"2", cas), Status::Ok);
        assert_eq!(state.set(b"k", b"3", cas), Status::CasMismatch);
        assert_eq!(state.set(b"k", b"4", 0), Status::Ok);
        assert_eq!(state.get(b"k").unwrap().0, b"4");
    }

    #[test]
    fn a_scripted_conflict_spends_itself() {
        let handle = shared(Conflicts::Next(1));
        let mut state = handle.lock();
        state.set(b"k", b"1", 0);
        let (_, cas) = state.get(b"k").unwrap();
        assert_eq!(state.set(b"k", b"2", cas), Status::CasMismatch);
        let (_, cas) = state.get(b"k").unwrap();
        assert_eq!(state.set(b"k", b"2", cas), Status::Ok);
    }

    #[test]
    fn an_unknown_queue_is_not_found_and_a_drained_one_is_empty() {
        let handle = shared(Conflicts::Never);
        let mut state = handle.lock();
        assert_eq!(state.enqueue(5, vec![]), Status::NotFound);
        let token = state.register_queue(b"q", 0, 1);
        assert_eq!(state.dequeue(token), Err(Status::Empty));
        assert_eq!(state.enqueue(token, b"x".to_vec()), Status::Ok);
        assert_eq!(state.dequeue(token), Ok(b"x".to_vec()));
    }
}
