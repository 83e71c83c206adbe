//! The EnvoyPatchPolicy of `deploy/envoy-gateway`, put into what Envoy Gateway generates, on real Envoy. What Envoy Gateway itself does is
//! in `base/envoy-gateway.yaml`, by hand.

use edge_tests::{BoxError, TestResult};
use serde_json::{Value, json};

use crate::edge::{assert_is_an_edge, module, shipped, shipped_manager, start, upstream, with_port};
use crate::patch::{json_patch, merge};
use crate::yaml::{documents, file, of_kind, of_text};

const FILE: &str = "deploy/envoy-gateway/bellhop.yaml";
const WASM: &str = "envoy.filters.http.wasm/envoyextensionpolicy/bellhop/bellhop/wasm/0";

/// What is added to the bootstrap.
fn added() -> Result<Value, BoxError> {
    let documents = documents(&file(FILE))?;
    let proxy = &of_kind(&documents, "EnvoyProxy")?;
    let gateway = &of_kind(&documents, "Gateway")?["spec"]["infrastructure"]["parametersRef"];
    assert_eq!(gateway["name"], proxy["metadata"]["name"]);
    Ok(of_text(proxy["spec"]["bootstrap"]["value"].as_str().ok_or("no text")?)?.remove(0))
}

fn patches() -> Result<Vec<Value>, BoxError> {
    let documents = documents(&file(FILE))?;
    let patches = of_kind(&documents, "EnvoyPatchPolicy")?["spec"]["jsonPatches"].as_array().cloned();
    Ok(patches.ok_or("no patches")?)
}

/// What Envoy gets: the two resources with the patches in them.
fn patched(patches: &[Value], upstream_port: u16) -> Result<Value, BoxError> {
    let base = std::fs::read_to_string(file("edge-tests/tests/deploy/base/envoy-gateway.yaml"))?;
    let base = with_port(&base, upstream_port).replace("MODULE", &module()?.display().to_string());
    let mut base = of_text(&base)?.remove(0);
    let policies = documents(&file(FILE))?;
    let policy = &of_kind(&policies, "EnvoyExtensionPolicy")?["spec"]["wasm"][0];
    let manager = "/listener/default_filter_chain/filters/0/typed_config";
    let filter =
        base.pointer_mut(&format!("{manager}/http_filters/0/typed_config/config")).ok_or("no filter")?;
    filter["configuration"]["value"] = json!(serde_json::to_string(&policy["config"])?);
    for patch in patches {
        let which = match patch["type"].as_str().and_then(|it| it.rsplit_once('.')) {
            Some((_, "Listener")) => "listener",
            Some((_, "RouteConfiguration")) => "routes",
            other => return Err(format!("no resource: {other:?}").into()),
        };
        assert_eq!(patch["name"], base[which]["name"]);
        json_patch(&mut base[which], &patch["operation"])?;
    }
    let routes = base["routes"].take();
    base.pointer_mut(manager).ok_or("no connection manager")?["route_config"] = routes;
    let mut bootstrap = json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": { "listeners": [base["listener"]], "clusters": base["clusters"] },
    });
    merge(&mut bootstrap, &added()?);
    Ok(bootstrap)
}

#[test]
fn what_the_policies_make_is_an_edge() -> TestResult {
    let upstream = upstream()?;
    let gateway = start(&patched(&patches()?, upstream.port())?)?;
    assert_is_an_edge(&gateway, &upstream)
}

#[test]
fn a_field_that_envoy_does_not_know_is_found() -> TestResult {
    let mut patches = patches()?;
    patches[0]["operation"]["path"] = json!("/allow_on_header_stop_iteration");
    let error = start(&patched(&patches, 1)?).err().ok_or("Envoy has taken it")?.to_string();
    assert!(error.contains("allow_on_header_stop_iteration"), "{error}");
    Ok(())
}

#[test]
fn a_place_that_is_not_there_is_found() -> TestResult {
    let mut patches = patches()?;
    let path = patches[0]["operation"]["jsonPath"].as_str().ok_or("no path")?.replace("wasm/0", "wasm/1");
    patches[0]["operation"]["jsonPath"] = json!(path);
    assert!(patched(&patches, 1).is_err());
    Ok(())
}

#[test]
fn blocks_that_envoy_yaml_has_too_are_the_same() -> TestResult {
    let shipped = shipped()?;
    let manager = shipped_manager(&shipped);
    let host = &manager["route_config"]["virtual_hosts"][0];
    let filter = &manager["http_filters"][1]["typed_config"]["config"];
    let mut route = host["routes"][0].clone();
    // There the filter is off unless a route switches it on.
    route["typed_per_filter_config"].as_object_mut().ok_or("no filters")?.remove("bellhop");
    let patches = patches()?;
    assert!(patches.len() >= 10, "{}", patches.len());
    for patch in &patches {
        let operation = &patch["operation"];
        let path = operation["path"].as_str().ok_or("no path")?;
        let last = path.rsplit('/').next().unwrap_or_default();
        let theirs = match path {
            _ if operation["jsonPath"].is_string() => &filter[last],
            "/virtual_hosts/0/routes/0" => &route,
            _ if path.starts_with("/virtual_hosts") => &host[last],
            _ if path.ends_with("/http_filters/0") => &manager["http_filters"][0],
            _ => &manager[last],
        };
        assert_eq!(operation["value"], *theirs, "{path}");
    }
    assert_eq!(added()?["stats_config"], shipped["stats_config"]);
    assert!(patches[0]["operation"]["jsonPath"].as_str().is_some_and(|it| it.contains(WASM)));
    Ok(())
}
