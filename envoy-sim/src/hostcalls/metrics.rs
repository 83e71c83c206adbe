//! Metrics: the four functions over named values.

use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::guest::{Guest, HostResult, run};
use crate::host::Host;
use crate::metrics::MetricKind;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut caller: Caller<'_, Host>, kind: u32, at: u32, len: u32, id_at: u32| {
            run(&mut caller, "proxy_define_metric", |guest| {
                let name = guest.read_arg(at, len)?;
                let kind = MetricKind::from_abi(kind).ok_or(Status::BadArgument)?;
                let name = String::from_utf8_lossy(&name).into_owned();
                let id = guest.host_mut().define_metric(kind, name);
                guest.write_u32(id_at, id)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |mut caller: Caller<'_, Host>, id: u32, offset: i64| {
            run(&mut caller, "proxy_increment_metric", |guest| {
                let kind = MetricKind::of_id(id).ok_or(Status::BadArgument)?;
                if kind == MetricKind::Histogram {
                    return Err(Status::BadArgument.into());
                }
                let name = name(guest, id)?;
                guest.arg(format_args!("{name}, {offset}"));
                // A counter only grows, and not by nothing.
                if kind == MetricKind::Counter && offset <= 0 {
                    return Err(Status::BadArgument.into());
                }
                let mut shared = guest.host().shared.lock();
                let value = shared.metrics.scalar(kind, &name).ok_or(Status::NotFound)?;
                *value = value.wrapping_add_signed(offset);
                Ok(())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_record_metric", |mut caller: Caller<'_, Host>, id: u32, value: u64| {
        run(&mut caller, "proxy_record_metric", |guest| {
            let kind = MetricKind::of_id(id).ok_or(Status::NotFound)?;
            let name = name(guest, id)?;
            guest.arg(format_args!("{name}, {value}"));
            let mut shared = guest.host().shared.lock();
            match kind {
                MetricKind::Histogram => shared.metrics.record_sample(&name, value),
                MetricKind::Counter | MetricKind::Gauge => {
                    let stored = shared.metrics.scalar(kind, &name).ok_or(Status::NotFound)?;
                    *stored = if kind == MetricKind::Counter { stored.wrapping_add(value) } else { value };
                }
            }
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_get_metric", |mut caller: Caller<'_, Host>, id: u32, value_at: u32| {
        run(&mut caller, "proxy_get_metric", |guest| {
            let kind = MetricKind::of_id(id).ok_or(Status::BadArgument)?;
            if kind == MetricKind::Histogram {
                return Err(Status::BadArgument.into());
            }
            let name = name(guest, id)?;
            let value = guest.host().shared.lock().metrics.scalar(kind, &name).copied();
            guest.write_u64(value_at, value.ok_or(Status::NotFound)?)
        })
    })?;
    Ok(())
}

fn name(guest: &Guest<'_, '_>, id: u32) -> HostResult<String> {
    Ok(guest.host().metric_names.get(&id).cloned().ok_or(Status::NotFound)?)
}
