//! The plugin configuration: what an operator writes, checked as a whole at load. It reads no environment and no file.
//!
//! [`Config::from_json`] refuses what it does not know, with the path of the key and what was expected. The bounds stand
//! here as constants; `schemas/plugin-config.schema.json` repeats them for editors, and a test compares the two.

mod accounts;
mod delivery;
mod directory;
mod error;
mod memory;
mod reader;
mod secret;
mod verify;

pub use delivery::RETRY_ON;
pub(crate) use delivery::{Deliveries, Delivery};
pub use directory::{CacheSettings, DirectorySettings};
pub use error::{ConfigError, ConfigFault};
pub use memory::MemorySettings;
pub use secret::{Environment, Secret};

use crate::accounts::Accounts;
use crate::event_type;
use crate::json;
use crate::verify::{Token, Verify};
use reader::{Node, Object};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// How many sources one environment can have.
pub const SOURCES: RangeInclusive<usize> = 1..=64;
/// Bytes in the name of a source or an environment.
pub const NAME_BYTES: usize = 64;
/// Bytes in the path of a source.
pub const PATH_BYTES: usize = 256;
/// How many event types a source can list.
pub const EVENTS: RangeInclusive<usize> = 0..=256;
/// How many embedded accounts there can be.
pub const ACCOUNTS: RangeInclusive<usize> = 0..=100_000;
/// The largest body, in bytes.
pub const BODY_BYTES: RangeInclusive<u64> = 1..=4 * 1024 * 1024;
/// The deepest nesting of JSON.
pub const DEPTH: RangeInclusive<u64> = 1..=json::MAX_DEPTH as u64;
/// The longest id, in bytes of UTF-8.
pub const ID_BYTES: RangeInclusive<u64> = 1..=1024;

/// A configuration that is in order.
#[derive(Debug)]
pub struct Config {
    /// Names this environment to upstream.
    pub(crate) environment: Box<str>,
    /// In the order of the configuration, with unique names and paths.
    pub(crate) sources: Vec<Source>,
    /// The embedded directory.
    pub(crate) accounts: Accounts,
    /// The account directory, if there is one to ask.
    pub(crate) directory: Option<DirectorySettings>,
    /// What becomes of an event that no account owns.
    pub(crate) on_unassigned: OnUnassigned,
    /// What becomes of an event that can never be forwarded as it is.
    pub(crate) on_invalid: OnInvalid,
    /// What is remembered of accepted events.
    pub(crate) memory: MemorySettings,
    /// The secrets of whoever replays quarantined events.
    pub(crate) replay: Option<Token>,
    /// What is too large.
    pub(crate) limits: Limits,
    /// How the router delivers, and when a sender should come back.
    pub(crate) delivery: Deliveries,
}

/// A device cloud that posts events.
#[derive(Debug)]
pub struct Source {
    /// Unique in this environment.
    pub(crate) name: Box<str>,
    /// The path that it posts to, without query.
    pub(crate) path: Box<str>,
    /// The only event types that are let through, if others are refused.
    pub(crate) only: Option<BTreeSet<Box<str>>>,
    /// How its sender proves that it sent an event.
    pub(crate) verify: Verify,
}

impl Source {
    /// Whether only its own sender can post its events. Nothing may be learned from the others.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        !matches!(self.verify, Verify::None)
    }
}

/// What becomes of an event that no account owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnassigned {
    /// 503: the sender tries again, the account may be known by then.
    Defer,
    /// 422: the sender gives up.
    Reject,
    /// The quarantine sink gets it.
    Quarantine,
    /// Upstream gets it, without account headers.
    Forward,
}

/// What becomes of an event that is malformed, invalid, of a refused type, without a subject, or whose ids are in conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    /// 4xx: the sender gives up.
    Reject,
    /// The quarantine sink gets it.
    Quarantine,
}

/// What is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body, in bytes.
    pub(crate) body_bytes: usize,
    /// The deepest nesting of JSON; a top-level array or object is depth 1.
    pub(crate) depth: usize,
    /// The longest id, in bytes of UTF-8.
    pub(crate) id_bytes: usize,
}

impl Config {
    /// Reads a configuration from JSON text. Secrets that it names come from `environment`.
    ///
    /// # Errors
    /// The first key that is wrong, by its path, and what was expected. No value is repeated: secrets stand here.
    // Not inlined, like its sections: compiling one large function takes more of Envoy's memory than ten small ones.
    #[inline(never)]
    pub fn from_json(text: &[u8], environment: &Environment<'_>) -> Result<Self, ConfigError> {
        let value = json::parse(text, json::MAX_DEPTH).map_err(ConfigError::not_json)?;
        let root = Node::root(&value).object(&[
            "accounts",
            "delivery",
            "directory",
            "duplicates",
            "environment",
            "limits",
            "on_invalid",
            "on_unassigned",
            "order",
            "replay",
            "sources",
        ])?;
        let limits = Limits::read(root.optional("limits"))?;
        let sources = read_sources(&root.required("sources")?, environment)?;
        let delivery = Deliveries::read(root.optional("delivery"))?;
        let directory = root.optional("directory");
        let retry_after_s = delivery.shortest_retry_after_s();
        let directory =
            directory.map(|node| directory::read(&node, retry_after_s, environment)).transpose()?;
        let replay = root.optional("replay");
        Ok(Self {
            environment: root
                .required("environment")?
                .name(is_environment_byte, "letters, digits, `.`, `_` and `-`")?
                .into(),
            on_unassigned: OnUnassigned::read(root.optional("on_unassigned"))?,
            on_invalid: OnInvalid::read(root.optional("on_invalid"))?,
            memory: MemorySettings::read(root.optional("duplicates"), root.optional("order"))?,
            replay: replay.map(|node| verify::read_replay(&node, environment)).transpose()?,
            accounts: accounts::read(root.optional("accounts"), &sources, limits.id_bytes)?,
            directory,
            delivery,
            sources,
            limits,
        })
    }

    /// The largest body, in bytes.
    #[must_use]
    pub const fn body_bytes(&self) -> usize {
        self.limits.body_bytes
    }

    /// The deepest nesting of JSON.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.limits.depth
    }

    /// The longest id, in bytes of UTF-8.
    #[must_use]
    pub const fn id_bytes(&self) -> usize {
        self.limits.id_bytes
    }

    /// How the account directory is asked, if there is one.
    #[must_use]
    pub const fn directory(&self) -> Option<&DirectorySettings> {
        self.directory.as_ref()
    }

    /// What is remembered of accepted events.
    #[must_use]
    pub const fn memory(&self) -> &MemorySettings {
        &self.memory
    }

    /// The names of sources that anyone can post to, since nothing is verified.
    pub fn unverified_sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter(|source| !source.is_verified()).map(|source| &*source.name)
    }
}

impl Limits {
    #[inline(never)]
    fn read(node: Option<Node<'_>>) -> Result<Self, ConfigError> {
        let object = Object::read_or_empty(node, &["body_bytes", "depth", "id_bytes"])?;
        Ok(Self {
            body_bytes: object.size_or("body_bytes", BODY_BYTES, 256 * 1024)?,
            depth: object.size_or("depth", DEPTH, json::MAX_DEPTH)?,
            id_bytes: object.size_or("id_bytes", ID_BYTES, 256)?,
        })
    }
}

impl OnUnassigned {
    fn read(node: Option<Node<'_>>) -> Result<Self, ConfigError> {
        let Some(node) = node else { return Ok(Self::Defer) };
        node.choice(&[
            ("defer", Self::Defer),
            ("reject", Self::Reject),
            ("quarantine", Self::Quarantine),
            ("forward", Self::Forward),
        ])
    }
}

impl OnInvalid {
    fn read(node: Option<Node<'_>>) -> Result<Self, ConfigError> {
        let choices = [("reject", Self::Reject), ("quarantine", Self::Quarantine)];
        node.map_or(Ok(Self::Reject), |node| node.choice(&choices))
    }
}

#[inline(never)]
fn read_sources(node: &Node<'_>, environment: &Environment<'_>) -> Result<Vec<Source>, ConfigError> {
    let mut sources: Vec<Source> = Vec::new();
    for node in node.array(SOURCES)? {
        let mut object = node.object(&["events", "name", "path", "unregistered", "verify"])?;
        let name = object.required("name")?;
        let path = object.required("path")?;
        let source = Source {
            name: name.name(is_source_byte, "lower-case letters, digits, `_` and `-`")?.into(),
            path: read_path(&path)?.into(),
            only: read_only(&mut object)?,
            verify: verify::read(&object.required("verify")?, environment)?,
        };
        for earlier in &sources {
            if earlier.name == source.name {
                return Err(name.fault(ConfigFault::NotUnique { what: "the name of a source" }));
            }
            if earlier.path == source.path {
                return Err(path.fault(ConfigFault::NotUnique { what: "the path of a source" }));
            }
        }
        sources.push(source);
    }
    Ok(sources)
}

fn read_path<'v>(node: &Node<'v>) -> Result<&'v str, ConfigError> {
    let path = node.string()?;
    let visible = path.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'?' | b'#'));
    if path.starts_with('/') && path.len() <= PATH_BYTES && visible {
        Ok(path)
    } else {
        Err(node.expected(
            "a path that starts with `/`, without `?` or `#`, at most 256 visible ASCII characters",
        ))
    }
}

fn read_only(source: &mut Object<'_>) -> Result<Option<BTreeSet<Box<str>>>, ConfigError> {
    let mut events = BTreeSet::new();
    let listed = source.optional("events");
    for node in
        listed.iter().map(|node| node.array(EVENTS)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        let event_type = node.string()?;
        if !event_type::is_well_formed(event_type) {
            return Err(
                node.expected("an event type: lower-case words joined by dots, such as device.online")
            );
        }
        events.insert(event_type.into());
    }
    let Some(node) = source.optional("unregistered") else { return Ok(None) };
    match (node.choice(&[("forward", false), ("reject", true)])?, listed) {
        (false, _) => Ok(None),
        (true, Some(_)) => Ok(Some(events)),
        (true, None) => Err(node.fault(ConfigFault::Needs { key: "events" })),
    }
}

const fn is_source_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')
}

const fn is_environment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests;
