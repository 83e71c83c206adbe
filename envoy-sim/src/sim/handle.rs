//! One worker of a simulator, and a request on its way to it. The work is done by the simulator.

use super::{Simulator, StreamId};
use crate::error::Error;
use crate::message::Request;
use crate::seen::Seen;

/// One worker, for a moment.
pub struct WorkerHandle<'a> {
    pub(super) sim: &'a mut Simulator,
    pub(super) index: usize,
}

impl<'a> WorkerHandle<'a> {
    /// Prepares a request to this worker.
    #[must_use]
    pub fn request(self, request: Request) -> Run<'a> {
        Run { handle: self, request }
    }

    /// Opens a stream without moving it: the test steps it, or settles the simulator.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn open(self, request: Request) -> Result<StreamId, Error> {
        let id = u32::try_from(self.sim.placed.len()).unwrap_or(u32::MAX);
        let worker = self.sim.workers.get_mut(self.index).ok_or(Error::NoWorker(self.index))?;
        worker.open(id, request);
        self.sim.placed.push(self.index);
        Ok(StreamId(id))
    }

    /// Pages of 64 KiB of the VM's memory.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn memory_pages(self) -> Result<u64, Error> {
        let worker = self.sim.workers.get(self.index).ok_or(Error::NoWorker(self.index))?;
        Ok(worker.vm.memory_pages())
    }

    /// Fuel of the calls that belong to no stream: start, configuration, ticks, queues.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn root_fuel(self) -> Result<u64, Error> {
        let worker = self.sim.workers.get(self.index).ok_or(Error::NoWorker(self.index))?;
        Ok(worker.vm.root_fuel)
    }

    /// Whether the VM has trapped and was not reloaded.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn has_failed(self) -> Result<bool, Error> {
        let worker = self.sim.workers.get(self.index).ok_or(Error::NoWorker(self.index))?;
        Ok(worker.vm.has_failed())
    }

    /// Ends the root context, as Envoy does when a configuration goes. False means the filter
    /// wants to finish later, with `proxy_done`; ask again then.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn shut_down(self) -> Result<bool, Error> {
        let worker = self.sim.workers.get_mut(self.index).ok_or(Error::NoWorker(self.index))?;
        Ok(worker.shut_down())
    }
}

/// A request on its way to a worker.
pub struct Run<'a> {
    handle: WorkerHandle<'a>,
    request: Request,
}

impl Run<'_> {
    /// Runs until nothing more can happen, and says what each side saw.
    ///
    /// # Errors
    /// If there is no such worker, the filter called something that is not simulated, or the run does not
    /// come to rest.
    pub fn run(self) -> Result<Seen, Error> {
        let WorkerHandle { sim, index } = self.handle;
        let id = sim.worker(index).open(self.request)?;
        sim.settle()?;
        sim.take(id)
    }
}
