//! Pages for people: files that are part of the program, and the headers that keep them to themselves. It fills nothing in:
//! what a page shows, its scripts ask for.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Redirect, Response};
use axum::routing::get;
use event_core::event_id::content_id;

/// A page and what it loads.
pub(super) struct Page {
    /// Where it is, e.g. `/console`. Its files are below.
    pub(super) path: &'static str,
    /// The document.
    pub(super) document: &'static [u8],
    /// Everything else.
    pub(super) files: &'static [File],
    /// Whether its scripts run WebAssembly.
    pub(super) runs_wasm: bool,
}

/// A file of a page.
pub(super) struct File {
    /// Its name, which says its media type by its ending.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) bytes: &'static [u8],
}

/// What every page has.
pub(super) const BASE_STYLE: File = File { name: "base.css", bytes: include_bytes!("../../pages/base.css") };
/// So is this.
pub(super) const ICON: File = File { name: "icon.svg", bytes: include_bytes!("../../pages/icon.svg") };

/// A file as it is answered.
struct Ready {
    body: Bytes,
    tag: HeaderValue,
    media_type: &'static str,
    policy: &'static str,
}

/// Scripts, styles and data of this origin and no other, nothing inline, nothing in a frame. Text cannot become markup:
/// there is no policy that could make it trusted.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The same, and code that was compiled before.
const POLICY_WITH_WASM: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                                img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                                frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

impl Page {
    /// The routes of the page and its files.
    pub(super) fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let policy = if self.runs_wasm { POLICY_WITH_WASM } else { POLICY };
        let document = Arc::new(Ready::new("index.html", self.document, policy));
        let serve = move |request: Request| async move { document.answer(request.headers()) };
        // Relative addresses in the document begin beside it, not below.
        let back = Redirect::permanent(&format!("..{}", self.path));
        let mut router = Router::new()
            .route(self.path, get(serve))
            .route(&format!("{}/", self.path), get(async move || back.clone()));
        for file in self.files {
            let ready = Arc::new(Ready::new(file.name, file.bytes, policy));
            let serve = move |request: Request| async move { ready.answer(request.headers()) };
            router = router.route(&format!("{}/{}", self.path, file.name), get(serve));
        }
        router
    }
}

impl Ready {
    fn new(name: &str, bytes: &'static [u8], policy: &'static str) -> Self {
        let media_type = match name.rsplit('.').next().unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            "wasm" => "application/wasm",
            "json" => "application/json",
            _ => "application/octet-stream",
        };
        // Hexadecimal digits: this cannot fail.
        let tag = HeaderValue::try_from(format!("\"{}\"", content_id("", bytes)));
        let tag = tag.unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Self { body: Bytes::from_static(bytes), tag, media_type, policy }
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let is_known = request.get_all(IF_NONE_MATCH).iter().any(|known| {
            let mut known = known.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            known.any(|tag| tag == self.tag.as_bytes())
        });
        let mut response =
            Response::new(if is_known { Body::empty() } else { Body::from(self.body.clone()) });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag.clone());
        for (name, value) in [
            (CONTENT_TYPE, self.media_type),
            (CONTENT_SECURITY_POLICY, self.policy),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            // The next version of the program has other files under the same names.
            (CACHE_CONTROL, "no-cache"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
