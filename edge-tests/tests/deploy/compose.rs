//! The files of `deploy/compose`: the Compose schema, and what its edge runs with. No container is started.

use std::process::Command;

use edge_tests::{BoxError, TestResult};
use testbed::{envoy, paths};

use crate::edge::module;
use crate::yaml::{file, of_text, python, run};

const FILE: &str = "deploy/compose/compose.yaml";

/// What the Compose schema says of this text.
fn check(test: &str, text: &str) -> Result<(bool, String), BoxError> {
    let path = paths::scratch()?.join(format!("compose-{test}-{}.yaml", std::process::id()));
    std::fs::write(&path, text)?;
    let schema = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"];
    let checked = run(python(&schema).arg(&path))?;
    std::fs::remove_file(&path)?;
    Ok(checked)
}

#[test]
fn the_file_meets_the_compose_schema() -> TestResult {
    let (passed, said) = check("shipped", &std::fs::read_to_string(file(FILE))?)?;
    assert!(passed, "{said}");
    Ok(())
}

#[test]
fn a_wrong_field_is_found() -> TestResult {
    let text = std::fs::read_to_string(file(FILE))?.replace("stop_grace_period", "stop_grace_time");
    let (passed, said) = check("wrong", &text)?;
    assert!(!passed && said.contains("stop_grace_time"), "{said}");
    Ok(())
}

#[test]
fn every_service_is_without_root_and_cannot_write() -> TestResult {
    let documents = of_text(&std::fs::read_to_string(file(FILE))?)?;
    let services = documents[0]["services"].as_object().ok_or("no services")?;
    assert!(services.len() >= 4);
    for (name, service) in services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert!(service["user"].as_str().is_some_and(|user| !user.starts_with('0')), "{name}");
        let image = service["image"].as_str().ok_or("no image")?;
        assert!(image.contains(':') && !image.ends_with(":latest"), "{name}: {image}");
        assert!(service["mem_limit"].is_string(), "{name}");
    }
    for mounted in services.values().filter_map(|it| it["volumes"].as_array()).flatten() {
        let Some(source) = mounted["source"].as_str().filter(|source| !source.starts_with('$')) else {
            continue;
        };
        assert!(file("deploy/compose").join(source).is_file(), "{source}");
    }
    Ok(())
}

#[test]
fn envoy_accepts_what_the_edge_makes_of_envoy_yaml() -> TestResult {
    let mut sed = Command::new("sed");
    sed.arg("-f").arg(file("deploy/compose/edge.sed")).arg(file("envoy.yaml"));
    let (done, text) = run(&mut sed)?;
    assert!(done, "{text}");
    for (wanted, n_times) in [
        ("address: 0.0.0.0, port_value: 10000 ", 1),
        ("address: directory, port_value: 8090 ", 1),
        ("address: upstream, port_value: 9000 ", 1),
        ("type: STRICT_DNS", 2),
        ("host_env_keys: [DIRECTORY_TOKEN]", 1),
        ("\"directory\": { \"cluster\": \"directory\"", 1),
    ] {
        assert_eq!(text.matches(wanted).count(), n_times, "{wanted}");
    }
    let text = text.replace("/etc/bellhop/bellhop.wasm", &module()?.display().to_string());
    let path = paths::scratch()?.join(format!("compose-edge-{}.yaml", std::process::id()));
    std::fs::write(&path, text)?;
    let mut envoy = Command::new(envoy::shared()?);
    envoy.args(["--mode", "validate", "--use-dynamic-base-id", "--config-path"]).arg(&path);
    let (accepted, said) = run(envoy.env("DIRECTORY_TOKEN", "sixteen-characters"))?;
    assert!(accepted, "{said}");
    std::fs::remove_file(&path)?;
    Ok(())
}
