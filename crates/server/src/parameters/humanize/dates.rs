//! Days and moments in words, as seen from a present time. Templates have no values that are dates: a text that spells a
//! time is one, and its own offset says on which day it lies. Pure.

use chrono::{DateTime, FixedOffset, Utc};
use tidegate_core::time::Timestamp;

use super::durations::{self, Unit};

/// After how many days a date is told with its year.
const WITH_YEAR: f64 = 5.0 * 365.0 / 12.0;

/// The time that a text spells.
pub(super) fn parse(text: &str) -> Option<DateTime<FixedOffset>> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time),
        // A number is no time here, though clients may send times as numbers.
        Err(_) if text.trim().parse::<f64>().is_ok() => None,
        Err(_) => Timestamp::parse(text).map(|time| time.datetime().fixed_offset()),
    }
}

/// Today, and the days beside it, by their names.
pub(super) fn day(time: DateTime<FixedOffset>, now: DateTime<Utc>) -> String {
    match days_ahead(time, now) {
        0 => "today".into(),
        1 => "tomorrow".into(),
        -1 => "yesterday".into(),
        _ => time.format("%b %d").to_string(),
    }
}

/// As `day`, with the year where the day alone could be misunderstood.
pub(super) fn date(time: DateTime<FixedOffset>, now: DateTime<Utc>) -> String {
    let is_far = days_ahead(time, now).abs() as f64 >= WITH_YEAR;
    if is_far { time.format("%b %d %Y").to_string() } else { day(time, now) }
}

/// How long ago a time was, or how long it will take until it comes.
pub(super) fn time(time: DateTime<FixedOffset>, now: DateTime<Utc>, months: bool, minimum: Unit) -> String {
    let away = (time.to_utc() - now).as_seconds_f64();
    from_now(away.abs(), away > 0.0, months, minimum)
}

/// A length of time before or after the present.
pub(super) fn from_now(seconds: f64, is_to_come: bool, months: bool, minimum: Unit) -> String {
    match durations::natural(seconds, months, minimum) {
        moment if moment == durations::MOMENT => "now".into(),
        length if is_to_come => format!("{length} from now"),
        length => format!("{length} ago"),
    }
}

fn days_ahead(time: DateTime<FixedOffset>, now: DateTime<Utc>) -> i64 {
    (time.date_naive() - now.with_timezone(time.offset()).date_naive()).num_days()
}
