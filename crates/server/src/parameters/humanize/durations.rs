//! Lengths of time in words. Pure.

use super::numbers::with_commas;

pub(super) const MOMENT: &str = "a moment";

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365;
/// Days of a month, as far as words go.
const MONTH: f64 = 30.5;

/// About how long: one unit, or a year and what is over.
pub(super) fn natural(seconds: f64, months: bool) -> String {
    let total = seconds.abs();
    let all_days = (total / DAY as f64).floor() as i64;
    let rest = total - (all_days * DAY) as f64;
    let (years, days) = (all_days / YEAR, all_days % YEAR);
    if years == 0 && days == 0 {
        return short(rest);
    }
    // To the nearest month: half of one is one.
    let count_of_months = if months { (days as f64 / MONTH).round() as i64 } else { 0 };
    match (years, count_of_months) {
        (0, 0) => some(days, "a day", "day"),
        (0, 12) => "a year".into(),
        (0, count) => some(count, "a month", "month"),
        (1, 0) if days == 0 => "a year".into(),
        (1, 0) => format!("1 year, {}", counted(days, "day")),
        (1, 12) => "2 years".into(),
        (1, count) => format!("1 year, {}", counted(count, "month")),
        _ => some((all_days as f64 / YEAR as f64).round() as i64, "a year", "year"),
    }
}

fn some(count: i64, one: &str, unit: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("{} {unit}s", with_commas(&count.to_string())) }
}

fn counted(count: i64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Less than a day, to the nearest unit.
fn short(seconds: f64) -> String {
    let whole = seconds.floor() as i64;
    let nearest = |unit: i64| (whole as f64 / unit as f64).round() as i64;
    match whole {
        0 => MOMENT.into(),
        1 => "a second".into(),
        2..MINUTE => format!("{whole} seconds"),
        MINUTE..HOUR => match nearest(MINUTE) {
            1 => "a minute".into(),
            60 => "an hour".into(),
            minutes => format!("{minutes} minutes"),
        },
        _ => match nearest(HOUR) {
            1 => "an hour".into(),
            24 => "a day".into(),
            hours => format!("{hours} hours"),
        },
    }
}

/// All of it, unit by unit.
pub(super) fn precise(seconds: f64) -> String {
    let total = seconds.abs();
    let whole = total.floor() as i64;
    let days = whole / DAY;
    let (years, days) = (days / YEAR, days % YEAR);
    let months = (days as f64 / MONTH).floor();
    let days = (days as f64 - months * MONTH).floor() as i64;
    let hours = (whole % DAY) / HOUR;
    let minutes = (whole % HOUR) / MINUTE;
    let units = [(years, "year"), (months as i64, "month"), (days, "day"), (hours, "hour"), (minutes, "minute")];
    let mut parts: Vec<String> = units
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| counted_with_commas(count, unit))
        .collect();
    let rest = (whole % MINUTE) as f64 + total.fract();
    let fraction = format!("{rest:.2}");
    let is_whole = fraction.ends_with(".00");
    if rest > 0.005 || parts.is_empty() {
        let is_one = is_whole && rest.round() as i64 == 1;
        let shown = if is_whole { format!("{rest:.0}") } else { fraction };
        parts.push(format!("{shown} second{}", if is_one { "" } else { "s" }));
    }
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

fn counted_with_commas(count: i64, unit: &str) -> String {
    format!("{} {unit}{}", with_commas(&count.to_string()), if count == 1 { "" } else { "s" })
}
