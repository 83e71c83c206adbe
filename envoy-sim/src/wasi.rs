//! The WASI preview-1 functions that Envoy links. There are no files and no arguments; no other function exists.

use wasmtime::{Caller, Linker};

use crate::abi::LogLevel;
use crate::guest::{Fault, Guest, HostResult};
use crate::host::Host;

const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOENT: u32 = 44;
const NOSYS: u32 = 52;
const NOTSUP: u32 = 58;

/// The real host refuses to make more random bytes than this in one call.
const RANDOM_BYTES_MAX: u32 = 64 * 1024;

/// The names under which the same functions are offered.
const MODULES: [&str; 2] = ["wasi_unstable", "wasi_snapshot_preview1"];

pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for module in MODULES {
        link_as(linker, module)?;
    }
    Ok(())
}

/// A pointer outside the guest's memory is `EFAULT`.
fn errno(result: HostResult) -> wasmtime::Result<u32> {
    match result {
        Ok(()) => Ok(SUCCESS),
        Err(Fault::Status(_)) => Ok(FAULT),
        Err(Fault::Trap(error)) => Err(error),
    }
}

fn link_as(linker: &mut Linker<Host>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "fd_write",
        |mut caller: Caller<'_, Host>, fd: u32, iovs: u32, count: u32, written_at: u32| {
            let level = match fd {
                1 => LogLevel::Info,
                2 => LogLevel::Error,
                _ => return Ok(BADF),
            };
            let mut guest = Guest::new(&mut caller);
            errno(gather(&mut guest, iovs, count).and_then(|mut text| {
                let written = u32::try_from(text.len()).unwrap_or(u32::MAX);
                if text.last() == Some(&b'\n') {
                    text.pop();
                }
                if written > 0 {
                    guest.host().log(level, &text);
                }
                guest.write_u32(written_at, written)
            }))
        },
    )?;
    linker.func_wrap(
        module,
        "environ_sizes_get",
        |mut caller: Caller<'_, Host>, count_at: u32, size_at: u32| {
            let mut guest = Guest::new(&mut caller);
            let environment = &guest.host().settings.environment;
            let size: usize = environment.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
            let (count, size) = (environment.len() as u32, size as u32);
            errno(guest.write_u32(count_at, count).and_then(|()| guest.write_u32(size_at, size)))
        },
    )?;
    linker.func_wrap(
        module,
        "environ_get",
        |mut caller: Caller<'_, Host>, pointers_at: u32, bytes_at: u32| {
            let mut guest = Guest::new(&mut caller);
            let environment = guest.host().settings.environment.clone();
            let (mut pointers_at, mut bytes_at) = (pointers_at, bytes_at);
            errno(environment.iter().try_for_each(|(name, value)| {
                let entry = format!("{name}={value}\0");
                guest.write_u32(pointers_at, bytes_at)?;
                guest.write(bytes_at, entry.as_bytes())?;
                pointers_at += 4;
                bytes_at += entry.len() as u32;
                Ok(())
            }))
        },
    )?;
    linker.func_wrap(
        module,
        "args_sizes_get",
        |mut caller: Caller<'_, Host>, count_at: u32, size_at: u32| {
            let mut guest = Guest::new(&mut caller);
            errno(guest.write_u32(count_at, 0).and_then(|()| guest.write_u32(size_at, 0)))
        },
    )?;
    linker.func_wrap(module, "args_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(
        module,
        "clock_time_get",
        |mut caller: Caller<'_, Host>, clock: u32, _precision: u64, at: u32| {
            let mut guest = Guest::new(&mut caller);
            let time_ns = {
                let shared = guest.host().shared.lock();
                match clock {
                    0 => shared.now_ns,
                    1 => shared.now_ns - shared.start_ns,
                    _ => return Ok(NOTSUP),
                }
            };
            errno(guest.write_u64(at, time_ns))
        },
    )?;
    linker.func_wrap(module, "random_get", |mut caller: Caller<'_, Host>, at: u32, len: u32| {
        if len > RANDOM_BYTES_MAX {
            return Ok(INVAL);
        }
        let mut guest = Guest::new(&mut caller);
        let mut bytes = vec![0; len as usize];
        guest.host_mut().rng.fill(&mut bytes);
        errno(guest.write(at, &bytes))
    })?;
    linker.func_wrap(module, "fd_fdstat_get", |mut caller: Caller<'_, Host>, fd: u32, at: u32| {
        if fd != 1 && fd != 2 {
            return Ok(BADF);
        }
        // All zero but for the right to write.
        let mut stat = [0; 24];
        stat[8] = 64;
        errno(Guest::new(&mut caller).write(at, &stat))
    })?;
    linker.func_wrap(module, "fd_read", |_: u32, _: u32, _: u32, _: u32| NOSYS)?;
    linker.func_wrap(module, "fd_seek", |_: u32, _: i64, _: u32, _: u32| SUCCESS)?;
    linker.func_wrap(module, "fd_close", |_: u32| SUCCESS)?;
    linker.func_wrap(
        module,
        "path_open",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: i64, _: i64, _: u32, _: u32| NOENT,
    )?;
    linker.func_wrap(module, "fd_prestat_get", |_: u32, _: u32| BADF)?;
    linker.func_wrap(module, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| NOSYS)?;
    // Envoy only logs it and returns; the guest then runs into its own `unreachable`.
    linker.func_wrap(module, "proc_exit", |caller: Caller<'_, Host>, code: u32| {
        let host = caller.data();
        host.note(host.context(), format!("proc_exit({code})"));
    })?;
    Ok(())
}

fn gather(guest: &mut Guest<'_, '_>, iovs: u32, count: u32) -> HostResult<Vec<u8>> {
    let mut text = Vec::new();
    for index in 0..count {
        let entry = guest.read(iovs.wrapping_add(index.wrapping_mul(8)), 8)?;
        let word = |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
        text.extend(guest.read(word(0), word(4))?);
    }
    Ok(text)
}
