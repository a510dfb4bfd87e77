//! The one form in which almost every time crosses the wire, `2026-01-31T23:59:59.123456Z` (without the fraction when it is
//! nought), written and read digit by digit. Anything else is chrono's to read.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

/// A text of at most 27 characters.
pub(super) struct UtcText {
    bytes: [u8; 27],
    length: usize,
}

impl UtcText {
    /// `None` for years that are not four digits long.
    pub(super) fn of(time: DateTime<Utc>) -> Option<Self> {
        let time = time.naive_utc();
        let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999)?;
        let mut bytes = *b"0000-00-00T00:00:00.000000Z";
        put(&mut bytes[..4], year);
        put(&mut bytes[5..7], time.month());
        put(&mut bytes[8..10], time.day());
        put(&mut bytes[11..13], time.hour());
        put(&mut bytes[14..16], time.minute());
        // A leap second counts as the last second of its minute, with a fraction above one.
        put(&mut bytes[17..19], time.second() + time.nanosecond() / 1_000_000_000);
        let micros = time.nanosecond() % 1_000_000_000 / 1_000;
        let length = if micros == 0 {
            bytes[19] = b'Z';
            20
        } else {
            put(&mut bytes[20..26], micros);
            27
        };
        Some(Self { bytes, length })
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("digits and signs are ASCII")
    }
}

/// Writes a number with leading noughts.
fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Reads the form that `UtcText` writes, with any fraction of one to six digits and `Z` or `+00:00` at its end.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let signs = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if bytes.len() < 20 || signs.iter().any(|(at, sign)| bytes[*at] != *sign) {
        return None;
    }
    let local = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?.as_bytes();
    let micros = match local.get(19) {
        None => 0,
        Some(b'.') if (21..=26).contains(&local.len()) => {
            number(&local[20..])? * 10_u32.pow(26 - u32::try_from(local.len()).ok()?)
        }
        Some(_) => return None,
    };
    let date = NaiveDate::from_ymd_opt(number(&local[..4])? as i32, number(&local[5..7])?, number(&local[8..10])?)?;
    let time =
        date.and_hms_micro_opt(number(&local[11..13])?, number(&local[14..16])?, number(local.get(17..19)?)?, micros)?;
    Some(time.and_utc())
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    use super::{UtcText, parse};

    proptest! {
        #[test]
        fn it_writes_and_reads_what_chrono_does(micros in -62_135_596_800_000_000_i64..253_402_300_799_000_000, whole: bool) {
            let micros = if whole { micros / 1_000_000 * 1_000_000 } else { micros };
            let time = DateTime::from_timestamp_micros(micros).unwrap();
            let precision = if micros % 1_000_000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
            let expected = time.to_rfc3339_opts(precision, true);
            let written = UtcText::of(time).unwrap();
            prop_assert_eq!(written.as_str(), &expected);
            prop_assert_eq!(parse(&expected), Some(time));
        }

        #[test]
        fn it_reads_nothing_that_chrono_would_not(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,7})?(Z|\\+00:00|)") {
            if let Some(time) = parse(&text) {
                prop_assert_eq!(DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()), Ok(time));
            }
        }
    }

    #[test]
    fn other_forms_are_left_to_others() {
        for text in [
            "",
            "2026-01-31",
            "2026-01-31 23:59:59Z",
            "2026-01-31T23:59:59+02:00",
            "2026-13-31T23:59:59Z",
            "é026-01-31T23:59:59Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
