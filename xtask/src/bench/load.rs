//! Load: one request after the other on one connection, and a cheap upstream behind. It measures nothing.

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

/// A sender that keeps its connection for as long as the gateway does.
pub(super) struct Sender {
    gateway: SocketAddr,
    connection: Option<Connection>,
}

impl Sender {
    pub(super) fn new(gateway: SocketAddr) -> Self {
        Self { gateway, connection: None }
    }

    /// Sends [`EVENT`] so many times. Each must be forwarded.
    pub(super) fn send_events(&mut self, n: usize) -> anyhow::Result<()> {
        let request = event(EVENT.as_bytes());
        for _ in 0..n {
            let status = self.send(&request)?;
            if status != 200 {
                bail!("an event of the load was answered {status}");
            }
        }
        Ok(())
    }

    /// Sends one request, made by [`event`]. Gives the status of its answer.
    pub(super) fn send(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.gateway).context("the gateway does not accept the load")?,
        };
        connection.send_raw(request)?;
        let response = connection.read_response("POST").context("the gateway does not answer the load")?;
        let closes = response.headers.get("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
        if !closes {
            self.connection = Some(connection);
        }
        Ok(response.status)
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
