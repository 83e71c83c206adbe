//! Log, clock, tick, contexts, status and foreign functions.

use wasmtime::{Caller, Linker};

use crate::abi::{LogLevel, Status};
use crate::guest::{run, unsupported};
use crate::host::Host;

/// Foreign functions that Envoy registers. Every other name is `NotFound` there and here.
const ENVOY_FOREIGN: &[&[u8]] = &[
    b"compress",
    b"declare_property",
    b"expr_create",
    b"expr_delete",
    b"expr_evaluate",
    b"set_envoy_filter_state",
    b"sign",
    b"uncompress",
    b"verify_signature",
];

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_log", |mut caller: Caller<'_, Host>, level: u32, at: u32, len: u32| {
        run(&mut caller, "proxy_log", |guest| {
            let level = LogLevel::from_abi(level).ok_or(Status::BadArgument)?;
            let message = guest.read(at, len)?;
            guest.host().log(level, &message);
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_get_log_level", |mut caller: Caller<'_, Host>, at: u32| {
        run(&mut caller, "proxy_get_log_level", |guest| guest.write_u32(at, LogLevel::Trace as u32))
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |mut caller: Caller<'_, Host>, at: u32| {
            run(&mut caller, "proxy_get_current_time_nanoseconds", |guest| {
                let now_ns = guest.host().shared.lock().now_ns;
                guest.write_u64(at, now_ns)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |mut caller: Caller<'_, Host>, period_ms: u32| {
            run(&mut caller, "proxy_set_tick_period_milliseconds", |guest| {
                guest.arg(period_ms);
                let now_ns = guest.host().shared.lock().now_ns;
                let host = guest.host_mut();
                host.tick_period_ns = u64::from(period_ms) * 1_000_000;
                host.next_tick_ns = (period_ms > 0).then_some(now_ns + host.tick_period_ns);
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_effective_context",
        |mut caller: Caller<'_, Host>, context: u32| {
            run(&mut caller, "proxy_set_effective_context", |guest| {
                guest.arg(context);
                let host = guest.host_mut();
                if !host.context_exists(context) {
                    return Err(Status::BadArgument.into());
                }
                host.effective = context;
                Ok(())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_done", |mut caller: Caller<'_, Host>| {
        run(&mut caller, "proxy_done", |guest| {
            let host = guest.host_mut();
            if !host.root_done_pending {
                return Err(Status::NotFound.into());
            }
            host.root_done_pending = false;
            host.root_done = true;
            Ok(())
        })
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_status",
        |mut caller: Caller<'_, Host>, code_at: u32, pointer_at: u32, size_at: u32| {
            run(&mut caller, "proxy_get_status", |guest| {
                let (code, message) = guest.host().status;
                guest.write_u32(code_at, code)?;
                guest.give(message.as_bytes(), pointer_at, size_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |mut caller: Caller<'_, Host>, at: u32, len: u32, args_at: u32, args_len: u32, _: u32, _: u32| {
            run(&mut caller, "proxy_call_foreign_function", |guest| {
                let name = guest.read_arg(at, len)?;
                guest.read(args_at, args_len)?;
                if name == b"clear_route_cache" {
                    if let Some(stream) = guest.host_mut().current_stream_mut() {
                        stream.route_cache_clears += 1;
                    }
                    return Ok(());
                }
                if ENVOY_FOREIGN.contains(&name.as_slice()) {
                    let call = format!("foreign function {}", String::from_utf8_lossy(&name));
                    return Err(unsupported(guest, call));
                }
                Err(Status::NotFound.into())
            })
        },
    )?;
    linker.func_wrap("env", "pthread_equal", |left: u32, right: u32| u32::from(left == right))?;
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| {})?;
    Ok(())
}
