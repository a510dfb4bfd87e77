//! Reads the text of a setting as its kind says, the way the reference reads it. Refuses to know where the text is from.

use std::time::Duration;

use super::table::Kind;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not {expected}")]
pub struct Unreadable {
    pub text: String,
    pub expected: &'static str,
}

pub const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/// Whether the text fits the kind.
pub fn check(kind: Kind, text: &str) -> Result<(), Unreadable> {
    let (fits, expected) = match kind {
        Kind::Flag => (flag(text).is_some(), "a flag (true or false)"),
        Kind::Integer => (integer(text).is_some(), "a whole number"),
        Kind::Number => (number(text).is_some(), "a number"),
        Kind::Seconds => (duration(text).is_some(), "a duration (seconds, or a form such as `PT5M` or `00:05:00`)"),
        Kind::Level => (level(text).is_some(), "a log level (DEBUG, INFO, WARNING, ERROR or CRITICAL)"),
        Kind::Map => (map(text).is_some(), "a JSON object with texts as values"),
        Kind::Text | Kind::Secret | Kind::Path | Kind::List | Kind::Anything => return Ok(()),
    };
    if fits { Ok(()) } else { Err(Unreadable { text: text.to_owned(), expected }) }
}

pub fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// As pydantic does: `5`, ` 5 `, `+5`, `5.0` and `1_000` are whole numbers.
pub fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let text =
        text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map_or(text, |(whole, _)| whole);
    text.replace('_', "").parse().ok()
}

pub fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

pub fn level(text: &str) -> Option<&'static str> {
    LEVELS.into_iter().find(|level| level.eq_ignore_ascii_case(text.trim()))
}

pub fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect()
}

pub fn map(text: &str) -> Option<Vec<(String, String)>> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    object.into_iter().map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

/// Seconds, ISO 8601 (`P1DT2H`), a clock (`00:05:00`), days before a clock (`2 days, 01:00:00`), or a number with a
/// unit (`90s`, `5 minutes`). Negative lengths make no sense for any setting.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let seconds = number(text).or_else(|| iso_seconds(text)).or_else(|| clock_seconds(text)).or_else(|| units(text))?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn iso_seconds(text: &str) -> Option<f64> {
    let rest = text.strip_prefix(['P', 'p'])?;
    let (days, time) = rest.split_once(['T', 't']).unwrap_or((rest, ""));
    let mut total = 0.0;
    for (part, units) in [
        (days, [('W', 604_800.0), ('D', 86_400.0)].as_slice()),
        (time, [('H', 3_600.0), ('M', 60.0), ('S', 1.0)].as_slice()),
    ] {
        let mut digits = String::new();
        for character in part.chars() {
            if character.is_ascii_digit() || character == '.' {
                digits.push(character);
                continue;
            }
            let (_, factor) = units.iter().find(|(unit, _)| unit.eq_ignore_ascii_case(&character))?;
            total += number(&digits)? * factor;
            digits.clear();
        }
        if !digits.is_empty() {
            return None;
        }
    }
    rest.ends_with(|c: char| c.is_ascii_alphabetic() && !c.eq_ignore_ascii_case(&'T')).then_some(total)
}

fn clock_seconds(text: &str) -> Option<f64> {
    let (days, clock) = match text.split_once("day") {
        Some((days, rest)) => (number(days)?, rest.strip_prefix('s').unwrap_or(rest).trim_start_matches(',').trim()),
        None => (0.0, text),
    };
    if clock.is_empty() && !text.is_empty() {
        return Some(days * 86_400.0);
    }
    let parts: Vec<f64> = clock.split(':').map(number).collect::<Option<_>>()?;
    match parts[..] {
        [hours, minutes] => Some(days * 86_400.0 + hours * 3_600.0 + minutes * 60.0),
        [hours, minutes, seconds] => Some(days * 86_400.0 + hours * 3_600.0 + minutes * 60.0 + seconds),
        _ => None,
    }
}

/// `5m`, `1 hour 30 minutes`: what people write on a command line.
fn units(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let factor = match &tail[..end] {
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return None,
        };
        total += number(count)? * factor;
        rest = tail[end..].trim_start_matches([' ', ',']);
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_reference_reads_them() {
        // The left column is what pydantic's timedelta and the settings' "seconds" validators accept.
        for (text, seconds) in [
            ("15", 15.0),
            ("0.5", 0.5),
            ("1 day", 86_400.0),
            ("P1D", 86_400.0),
            ("PT1H", 3_600.0),
            ("1d", 86_400.0),
            ("00:01:00", 60.0),
            ("01:00", 3_600.0),
            ("2 days 01:02:03", 176_523.0),
            ("1 day, 00:00:05", 86_405.0),
            ("P1DT2H", 93_600.0),
            ("00:00:15.5", 15.5),
            ("100:00:00", 360_000.0),
            ("5 minutes", 300.0),
            ("1 hour 30 minutes", 5_400.0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "-5", "soon", "P", "PT", "5 fortnights", "1:2:3:4", "P5"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn flags_and_numbers_are_read_as_pydantic_reads_them() {
        for text in ["True", "TRUE", "y", "t", "1", "on", "yes"] {
            assert_eq!(flag(text), Some(true), "{text}");
        }
        for text in ["0", "no", "off", "f", "n", "False"] {
            assert_eq!(flag(text), Some(false), "{text}");
        }
        for text in ["enable", "2", "1.0", " true ", ""] {
            assert_eq!(flag(text), None, "{text}");
        }
        for (text, number) in [("5", 5), (" 5 ", 5), ("5.0", 5), ("1_000", 1_000), ("+5", 5)] {
            assert_eq!(integer(text), Some(number), "{text}");
        }
        for text in ["5.5", "1e3", "", "five"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn lists_and_maps_are_split() {
        assert_eq!(list("429, 502,,503"), ["429", "502", "503"]);
        assert!(list("").is_empty());
        assert_eq!(map(r#"{"X-A":"1"}"#), Some(vec![("X-A".into(), "1".into())]));
        assert_eq!(map(r#"{"X-A":1}"#), None);
        assert_eq!(level("warning"), Some("WARNING"));
        assert_eq!(level("loud"), None);
    }
}
