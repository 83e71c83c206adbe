//! The part of the configuration about events that were set aside. It opens no connection to the edge.

use std::ops::RangeInclusive;
use std::time::Duration;

use seam::Secret;
use url::{Host, Url};

use super::reader::{ConfigError, Node};
use crate::store::QuarantineLimits;

const EVENTS: RangeInclusive<u64> = 1..=10_000_000;
/// The largest event, with what is kept beside it, has to fit: 1 MiB and less than 64 KiB of headers.
const BYTES: RangeInclusive<u64> = (2 << 20)..=(1 << 40);
const DAYS: RangeInclusive<u64> = 1..=365;
/// The edge itself waits for upstream, 15 seconds unless told otherwise.
const TIMEOUT_S: RangeInclusive<u64> = 1..=60;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// What bounds events that were set aside, and where they are replayed.
#[derive(Clone, Debug)]
pub struct Quarantine {
    /// How many there are, and for how long.
    pub limits: QuarantineLimits,
    /// Where they are replayed; without it they are only kept.
    pub edge: Option<Edge>,
}

/// The edge that events are replayed at.
#[derive(Clone, Debug)]
pub struct Edge {
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Host and port as a URL has them.
    pub authority: String,
    /// One of the secrets of `replay` in the filter's configuration.
    pub secret: Secret,
    /// How long one replay may take.
    pub timeout: Duration,
}

impl Quarantine {
    pub(super) fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        let keys =
            ["edge_url", "max_age_days", "max_bytes", "max_events", "replay_secret", "replay_timeout_s"];
        let object = node.object(&keys)?;
        let number = |name, range, default| {
            object.number_or(name, range, default).map(|number| i64::try_from(number).unwrap_or(i64::MAX))
        };
        let limits = QuarantineLimits {
            events: number("max_events", EVENTS, 100_000)?,
            bytes: number("max_bytes", BYTES, 256 << 20)?,
            age_ms: number("max_age_days", DAYS, 14)? * DAY_MS as i64,
        };
        let timeout = Duration::from_secs(object.number_or("replay_timeout_s", TIMEOUT_S, 20)?);
        // One without the other is a mistake.
        let edge = match (object.optional("edge_url"), object.optional("replay_secret")) {
            (None, None) => None,
            (_, _) => {
                let secret = super::token(&object.required("replay_secret")?)?;
                Some(Edge::read(&object.required("edge_url")?, secret, timeout)?)
            }
        };
        Ok(Self { limits, edge })
    }
}

impl Edge {
    fn read(node: &Node<'_>, secret: Secret, timeout: Duration) -> Result<Self, ConfigError> {
        let expected = || node.expected("http://HOST or http://HOST:PORT, and nothing else");
        let url = node.url().map_err(|_| expected())?;
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(expected()),
        };
        if url.scheme() != "http" || !is_bare(&url) {
            return Err(expected());
        }
        let port = url.port_or_known_default().ok_or_else(expected)?;
        Ok(Self { host, port, authority: url.authority().to_owned(), secret, timeout })
    }
}

fn is_bare(url: &Url) -> bool {
    let no_user = url.username().is_empty() && url.password().is_none();
    no_user && url.path() == "/" && url.query().is_none() && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn read(text: &str) -> Result<super::Quarantine, String> {
        let text = format!("database = 'sqlite:d.db'\ntokens = ['0123456789abcdef']\n[quarantine]\n{text}");
        let config = Config::from_toml(&text, &|_| None).map_err(|error| error.to_string())?;
        Ok(config.quarantine.unwrap())
    }

    const SECRET: &str = "replay_secret = 'a-secret-for-replays'\n";

    #[test]
    fn an_empty_table_has_defaults_and_replays_nothing() {
        let quarantine = read("").unwrap();
        let limits = quarantine.limits;
        assert_eq!((limits.events, limits.bytes, limits.age_ms), (100_000, 256 << 20, 14 * 86_400_000));
        assert!(quarantine.edge.is_none());
    }

    #[test]
    fn everything_can_be_said() {
        let text = format!(
            "{SECRET}edge_url = 'http://[::1]:10000/'\nmax_events = 1\nmax_bytes = 2097152\nmax_age_days = 365\n\
             replay_timeout_s = 60"
        );
        let quarantine = read(&text).unwrap();
        assert_eq!((quarantine.limits.events, quarantine.limits.bytes), (1, 2 << 20));
        let edge = quarantine.edge.unwrap();
        assert_eq!((edge.host.as_str(), edge.port, edge.authority.as_str()), ("::1", 10000, "[::1]:10000"));
        assert_eq!((edge.timeout.as_secs(), edge.secret.expose()), (60, "a-secret-for-replays"));
        let edge = read(&format!("{SECRET}edge_url = 'http://edge.internal'")).unwrap().edge.unwrap();
        assert_eq!(
            (edge.host.as_str(), edge.port, edge.authority.as_str()),
            ("edge.internal", 80, "edge.internal")
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (text, error) in [
            ("max_events = 0", "quarantine.max_events: expected a whole number from 1 to 10000000"),
            ("max_bytes = 1", "quarantine.max_bytes: expected a whole number from 2097152 to 1099511627776"),
            ("max_age_days = 366", "quarantine.max_age_days: expected a whole number from 1 to 365"),
            ("replay_timeout_s = 0", "quarantine.replay_timeout_s: expected a whole number from 1 to 60"),
            ("secret = 1", "quarantine.secret: is not known here"),
            ("edge_url = 'http://h'", "quarantine.replay_secret: is required"),
            (SECRET, "quarantine.edge_url: is required"),
            (
                "edge_url = 'http://h'\nreplay_secret = 'short'",
                "quarantine.replay_secret: expected 16 to 1024 visible ASCII characters",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), error, "{text}");
        }
        for url in
            ["https://h", "http://h/path", "http://user@h", "http://h?q", "h:1", "http://:1", "http://h#f"]
        {
            let error = read(&format!("{SECRET}edge_url = '{url}'")).unwrap_err();
            let expected = "quarantine.edge_url: expected http://HOST or http://HOST:PORT, and nothing else";
            assert_eq!(error, expected, "{url}");
        }
    }
}
