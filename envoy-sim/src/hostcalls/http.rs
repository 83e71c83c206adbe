//! Local responses, continuing and closing streams, and calls out of the filter.

use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::callout::CalloutRequest;
use crate::flow::Direction;
use crate::guest::{Guest, HostResult, run, unsupported};
use crate::host::{Deferred, Host, LocalReply};
use crate::maps::{HeaderMap, unmarshal};
use crate::trace::shorten;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut caller: Caller<'_, Host>,
         status: u32,
         details_at: u32,
         details_len: u32,
         body_at: u32,
         body_len: u32,
         headers_at: u32,
         headers_len: u32,
         _grpc_status: u32| {
            run(&mut caller, "proxy_send_local_response", |guest| {
                guest.arg(status);
                let details = guest.read(details_at, details_len)?;
                let body = guest.read_arg(body_at, body_len)?;
                let headers = unmarshal(&guest.read(headers_at, headers_len)?);
                let details =
                    String::from_utf8_lossy(&details).split_whitespace().collect::<Vec<_>>().join("_");
                let host = guest.host_mut();
                if let Some(stream) = host.stream_of(host.context()) {
                    let reply = LocalReply { status, headers, body, details, by_filter: true };
                    host.deferred.push_back(Deferred::Reply(stream, reply));
                }
                host.stop_next = true;
                Ok(())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_continue_stream", |mut caller: Caller<'_, Host>, kind: u32| {
        run(&mut caller, "proxy_continue_stream", |guest| {
            guest.arg(kind);
            let direction = match kind {
                0 => Direction::Request,
                1 => Direction::Response,
                2 => return Ok(()),
                3 => return Err(Status::Unimplemented.into()),
                _ => return Err(Status::BadArgument.into()),
            };
            let host = guest.host_mut();
            let Some(id) = host.stream_of(host.context()) else { return Ok(()) };
            host.deferred.push_back(Deferred::Continue(id, direction));
            // Envoy forgets the request's maps whichever direction goes on.
            if let Some(stream) = host.streams.get_mut(&id) {
                stream.request.hide();
            }
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_close_stream", |mut caller: Caller<'_, Host>, kind: u32| {
        run(&mut caller, "proxy_close_stream", |guest| {
            guest.arg(kind);
            if kind > 3 {
                return Err(Status::BadArgument.into());
            }
            let host = guest.host_mut();
            if kind < 2
                && let Some(id) = host.stream_of(host.context())
            {
                if let Some(stream) = host.streams.get_mut(&id) {
                    stream.code_details.get_or_insert_with(|| "wasm_close_stream".to_owned());
                }
                host.deferred.push_back(Deferred::Reset(id));
            }
            Ok(())
        })
    })?;
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut caller: Caller<'_, Host>,
         cluster_at: u32,
         cluster_len: u32,
         headers_at: u32,
         headers_len: u32,
         body_at: u32,
         body_len: u32,
         trailers_at: u32,
         trailers_len: u32,
         timeout_ms: u32,
         token_at: u32| {
            run(&mut caller, "proxy_http_call", |guest| {
                let cluster = guest.read_arg(cluster_at, cluster_len)?;
                let headers = unmarshal(&guest.read(headers_at, headers_len)?);
                let body = guest.read_arg(body_at, body_len)?;
                let trailers = unmarshal(&guest.read(trailers_at, trailers_len)?);
                guest.arg(format_args!("{timeout_ms}ms"));
                guest.write_u32(token_at, 0)?;
                let token = dispatch(guest, &cluster, headers, body, trailers, timeout_ms)?;
                guest.arg(format_args!("→ {token}"));
                guest.write_u32(token_at, token)
            })
        },
    )?;
    link_grpc(linker)
}

/// Checks in Envoy's order: timeout, cluster, the three pseudo-headers, a host.
fn dispatch(
    guest: &mut Guest<'_, '_>,
    cluster: &[u8],
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    timeout_ms: u32,
) -> HostResult<u32> {
    let cluster = String::from_utf8_lossy(cluster).into_owned();
    let host = guest.host_mut();
    if i32::try_from(timeout_ms).is_err() || !host.settings.clusters.contains_key(&cluster) {
        return Err(Status::BadArgument.into());
    }
    let settings = host.settings.clone();
    let build = |pairs: Vec<(Vec<u8>, Vec<u8>)>| {
        let mut map = HeaderMap::new();
        for (name, value) in &pairs {
            // Envoy knows `host` only as `:authority`.
            let name: &[u8] = if name.eq_ignore_ascii_case(b"host") { b":authority" } else { name };
            map.add(&settings.profile.joined_request_headers, name, value);
        }
        map
    };
    let mut headers = build(headers);
    if [":path", ":method", ":authority"].iter().any(|name| headers.get(name).is_none()) {
        return Err(Status::BadArgument.into());
    }
    if !body.is_empty() {
        headers.replace(
            &settings.profile.joined_request_headers,
            b"content-length",
            body.len().to_string().as_bytes(),
        );
    }
    host.next_callout += 4;
    if host.settings.clusters.get(&cluster) == Some(&false) {
        return Err(Status::InternalFailure.into());
    }
    let id = host.next_callout;
    let request = CalloutRequest {
        id,
        worker: host.worker,
        context: host.context(),
        cluster,
        headers,
        body,
        trailers: build(trailers),
        timeout_ms,
    };
    host.new_callouts.push(request);
    Ok(id)
}

/// gRPC is not simulated: an unknown service is refused as Envoy does, a known one ends the run by name.
fn link_grpc(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    fn open(guest: &mut Guest<'_, '_>, call: &str, at: u32, len: u32) -> HostResult {
        let service = guest.read_arg(at, len)?;
        let name = String::from_utf8_lossy(&service).into_owned();
        if guest.host().settings.clusters.contains_key(&name) {
            return Err(unsupported(guest, format!("{call} to {}", shorten(&service))));
        }
        Err(Status::ParseFailure.into())
    }
    linker.func_wrap(
        "env",
        "proxy_grpc_call",
        |mut caller: Caller<'_, Host>,
         at: u32,
         len: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32| run(&mut caller, "proxy_grpc_call", |guest| open(guest, "proxy_grpc_call", at, len)),
    )?;
    linker.func_wrap(
        "env",
        "proxy_grpc_stream",
        |mut caller: Caller<'_, Host>,
         at: u32,
         len: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32| {
            run(&mut caller, "proxy_grpc_stream", |guest| open(guest, "proxy_grpc_stream", at, len))
        },
    )?;
    // No call was ever opened, so no token is known. Kind 1 is a call, kind 2 a stream.
    fn known(token: u32, kinds: &[u32]) -> HostResult {
        Err(if kinds.contains(&(token & 3)) { Status::NotFound } else { Status::BadArgument }.into())
    }
    linker.func_wrap("env", "proxy_grpc_cancel", |mut caller: Caller<'_, Host>, token: u32| {
        run(&mut caller, "proxy_grpc_cancel", |_| known(token, &[1, 2]))
    })?;
    linker.func_wrap("env", "proxy_grpc_close", |mut caller: Caller<'_, Host>, token: u32| {
        run(&mut caller, "proxy_grpc_close", |_| known(token, &[1, 2]))
    })?;
    linker.func_wrap(
        "env",
        "proxy_grpc_send",
        |mut caller: Caller<'_, Host>, token: u32, _: u32, _: u32, _: u32| {
            run(&mut caller, "proxy_grpc_send", |_| known(token, &[2]))
        },
    )?;
    Ok(())
}
