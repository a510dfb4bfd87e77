//! Instants and durations as clients write them. An instant that chrono reads stays as it came, offset and all; any
//! other spelling becomes RFC 3339. A duration becomes seconds. No clock: texts relative to now are refused.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, SecondsFormat};
use serde_json::Value;

use super::check::Exactness::{Exact, Lax};
use super::error::Refusal;
use super::scalars::Outcome;

/// Numbers beyond this are milliseconds since 1970, as pydantic reads them.
const SECONDS_LIMIT: f64 = 2e10;

pub(super) fn date_time(value: &Value) -> Outcome {
    match value {
        Value::String(text) => {
            if DateTime::parse_from_rfc3339(text).is_ok() {
                return Ok((Lax, None));
            }
            match read(text) {
                Some(time) => Ok((Lax, Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()))),
                None => Err(Refusal::value(&format!("Unable to parse string [{text}]"))),
            }
        }
        Value::Number(number) => match number.as_f64().and_then(since_epoch) {
            Some(time) => Ok((Lax, Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()))),
            None => Err(not_a_time()),
        },
        _ => Err(not_a_time()),
    }
}

/// As [`date_time`], with the words of pydantic's own parser.
pub(super) fn plain_date_time(value: &Value) -> Outcome {
    date_time(value).map_err(|refusal| match value {
        Value::String(text) => {
            let error = complaint(text);
            let msg = format!("Input should be a valid datetime or date, {error}");
            Refusal::with("datetime_from_date_parsing", msg, "error", error.into())
        }
        Value::Number(_) => refusal,
        _ => Refusal::new("datetime_type", "Input should be a valid datetime"),
    })
}

/// Where the reading of a date stops.
fn complaint(text: &str) -> &'static str {
    const SEPARATOR: &str = "invalid date separator, expected `-`";
    let bytes = text.as_bytes();
    if bytes.len() < 10 {
        return "input is too short";
    }
    let digits = |from: usize, to: usize| bytes[from..to].iter().all(u8::is_ascii_digit);
    let number = |from: usize| (bytes[from] - b'0') * 10 + (bytes[from + 1] - b'0');
    if !digits(0, 4) {
        "invalid character in year"
    } else if bytes[4] != b'-' {
        SEPARATOR
    } else if !digits(5, 7) {
        "invalid character in month"
    } else if bytes[7] != b'-' {
        SEPARATOR
    } else if !digits(8, 10) {
        "invalid character in day"
    } else if !(1..=12).contains(&number(5)) {
        "month value is outside expected range of 1-12"
    } else if !(1..=31).contains(&number(8)) || NaiveDate::parse_from_str(&text[..10], "%Y-%m-%d").is_err() {
        "day value is outside expected range"
    } else {
        "unexpected extra characters at the end of the input"
    }
}

fn not_a_time() -> Refusal {
    Refusal::new("value_error", "value is not a valid datetime")
}

fn read(text: &str) -> Option<DateTime<FixedOffset>> {
    const ZONED: [&str; 5] = [
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M%#z",
        "%Y-%m-%d %H:%M%#z",
        "%Y%m%dT%H%M%S%#z",
    ];
    const BARE: [&str; 7] = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d_%H:%M:%S%.f",
        "%Y-%m-%dt%H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
        "%Y%m%dT%H%M%S",
    ];
    if text.trim() != text {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'))
        && let Ok(number) = text.parse::<f64>()
    {
        return since_epoch(number);
    }
    if !has_all_digits(text) {
        return None;
    }
    let utc = |time: NaiveDateTime| Some(time.and_utc().fixed_offset());
    if let Some(bare) = text.strip_suffix(['Z', 'z'])
        && let Some(time) = BARE.iter().find_map(|format| NaiveDateTime::parse_from_str(bare, format).ok())
    {
        return utc(time);
    }
    if let Some(time) = ZONED.iter().find_map(|format| DateTime::parse_from_str(text, format).ok()) {
        return Some(time);
    }
    if let Some(time) = BARE.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()) {
        return utc(time);
    }
    let month;
    let day = if text.len() == 7 {
        month = format!("{text}-01");
        &month
    } else {
        text
    };
    (day.len() == 10)
        .then(|| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok())?
        .and_then(|day| utc(day.and_hms_opt(0, 0, 0)?))
}

/// Whether year, month, day and time have all their digits; chrono's formats forgive what the reference does not.
fn has_all_digits(text: &str) -> bool {
    const DASHED: &str = "dddd-dd-dd?dd:dd:dd";
    const COMPACT: &str = "ddddddddTdddddd";
    let shape = if text.as_bytes().get(4) == Some(&b'-') { DASHED } else { COMPACT };
    // What follows the minutes may be seconds or a zone.
    text.bytes().zip(shape.bytes()).enumerate().all(|(at, (found, wanted))| match wanted {
        _ if shape == DASHED && at == 16 => matches!(found, b':' | b'Z' | b'z' | b'+' | b'-'),
        _ if shape == DASHED && at > 16 && text.as_bytes()[16] != b':' => true,
        b'd' => found.is_ascii_digit(),
        b'?' => true,
        other => found == other,
    })
}

fn since_epoch(number: f64) -> Option<DateTime<FixedOffset>> {
    let seconds = if number.abs() > SECONDS_LIMIT { number / 1000.0 } else { number };
    let micros = (seconds * 1e6).round();
    if !micros.is_finite() || micros.abs() > 9e18 {
        return None;
    }
    Some(DateTime::from_timestamp_micros(micros as i64)?.fixed_offset())
}

const LONGEST_SECONDS: f64 = 999_999_999.0 * 86_400.0;

pub(super) fn duration(at_least_zero: bool, value: &Value) -> Outcome {
    let (exactness, seconds) = match value {
        Value::Number(number) => (Exact, number.as_f64().unwrap_or_default()),
        Value::Bool(flag) => (Lax, f64::from(u8::from(*flag))),
        Value::String(text) => {
            let seconds = read_duration(text).map_err(|error| {
                let msg = format!("Input should be a valid timedelta, {error}");
                Refusal::with("time_delta_parsing", msg, "error", error.into())
            })?;
            (Lax, seconds)
        }
        _ => return Err(Refusal::new("time_delta_type", "Input should be a valid timedelta")),
    };
    if seconds.abs() > LONGEST_SECONDS {
        let error = "durations may not exceed 999,999,999 days";
        let msg = format!("Input should be a valid timedelta, {error}");
        return Err(Refusal::with("time_delta_parsing", msg, "error", error.into()));
    }
    if at_least_zero && seconds < 0.0 {
        let msg = "Input should be greater than or equal to 0 seconds";
        return Err(Refusal::with("greater_than_equal", msg, "ge", "P0D".into()));
    }
    let changed = (!value.is_number())
        .then(|| if seconds.fract() == 0.0 { Value::from(seconds as i64) } else { Value::from(seconds) });
    Ok((exactness, changed))
}

/// ISO 8601 (`P1DT2H3M4.5S`), `[days,] HH:MM:SS`, or a plain count of seconds is not taken: that is what numbers are for.
fn read_duration(text: &str) -> Result<f64, &'static str> {
    const DIGIT: &str = "invalid digit in duration";
    if text.is_empty() {
        return Err("input is too short");
    }
    let (sign, text) = match text.as_bytes()[0] {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("\"day\" identifier in duration not correctly formatted");
    }
    if let Some(iso) = text.strip_prefix('P') {
        return read_iso(iso).map(|seconds| sign * seconds);
    }
    let (days, clock) = match text.split_once("day") {
        Some((days, rest)) => {
            let days = days.trim().parse::<f64>().map_err(|_| DIGIT)?;
            (days, rest.trim_start_matches('s').trim_start_matches(',').trim())
        }
        None => (0.0, text),
    };
    let mut seconds = days * 86400.0;
    if !clock.is_empty() || days == 0.0 {
        let parts: Vec<&str> = clock.split(':').collect();
        if !(2..=3).contains(&parts.len()) || parts.iter().any(|part| part.is_empty()) {
            return Err(DIGIT);
        }
        for (part, unit) in parts.iter().zip([3600.0, 60.0, 1.0]) {
            seconds += part.parse::<f64>().map_err(|_| DIGIT)? * unit;
        }
    }
    Ok(sign * seconds)
}

fn read_iso(text: &str) -> Result<f64, &'static str> {
    const DIGIT: &str = "invalid digit in duration";
    let mut seconds = 0.0;
    let mut number = String::new();
    let mut in_time = false;
    for c in text.chars() {
        let unit = match c {
            '0'..='9' | '.' | ',' => {
                number.push(if c == ',' { '.' } else { c });
                continue;
            }
            'T' if number.is_empty() => {
                in_time = true;
                continue;
            }
            'Y' if !in_time => 365.0 * 86400.0,
            'M' if !in_time => 30.0 * 86400.0,
            'W' if !in_time => 7.0 * 86400.0,
            'D' if !in_time => 86400.0,
            'H' if in_time => 3600.0,
            'M' => 60.0,
            'S' if in_time => 1.0,
            _ => return Err(DIGIT),
        };
        seconds += number.parse::<f64>().map_err(|_| DIGIT)? * unit;
        number.clear();
    }
    if number.is_empty() && !text.is_empty() { Ok(seconds) } else { Err("input is too short") }
}
