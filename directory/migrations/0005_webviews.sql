-- The Connect Webview that an account was connected through: some things only the webview says.
CREATE TABLE webviews (
    connected_account_id TEXT NOT NULL PRIMARY KEY,
    connect_webview_id TEXT NOT NULL
);
