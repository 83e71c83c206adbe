//! The service configuration: what an operator writes in TOML, checked as a whole at start. It reads no file.
//!
//! What is unknown or wrong is refused with the path of its key and what was expected. No value is repeated: secrets stand
//! here.

mod quarantine;
mod reader;

pub use quarantine::{Edge, Quarantine};
pub use reader::{ConfigError, Environment};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use directory_api::is_source;
use reader::{Node, Object};
use seam::Secret;
use url::Url;

use crate::sources::Sources;

/// How many bearer tokens and webhook secrets there can be: for rotation, two are enough.
const SECRETS: RangeInclusive<usize> = 1..=16;
/// Bytes in a token: shorter ones can be guessed.
const TOKEN_BYTES: RangeInclusive<usize> = 16..=1024;
/// How many prefixes of providers can be mapped to sources.
const PROVIDERS: usize = 256;
const GRACE_S: RangeInclusive<u64> = 0..=86_400;
const RESYNC_S: RangeInclusive<u64> = 60..=30 * 86_400;
const LINKS_PER_SOURCE: RangeInclusive<u64> = 0..=100_000_000;
const LINKS_DAYS: RangeInclusive<u64> = 1..=3650;
const CONNECTIONS: RangeInclusive<u64> = 1..=64;
const REQUESTS: RangeInclusive<u64> = 1..=100_000;
const CLIENT_CONNECTIONS: RangeInclusive<u64> = 1..=100_000;
/// A process gets 1,024 files unless told otherwise; the database and the API need some.
const CLIENT_CONNECTIONS_DEFAULT: u64 = 768;

/// A configuration that is in order.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How the outside reaches this service, without a slash at the end: providers and webviews come here.
    pub public_url: Option<Url>,
    /// `sqlite:FILE` or `postgres://…`; it may hold a password.
    pub database: Secret,
    /// How many connections the database gets.
    pub connections: NonZeroU32,
    /// How many connections of clients there are at a time; more wait.
    pub client_connections: usize,
    /// How many requests run at a time; others are told to come again.
    pub requests: usize,
    /// What callers authenticate with.
    pub tokens: Vec<Secret>,
    /// The API that accounts come from; without it they are imported.
    pub seam: Option<Seam>,
    /// Which source a provider's events come from.
    pub sources: Sources,
    /// What bounds learned links.
    pub links: Links,
    /// What bounds events that were set aside; without it none are taken.
    pub quarantine: Option<Quarantine>,
}

/// The API that accounts come from.
#[derive(Clone, Debug)]
pub struct Seam {
    /// The address of the API.
    pub url: Url,
    /// What it is called with.
    pub api_key: Secret,
    /// What its webhooks are signed with, each `whsec_…`.
    pub webhook_secrets: Vec<Secret>,
    /// An account whose first sync was not announced is synced after this.
    pub first_sync_grace: Duration,
    /// Every account is synced again after this.
    pub resync: Duration,
}

/// What bounds learned links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// How many a source can have.
    pub max_per_source: u64,
    /// One that no event has shown for so many days goes.
    pub days: u64,
}

impl Config {
    /// Reads a configuration. Secrets can stand in `environment`, a function from names to values.
    ///
    /// # Errors
    /// The first key that is wrong, by its path, and what was expected.
    pub fn from_toml(text: &str, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let value = reader::parse(text)?;
        let root = Node::root(&value, environment).object(&[
            "client_connections",
            "connections",
            "database",
            "links",
            "listen",
            "public_url",
            "quarantine",
            "requests",
            "seam",
            "sources",
            "tokens",
        ])?;
        let connections = root.number_or("connections", CONNECTIONS, 4)?;
        Ok(Self {
            listen: match root.optional("listen") {
                None => SocketAddr::from(([127, 0, 0, 1], 8090)),
                Some(node) => {
                    node.string()?.parse().map_err(|_| node.expected("an IP address and a port"))?
                }
            },
            public_url: root.optional("public_url").map(|node| node.url()).transpose()?,
            database: root.required("database")?.secret()?,
            connections: u32::try_from(connections).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN),
            client_connections: usize::try_from(root.number_or(
                "client_connections",
                CLIENT_CONNECTIONS,
                CLIENT_CONNECTIONS_DEFAULT,
            )?)
            .unwrap_or(1),
            requests: usize::try_from(root.number_or("requests", REQUESTS, 1024)?).unwrap_or(1024),
            tokens: tokens(&root.required("tokens")?)?,
            seam: root.optional("seam").map(|node| Seam::read(&node)).transpose()?,
            sources: read_sources(root.optional("sources"))?,
            links: Links::read(root.optional("links"))?,
            quarantine: root.optional("quarantine").map(|node| Quarantine::read(&node)).transpose()?,
        })
    }

    /// The bounds of the store.
    #[must_use]
    pub const fn store_limits(&self) -> crate::store::Limits {
        crate::store::Limits { links_per_source: self.links.max_per_source, connections: self.connections }
    }
}

fn tokens(node: &Node<'_>) -> Result<Vec<Secret>, ConfigError> {
    let mut tokens = Vec::new();
    for node in node.array(SECRETS)? {
        tokens.push(token(&node)?);
    }
    Ok(tokens)
}

/// A secret that goes into a header.
fn token(node: &Node<'_>) -> Result<Secret, ConfigError> {
    let token = node.secret()?;
    // RFC 6750, section 2.1, allows fewer; these pass every proxy.
    let plain = token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if !plain || !TOKEN_BYTES.contains(&token.expose().len()) {
        return Err(node.expected("16 to 1024 visible ASCII characters"));
    }
    Ok(token)
}

impl Seam {
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        let object = node.object(&["api_key", "first_sync_grace_s", "resync_s", "url", "webhook_secrets"])?;
        let secrets = object.required("webhook_secrets")?.array(SECRETS)?;
        Ok(Self {
            url: match object.optional("url") {
                None => Url::parse("https://connect.getseam.com").map_err(|_| node.expected("an address"))?,
                Some(node) => node.url()?,
            },
            api_key: object.required("api_key")?.secret()?,
            webhook_secrets: secrets.iter().map(Node::secret).collect::<Result<_, _>>()?,
            first_sync_grace: Duration::from_secs(object.number_or("first_sync_grace_s", GRACE_S, 120)?),
            resync: Duration::from_secs(object.number_or("resync_s", RESYNC_S, 6 * 3600)?),
        })
    }
}

fn read_sources(node: Option<Node<'_>>) -> Result<Sources, ConfigError> {
    let mut table = BTreeMap::new();
    for (name, node) in node.map_or(Ok(Vec::new()), |node| node.entries(PROVIDERS))? {
        let source = node.string()?;
        if !is_source(source) {
            return Err(node.expected("the name of a source: lower-case letters, digits, `_` and `-`"));
        }
        table.insert(name.to_owned(), source.to_owned());
    }
    Ok(Sources::new(table))
}

impl Links {
    fn read(node: Option<Node<'_>>) -> Result<Self, ConfigError> {
        let object = Object::read_or_empty(node, &["days", "max_per_source"])?;
        Ok(Self {
            max_per_source: object.number_or("max_per_source", LINKS_PER_SOURCE, 1_000_000)?,
            days: object.number_or("days", LINKS_DAYS, 180)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "database = 'sqlite:d.db'\ntokens = ['0123456789abcdef']\n";

    fn read(text: &str) -> Result<Config, String> {
        let environment = |name: &str| (name == "TOKEN").then(|| "from-the-environment".to_owned());
        Config::from_toml(text, &environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_rest_has_defaults() {
        let config = read(LEAST).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8090");
        assert_eq!((config.connections.get(), config.requests), (4, 1024));
        assert_eq!(config.client_connections, 768);
        assert_eq!(config.links, Links { max_per_source: 1_000_000, days: 180 });
        assert!(config.seam.is_none() && config.public_url.is_none());
    }

    #[test]
    fn everything_can_be_said() {
        let config = read(
            r#"
            listen = "0.0.0.0:1"
            public_url = "https://bellhop.example/"
            database = { env = "TOKEN" }
            connections = 8
            requests = 16
            client_connections = 32
            tokens = [{ env = "TOKEN" }, "0123456789abcdef"]
            [seam]
            url = "http://127.0.0.1:8094"
            api_key = "seam_apikey1_token"
            webhook_secrets = ["whsec_a", { env = "TOKEN" }]
            first_sync_grace_s = 0
            resync_s = 60
            [sources]
            igloohome = "igloo"
            default = "rest"
            [links]
            max_per_source = 0
            days = 1
            "#,
        )
        .unwrap();
        assert_eq!(config.tokens[0].expose(), "from-the-environment");
        assert_eq!((config.connections.get(), config.requests, config.client_connections), (8, 16, 32));
        let seam = config.seam.unwrap();
        assert_eq!((seam.resync.as_secs(), seam.webhook_secrets.len()), (60, 2));
        let of = |provider| config.sources.of([Some(provider)]).unwrap();
        assert_eq!([of("igloohome_lock"), of("salto")], ["igloo", "rest"]);
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (text, error) in [
            ("tokens = ['secret", "line 1: not TOML"),
            ("tokens = ['0123456789abcdef']", "database: is required"),
            ("database = 'secret'\ntokens = []", "tokens: expected 1 to 16 items"),
            (
                "database = 'd'\ntokens = ['secret']",
                "tokens[0]: expected 16 to 1024 visible ASCII characters",
            ),
            (
                "database = 'd'\ntokens = [{ env = 'NONE' }]",
                "tokens[0]: the environment has no such variable",
            ),
            ("database = 'd'\ntokens = [{ file = 'x' }]", "tokens[0].file: is not known here"),
            (
                "database = 3\ntokens = ['0123456789abcdef']",
                "database: expected a string, or `{ env = \"NAME\" }`",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), error, "{text}");
        }
        for (text, error) in [
            ("listen = 'secret'", "listen: expected an IP address and a port"),
            ("listen_on = ''", "listen_on: is not known here"),
            (
                "public_url = 'ftp://secret'",
                "public_url: expected an address that begins with http:// or https://",
            ),
            ("connections = 0", "connections: expected a whole number from 1 to 64"),
            ("[links]\ndays = 1.5", "links.days: expected a whole number from 1 to 3650"),
            ("[seam]\nurl = 'http://h'", "seam.webhook_secrets: is required"),
            (
                "[sources]\nsalto = 'Se cret'",
                "sources.salto: expected the name of a source: lower-case letters, digits, `_` and `-`",
            ),
        ] {
            assert_eq!(read(&format!("{LEAST}{text}")).unwrap_err(), error, "{text}");
        }
    }
}
