//! Event cases and scenarios, run on the native core, on the simulator and through real Envoy.
