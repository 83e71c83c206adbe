//! The exports that the host calls. What each does is in `crate::probe`.
#![allow(unsafe_code, reason = "exported names are unsafe attributes")]

use crate::probe;

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    let mut bytes = std::mem::ManuallyDrop::new(vec![0u8; size]);
    bytes.as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    probe::context_create(context, root);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_context: u32, size: usize) -> bool {
    probe::start(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(_context: u32, size: usize) -> bool {
    probe::configure(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(_context: u32) {
    probe::root("tick");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(_context: u32, token: u32) {
    probe::queue_ready(token);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: usize, end: u32) -> u32 {
    probe::request_headers(context, end != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> u32 {
    probe::body(context, "request-body", size, end != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _count: usize) -> u32 {
    probe::stream(context, "request-trailers")
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _count: usize, end: u32) -> u32 {
    probe::headers_of(context, "response-headers", end != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> u32 {
    probe::body(context, "response-body", size, end != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, _count: usize) -> u32 {
    probe::stream(context, "response-trailers")
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    _context: u32,
    token: u32,
    headers: usize,
    _body: usize,
    _trailers: usize,
) {
    probe::call_ended(token, headers);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    probe::stream(context, "log");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(context: u32) -> bool {
    probe::done(context)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    probe::delete(context);
}
