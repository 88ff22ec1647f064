// SPDX-License-Identifier: Apache-2.0
//! Times and identifiers as the Mender API writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};
use time::format_description::well_known::Rfc3339;
use time::{Month, OffsetDateTime, Weekday};

/// Now, RFC 3339 in UTC with milliseconds: `2026-03-11T13:03:17.063Z`.
pub(crate) fn now() -> String {
    rfc3339(SystemTime::now())
}

/// A moment, RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let t = OffsetDateTime::from(at);
    let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
    let (hour, minute, second, ms) = (t.hour(), t.minute(), t.second(), t.millisecond());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// A moment as S3 writes it into presigned links: `20260311T130317Z`.
pub(crate) fn compact(at: SystemTime) -> String {
    let t = OffsetDateTime::from(at);
    let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", t.hour(), t.minute(), t.second())
}

/// Seconds since 1970 of a time written by [`compact`].
pub(crate) fn parse_compact(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let year = text.get(0..4)?.parse::<i32>().ok()?;
    let date =
        time::Date::from_calendar_date(year, Month::try_from(number(4, 6)?).ok()?, number(6, 8)?).ok()?;
    let moment = date.with_hms(number(9, 11)?, number(11, 13)?, number(13, 15)?).ok()?;
    u64::try_from(moment.assume_utc().unix_timestamp()).ok()
}

/// The `Date` form of RFC 9110 §5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(at: SystemTime) -> String {
    let t = OffsetDateTime::from(at);
    let day = match t.weekday() {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    };
    let month = t.month().to_string();
    let month = month.get(..3).unwrap_or_default();
    let (d, year, hour, minute, second) = (t.day(), t.year(), t.hour(), t.minute(), t.second());
    format!("{day}, {d:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// True for what Go's `time.Time` reads from JSON: RFC 3339 with a zone, and not the zero time of year 1.
pub(crate) fn is_go_time(text: &str) -> bool {
    let shape = text.as_bytes();
    if shape.get(10) != Some(&b'T') || shape.last() == Some(&b'z') {
        return false;
    }
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(moment) => moment.unix_timestamp() != GO_ZERO_TIME || moment.nanosecond() != 0,
        Err(_) => false,
    }
}

/// Seconds from 1970 to Go's zero time, 0001-01-01T00:00:00Z.
const GO_ZERO_TIME: i64 = -62_135_596_800;

/// Whole seconds since 1970.
pub(crate) fn unix(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// `N` unpredictable bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // A host without a random source cannot make TLS keys either: there is nothing to serve then.
    SystemRandom::new().fill(&mut bytes).unwrap_or_else(|_| std::process::abort());
    bytes
}

/// A random (version 4) UUID, 36 lower-case characters.
pub(crate) fn uuid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// True for 36 characters in the form of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_the_three_forms_of_the_api() {
        let at = UNIX_EPOCH + Duration::from_millis(784_111_777_042);
        assert_eq!(rfc3339(at), "1994-11-06T08:49:37.042Z");
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(compact(at), "19941106T084937Z");
        assert_eq!(parse_compact("19941106T084937Z"), Some(784_111_777));
        assert_eq!(parse_compact("19941306T084937Z"), None);
    }

    #[test]
    fn log_times_follow_go_and_not_only_the_rfc() {
        for good in
            ["1970-01-01T00:00:12.345Z", "2016-03-11T13:03:17.063493443Z", "2026-01-01T00:00:00+01:00"]
        {
            assert!(is_go_time(good), "{good}");
        }
        let bad = [
            "",
            "0001-01-01T00:00:00Z",
            "00:39:06.746,000",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
        ];
        for text in bad {
            assert!(!is_go_time(text), "{text}");
        }
    }

    #[test]
    fn identifiers_are_version_4_uuids() {
        let id = uuid();
        assert!(is_uuid(&id), "{id}");
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(!is_uuid("../../../../../../etc/passwd-0000000"));
    }
}
