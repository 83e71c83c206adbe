//! Shared data with compare-and-swap, and queues.

use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::guest::{HostResult, run};
use crate::host::{Host, ROOT};

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut caller: Caller<'_, Host>, at: u32, len: u32, pointer_at: u32, size_at: u32, cas_at: u32| {
            run(&mut caller, "proxy_get_shared_data", |guest| {
                let key = guest.read_arg(at, len)?;
                let found = guest.host().shared.lock().get(&key).map(|(value, cas)| (value.to_vec(), cas));
                let (value, cas) = found.ok_or(Status::NotFound)?;
                guest.give(&value, pointer_at, size_at)?;
                guest.write_u32(cas_at, cas)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut caller: Caller<'_, Host>, at: u32, len: u32, value_at: u32, value_len: u32, cas: u32| {
            run(&mut caller, "proxy_set_shared_data", |guest| {
                let key = guest.read_arg(at, len)?;
                let value = guest.read_arg(value_at, value_len)?;
                guest.arg(format_args!("cas {cas}"));
                done(guest.host().shared.lock().set(&key, &value, cas))
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_register_shared_queue",
        |mut caller: Caller<'_, Host>, at: u32, len: u32, token_at: u32| {
            run(&mut caller, "proxy_register_shared_queue", |guest| {
                let name = guest.read_arg(at, len)?;
                let host = guest.host();
                // The root context is told of items, whoever registered.
                let token = host.shared.lock().register_queue(&name, host.worker, ROOT);
                guest.write_u32(token_at, token)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_resolve_shared_queue",
        |mut caller: Caller<'_, Host>, vm_at: u32, vm_len: u32, at: u32, len: u32, token_at: u32| {
            run(&mut caller, "proxy_resolve_shared_queue", |guest| {
                let vm_id = guest.read_arg(vm_at, vm_len)?;
                let name = guest.read_arg(at, len)?;
                let host = guest.host();
                if !vm_id.is_empty() && vm_id != host.settings.vm_id.as_bytes() {
                    return Err(Status::NotFound.into());
                }
                let token = host.shared.lock().resolve_queue(&name);
                guest.write_u32(token_at, token.ok_or(Status::NotFound)?)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_enqueue_shared_queue",
        |mut caller: Caller<'_, Host>, token: u32, at: u32, len: u32| {
            run(&mut caller, "proxy_enqueue_shared_queue", |guest| {
                guest.arg(token);
                let item = guest.read_arg(at, len)?;
                done(guest.host().shared.lock().enqueue(token, item))
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_dequeue_shared_queue",
        |mut caller: Caller<'_, Host>, token: u32, pointer_at: u32, size_at: u32| {
            run(&mut caller, "proxy_dequeue_shared_queue", |guest| {
                guest.arg(token);
                let item = guest.host().shared.lock().dequeue(token)?;
                guest.give(&item, pointer_at, size_at)
            })
        },
    )?;
    Ok(())
}

fn done(status: Status) -> HostResult {
    if status == Status::Ok { Ok(()) } else { Err(status.into()) }
}
