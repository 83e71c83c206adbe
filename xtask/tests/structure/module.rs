//! The compiled filter: what it imports from its host, and its size. It runs nothing in it.

use std::collections::BTreeSet;

use wasmparser::{Parser, Payload};

/// The largest filter, in bytes.
const MODULE_BYTES: usize = 400 * 1000;

/// The largest function, in bytes: V8 compiles them all at load, and what it needs meanwhile grows with the largest ones.
/// The check that is generated from the standard event shape is 6.3 KB.
const FUNCTION_BYTES: usize = 6500;

/// Everything that the filter asks of Envoy. Most of the first part is linked by the SDK whether it is called or not.
/// Of WASI there is what std's start, panics, environment and
/// randomness need: no files, no sockets, no clock.
const IMPORTS: &[&str] = &[
    "env.proxy_add_header_map_value",
    "env.proxy_call_foreign_function",
    "env.proxy_close_stream",
    "env.proxy_continue_stream",
    "env.proxy_define_metric",
    "env.proxy_dequeue_shared_queue",
    "env.proxy_done",
    "env.proxy_enqueue_shared_queue",
    "env.proxy_get_buffer_bytes",
    "env.proxy_get_current_time_nanoseconds",
    "env.proxy_get_header_map_pairs",
    "env.proxy_get_header_map_value",
    "env.proxy_get_property",
    "env.proxy_get_shared_data",
    "env.proxy_get_status",
    "env.proxy_grpc_call",
    "env.proxy_grpc_cancel",
    "env.proxy_grpc_close",
    "env.proxy_grpc_send",
    "env.proxy_grpc_stream",
    "env.proxy_http_call",
    "env.proxy_increment_metric",
    "env.proxy_log",
    "env.proxy_record_metric",
    "env.proxy_register_shared_queue",
    "env.proxy_remove_header_map_value",
    "env.proxy_replace_header_map_value",
    "env.proxy_resolve_shared_queue",
    "env.proxy_send_local_response",
    "env.proxy_set_buffer_bytes",
    "env.proxy_set_effective_context",
    "env.proxy_set_header_map_pairs",
    "env.proxy_set_property",
    "env.proxy_set_shared_data",
    "env.proxy_set_tick_period_milliseconds",
    "wasi_snapshot_preview1.environ_get",
    "wasi_snapshot_preview1.environ_sizes_get",
    "wasi_snapshot_preview1.fd_write",
    "wasi_snapshot_preview1.proc_exit",
    "wasi_snapshot_preview1.random_get",
];

fn module() -> Vec<u8> {
    let path = testbed::paths::module("bellhop_plugin");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: `cargo build --release --target wasm32-wasip1 -p plugin` builds it",
            path.display()
        )
    })
}

#[test]
fn the_module_imports_what_is_listed_and_nothing_else() {
    let module = module();
    let mut imports = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&module) {
        if let Payload::ImportSection(section) = payload.unwrap() {
            for import in section.into_imports() {
                let import = import.unwrap();
                imports.insert(format!("{}.{}", import.module, import.name));
            }
        }
    }
    let listed: BTreeSet<_> = IMPORTS.iter().map(|import| (*import).to_owned()).collect();
    assert!(!imports.is_empty());
    assert_eq!(imports, listed);
}

#[test]
fn the_module_is_small() {
    let n_bytes = module().len();
    assert!(n_bytes > 10_000, "{n_bytes} bytes are no filter");
    assert!(n_bytes <= MODULE_BYTES, "{n_bytes} bytes");
}

#[test]
fn no_function_is_so_large_that_compiling_it_takes_much_memory() {
    let module = module();
    let sizes: Vec<usize> = Parser::new(0)
        .parse_all(&module)
        .filter_map(|payload| {
            let Payload::CodeSectionEntry(body) = payload.unwrap() else { return None };
            Some(body.as_bytes().len())
        })
        .collect();
    let largest = sizes.iter().max().expect("a filter has functions");
    assert!(*largest <= FUNCTION_BYTES, "{largest} bytes: which part of it can be `#[inline(never)]`?");
}
