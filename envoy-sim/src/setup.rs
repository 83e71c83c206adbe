//! What a test says about the Envoy around the filter, before anything runs.

use crate::callout::Cluster;
use crate::profile::EnvoyProfile;
use crate::shared::Conflicts;

/// The Envoy to build: configuration, workers, clusters, clock and seed.
#[derive(Debug)]
pub struct Setup {
    /// Envoy's settings and habits.
    pub profile: EnvoyProfile,
    /// The plugin configuration, as bytes.
    pub configuration: Vec<u8>,
    /// The VM configuration, as bytes.
    pub vm_configuration: Vec<u8>,
    /// The plugin's name: the property `plugin_name`.
    pub plugin_name: String,
    /// The root id: the property `plugin_root_id`.
    pub root_id: String,
    /// The VM id: the property `plugin_vm_id`, and the name under which queues are found.
    pub vm_id: String,
    /// `vm_config.environment_variables`.
    pub environment: Vec<(String, String)>,
    /// How many workers, at least 1. Each has its own VM.
    pub workers: usize,
    /// The clusters that callouts can reach. Any other name is `BadArgument` at dispatch.
    pub clusters: Vec<Cluster>,
    /// Properties that every stream can read, besides those that the simulator works out.
    pub properties: Vec<(Vec<String>, Vec<u8>)>,
    /// The wall clock at the start, in nanoseconds since 1970.
    pub start_time_ns: u64,
    /// The seed of `random_get`, of back-off jitter, of conflicts and of interleaving.
    pub seed: u64,
    /// When a compare-and-swap meets another worker's write.
    pub conflicts: Conflicts,
    /// Fuel for one callback; a filter that uses it up traps, so that an endless loop ends a test.
    pub fuel_per_callback: u64,
    /// Envoy tries a configuration on a VM of its own first. False leaves that out.
    pub canary: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            profile: EnvoyProfile::default(),
            configuration: Vec::new(),
            vm_configuration: Vec::new(),
            plugin_name: String::new(),
            root_id: String::new(),
            vm_id: String::new(),
            environment: Vec::new(),
            workers: 1,
            clusters: Vec::new(),
            properties: Vec::new(),
            // 2026-01-01T00:00:00Z.
            start_time_ns: 1_767_225_600_000_000_000,
            seed: 0,
            conflicts: Conflicts::Never,
            fuel_per_callback: 2_000_000_000,
            canary: true,
        }
    }
}
