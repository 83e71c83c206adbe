//! Resources against the definitions of those who read them: Istio's and the Gateway API's as npm carries them, with unknown fields found
//! by TypeScript; Envoy Gateway's, which no registry carries, against `envoy-gateway.schema.json`, made by hand of its reference and no more
//! than what we use.

use std::fmt::Write as _;
use std::process::Command;

use edge_tests::{BoxError, TestResult};
use serde_json::{Value, json};
use testbed::{npm, paths};

use crate::yaml::{documents, file, of_kind, python, run};

const ISTIO: &str = "deploy/istio/bellhop.yaml";
const ENVOY_GATEWAY: &str = "deploy/envoy-gateway/bellhop.yaml";

/// Checks resources with the npm packages: types, names and choices by the compiler, bounds and what is required when it runs.
fn check_types(test: &str, resources: &[&Value]) -> Result<(bool, String), BoxError> {
    let mut text = String::new();
    for (index, resource) in resources.iter().enumerate() {
        let version = resource["apiVersion"].as_str().ok_or("no version")?;
        let kind = resource["kind"].as_str().ok_or("no kind")?;
        let package = match version {
            "v1" => "kubernetes-models",
            _ if version.contains("istio.io") => "@kubernetes-models/istio",
            _ => "@kubernetes-models/gateway-api",
        };
        writeln!(text, "import {{ {kind} as K{index} }} from '{package}/{version}/{kind}';")?;
        // The class brings version and kind itself.
        let mut rest = (*resource).clone();
        let members = rest.as_object_mut().ok_or("no resource")?;
        members.remove("apiVersion");
        members.remove("kind");
        writeln!(text, "new K{index}({rest}).validate();")?;
    }
    // Below the folder with the packages, where node and the compiler find them.
    let folder = npm::folder().join(format!("check-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("resources.mts"), text)?;
    let compiler = npm::folder().join("node_modules/typescript/bin/tsc");
    let options = [
        "--strict",
        "--skipLibCheck",
        "--module",
        "nodenext",
        "--moduleResolution",
        "nodenext",
        "--target",
        "es2022",
    ];
    let mut node = Command::new("node");
    let (compiled, said) = run(node.arg(compiler).args(options).arg("resources.mts").current_dir(&folder))?;
    let result =
        if compiled { run(Command::new("node").arg(folder.join("resources.mjs")))? } else { (false, said) };
    std::fs::remove_dir_all(&folder)?;
    Ok(result)
}

/// Checks resources of Envoy Gateway.
fn check_schema(test: &str, resources: &[&Value]) -> Result<(bool, String), BoxError> {
    let path = paths::scratch()?.join(format!("envoy-gateway-{test}-{}.json", std::process::id()));
    std::fs::write(&path, serde_json::to_string(resources)?)?;
    let schema = "edge-tests/tests/deploy/envoy-gateway.schema.json";
    let checked = run(python(&["-m", "check_jsonschema", "--schemafile", schema]).arg(&path))?;
    std::fs::remove_file(&path)?;
    Ok(checked)
}

/// Those of Envoy Gateway, and the others.
fn by_owner(documents: &[Value]) -> (Vec<&Value>, Vec<&Value>) {
    documents.iter().partition(|it| it["apiVersion"].as_str().is_some_and(|it| it.contains("envoyproxy.io")))
}

#[test]
fn resources_of_istio_and_the_gateway_api_are_well_formed() -> TestResult {
    let (istio, gateway) = (documents(&file(ISTIO))?, documents(&file(ENVOY_GATEWAY))?);
    let (_, standard) = by_owner(&gateway);
    let all: Vec<_> = istio.iter().chain(standard).collect();
    assert_eq!(all.len(), 7);
    let (passed, said) = check_types("shipped", &all)?;
    assert!(passed, "{said}");
    Ok(())
}

#[test]
fn a_wrong_field_of_istios_is_found() -> TestResult {
    let documents = documents(&file(ISTIO))?;
    let mut rule = of_kind(&documents, "DestinationRule")?.clone();
    rule["spec"]["trafficPolicy"]["outlierDetection"]["consecutive5xxErors"] = json!(0);
    let (passed, said) = check_types("unknown", &[&rule])?;
    assert!(!passed && said.contains("consecutive5xxErors"), "{said}");
    let mut filter = of_kind(&documents, "EnvoyFilter")?.clone();
    filter["spec"]["configPatches"][0]["patch"]["operation"] = json!("UPSERT");
    let (passed, said) = check_types("choice", &[&filter])?;
    assert!(!passed && said.contains("UPSERT"), "{said}");
    let mut gateway = of_kind(&documents, "Gateway")?.clone();
    gateway["spec"]["servers"][0].as_object_mut().ok_or("no server")?.remove("hosts");
    assert!(!check_types("required", &[&gateway])?.0);
    Ok(())
}

#[test]
fn resources_of_envoy_gateway_are_well_formed() -> TestResult {
    let documents = documents(&file(ENVOY_GATEWAY))?;
    let (ours, _) = by_owner(&documents);
    assert_eq!(ours.len(), 5);
    let (passed, said) = check_schema("shipped", &ours)?;
    assert!(passed, "{said}");
    for owned in &ours {
        let kind = owned["kind"].as_str().ok_or("no kind")?;
        let mut wrong = (*owned).clone();
        wrong["spec"]["targetReferences"] = json!([]);
        assert!(!check_schema("wrong", &[&wrong])?.0, "{kind}");
    }
    Ok(())
}

#[test]
fn the_plugin_configurations_meet_their_schema() -> TestResult {
    let istio = documents(&file(ISTIO))?;
    let filter = of_kind(&istio, "EnvoyFilter")?;
    let text = &filter["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["config"]["configuration"]
        ["value"];
    let gateway = documents(&file(ENVOY_GATEWAY))?;
    let configurations = [
        serde_json::from_str(text.as_str().ok_or("no text")?)?,
        of_kind(&gateway, "EnvoyExtensionPolicy")?["spec"]["wasm"][0]["config"].clone(),
    ];
    let schema: Value = serde_json::from_slice(&std::fs::read(file("schemas/plugin-config.schema.json"))?)?;
    let validator = jsonschema::validator_for(&schema)?;
    for configuration in configurations {
        let errors: Vec<_> = validator.iter_errors(&configuration).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    Ok(())
}
