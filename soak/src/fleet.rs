//! Who sends what about which device, and what must become of it: every event and its expected headers follow from the seed and
//! the event's number, so that nobody has to keep them. It sends nothing.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};

use testbed::random::Random;

/// The source that anyone can post to, and its path.
pub const OPEN: (&str, &str) = ("acme", "/provider_events");
/// The source that signs with Standard Webhooks, and its path.
pub const SIGNED: (&str, &str) = ("signed", "/signed_events");

/// What every body begins with, before the event's number.
const START: &str = "{\"sequence\":";

/// From this number on an event is a forgery: the signed source never sent it.
pub const FORGED: u64 = 1 << 40;

/// 2026-02-10T00:00:00Z, in days since 1970.
const FIRST_DAY: u64 = 20_494;

/// Devices of a usual fleet.
pub const N_DEVICES: u64 = 400;
const N_ACCOUNTS: u64 = 25;

/// Kinds of chance that do not depend on each other.
const OF_EVENTS: u64 = 1;

/// The devices, their owners, and the events about them.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    seed: u64,
    n_devices: u64,
    /// Provider time between two events.
    spacing: Duration,
}

/// An event as its sender posts it, and as upstream must see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its device's number: events of one device keep their order where that is possible.
    pub device: u64,
    /// The path that it is posted to.
    pub path: &'static str,
    /// The name of its source.
    pub source: &'static str,
    /// The webhook-id, if its source signs.
    pub webhook_id: Option<String>,
    /// Its bytes.
    pub body: Vec<u8>,
    /// `x-connected-account-id`.
    pub accounts: String,
    /// `x-assigned-by`.
    pub assigned_by: &'static str,
}

impl Event {
    /// `x-event-id` and `idempotency-key`, as the README defines them.
    pub fn key(&self) -> String {
        if let Some(id) = &self.webhook_id {
            return id.clone();
        }
        let mut hash = Sha256::new();
        for part in [self.source.as_bytes(), &self.body] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize()[..16].iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Whether its source signs.
    pub const fn is_signed(&self) -> bool {
        self.webhook_id.is_some()
    }
}

/// How a device is known to the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Imported at the start.
    Early,
    /// Imported while events come already: they wait.
    Late,
    /// Its bridge is, it is not.
    ByBridge,
    /// By two accounts.
    Shared,
}

impl Fleet {
    /// The fleet of this seed, of at most [`N_DEVICES`], one event each `spacing` of provider time.
    pub const fn new(seed: u64, n_devices: u64, spacing: Duration) -> Self {
        Self { seed, n_devices, spacing }
    }

    /// When the event of this number happens, and is sent for the first time.
    pub fn born(&self, number: u64) -> Duration {
        self.spacing * u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn known(device: u64) -> Known {
        match device / 2 % 20 {
            3 => Known::Late,
            7 => Known::ByBridge,
            11 => Known::Shared,
            _ => Known::Early,
        }
    }

    /// The device's source: half of them belong to each.
    const fn source(device: u64) -> (&'static str, &'static str) {
        if device.is_multiple_of(2) { OPEN } else { SIGNED }
    }

    /// The accounts that own it, sorted.
    fn owners(device: u64) -> Vec<String> {
        let mut owners = vec![device % N_ACCOUNTS];
        if Self::known(device) == Known::Shared {
            owners.push((device + 1) % N_ACCOUNTS);
        }
        let mut owners: Vec<_> = owners.into_iter().map(|it| format!("ca_{it:03}")).collect();
        owners.sort();
        owners
    }

    /// The device that the event of this number is about.
    pub fn device(&self, number: u64) -> u64 {
        Random::of(self.seed, OF_EVENTS, number).below(self.n_devices)
    }

    /// The event of this number.
    pub fn event(&self, number: u64) -> Event {
        let mut random = Random::of(self.seed, OF_EVENTS, number);
        let device = random.below(self.n_devices);
        let (source, path) = Self::source(device);
        let by_bridge = Self::known(device) == Known::ByBridge;
        let forged = number >= FORGED;
        let time = timestamp(self.born(if forged { number - FORGED } else { number }));
        let mut body =
            format!("{START}{number},\"timestamp\": \"{time}\",\"device_id\":\"{}\"", device_id(device));
        if by_bridge {
            let _ = write!(body, ",\"bridge_id\":\"{}\"", bridge_id(device));
        }
        let event_type = match random.below(5) {
            0 => "device.online",
            1 => "device.offline",
            2 => "access_code.used",
            3 => "lock.action_completed",
            // A type that Bellhop does not know.
            _ => "sensor.moved",
        };
        // Bytes that a proxy must not tidy up.
        let odd =
            ["\u{e9}\u{1f511}", "\\u00e9\\n", "  ", "1e2"][usize::try_from(random.below(4)).unwrap_or(0)];
        let _ =
            write!(body, ", \"event_type\" :\"{event_type}\",\"data\":{{ \"note\":\"{odd}\",\"n\":1.50}}");
        let n_padding = match random.below(500) {
            0 => 100_000,
            1..=9 => 6_000,
            _ => random.below(200),
        };
        body.push_str(",\"pad\":\"");
        body.extend(std::iter::repeat_n('x', usize::try_from(n_padding).unwrap_or(0)));
        body.push_str("\"}\n");
        let signed = source == SIGNED.0;
        Event {
            device,
            path,
            source,
            webhook_id: signed.then(|| format!("msg_{:x}_{number}", self.seed)),
            body: body.into_bytes(),
            accounts: Self::owners(device).join(","),
            assigned_by: if by_bridge { "bridge_id" } else { "device_id" },
        }
    }

    /// A body that the signed source never sent, for the webhook-id of the event of this number.
    pub fn forgery(&self, number: u64) -> Vec<u8> {
        self.event(FORGED + number).body
    }

    /// The import file of the directory: what it knows from the start, or what it learns later too.
    pub fn accounts(late: bool) -> String {
        let mut lines = String::new();
        for source in [OPEN.0, SIGNED.0] {
            for account in 0..N_ACCOUNTS {
                let id = format!("ca_{account:03}");
                let of_account = || {
                    (0..N_DEVICES)
                        .filter(|it| Self::source(*it).0 == source && Self::owners(*it).contains(&id))
                };
                let of_kind = |known: &[Known]| {
                    of_account().filter(|it| known.contains(&Self::known(*it))).collect::<Vec<_>>()
                };
                let early = [Known::Early, Known::Shared];
                let all = [Known::Early, Known::Shared, Known::Late];
                let devices = of_kind(if late { &all } else { &early });
                let line = serde_json::json!({
                    "connected_account_id": id,
                    "customer_key": format!("property-{account}"),
                    "source": source,
                    "devices": devices.into_iter().map(device_id).collect::<Vec<_>>(),
                    "bridges": of_kind(&[Known::ByBridge]).into_iter().map(bridge_id).collect::<Vec<_>>(),
                });
                lines.push_str(&line.to_string());
                lines.push('\n');
            }
        }
        lines
    }
}

/// The number that a body carries.
pub fn sequence(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(START.as_bytes())?.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn device_id(device: u64) -> String {
    format!("lock_{device:05}")
}

fn bridge_id(device: u64) -> String {
    format!("bridge_{device:05}")
}

/// This long after the first day, as RFC 3339.
fn timestamp(since: Duration) -> String {
    let (seconds, ms) = (since.as_secs(), since.subsec_millis());
    // Days to a date, counted from 1 March of year 0, so that leap days come last.
    let days = FIRST_DAY + seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: Fleet = Fleet::new(1, N_DEVICES, Duration::from_secs(12));

    #[test]
    fn an_event_follows_from_its_number() {
        for number in [0, 1, 999, FORGED + 7] {
            let event = FLEET.event(number);
            assert_eq!(event, FLEET.event(number));
            assert_eq!(sequence(&event.body), Some(number));
            assert_eq!(event.device, FLEET.device(number));
            serde_json::from_slice::<serde_json::Value>(&event.body).unwrap();
        }
        assert_ne!(FLEET.event(5).body, Fleet::new(2, N_DEVICES, Duration::from_secs(12)).event(5).body);
        assert_eq!(sequence(b"{\"sequence\":x,"), None);
    }

    #[test]
    fn times_are_dates() {
        let after =
            |days: u64, ms: u64| timestamp(Duration::from_secs(days * 86_400) + Duration::from_millis(ms));
        assert_eq!(after(0, 0), "2026-02-10T00:00:00.000Z");
        assert_eq!(after(18, 86_399_999), "2026-02-28T23:59:59.999Z");
        assert_eq!(after(19, 1), "2026-03-01T00:00:00.001Z");
        assert_eq!(after(749, 0), "2028-02-29T00:00:00.000Z");
        assert_eq!(after(325, 0), "2027-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_key_is_the_webhook_id_or_the_hash_of_the_readme() {
        let numbers = || (0..100).map(|it| FLEET.event(it));
        let signed = numbers().find(Event::is_signed).unwrap();
        assert_eq!(Some(signed.key()), signed.webhook_id);
        let open = Event { body: b"{}".to_vec(), ..numbers().find(|it| !it.is_signed()).unwrap() };
        // printf '\0\0\0\0\0\0\0\4acme\0\0\0\0\0\0\0\2{}' | sha256sum | cut -c 1-32
        assert_eq!(open.key(), "d8229d0200723fa8c2af37351f950781");
    }

    #[test]
    fn every_device_has_an_owner_in_the_end_and_some_only_then() {
        let (early, all) = (Fleet::accounts(false), Fleet::accounts(true));
        let mut n_late = 0;
        for device in 0..N_DEVICES {
            let id =
                if Fleet::known(device) == Known::ByBridge { bridge_id(device) } else { device_id(device) };
            let quoted = format!("\"{id}\"");
            assert_eq!(all.matches(&quoted).count(), Fleet::owners(device).len(), "{id}");
            n_late += usize::from(!early.contains(&quoted));
        }
        assert_eq!(n_late, 20);
    }
}
