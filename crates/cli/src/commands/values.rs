//! Reads values that people type: `key=value` pairs, JSON, times. Refuses to guess what cannot be told.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use chrono::{Local, NaiveDateTime, NaiveTime, TimeZone};
use serde_json::{Map, Value};
use tidegate_core::time::Timestamp;

use crate::failure::Failure;
use crate::settings::value::duration;

/// JSON if it is JSON, else the text itself.
pub fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// `key=value` pairs, values as JSON or text.
pub fn pairs(pairs: &[String], option: &str) -> Result<Map<String, Value>, Failure> {
    let mut values = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Failure::usage(format!("`{option} {pair}` is not of the form KEY=VALUE")));
        };
        values.insert(key.to_owned(), json_or_text(value));
    }
    Ok(values)
}

/// A JSON object: in place, from stdin (`-`), or from a file (`@path`).
pub fn object(text: &str, option: &str) -> anyhow::Result<Map<String, Value>> {
    let text = text_of(text)?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::usage(format!("`{option}` must be a JSON object")).into()),
        Err(error) => Err(Failure::usage(format!("`{option}` is not JSON: {error}")).into()),
    }
}

/// The text itself, or what `-` and `@path` stand for.
pub fn text_of(text: &str) -> anyhow::Result<String> {
    match (text, text.strip_prefix('@')) {
        ("-", _) => {
            let mut input = String::new();
            std::io::stdin().read_to_string(&mut input).context("cannot read stdin")?;
            Ok(input)
        }
        (_, Some(path)) => std::fs::read_to_string(path).with_context(|| format!("cannot read `{path}`")),
        (text, None) => Ok(text.to_owned()),
    }
}

/// A JSON object in a file.
pub fn object_in_file(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let value: Value = serde_json::from_str(&text).with_context(|| format!("`{}` is not JSON", path.display()))?;
    if !value.is_object() {
        return Err(Failure::new(format!("`{}` does not hold a JSON object", path.display())).into());
    }
    Ok(value)
}

/// When a run shall start: `--start-in "5 minutes"` or `--start-at "2026-03-01 07:30"`.
pub fn start_time(
    start_in: Option<&str>,
    start_at: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    match (start_in, start_at) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Failure::usage("give `--start-in` or `--start-at`, not both")),
        (Some(text), None) => {
            let length = duration(text.trim().strip_prefix("in ").unwrap_or(text));
            let length = length.ok_or_else(|| {
                Failure::usage(format!("`--start-in {text}` is no length of time"))
                    .hint("for example `5 minutes`, `2h` or `90`")
            })?;
            Ok(Some(now.plus_seconds(length.as_secs_f64())))
        }
        (None, Some(text)) => {
            instant(text.trim().strip_prefix("at ").unwrap_or(text), now).map(Some).ok_or_else(|| {
                Failure::usage(format!("`--start-at {text}` is no time")).hint(
                    "for example `2026-03-01 07:30` (local time), `2026-03-01T06:30:00Z`, `tomorrow 7:30` or `17:45`",
                )
            })
        }
    }
}

/// A date and time, of the local zone when it names none; a clock time means its next occurrence.
pub fn instant(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Some(now);
    }
    let today = now.datetime().with_timezone(&Local).date_naive();
    let (day, rest) = match text.split_once(' ') {
        Some((word, rest)) if word.eq_ignore_ascii_case("tomorrow") => (Some(today.succ_opt()?), rest),
        Some((word, rest)) if word.eq_ignore_ascii_case("today") => (Some(today), rest),
        _ => (None, text),
    };
    if let Some(clock) = clock(rest) {
        let local = |date: chrono::NaiveDate| in_local_zone(date.and_time(clock));
        return match day {
            Some(day) => local(day),
            None => local(today).filter(|time| *time > now).or_else(|| local(today.succ_opt()?)),
        };
    }
    if day.is_some() {
        return None;
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return in_local_zone(time);
        }
    }
    Timestamp::parse(text)
}

fn clock(text: &str) -> Option<NaiveTime> {
    let text = text.trim().to_uppercase().replace(' ', "");
    ["%H:%M", "%H:%M:%S", "%I:%M%p"].iter().find_map(|format| NaiveTime::parse_from_str(&text, format).ok())
}

fn in_local_zone(time: NaiveDateTime) -> Option<Timestamp> {
    Local.from_local_datetime(&time).earliest().map(|time| time.to_utc().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-02T12:00:00Z").unwrap()
    }

    #[test]
    fn a_start_time_is_a_length_or_an_instant() {
        let start = |start_in, start_at| start_time(start_in, start_at, now()).unwrap();
        assert_eq!(start(None, None), None);
        assert_eq!(start(Some("in 5 minutes"), None), Some(now().plus_seconds(300.0)));
        assert_eq!(start(Some("90"), None), Some(now().plus_seconds(90.0)));
        assert_eq!(start(None, Some("at 2026-03-01T06:30:00Z")), Timestamp::parse("2026-03-01T06:30:00Z"));
        assert!(start_time(Some("soon"), None, now()).is_err());
        assert!(start_time(None, Some("never"), now()).is_err());
        assert!(start_time(Some("1h"), Some("17:00"), now()).is_err());
    }

    #[test]
    fn a_clock_time_is_its_next_occurrence() {
        for text in ["00:30", "5:30pm", "23:59:59"] {
            let time = instant(text, now()).unwrap();
            assert!(time > now() && time <= now().plus_seconds(86_400.0), "{text}");
        }
    }

    #[test]
    fn values_are_json_or_text() {
        let values = pairs(&["a=1".into(), "b=[2]".into(), "c=x=y".into(), "d=".into()], "--param").unwrap();
        assert_eq!(Value::Object(values), serde_json::json!({"a": 1, "b": [2], "c": "x=y", "d": ""}));
        assert!(pairs(&["novalue".into()], "--param").is_err());
        assert!(object("[1]", "--params").is_err());
    }
}
