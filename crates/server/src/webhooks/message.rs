//! A request as webhooks see it: what is checked, what templates read, and what is kept of it.

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::{Map, Value};
use tidegate_core::json::Json;
use tidegate_store::StoredWebhookRequest;

/// Headers that are not kept: they hold what the sender proves itself with.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// One request.
#[derive(Clone, Debug)]
pub struct Message {
    pub method: String,
    /// Without the question mark.
    pub query: String,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Message {
    pub fn new(method: &str, query: Option<&str>, headers: &HeaderMap, body: Bytes) -> Self {
        let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            method: method.to_owned(),
            query: query.unwrap_or_default().to_owned(),
            headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            body,
        }
    }

    /// A request out of the log. `None` where its body was not kept.
    pub fn of_log(stored: StoredWebhookRequest) -> Option<Self> {
        let headers: Map<String, Value> = stored.request.headers.parse().unwrap_or_default();
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        Some(Self {
            method: stored.request.method,
            query: stored.request.query,
            headers: headers.into_iter().map(|(name, value)| (name, text(value))).collect(),
            body: stored.body?.into(),
        })
    }

    /// The first header of a name, in whatever case it is asked for.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The headers as the log keeps them.
    pub fn shown_headers(&self) -> Json {
        let mut shown = Map::new();
        for (name, value) in &self.headers {
            let value = if CREDENTIALS.contains(&name.as_str()) { "********" } else { value };
            match shown.get_mut(name) {
                Some(Value::String(before)) => {
                    before.push_str(", ");
                    before.push_str(value);
                }
                _ => drop(shown.insert(name.clone(), value.into())),
            }
        }
        Json::from_value(&shown)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as what it looks like: JSON, a form, or text. A body that says it is JSON and is none is an error.
    pub fn value(&self) -> Result<Value, String> {
        let kind = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let text = self.text();
        if kind == "application/x-www-form-urlencoded" {
            return Ok(Value::Object(fields(&self.body)));
        }
        let says_json = kind == "application/json" || kind.ends_with("+json");
        // SNS sends JSON and calls it text.
        if !says_json && !text.trim_start().starts_with(['{', '[']) {
            return Ok(text.into());
        }
        match serde_json::from_str(&text) {
            Ok(value) => Ok(value),
            Err(_) if !says_json || text.is_empty() => Ok(text.into()),
            Err(error) => Err(format!("the body says it is JSON and is none: {error}")),
        }
    }

    /// The fields of the query, the last of each name.
    pub fn query_fields(&self) -> Map<String, Value> {
        fields(self.query.as_bytes())
    }
}

fn fields(text: &[u8]) -> Map<String, Value> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, body: &'static str) -> Message {
        let headers = vec![("content-type".to_owned(), kind.to_owned()), ("authorization".into(), "Bearer x".into())];
        Message { method: "POST".into(), query: "a=1&b=%20&a=2".into(), headers, body: body.into() }
    }

    #[test]
    fn bodies_are_read_as_what_they_look_like() {
        let read = |kind, body| message(kind, body).value();
        assert_eq!(read("application/json", "{\"a\":1}"), Ok(serde_json::json!({"a": 1})));
        assert_eq!(read("text/plain; charset=UTF-8", " {\"a\":1}"), Ok(serde_json::json!({"a": 1})));
        assert_eq!(
            read("application/x-www-form-urlencoded", "a=1&b=x+y"),
            Ok(serde_json::json!({"a": "1", "b": "x y"}))
        );
        assert_eq!(read("text/plain", "{hello"), Ok("{hello".into()));
        assert_eq!(read("application/json", ""), Ok("".into()));
        assert!(read("application/cloudevents+json; charset=utf-8", "{hello").is_err());
    }

    #[test]
    fn the_log_holds_no_credentials() {
        let message = message("text/plain", "");
        assert_eq!(message.shown_headers().value()["authorization"], "********");
        assert_eq!(Value::Object(message.query_fields()), serde_json::json!({"a": "2", "b": " "}));
    }
}
