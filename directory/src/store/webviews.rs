//! Which Connect Webview an account was connected through. It stores nothing of the webview itself: the API has that.

use super::{Store, StoreError};

impl Store {
    /// Stores the webview of an account, in place of an earlier one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn put_webview(
        &self,
        connected_account_id: &str,
        connect_webview_id: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO webviews (connected_account_id, connect_webview_id) VALUES ($1, $2) \
             ON CONFLICT (connected_account_id) DO UPDATE SET connect_webview_id = excluded.connect_webview_id",
        )
        .bind(connected_account_id)
        .bind(connect_webview_id)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The webview of an account, where one is known.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn webview(&self, connected_account_id: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT connect_webview_id FROM webviews WHERE connected_account_id = $1";
        let row: Option<(String,)> =
            sqlx::query_as(sql).bind(connected_account_id).fetch_optional(&self.reader).await?;
        Ok(row.map(|(id,)| id))
    }
}
