//! Asking a provider to deliver its events: `POST {provider}/webhooks` with `{url, events}`, which answers
//! `{webhook_id, status}`. It remembers nothing: whether a URL is registered already is the caller's to know.
//!
//! The provider documentation describes `POST` only. Changing the events is `PUT {provider}/webhooks/{webhook_id}` with
//! the same body, the whole new state, and looking is `GET {provider}/webhooks`, which answers a list, bare or as the
//! member `webhooks`. A provider that has neither answers 404, 405 or 501, which is an error here.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::Http;
use crate::model::is_id;
use crate::{Error, Limits, Secret, SetupError};

/// A client of one provider's registration.
#[derive(Debug)]
pub struct Provider {
    http: Http,
}

/// A webhook as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProviderWebhook {
    /// The provider's id of it.
    pub webhook_id: String,
    /// What the provider says of it, e.g. `active`.
    #[serde(default)]
    pub status: String,
    /// Where it delivers, if the provider says so.
    #[serde(default)]
    pub url: Option<String>,
    /// The event types that it accepted, if it says so.
    #[serde(default)]
    pub events: Option<Vec<String>>,
}

impl Provider {
    /// A client of the provider at this address, with a bearer token if it wants one.
    ///
    /// # Errors
    /// When the address or the token cannot be used.
    pub fn try_new(address: &str, token: Option<&Secret>, limits: Limits) -> Result<Self, SetupError> {
        Ok(Self { http: Http::try_new(address, token, limits)? })
    }

    /// The address, always written the same way for the same provider, without a slash at the end.
    #[must_use]
    pub fn address(&self) -> &str {
        self.http.base()
    }

    /// Registers a URL for these event types. Registering a URL again makes a second webhook with most providers.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn register(&self, url: &str, events: &[String]) -> Result<ProviderWebhook, Error> {
        let body = json!({ "url": url, "events": events });
        webhook(self.http.send(Method::POST, "/webhooks", Some(&body)).await?)
    }

    /// Replaces URL and event types of a webhook.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update(
        &self,
        webhook_id: &str,
        url: &str,
        events: &[String],
    ) -> Result<ProviderWebhook, Error> {
        let body = json!({ "url": url, "events": events });
        // A segment of its own, whatever the id holds.
        let id: String = url::form_urlencoded::byte_serialize(webhook_id.as_bytes()).collect();
        let path = format!("/webhooks/{}", id.replace('+', "%20"));
        webhook(self.http.send(Method::PUT, &path, Some(&body)).await?)
    }

    /// The webhooks that the provider has.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self) -> Result<Vec<ProviderWebhook>, Error> {
        let mut answer = self.http.send(Method::GET, "/webhooks", None).await?;
        let member = answer.get_mut("webhooks").map(Value::take);
        let list = match member {
            Some(list) => list,
            None if answer.is_array() => answer,
            None => return Err(Error::malformed("the list is missing")),
        };
        serde_json::from_value(list).map_err(|error| Error::malformed_json("a webhook", error))
    }
}

fn webhook(answer: Value) -> Result<ProviderWebhook, Error> {
    let webhook: ProviderWebhook =
        serde_json::from_value(answer).map_err(|error| Error::malformed_json("the webhook", error))?;
    if is_id(&webhook.webhook_id) { Ok(webhook) } else { Err(Error::malformed("the webhook's id")) }
}
