//! What an event is about: the ids that are taken from it. Whose they are is said by `accounts`.

/// A kind of id that an event can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdKind {
    /// `device_id`.
    Device,
    /// `bridge_id`.
    Bridge,
    /// `access_code_id`.
    AccessCode,
}

impl IdKind {
    /// In the order in which they decide.
    pub const ALL: [Self; 3] = [Self::Device, Self::Bridge, Self::AccessCode];

    /// The member of an event that carries it, and the value of `x-assigned-by`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "device_id",
            Self::Bridge => "bridge_id",
            Self::AccessCode => "access_code_id",
        }
    }
}

/// The ids of one level of an event; a null one is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids<'v> {
    /// `device_id`.
    pub device: Option<&'v str>,
    /// `bridge_id`.
    pub bridge: Option<&'v str>,
    /// `access_code_id`.
    pub access_code: Option<&'v str>,
}

impl<'v> Ids<'v> {
    /// Those that are there, in the order in which they decide.
    pub fn present(&self) -> impl Iterator<Item = (IdKind, &'v str)> + use<'v> {
        IdKind::ALL
            .into_iter()
            .zip([self.device, self.bridge, self.access_code])
            .filter_map(|(kind, id)| Some((kind, id?)))
    }
}

/// The ids that are taken from an event, possibly none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'v>(Ids<'v>);

impl<'v> Subject<'v> {
    /// Device and bridge come from one level: the top one if it has either, else `data`. The access code comes from the
    /// top level if it is there, else from `data`.
    #[must_use]
    pub fn choose(top: Ids<'v>, data: Ids<'v>) -> Self {
        let level = if top.device.is_some() || top.bridge.is_some() { top } else { data };
        Self(Ids {
            device: level.device,
            bridge: level.bridge,
            access_code: top.access_code.or(data.access_code),
        })
    }

    /// The ids that are looked up.
    #[must_use]
    pub const fn ids(&self) -> &Ids<'v> {
        &self.0
    }

    /// The id that decides first, or `None` if the event names no subject.
    #[must_use]
    pub fn first(&self) -> Option<&'v str> {
        self.0.present().next().map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ids<'v>(
        device: Option<&'v str>,
        bridge: Option<&'v str>,
        access_code: Option<&'v str>,
    ) -> Ids<'v> {
        Ids { device, bridge, access_code }
    }

    #[test]
    fn device_and_bridge_come_from_one_level() {
        let (d, b, a) = (Some("d"), Some("b"), Some("a"));
        let (inner_d, inner_b, inner_a) = (Some("data-d"), Some("data-b"), Some("data-a"));
        for (top, data, taken) in [
            (ids(d, b, a), ids(inner_d, inner_b, inner_a), ids(d, b, a)),
            (ids(d, None, None), ids(inner_d, inner_b, inner_a), ids(d, None, inner_a)),
            (ids(None, b, None), ids(inner_d, inner_b, None), ids(None, b, None)),
            (ids(None, None, a), ids(inner_d, None, inner_a), ids(inner_d, None, a)),
            (ids(None, None, None), ids(None, inner_b, inner_a), ids(None, inner_b, inner_a)),
            (ids(None, None, None), ids(None, None, None), ids(None, None, None)),
        ] {
            assert_eq!(*Subject::choose(top, data).ids(), taken, "{top:?} {data:?}");
        }
    }

    #[test]
    fn the_first_id_is_the_one_that_decides() {
        let first = |top| Subject::choose(top, Ids::default()).first();
        assert_eq!(first(ids(Some("d"), Some("b"), Some("a"))), Some("d"));
        assert_eq!(first(ids(None, Some("b"), Some("a"))), Some("b"));
        assert_eq!(first(ids(None, None, Some("a"))), Some("a"));
        assert_eq!(first(Ids::default()), None);
    }
}
