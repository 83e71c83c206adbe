//! Which webhooks of Seam concern the directory, and what each says. It stores nothing.

use directory_api::is_id;
use serde::Deserialize;

/// Bytes in the longest customer key.
const MAX_KEY_BYTES: usize = 1024;

/// A webhook that concerns an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The account.
    pub connected_account_id: String,
    /// What happened.
    pub reason: Reason,
}

/// What happened to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It was connected, for the first time or again.
    Connected {
        /// The customer's own key; Seam does not always send it.
        customer_key: Option<String>,
        /// The webview that it was connected through.
        connect_webview_id: Option<String>,
    },
    /// Seam has synced it: its devices are there.
    FirstSynced,
    /// It was disconnected or deleted, or something else of it changed.
    Changed,
    /// Devices, systems or entrances came or went, or changed between managed and unmanaged.
    DevicesChanged,
}

/// Why a signed body is no hint.
#[derive(Debug, thiserror::Error)]
pub enum NoHint {
    /// It is none of the types that matter here.
    #[error("the event type does not concern accounts")]
    Irrelevant,
    /// It is no JSON object of an event.
    #[error("the body is no event")]
    Malformed(#[from] serde_json::Error),
    /// It is of a type that matters, but names no account that can be looked up.
    #[error("the event names no account")]
    NoAccount,
}

/// An event as Seam sends it; the rest of it is of no interest.
#[derive(Deserialize)]
struct Event {
    event_type: String,
    #[serde(default)]
    connected_account_id: Option<String>,
    #[serde(default)]
    customer_key: Option<String>,
    #[serde(default)]
    connect_webview_id: Option<String>,
}

impl Hint {
    /// Reads a body whose signature is right.
    ///
    /// # Errors
    /// When there is nothing to do for it.
    pub fn read(body: &[u8]) -> Result<Self, NoHint> {
        let event: Event = serde_json::from_slice(body)?;
        let kind = kind_of(&event.event_type).ok_or(NoHint::Irrelevant)?;
        let id = |id: Option<String>| id.filter(|it| is_id(it));
        let connected_account_id = id(event.connected_account_id).ok_or(NoHint::NoAccount)?;
        let reason = match kind {
            Kind::Connected => Reason::Connected {
                customer_key: event.customer_key.filter(|it| (1..=MAX_KEY_BYTES).contains(&it.len())),
                connect_webview_id: id(event.connect_webview_id),
            },
            Kind::FirstSynced => Reason::FirstSynced,
            Kind::Changed => Reason::Changed,
            Kind::DevicesChanged => Reason::DevicesChanged,
        };
        Ok(Self { connected_account_id, reason })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Connected,
    FirstSynced,
    Changed,
    DevicesChanged,
}

/// The types that change who owns what.
fn kind_of(event_type: &str) -> Option<Kind> {
    Some(match event_type {
        "connected_account.connected"
        | "connected_account.created"
        | "connected_account.successful_login" => Kind::Connected,
        "connected_account.completed_first_sync"
        | "connected_account.completed_first_sync_after_reconnection" => Kind::FirstSynced,
        "connected_account.disconnected"
        | "connected_account.deleted"
        | "connected_account.reauthorization_requested" => Kind::Changed,
        "device.added"
        | "device.removed"
        | "device.connected"
        | "device.deleted"
        | "device.converted_to_unmanaged"
        | "device.unmanaged.connected"
        | "device.unmanaged.converted_to_managed"
        | "acs_system.added"
        | "acs_system.connected"
        | "acs_system.disconnected"
        | "acs_entrance.added"
        | "acs_entrance.removed" => Kind::DevicesChanged,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &serde_json::Value) -> Result<Hint, NoHint> {
        Hint::read(body.to_string().as_bytes())
    }

    #[test]
    fn a_connected_account_comes_with_what_the_webhook_says_of_it() {
        let event = |customer_key: serde_json::Value| {
            json!({
                "event_id": "e", "event_type": "connected_account.connected", "workspace_id": "w",
                "created_at": "2026-01-01T00:00:00Z", "occurred_at": "2026-01-01T00:00:00Z",
                "connected_account_id": "ca", "connect_webview_id": "cw", "customer_key": customer_key
            })
        };
        let connected = |customer_key: Option<&str>| Hint {
            connected_account_id: "ca".to_owned(),
            reason: Reason::Connected {
                customer_key: customer_key.map(str::to_owned),
                connect_webview_id: Some("cw".to_owned()),
            },
        };
        assert_eq!(read(&event("Property 456".into())).unwrap(), connected(Some("Property 456")));
        for none in [json!(null), json!(""), json!("x".repeat(MAX_KEY_BYTES + 1))] {
            assert_eq!(read(&event(none)).unwrap(), connected(None));
        }
    }

    #[test]
    fn every_type_that_changes_who_owns_what_is_a_hint() {
        for (event_type, reason) in [
            ("connected_account.completed_first_sync", Reason::FirstSynced),
            ("connected_account.completed_first_sync_after_reconnection", Reason::FirstSynced),
            ("connected_account.disconnected", Reason::Changed),
            ("connected_account.deleted", Reason::Changed),
            ("device.added", Reason::DevicesChanged),
            ("device.removed", Reason::DevicesChanged),
            ("device.converted_to_unmanaged", Reason::DevicesChanged),
            ("acs_entrance.added", Reason::DevicesChanged),
        ] {
            let hint = read(&json!({ "event_type": event_type, "connected_account_id": "ca" })).unwrap();
            assert_eq!(hint.reason, reason, "{event_type}");
        }
    }

    #[test]
    fn the_rest_is_told_apart() {
        for event_type in ["lock.unlocked", "device.battery_status_changed", "something.new", ""] {
            let read = read(&json!({ "event_type": event_type, "connected_account_id": "ca" }));
            assert!(matches!(read, Err(NoHint::Irrelevant)), "{event_type}");
        }
        for account in [json!(null), json!(" "), json!("x".repeat(5000))] {
            let read = read(&json!({ "event_type": "device.added", "connected_account_id": account }));
            assert!(matches!(read, Err(NoHint::NoAccount)), "{account}");
        }
        for body in ["", "{}", "\"event\"", "{\"event_type\":7}", "\u{feff}{}"] {
            assert!(matches!(Hint::read(body.as_bytes()), Err(NoHint::Malformed(_))), "{body}");
        }
    }
}
