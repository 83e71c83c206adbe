//! The lines of an import or export: each is one entry of `accounts` in the plugin configuration. It stores nothing.

use std::fmt;

use directory_api::{AssignedBy, MAX_ID_BYTES, MAX_SOURCE_BYTES, is_id, is_source};
use serde::{Deserialize, Serialize};

/// The longest line, in bytes: some 600,000 ids. An account with more can have several lines.
pub(super) const LINE_BYTES: usize = 32 * 1024 * 1024;

/// Why a line cannot be taken. It repeats nothing of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Longer than the bound.
    TooLong,
    /// Not one JSON object with the members of an account.
    NotAnAccount,
    /// An id, account id or customer key that cannot be one.
    NotAnId {
        /// The member.
        member: &'static str,
    },
    /// A name that cannot be a source's.
    NotASource,
    /// The account is kept by the API: the next sync would undo the line.
    KeptBySeam,
}

impl fmt::Display for LineFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(formatter, "longer than {LINE_BYTES} bytes"),
            Self::NotAnAccount => formatter.write_str(
                "not one JSON object with `connected_account_id` and perhaps `customer_key`, `source`, `devices`, \
                 `bridges`, `access_codes`, each once",
            ),
            Self::NotAnId { member } => write!(
                formatter,
                "`{member}` is blank, has a control character or is longer than {MAX_ID_BYTES} bytes"
            ),
            Self::NotASource => write!(
                formatter,
                "`source` has to be 1 to {MAX_SOURCE_BYTES} lower-case letters, digits, `_` and `-`"
            ),
            Self::KeptBySeam => formatter.write_str(
                "the account is kept current by the Seam API, whose next sync would undo the line",
            ),
        }
    }
}

/// One line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) connected_account_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) customer_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) devices: Vec<String>,
    #[serde(default)]
    pub(super) bridges: Vec<String>,
    #[serde(default)]
    pub(super) access_codes: Vec<String>,
}

impl Line {
    pub(super) fn read(line: &[u8]) -> Result<Self, LineFault> {
        let text = std::str::from_utf8(line).map_err(|_| LineFault::NotAnAccount)?;
        // A derived reader takes an array for a struct.
        if !text.trim_start().starts_with('{') {
            return Err(LineFault::NotAnAccount);
        }
        let line: Self = serde_json::from_str(text).map_err(|_| LineFault::NotAnAccount)?;
        let not_an_id = |member| Err(LineFault::NotAnId { member });
        if !is_id(&line.connected_account_id) {
            return not_an_id("connected_account_id");
        }
        if !line.customer_key.as_deref().is_none_or(is_id) {
            return not_an_id("customer_key");
        }
        if !line.source.as_deref().is_none_or(is_source) {
            return Err(LineFault::NotASource);
        }
        for (member, _, ids) in line.lists() {
            if !ids.iter().all(|id| is_id(id)) {
                return not_an_id(member);
            }
        }
        Ok(line)
    }

    pub(super) const fn n_ids(&self) -> usize {
        self.devices.len() + self.bridges.len() + self.access_codes.len()
    }

    /// The ids by kind.
    pub(super) fn lists(&self) -> [(&'static str, AssignedBy, &[String]); 3] {
        [
            ("devices", AssignedBy::DeviceId, &self.devices),
            ("bridges", AssignedBy::BridgeId, &self.bridges),
            ("access_codes", AssignedBy::AccessCodeId, &self.access_codes),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_account_and_nothing_else() {
        let line = Line::read(br#" {"connected_account_id":"a","devices":["\u0064","e"]} "#).unwrap();
        assert_eq!((&*line.connected_account_id, line.devices), ("a", vec!["d".into(), "e".into()]));
        for (line, fault) in [
            ("", LineFault::NotAnAccount),
            ("[\"a\"]", LineFault::NotAnAccount),
            ("{}", LineFault::NotAnAccount),
            (r#"{"connected_account_id":"a"} {}"#, LineFault::NotAnAccount),
            (r#"{"connected_account_id":"a","connected_account_id":"a"}"#, LineFault::NotAnAccount),
            (r#"{"connected_account_id":"a","device":["d"]}"#, LineFault::NotAnAccount),
            (r#"{"connected_account_id":"a","devices":[1]}"#, LineFault::NotAnAccount),
            (r#"{"connected_account_id":"a","devices":null}"#, LineFault::NotAnAccount),
            (r#"{"connected_account_id":" "}"#, LineFault::NotAnId { member: "connected_account_id" }),
            (
                r#"{"connected_account_id":"a","customer_key":""}"#,
                LineFault::NotAnId { member: "customer_key" },
            ),
            (
                r#"{"connected_account_id":"a","bridges":["\u0000"]}"#,
                LineFault::NotAnId { member: "bridges" },
            ),
            (r#"{"connected_account_id":"a","source":"A"}"#, LineFault::NotASource),
        ] {
            assert_eq!(Line::read(line.as_bytes()).unwrap_err(), fault, "{line}");
        }
    }
}
