//! What Seam tells of accounts: signed webhooks, read as hints. The API is asked by the sync jobs that they cause, not here.

mod hint;
mod signature;

pub use hint::{Hint, NoHint, Reason};
pub use signature::{BadSecret, Signatures, Unverified};

use crate::store::{Connection, NewAccount, Store, StoreError};

/// Devices come and go in batches: one sync for all of them.
const BATCH_MS: i64 = 2_000;

impl Hint {
    /// Stores what the webhook itself says, and asks for a sync of its account.
    ///
    /// # Errors
    /// If the database fails. Nothing is lost: Seam delivers again what was not answered with 2xx.
    pub async fn apply(&self, store: &Store, now: i64) -> Result<(), StoreError> {
        let id = self.connected_account_id.as_str();
        let due_at = match &self.reason {
            Reason::Connected { customer_key, connect_webview_id } => {
                self.put_account(store, customer_key.as_deref(), false, now).await?;
                if let Some(webview) = connect_webview_id {
                    store.put_webview(id, webview).await?;
                }
                now
            }
            Reason::FirstSynced => {
                self.put_account(store, None, true, now).await?;
                now
            }
            Reason::Changed => now,
            Reason::DevicesChanged => now + BATCH_MS,
        };
        store.want_sync(id, due_at).await
    }

    async fn put_account(
        &self,
        store: &Store,
        customer_key: Option<&str>,
        first_synced: bool,
        now: i64,
    ) -> Result<(), StoreError> {
        let new = NewAccount {
            connected_account_id: &self.connected_account_id,
            source: None,
            provider: None,
            customer_key,
            connection: Connection::Connected,
            wait_for_devices: false,
            first_synced,
        };
        store.upsert_account(&new, now).await
    }
}
