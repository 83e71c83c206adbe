//! The Envoys of the benchmark: one bootstrap, with no filter, the minimal one or Bellhop. They share nothing else.

use std::path::Path;

use serde_json::json;
use testbed::gateway::{Gateway, Launch};
use testbed::paths;

use crate::examples;
use crate::setup::BELLHOP;

/// What stands between the listener and the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    None,
    Minimal,
    Bellhop,
}

/// In the order of the tables.
pub(super) const VARIANTS: [Variant; 3] = [Variant::None, Variant::Minimal, Variant::Bellhop];

impl Variant {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "no filter",
            Self::Minimal => "minimal filter",
            Self::Bellhop => "Bellhop",
        }
    }

    fn module(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Minimal => Some("minimal_filter"),
            Self::Bellhop => Some(BELLHOP),
        }
    }
}

/// One source and one account: the smallest configuration that forwards an event.
pub(super) fn small_configuration() -> String {
    json!({
        "environment": "bench",
        "sources": [{ "name": "acme", "path": examples::PATH, "verify": "none" }],
        "accounts": [{
            "connected_account_id": "ca_hotel",
            "customer_key": "property-456",
            "devices": ["lock_491829"],
            "bridges": [],
            "access_codes": [],
        }],
    })
    .to_string()
}

/// Starts one.
pub(super) fn start(
    envoy: &Path,
    variant: Variant,
    upstream_port: u16,
    configuration: &str,
    n_workers: u32,
) -> anyhow::Result<Gateway> {
    let bootstrap = bootstrap(variant, upstream_port, configuration);
    Ok(Launch::new(envoy, bootstrap).concurrency(n_workers).start()?)
}

/// JSON is YAML, and what is not repeated in three files cannot differ between them.
fn bootstrap(variant: Variant, upstream_port: u16, configuration: &str) -> String {
    let socket = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    });
    let filters: Vec<_> =
        variant.module().map(|module| filter(module, configuration)).into_iter().chain([router]).collect();
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": {
                "cluster": "upstream",
                // What Bellhop's `delivery` asks for by default: an edge retries, whatever filter it has, and the
                // router's work for it is not the filter's.
                "timeout": "15s",
                "retry_policy": {
                    "retry_on": "connect-failure,refused-stream,gateway-error",
                    "num_retries": 2,
                    "per_try_timeout": "4s",
                },
            } }],
        }] },
        "http_filters": filters,
    });
    json!({
        "admin": { "address": socket(0) },
        "static_resources": {
            "listeners": [{
                "name": "edge",
                "address": socket(0),
                "filter_chains": [{ "filters": [
                    { "name": "envoy.filters.network.http_connection_manager", "typed_config": manager },
                ] }],
            }],
            "clusters": [{
                "name": "upstream",
                "load_assignment": {
                    "cluster_name": "upstream",
                    "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket(upstream_port) } }] }],
                },
            }],
        },
    })
    .to_string()
}

fn filter(module: &str, configuration: &str) -> serde_json::Value {
    json!({
        "name": module,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": module,
                "root_id": module,
                "failure_policy": "FAIL_CLOSED",
                "allow_on_headers_stop_iteration": true,
                "vm_config": {
                    "vm_id": module,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": paths::module(module) } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": configuration,
                },
            },
        },
    })
}
