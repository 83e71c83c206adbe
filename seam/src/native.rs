//! The manufacturers' own ids, which events of providers carry, out of what Seam hands on. It guesses nothing from names,
//! serial numbers or anything else that is not called an id.

use serde_json::{Map, Value};

use crate::model::{AcsEntrance, Device, is_id};

/// The ids of one device or door in its manufacturer's id space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NativeIds {
    /// The device or door.
    pub device_id: Option<String>,
    /// The bridge that it hangs on.
    pub bridge_id: Option<String>,
}

/// Where one brand has its ids: the member's name, and the first of these members that is there.
struct Brand {
    metadata: &'static str,
    device: &'static [&'static str],
    bridge: &'static [&'static str],
}

const fn brand(metadata: &'static str, device: &'static [&'static str]) -> Brand {
    Brand { metadata, device, bridge: &[] }
}

const fn bridged(metadata: &'static str, device: &'static [&'static str]) -> Brand {
    Brand { metadata, device, bridge: &["bridge_id"] }
}

/// Members of a device's `properties`. A brand without ids stands here so that nobody guesses one for it.
const DEVICES: &[Brand] = &[
    brand("akiles_metadata", &["gadget_id"]),
    brand("assa_abloy_vostio_metadata", &[]),
    brand("august_metadata", &["lock_id"]),
    brand("avigilon_alta_metadata", &[]),
    brand("brivo_metadata", &[]),
    brand("controlbyweb_metadata", &["device_id"]),
    // A door may lack a device; the two never stand for each other.
    brand("dormakaba_oracode_metadata", &["device_id", "door_id"]),
    brand("ecobee_metadata", &["ecobee_device_id"]),
    brand("four_suites_metadata", &["device_id"]),
    brand("genie_metadata", &[]),
    brand("honeywell_resideo_metadata", &["honeywell_resideo_device_id"]),
    bridged("igloo_metadata", &["device_id"]),
    bridged("igloohome_metadata", &["device_id"]),
    brand("keynest_metadata", &["key_id"]),
    brand("korelock_metadata", &["device_id"]),
    brand("kwikset_metadata", &["device_id"]),
    brand("lockly_metadata", &["device_id"]),
    brand("minut_metadata", &["device_id"]),
    brand("nest_metadata", &["nest_device_id"]),
    brand("noiseaware_metadata", &["device_id"]),
    brand("nuki_metadata", &["device_id"]),
    brand("omnitec_metadata", &["lock_id"]),
    brand("salto_ks_metadata", &["lock_id"]),
    brand("salto_metadata", &["lock_id"]),
    brand("schlage_metadata", &["device_id"]),
    brand("seam_bridge_metadata", &[]),
    brand("sensi_metadata", &["device_id"]),
    brand("smartthings_metadata", &["device_id"]),
    // The serial number is what the manufacturer's API calls the device by.
    brand("tado_metadata", &["serial_no"]),
    bridged("tedee_metadata", &["device_id"]),
    brand("ttlock_metadata", &["lock_id"]),
    brand("two_n_metadata", &["device_id"]),
    brand("ultraloq_metadata", &["device_id"]),
    brand("visionline_metadata", &[]),
    brand("wyze_metadata", &["device_id"]),
];

/// Members of an entrance itself.
const ENTRANCES: &[Brand] = &[
    brand("akiles_metadata", &["gadget_id"]),
    brand("assa_abloy_vostio_metadata", &[]),
    brand("avigilon_alta_metadata", &[]),
    brand("brivo_metadata", &["access_point_id"]),
    brand("dormakaba_ambiance_metadata", &[]),
    brand("dormakaba_community_metadata", &[]),
    brand("hotek_metadata", &[]),
    brand("latch_metadata", &[]),
    brand("salto_ks_metadata", &[]),
    brand("salto_space_metadata", &["door_id"]),
    brand("visionline_metadata", &[]),
];

/// A brand that Seam added later: the members that its own documentation uses for ids of this kind, and no others.
const UNKNOWN_DEVICE: Brand =
    Brand { metadata: "", device: &["device_id", "lock_id", "gadget_id"], bridge: &["bridge_id"] };
const UNKNOWN_ENTRANCE: Brand = Brand {
    metadata: "",
    device: &["entrance_id", "door_id", "access_point_id", "gadget_id", "device_id", "lock_id"],
    bridge: &["bridge_id"],
};

/// What every brand's member ends with.
const SUFFIX: &str = "_metadata";

/// Members with that ending that are of no brand.
const NO_BRAND: [&str; 1] = ["custom_metadata"];

impl Device {
    /// The ids in the manufacturer's own id space, from `properties.<brand>_metadata`.
    pub fn native_ids(&self) -> NativeIds {
        extract(&self.properties, DEVICES, &UNKNOWN_DEVICE)
    }
}

impl AcsEntrance {
    /// The ids in the manufacturer's own id space, from `<brand>_metadata`.
    pub fn native_ids(&self) -> NativeIds {
        extract(&self.rest, ENTRANCES, &UNKNOWN_ENTRANCE)
    }
}

/// Known brands first, so that a second, unknown member cannot displace a documented id.
fn extract(members: &Map<String, Value>, known: &[Brand], unknown: &Brand) -> NativeIds {
    let mut ids = NativeIds::default();
    for brand in known {
        if let Some(Value::Object(metadata)) = members.get(brand.metadata) {
            ids.fill(metadata, brand);
        }
    }
    for (name, metadata) in members {
        let of_brand = name.ends_with(SUFFIX) && !NO_BRAND.contains(&name.as_str());
        let is_known = known.iter().any(|brand| brand.metadata == name);
        if let (true, false, Value::Object(metadata)) = (of_brand, is_known, metadata) {
            ids.fill(metadata, unknown);
        }
    }
    ids
}

impl NativeIds {
    fn fill(&mut self, metadata: &Map<String, Value>, brand: &Brand) {
        let first = |names: &[&str]| names.iter().find_map(|name| as_id(metadata.get(*name)?));
        self.device_id = self.device_id.take().or_else(|| first(brand.device));
        self.bridge_id = self.bridge_id.take().or_else(|| first(brand.bridge));
    }
}

/// A string as it is; a whole number as its decimal digits, which is how events write it.
fn as_id(value: &Value) -> Option<String> {
    /// Above this a double skips whole numbers: 2^53.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let id = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Value::Number(number) => {
            let value = number.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < EXACT)?;
            format!("{value:.0}")
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    is_id(&id).then_some(id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    /// One line a brand: its member, an example of it as Seam documents it, and the ids that come out.
    const CASES: &str = include_str!("../tests/native_ids.jsonl");

    fn check(kind: &str, member: &str, metadata: &Value) -> NativeIds {
        match kind {
            "device" => serde_json::from_value::<Device>(json!({
                "device_id": "seam", "properties": { member: metadata, "name": "n", "serial_number": "s" }
            }))
            .unwrap()
            .native_ids(),
            "entrance" => serde_json::from_value::<AcsEntrance>(json!({
                "acs_entrance_id": "seam", "acs_system_id": "s", "properties": {}, member: metadata
            }))
            .unwrap()
            .native_ids(),
            other => panic!("unknown kind {other}"),
        }
    }

    #[test]
    fn each_documented_example_gives_its_ids_and_each_brand_has_one() {
        let mut seen = BTreeSet::new();
        for line in CASES.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let (kind, member) = (case["kind"].as_str().unwrap(), case["member"].as_str().unwrap());
            let ids = check(kind, member, &case["metadata"]);
            let text = |name: &str| case[name].as_str().map(str::to_owned);
            let expected = NativeIds { device_id: text("native_id"), bridge_id: text("bridge_id") };
            assert_eq!(ids, expected, "{line}");
            seen.insert((kind.to_owned(), member.to_owned()));
        }
        for (kind, brands) in [("device", DEVICES), ("entrance", ENTRANCES)] {
            for brand in brands {
                assert!(
                    seen.contains(&(kind.to_owned(), brand.metadata.to_owned())),
                    "no case of {}",
                    brand.metadata
                );
            }
        }
    }

    #[test]
    fn numbers_become_decimal_digits() {
        for (value, expected) in [
            (json!(7), Some("7")),
            (json!(18_446_744_073_709_551_615_u64), Some("18446744073709551615")),
            (json!(-3), Some("-3")),
            (json!(12345678.0), Some("12345678")),
            (json!(1e15), Some("1000000000000000")),
            (json!(1.5), None),
            (json!(1e300), None),
            (json!(true), None),
            (json!(["1"]), None),
            (json!(null), None),
            (json!(" "), None),
            (json!("0007"), Some("0007")),
        ] {
            assert_eq!(as_id(&value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn an_unknown_brand_never_displaces_a_known_one() {
        let device: Device = serde_json::from_value(json!({ "device_id": "s", "properties": {
            "aaa_metadata": { "device_id": "wrong", "bridge_id": "b" }, "nuki_metadata": { "device_id": "right" }
        } }))
        .unwrap();
        let expected = NativeIds { device_id: Some("right".into()), bridge_id: Some("b".into()) };
        assert_eq!(device.native_ids(), expected);
    }

    #[test]
    fn metadata_of_the_customer_is_of_no_brand() {
        let ids = check("entrance", "custom_metadata", &json!({ "device_id": "d", "bridge_id": "b" }));
        assert_eq!(ids, NativeIds::default());
    }
}
