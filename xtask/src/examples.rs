//! The example events of the host tests, as data: bodies, what should become of each, and the accounts they need.
//! It sends nothing.

use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use testbed::paths;

/// Where the filter takes them.
pub(crate) const PATH: &str = "/provider_events";

/// The source that posts there.
pub(crate) const SOURCE: &str = "acme";

/// One event and what should become of it.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub(crate) file: String,
    pub(crate) body: Vec<u8>,
    pub(crate) expected: Fate,
}

/// What became, or should become, of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) status: u16,
    pub(crate) cause: Option<String>,
    pub(crate) accounts: Vec<String>,
    pub(crate) assigned_by: Option<String>,
}

/// The examples and the plugin configuration under which they hold.
pub(crate) struct Examples {
    pub(crate) all: Vec<Example>,
    pub(crate) plugin_configuration: String,
}

/// Reads `host-tests/events`.
pub(crate) fn read() -> anyhow::Result<Examples> {
    let folder = paths::repository().join("host-tests/events");
    let path = folder.join("manifest.json");
    let text = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let manifest: Value = serde_json::from_slice(&text).context("the manifest of the events is no JSON")?;
    let rows = manifest["events"].as_array().context("the manifest lists no events")?;
    let all = rows.iter().map(|row| {
        let file =
            text_of(&row["file"]).with_context(|| format!("a row of the manifest names no file: {row}"))?;
        let path = folder.join("bodies").join(&file);
        let body = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let expected = fate(row).ok_or_else(|| anyhow!("the row of {file} has no status"))?;
        Ok(Example { file, body, expected })
    });
    let all: Vec<Example> = all.collect::<anyhow::Result<_>>()?;
    let plugin_configuration = plugin_configuration(&manifest["accounts"])?;
    Ok(Examples { all, plugin_configuration })
}

fn fate(row: &Value) -> Option<Fate> {
    let mut accounts: Vec<_> = row["accounts"].as_array().into_iter().flatten().filter_map(text_of).collect();
    accounts.sort();
    Some(Fate {
        status: u16::try_from(row["status"].as_u64()?).ok()?,
        cause: text_of(&row["cause"]),
        accounts,
        assigned_by: text_of(&row["assigned_by"]),
    })
}

/// One source without a signature, the accounts of the manifest, and a refusal where an event has none.
fn plugin_configuration(accounts: &Value) -> anyhow::Result<String> {
    let owned = |kind: &str, account: &Value| -> Vec<String> {
        let ids = accounts[kind].as_object().into_iter().flatten();
        ids.filter(|(_, owners)| owners.as_array().is_some_and(|owners| owners.contains(account)))
            .map(|(id, _)| id.clone())
            .collect()
    };
    let connected = accounts["connected_accounts"].as_array().context("the manifest lists no accounts")?;
    let accounts: Vec<_> = connected
        .iter()
        .map(|account| {
            let id = &account["connected_account_id"];
            json!({
                "connected_account_id": id,
                "customer_key": account["customer_key"],
                "devices": owned("devices", id),
                "bridges": owned("bridges", id),
                "access_codes": [],
            })
        })
        .collect();
    let configuration = json!({
        "environment": "examples",
        "sources": [{ "name": "acme", "path": PATH, "verify": "none" }],
        "accounts": accounts,
        "on_unassigned": "reject",
    });
    Ok(serde_json::to_string_pretty(&configuration)?)
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_body_and_every_account_its_devices() {
        let examples = read().unwrap();
        assert_eq!(examples.all.len(), 144);
        let seed = examples.all.iter().find(|it| it.file == "forward_seed_device_online.json").unwrap();
        assert_eq!(seed.expected.accounts, ["ca_hotel"]);
        assert_eq!(seed.expected.assigned_by.as_deref(), Some("device_id"));
        let configuration: Value = serde_json::from_str(&examples.plugin_configuration).unwrap();
        assert_eq!(configuration["accounts"][0]["devices"], json!(["lock_204", "lock_491829"]));
        assert_eq!(configuration["accounts"][3]["devices"], json!(["lock_shared_1"]));
    }
}
