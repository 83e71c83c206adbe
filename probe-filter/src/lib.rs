//! A filter that does what its configuration tells it: for comparing the simulator with Envoy.
