//! The files of `deploy/`: against the schemas of those who read them, and on real Envoy as far as they speak to it. No cluster and no
//! container runs here. They need packages of Python and npm: a part of `cargo xtask test --all`.

mod compose;
mod edge;
mod envoy_gateway;
mod istio;
mod kubernetes;
mod patch;
mod systemd;
mod yaml;
