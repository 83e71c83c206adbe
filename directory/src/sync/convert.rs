//! What the API gives, as the store takes it: Seam's ids and the manufacturers' side by side. It asks and stores nothing.

use directory_api::AssignedBy;
use seam::NativeIds;

use crate::sources::Sources;
use crate::store::{AcsSystem, Device, OwnedId, SyncedEntrance};

/// A device. Its source comes of its type, else of its account's provider.
pub(super) fn device(
    device: &seam::Device,
    managed: bool,
    provider: Option<&str>,
    sources: &Sources,
) -> Device {
    let name = |member: &str| device.properties.get(member).and_then(|it| it.as_str()).map(str::to_owned);
    Device {
        device_id: device.device_id.clone(),
        managed,
        device_type: some(&device.device_type),
        display_name: name("name"),
        source: sources.of([Some(device.device_type.as_str()), provider]).map(str::to_owned),
        ids: ids(&device.device_id, device.native_ids()),
    }
}

/// An access control system.
pub(super) fn system(system: &seam::AcsSystem) -> AcsSystem {
    AcsSystem {
        acs_system_id: system.acs_system_id.clone(),
        system_type: some(&system.external_type),
        display_name: some(&system.name),
    }
}

/// An entrance of a system: events call it a device.
pub(super) fn entrance(
    entrance: &seam::AcsEntrance,
    system: &AcsSystem,
    provider: Option<&str>,
    sources: &Sources,
) -> SyncedEntrance {
    SyncedEntrance {
        acs_entrance_id: entrance.acs_entrance_id.clone(),
        acs_system_id: entrance.acs_system_id.clone(),
        display_name: some(&entrance.display_name),
        source: sources.of([system.system_type.as_deref(), provider]).map(str::to_owned),
        ids: ids(&entrance.acs_entrance_id, entrance.native_ids()),
    }
}

fn ids(seam_id: &str, native: NativeIds) -> Vec<OwnedId> {
    let device = |id| OwnedId { kind: AssignedBy::DeviceId, id };
    let mut ids = vec![device(seam_id.to_owned())];
    ids.extend(native.device_id.filter(|id| id != seam_id).map(device));
    ids.extend(native.bridge_id.map(|id| OwnedId { kind: AssignedBy::BridgeId, id }));
    ids
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
