//! Reading and setting properties. What each path means is in `crate::properties`.

use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::guest::run;
use crate::host::Host;
use crate::properties;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut caller: Caller<'_, Host>, at: u32, len: u32, pointer_at: u32, size_at: u32| {
            run(&mut caller, "proxy_get_property", |guest| {
                let path = guest.read_arg(at, len)?;
                let value = properties::get(guest.host(), &path).ok_or(Status::NotFound)?;
                guest.give(&value, pointer_at, size_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |mut caller: Caller<'_, Host>, at: u32, len: u32, value_at: u32, value_len: u32| {
            run(&mut caller, "proxy_set_property", |guest| {
                let path = guest.read_arg(at, len)?;
                let value = guest.read_arg(value_at, value_len)?;
                // The root context has no stream to keep state for.
                let stream = guest.host_mut().current_stream_mut().ok_or(Status::NotFound)?;
                stream.filter_state.insert(path, value);
                Ok(())
            })
        },
    )?;
    Ok(())
}
