//! The module as an OCI image layout, as Istio and Envoy Gateway take it from a registry. It pushes nothing.
//!
//! It is the *compat* variant of the Wasm image specification (<https://github.com/solo-io/wasm/blob/master/spec/spec-compat.md>): a
//! usual image whose last layer is a gzipped tar with `plugin.wasm`. Istio's `pkg/wasm/imagefetcher.go` and Envoy Gateway's
//! `internal/wasm/imagefetcher.go` try this one first. The other one, with `application/vnd.module.wasm.content.layer.v1+wasm`, is an
//! artifact that not every registry and tool takes, and both ask for a second layer in it.
//!
//! The layout: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

use super::sha256;

/// The name under which the image stands in the layout.
const TAG: &str = env!("CARGO_PKG_VERSION");

/// The layout's files, by their path in it.
pub(super) fn layout(module: &[u8]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let tar = tar_of(module)?;
    let layer = gzip(&tar)?;
    // No `created`: the same sources give the same bytes.
    let config = to_bytes(&json!({
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&tar)] },
    }))?;
    let manifest = to_bytes(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer)],
        "annotations": {
            "org.opencontainers.image.title": "bellhop",
            "org.opencontainers.image.version": TAG,
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    }))?;
    let mut in_index = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    in_index["annotations"] = json!({ "org.opencontainers.image.ref.name": TAG });
    let index = to_bytes(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [in_index],
    }))?;
    let mut files = vec![
        ("oci-layout".to_owned(), to_bytes(&json!({ "imageLayoutVersion": "1.0.0" }))?),
        ("index.json".to_owned(), index),
    ];
    files.extend([layer, config, manifest].map(|blob| (format!("blobs/sha256/{}", sha256(&blob)), blob)));
    Ok(files)
}

fn tar_of(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(module.len().try_into()?);
    header.set_mode(0o644);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "plugin.wasm", module)?;
    Ok(archive.into_inner()?)
}

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

fn to_bytes(value: &Value) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_module_gives_the_same_layout() {
        assert_eq!(layout(b"\0asm").unwrap(), layout(b"\0asm").unwrap());
        assert_ne!(layout(b"\0asm").unwrap(), layout(b"\0asn").unwrap());
    }
}
