//! `/inspect`: the page on which events are tried. It is static, asks nothing of this service, and is there if it was built in.

use axum::Router;

/// Where it is.
pub(super) const PATH: &str = "/inspect";

#[cfg(feature = "inspector")]
mod built_in {
    use super::super::page::{BASE_STYLE, File, ICON, Page};

    macro_rules! file {
        ($name:literal) => {
            File { name: $name, bytes: include_bytes!(concat!(env!("BELLHOP_INSPECTOR"), "/", $name)) }
        };
    }

    /// The page, from the folder that the build script has found.
    pub(super) const PAGE: Page = Page {
        path: super::PATH,
        document: include_bytes!(concat!(env!("BELLHOP_INSPECTOR"), "/index.html")),
        files: &[
            BASE_STYLE,
            ICON,
            file!("core.js"),
            file!("dom.js"),
            file!("editor.js"),
            file!("inspector.css"),
            file!("inspector.js"),
            file!("inspector_bg.wasm"),
            file!("link.js"),
            file!("main.js"),
            file!("result.js"),
            file!("signing.js"),
        ],
        runs_wasm: true,
    };
}

/// The routes of the page and its files.
#[cfg(feature = "inspector")]
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    built_in::PAGE.routes()
}

/// Says what is missing.
#[cfg(not(feature = "inspector"))]
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    use crate::problem::{Kind, Problem};

    let missing =
        "this program was built without the inspector: `cargo xtask inspector` builds one that has it";
    Router::new().route(PATH, axum::routing::get(async move || Problem::new(Kind::RouteUnknown, missing)))
}
