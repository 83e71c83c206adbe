//! The instant that an event names. It reads ISO 8601 calendar dates with a time and an offset; it knows no clock and no
//! other calendar.
//!
//! Accepted: date, `T`, hours, minutes and seconds, and an offset, in the extended (`2025-05-22T10:48:18Z`) or the basic
//! (`20250522T104818Z`) format of ISO 8601-1:2019, section 5.4; a fraction of any length behind `.` or `,`; the offset as
//! `Z`, `±hh:mm`, `±hhmm` or `±hh`; `T` and `Z` in either case. RFC 3339 is the recommended form.

use std::fmt;

/// What a sender is told when a timestamp is refused.
pub const ACCEPTED: &str =
    "must be an ISO 8601 date and time with seconds and an offset, such as 2025-05-22T10:48:18Z";

/// An instant in the years 0000 to 9999 UTC. Its [`Display`](fmt::Display) is RFC 3339: UTC, `Z`, no trailing zeros, at
/// most nanoseconds (finer digits are cut off).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Since 0000-01-01T00:00:00Z; a leap second counts as the second before it (RFC 3339, appendix D).
    seconds: i64,
    nanoseconds: u32,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const DAYS_IN_YEAR: i64 = 365;
/// 365 days and a leap day every 4th year, but not every 100th, but every 400th.
const DAYS_IN_400_YEARS: i64 = 400 * DAYS_IN_YEAR + 100 - 4 + 1;
/// Years 0000 to 9999.
const DAYS_IN_ALL: i64 = 25 * DAYS_IN_400_YEARS;

impl Timestamp {
    /// Reads an instant, or `None` for anything that is not one in the accepted form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Cursor(text.as_bytes());
        let year = rest.number(4)?;
        let extended = rest.accept(b"-");
        let month = rest.number(2)?;
        rest.separator(extended, b'-')?;
        let day = rest.number(2)?;
        if !(1..=12).contains(&month)
            || !(1..=days_in_month(year, month)).contains(&day)
            || !rest.accept(b"Tt")
        {
            return None;
        }
        let hour = rest.number(2)?;
        rest.separator(extended, b':')?;
        let minute = rest.number(2)?;
        rest.separator(extended, b':')?;
        let second = rest.number(2)?;
        let nanoseconds = if rest.accept(b".,") { rest.fraction()? } else { 0 };
        let offset = rest.offset()?;
        if hour > 23 || minute > 59 || second > 60 || !rest.0.is_empty() {
            return None;
        }
        let minutes = days_before(year, month, day) * DAY + hour * HOUR + minute * MINUTE - offset;
        if second == 60 && minutes.rem_euclid(DAY) != DAY - MINUTE {
            return None;
        }
        let seconds = minutes + second.min(59);
        (0..DAYS_IN_ALL * DAY).contains(&seconds).then_some(Self { seconds, nanoseconds })
    }
}

impl Timestamp {
    /// Bytes in a written instant.
    pub(crate) const BYTES: usize = 12;

    /// Seconds and nanoseconds, both little-endian.
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let parts = self.seconds.to_le_bytes().into_iter().chain(self.nanoseconds.to_le_bytes());
        bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
        bytes
    }

    /// Reads what [`Timestamp::to_bytes`] wrote; `None` if it is no instant.
    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let (seconds, nanoseconds) = bytes.split_first_chunk()?;
        let seconds = i64::from_le_bytes(*seconds);
        let nanoseconds = u32::from_le_bytes(nanoseconds.try_into().ok()?);
        let is_one = (0..DAYS_IN_ALL * DAY).contains(&seconds) && nanoseconds < 1_000_000_000;
        is_one.then_some(Self { seconds, nanoseconds })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write_into(&mut text);
        f.write_str(&text)
    }
}

impl Timestamp {
    /// Writes it behind what `text` holds, without the formatting machinery: this runs for every event.
    pub(crate) fn write_into(self, out: &mut String) {
        let (year, month, day) = civil(self.seconds.div_euclid(DAY));
        let time = self.seconds.rem_euclid(DAY);
        let (hour, minute, second) = (time / HOUR, time % HOUR / MINUTE, time % MINUTE);
        let mut text = *b"0000-00-00T00:00:00";
        let places =
            [(0, 4, year), (5, 2, month), (8, 2, day), (11, 2, hour), (14, 2, minute), (17, 2, second)];
        for (start, width, number) in places {
            if let Some(digits) = text.get_mut(start..start + width) {
                write_digits(digits, number);
            }
        }
        out.push_str(std::str::from_utf8(&text).unwrap_or_default());
        if self.nanoseconds > 0 {
            let mut fraction = *b".000000000";
            if let Some(digits) = fraction.get_mut(1..) {
                write_digits(digits, i64::from(self.nanoseconds));
            }
            out.push_str(std::str::from_utf8(&fraction).unwrap_or_default().trim_end_matches('0'));
        }
        out.push('Z');
    }
}

/// Fills the places with the last decimal digits of a number that is not negative.
fn write_digits(places: &mut [u8], mut number: i64) {
    for place in places.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn accept(&mut self, any_of: &[u8]) -> bool {
        match self.0.split_first() {
            Some((byte, rest)) if any_of.contains(byte) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// The extended format has the separator, the basic one does not: they do not mix.
    fn separator(&mut self, extended: bool, byte: u8) -> Option<()> {
        (self.accept(&[byte]) == extended).then_some(())
    }

    fn digit(&mut self) -> Option<i64> {
        let (byte, rest) = self.0.split_first()?;
        let digit = char::from(*byte).to_digit(10)?;
        self.0 = rest;
        Some(i64::from(digit))
    }

    /// Exactly this many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        (0..digits).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// One digit or more, as nanoseconds; what is finer is read and cut off.
    fn fraction(&mut self) -> Option<u32> {
        let (mut nanoseconds, mut unit) = (0, 1_000_000_000_u32);
        let first = self.digit()?;
        let mut next = Some(first);
        while let Some(digit) = next {
            unit /= 10;
            nanoseconds += u32::try_from(digit).ok()? * unit;
            next = self.digit();
        }
        Some(nanoseconds)
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.accept(b"Zz") {
            return Some(0);
        }
        let sign = if self.accept(b"+") {
            1
        } else if self.accept(b"-") {
            -1
        } else {
            return None;
        };
        let hour = self.number(2)?;
        let minute = if self.accept(b":") || !self.0.is_empty() { self.number(2)? } else { 0 };
        (hour <= 23 && minute <= 59).then_some(sign * (hour * HOUR + minute * MINUTE))
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 0000-01-01 to a date of the proleptic Gregorian calendar.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    days_before_year(year) + (1..month).map(|earlier| days_in_month(year, earlier)).sum::<i64>() + day - 1
}

/// Year 0000 is a leap year, hence the roundings up.
const fn days_before_year(year: i64) -> i64 {
    DAYS_IN_YEAR * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400
}

/// The date that is so many days behind 0000-01-01: year, month, day.
fn civil(days: i64) -> (i64, i64, i64) {
    // The mean year is a little shorter than 366 days: the guess is never too late, and at most some years too early.
    let mut year = days / (DAYS_IN_YEAR + 1);
    year += (days - days_before_year(year)) / (DAYS_IN_YEAR + 1);
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let (mut month, mut day) = (1, days - days_before_year(year));
    while day >= days_in_month(year, month) {
        day -= days_in_month(year, month);
        month += 1;
    }
    (year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utc(text: &str) -> Option<String> {
        Timestamp::parse(text).map(|instant| instant.to_string())
    }

    #[test]
    fn accepted_forms_name_one_instant() {
        for (text, instant) in [
            ("2025-05-22T10:48:18Z", "2025-05-22T10:48:18Z"),
            ("2025-05-22t10:48:18z", "2025-05-22T10:48:18Z"),
            ("20250522T104818Z", "2025-05-22T10:48:18Z"),
            ("20250522T104818,5+0200", "2025-05-22T08:48:18.5Z"),
            ("20250522T104818+02:00", "2025-05-22T08:48:18Z"),
            ("2025-05-22T10:48:18+02", "2025-05-22T08:48:18Z"),
            ("2025-05-22T10:48:18+0200", "2025-05-22T08:48:18Z"),
            ("2025-05-22T10:48:18-00:00", "2025-05-22T10:48:18Z"),
            ("2025-05-22T10:48:18+23:59", "2025-05-21T10:49:18Z"),
            ("2025-05-22T16:18:18+05:30", "2025-05-22T10:48:18Z"),
            ("2025-05-22T10:48:18.123400Z", "2025-05-22T10:48:18.1234Z"),
            ("2025-05-22T10:48:18.000Z", "2025-05-22T10:48:18Z"),
            ("2025-05-22T10:48:18.12345678901234567890Z", "2025-05-22T10:48:18.123456789Z"),
            ("2025-05-22T10:48:18.000000001Z", "2025-05-22T10:48:18.000000001Z"),
            ("2025-01-01T00:30:00+01:00", "2024-12-31T23:30:00Z"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            ("2017-01-01T00:59:60.5+01:00", "2016-12-31T23:59:59.5Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(instant), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "2025-05-22",
            "10:48:18Z",
            "2025-05-22T10:48:18",
            "2025-05-22T10:48Z",
            "2025-05-22T10Z",
            "2025-05-22 10:48:18Z",
            "2025-142T10:48:18Z",
            "2025-W21-4T10:48:18Z",
            "+002025-05-22T10:48:18Z",
            "-2025-05-22T10:48:18Z",
            "25-05-22T10:48:18Z",
            "2025-5-22T10:48:18Z",
            "2025-0522T10:48:18Z",
            "20250522T10:48:18Z",
            "2025-05-22T104818Z",
            "2025-05-22T10:4818Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2025-04-31T00:00:00Z",
            "2025-05-00T00:00:00Z",
            "2025-05-22T24:00:00Z",
            "2025-05-22T25:00:00Z",
            "2025-05-22T10:60:18Z",
            "2025-05-22T10:48:61Z",
            "2025-05-22T10:48:60Z",
            "2016-12-31T23:59:60+01:00",
            "2025-05-22T10:48:18.Z",
            "2025-05-22T10:48:18..5Z",
            "2025-05-22T10:48:18+24:00",
            "2025-05-22T10:48:18+02:60",
            "2025-05-22T10:48:18+02:",
            "2025-05-22T10:48:18+2",
            "2025-05-22T10:48:18+020",
            "2025-05-22T10:48:18+02:00:00",
            "2025-05-22T10:48:18\u{2212}02:00",
            "2025-05-22T10:48:18Z+02:00",
            "2025-05-22T03:48:18-07:00[America/Los_Angeles]",
            " 2025-05-22T10:48:18Z",
            "2025-05-22T10:48:18Z\n",
            "2025-05-22T10:48:18Z ",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "２025-05-22T10:48:18Z",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_ten_thousand_years_survives_the_round_trip() {
        let mut expected = 0;
        for year in 0..10_000 {
            for month in 1..=12 {
                for day in [1, days_in_month(year, month)] {
                    let days = days_before(year, month, day);
                    assert_eq!(civil(days), (year, month, day));
                    assert!(days >= expected, "{year}-{month}-{day}");
                    expected = days;
                }
            }
        }
        assert_eq!(expected + 1, DAYS_IN_ALL);
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same_instant(seconds in 0..DAYS_IN_ALL * DAY, nanoseconds in 0..1_000_000_000_u32) {
            let instant = Timestamp { seconds, nanoseconds };
            prop_assert_eq!(Timestamp::parse(&instant.to_string()), Some(instant));
        }

        #[test]
        fn order_follows_the_clock(a in 0..DAYS_IN_ALL * DAY, b in 0..DAYS_IN_ALL * DAY) {
            let [first, second] = [a, b].map(|seconds| Timestamp { seconds, nanoseconds: 0 });
            prop_assert_eq!(first.cmp(&second), first.to_string().cmp(&second.to_string()));
        }

        #[test]
        fn any_text_is_judged_without_a_panic(text in "[0-9TZtz:.,+ -]{0,40}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
