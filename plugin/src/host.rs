//! Every call to Envoy. What may be called when is said by types: a value of [`HeldRequest`] is the right to read and
//! change the request, and it is used up by letting the request go or answering it. It knows no rule about events.
//! Callouts and shared data have files of their own.

use crate::header_map::HeaderMap;
use event_core::Refusal;
use event_core::forward::ForwardHeaders;
use event_core::headers::is_reserved;
use event_core::response::UpstreamResponse;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType, Status};
use std::panic::Location;
use std::time::{Duration, UNIX_EPOCH};

/// The filter state that the access log shows. One element: a path of several cannot be named in a log format.
const OUTCOME: &str = "bellhop.outcome";

/// The plugin configuration, empty if there is none.
pub(crate) fn plugin_configuration() -> Vec<u8> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX).ok().flatten().unwrap_or_default()
}

/// What `vm_config.environment_variables` hands over, if it is text.
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    // Before 1970 every timestamp is from the future.
    now_ms() / 1_000
}

/// Milliseconds since 1970. The clock can be set back.
pub(crate) fn now_ms() -> u64 {
    now_ns() / 1_000_000
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    let now = hostcalls::get_current_time().ok();
    let since = now.and_then(|now| now.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes the calls that follow in this callback those of another context. False if that one is gone.
pub(crate) fn act_for(context: u32) -> bool {
    hostcalls::set_effective_context(context).is_ok()
}

/// Has the root's tick called again and again, or with `None` no more.
pub(crate) fn tick_every(period_ms: Option<u64>) {
    // Without ticks nothing is lost as long as every callout is answered to who asked.
    let _ = hostcalls::set_tick_period(Duration::from_millis(period_ms.unwrap_or(0)));
}

/// Writes to Envoy's log.
pub(crate) fn log(level: LogLevel, message: &str) {
    // Nothing can be done about a log that takes no lines.
    let _ = hostcalls::log(level, message);
}

/// Says where a panic was. The trap that follows ends the worker's VM.
pub(crate) fn log_panic(place: Option<&Location<'_>>) {
    let (file, line) = place.map_or(("an unknown file", 0), |place| (place.file(), place.line()));
    log(LogLevel::Critical, &format!("panicked at {file}:{line}"));
}

/// A request that Envoy holds for us: its headers have not left.
#[derive(Debug)]
pub(crate) struct HeldRequest(());

impl HeldRequest {
    /// Only for the request-headers callback: the headers are here until it returns, and longer if it pauses.
    pub(crate) const fn in_headers_callback() -> Self {
        Self(())
    }

    /// The headers, pseudo-headers included.
    pub(crate) fn headers(&self) -> Result<HeaderMap, Status> {
        HeaderMap::read(MapType::HttpRequestHeaders)
    }

    /// Removes every header of this name.
    pub(crate) fn remove_header(&self, name: &str) -> Result<(), Status> {
        hostcalls::remove_map_value(MapType::HttpRequestHeaders, name)
    }

    /// What is buffered of the body. Only for the callbacks of body and trailers.
    pub(crate) fn body(&self, size: usize) -> Result<Vec<u8>, Status> {
        // Envoy has no buffer at all for an empty body.
        Ok(hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size)?.unwrap_or_default())
    }

    /// Removes trailers that a client may not bring. Only for the trailers callback.
    pub(crate) fn clean_trailers(&self) -> Result<(), Status> {
        for (name, _) in HeaderMap::read(MapType::HttpRequestTrailers)?.iter() {
            if is_reserved(name) {
                hostcalls::remove_map_value(MapType::HttpRequestTrailers, &String::from_utf8_lossy(name))?;
            }
        }
        Ok(())
    }

    /// Lets the request go upstream with these headers added.
    #[inline(never)]
    pub(crate) fn forward(self, headers: &ForwardHeaders<'_>) -> Result<Action, Status> {
        for (name, value) in headers.iter() {
            hostcalls::add_map_value(MapType::HttpRequestHeaders, name, value)?;
        }
        set_outcome(headers.outcome());
        Ok(Action::Continue)
    }

    /// The same outside of the request's own callbacks, on behalf of its context.
    pub(crate) fn forward_later(self, headers: &ForwardHeaders<'_>) -> Result<(), Status> {
        self.forward(headers)?;
        hostcalls::resume_http_request()
    }

    /// Answers the request here.
    pub(crate) fn refuse(self, refusal: &Refusal) -> Action {
        answer(refusal)
    }
}

/// The response headers, while they are on their way to the sender.
#[derive(Debug)]
pub(crate) struct HeldResponse {
    status: u16,
}

impl HeldResponse {
    /// Only for the response-headers callback.
    pub(crate) fn in_headers_callback() -> Self {
        // Without a readable status the response counts as none.
        Self { status: response_header(":status").and_then(|value| parse_status(&value)).unwrap_or_default() }
    }

    /// Whether upstream has accepted the event.
    pub(crate) fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Answers the sender in upstream's place.
    pub(crate) fn replace(self, refusal: &Refusal) -> Action {
        answer(refusal)
    }
}

impl UpstreamResponse for HeldResponse {
    fn status(&self) -> u16 {
        self.status
    }

    fn code_details(&self) -> Option<Vec<u8>> {
        hostcalls::get_property(vec!["response", "code_details"]).ok().flatten()
    }

    fn retry_after(&self) -> Option<Vec<u8>> {
        response_header("retry-after")
    }
}

/// Answers 503 with no body: Envoy's own reply texts fill it in.
pub(crate) fn fail_closed() -> Action {
    // If even this fails, the request stays held until Envoy's timeout: it is never let through.
    let _ = hostcalls::send_http_response(503, Vec::new(), None);
    Action::Pause
}

fn answer(refusal: &Refusal) -> Action {
    set_outcome(refusal.cause().name());
    let salt = if refusal.is_for_later() { now_ns() } else { 0 };
    let headers = refusal.headers(salt);
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _ = hostcalls::send_http_response(u32::from(refusal.status()), headers, Some(&refusal.body()));
    Action::Pause
}

fn set_outcome(outcome: &str) {
    // An access log without it is not worth a refused event.
    let _ = hostcalls::set_property(vec![OUTCOME], Some(outcome.as_bytes()));
}

fn response_header(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name).ok().flatten()
}

pub(crate) fn parse_status(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
