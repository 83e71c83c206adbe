//! `directory`: the service that is asked when the embedded accounts know none of an event's ids, and what is kept of its
//! answers. How it is asked stands in `crate::directory`.

use super::ConfigError;
use super::reader::{Node, Object};
use super::secret::{self, Environment, Secret};

/// Bytes in a cluster's name, and in an authority.
const HOST_BYTES: usize = 256;
/// Bytes in a token.
const TOKEN_BYTES: usize = 4096;

/// How the directory is asked.
#[derive(Debug)]
pub struct DirectorySettings {
    /// Envoy's name of the service.
    pub cluster: Box<str>,
    /// The `:authority` of requests.
    pub authority: Box<str>,
    /// How long to wait for an answer, in milliseconds.
    pub timeout_ms: u32,
    /// Sent as a bearer token.
    pub token: Option<Secret>,
    /// How long the directory is left alone once it has refused, in milliseconds.
    pub pause_ms: u64,
    /// How many requests may wait for answers, in one worker.
    pub max_waiting: usize,
    /// How many questions may be under way, in one worker.
    pub max_callouts: usize,
    /// What is kept of answers.
    pub cache: CacheSettings,
}

/// What is kept of the directory's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How many answers one worker keeps.
    pub entries: usize,
    /// How many bytes one worker keeps.
    pub bytes: usize,
    /// How long an assignment is used without asking, in milliseconds.
    pub fresh_ms: u64,
    /// How long "unknown" and "in conflict" are used without asking, in milliseconds.
    pub unknown_ms: u64,
    /// How much longer than `fresh_ms` an assignment is used while the directory is away, in milliseconds.
    pub stale_ms: u64,
    /// How many answers the workers share.
    pub shared_slots: u32,
}

/// Reads the section. `retry_after_s` is that of the configuration: an answer "unknown" must be forgotten by then.
#[inline(never)]
pub(super) fn read(
    node: &Node<'_>,
    retry_after_s: u32,
    environment: &Environment<'_>,
) -> Result<DirectorySettings, ConfigError> {
    let object = node.object(&[
        "authority",
        "cache",
        "cluster",
        "max_callouts",
        "max_waiting",
        "pause_ms",
        "timeout_ms",
        "token",
    ])?;
    let cluster = read_host(&object.required("cluster")?)?;
    let timeout_ms = object.integer_or("timeout_ms", 1..=60_000, 250)?;
    Ok(DirectorySettings {
        cluster: cluster.into(),
        authority: object.optional("authority").map_or(Ok(cluster), |node| read_host(&node))?.into(),
        timeout_ms: u32::try_from(timeout_ms).unwrap_or(u32::MAX),
        token: object.optional("token").map(|node| read_token(&node, environment)).transpose()?,
        pause_ms: object.integer_or("pause_ms", 1..=60_000, 1_000)?,
        max_waiting: object.size_or("max_waiting", 1..=100_000, 512)?,
        max_callouts: object.size_or("max_callouts", 1..=1_000, 64)?,
        cache: CacheSettings::read(object.optional("cache"), retry_after_s)?,
    })
}

impl CacheSettings {
    fn read(node: Option<Node<'_>>, retry_after_s: u32) -> Result<Self, ConfigError> {
        let object = Object::read_or_empty(
            node,
            &["bytes", "entries", "fresh_s", "shared_slots", "stale_s", "unknown_s"],
        )?;
        // A sender that comes back when it was told to must find an account that has been connected since.
        let longest_unknown_s = u64::from(retry_after_s.saturating_sub(1)).min(60);
        let unknown_s = object.integer_or("unknown_s", 0..=longest_unknown_s, longest_unknown_s.min(5))?;
        let shared_slots = object.integer_or("shared_slots", 0..=65_536, 4_096)?;
        Ok(Self {
            entries: object.size_or("entries", 1..=1_000_000, 10_000)?,
            bytes: object.size_or("bytes", 65_536..=256 * 1024 * 1024, 4 * 1024 * 1024)?,
            fresh_ms: object.integer_or("fresh_s", 1..=86_400, 300)? * 1_000,
            unknown_ms: unknown_s * 1_000,
            stale_ms: object.integer_or("stale_s", 0..=604_800, 3_600)? * 1_000,
            shared_slots: u32::try_from(shared_slots).unwrap_or(u32::MAX),
        })
    }
}

fn read_host<'v>(node: &Node<'v>) -> Result<&'v str, ConfigError> {
    let host = node.string()?;
    if (1..=HOST_BYTES).contains(&host.len()) && is_visible(host) {
        Ok(host)
    } else {
        Err(node.expected(format!("1 to {HOST_BYTES} visible ASCII characters")))
    }
}

fn read_token(node: &Node<'_>, environment: &Environment<'_>) -> Result<Secret, ConfigError> {
    let token = secret::read(node, environment)?;
    if token.expose().len() <= TOKEN_BYTES && is_visible(token.expose()) {
        Ok(token)
    } else {
        Err(node.expected(format!("a token of at most {TOKEN_BYTES} visible ASCII characters")))
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x21..=0x7e))
}
