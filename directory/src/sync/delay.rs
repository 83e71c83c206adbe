//! How long a sync waits: after a failure, and until the next one. Pure: spread comes from the account's id, so that the same
//! account always waits as long and a fleet does not come at once.

use std::time::Duration;

use seam::Error;

/// After the first failure.
const FIRST_MS: i64 = 1_000;

/// After many; also after a refusal of the key, which soon trying again does not mend.
pub(super) const LONGEST_MS: i64 = 300_000;

/// Until the next try after `attempts` failures before this one: doubling, less up to a half by spread, and never before
/// the API's own `Retry-After`.
pub(super) fn after_failure(account: &str, attempts: i64, error: &Error) -> i64 {
    let doubled = match error {
        Error::Unauthorised { .. } | Error::Refused { .. } => LONGEST_MS,
        Error::NotFound { .. }
        | Error::RateLimited { .. }
        | Error::Outage { .. }
        | Error::Malformed { .. }
        | Error::TooLarge { .. }
        | Error::RepeatedCursor
        | Error::TooManyPages { .. }
        | Error::Transport { .. } => FIRST_MS << attempts.clamp(0, 16),
    };
    let bounded = doubled.min(LONGEST_MS);
    let spread = bounded - part_of(bounded / 2, account, attempts);
    spread.max(error.retry_after().map_or(0, millis))
}

/// Until the periodic sync: the interval, less up to a tenth.
pub(super) fn until_resync(account: &str, interval: Duration) -> i64 {
    let interval = millis(interval);
    interval - part_of(interval / 10, account, 0)
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Between 0 and `whole`, by FNV-1a of the id and the number.
fn part_of(whole: i64, account: &str, number: i64) -> i64 {
    let bytes = account.bytes().chain(number.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The upper half has the better bits, and fits.
    let thousandth = i64::try_from((hash >> 32) % 1001).unwrap_or(0);
    whole / 1000 * thousandth + whole % 1000 * thousandth / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTAGE: Error = Error::Outage { status: 503, retry_after: None };

    #[test]
    fn a_failure_doubles_the_wait_up_to_five_minutes() {
        for (attempts, longest) in
            [(0, 1_000), (1, 2_000), (4, 16_000), (8, 256_000), (9, 300_000), (1_000_000, 300_000)]
        {
            for account in ["a", "b", "c", "d"] {
                let wait = after_failure(account, attempts, &OUTAGE);
                assert!((longest / 2..=longest).contains(&wait), "{account} {attempts}: {wait}");
            }
        }
    }

    #[test]
    fn accounts_do_not_come_at_once_and_each_is_predictable() {
        let waits: std::collections::BTreeSet<_> =
            (0..100).map(|n| after_failure(&format!("account-{n}"), 9, &OUTAGE)).collect();
        assert!(waits.len() > 50, "{waits:?}");
        assert_eq!(after_failure("a", 3, &OUTAGE), after_failure("a", 3, &OUTAGE));
        let day = Duration::from_secs(86_400);
        let waits: std::collections::BTreeSet<_> =
            (0..100).map(|n| until_resync(&format!("account-{n}"), day)).collect();
        assert!(
            waits.len() > 50 && waits.iter().all(|wait| (77_760_000..=86_400_000).contains(wait)),
            "{waits:?}"
        );
    }

    #[test]
    fn the_api_can_ask_for_longer() {
        let error = Error::RateLimited { retry_after: Some(Duration::from_secs(900)) };
        assert_eq!(after_failure("a", 0, &error), 900_000);
        let error = Error::RateLimited { retry_after: Some(Duration::ZERO) };
        assert!(after_failure("a", 0, &error) >= 500);
    }

    #[test]
    fn a_refused_key_is_tried_slowly_from_the_start() {
        assert!(after_failure("a", 0, &Error::Unauthorised { status: 401 }) >= LONGEST_MS / 2);
    }
}
