//! `cargo xtask up --send-examples`: posts example events and compares what became of each. It judges no body of an answer
//! beyond its cause.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use testbed::bootstrap::Bootstrap;
use testbed::gateway::Launch;
use testbed::http1;
use testbed::message::{Headers, Request};
use testbed::upstream::Upstream;

use crate::examples::{self, Example, Fate};
use crate::setup;

/// The bad events that are shown beside those of the provider documentation, one of a kind.
const BAD: [&str; 16] = [
    "refuse_access_code_created_code_number.json",
    "refuse_bom_utf8.json",
    "refuse_depth_200.json",
    "refuse_device_added_unknown.json",
    "refuse_dupkey_device_id.json",
    "refuse_empty_body.json",
    "refuse_emptystr_device_id.json",
    "refuse_encoding_utf16le.json",
    "refuse_ids_both_conflicting.json",
    "refuse_missing_event_type_plain.json",
    "refuse_missing_ids_device_online.json",
    "refuse_nan_NaN.json",
    "refuse_timestamp_epoch_s.json",
    "refuse_toplevel_positional_dtd.json",
    "refuse_truncated_half.json",
    "refuse_ts_no_offset.json",
];

/// Posts them and shows a table. Whether every one met its expected fate.
pub(crate) fn send_examples() -> anyhow::Result<bool> {
    let envoy = setup::gateway(&["plugin"])?;
    let examples = examples::read()?;
    let shown = choose(&examples.all)?;
    let upstream = Upstream::start()?;
    let bootstrap = Bootstrap::of_repository()
        .context("envoy.yaml cannot be read")?
        .on_free_ports(upstream.port())?
        .plugin_configuration(&examples.plugin_configuration)?;
    setup::announce("starting Envoy with envoy.yaml, on free ports and with the accounts of the examples");
    let gateway = Launch::new(envoy, bootstrap.into_text()).start()?;
    let edge = gateway.listener("edge")?;

    println!();
    println!("{}", row(["event", "status", "cause", "account", "assigned by", ""]));
    let mut n_other = 0;
    for example in &shown {
        let fate = send(edge, &upstream, example)?;
        let verdict = if fate == example.expected { "as expected" } else { "OTHER THAN EXPECTED" };
        n_other += usize::from(fate != example.expected);
        println!("{}", fate_row(&example.file, &fate, verdict));
        if fate != example.expected {
            println!("{}", fate_row("  expected", &example.expected, ""));
        }
    }
    println!("\n{} as expected, {n_other} other than expected", shown.len() - n_other);
    Ok(n_other == 0)
}

/// The verbatim events of the documentation, then the bad ones.
fn choose(all: &[Example]) -> anyhow::Result<Vec<&Example>> {
    let mut chosen: Vec<_> = all.iter().filter(|example| example.file.contains("_seed_")).collect();
    for file in BAD {
        let found = all.iter().find(|example| example.file == file);
        chosen.push(found.with_context(|| format!("the manifest of the events has no {file}"))?);
    }
    Ok(chosen)
}

/// Posts one event and looks at both ends.
fn send(edge: SocketAddr, upstream: &Upstream, example: &Example) -> anyhow::Result<Fate> {
    let request = Request::post_json(examples::PATH, &example.body);
    let response = http1::send(edge, &request).with_context(|| format!("no answer to {}", example.file))?;
    let cause = response.json().ok().and_then(|problem| Some(problem["cause"].as_str()?.to_owned()));
    let arrived = upstream.take();
    let fate = Fate { status: response.status, cause, ..Fate::default() };
    match (response.status, arrived.as_slice()) {
        (200, [received]) => {
            if received.body != example.body {
                bail!("{} reached the upstream with another body", example.file);
            }
            Ok(Fate {
                accounts: accounts(&received.headers),
                assigned_by: received.headers.get("x-assigned-by").map(str::to_owned),
                ..fate
            })
        }
        (200, others) => {
            bail!("{} was answered 200 and reached the upstream {} times", example.file, others.len())
        }
        (_, []) => Ok(fate),
        (status, _) => bail!("{} was answered {status} and yet reached the upstream", example.file),
    }
}

fn accounts(headers: &Headers) -> Vec<String> {
    let named = headers.get("x-connected-account-id").unwrap_or_default();
    named.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

fn fate_row(file: &str, fate: &Fate, verdict: &str) -> String {
    let status = fate.status.to_string();
    let cause = fate.cause.as_deref().unwrap_or("-");
    let accounts = if fate.accounts.is_empty() { "-".to_owned() } else { fate.accounts.join(",") };
    row([file, &status, cause, &accounts, fate.assigned_by.as_deref().unwrap_or("-"), verdict])
}

fn row([event, status, cause, account, assigned_by, verdict]: [&str; 6]) -> String {
    let row = format!("{event:<47} {status:<6} {cause:<17} {account:<10} {assigned_by:<12} {verdict}");
    row.trim_end().to_owned()
}
