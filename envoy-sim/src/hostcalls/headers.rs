//! The header maps, with Envoy's rule which of them can be read and changed now.

use std::collections::BTreeSet;

use wasmtime::{Caller, Linker};

use crate::abi::{MapType, Status};
use crate::callout::CalloutEnd;
use crate::flow::{Direction, Forwarded};
use crate::guest::{Guest, HostResult, run};
use crate::host::Host;
use crate::maps::{HeaderMap, unmarshal};
use crate::seen::Violation;
use crate::trace::shorten;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut caller: Caller<'_, Host>,
         kind: u32,
         key_at: u32,
         key_len: u32,
         pointer_at: u32,
         size_at: u32| {
            run(&mut caller, "proxy_get_header_map_value", |guest| {
                let (kind, key) = named(guest, kind, key_at, key_len)?;
                let host = guest.host();
                let logging = host.current_stream().is_some_and(|stream| stream.logging);
                let missing = if logging { Status::NotFound } else { Status::BadArgument };
                let map = readable(host, kind).ok_or(missing)?;
                let key = String::from_utf8_lossy(&key);
                let value = map.get(&key).ok_or(Status::NotFound)?.to_vec();
                guest.arg(format_args!("→ {}", shorten(&value)));
                guest.give(&value, pointer_at, size_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut caller: Caller<'_, Host>, kind: u32, pointer_at: u32, size_at: u32| {
            run(&mut caller, "proxy_get_header_map_pairs", |guest| {
                let kind = map_type(guest, kind)?;
                // A map that is not there reads as one without entries.
                let pairs = readable(guest.host(), kind).filter(|map| !map.is_empty());
                let bytes = pairs.map(HeaderMap::marshal).unwrap_or_default();
                guest.give(&bytes, pointer_at, size_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_size",
        |mut caller: Caller<'_, Host>, kind: u32, size_at: u32| {
            run(&mut caller, "proxy_get_header_map_size", |guest| {
                let kind = map_type(guest, kind)?;
                let mut size = 0;
                with_map(guest.host_mut(), kind, None, |map, _| size = map.byte_size())?;
                guest.write_u32(size_at, u32::try_from(size).unwrap_or(u32::MAX))
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |mut caller: Caller<'_, Host>, kind: u32, at: u32, len: u32| {
            run(&mut caller, "proxy_set_header_map_pairs", |guest| {
                let kind = map_type(guest, kind)?;
                let pairs = unmarshal(&guest.read(at, len)?);
                let change = Some(("proxy_set_header_map_pairs", "*"));
                with_map(guest.host_mut(), kind, change, |map, joined| {
                    *map = HeaderMap::new();
                    for (name, value) in &pairs {
                        map.add(joined, name, value);
                    }
                })
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut caller: Caller<'_, Host>, kind: u32, key_at: u32, key_len: u32| {
            run(&mut caller, "proxy_remove_header_map_value", |guest| {
                let (kind, key) = named(guest, kind, key_at, key_len)?;
                let name = String::from_utf8_lossy(&key);
                let change = Some(("proxy_remove_header_map_value", &*name));
                with_map(guest.host_mut(), kind, change, |map, _| map.remove(&key))
            })
        },
    )?;
    for replace in [false, true] {
        let call = if replace { "proxy_replace_header_map_value" } else { "proxy_add_header_map_value" };
        linker.func_wrap(
            "env",
            call,
            move |mut caller: Caller<'_, Host>, kind: u32, key_at: u32, key_len: u32, at: u32, len: u32| {
                run(&mut caller, call, |guest| {
                    let (kind, key) = named(guest, kind, key_at, key_len)?;
                    let value = guest.read_arg(at, len)?;
                    let name = String::from_utf8_lossy(&key);
                    with_map(guest.host_mut(), kind, Some((call, &*name)), |map, joined| {
                        if replace {
                            map.replace(joined, &key, &value);
                        } else {
                            map.add(joined, &key, &value);
                        }
                    })
                })
            },
        )?;
    }
    Ok(())
}

fn map_type(guest: &mut Guest<'_, '_>, kind: u32) -> HostResult<MapType> {
    let kind = MapType::from_abi(kind).ok_or(Status::BadArgument)?;
    guest.arg(format_args!("{kind:?}"));
    Ok(kind)
}

fn named(guest: &mut Guest<'_, '_>, kind: u32, at: u32, len: u32) -> HostResult<(MapType, Vec<u8>)> {
    let kind = map_type(guest, kind)?;
    let name = guest.read_arg(at, len)?;
    // Envoy keeps the host of a request under one name only.
    if kind == MapType::RequestHeaders && name.eq_ignore_ascii_case(b"host") {
        return Ok((kind, b":authority".to_vec()));
    }
    Ok((kind, name))
}

/// The map that a getter reads, or `None` where Envoy has none at this moment.
fn readable(host: &Host, kind: MapType) -> Option<&HeaderMap> {
    let answered = match &host.call_end {
        Some(CalloutEnd::Answered(response)) => Some(response),
        Some(CalloutEnd::Broken) | None => None,
    };
    match kind {
        MapType::CallResponseHeaders => return answered.map(|response| &response.headers),
        MapType::CallResponseTrailers => return answered.and_then(|response| response.trailers.as_ref()),
        MapType::GrpcInitialMetadata | MapType::GrpcTrailingMetadata => return None,
        MapType::RequestHeaders
        | MapType::RequestTrailers
        | MapType::ResponseHeaders
        | MapType::ResponseTrailers => {}
    }
    let stream = host.current_stream()?;
    let (direction, trailers) = place(kind)?;
    let flow = stream.flow(direction);
    if stream.logging {
        // The access log has no request trailers.
        return if kind == MapType::RequestTrailers {
            None
        } else if trailers {
            flow.trailers.as_ref()
        } else {
            flow.started.then_some(&flow.headers)
        };
    }
    if trailers {
        flow.trailers.as_ref().filter(|_| flow.trailers_shown)
    } else {
        flow.headers_shown.then_some(&flow.headers)
    }
}

fn place(kind: MapType) -> Option<(Direction, bool)> {
    match kind {
        MapType::RequestHeaders => Some((Direction::Request, false)),
        MapType::RequestTrailers => Some((Direction::Request, true)),
        MapType::ResponseHeaders => Some((Direction::Response, false)),
        MapType::ResponseTrailers => Some((Direction::Response, true)),
        MapType::GrpcInitialMetadata
        | MapType::GrpcTrailingMetadata
        | MapType::CallResponseHeaders
        | MapType::CallResponseTrailers => None,
    }
}

/// Runs `act` on a map that may be changed now. `change` names the call if it changes the map.
fn with_map(
    host: &mut Host,
    kind: MapType,
    change: Option<(&'static str, &str)>,
    act: impl FnOnce(&mut HeaderMap, &BTreeSet<Vec<u8>>),
) -> HostResult {
    let settings = host.settings.clone();
    let (direction, trailers) = place(kind).ok_or(Status::BadArgument)?;
    let stream = host.current_stream_mut().ok_or(Status::BadArgument)?;
    let end_of_stream = stream.end_of_stream;
    let flow = stream.flow_mut(direction);
    if trailers {
        // At the last piece of the body Envoy makes trailers for a filter that asks for them.
        if flow.trailers.is_none() && flow.body_shown && end_of_stream {
            flow.trailers = Some(HeaderMap::new());
            flow.trailers_shown = true;
        }
        let shown = flow.trailers_shown;
        let map = flow.trailers.as_mut().filter(|_| shown).ok_or(Status::BadArgument)?;
        act(map, &BTreeSet::new());
        return Ok(());
    }
    if !flow.headers_shown {
        return Err(Status::BadArgument.into());
    }
    let joined = match direction {
        Direction::Request => &settings.profile.joined_request_headers,
        Direction::Response => &settings.profile.joined_response_headers,
    };
    act(&mut flow.headers, joined);
    let left = flow.forwarded >= Forwarded::Headers;
    let Some((call, name)) = change else { return Ok(()) };
    if direction == Direction::Request {
        stream.route_cache_clears += 1;
    }
    if left {
        host.violate(Violation::ChangedAfterLeaving { call, name: name.to_owned() });
    }
    Ok(())
}
