//! The raw host functions of the ABI. What a command means is in `crate::command`.
#![allow(unsafe_code, reason = "this file is the ABI glue: raw imports and memory that the host fills")]

use std::ptr::null_mut;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, at: *const u8, len: usize) -> u32;
    fn proxy_get_property(at: *const u8, len: usize, out: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(at: *const u8, len: usize, value: *const u8, value_len: usize) -> u32;
    fn proxy_get_header_map_value(
        kind: u32,
        at: *const u8,
        len: usize,
        out: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        kind: u32,
        at: *const u8,
        len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        kind: u32,
        at: *const u8,
        len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(kind: u32, at: *const u8, len: usize) -> u32;
    fn proxy_get_header_map_pairs(kind: u32, out: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(kind: u32, at: *const u8, len: usize) -> u32;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        len: usize,
        out: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_buffer_status(kind: u32, size: *mut usize, flags: *mut u32) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, len: usize, at: *const u8, size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc: i32,
    ) -> u32;
    fn proxy_continue_stream(kind: u32) -> u32;
    fn proxy_close_stream(kind: u32) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_len: usize,
        headers: *const u8,
        headers_len: usize,
        body: *const u8,
        body_len: usize,
        trailers: *const u8,
        trailers_len: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_get_shared_data(
        at: *const u8,
        len: usize,
        out: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(at: *const u8, len: usize, value: *const u8, value_len: usize, cas: u32) -> u32;
    fn proxy_register_shared_queue(at: *const u8, len: usize, token: *mut u32) -> u32;
    fn proxy_resolve_shared_queue(
        vm: *const u8,
        vm_len: usize,
        at: *const u8,
        len: usize,
        token: *mut u32,
    ) -> u32;
    fn proxy_enqueue_shared_queue(token: u32, at: *const u8, len: usize) -> u32;
    fn proxy_dequeue_shared_queue(token: u32, out: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_define_metric(kind: u32, at: *const u8, len: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period_ms: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_done() -> u32;
    fn proxy_call_foreign_function(
        at: *const u8,
        len: usize,
        args: *const u8,
        args_len: usize,
        out: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_grpc_call(
        service: *const u8,
        service_len: usize,
        name: *const u8,
        name_len: usize,
        method: *const u8,
        method_len: usize,
        metadata: *const u8,
        metadata_len: usize,
        message: *const u8,
        message_len: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_get_status(code: *mut u32, out: *mut *mut u8, size: *mut usize) -> u32;
}

/// A status and the value that came with it.
pub(crate) type Answer = (u32, Option<Vec<u8>>);

/// Calls a function that fills a pointer and a size, and takes the memory over.
fn filled(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Answer {
    let mut out = null_mut();
    let mut size = 0;
    let status = call(&raw mut out, &raw mut size);
    if status != 0 {
        return (status, None);
    }
    if out.is_null() {
        return (status, Some(Vec::new()));
    }
    // SAFETY: the host allocated `size` bytes at `out` with `proxy_on_memory_allocate` and filled them.
    (status, Some(unsafe { Vec::from_raw_parts(out, size, size) }))
}

fn number(call: impl FnOnce(*mut u32) -> u32) -> (u32, u32) {
    let mut value = 0;
    let status = call(&raw mut value);
    (status, value)
}

pub(crate) fn log(level: u32, text: &str) -> u32 {
    // SAFETY: the pointer and the length are those of a live string.
    unsafe { proxy_log(level, text.as_ptr(), text.len()) }
}

pub(crate) fn get_property(path: &[u8]) -> Answer {
    // SAFETY: as in `log`; `filled` owns the out-pointers.
    filled(|out, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), out, size) })
}

pub(crate) fn set_property(path: &[u8], value: &[u8]) -> u32 {
    // SAFETY: as in `log`.
    unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) }
}

pub(crate) fn get_header(kind: u32, name: &str) -> Answer {
    // SAFETY: as in `get_property`.
    filled(|out, size| unsafe { proxy_get_header_map_value(kind, name.as_ptr(), name.len(), out, size) })
}

pub(crate) fn add_header(kind: u32, name: &str, value: &[u8]) -> u32 {
    // SAFETY: as in `log`.
    unsafe { proxy_add_header_map_value(kind, name.as_ptr(), name.len(), value.as_ptr(), value.len()) }
}

pub(crate) fn replace_header(kind: u32, name: &str, value: &[u8]) -> u32 {
    // SAFETY: as in `log`.
    unsafe { proxy_replace_header_map_value(kind, name.as_ptr(), name.len(), value.as_ptr(), value.len()) }
}

pub(crate) fn remove_header(kind: u32, name: &str) -> u32 {
    // SAFETY: as in `log`.
    unsafe { proxy_remove_header_map_value(kind, name.as_ptr(), name.len()) }
}

pub(crate) fn get_pairs(kind: u32) -> Answer {
    // SAFETY: as in `get_property`.
    filled(|out, size| unsafe { proxy_get_header_map_pairs(kind, out, size) })
}

pub(crate) fn set_pairs(kind: u32, pairs: &[u8]) -> u32 {
    // SAFETY: as in `log`.
    unsafe { proxy_set_header_map_pairs(kind, pairs.as_ptr(), pairs.len()) }
}

pub(crate) fn get_buffer(kind: u32, start: usize, len: usize) -> Answer {
    // SAFETY: as in `get_property`.
    filled(|out, size| unsafe { proxy_get_buffer_bytes(kind, start, len, out, size) })
}

pub(crate) fn buffer_len(kind: u32) -> (u32, usize) {
    let (mut size, mut flags) = (0, 0);
    // SAFETY: both out-pointers are to live locals.
    let status = unsafe { proxy_get_buffer_status(kind, &raw mut size, &raw mut flags) };
    (status, size)
}

pub(crate) fn set_buffer(kind: u32, start: usize, len: usize, data: &[u8]) -> u32 {
    // SAFETY: as in `log`.
    unsafe { proxy_set_buffer_bytes(kind, start, len, data.as_ptr(), data.len()) }
}

pub(crate) fn reply(status: u32, details: &str, body: &[u8], headers: &[u8]) -> u32 {
    // SAFETY: as in `log`.
    unsafe {
        proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    }
}

pub(crate) fn continue_stream(kind: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(kind) }
}

pub(crate) fn close_stream(kind: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_close_stream(kind) }
}

pub(crate) fn http_call(cluster: &str, headers: &[u8], body: &[u8], timeout_ms: u32) -> (u32, u32) {
    // SAFETY: as in `log`; `number` owns the out-pointer.
    number(|token| unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            [].as_ptr(),
            0,
            timeout_ms,
            token,
        )
    })
}

pub(crate) fn shared_get(key: &str) -> (Answer, u32) {
    let mut cas = 0;
    // SAFETY: as in `get_property`.
    let answer = filled(|out, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), out, size, &raw mut cas)
    });
    (answer, cas)
}

pub(crate) fn shared_set(key: &str, value: &[u8], cas: u32) -> u32 {
    // SAFETY: as in `log`.
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) }
}

pub(crate) fn queue_register(name: &str) -> (u32, u32) {
    // SAFETY: as in `http_call`.
    number(|token| unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), token) })
}

pub(crate) fn queue_resolve(vm_id: &str, name: &str) -> (u32, u32) {
    // SAFETY: as in `http_call`.
    number(|token| unsafe {
        proxy_resolve_shared_queue(vm_id.as_ptr(), vm_id.len(), name.as_ptr(), name.len(), token)
    })
}

pub(crate) fn enqueue(token: u32, item: &[u8]) -> u32 {
    // SAFETY: as in `log`.
    unsafe { proxy_enqueue_shared_queue(token, item.as_ptr(), item.len()) }
}

pub(crate) fn dequeue(token: u32) -> Answer {
    // SAFETY: as in `get_property`.
    filled(|out, size| unsafe { proxy_dequeue_shared_queue(token, out, size) })
}

pub(crate) fn metric_define(kind: u32, name: &str) -> (u32, u32) {
    // SAFETY: as in `http_call`.
    number(|id| unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), id) })
}

pub(crate) fn metric_increment(id: u32, by: i64) -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(id, by) }
}

pub(crate) fn metric_record(id: u32, value: u64) -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(id, value) }
}

pub(crate) fn metric_get(id: u32) -> (u32, u64) {
    let mut value = 0;
    // SAFETY: the out-pointer is to a live local.
    let status = unsafe { proxy_get_metric(id, &raw mut value) };
    (status, value)
}

pub(crate) fn tick(period_ms: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(period_ms) }
}

pub(crate) fn effective_context(context: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_set_effective_context(context) }
}

pub(crate) fn done() -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_done() }
}

pub(crate) fn foreign(name: &str) -> u32 {
    // SAFETY: as in `get_property`.
    let (status, _) = filled(|out, size| unsafe {
        proxy_call_foreign_function(name.as_ptr(), name.len(), [].as_ptr(), 0, out, size)
    });
    status
}

pub(crate) fn grpc_call(service: &str) -> (u32, u32) {
    let empty: *const u8 = [].as_ptr();
    // SAFETY: as in `http_call`.
    number(|token| unsafe {
        proxy_grpc_call(service.as_ptr(), service.len(), empty, 0, empty, 0, empty, 0, empty, 0, 100, token)
    })
}

pub(crate) fn status() -> (u32, u32, Vec<u8>) {
    let mut code = 0;
    // SAFETY: as in `get_property`.
    let (status, message) = filled(|out, size| unsafe { proxy_get_status(&raw mut code, out, size) });
    (status, code, message.unwrap_or_default())
}
