//! The filters, functions and tests that webhook templates have: those of Jinja that a request's values need, none of which
//! answers more than a bounded text, and the one that reads CloudEvents.

use minijinja::{Environment, Error, ErrorKind, Value, tests, value::Rest};

use super::{
    cloud_event,
    template::{MOST_OUTPUT, to_json, value_of},
};

/// All filters by name.
pub const NAMES: [&str; 21] = [
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "from_cloud_event",
    "from_json",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "replace",
    "round",
    "string",
    "title",
    "tojson",
    "trim",
    "upper",
    "urldecode",
];

/// Numbers that `range` counts up to.
const LONGEST_RANGE: i64 = 10_000;

pub fn add_to(environment: &mut Environment<'_>) {
    use minijinja::filters as jinja;
    environment.add_filter("capitalize", jinja::capitalize);
    environment.add_filter("count", jinja::length);
    environment.add_filter("d", default);
    environment.add_filter("default", default);
    environment.add_filter("first", jinja::first);
    environment.add_filter("float", jinja::float);
    environment.add_filter("from_cloud_event", cloud_event::from_cloud_event);
    environment.add_filter("from_json", from_json);
    environment.add_filter("int", jinja::int);
    environment.add_filter("join", join);
    environment.add_filter("last", jinja::last);
    environment.add_filter("length", jinja::length);
    environment.add_filter("lower", jinja::lower);
    environment.add_filter("replace", replace);
    environment.add_filter("round", jinja::round);
    environment.add_filter("string", |value: Value| text_of(&value));
    environment.add_filter("title", jinja::title);
    environment.add_filter("tojson", |value: Value| bounded(to_json(&value)?).map(Value::from_safe_string));
    environment.add_filter("trim", jinja::trim);
    environment.add_filter("upper", jinja::upper);
    environment.add_filter("urldecode", urldecode);
    environment.add_function("range", range);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("string", tests::is_string);
    environment.add_test("number", tests::is_number);
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
}

fn refused(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

fn bounded(text: String) -> Result<String, Error> {
    if text.len() > MOST_OUTPUT { Err(refused("the text is too large")) } else { Ok(text) }
}

/// A text as it is, anything else as JSON.
fn text_of(value: &Value) -> Result<String, Error> {
    value.as_str().map_or_else(|| to_json(value), |text| Ok(text.to_owned()))
}

/// Of undefined values the other one; with `true` also of empty ones.
fn default(value: Value, Rest(options): Rest<Value>) -> Value {
    let for_empty = options.get(1).is_some_and(Value::is_true);
    if value.is_undefined() || (for_empty && !value.is_true()) {
        options.into_iter().next().unwrap_or_else(|| Value::from(""))
    } else {
        value
    }
}

fn from_json(value: Value) -> Result<Value, Error> {
    let Some(text) = value.as_str() else { return Ok(value) };
    let read =
        serde_json::from_str(text).map_err(|error| refused(format!("from_json: the text is no JSON: {error}")))?;
    Ok(value_of(&read))
}

fn join(values: Value, separator: Option<String>) -> Result<String, Error> {
    let separator = separator.unwrap_or_default();
    let mut joined = String::new();
    for (index, value) in values.try_iter()?.enumerate() {
        if index > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&text_of(&value)?);
        if joined.len() > MOST_OUTPUT {
            return Err(refused("the text is too large"));
        }
    }
    Ok(joined)
}

fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    let found = if from.is_empty() { text.len() + 1 } else { text.matches(&*from).count() };
    if text.len().saturating_add(found.saturating_mul(to.len())) > 2 * MOST_OUTPUT {
        return Err(refused("the text is too large"));
    }
    bounded(text.replace(&from, &to))
}

/// As forms and S3 write names: `+` is a space.
fn urldecode(text: String) -> String {
    let whole = format!("x={}", text.replace('&', "%26"));
    form_urlencoded::parse(whole.as_bytes()).map(|(_, value)| value.into_owned()).next().unwrap_or_default()
}

fn range(first: i64, end: Option<i64>) -> Result<Value, Error> {
    let (first, end) = end.map_or((0, first), |end| (first, end));
    if end.saturating_sub(first) > LONGEST_RANGE {
        return Err(refused(format!("range counts up to {LONGEST_RANGE} numbers")));
    }
    Ok(Value::make_iterable(move || first..end))
}
