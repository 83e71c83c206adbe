//! `/v1/accounts…`: accounts, how far their syncs are, and what they have.

pub(super) mod ids;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::extract;
use super::lists::{self, List};
use crate::clock;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::service::{App, Shared};
use crate::store::{AccountSync, AccountsOf, AcsEntrance, AcsSystem, ConnectedAccount, Device, PageRequest};

/// The parameter of the path, as it is percent-encoded by whoever calls.
type Id = Result<Path<String>, PathRejection>;

/// A connected account. Times are Unix milliseconds.
#[derive(Serialize, ToSchema)]
pub(super) struct Account {
    connected_account_id: String,
    #[schema(required = true)]
    customer_key: Option<String>,
    /// `seam` or `import`.
    origin: &'static str,
    /// `connected` until its first sync is done, then `ready`; `disconnected` while the connection does not work.
    state: &'static str,
    #[schema(required = true)]
    source: Option<String>,
    #[schema(required = true)]
    provider: Option<String>,
    wait_for_device_creation: bool,
    has_devices: bool,
    has_acs_systems: bool,
    #[schema(required = true)]
    synced_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    #[schema(required = true)]
    sync: Option<Sync>,
}

/// The sync job of an account; null if it has none, as imported accounts.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountSync)]
struct Sync {
    /// When it is due, or was when it began.
    due_at: i64,
    /// How often in a row it has failed.
    attempts: i64,
    /// Why, the last time.
    #[schema(required = true)]
    last_error: Option<String>,
    /// Whether a process is at it.
    is_running: bool,
}

impl From<AccountSync> for Sync {
    fn from(sync: AccountSync) -> Self {
        let AccountSync { due_at, attempts, last_error, lease_until } = sync;
        Self { due_at, attempts, last_error, is_running: lease_until > clock::now_ms() }
    }
}

impl From<ConnectedAccount> for Account {
    fn from(account: ConnectedAccount) -> Self {
        Self {
            connected_account_id: account.connected_account_id,
            customer_key: account.customer_key,
            origin: account.origin.name(),
            state: account.state.name(),
            source: account.source,
            provider: account.provider,
            wait_for_device_creation: account.wait_for_devices,
            has_devices: account.has_devices,
            has_acs_systems: account.has_acs,
            synced_at: account.synced_at,
            created_at: account.created_at,
            updated_at: account.updated_at,
            sync: account.sync.map(Into::into),
        }
    }
}

/// A device.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct DeviceItem {
    device_id: String,
    is_managed: bool,
    #[schema(required = true)]
    device_type: Option<String>,
    #[schema(required = true)]
    display_name: Option<String>,
    /// The source whose events it appears in; without one it is assigned to nobody.
    #[schema(required = true)]
    source: Option<String>,
    /// Every id that its events can carry.
    ids: Vec<EventId>,
}

/// An id that events can carry.
#[derive(Serialize, ToSchema)]
pub(super) struct EventId {
    /// `device_id`, `bridge_id` or `access_code_id`.
    kind: &'static str,
    id: String,
}

impl From<Device> for DeviceItem {
    fn from(device: Device) -> Self {
        let id = |owned: crate::store::OwnedId| EventId { kind: owned.kind.name(), id: owned.id };
        Self {
            device_id: device.device_id,
            is_managed: device.managed,
            device_type: device.device_type,
            display_name: device.display_name,
            source: device.source,
            ids: device.ids.into_iter().map(id).collect(),
        }
    }
}

/// An access control system.
#[derive(Serialize, ToSchema)]
#[schema(as = AcsSystem)]
pub(super) struct AcsSystemItem {
    acs_system_id: String,
    #[schema(required = true)]
    system_type: Option<String>,
    #[schema(required = true)]
    display_name: Option<String>,
}

impl From<AcsSystem> for AcsSystemItem {
    fn from(system: AcsSystem) -> Self {
        let AcsSystem { acs_system_id, system_type, display_name } = system;
        Self { acs_system_id, system_type, display_name }
    }
}

/// An entrance of an access control system.
#[derive(Serialize, ToSchema)]
#[schema(as = AcsEntrance)]
pub(super) struct AcsEntranceItem {
    acs_entrance_id: String,
    acs_system_id: String,
    #[schema(required = true)]
    display_name: Option<String>,
}

impl From<AcsEntrance> for AcsEntranceItem {
    fn from(entrance: AcsEntrance) -> Self {
        let AcsEntrance { acs_entrance_id, acs_system_id, display_name } = entrance;
        Self { acs_entrance_id, acs_system_id, display_name }
    }
}

async fn find(app: &Shared, id: Id) -> Result<ConnectedAccount, Problem> {
    let id = extract::path_id("connected_account_id", id)?;
    app.store.account(&id).await?.ok_or_else(|| Problem::new(Kind::NotFound, "no account has this id"))
}

/// The query of the list, for the document: it is read by `extract`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes")]
struct Query {
    /// A customer key or an account id, whole: those of the one, and the other.
    q: Option<String>,
    /// `failing`: only those whose last sync failed.
    sync: Option<String>,
}

/// All accounts, those that are called so, or those whose last sync failed, by their ids.
#[utoipa::path(
    get,
    path = "/v1/accounts",
    params(Query, lists::Parameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of them", body = List<Account>),
        (status = 400, description = "A bad query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<Account>>, Problem> {
    let [q, sync, limit, cursor] = extract::query(query.as_deref(), ["q", "sync", "limit", "page_cursor"])?;
    let q = extract::id("q", q)?;
    let failing = |name: &str| (name == "failing").then_some(());
    let is_failing = extract::one_of(sync, failing, "`sync` has to be `failing`")?.is_some();
    let after = extract::id("page_cursor", cursor)?;
    let page = PageRequest { after: after.as_deref(), limit: lists::limit(limit)? };
    let which = q.as_deref().map_or(AccountsOf::Everyone, AccountsOf::Named);
    Ok(List::of(app.store.accounts(which, is_failing, page).await?))
}

/// An account.
#[utoipa::path(
    get,
    path = "/v1/accounts/{connected_account_id}",
    params(("connected_account_id" = String, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The account", body = Account),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn account(
    State(app): State<App>,
    id: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<Account>, Problem> {
    extract::query(query.as_deref(), [])?;
    Ok(Json(find(&app, id).await?.into()))
}

/// Its devices, managed or not.
#[utoipa::path(
    get,
    path = "/v1/accounts/{connected_account_id}/devices",
    params(("connected_account_id" = String, Path), lists::Parameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of them", body = List<DeviceItem>),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn devices(
    State(app): State<App>,
    id: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<List<DeviceItem>>, Problem> {
    let request = lists::Request::read(query.as_deref())?;
    let account = find(&app, id).await?;
    Ok(List::of(app.store.devices(&account.connected_account_id, request.page()).await?))
}

/// Its access control systems.
#[utoipa::path(
    get,
    path = "/v1/accounts/{connected_account_id}/acs_systems",
    params(("connected_account_id" = String, Path), lists::Parameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of them", body = List<AcsSystemItem>),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn acs_systems(
    State(app): State<App>,
    id: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<List<AcsSystemItem>>, Problem> {
    let request = lists::Request::read(query.as_deref())?;
    let account = find(&app, id).await?;
    Ok(List::of(app.store.acs_systems(&account.connected_account_id, request.page()).await?))
}

/// The entrances of its access control systems.
#[utoipa::path(
    get,
    path = "/v1/accounts/{connected_account_id}/acs_entrances",
    params(("connected_account_id" = String, Path), lists::Parameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of them", body = List<AcsEntranceItem>),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn acs_entrances(
    State(app): State<App>,
    id: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<List<AcsEntranceItem>>, Problem> {
    let request = lists::Request::read(query.as_deref())?;
    let account = find(&app, id).await?;
    Ok(List::of(app.store.acs_entrances(&account.connected_account_id, request.page()).await?))
}
