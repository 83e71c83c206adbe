//! Registering our URL with a provider: once, whatever happens in between. It knows no command line.
//!
//! Before the first request an intent is stored. If the answer of that request is lost, the provider may have registered us
//! or not; the next run then looks at the provider's list before it asks again.

use seam::{Error, Provider, ProviderWebhook};
use url::Url;

use crate::store::{Registration, Store, StoreError};

/// The status of an intent: a request was sent, and its answer is not stored.
const ASKED: &str = "asked";

/// The status of an intent that the provider has refused: it may be sent again.
const REFUSED: &str = "refused";

/// What is to be registered where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where it shall deliver. One URL an environment, never one a user or an account.
    pub url: String,
    /// The event types.
    pub events: Vec<String>,
}

/// What a run has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// What is stored now.
    pub registration: Registration,
    /// What it took.
    pub action: Action,
    /// The event types that the provider left out.
    pub left_out: Vec<String>,
}

/// What it took to be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A new webhook.
    Created,
    /// Other events for the webhook that there was.
    Updated,
    /// The webhook of an earlier run whose answer had been lost.
    Found,
    /// Nothing: all is as wanted.
    Unchanged,
}

/// Why nothing was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// What shall be registered is no address that a provider can deliver to.
    #[error("the address to deliver to has to be a URL of http or https, without a user and a fragment")]
    Url,
    /// The provider did not do it.
    #[error("the provider did not register the URL")]
    Provider(#[from] Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An earlier request may have succeeded, and the provider has no list to look it up.
    #[error(
        "an earlier request may have registered the URL already, and the provider does not say: look there, then use --anew"
    )]
    Uncertain(#[source] Error),
}

/// Every event type that is known, sorted.
pub fn known_events() -> Vec<String> {
    let mut events: Vec<_> = event_core::shape::known_event_types().map(str::to_owned).collect();
    events.sort_unstable();
    events
}

/// Sees to it that the provider delivers these events to this URL. `anew`: even if an earlier request may have succeeded.
///
/// # Errors
/// See [`RegisterError`]. It can be run again after any of them.
pub async fn register(
    store: &Store,
    provider: &Provider,
    wanted: &Wanted,
    anew: bool,
    now: i64,
) -> Result<Registered, RegisterError> {
    let mut events = wanted.events.clone();
    events.sort_unstable();
    events.dedup();
    let url = delivery_url(&wanted.url).ok_or(RegisterError::Url)?;
    let stored = store.registration(provider.address(), &url).await?;
    let run = Run { store, provider, url, events, now };
    match stored {
        None => run.create().await,
        Some(stored) if stored.webhook_id.is_empty() && (anew || stored.status == REFUSED) => {
            run.create().await
        }
        Some(stored) if stored.webhook_id.is_empty() => run.find().await,
        Some(stored) if stored.events == run.events => {
            Ok(Registered { registration: stored, action: Action::Unchanged, left_out: Vec::new() })
        }
        Some(stored) => run.update(&stored.webhook_id).await,
    }
}

/// Written always the same way, so that no other spelling registers it a second time.
fn delivery_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let can_deliver = matches!(url.scheme(), "http" | "https") && url.fragment().is_none();
    let has_user = !url.username().is_empty() || url.password().is_some();
    (can_deliver && !has_user).then(|| url.to_string())
}

struct Run<'r> {
    store: &'r Store,
    provider: &'r Provider,
    url: String,
    events: Vec<String>,
    now: i64,
}

impl Run<'_> {
    async fn create(&self) -> Result<Registered, RegisterError> {
        self.put("", ASKED, Vec::new()).await?;
        match self.provider.register(&self.url, &self.events).await {
            Ok(webhook) => self.keep(webhook, Action::Created).await,
            Err(error) => {
                if is_refusal(&error) {
                    self.put("", REFUSED, Vec::new()).await?;
                }
                Err(error.into())
            }
        }
    }

    async fn update(&self, webhook_id: &str) -> Result<Registered, RegisterError> {
        match self.provider.update(webhook_id, &self.url, &self.events).await {
            Ok(webhook) => self.keep(webhook, Action::Updated).await,
            Err(error @ (Error::NotFound { .. } | Error::Refused { status: 404 | 410, .. })) => {
                // Somebody has deleted it there, or the provider knows no `PUT`. Its list tells.
                let is_there = self.listed().await?.is_some();
                if is_there { Err(error.into()) } else { self.create().await }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Our URL in the provider's list.
    async fn listed(&self) -> Result<Option<ProviderWebhook>, RegisterError> {
        let list = self.provider.list().await.map_err(RegisterError::Uncertain)?;
        Ok(list.into_iter().find(|it| it.url.as_deref() == Some(self.url.as_str())))
    }

    async fn find(&self) -> Result<Registered, RegisterError> {
        let Some(webhook) = self.listed().await? else { return self.create().await };
        let same = webhook.events.as_ref().is_some_and(|events| sorted(events.clone()) == self.events);
        if same { self.keep(webhook, Action::Found).await } else { self.update(&webhook.webhook_id).await }
    }

    /// Stores what the provider has. One that names no events has taken them all: the documented answer names none.
    async fn keep(&self, webhook: ProviderWebhook, action: Action) -> Result<Registered, RegisterError> {
        let accepted = webhook.events.map_or_else(|| self.events.clone(), sorted);
        let left_out = self.events.iter().filter(|it| !accepted.contains(it)).cloned().collect();
        let registration = self.put(&webhook.webhook_id, &webhook.status, accepted).await?;
        Ok(Registered { registration, action, left_out })
    }

    async fn put(
        &self,
        webhook_id: &str,
        status: &str,
        events: Vec<String>,
    ) -> Result<Registration, StoreError> {
        let registration = Registration {
            provider_url: self.provider.address().to_owned(),
            url: self.url.clone(),
            webhook_id: webhook_id.to_owned(),
            status: status.to_owned(),
            events,
            updated_at: self.now,
        };
        self.store.put_registration(&registration).await?;
        Ok(registration)
    }
}

fn sorted(mut events: Vec<String>) -> Vec<String> {
    events.sort_unstable();
    events.dedup();
    events
}

/// Whether the provider has certainly not registered anything.
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Unauthorised { .. }
        | Error::NotFound { .. }
        | Error::RateLimited { .. }
        | Error::Refused { .. } => true,
        Error::Outage { .. }
        | Error::Malformed { .. }
        | Error::TooLarge { .. }
        | Error::RepeatedCursor
        | Error::TooManyPages { .. }
        | Error::Transport { .. } => false,
    }
}
