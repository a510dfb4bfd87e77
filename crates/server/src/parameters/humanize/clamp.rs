//! Numbers in the formats of Python's `str.format`, as far as templates use them. Pure.

use minijinja::Value;

use super::numbers::with_commas;
use crate::parameters::python;

/// Digits after the point when a format names none.
const USUAL_DIGITS: usize = 6;

/// The text with the number in the place of each `{…}`; `None` where the format is not one that is known here.
pub(super) fn format(format: &str, value: &Value) -> Option<String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let (brace, after) = (&rest[at..=at], &rest[at + 1..]);
        rest = if let Some(after) = after.strip_prefix(brace) {
            out.push_str(brace);
            after
        } else if brace == "{" {
            let (field, after) = after.split_once('}')?;
            out.push_str(&number(field.strip_prefix(':').unwrap_or(field), value)?);
            after
        } else {
            return None;
        };
    }
    Some(out + rest)
}

/// One number by `,`, `.2f`, `,.2f`, `.0%`, `d` or nothing.
fn number(spec: &str, value: &Value) -> Option<String> {
    let (groups, spec) = match spec.strip_prefix(',') {
        Some(spec) => (true, spec),
        None => (false, spec),
    };
    let digits = |spec: &str| match spec.strip_prefix('.') {
        Some(digits) => digits.parse().ok().filter(|digits| *digits <= 30),
        None => spec.is_empty().then_some(USUAL_DIGITS),
    };
    let float = f64::try_from(value.clone()).ok()?;
    let text = if let Some(spec) = spec.strip_suffix('f') {
        format!("{:.*}", digits(spec)?, float)
    } else if let Some(spec) = spec.strip_suffix('%') {
        format!("{:.*}%", digits(spec)?, float * 100.0)
    } else if value.is_integer() && matches!(spec, "" | "d") {
        value.to_string()
    } else if spec.is_empty() {
        python::repr(&float.into())
    } else {
        return None;
    };
    Some(if groups { with_commas(&text) } else { text })
}
