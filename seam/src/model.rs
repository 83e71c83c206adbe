//! The objects of the Seam API, as much of them as a directory of accounts needs. Unknown members are left out.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Bytes in the longest id.
pub const MAX_ID_BYTES: usize = 1024;

/// What a new Connect Webview shall be.
#[derive(Debug, Clone, Default)]
pub struct NewConnectWebview {
    /// The customer's own key, as it is.
    pub customer_key: Option<String>,
    /// The providers to choose from; empty: Seam's own choice.
    pub accepted_providers: Vec<String>,
    /// Where the browser goes afterwards; Seam adds `connect_webview_id` to it.
    pub custom_redirect_url: Option<String>,
    /// Whether the webview completes only when the account's devices are there.
    pub wait_for_device_creation: bool,
}

/// A Connect Webview: one customer's way to connect one account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConnectWebview {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub connect_webview_id: String,
    /// Where the customer opens it.
    pub url: String,
    /// How far it is.
    pub status: WebviewStatus,
    /// The account, once there is one.
    #[serde(default, deserialize_with = "optional_id")]
    pub connected_account_id: Option<String>,
    /// The customer's own key, where Seam gives it.
    #[serde(default, deserialize_with = "key")]
    pub customer_key: Option<String>,
    /// Whether it completes only when the devices are there.
    #[serde(default, deserialize_with = "or_default")]
    pub wait_for_device_creation: bool,
}

/// How far a webview is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebviewStatus {
    /// Nobody has signed in yet.
    Pending,
    /// The account is connected.
    Authorized,
    /// Signing in failed.
    Failed,
    /// A status that this client does not know.
    #[serde(other)]
    Unknown,
}

/// A customer's account with a manufacturer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConnectedAccount {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub connected_account_id: String,
    /// The customer's own key, where Seam gives it.
    #[serde(default, deserialize_with = "key")]
    pub customer_key: Option<String>,
    /// The provider, e.g. `salto_ks`: `account_type`, or `provider` in its absence.
    #[serde(default, deserialize_with = "key")]
    account_type: Option<String>,
    #[serde(default, deserialize_with = "key")]
    provider: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    errors: Vec<Trouble>,
}

/// An entry of `errors`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Trouble {
    #[serde(default, deserialize_with = "or_default")]
    error_code: String,
}

impl ConnectedAccount {
    /// The provider, e.g. `salto_ks`.
    pub fn provider(&self) -> Option<&str> {
        self.account_type.as_deref().or(self.provider.as_deref())
    }

    /// Whether Seam has lost access to it.
    pub fn is_disconnected(&self) -> bool {
        self.errors.iter().any(|it| it.error_code == "account_disconnected")
    }
}

/// A device, managed or not.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Device {
    /// Seam's id.
    #[serde(deserialize_with = "id")]
    pub device_id: String,
    /// What it is, e.g. `igloohome_lock`.
    #[serde(default, deserialize_with = "or_default")]
    pub device_type: String,
    /// The account.
    #[serde(default, deserialize_with = "optional_id")]
    pub connected_account_id: Option<String>,
    /// What the manufacturer says, its metadata among it.
    #[serde(default, deserialize_with = "or_default")]
    pub properties: Map<String, Value>,
}

/// An access control system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AcsSystem {
    /// Seam's id.
    #[serde(deserialize_with = "id")]
    pub acs_system_id: String,
    /// What it is, e.g. `salto_ks_site`.
    #[serde(default, deserialize_with = "or_default")]
    pub external_type: String,
    /// What people call it.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// A door of an access control system.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AcsEntrance {
    /// Seam's id.
    #[serde(deserialize_with = "id")]
    pub acs_entrance_id: String,
    /// The system.
    #[serde(deserialize_with = "id")]
    pub acs_system_id: String,
    /// What people call it.
    #[serde(default, deserialize_with = "or_default")]
    pub display_name: String,
    /// The other members, the manufacturer's metadata among them.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// Whether this can be an id: not blank, no control characters, not too long.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID_BYTES && !text.trim().is_empty() && !text.chars().any(char::is_control)
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    if is_id(&id) {
        Ok(id)
    } else {
        Err(D::Error::custom("an id is blank, too long or has control characters"))
    }
}

fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let id = Option::<String>::deserialize(deserializer)?;
    if id.as_deref().is_none_or(is_id) {
        return Ok(id);
    }
    Err(D::Error::custom("an id is blank, too long or has control characters"))
}

/// A customer's key or a provider's name: an empty one is none.
fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let key = Option::<String>::deserialize(deserializer)?;
    Ok(key.filter(|it| !it.is_empty()))
}

/// `null` is the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_needs_its_id_and_nothing_else() {
        let account: ConnectedAccount = serde_json::from_value(json!({
            "connected_account_id": "ca", "customer_key": null, "provider": "august", "account_type": "",
            "errors": [{ "error_code": "account_disconnected", "message": "m" }], "other": [1]
        }))
        .unwrap();
        assert_eq!(account.provider(), Some("august"));
        assert!(account.is_disconnected() && account.customer_key.is_none());
        let account: ConnectedAccount =
            serde_json::from_value(json!({ "connected_account_id": "ca" })).unwrap();
        assert!(!account.is_disconnected() && account.provider().is_none());
    }

    #[test]
    fn an_id_that_could_not_be_looked_up_is_refused() {
        for id in ["", "  ", "a\nb", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert!(serde_json::from_value::<Device>(json!({ "device_id": id })).is_err(), "{id:?}");
        }
        let longest = "x".repeat(MAX_ID_BYTES);
        assert!(serde_json::from_value::<Device>(json!({ "device_id": longest })).is_ok());
    }

    #[test]
    fn a_new_status_of_a_webview_is_no_error() {
        let webview = |status| {
            serde_json::from_value::<ConnectWebview>(json!({
                "connect_webview_id": "w", "url": "u", "status": status, "connected_account_id": null
            }))
        };
        assert_eq!(webview("authorized").unwrap().status, WebviewStatus::Authorized);
        assert_eq!(webview("paused").unwrap().status, WebviewStatus::Unknown);
    }
}
