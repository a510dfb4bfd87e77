//! Lengths of time in words. Pure.

use super::numbers::{rounded, with_commas};

pub(super) const MOMENT: &str = "a moment";

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365;
/// Days of a month, as far as words go.
const MONTH: f64 = 30.5;
const DAY_MICROSECONDS: i128 = DAY as i128 * 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Unit {
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
    Months,
    Years,
}

impl Unit {
    /// The largest first.
    const ALL: [Self; 8] = [
        Self::Years,
        Self::Months,
        Self::Days,
        Self::Hours,
        Self::Minutes,
        Self::Seconds,
        Self::Milliseconds,
        Self::Microseconds,
    ];

    /// By its name in the plural.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let name = text.to_lowercase();
        Self::ALL.into_iter().find(|unit| name.strip_suffix('s') == Some(unit.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "microsecond",
            Self::Milliseconds => "millisecond",
            Self::Seconds => "second",
            Self::Minutes => "minute",
            Self::Hours => "hour",
            Self::Days => "day",
            Self::Months => "month",
            Self::Years => "year",
        }
    }
}

/// About how long: one unit, or a year and what is over. Less than a second is a moment, unless `minimum` is a smaller
/// unit.
pub(super) fn natural(seconds: f64, months: bool, minimum: Unit) -> String {
    let micros = microseconds(seconds);
    if micros < 1_000_000 {
        match minimum {
            Unit::Microseconds if micros < 1000 => return counted(micros as i64, "microsecond"),
            Unit::Microseconds | Unit::Milliseconds => return counted((micros / 1000) as i64, "millisecond"),
            _ => {}
        }
    }
    let total = micros as f64 / 1e6;
    let all_days = (total / DAY as f64).floor() as i64;
    let rest = total - (all_days * DAY) as f64;
    let (years, days) = (all_days / YEAR, all_days % YEAR);
    if years == 0 && days == 0 {
        return short(rest);
    }
    // To the nearest, and from the middle to the even one, as Python rounds.
    let count_of_months = if months { (days as f64 / MONTH).round_ties_even() as i64 } else { 0 };
    match (years, count_of_months) {
        (0, 0) => some(days, "a day", "day"),
        (0, 12) => "a year".into(),
        (0, count) => some(count, "a month", "month"),
        (1, 0) if days == 0 => "a year".into(),
        (1, 0) => format!("1 year, {}", counted(days, "day")),
        (1, 12) => "2 years".into(),
        (1, count) => format!("1 year, {}", counted(count, "month")),
        _ => some((all_days as f64 / YEAR as f64).round_ties_even() as i64, "a year", "year"),
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
    let nearest = |unit: i64| (whole as f64 / unit as f64).round_ties_even() as i64;
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

/// What a precise length may be said in.
pub(super) struct Precision {
    /// The smallest unit, which takes the fraction.
    pub(super) minimum: Unit,
    pub(super) suppressed: Vec<Unit>,
    pub(super) digits: usize,
}

/// All of it, unit by unit; `None` when no unit is left to say it in.
pub(super) fn precise(seconds: f64, asked: &Precision) -> Option<String> {
    let is_out = |unit: &Unit| asked.suppressed.contains(unit);
    let minimum = Unit::ALL.into_iter().rev().find(|unit| *unit >= asked.minimum && !is_out(unit))?;
    let is_out = |unit: Unit| unit < minimum || is_out(&unit);
    // How many of a unit there are, and the whole units below that are over.
    let split = |value: f64, size: f64, unit: Unit| match unit {
        _ if unit == minimum => (rounded(value / size, asked.digits), 0.0),
        _ if is_out(unit) => (0.0, value),
        _ => ((value / size).floor(), (value % size).trunc()),
    };
    let total = microseconds(seconds);
    let (days, rest) = (total.div_euclid(DAY_MICROSECONDS) as f64, total.rem_euclid(DAY_MICROSECONDS));
    let (rest_seconds, rest_micros) = ((rest / 1_000_000) as f64, (rest % 1_000_000) as f64);
    let (mut years, days) = split(days, YEAR as f64, Unit::Years);
    let (mut months, days) = split(days, MONTH, Unit::Months);
    let (mut days, over) = split(days * DAY as f64 + rest_seconds, DAY as f64, Unit::Days);
    let (mut hours, over) = split(over, HOUR as f64, Unit::Hours);
    let (mut minutes, over) = split(over, MINUTE as f64, Unit::Minutes);
    let (mut seconds, over) = split(over * 1e6 + rest_micros, 1e6, Unit::Seconds);
    let (mut milliseconds, microseconds) = split(over, 1e3, Unit::Milliseconds);
    // What was rounded up to a whole unit is one.
    let carry = |low: &mut f64, size: f64, high: &mut f64, unit: Unit| {
        if *low >= size && !is_out(unit) {
            *low -= size;
            *high += 1.0;
        }
    };
    carry(&mut milliseconds, 1e3, &mut seconds, Unit::Seconds);
    carry(&mut seconds, 60.0, &mut minutes, Unit::Minutes);
    carry(&mut minutes, 60.0, &mut hours, Unit::Hours);
    carry(&mut hours, 24.0, &mut days, Unit::Days);
    carry(&mut days, 31.0, &mut months, Unit::Months);
    carry(&mut months, 12.0, &mut years, Unit::Years);
    let amounts = [years, months, days, hours, minutes, seconds, milliseconds, microseconds];
    let mut parts = Vec::new();
    for (unit, amount) in Unit::ALL.into_iter().zip(amounts).filter(|(unit, _)| *unit >= minimum) {
        if amount > 0.0 || (unit == minimum && parts.is_empty()) {
            let digits = if unit == minimum && amount.fract() > 0.0 { asked.digits } else { 0 };
            let count = if digits > 0 { amount } else { amount.trunc() };
            let is_one = amount.trunc() as i64 == 1 && amount.fract() == 0.0;
            let plural = if is_one { "" } else { "s" };
            parts.push(format!("{} {}{plural}", with_commas_in_years(unit, &format!("{count:.digits$}")), unit.name()));
        }
    }
    Some(match parts.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => parts.concat(),
    })
}

fn with_commas_in_years(unit: Unit, count: &str) -> String {
    if unit == Unit::Years { with_commas(count) } else { count.to_owned() }
}

/// Without a sign, as Python keeps lengths of time.
fn microseconds(seconds: f64) -> i128 {
    let seconds = seconds.abs();
    seconds.trunc() as i128 * 1_000_000 + (seconds.fract() * 1e6).round_ties_even() as i128
}
