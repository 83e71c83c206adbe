//! The EnvoyFilter of `deploy/istio`, put into what istiod generates, on real Envoy. What istiod itself does is in `base/istio.yaml`, by hand.

use std::path::PathBuf;

use edge_tests::{BoxError, TestResult, event, until};
use serde_json::{Value, json};
use testbed::http1::Connection;

use crate::edge::{self, assert_is_an_edge, module, shipped, shipped_manager, start, upstream, with_port};
use crate::patch::merge;
use crate::yaml::{documents, file, of_kind, of_text};

const FILE: &str = "deploy/istio/bellhop.yaml";
const FILTER: &str = "istio-ingress.bellhop";

fn envoy_filter() -> Result<Value, BoxError> {
    Ok(of_kind(&documents(&file(FILE))?, "EnvoyFilter")?.clone())
}

/// What is added to the bootstrap.
fn added() -> Result<Value, BoxError> {
    let documents = documents(&file(FILE))?;
    let text = &of_kind(&documents, "ConfigMap")?["data"]["custom_bootstrap.json"];
    Ok(serde_json::from_str(text.as_str().ok_or("no text")?)?)
}

fn patches(filter: &Value) -> Result<&[Value], BoxError> {
    Ok(filter["spec"]["configPatches"].as_array().ok_or("no patches")?)
}

/// The patches of one kind, with what they match.
fn of<'a>(patches: &'a [Value], apply_to: &str) -> impl Iterator<Item = (&'a Value, &'a Value)> {
    let apply_to = apply_to.to_owned();
    patches.iter().filter(move |it| it["applyTo"] == apply_to.as_str()).map(|it| (&it["match"], &it["patch"]))
}

/// The bootstrap with all patches in it. What the agent beside Envoy does is done too: the extension comes as a file, and so does the
/// module.
fn patched(filter: &Value, upstream_port: u16) -> Result<Value, BoxError> {
    let base = std::fs::read_to_string(file("edge-tests/tests/deploy/base/istio.yaml"))?;
    let mut bootstrap = of_text(&with_port(&base, upstream_port))?.remove(0);
    merge(&mut bootstrap, &added()?);
    let patches = patches(filter)?;
    let manager = bootstrap
        .pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .ok_or("no connection manager")?;
    for (_, patch) in of(patches, "NETWORK_FILTER") {
        merge(manager, &patch["value"]["typed_config"]);
    }
    let filters = manager["http_filters"].as_array_mut().ok_or("no filters")?;
    for (_, patch) in of(patches, "HTTP_FILTER") {
        let place = match patch["operation"].as_str() {
            Some("INSERT_FIRST") => 0,
            Some("INSERT_BEFORE") => filters.len() - 1,
            other => return Err(format!("not understood: {other:?}").into()),
        };
        filters.insert(place, patch["value"].clone());
    }
    let (_, extension) = of(patches, "EXTENSION_CONFIG").next().ok_or("no extension")?;
    let found = filters.iter_mut().find(|it| it["name"] == extension["value"]["name"]).ok_or("no place")?;
    found["config_discovery"]["config_source"] =
        json!({ "path_config_source": { "path": extension_file(&extension["value"])? } });

    let host = &mut manager["route_config"]["virtual_hosts"][0];
    for (matched, patch) in of(patches, "VIRTUAL_HOST").chain(of(patches, "HTTP_ROUTE")) {
        assert_eq!(matched["routeConfiguration"]["vhost"]["name"], host["name"]);
        let route = &matched["routeConfiguration"]["vhost"]["route"]["name"];
        let routes = host["routes"].as_array_mut().ok_or("no routes")?;
        match patch["operation"].as_str() {
            Some("INSERT_FIRST") => routes.insert(0, patch["value"].clone()),
            Some("MERGE") if route.is_string() => {
                let found = routes.iter_mut().find(|it| it["name"] == *route).ok_or("no such route")?;
                merge(found, &patch["value"]);
            }
            Some("MERGE") => merge(host, &patch["value"]),
            other => return Err(format!("not understood: {other:?}").into()),
        }
    }
    Ok(bootstrap)
}

/// Writes what the agent hands to Envoy, in place of what stands there.
fn extension_file(extension: &Value) -> Result<PathBuf, BoxError> {
    // Each test has a thread of its own, named after it.
    let name = std::thread::current().name().unwrap_or_default().replace(':', "-");
    let path = edge::scratch(&format!("{name}.yaml"))?;
    let beside = edge::scratch(&format!("{name}.new"))?;
    std::fs::write(&beside, extension_text(extension)?)?;
    std::fs::rename(&beside, &path)?;
    Ok(path)
}

fn extension_text(extension: &Value) -> Result<String, BoxError> {
    let mut resource = extension.clone();
    resource["@type"] = json!("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
    let code = &mut resource["typed_config"]["config"]["vm_config"]["code"];
    let uri = code["remote"]["http_uri"]["uri"].as_str().ok_or("no module")?;
    assert!(uri.starts_with("oci://"), "{uri}");
    *code = json!({ "local": { "filename": module()? } });
    Ok(serde_json::to_string(&json!({ "resources": [resource] }))?)
}

#[test]
fn what_the_envoy_filter_makes_is_an_edge() -> TestResult {
    let upstream = upstream()?;
    let gateway = start(&patched(&envoy_filter()?, upstream.port())?)?;
    assert_is_an_edge(&gateway, &upstream)
}

#[test]
fn another_plugin_configuration_is_in_force_at_once_and_a_bad_one_never() -> TestResult {
    let upstream = upstream()?;
    let filter = envoy_filter()?;
    let gateway = start(&patched(&filter, upstream.port())?)?;
    // One connection all the time: the listener stays as it is.
    let mut connection = Connection::open(gateway.only_listener()?)?;
    let mut account = || -> Result<String, BoxError> {
        let response = connection.send(&event::post(event::GOOD).header("host", "events.example.com"))?;
        assert_eq!(response.status, 200);
        let received = upstream.take().pop().ok_or("nothing is upstream")?;
        Ok(received.headers.get("x-connected-account-id").unwrap_or_default().to_owned())
    };
    let count = |what: &str| gateway.stat(&format!("extension_config_discovery.http_filter.{FILTER}.{what}"));
    assert_eq!(account()?, "ca_hotel");
    let extension = &patches(&filter)?[0]["patch"]["value"];
    let change = |old: &str, new: &str| -> Result<(), BoxError> {
        let mut changed = extension.clone();
        let text = &mut changed["typed_config"]["config"]["configuration"]["value"];
        *text = json!(text.as_str().ok_or("no text")?.replace(old, new));
        extension_file(&changed)?;
        Ok(())
    };
    change("ca_hotel", "ca_motel")?;
    until(|| count("config_reload").ok().flatten().filter(|n| *n == 2)).ok_or("no second configuration")?;
    assert_eq!(account()?, "ca_motel");
    change("\"accounts\"", "\"acounts\"")?;
    until(|| count("config_fail").ok().flatten().filter(|n| *n == 1)).ok_or("the bad one is not refused")?;
    assert_eq!(account()?, "ca_motel");
    Ok(())
}

#[test]
fn a_field_that_envoy_does_not_know_is_found() -> TestResult {
    let mut filter = envoy_filter()?;
    let extension =
        filter["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["config"].as_object_mut();
    let extension = extension.ok_or("no configuration")?;
    let value = extension.remove("allow_on_headers_stop_iteration").ok_or("no such setting")?;
    extension.insert("allow_on_header_stop_iteration".to_owned(), value);
    let mut bootstrap = patched(&filter, 1)?;
    // Envoy passes over unknown fields in what it gets while it runs, which istiod does not; so here the filter stands in the bootstrap.
    let extension = &patches(&filter)?[0]["patch"]["value"]["typed_config"];
    let filters = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
    let filters = bootstrap.pointer_mut(filters).and_then(Value::as_array_mut).ok_or("no filters")?;
    let found = filters.iter_mut().find(|it| it["name"] == FILTER).ok_or("no filter")?;
    *found = json!({ "name": FILTER, "typed_config": extension });
    let error = start(&bootstrap).err().ok_or("Envoy has taken it")?.to_string();
    assert!(error.contains("allow_on_header_stop_iteration"), "{error}");
    Ok(())
}

#[test]
fn blocks_that_envoy_yaml_has_too_are_the_same() -> TestResult {
    let shipped = shipped()?;
    let manager = shipped_manager(&shipped);
    let filter = envoy_filter()?;
    let patches = patches(&filter)?;
    let (_, ours) = of(patches, "NETWORK_FILTER").next().ok_or("no patch")?;
    let ours = ours["value"]["typed_config"].as_object().ok_or("no members")?;
    assert!(ours.len() >= 10, "{ours:?}");
    for (key, value) in ours {
        assert_eq!(manager[key], *value, "{key}");
    }
    let host = &manager["route_config"]["virtual_hosts"][0];
    let (_, ours) = of(patches, "VIRTUAL_HOST").next().ok_or("no patch")?;
    for (key, value) in ours["value"].as_object().ok_or("no members")? {
        assert_eq!(host[key], *value, "{key}");
    }
    let routes: Vec<_> = of(patches, "HTTP_ROUTE").map(|(_, patch)| &patch["value"]).collect();
    let renamed = serde_json::to_string(&host["routes"][0])?.replace("\"bellhop\"", &format!("\"{FILTER}\""));
    assert_eq!(*routes[0], serde_json::from_str::<Value>(&renamed)?);
    assert_eq!(routes[1]["route"]["retry_policy"], host["routes"][2]["route"]["retry_policy"]);
    let filters: Vec<_> = of(patches, "HTTP_FILTER").map(|(_, patch)| &patch["value"]).collect();
    assert_eq!(*filters[1], manager["http_filters"][0]);
    let (_, ours) = of(patches, "EXTENSION_CONFIG").next().ok_or("no patch")?;
    let (ours, theirs) =
        (&ours["value"]["typed_config"]["config"], &manager["http_filters"][1]["typed_config"]["config"]);
    for key in ["failure_policy", "reload_config", "allow_on_headers_stop_iteration"] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    assert_eq!(added()?["stats_config"], shipped["stats_config"]);
    Ok(())
}
