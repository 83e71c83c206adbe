//! Reading and writing the guest's memory from a host function, and tracing the call. It knows no single function.

use std::fmt::Write as _;

use wasmtime::Caller;

use crate::abi::Status;
use crate::host::{Host, Phase};
use crate::trace::{TraceEvent, shorten};

/// Why a host function did not succeed.
pub(crate) enum Fault {
    /// The filter gets this status.
    Status(Status),
    /// The call into the VM ends here.
    Trap(wasmtime::Error),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Fault::Status(status)
    }
}

pub(crate) type HostResult<T = ()> = Result<T, Fault>;

/// One running host call.
pub(crate) struct Guest<'a, 'b> {
    caller: &'a mut Caller<'b, Host>,
    args: String,
}

impl<'a, 'b> Guest<'a, 'b> {
    pub(crate) fn new(caller: &'a mut Caller<'b, Host>) -> Self {
        Self { caller, args: String::new() }
    }

    pub(crate) fn host(&self) -> &Host {
        self.caller.data()
    }

    pub(crate) fn host_mut(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    /// Adds an argument to the line in the trace.
    pub(crate) fn arg(&mut self, value: impl std::fmt::Display) {
        let comma = if self.args.is_empty() { "" } else { ", " };
        // Writing to a String does not fail.
        let _ = write!(self.args, "{comma}{value}");
    }

    pub(crate) fn read(&mut self, at: u32, len: u32) -> HostResult<Vec<u8>> {
        let start = at as usize;
        let memory = self.caller.data().memory.ok_or(Status::InvalidMemoryAccess)?;
        let bytes = memory
            .data(&*self.caller)
            .get(start..start.saturating_add(len as usize))
            .ok_or(Status::InvalidMemoryAccess)?;
        Ok(bytes.to_vec())
    }

    /// Reads bytes and shows them, shortened, in the trace.
    pub(crate) fn read_arg(&mut self, at: u32, len: u32) -> HostResult<Vec<u8>> {
        let bytes = self.read(at, len)?;
        self.arg(shorten(&bytes));
        Ok(bytes)
    }

    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) -> HostResult {
        let start = at as usize;
        let memory = self.caller.data().memory.ok_or(Status::InvalidMemoryAccess)?;
        let target = memory
            .data_mut(&mut *self.caller)
            .get_mut(start..start.saturating_add(bytes.len()))
            .ok_or(Status::InvalidMemoryAccess)?;
        target.copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn write_u32(&mut self, at: u32, number: u32) -> HostResult {
        self.write(at, &number.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, at: u32, number: u64) -> HostResult {
        self.write(at, &number.to_le_bytes())
    }

    /// Copies bytes into memory that the guest allocates; nothing is allocated for no bytes.
    pub(crate) fn give(&mut self, bytes: &[u8], pointer_at: u32, size_at: u32) -> HostResult {
        let len = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let mut pointer = 0;
        if len > 0 {
            let allocate = self.caller.data().allocate.clone().ok_or(Status::InvalidMemoryAccess)?;
            pointer = allocate.call(&mut *self.caller, len).map_err(Fault::Trap)?;
            if pointer == 0 {
                return Err(Status::InvalidMemoryAccess.into());
            }
            self.write(pointer, bytes)?;
        }
        self.write_u32(pointer_at, pointer)?;
        self.write_u32(size_at, len)
    }
}

/// Runs a host function: checks that it may be called now, traces it, turns faults into statuses.
pub(crate) fn run(
    caller: &mut Caller<'_, Host>,
    name: &'static str,
    function: impl FnOnce(&mut Guest<'_, '_>) -> HostResult,
) -> wasmtime::Result<u32> {
    if caller.data().phase == Phase::Start && name != "proxy_log" {
        // Envoy ends the VM with this trap.
        return Err(wasmtime::Error::msg(format!("restricted_callback: {name} while the VM starts")));
    }
    let mut guest = Guest::new(caller);
    let result = function(&mut guest);
    let args = std::mem::take(&mut guest.args);
    let status = match result {
        Ok(()) => Status::Ok,
        Err(Fault::Status(status)) => status,
        Err(Fault::Trap(error)) => return Err(error),
    };
    let host = caller.data();
    // The log line itself is in the trace already.
    if name != "proxy_log" {
        let context = host.context();
        host.shared.lock().trace(host.worker, context, TraceEvent::HostCall { name, args, status });
    }
    Ok(status as u32)
}

/// Ends the run: the filter asked for something that Envoy has and the simulator does not imitate.
pub(crate) fn unsupported(guest: &mut Guest<'_, '_>, call: String) -> Fault {
    guest.host_mut().unsupported = Some(call.clone());
    Fault::Trap(wasmtime::Error::msg(format!("not simulated: {call}")))
}
