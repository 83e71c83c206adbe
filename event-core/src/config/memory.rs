//! `duplicates` and `order`: what is remembered of accepted events, and for how long. How stands in `crate::accepted`.

use super::ConfigError;
use super::reader::{Node, Object};
use std::ops::RangeInclusive;

/// For how long an accepted event can be remembered, in seconds.
const WINDOW_S: RangeInclusive<u64> = 1..=604_800;
/// How many places there can be. Each takes some 200 bytes of Envoy's memory once it is used.
const MOST_SLOTS: u64 = 1_048_576;
const DEFAULT_SLOTS: usize = 16_384;

/// What is remembered of accepted events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySettings {
    /// How copies are found, if they are looked for.
    pub(crate) duplicates: Option<Window>,
    /// For how many devices the newest timestamp is remembered.
    pub(crate) order_slots: u32,
}

/// How copies are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// For how long an accepted event is remembered, in seconds.
    pub(crate) window_s: u32,
    /// How many events.
    pub(crate) slots: u32,
}

impl MemorySettings {
    #[inline(never)]
    pub(super) fn read(duplicates: Option<Node<'_>>, order: Option<Node<'_>>) -> Result<Self, ConfigError> {
        let order = Object::read_or_empty(order, &["slots"])?;
        let order_slots = order.size_or("slots", 0..=MOST_SLOTS, DEFAULT_SLOTS)?;
        Ok(Self {
            duplicates: duplicates.map(|node| Window::read(&node)).transpose()?,
            order_slots: narrow(order_slots),
        })
    }

    /// Whether anything is.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.duplicates.is_some() || self.order_slots > 0
    }
}

impl Window {
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        let object = node.object(&["slots", "window_s"])?;
        let window_s = object.required("window_s")?.integer(&WINDOW_S)?;
        let slots = object.size_or("slots", 1..=MOST_SLOTS, DEFAULT_SLOTS)?;
        Ok(Self { window_s: u32::try_from(window_s).unwrap_or(u32::MAX), slots: narrow(slots) })
    }
}

fn narrow(slots: usize) -> u32 {
    u32::try_from(slots).unwrap_or(u32::MAX)
}
