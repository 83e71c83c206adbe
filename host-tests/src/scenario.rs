//! Scenario files: what they hold, how they are read and how their expectations are written. `scenarios/README.md` has the
//! format. It runs none of them.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use toml_edit::{DocumentMut, Item};

use crate::on_envoy::{Behind, Edge};
use crate::{Ending, Exchange, Failure, Step};

/// What a scenario can run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runner {
    /// The native core.
    Core,
    /// The compiled plugin in the simulator.
    Simulator,
    /// Real Envoy, with an HTTP/1.1 client.
    EnvoyHttp1,
    /// Real Envoy, with an HTTP/2 client.
    EnvoyHttp2,
}

impl Runner {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Core, Self::Simulator, Self::EnvoyHttp1, Self::EnvoyHttp2];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Simulator => "simulator",
            Self::EnvoyHttp1 => "Envoy over HTTP/1.1",
            Self::EnvoyHttp2 => "Envoy over HTTP/2",
        }
    }
}

/// One file.
#[derive(Debug)]
pub struct Scenario {
    /// The path below the folder of scenarios, without its ending.
    pub name: String,
    /// What it runs on.
    pub runs_on: BTreeSet<Runner>,
    /// The edge that it wants.
    pub edge: Edge,
    /// What that edge is called: equal for equal edges.
    pub edge_name: String,
    /// The requests in order, each with what must come of it; `None` only before the first blessing.
    pub requests: Vec<(Exchange, Option<Ending>)>,
    path: PathBuf,
}

impl Scenario {
    /// How often the router tries the request of this ending.
    pub fn attempts(expected: &Ending) -> usize {
        expected.upstream.as_ref().map_or(1, |upstream| upstream.attempts)
    }

    /// Writes what came of each request into the file. Everything else in there stays as it is.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn bless(&self, endings: &[Ending]) -> Result<()> {
        let mut document: DocumentMut = fs::read_to_string(&self.path)?.parse()?;
        let requests = document["request"].as_array_of_tables_mut().context("no requests")?;
        ensure!(requests.len() == endings.len(), "as many endings as requests");
        for (request, ending) in requests.iter_mut().zip(endings) {
            let written = toml_edit::ser::to_document(ending)?;
            let mut table = written.as_table().clone();
            for (_, item) in table.iter_mut() {
                lay_out(item);
            }
            request.insert("expect", Item::Table(table));
        }
        let text = document.to_string();
        if fs::read_to_string(&self.path)? != text {
            fs::write(&self.path, text)?;
        }
        Ok(())
    }
}

/// One pair a line, and tables as tables.
fn lay_out(item: &mut Item) {
    if let Some(inline) = item.as_inline_table().cloned() {
        let mut table = inline.into_table();
        for (_, item) in table.iter_mut() {
            lay_out(item);
        }
        *item = Item::Table(table);
    }
    let Some(list) = item.as_array_mut().filter(|list| !list.is_empty()) else { return };
    for value in list.iter_mut() {
        value.decor_mut().set_prefix("\n    ");
    }
    list.set_trailing("\n");
    list.set_trailing_comma(true);
}

/// The folder of scenarios.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Every scenario, in the order of their names.
///
/// # Errors
/// When a file is malformed, or a configuration or body is used by none.
pub fn load() -> Result<Vec<Scenario>> {
    let folder = folder();
    let mut files = BTreeMap::new();
    list(&folder, &folder, &mut files)?;
    let (scenarios, fixtures): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(name, _)| name.ends_with(".toml"));
    let mut unused: BTreeSet<String> =
        fixtures.into_iter().map(|(name, _)| name).filter(|name| name != "README.md").collect();
    let mut loaded = Vec::new();
    for (name, path) in scenarios {
        let text = fs::read_to_string(&path)?;
        let file: file::Scenario = toml_edit::de::from_str(&text).with_context(|| name.clone())?;
        let used = |fixture: &str| {
            unused.remove(fixture);
            fs::read(folder.join(fixture)).with_context(|| format!("the fixture {fixture}"))
        };
        let name = name.trim_end_matches(".toml").to_owned();
        loaded.push(file.read(name.clone(), path, used).with_context(|| name)?);
    }
    ensure!(unused.is_empty(), "no scenario uses {unused:?}");
    let mut edges = BTreeMap::new();
    for scenario in &loaded {
        let first = edges.entry(&scenario.edge_name).or_insert(&scenario.edge);
        ensure!(*first == &scenario.edge, "{}: another environment for the same variables", scenario.name);
    }
    Ok(loaded)
}

/// Every file below the folder, by its path from `root`.
fn list(root: &Path, folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root)?.to_str().context("a name that is not UTF-8")?.to_owned();
            files.insert(name, path);
        }
    }
    Ok(())
}

/// What stands behind the edge is what the scripts ask for; one edge has one of them.
fn behind(requests: &[(Exchange, Option<Ending>)]) -> Result<Behind> {
    let wanted: BTreeSet<Behind> = requests
        .iter()
        .flat_map(|(exchange, _)| &exchange.upstream)
        .map(|step| match step {
            Step::Fail(Failure::Connect) => Behind::Refusing,
            Step::Fail(Failure::NoHost) => Behind::Nobody,
            Step::Fail(Failure::Reset | Failure::Timeout) | Step::Answer { .. } => Behind::Listening,
        })
        .collect();
    match wanted.into_iter().collect::<Vec<_>>().as_slice() {
        [] => Ok(Behind::Listening),
        [one] => Ok(*one),
        _ => bail!("`connect` and `no-host` hold for every step of a scenario"),
    }
}
