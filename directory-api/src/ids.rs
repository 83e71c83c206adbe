//! The ids of one event and what an id may be. It does not know whose they are.

use serde::{Deserialize, Serialize};

/// The longest id, account id or customer key, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 1024;

/// The longest name of a source, in bytes.
pub const MAX_SOURCE_BYTES: usize = 64;

/// The kinds of ids, in the order in which they decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignedBy {
    /// `device_id`.
    DeviceId,
    /// `bridge_id`.
    BridgeId,
    /// `access_code_id`.
    AccessCodeId,
}

impl AssignedBy {
    /// Every kind, in the order in which they decide.
    pub const ALL: [Self; 3] = [Self::DeviceId, Self::BridgeId, Self::AccessCodeId];

    /// The name of the member and of the query parameter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeviceId => "device_id",
            Self::BridgeId => "bridge_id",
            Self::AccessCodeId => "access_code_id",
        }
    }
}

/// The ids that one event carries together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ids<'a> {
    /// The device.
    pub device_id: Option<&'a str>,
    /// The bridge that it is reached by.
    pub bridge_id: Option<&'a str>,
    /// The access code.
    pub access_code_id: Option<&'a str>,
}

impl<'a> Ids<'a> {
    /// The id of this kind.
    #[must_use]
    pub const fn get(&self, kind: AssignedBy) -> Option<&'a str> {
        match kind {
            AssignedBy::DeviceId => self.device_id,
            AssignedBy::BridgeId => self.bridge_id,
            AssignedBy::AccessCodeId => self.access_code_id,
        }
    }

    /// The ids that are there, in the order in which they decide.
    pub fn present(&self) -> impl Iterator<Item = (AssignedBy, &'a str)> + use<'a> {
        let ids = *self;
        AssignedBy::ALL.into_iter().filter_map(move |kind| Some((kind, ids.get(kind)?)))
    }
}

/// Whether this can be an id, an account id or a customer key: not blank, no control character, at most
/// [`MAX_ID_BYTES`].
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID_BYTES && !text.trim().is_empty() && !text.chars().any(char::is_control)
}

/// Whether this can name a source: lower-case letters, digits, `_` and `-`, a letter or digit first, at most
/// [`MAX_SOURCE_BYTES`].
#[must_use]
pub fn is_source(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= MAX_SOURCE_BYTES
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'_' || byte == b'-')
}
