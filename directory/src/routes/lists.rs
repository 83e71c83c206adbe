//! Lists by pages: their parameters and their form. It does not know what is listed.

use axum::Json;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::extract;
use crate::problem::{Kind, Problem};
use crate::store::{Page, PageRequest};

/// The most items of a page.
const MOST: u16 = 500;

/// How many a page has if nothing is said.
const USUAL: u16 = 100;

/// The query, for the document: it is read by [`Request::read`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes")]
pub(super) struct Parameters {
    /// The most items, 1 to 500; 100 if it is left out.
    limit: Option<u16>,
    /// What the page before gave as `next_page_cursor`.
    page_cursor: Option<String>,
}

/// Which page is asked for.
pub(super) struct Request {
    limit: u16,
    after: Option<String>,
}

impl Request {
    pub(super) fn read(query: Option<&str>) -> Result<Self, Problem> {
        let [limit, after] = extract::query(query, ["limit", "page_cursor"])?;
        Ok(Self { limit: self::limit(limit)?, after: extract::id("page_cursor", after)? })
    }

    pub(super) fn page(&self) -> PageRequest<'_> {
        PageRequest { after: self.after.as_deref(), limit: self.limit }
    }
}

/// How many items a page shall have.
pub(super) fn limit(limit: Option<String>) -> Result<u16, Problem> {
    let limit =
        limit.map_or(Some(USUAL), |text| text.parse().ok().filter(|limit| (1..=MOST).contains(limit)));
    limit.ok_or_else(|| {
        Problem::new(Kind::RequestInvalid, format!("`limit` has to be a whole number from 1 to {MOST}"))
    })
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct List<T> {
    items: Vec<T>,
    /// Where the next page begins; null at the end.
    #[schema(required = true)]
    next_page_cursor: Option<String>,
}

impl<T> List<T> {
    pub(super) fn of<S: Into<T>>(page: Page<S>) -> Json<Self> {
        let items = page.items.into_iter().map(Into::into).collect();
        Json(Self { items, next_page_cursor: page.next })
    }
}
