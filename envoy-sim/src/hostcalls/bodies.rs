//! The buffers: request and response bodies, callout bodies and configurations.

use wasmtime::{Caller, Linker};

use crate::abi::{BufferType, Status};
use crate::callout::CalloutEnd;
use crate::flow::Direction;
use crate::guest::{HostResult, run};
use crate::host::Host;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut caller: Caller<'_, Host>, kind: u32, start: u32, len: u32, pointer_at: u32, size_at: u32| {
            run(&mut caller, "proxy_get_buffer_bytes", |guest| {
                let kind = BufferType::from_abi(kind).ok_or(Status::BadArgument)?;
                guest.arg(format_args!("{kind:?}, {start}, {len}"));
                let buffer = buffer(guest.host(), kind)?;
                // A start past the end reads as nothing.
                let start = (start as usize).min(buffer.len());
                let end = start.saturating_add(len as usize).min(buffer.len());
                let bytes = buffer[start..end].to_vec();
                guest.give(&bytes, pointer_at, size_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_status",
        |mut caller: Caller<'_, Host>, kind: u32, len_at: u32, flags_at: u32| {
            run(&mut caller, "proxy_get_buffer_status", |guest| {
                let kind = BufferType::from_abi(kind).ok_or(Status::BadArgument)?;
                guest.arg(format_args!("{kind:?}"));
                let len = u32::try_from(buffer(guest.host(), kind)?.len()).unwrap_or(u32::MAX);
                guest.write_u32(len_at, len)?;
                guest.write_u32(flags_at, 0)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |mut caller: Caller<'_, Host>, kind: u32, start: u32, len: u32, at: u32, size: u32| {
            run(&mut caller, "proxy_set_buffer_bytes", |guest| {
                let kind = BufferType::from_abi(kind).ok_or(Status::BadArgument)?;
                guest.arg(format_args!("{kind:?}, {start}, {len}"));
                buffer(guest.host(), kind)?;
                let data = guest.read_arg(at, size)?;
                let direction = match kind {
                    BufferType::RequestBody => Direction::Request,
                    BufferType::ResponseBody => Direction::Response,
                    BufferType::DownstreamData
                    | BufferType::UpstreamData
                    | BufferType::CallResponseBody
                    | BufferType::GrpcReceive
                    | BufferType::VmConfiguration
                    | BufferType::PluginConfiguration
                    | BufferType::CallData => return Err(Status::BadArgument.into()),
                };
                let stream = guest.host_mut().current_stream_mut().ok_or(Status::BadArgument)?;
                let body = stream.flow_mut(direction).visible_body_mut().ok_or(Status::BadArgument)?;
                splice(body, start as usize, len as usize, &data)
            })
        },
    )?;
    Ok(())
}

/// Envoy can prepend, replace everything or append; nothing in between.
fn splice(body: &mut Vec<u8>, start: usize, len: usize, data: &[u8]) -> HostResult {
    if start == 0 && len == 0 {
        body.splice(0..0, data.iter().copied());
    } else if start == 0 && len >= body.len() {
        body.clear();
        body.extend_from_slice(data);
    } else if start > 0 && start >= body.len() {
        body.extend_from_slice(data);
    } else {
        return Err(Status::BadArgument.into());
    }
    Ok(())
}

/// What a buffer holds now. A body outside its phase is empty; configuration and callout bodies are not found.
fn buffer(host: &Host, kind: BufferType) -> HostResult<Vec<u8>> {
    let body = |direction| {
        host.current_stream().map(|stream| stream.flow(direction).visible_body().to_vec()).unwrap_or_default()
    };
    Ok(match kind {
        BufferType::RequestBody => body(Direction::Request),
        BufferType::ResponseBody => body(Direction::Response),
        BufferType::VmConfiguration => host.settings.vm_configuration.clone(),
        BufferType::PluginConfiguration if host.configuration_shown => host.settings.configuration.clone(),
        BufferType::CallResponseBody => match &host.call_end {
            Some(CalloutEnd::Answered(response)) => response.body(),
            Some(CalloutEnd::Broken) | None => return Err(Status::NotFound.into()),
        },
        BufferType::PluginConfiguration => return Err(Status::NotFound.into()),
        BufferType::CallData
        | BufferType::DownstreamData
        | BufferType::UpstreamData
        | BufferType::GrpcReceive => Vec::new(),
    })
}
