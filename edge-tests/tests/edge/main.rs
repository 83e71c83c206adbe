//! What `envoy.yaml` promises, on real Envoy. Rules about events are tested with `event-core`, not here.

mod access_log;
mod configuration;
mod connections;
mod delivery;
mod envoys_limits;
mod faulty_http;
mod filters_own_answers;
mod hosts;
mod metrics;
mod one_path;
mod overload;
mod tracing;
mod traps;
mod trusted_headers;
