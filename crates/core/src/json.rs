//! JSON that we carry but do not look into: kept as the text it came in, so that key order and numbers survive.

mod object;
mod writer;

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::SerializeStruct};
use serde_json::{Value, value::RawValue};

pub use object::Object;
pub use writer::{Error as WriteError, to_text, write};

/// A JSON document kept as text. Parsing happens only where a rule needs to look inside.
#[derive(Clone)]
pub struct Json(Box<str>);

impl Json {
    /// Text that is JSON, or what is wrong with it.
    pub fn from_text(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(|raw| Self(raw.into()))
    }

    /// Text that was checked before, because it is what a column of JSON holds.
    pub fn stored(text: &str) -> Self {
        debug_assert!(serde_json::from_str::<&RawValue>(text).is_ok(), "not JSON: {text}");
        Self(text.into())
    }

    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Self {
        Self(to_text(value).into())
    }

    pub fn null() -> Self {
        Self("null".into())
    }

    pub fn empty_object() -> Self {
        Self("{}".into())
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn is_null(&self) -> bool {
        self.text() == "null"
    }

    /// The parsed value. Whole numbers beyond 64 bits become floats here: what is only changed in places goes back through
    /// [`Json::rewritten`].
    pub fn value(&self) -> Value {
        serde_json::from_str(self.text()).expect("the text was checked when this value was made")
    }

    /// The members, if this is an object.
    pub fn members(&self) -> Option<Object> {
        self.parse().ok()
    }

    /// The items, if this is a list.
    pub fn items(&self) -> Option<Vec<Self>> {
        self.parse().ok()
    }

    /// What is between the quotes, if this is a text.
    pub fn as_string(&self) -> Option<String> {
        self.parse().ok()
    }

    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.text())
    }

    /// `value`, which was read from this text and then changed, with every number that was left alone as it was written.
    #[must_use]
    pub fn rewritten(&self, value: &Value) -> Self {
        if !may_hold_large_numbers(self.text()) {
            return Self::from_value(value);
        }
        let mut out = String::with_capacity(self.text().len());
        write_as_sent(value, self.text(), &mut out);
        Self::from_text(out).unwrap_or_else(|_| Self::from_value(value))
    }

    /// The members of this object and those of another, which win. What is no object has no members.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        let mut members = self.members().unwrap_or_default();
        members.extend(over.members().unwrap_or_default());
        Self::from_value(&members)
    }
}

/// Whether there may be a whole number that 64 bits do not hold: it has nineteen digits or more.
fn may_hold_large_numbers(text: &str) -> bool {
    text.as_bytes().chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit()).any(|run| run.len() >= 19)
}

fn write_as_sent(value: &Value, text: &str, out: &mut String) {
    match value {
        Value::Object(object) if let Ok(members) = serde_json::from_str::<HashMap<String, &RawValue>>(text) => {
            out.push('{');
            for (at, (name, value)) in object.iter().enumerate() {
                write_name(at, name, out);
                match members.get(name) {
                    Some(sent) => write_as_sent(value, sent.get(), out),
                    None => out.push_str(&value.to_string()),
                }
            }
            out.push('}');
        }
        Value::Array(items) if let Some(sent) = items_of(text).filter(|sent| sent.len() == items.len()) => {
            out.push('[');
            for (at, (item, sent)) in items.iter().zip(sent).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_as_sent(item, sent.get(), out);
            }
            out.push(']');
        }
        Value::Number(number) if serde_json::from_str(text).is_ok_and(|sent: Value| sent == *value) => {
            // Only what the value cannot hold is repeated as text; all else has one spelling.
            let is_whole = !text.contains(['.', 'e', 'E']);
            if number.is_f64() && is_whole { out.push_str(text) } else { out.push_str(&number.to_string()) }
        }
        other => out.push_str(&other.to_string()),
    }
}

fn items_of(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

fn write_name(at: usize, name: &str, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
    out.push_str(&Value::from(name).to_string());
    out.push(':');
}

/// The text itself goes into JSON, where `serde_json` or our own writer makes it.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = serializer.serialize_struct(writer::RAW, 1)?;
        raw.serialize_field(writer::RAW, self.text())?;
        raw.end()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::empty_object()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() || self.value() == other.value()
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self::from_value(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, Value};

    const LARGE: &str = r#"{"a":10000000000000000000000000,"l":[-100000000000000000000,{"x":18446744073709551616}],"f":1e22,"s":"9999999999999999999999"}"#;

    fn json(text: &str) -> Json {
        Json::from_text(text.to_owned()).unwrap()
    }

    #[test]
    fn numbers_that_nobody_changed_stay_as_they_were_written() {
        let sent = json(LARGE);
        let mut value = sent.value();
        assert_eq!(sent.rewritten(&value).text(), LARGE.replace("1e22", "1e+22"));
        value["l"][1]["y"] = Value::from(1);
        value["f"] = Value::from("new");
        let expected = LARGE.replace("1e22", r#""new""#).replace("616}", r#"616,"y":1}"#);
        assert_eq!(sent.rewritten(&value).text(), expected);
        value["a"] = Value::from(2);
        value["l"].as_array_mut().unwrap().pop();
        assert_eq!(
            sent.rewritten(&value).text(),
            r#"{"a":2,"l":[-1e+20],"f":"new","s":"9999999999999999999999"}"#,
            "items that may have moved have no text to go by"
        );
    }

    #[test]
    fn one_object_is_laid_over_another() {
        let under = json(r#"{"a": 1, "b": 10000000000000000000000000, "a": 2}"#);
        assert_eq!(
            under.merged(&json(r#"{"c": 1e2, "a": null}"#)).text(),
            r#"{"a":null,"b":10000000000000000000000000,"c":1e2}"#
        );
        assert_eq!(under.merged(&json("null")).text(), r#"{"a":2,"b":10000000000000000000000000}"#);
        assert_eq!(json("[1]").merged(&json("{}")).text(), "{}");
    }
}
