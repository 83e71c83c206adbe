//! A link: ids that one accepted event carried together. It does not say what a directory learns from it.

use serde::{Deserialize, Serialize};

use crate::{AssignedBy, Ids, ReadError, is_id, is_source, read};

/// The largest link, in bytes: three ids and a source, each byte of which can be an escape of six.
pub const MAX_LINK_BYTES: usize = 6 * (3 * crate::MAX_ID_BYTES + crate::MAX_SOURCE_BYTES) + 256;

/// Ids that one accepted event carried together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Where the event came from. Links never cross sources.
    pub source: String,
    /// The device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The bridge that it is reached by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge_id: Option<String>,
    /// The access code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_code_id: Option<String>,
}

impl Link {
    /// A link of these ids; `None` if there are fewer than two.
    #[must_use]
    pub fn new(source: &str, ids: &Ids<'_>) -> Option<Self> {
        let owned = |kind| ids.get(kind).map(str::to_owned);
        (ids.present().count() >= 2).then(|| Self {
            source: source.to_owned(),
            device_id: owned(AssignedBy::DeviceId),
            bridge_id: owned(AssignedBy::BridgeId),
            access_code_id: owned(AssignedBy::AccessCodeId),
        })
    }

    /// Reads a link.
    ///
    /// # Errors
    /// If the body is no link, or is outside the bounds.
    pub fn from_json(body: &[u8]) -> Result<Self, ReadError> {
        let link: Self = read::object(body, MAX_LINK_BYTES)?;
        if !is_source(&link.source) {
            return Err(ReadError::NotASource);
        }
        if let Some((kind, _)) = link.ids().present().find(|(_, id)| !is_id(id)) {
            return Err(ReadError::NotAnId { member: kind.name() });
        }
        if link.ids().present().count() < 2 {
            return Err(ReadError::TooFewIds);
        }
        Ok(link)
    }

    /// The body of a link.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings only: this cannot fail, and an empty body is refused by every reader.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The ids.
    #[must_use]
    pub fn ids(&self) -> Ids<'_> {
        Ids {
            device_id: self.device_id.as_deref(),
            bridge_id: self.bridge_id.as_deref(),
            access_code_id: self.access_code_id.as_deref(),
        }
    }
}
