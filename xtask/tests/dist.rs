//! A release without the program, as `cargo xtask dist --module --verify` writes it, read by the tools of those who take it. The program is
//! built the same way, but takes too long for every run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use testbed::paths;

/// What is there once the two builds have given the same bytes.
fn release() -> &'static Path {
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    RELEASE.get_or_init(|| {
        let out = paths::scratch().unwrap().join("release");
        let mut dist = Command::new(env!("CARGO_BIN_EXE_xtask"));
        dist.args(["dist", "--module", "--verify", "--out"]).arg(&out);
        assert!(dist.status().unwrap().success(), "two builds in two folders differ, or cannot be had");
        out
    })
}

/// What a command prints, in the folder of the release.
fn said(program: &str, arguments: &[&str]) -> Vec<u8> {
    let mut python_path = paths::target().join("tools/python").into_os_string();
    python_path.push(":");
    python_path.push(std::env::var_os("PYTHONPATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(release()).env("PYTHONPATH", python_path).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    output.stdout
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn every_file_is_in_the_checksums_and_every_checksum_holds() {
    said("sha256sum", &["--check", "--strict", "--quiet", "SHA256SUMS"]);
    said("sha256sum", &["--check", "--strict", "--quiet", "bellhop.wasm.sha256"]);
    let sums = std::fs::read_to_string(release().join("SHA256SUMS")).unwrap();
    let files = String::from_utf8(said("find", &[".", "-type", "f"])).unwrap();
    assert_eq!(sums.lines().count() + 1, files.lines().count(), "SHA256SUMS itself is in no list");
    for wanted in ["LICENSE", "envoy.yaml", "schemas/plugin-config.schema.json", "deploy/istio/bellhop.yaml"]
    {
        assert!(sums.contains(&format!("  {wanted}\n")), "{wanted} is missing");
    }
}

#[test]
fn skopeo_reads_the_image_and_finds_the_module_in_it() {
    let image = concat!("oci:oci:", env!("CARGO_PKG_VERSION"));
    let shown = json(&said("skopeo", &["inspect", image]));
    assert_eq!(shown["Layers"].as_array().map(Vec::len), Some(1), "{shown}");
    let copy = paths::scratch().unwrap().join("release-image");
    let _ = std::fs::remove_dir_all(&copy);
    // skopeo compares every digest on the way.
    let to = format!("dir:{}", copy.display());
    said("skopeo", &["--insecure-policy", "copy", "--quiet", image, &to]);
    let manifest = json(&std::fs::read(copy.join("manifest.json")).unwrap());
    let layer = manifest["layers"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let layer = copy.join(layer).display().to_string();
    let module = said("tar", &["--extract", "--gzip", "--to-stdout", "--file", &layer, "plugin.wasm"]);
    assert!(module == std::fs::read(release().join("bellhop.wasm")).unwrap(), "another module");
}

#[test]
fn the_bill_of_materials_is_cyclonedx() {
    let validate = "import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open('bellhop.wasm.cdx.json').read())
sys.exit(str(error) if error else 0)";
    said("python3", &["-c", validate]);
    let bill = json(&std::fs::read(release().join("bellhop.wasm.cdx.json")).unwrap());
    let components = bill["components"].as_array().unwrap();
    let named = |name: &str| components.iter().find(|it| it["name"] == name);
    let sdk = named("proxy-wasm").expect("the SDK is linked");
    assert!(sdk["purl"].as_str().unwrap().starts_with("pkg:cargo/proxy-wasm@"), "{sdk}");
    assert_eq!(sdk["hashes"][0]["alg"], "SHA-256");
    assert_eq!(sdk["licenses"][0]["expression"], "Apache-2.0");
    assert!(named("event-core").is_some_and(|it| it.get("purl").is_none()), "our crates are on no registry");
    for unlinked in ["jsonschema-macros", "testbed", "wasmtime", "sqlx"] {
        assert!(named(unlinked).is_none(), "{unlinked} is not in the module");
    }
    for component in components {
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
    }
}
