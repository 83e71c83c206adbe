//! The routes and what holds for all of them: authentication, bounds, metrics. What each answers stands in its own file.
//!
//! A route is declared once, by the macro that also describes it: the OpenAPI document cannot leave one out.

mod accounts;
mod connected;
mod console;
mod customers;
mod extract;
mod health;
mod inspect;
mod links;
mod lists;
mod metrics;
mod openapi;
mod overview;
mod page;
mod quarantine;
mod resolve;
mod unassigned;
mod webhooks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::{Kind, Problem};
use crate::service::App;

/// A request that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// So is one that waits for the edge: at most a minute for each event, after at most 40 seconds of others.
const REPLAY_PATIENCE: Duration = Duration::from_secs(120);

/// All routes.
pub(crate) fn router(app: App) -> Router {
    let authenticated = OpenApiRouter::new()
        .routes(routes!(resolve::resolve))
        .routes(routes!(links::learn))
        .routes(routes!(customers::accounts))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::account))
        .routes(routes!(accounts::ids::ids))
        .routes(routes!(accounts::devices))
        .routes(routes!(accounts::acs_systems))
        .routes(routes!(accounts::acs_entrances))
        .routes(routes!(unassigned::list))
        .routes(routes!(overview::overview))
        .routes(routes!(quarantine::take, quarantine::list))
        .routes(routes!(quarantine::show, quarantine::remove))
        .routes(routes!(quarantine::replay::one))
        .routes(routes!(quarantine::replay::many))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::document))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), authenticate));
    // Whoever comes here shows what it may otherwise: nothing at all, or a signature.
    let open = OpenApiRouter::new()
        .routes(routes!(connected::connected))
        .routes(routes!(webhooks::receive))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), leave_room));
    let health = OpenApiRouter::new().routes(routes!(health::health)).routes(routes!(health::ready));
    let frame = OpenApiRouter::with_openapi(openapi::frame());
    let described = frame.merge(authenticated).merge(open).merge(health);
    let (router, document) = described.split_for_parts();
    // Pages are no part of the contract: the document leaves them out.
    let pages = console::PAGE.routes().merge(inspect::routes());
    let pages = pages.route_layer(middleware::from_fn_with_state(Arc::clone(&app), leave_room));
    router
        .merge(pages)
        .fallback(async || Problem::new(Kind::RouteUnknown, "no route has this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::MethodNotAllowed, "the header `allow` names the methods of this path")
        })
        .layer(axum::Extension(openapi::Document::new(&document)))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), bound))
        .with_state(app)
}

/// The inspector's page alone.
pub fn inspector() -> Router {
    inspect::routes()
        .route("/", axum::routing::get(async || axum::response::Redirect::to(inspect::PATH)))
        .fallback(async || Problem::new(Kind::RouteUnknown, "the page is at /inspect"))
}

/// Lets pass who shows a known bearer token.
async fn authenticate(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let token = match (values.next(), values.next()) {
        (Some(value), None) => bearer(value.as_bytes()),
        (_, _) => None,
    };
    if token.is_some_and(|token| app.knows_token(token)) {
        return next.run(request).await;
    }
    Problem::new(Kind::Unauthorized, "the header `authorization` has to be `Bearer` and a known token")
        .into_response()
}

/// The token of `Bearer …`; the scheme's case does not count (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// Bounds how many requests of strangers run: a body that comes slowly keeps its place for as long as it may.
async fn leave_room(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.strangers.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => overloaded(),
    }
}

fn overloaded() -> Response {
    Problem::new(Kind::Overloaded, "come again in a moment").into_response()
}

/// Bounds how many requests run and for how long, and counts them.
async fn bound(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(|path| openapi::known(path.as_str()));
    // Health tells whether the process lives: it must answer under load too.
    let is_health = route == Some("/health");
    let response = match app.room.try_acquire() {
        Err(_) if !is_health => overloaded(),
        permit => {
            let waits_for_edge = route.is_some_and(|route| route.ends_with("/replay"));
            let patience = if waits_for_edge { REPLAY_PATIENCE } else { PATIENCE };
            let answer = tokio::time::timeout(patience, next.run(request)).await;
            drop(permit);
            answer.unwrap_or_else(|_| {
                Problem::new(Kind::Unavailable, "the answer took too long").into_response()
            })
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    app.metrics.answered(route.unwrap_or("other"), response.status().as_u16(), seconds);
    response
}
