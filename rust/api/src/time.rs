// SPDX-License-Identifier: Apache-2.0
//! The two forms of a date that Mender needs: HTTP's (read) and RFC 3339 (written). Times are since 1970-01-01 UTC.

use mender_base::text;

const MONTHS: [(&[u8], u8); 12] = [
    (b"Jan", 31),
    (b"Feb", 28),
    (b"Mar", 31),
    (b"Apr", 30),
    (b"May", 31),
    (b"Jun", 30),
    (b"Jul", 31),
    (b"Aug", 31),
    (b"Sep", 30),
    (b"Oct", 31),
    (b"Nov", 30),
    (b"Dec", 31),
];
const DAY_S: u64 = 86400;
/// Last year that RFC 3339 can write.
const YEAR_MAX: u16 = 9999;

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn year_days(year: u16) -> u16 {
    if is_leap(year) { 366 } else { 365 }
}

/// Lengths of the months of a year, in days.
fn months(year: u16) -> impl Iterator<Item = u8> {
    MONTHS.iter().enumerate().map(move |(i, (_, days))| days.wrapping_add(u8::from(i == 1 && is_leap(year))))
}

/// Seconds since 1970 of an HTTP date, years 1970…9999.
///
/// Takes the three forms that RFC 9110 §5.6.7 asks recipients to take, and is generous about spaces and day names.
#[must_use]
pub fn http_date(value: &[u8]) -> Option<u64> {
    let mut numbers = [0u16; 5];
    let mut count: usize = 0;
    let mut month = None;
    // `asctime` writes the month before the day and the year at the end.
    let mut asctime = false;
    for word in value.split(|b| !b.is_ascii_alphanumeric()) {
        if word.first().is_some_and(u8::is_ascii_digit) {
            let number = text::parse_decimal(word).and_then(|n| u16::try_from(n).ok())?;
            *numbers.get_mut(count)? = number;
            count = count.wrapping_add(1);
        } else if month.is_none() {
            month = MONTHS.iter().position(|(name, _)| *name == word);
            asctime = month.is_some() && count == 0;
        }
    }
    let [day, year, hour, minute, second] = if asctime {
        let [day, hour, minute, second, year] = numbers;
        [day, year, hour, minute, second]
    } else {
        numbers
    };
    // The obsolete form of RFC 850 has two digits; those of a reply that is sent now are of this century.
    let year = if year < 100 { year.wrapping_add(2000) } else { year };
    let in_range =
        count == 5 && (1970..=YEAR_MAX).contains(&year) && hour < 24 && minute < 60 && second <= 60;
    let month = month.filter(|_| in_range)?;
    let length = months(year).nth(month).filter(|length| (1..=u16::from(*length)).contains(&day))?;
    debug_assert!(length >= 28, "of a month");
    let days = (1970..year).map(|y| u32::from(year_days(y))).fold(0u32, u32::wrapping_add);
    let days = months(year).take(month).fold(days, |sum, length| sum.wrapping_add(length.into()));
    let days = days.wrapping_add(u32::from(day)).wrapping_sub(1);
    let seconds = u64::from(hour)
        .wrapping_mul(3600)
        .wrapping_add(u64::from(minute).wrapping_mul(60))
        .wrapping_add(second.into());
    Some(u64::from(days).wrapping_mul(DAY_S).wrapping_add(seconds))
}

/// `YYYY-MM-DDThh:mm:ss.mmmZ` for milliseconds since 1970; the end of the year 9999 for anything later.
#[must_use]
pub fn rfc3339(unix_ms: u64) -> [u8; 24] {
    let (mut seconds, millis) = (unix_ms.wrapping_div(1000), unix_ms % 1000);
    let mut days = seconds.wrapping_div(DAY_S);
    seconds %= DAY_S;
    let mut year = 1970;
    while let Some(rest) = days.checked_sub(year_days(year).into()) {
        if year == YEAR_MAX {
            return *b"9999-12-31T23:59:59.999Z";
        }
        days = rest;
        year = year.saturating_add(1);
    }
    let mut month: u64 = 1;
    for length in months(year) {
        let Some(rest) = days.checked_sub(length.into()) else { break };
        days = rest;
        month = month.wrapping_add(1);
    }
    let mut out = *b"0000-00-00T00:00:00.000Z";
    let (hours, rest) = (seconds.wrapping_div(3600), seconds % 3600);
    let fields = [
        (3, u64::from(year)),
        (6, month),
        (9, days.wrapping_add(1)),
        (12, hours),
        (15, rest.wrapping_div(60)),
        (18, rest % 60),
        (22, millis),
    ];
    for (last, number) in fields {
        put(&mut out, last, number);
    }
    out
}

/// Adds the digits of a number to the zeros that end at `last`.
fn put(out: &mut [u8; 24], last: usize, number: u64) {
    let digits = text::Decimal::new(number);
    let places = out.iter_mut().take(last.saturating_add(1)).rev();
    for (to, digit) in places.zip(digits.as_str().bytes().rev()) {
        *to = digit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_an_http_date_mean_the_same() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(http_date(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(http_date(b"Friday, 06-Nov-26 08:49:37 GMT"), http_date(b"Fri, 06 Nov 2026 08:49:37 GMT"));
    }

    #[test]
    fn known_moments_come_out_right() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Wed, 31 Dec 2025 23:59:59 GMT", 1_767_225_599),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            assert_eq!(http_date(text.as_bytes()), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "0",
            "120",
            "yesterday",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37 +0200",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Mon, 29 Feb 2100 00:00:00 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 10000 08:49:37 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 11 1994 08:49:37 GMT",
            "Sun, 6x Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(http_date(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn timestamps_are_full_rfc_3339() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (12_345, "1970-01-01T00:00:12.345Z"),
            (951_825_600_007, "2000-02-29T12:00:00.007Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(core::str::from_utf8(&rfc3339(ms)), Ok(text));
        }
    }
}
