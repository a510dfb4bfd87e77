//! Times in templates: they print as Python's do, and answer to the fields and the few methods that templates use.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use chrono::{
    DateTime, Datelike, Timelike, Utc,
    format::{Item, StrftimeItems},
};
use minijinja::{
    Error, ErrorKind, State, Value,
    value::{Object, ObjectRepr},
};
use tidegate_core::time::Timestamp;

/// An instant, in UTC.
#[derive(Debug)]
pub struct Moment(DateTime<Utc>);

impl Moment {
    pub fn of(time: Timestamp) -> Value {
        Value::from_object(Self(time.datetime()))
    }

    /// The time that a value is.
    pub fn in_value(value: &Value) -> Option<DateTime<Utc>> {
        value.downcast_object_ref::<Self>().map(|moment| moment.0)
    }

    /// As Python writes it, with this between day and time: a fraction only where there is one.
    fn text(&self, between: char) -> String {
        let fraction = if self.0.timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
        self.0.format(&format!("%Y-%m-%d{between}%H:%M:%S{fraction}+00:00")).to_string()
    }

    fn formatted(&self, format: &str) -> Result<String, Error> {
        // Python's fraction has six digits.
        let format = format.replace("%f", "%6f");
        let refused = || Error::new(ErrorKind::InvalidOperation, "strftime: the format cannot be read");
        if StrftimeItems::new(&format).any(|item| item == Item::Error) {
            return Err(refused());
        }
        let mut text = String::new();
        write!(text, "{}", self.0.format(&format)).map_err(|_| refused())?;
        Ok(text)
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let time = &self.0;
        Some(match key.as_str()? {
            "year" => time.year().into(),
            "month" => time.month().into(),
            "day" => time.day().into(),
            "hour" => time.hour().into(),
            "minute" => time.minute().into(),
            "second" => time.second().into(),
            "microsecond" => time.timestamp_subsec_micros().into(),
            _ => return None,
        })
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, arguments: &[Value]) -> Result<Value, Error> {
        match (method, arguments) {
            ("isoformat", []) => Ok(self.text('T').into()),
            ("strftime", [format]) => self.formatted(&format.to_string()).map(Value::from),
            ("timestamp", []) => Ok((self.0.timestamp_micros() as f64 / 1e6).into()),
            ("date", []) => self.formatted("%Y-%m-%d").map(Value::from),
            ("weekday", []) => Ok(self.0.weekday().num_days_from_monday().into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(' '))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::parameters::{Fill, templates::render};

    fn rendered(time: &str, template: &str) -> Result<String, String> {
        let now = Timestamp::parse("2026-07-16T12:00:00Z").unwrap();
        let time = Timestamp::parse(time).unwrap();
        let context = Value::from(BTreeMap::from([("at", Moment::of(time))]));
        render(template, &Fill { now, context, ui_url: String::new() })
    }

    #[test]
    fn they_print_and_answer_as_those_of_python_do() {
        let time = "2026-07-16T09:05:00.120000Z";
        for (template, expected) in [
            ("{{ at }}", "2026-07-16 09:05:00.120000+00:00"),
            ("{{ 'at ' ~ at }}", "at 2026-07-16 09:05:00.120000+00:00"),
            ("{{ at.isoformat() }}", "2026-07-16T09:05:00.120000+00:00"),
            ("{{ at.year }}-{{ at.month }}-{{ at.day }} {{ at.hour }}.{{ at.minute }}", "2026-7-16 9.5"),
            ("{{ at.strftime('%d %b %Y, %H:%M:%S.%f') }}", "16 Jul 2026, 09:05:00.120000"),
            ("{{ at.weekday() }} {{ at.century }}", "3 "),
            ("{{ at | humanize_naturaltime }}", "3 hours ago"),
            ("{{ at | tojson }}", "\"2026-07-16 09:05:00.120000+00:00\""),
        ] {
            assert_eq!(rendered(time, template).as_deref(), Ok(expected), "{template}");
        }
        assert_eq!(rendered("2026-07-16T09:00:00Z", "{{ at }}").as_deref(), Ok("2026-07-16 09:00:00+00:00"));
    }

    #[test]
    fn a_format_or_a_method_that_is_none_is_told() {
        for template in ["{{ at.strftime('%!') }}", "{{ at.strftime() }}", "{{ at.replace(year=1) }}"] {
            assert!(rendered("2026-07-16T09:00:00Z", template).is_err(), "{template}");
        }
    }
}
