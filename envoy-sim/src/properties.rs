//! The properties that the simulator works out, in Envoy's byte forms. Any other is what the test sets.

use crate::host::Host;
use crate::maps::HeaderMap;
use crate::profile::Protocol;
use crate::stream::Stream;

/// The value of a path whose elements are joined by zero bytes.
///
/// The test's own values come first. Numbers are eight little-endian bytes.
pub(crate) fn get(host: &Host, path: &[u8]) -> Option<Vec<u8>> {
    let stream = host.current_stream();
    if let Some(value) = stream.and_then(|stream| stream.properties.get(path)) {
        return Some(value.clone());
    }
    if let Some(value) = host.settings.properties.get(path) {
        return Some(value.clone());
    }
    let parts: Vec<&[u8]> = path.split(|byte| *byte == 0).collect();
    match parts.as_slice() {
        [b"plugin_name"] => Some(host.settings.plugin_name.clone().into_bytes()),
        [b"plugin_root_id"] => Some(host.settings.root_id.clone().into_bytes()),
        [b"plugin_vm_id"] => Some(host.settings.vm_id.clone().into_bytes()),
        [b"request", rest @ ..] => request(stream?, host, rest),
        [b"response", rest @ ..] => response(stream?, rest),
        // Only the first element finds filter state, so a path of several never reads back.
        [name] => stream?.filter_state.get(*name).cloned(),
        _ => None,
    }
}

fn number(value: u64) -> Option<Vec<u8>> {
    Some(value.to_le_bytes().to_vec())
}

/// All values of a name, joined with commas: unlike the header getter, which gives the first.
fn text(map: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = map.values(name).collect();
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

fn request(stream: &Stream, host: &Host, rest: &[&[u8]]) -> Option<Vec<u8>> {
    let flow = &stream.request;
    let headers = (flow.headers_shown || stream.logging).then_some(&flow.headers);
    match rest {
        [b"time"] => number(stream.opened_ns),
        [b"duration"] => {
            // Known once the stream is complete, which is when it is logged.
            if stream.logging { number(host.shared.lock().now_ns - stream.opened_ns) } else { None }
        }
        [b"protocol"] => Some(match host.settings.profile.downstream {
            Protocol::Http1 => b"HTTP/1.1".to_vec(),
            Protocol::Http2 => b"HTTP/2".to_vec(),
        }),
        [b"size"] => {
            let length =
                headers.and_then(|map| map.text("content-length")).and_then(|text| text.parse().ok());
            number(length.unwrap_or(flow.received_bytes))
        }
        [b"headers", name] => text(headers?, &String::from_utf8_lossy(name)),
        [b"path"] => text(headers?, ":path"),
        [b"url_path"] => {
            let path = text(headers?, ":path")?;
            Some(path.split(|byte| *byte == b'?').next().unwrap_or_default().to_vec())
        }
        [b"query"] => {
            let path = text(headers?, ":path")?;
            let at = path.iter().position(|byte| *byte == b'?').map_or(path.len(), |at| at + 1);
            Some(path[at..].to_vec())
        }
        [b"host"] => text(headers?, ":authority"),
        [b"scheme"] => text(headers?, ":scheme"),
        [b"method"] => text(headers?, ":method"),
        [b"referer"] => text(headers?, "referer"),
        [b"useragent"] => text(headers?, "user-agent"),
        [b"id"] => text(headers?, "x-request-id"),
        _ => None,
    }
}

fn response(stream: &Stream, rest: &[&[u8]]) -> Option<Vec<u8>> {
    let flow = &stream.response;
    let headers = (flow.headers_shown || (stream.logging && flow.started)).then_some(&flow.headers);
    match rest {
        [b"code"] if flow.started => number(flow.headers.text(":status")?.parse().ok()?),
        [b"code_details"] => stream.code_details.clone().map(String::into_bytes),
        [b"headers", name] => text(headers?, &String::from_utf8_lossy(name)),
        [b"trailers", name] => text(flow.trailers.as_ref()?, &String::from_utf8_lossy(name)),
        _ => None,
    }
}
