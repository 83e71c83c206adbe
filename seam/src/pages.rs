//! A list of the API, page by page: bounded, and never round in a circle. It keeps no page.

use std::collections::HashSet;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Error;
use crate::http::Http;

/// Bytes in the longest cursor.
const MAX_CURSOR_BYTES: usize = 4096;

/// Which list: its route and the member that holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    pub(crate) path: &'static str,
    pub(crate) member: &'static str,
    /// Whether the API lets one say how many entries a page has.
    pub(crate) sized: bool,
}

/// The pages of one list, in order. After an error the same page can be asked for again.
#[derive(Debug)]
pub struct Pages<'c, T> {
    http: &'c Http,
    list: List,
    parameters: Map<String, Value>,
    place: Place,
    seen: HashSet<String>,
    entries: PhantomData<T>,
}

#[derive(Debug)]
enum Place {
    Start,
    At(String),
    End,
}

impl<'c, T: DeserializeOwned> Pages<'c, T> {
    pub(crate) fn new(http: &'c Http, list: List, mut parameters: Map<String, Value>) -> Self {
        if list.sized {
            parameters.insert("limit".to_owned(), http.limits.page_size.into());
        }
        Self { http, list, parameters, place: Place::Start, seen: HashSet::new(), entries: PhantomData }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// See [`Error`]. Entries that this client cannot read are an error of the whole page: leaving one out would lose
    /// a device silently.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, Error> {
        let mut body = self.parameters.clone();
        match &self.place {
            Place::Start => {}
            Place::At(cursor) => {
                body.insert("page_cursor".to_owned(), cursor.as_str().into());
            }
            Place::End => return Ok(None),
        }
        let answer = self.http.send(reqwest::Method::POST, self.list.path, Some(&body.into())).await?;
        let Value::Object(mut answer) = answer else { return Err(Error::malformed("no object")) };
        let next = self.place_after(answer.get("pagination"))?;
        let entries = answer.remove(self.list.member).ok_or(Error::malformed("the list is missing"))?;
        let entries =
            serde_json::from_value(entries).map_err(|error| Error::malformed_json("an entry", error))?;
        if let Place::At(cursor) = &next {
            self.seen.insert(cursor.clone());
        }
        self.place = next;
        Ok(Some(entries))
    }

    /// A list without `pagination` has one page.
    fn place_after(&self, pagination: Option<&Value>) -> Result<Place, Error> {
        let pagination = match pagination {
            None | Some(Value::Null) => return Ok(Place::End),
            Some(Value::Object(pagination)) => pagination,
            Some(_) => return Err(Error::malformed("pagination is no object")),
        };
        match pagination.get("has_next_page") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok(Place::End),
            _ => return Err(Error::malformed("pagination lacks has_next_page")),
        }
        let cursor = pagination.get("next_page_cursor").and_then(Value::as_str);
        let cursor = cursor.filter(|it| (1..=MAX_CURSOR_BYTES).contains(&it.len()));
        let cursor = cursor.ok_or(Error::malformed("a next page without a usable cursor"))?;
        if self.seen.contains(cursor) {
            return Err(Error::RepeatedCursor);
        }
        let limit = self.http.limits.pages;
        // The page in hand is the first beyond those that had a cursor.
        if self.seen.len() + 1 >= limit {
            return Err(Error::TooManyPages { limit });
        }
        Ok(Place::At(cursor.to_owned()))
    }
}
