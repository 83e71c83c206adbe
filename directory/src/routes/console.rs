//! `/console`: the page for operators. It shows nothing by itself: its scripts ask the routes below `/v1` with the token
//! that the operator gives them.

use super::page::{BASE_STYLE, File, ICON, Page};

/// Where it is.
pub(super) const PATH: &str = "/console";

macro_rules! file {
    ($name:literal) => {
        File { name: $name, bytes: include_bytes!(concat!("../../pages/console/", $name)) }
    };
}

/// The page.
pub(super) const PAGE: Page = Page {
    path: PATH,
    document: include_bytes!("../../pages/console/index.html"),
    files: &[
        BASE_STYLE,
        ICON,
        file!("accounts.js"),
        file!("api.js"),
        file!("console.css"),
        file!("dialog.js"),
        file!("dom.js"),
        file!("list.js"),
        file!("main.js"),
        file!("place.js"),
        file!("quarantine.js"),
        file!("unassigned.js"),
    ],
    runs_wasm: false,
};
