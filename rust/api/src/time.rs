// SPDX-License-Identifier: Apache-2.0
//! The two forms of a date that Mender needs: HTTP's (read) and RFC 3339 (written). Times are since 1970-01-01 UTC.

use mender_base::text::{divide, parse_u32};

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const DAY_S: u32 = 86400;
/// Years from here on do not all fit 32 bits of seconds.
const YEAR_END: u32 = 2106;

const fn year_days(year: u32) -> u32 {
    // 2100 is the one year in range that the rule of four gets wrong.
    if year.is_multiple_of(4) && year != 2100 { 366 } else { 365 }
}

/// Days of a month, 0 for January.
#[inline(never)]
const fn month_days(year: u32, month: u32) -> u32 {
    match month {
        1 => year_days(year).wrapping_sub(337),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Seconds since 1970 of an HTTP date, years 1970…2105.
///
/// Takes the three forms that RFC 9110 §5.6.7 asks recipients to take, and is generous about spaces and day names.
#[must_use]
pub fn http_date(value: &[u8]) -> Option<u32> {
    let mut numbers = [0u32; 5];
    let mut places = numbers.iter_mut();
    let mut month = None;
    // `asctime` writes the month before the day and the year at the end.
    let mut asctime = false;
    for word in value.split(|b| !b.is_ascii_alphanumeric()) {
        if word.first().is_some_and(u8::is_ascii_digit) {
            *places.next()? = parse_u32(word)?;
        } else if month.is_none() {
            month = MONTHS.chunks(3).position(|name| name == word);
            asctime = places.len() == 5;
        }
    }
    let whole = places.len() == 0;
    let [day, mut year, mut hour, mut minute, mut second] = numbers;
    if asctime {
        (hour, minute, second, year) = (year, hour, minute, second);
    }
    if year < 100 {
        // The obsolete form of RFC 850 has two digits; a reply that is sent now is of this century.
        year = year.wrapping_add(2000);
    }
    let month = u32::try_from(month?).ok()?;
    let in_range = whole && (1970..YEAR_END).contains(&year);
    if !in_range || hour > 23 || minute > 59 || second > 60 || day == 0 || day > month_days(year, month) {
        return None;
    }
    let years = (1970..year).map(year_days);
    let months = (0..month).map(|month| month_days(year, month));
    let days = years.chain(months).fold(day.wrapping_sub(1), u32::wrapping_add);
    let minutes = hour.wrapping_mul(60).wrapping_add(minute);
    Some(days.wrapping_mul(DAY_S).wrapping_add(minutes.wrapping_mul(60)).wrapping_add(second))
}

/// `YYYY-MM-DDThh:mm:ss.mmmZ` for milliseconds since 1970; what is after 2106-02-07 stays there.
#[must_use]
pub fn rfc3339(mut unix_ms: u64) -> [u8; 24] {
    let millis = divide(&mut unix_ms, 1000);
    let seconds = u32::try_from(unix_ms).unwrap_or(u32::MAX);
    let (mut days, mut year, mut month) = (seconds.wrapping_div(DAY_S), 1970, 0);
    while let Some(rest) = days.checked_sub(year_days(year)) {
        (days, year) = (rest, year.wrapping_add(1));
    }
    while let Some(rest) = days.checked_sub(month_days(year, month)) {
        (days, month) = (rest, month.wrapping_add(1));
    }
    let seconds = seconds % DAY_S;
    let mut out = *b"0000-00-00T00:00:00.000Z";
    for (end, mut number) in [
        (4, year),
        (7, month.wrapping_add(1)),
        (10, days.wrapping_add(1)),
        (13, seconds.wrapping_div(3600)),
        (16, seconds.wrapping_div(60) % 60),
        (19, seconds % 60),
        (23, millis),
    ] {
        // From the last digit on; zeros are there already.
        for to in out.iter_mut().take(end).rev() {
            if number == 0 {
                break;
            }
            *to = b"0123456789".get(usize::try_from(number % 10).unwrap_or(0)).copied().unwrap_or(b'0');
            number = number.wrapping_div(10);
        }
    }
    out
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
            ("Wed, 31 Dec 2105 00:00:00 GMT", 4_291_660_800),
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
            "Sun, 06 Nov 2106 08:49:37 GMT",
            "Sun, 06 Nov 9999999999 08:49:37 GMT",
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
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (4_294_967_295_999, "2106-02-07T06:28:15.999Z"),
            (4_294_967_296_000, "2106-02-07T06:28:15.000Z"),
            (u64::MAX, "2106-02-07T06:28:15.615Z"),
        ] {
            assert_eq!(core::str::from_utf8(&rfc3339(ms)), Ok(text));
        }
    }
}
