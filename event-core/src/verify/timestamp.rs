//! When a message was signed, against now. It does not read a clock, and it is not the timestamp of the event.

use super::SignatureFault;

/// The most digits: enough for more than thirty thousand years.
const DIGITS: usize = 12;

/// Whether the seconds since 1970, in decimal digits alone, lie within the tolerance of now, either way.
pub(super) fn check(text: &[u8], now_s: u64, tolerance_s: u64) -> Result<(), SignatureFault> {
    let well_formed = (1..=DIGITS).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if !well_formed {
        return Err(SignatureFault::TimestampInvalid);
    }
    let signed_s = text.iter().fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
    if now_s.saturating_sub(signed_s) > tolerance_s {
        Err(SignatureFault::TimestampTooOld)
    } else if signed_s.saturating_sub(now_s) > tolerance_s {
        Err(SignatureFault::TimestampTooNew)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tolerance_holds_both_ways_and_its_bounds_are_inside() {
        for (text, result) in [
            ("1000", Ok(())),
            ("700", Ok(())),
            ("699", Err(SignatureFault::TimestampTooOld)),
            ("0", Err(SignatureFault::TimestampTooOld)),
            ("1300", Ok(())),
            ("1301", Err(SignatureFault::TimestampTooNew)),
            ("999999999999", Err(SignatureFault::TimestampTooNew)),
            ("000000001000", Ok(())),
        ] {
            assert_eq!(check(text.as_bytes(), 1000, 300), result, "{text}");
        }
    }

    #[test]
    fn only_one_to_twelve_digits_are_a_timestamp() {
        for text in [
            "",
            "+1000",
            "-1000",
            "1000.0",
            " 1000",
            "1000 ",
            "1e3",
            "0x3e8",
            "1,000",
            "١٠٠٠",
            "0000000001000",
            "18446744073709551616",
        ] {
            let result = check(text.as_bytes(), 1000, 300);
            assert_eq!(result, Err(SignatureFault::TimestampInvalid), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_distance_that_counts(signed_s in 0u64..1_000_000_000_000, now_s: u64, tolerance_s in 1u64..=86_400) {
            let result = check(signed_s.to_string().as_bytes(), now_s, tolerance_s);
            prop_assert_eq!(result.is_ok(), signed_s.abs_diff(now_s) <= tolerance_s);
        }
    }
}
