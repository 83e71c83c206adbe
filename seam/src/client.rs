//! The routes of the Seam API that the directory uses. It holds no state but its connections.

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::http::Http;
use crate::pages::List;
use crate::{
    AcsEntrance, AcsSystem, ConnectWebview, ConnectedAccount, Device, Error, Limits, NewConnectWebview,
    Pages, Secret, SetupError,
};

/// A client of the Seam API with one workspace's key. Cheap to share by reference; keeps connections open.
#[derive(Debug)]
pub struct Client {
    http: Http,
}

impl Client {
    /// A client of the API at this address, e.g. `https://connect.getseam.com`.
    ///
    /// # Errors
    /// When the address or the key cannot be used.
    pub fn try_new(address: &str, key: &Secret, limits: Limits) -> Result<Self, SetupError> {
        Ok(Self { http: Http::try_new(address, Some(key), limits)? })
    }

    /// Makes a Connect Webview.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_connect_webview(&self, new: &NewConnectWebview) -> Result<ConnectWebview, Error> {
        let mut body = Map::new();
        if let Some(key) = &new.customer_key {
            body.insert("customer_key".to_owned(), key.as_str().into());
        }
        if !new.accepted_providers.is_empty() {
            body.insert("accepted_providers".to_owned(), new.accepted_providers.clone().into());
        }
        if let Some(url) = &new.custom_redirect_url {
            body.insert("custom_redirect_url".to_owned(), url.as_str().into());
        }
        body.insert("wait_for_device_creation".to_owned(), new.wait_for_device_creation.into());
        self.get("/connect_webviews/create", body.into(), "connect_webview").await
    }

    /// One Connect Webview.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NotFound`] when there is none with this id.
    pub async fn connect_webview(&self, id: &str) -> Result<ConnectWebview, Error> {
        self.get("/connect_webviews/get", json!({ "connect_webview_id": id }), "connect_webview").await
    }

    /// The Connect Webviews of a customer, or all.
    pub fn connect_webviews(&self, customer_key: Option<&str>) -> Pages<'_, ConnectWebview> {
        let list = List { path: "/connect_webviews/list", member: "connect_webviews", sized: true };
        Pages::new(&self.http, list, of_customer(customer_key))
    }

    /// One connected account.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NotFound`] when there is none with this id.
    pub async fn connected_account(&self, id: &str) -> Result<ConnectedAccount, Error> {
        self.get("/connected_accounts/get", json!({ "connected_account_id": id }), "connected_account").await
    }

    /// The connected accounts of a customer, or all.
    pub fn connected_accounts(&self, customer_key: Option<&str>) -> Pages<'_, ConnectedAccount> {
        let list = List { path: "/connected_accounts/list", member: "connected_accounts", sized: true };
        Pages::new(&self.http, list, of_customer(customer_key))
    }

    /// The managed devices of an account. The API leaves unmanaged ones out here.
    pub fn devices(&self, connected_account_id: &str) -> Pages<'_, Device> {
        let list = List { path: "/devices/list", member: "devices", sized: true };
        Pages::new(&self.http, list, of_account(connected_account_id))
    }

    /// The unmanaged devices of an account.
    pub fn unmanaged_devices(&self, connected_account_id: &str) -> Pages<'_, Device> {
        let list = List { path: "/devices/unmanaged/list", member: "devices", sized: true };
        Pages::new(&self.http, list, of_account(connected_account_id))
    }

    /// The access control systems of an account. The API gives them in one page.
    pub fn acs_systems(&self, connected_account_id: &str) -> Pages<'_, AcsSystem> {
        let list = List { path: "/acs/systems/list", member: "acs_systems", sized: false };
        Pages::new(&self.http, list, of_account(connected_account_id))
    }

    /// The entrances of an access control system.
    pub fn acs_entrances(&self, acs_system_id: &str) -> Pages<'_, AcsEntrance> {
        let list = List { path: "/acs/entrances/list", member: "acs_entrances", sized: false };
        let parameters = Map::from_iter([("acs_system_id".to_owned(), acs_system_id.into())]);
        Pages::new(&self.http, list, parameters)
    }

    /// One object, under its name in the answer.
    async fn get<T: DeserializeOwned>(&self, path: &str, body: Value, member: &str) -> Result<T, Error> {
        let mut answer = self.http.send(Method::POST, path, Some(&body)).await?;
        let object =
            answer.get_mut(member).map(Value::take).ok_or(Error::malformed("the object is missing"))?;
        serde_json::from_value(object).map_err(|error| Error::malformed_json("the object", error))
    }
}

fn of_account(connected_account_id: &str) -> Map<String, Value> {
    Map::from_iter([("connected_account_id".to_owned(), connected_account_id.into())])
}

fn of_customer(customer_key: Option<&str>) -> Map<String, Value> {
    customer_key.map(|key| ("customer_key".to_owned(), key.into())).into_iter().collect()
}
