//! The event cases of `events/manifest.json`: a body each, and what must become of it. It runs none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Ending, Exchange};

/// The path of the only source.
const PATH: &str = "/provider_events";

/// The cases and the accounts that they speak of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    accounts: Fleet,
    events: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fleet {
    #[allow(dead_code, reason = "for people")]
    note: String,
    connected_accounts: Vec<Account>,
    devices: BTreeMap<String, Vec<String>>,
    bridges: BTreeMap<String, Vec<String>>,
    /// What a filter would know that remembers earlier events. This one does not.
    #[allow(dead_code, reason = "no configuration")]
    access_codes_seen_in_created_events: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    connected_account_id: String,
    customer_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    file: String,
    status: u16,
    cause: Option<String>,
    why: String,
    accounts: Option<Vec<String>>,
    assigned_by: Option<String>,
}

/// One row with its body.
#[derive(Debug)]
pub struct Case {
    row: Row,
    /// The bytes that are sent.
    pub body: Vec<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events")
}

/// The plugin configuration for all cases, and the cases.
///
/// # Errors
/// When a file is missing, unread or malformed.
pub fn load() -> Result<(String, Vec<Case>)> {
    let manifest = std::fs::read(folder().join("manifest.json"))?;
    let manifest: Manifest = serde_json::from_slice(&manifest).context("the manifest")?;
    let bodies = folder().join("bodies");
    let mut unused: BTreeSet<String> = std::fs::read_dir(&bodies)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    let configuration = manifest.accounts.configuration().to_string();
    let cases = manifest.events.into_iter().map(|row| {
        ensure!(unused.remove(&row.file), "{} is missing, or named twice", row.file);
        let body = std::fs::read(bodies.join(&row.file))?;
        Ok(Case { row, body })
    });
    let cases = cases.collect::<Result<Vec<_>>>()?;
    ensure!(unused.is_empty(), "no row of the manifest names {unused:?}");
    Ok((configuration, cases))
}

impl Fleet {
    fn configuration(&self) -> Value {
        let owned = |ids: &BTreeMap<String, Vec<String>>, account: &str| -> Vec<String> {
            ids.iter()
                .filter(|(_, owners)| owners.iter().any(|owner| owner == account))
                .map(|(id, _)| id.clone())
                .collect()
        };
        let accounts: Vec<Value> = self
            .connected_accounts
            .iter()
            .map(|account| {
                let name = &account.connected_account_id;
                json!({
                    "connected_account_id": name,
                    "customer_key": account.customer_key,
                    "devices": owned(&self.devices, name),
                    "bridges": owned(&self.bridges, name),
                    "access_codes": [],
                })
            })
            .collect();
        json!({
            "environment": "test",
            "sources": [{ "name": "acme", "path": PATH, "verify": "none" }],
            "accounts": accounts,
            "on_unassigned": "reject",
            // A case is judged by itself, and what is said about time is exact.
            "order": { "slots": 0 },
            "delivery": { "retry_after_spread_s": 0 },
        })
    }
}

impl Case {
    /// Which row: the file, and what the manifest says of it.
    pub fn name(&self) -> String {
        format!("{} ({})", self.row.file, self.row.why)
    }

    /// The file of the body.
    pub fn file(&self) -> &str {
        &self.row.file
    }

    /// The event on its way to an upstream that accepts it.
    pub fn exchange(&self) -> Exchange {
        Exchange::post(PATH, &self.body)
    }

    /// Holds an ending against the row.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&self, ending: &Ending) -> Result<()> {
        let Row { status, cause, accounts, assigned_by, .. } = &self.row;
        ensure!(ending.status == Some(*status), "status {:?}, not {status}: {ending:?}", ending.status);
        ensure!(ending.cause == *cause, "cause {:?}, not {cause:?}: {ending:?}", ending.cause);
        let forwarded = ending.upstream.is_some();
        ensure!(forwarded == cause.is_none(), "upstream and the answer disagree: {ending:?}");
        // A few rows leave open who owns the subject, or how.
        if let Some(accounts) = accounts {
            let mut accounts = accounts.clone();
            accounts.sort();
            let named = ending.upstream_header("x-connected-account-id");
            ensure!(named == Some(&accounts.join(",")), "accounts: {ending:?}");
        }
        if let Some(assigned_by) = assigned_by {
            ensure!(ending.upstream_header("x-assigned-by") == Some(assigned_by), "assigned by: {ending:?}");
        }
        self.check_that_nothing_is_repeated(ending)
    }

    /// No quoted value of the body may stand in a refusal: the names of members may.
    fn check_that_nothing_is_repeated(&self, ending: &Ending) -> Result<()> {
        if ending.cause.is_none() {
            return Ok(());
        }
        // The only value that a message of Bellhop's own shows.
        let answer = serde_json::to_string(ending)?.replace("such as 2025-05-22T10:48:18Z", "");
        let body = String::from_utf8_lossy(&self.body);
        let parts: Vec<_> = body.split('"').collect();
        for pair in parts.windows(2) {
            let [part, after] = pair else { continue };
            let is_name = after.trim_start().starts_with(':');
            // Shorter ones occur in any text.
            if !is_name && part.trim().len() >= 6 {
                ensure!(!answer.contains(part.trim()), "{part:?} is repeated in {answer}");
            }
        }
        Ok(())
    }
}
