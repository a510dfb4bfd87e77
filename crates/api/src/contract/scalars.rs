//! Single values: what pydantic's lax mode takes for a text, a number, a switch, an identifier, and how it refuses the
//! rest. A value that is taken for another one is returned changed.

use std::str::FromStr;

use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use super::check::Exactness::{self, Exact, Lax, Strict};
use super::error::Refusal;
use super::node::{Bounds, Text};

pub(super) type Outcome = Result<(Exactness, Option<Value>), Refusal>;

const SAME: Outcome = Ok((Exact, None));

pub(super) fn text(text: &Text, value: &Value) -> Outcome {
    let Value::String(found) = value else {
        return Err(Refusal::new("string_type", "Input should be a valid string"));
    };
    if let Some(max) = text.max_length.filter(|max| found.len() > *max && found.chars().count() > *max) {
        let msg = format!("String should have at most {max} character{}", if max == 1 { "" } else { "s" });
        return Err(Refusal::with("string_too_long", msg, "max_length", max.into()));
    }
    if let Some(pattern) = &text.pattern
        && (found.is_empty() || found.contains(|c| pattern.banned.contains(c)))
    {
        let msg = format!("String should match pattern '{}'", pattern.source);
        return Err(Refusal::with("string_pattern_mismatch", msg, "pattern", (&*pattern.source).into()));
    }
    SAME
}

pub(super) fn bytes(value: &Value) -> Outcome {
    if value.is_string() { SAME } else { Err(Refusal::new("bytes_type", "Input should be a valid bytes")) }
}

pub(super) fn integer(strict: bool, bounds: &Bounds, value: &Value) -> Outcome {
    let wrong = || Refusal::new("int_type", "Input should be a valid integer");
    let (exactness, number) = match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            bounds.check(number.as_f64().unwrap_or_default(), false)?;
            return SAME;
        }
        _ if strict => return Err(wrong()),
        Value::Number(number) => (Lax, whole(number.as_f64().unwrap_or_default())?),
        Value::Bool(switch) => (Lax, i64::from(*switch)),
        Value::String(text) => (Lax, parse_integer(text)?),
        _ => return Err(wrong()),
    };
    bounds.check(number as f64, false)?;
    Ok((exactness, Some(number.into())))
}

fn whole(number: f64) -> Result<i64, Refusal> {
    if number.fract() != 0.0 {
        let msg = "Input should be a valid integer, got a number with a fractional part";
        return Err(Refusal::new("int_from_float", msg));
    }
    if number.abs() >= 9.3e18 {
        return Err(Refusal::new(
            "int_parsing_size",
            "Unable to parse input string as an integer, exceeded maximum size",
        ));
    }
    Ok(number as i64)
}

fn parse_integer(text: &str) -> Result<i64, Refusal> {
    let wrong = || Refusal::new("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
    let text = text.trim();
    let text = match text.split_once('.') {
        Some((whole, zeros)) if !whole.is_empty() && !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let spaced = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    if digits.is_empty() || spaced || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return Err(wrong());
    }
    text.replace('_', "").parse().map_err(|_| wrong())
}

pub(super) fn number(strict: bool, bounds: &Bounds, value: &Value) -> Outcome {
    let wrong = || Refusal::new("float_type", "Input should be a valid number");
    let number = match value {
        Value::Number(number) => {
            bounds.check(number.as_f64().unwrap_or_default(), true)?;
            return Ok((if number.is_f64() { Exact } else { Strict }, None));
        }
        _ if strict => return Err(wrong()),
        Value::Bool(switch) => f64::from(*switch),
        Value::String(text) => text.trim().replace('_', "").parse::<f64>().map_err(|_| {
            let msg = "Input should be a valid number, unable to parse string as a number";
            Refusal::new("float_parsing", msg)
        })?,
        _ => return Err(wrong()),
    };
    if !number.is_finite() {
        return Err(Refusal::new("finite_number", "Input should be a finite number"));
    }
    bounds.check(number, true)?;
    Ok((Lax, Some(number.into())))
}

pub(super) fn boolean(strict: bool, value: &Value) -> Outcome {
    let wrong = || Refusal::new("bool_type", "Input should be a valid boolean");
    let unclear = || Refusal::new("bool_parsing", "Input should be a valid boolean, unable to interpret input");
    let switch = match value {
        Value::Bool(_) => return SAME,
        _ if strict => return Err(wrong()),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => false,
            Some(1.0) => true,
            Some(other) if other.fract() != 0.0 || other.abs() >= 9.3e18 => return Err(wrong()),
            _ => return Err(unclear()),
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "0" | "off" | "f" | "false" | "n" | "no" => false,
            "1" | "on" | "t" | "true" | "y" | "yes" => true,
            _ => return Err(unclear()),
        },
        _ => return Err(wrong()),
    };
    Ok((Lax, Some(switch.into())))
}

pub(super) fn uuid(value: &Value) -> Outcome {
    let Value::String(text) = value else {
        return Err(Refusal::new("uuid_type", "UUID input should be a string, bytes or UUID object"));
    };
    match Uuid::parse_str(text) {
        Ok(_) if text.len() == 36 && !text.bytes().any(|b| b.is_ascii_uppercase()) => Ok((Lax, None)),
        // Other spellings become the usual one: identifiers are compared as text further on.
        Ok(id) => Ok((Lax, Some(id.to_string().into()))),
        Err(error) => {
            let error = error.to_string();
            let msg = format!("Input should be a valid UUID, {error}");
            Err(Refusal::with("uuid_parsing", msg, "error", error.into()))
        }
    }
}

pub(super) fn word(words: &[Box<str>], expected: &str, kind: &'static str, value: &Value) -> Outcome {
    match value {
        Value::String(text) if words.iter().any(|word| **word == **text) => {
            Ok((if kind == "enum" { Lax } else { Exact }, None))
        }
        _ => Err(Refusal::with(kind, format!("Input should be {expected}"), "expected", expected.into())),
    }
}

pub(super) fn no_sequence(value: &Value) -> Refusal {
    if value.is_string() {
        let msg = "'str' instances are not allowed as a Sequence value";
        return Refusal::with("sequence_str", msg, "type_name", "str".into());
    }
    Refusal::with("is_instance_of", "Input should be an instance of Sequence", "class", "Sequence".into())
}

pub(super) fn zone(value: &Value) -> Outcome {
    match value.as_str().map(Tz::from_str) {
        None => Err(Refusal::new("string_type", "Input should be a valid string")),
        Some(Ok(_)) => SAME,
        // The reference lists all six hundred.
        Some(Err(_)) => {
            let msg = "String should match pattern 'a time zone such as America/New_York'";
            Err(Refusal::with("string_pattern_mismatch", msg, "pattern", "IANA time zone".into()))
        }
    }
}

pub(super) fn long_value(max: usize, value: &Value) -> Refusal {
    let found = value.as_str().map_or(0, |text| text.chars().count());
    Refusal {
        kind: "too_long",
        msg: format!("Value should have at most {max} items after validation, not {found}"),
        ctx: Some(json!({"field_type": "Value", "max_length": max, "actual_length": found})),
    }
}

pub(super) fn long_tuple(max: usize, found: usize) -> Refusal {
    Refusal {
        kind: "too_long",
        msg: format!("Tuple should have at most {max} items after validation, not {found}"),
        ctx: Some(json!({"field_type": "Tuple", "max_length": max, "actual_length": found})),
    }
}

impl Bounds {
    /// `fractional` tells how the reference writes the bound: as a number with a fraction or as an integer.
    fn check(&self, number: f64, fractional: bool) -> Result<(), Refusal> {
        let refuse = |kind, words, key, bound: f64| {
            let shown = if fractional { Value::from(bound) } else { Value::from(bound as i64) };
            Err(Refusal::with(kind, format!("Input should be {words} {bound}"), key, shown))
        };
        if let Some(bound) = self.less_or_equal.filter(|bound| number > *bound) {
            return refuse("less_than_equal", "less than or equal to", "le", bound);
        }
        if let Some(bound) = self.greater_or_equal.filter(|bound| number < *bound) {
            return refuse("greater_than_equal", "greater than or equal to", "ge", bound);
        }
        if let Some(bound) = self.greater.filter(|bound| number <= *bound) {
            return refuse("greater_than", "greater than", "gt", bound);
        }
        Ok(())
    }
}
