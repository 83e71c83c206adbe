//! `/v1/customers/…`: the accounts of a customer.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};

use super::accounts::Account;
use super::extract;
use super::lists::{self, List};
use crate::problem::{Problem, ProblemBody};
use crate::service::App;
use crate::store::AccountsOf;

/// The accounts of a customer; none if nobody has connected with this key.
#[utoipa::path(
    get,
    path = "/v1/customers/{customer_key}/accounts",
    params(("customer_key" = String, Path), lists::Parameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of them", body = List<Account>),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn accounts(
    State(app): State<App>,
    customer_key: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<Account>>, Problem> {
    let request = lists::Request::read(query.as_deref())?;
    let customer_key = extract::path_id("customer_key", customer_key)?;
    let accounts = app.store.accounts(AccountsOf::Customer(&customer_key), false, request.page()).await?;
    Ok(List::of(accounts))
}
