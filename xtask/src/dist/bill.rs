//! The bill of materials of one file of a release, in CycloneDX 1.6 JSON. It looks nothing up.
//!
//! Typed here and not by the `cyclonedx-bom` crate: that brings XML, schemas and regular expressions into every run of `cargo xtask`.
//! The part "a release" of `cargo xtask test --all` reads it with CycloneDX's own validator.

use serde::Serialize;

use super::linked::{Linked, Origin, Package};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill<'a> {
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Component<'a>>,
    dependencies: Vec<Dependency<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    component: Component<'a>,
}

#[derive(Serialize)]
struct Component<'a> {
    r#type: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: &'a str,
    name: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash<'a>>,
    licenses: [Licence<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
}

#[derive(Serialize)]
struct Hash<'a> {
    alg: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct Licence<'a> {
    expression: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    r#ref: &'a str,
    depends_on: Vec<&'a str>,
}

/// The bill of a file with this name and SHA-256.
pub(super) fn of(name: &str, sha256: &str, linked: &Linked) -> anyhow::Result<Vec<u8>> {
    let mut component = None;
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for (key, package) in &linked.packages {
        if *key == linked.root {
            let hashes = vec![Hash { alg: "SHA-256", content: sha256 }];
            component = Some(Component { r#type: "application", name, hashes, ..of_package(key, package) });
        } else {
            components.push(of_package(key, package));
        }
        let depends_on = package.dependencies.iter().map(String::as_str).collect();
        dependencies.push(Dependency { r#ref: key, depends_on });
    }
    let component = component.ok_or_else(|| anyhow::anyhow!("{} is not among the packages", linked.root))?;
    let bill = Bill {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        version: 1,
        metadata: Metadata { component },
        components,
        dependencies,
    };
    let mut bytes = serde_json::to_vec_pretty(&bill)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn of_package<'a>(key: &'a str, package: &'a Package) -> Component<'a> {
    let Package { name, version, licence, from, dependencies: _ } = package;
    let (hashes, purl) = match from {
        // The registry has other packages of these names.
        Origin::Here => (Vec::new(), None),
        Origin::Registry { sha256 } => {
            let hash = Hash { alg: "SHA-256", content: sha256 };
            (vec![hash], Some(format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))))
        }
        Origin::Elsewhere => (Vec::new(), Some(format!("pkg:generic/{name}@{version}"))),
    };
    Component {
        r#type: "library",
        bom_ref: key,
        name,
        version,
        hashes,
        licenses: [Licence { expression: licence }],
        purl,
    }
}
