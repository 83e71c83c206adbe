//! Real Envoy under test: finding and starting it, upstreams that record, clients that send any bytes.
