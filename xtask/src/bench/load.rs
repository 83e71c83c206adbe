//! Load: a few requests at once, and a cheap upstream behind. It measures nothing.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context, bail};
use testbed::http1::{self, Connection};
use testbed::message::Request;
use testbed::upstream::{Answer, Upstream};

use crate::examples;

/// An event of 190 bytes, a usual size: the documentation's `device.online` with members of the sender's own.
pub(super) const EVENT: &str = concat!(
    r#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_491829","#,
    r#""data":{"firmware":"4.2.1","signal_strength":-61,"gateway":"hub-7","reported_by":"poll"},"seq":101}"#
);

/// An upstream that answers 200 to everything and keeps nothing.
pub(super) fn upstream() -> io::Result<Upstream> {
    let upstream = Upstream::start_with(0, |_| Answer::status(200))?;
    upstream.forget();
    Ok(upstream)
}

/// How many requests are on their way at once: the worker then has something to do each time it wakes.
pub(super) const N_CONNECTIONS: usize = 16;

/// A sender that keeps its connections for as long as the gateway does.
pub(super) struct Sender {
    gateway: SocketAddr,
    connections: Vec<Option<Connection>>,
}

impl Sender {
    pub(super) fn new(gateway: SocketAddr) -> Self {
        Self { gateway, connections: (0..N_CONNECTIONS).map(|_| None).collect() }
    }

    /// Sends [`EVENT`] so many times, rounded up to whole batches. Each must be forwarded.
    pub(super) fn send_events(&mut self, n: usize) -> anyhow::Result<()> {
        let request = event(EVENT.as_bytes());
        for _ in 0..n.div_ceil(N_CONNECTIONS) {
            for status in self.send_batch(&[&request; N_CONNECTIONS])? {
                if status != 200 {
                    bail!("an event of the load was answered {status}");
                }
            }
        }
        Ok(())
    }

    /// Sends requests, made by [`event`], at once: one on each connection, at most as many as there are. Gives the status
    /// of each answer.
    pub(super) fn send_batch(&mut self, requests: &[&Vec<u8>]) -> anyhow::Result<Vec<u16>> {
        let mut sent = Vec::new();
        for (place, request) in self.connections.iter_mut().zip(requests) {
            let mut connection = match place.take() {
                Some(connection) => connection,
                None => Connection::open(self.gateway).context("the gateway does not accept the load")?,
            };
            connection.send_raw(request)?;
            sent.push((place, connection));
        }
        let mut statuses = Vec::new();
        for (place, mut connection) in sent {
            let response =
                connection.read_response("POST").context("the gateway does not answer the load")?;
            let closes =
                response.headers.get("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
            if !closes {
                *place = Some(connection);
            }
            statuses.push(response.status);
        }
        Ok(statuses)
    }
}

/// The bytes of a request with this body.
pub(super) fn event(body: &[u8]) -> Vec<u8> {
    http1::to_bytes(&Request::post_json(examples::PATH, body))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_event_has_the_size_that_is_said() {
        assert_eq!(super::EVENT.len(), 190);
    }
}
