//! `accounts`: the embedded directory. What an id may look like is said by `shape`.

use super::reader::{Node, Object};
use super::{ACCOUNTS, ConfigError, ConfigFault, Source};
use crate::accounts::{Account, Accounts, MAX_PER_ID};
use crate::shape::formats::subject_id;
use crate::subject::IdKind;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// How many ids of one kind an account can list.
pub(super) const IDS: RangeInclusive<usize> = 0..=1_000_000;
/// Bytes in a connected account's id and in a customer's key.
pub(super) const ACCOUNT_BYTES: usize = 256;

const KEYS: &[&str] =
    &["access_codes", "bridges", "connected_account_id", "customer_key", "devices", "source"];

/// One account and what it claims.
struct Entry<'v> {
    account: Rc<Account>,
    source: Option<usize>,
    object: Object<'v>,
}

#[inline(never)]
pub(super) fn read(
    node: Option<Node<'_>>,
    sources: &[Source],
    id_bytes: usize,
) -> Result<Accounts, ConfigError> {
    let nodes = node.map_or_else(|| Ok(Vec::new()), |node| node.array(ACCOUNTS))?;
    let entries = nodes.iter().map(|node| read_entry(node, sources)).collect::<Result<Vec<_>, _>>()?;
    let mut accounts = Accounts::new(sources.len());
    // An id of one source takes over the owners that it has in every source: those must be complete by then.
    for of_one_source in [false, true] {
        for entry in entries.iter().filter(|entry| entry.source.is_some() == of_one_source) {
            claim(&mut accounts, entry, id_bytes)?;
        }
    }
    Ok(accounts)
}

fn read_entry<'v>(node: &Node<'v>, sources: &[Source]) -> Result<Entry<'v>, ConfigError> {
    let object = node.object(KEYS)?;
    let source = match object.optional("source") {
        None => None,
        Some(node) => {
            let name = node.string()?;
            let index = sources.iter().position(|source| &*source.name == name);
            Some(index.ok_or_else(|| node.expected("the name of a source"))?)
        }
    };
    let account = Account {
        connected_account_id: read_id(&object.required("connected_account_id")?, ACCOUNT_BYTES)?.into(),
        customer_key: match object.optional("customer_key") {
            None => None,
            Some(node) => Some(read_id(&node, ACCOUNT_BYTES)?.into()),
        },
    };
    Ok(Entry { account: Rc::new(account), source, object })
}

fn claim(accounts: &mut Accounts, entry: &Entry<'_>, id_bytes: usize) -> Result<(), ConfigError> {
    let kinds =
        [("devices", IdKind::Device), ("bridges", IdKind::Bridge), ("access_codes", IdKind::AccessCode)];
    for (key, kind) in kinds {
        let Some(list) = entry.object.optional(key) else { continue };
        for node in list.array(IDS)? {
            let id = read_id(&node, id_bytes)?;
            accounts
                .claim(entry.source, kind, id, &entry.account)
                .map_err(|_| node.fault(ConfigFault::TooManyOwners { limit: MAX_PER_ID }))?;
        }
    }
    Ok(())
}

fn read_id<'v>(node: &Node<'v>, limit: usize) -> Result<&'v str, ConfigError> {
    let id = node.string()?;
    if id.len() <= limit && subject_id(id) {
        Ok(id)
    } else {
        Err(node.expected(format!("1 to {limit} bytes, not blank and without control characters")))
    }
}
