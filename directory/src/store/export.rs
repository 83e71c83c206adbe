//! Exporting every account as JSON lines that an import takes. One query, so one moment of the database.

use std::future::poll_fn;
use std::io::Write;

use sqlx::FromRow;

use super::lines::Line;
use super::{Store, StoreError, kind_of};
use directory_api::AssignedBy;

/// A line is ended after so many ids, and the account goes on in the next one: lines stay far below the bound of an
/// import.
const IDS_OF_A_LINE: usize = 10_000;

/// How much was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Lines that were written.
    pub lines: u64,
    /// Ids on them.
    pub ids: u64,
}

/// An account and one of its ids, if it has any.
#[derive(FromRow)]
struct Row {
    connected_account_id: String,
    customer_key: Option<String>,
    source: Option<String>,
    kind: Option<i64>,
    id: Option<String>,
}

impl Store {
    /// Writes every account with the ids that it owns. Links that events taught are left out: events teach them again.
    /// Writing blocks: for files, at the command line.
    ///
    /// # Errors
    /// If writing or the database fails.
    pub async fn export(&self, mut writer: impl Write + Send) -> Result<Exported, StoreError> {
        let sql = "SELECT a.connected_account_id AS connected_account_id, a.customer_key AS customer_key, \
                   o.source AS source, o.kind AS kind, o.id AS id \
                   FROM accounts a LEFT JOIN owned_ids o ON o.connected_account_id = a.connected_account_id \
                   ORDER BY a.connected_account_id, o.source, o.kind, o.id";
        let mut rows = sqlx::query_as(sql).fetch(&self.reader);
        let mut exported = Exported::default();
        let mut current: Option<Line> = None;
        while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
            let row: Row = row?;
            let source = row.source.filter(|source| !source.is_empty());
            let goes_on = current.as_ref().is_some_and(|line| {
                line.connected_account_id == row.connected_account_id
                    && line.source == source
                    && line.n_ids() < IDS_OF_A_LINE
            });
            if !goes_on && let Some(line) = current.take() {
                exported.write(&mut writer, &line)?;
            }
            let line = current.get_or_insert_with(|| Line {
                connected_account_id: row.connected_account_id,
                customer_key: row.customer_key,
                source,
                devices: Vec::new(),
                bridges: Vec::new(),
                access_codes: Vec::new(),
            });
            let Some((kind, id)) = row.kind.zip(row.id) else { continue };
            match kind_of(kind)? {
                AssignedBy::DeviceId => line.devices.push(id),
                AssignedBy::BridgeId => line.bridges.push(id),
                AssignedBy::AccessCodeId => line.access_codes.push(id),
            }
        }
        if let Some(line) = current {
            exported.write(&mut writer, &line)?;
        }
        writer.flush()?;
        Ok(exported)
    }
}

impl Exported {
    fn write(&mut self, writer: &mut impl Write, line: &Line) -> Result<(), StoreError> {
        serde_json::to_writer(&mut *writer, line).map_err(std::io::Error::from)?;
        writer.write_all(b"\n")?;
        self.lines += 1;
        self.ids += line.n_ids() as u64;
        Ok(())
    }
}
