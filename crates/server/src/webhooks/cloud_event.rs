//! CloudEvents 1.0 over HTTP, in both of their forms: the whole event as JSON, or its attributes in `ce-` headers and its
//! data in the body.

use minijinja::{Error, ErrorKind, Value};
use serde_json::{Map, Value as JsonValue, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::template::to_json;

/// Attributes that a CloudEvent has by itself; all others are extensions.
const ATTRIBUTES: [&str; 8] =
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];

/// `{{ body|from_cloud_event(headers) }}`: the whole event, as JSON.
pub fn from_cloud_event(body: Value, headers: Value) -> Result<Value, Error> {
    let refused = |why: String| Error::new(ErrorKind::InvalidOperation, format!("from_cloud_event: {why}"));
    let body: JsonValue = serde_json::from_str(&to_json(&body)?).map_err(|error| refused(error.to_string()))?;
    let mut attributes = Map::new();
    for name in headers.try_iter()? {
        if let Some(attribute) = name.as_str().and_then(|name| name.strip_prefix("ce-")) {
            let value = headers.get_item(&name)?;
            attributes.insert(attribute.to_owned(), value.as_str().unwrap_or_default().into());
        }
    }
    let event = event_of(attributes, body).map_err(refused)?;
    Ok(Value::from_safe_string(event.to_string()))
}

fn event_of(attributes: Map<String, JsonValue>, body: JsonValue) -> Result<JsonValue, String> {
    let is_binary = attributes.contains_key("specversion");
    let (mut attributes, data) = if is_binary {
        (attributes, Some(body))
    } else {
        let JsonValue::Object(mut whole) = body else { return Err("the request is no CloudEvent".into()) };
        let data = whole.shift_remove("data").or_else(|| whole.shift_remove("data_base64"));
        (whole, data)
    };
    let text = |attributes: &Map<String, JsonValue>, name: &str| {
        attributes.get(name).and_then(JsonValue::as_str).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
    };
    let needed = |name: &str| text(&attributes, name).ok_or_else(|| format!("the CloudEvent has no `{name}`"));
    let (version, id, source, kind) = (needed("specversion")?, needed("id")?, needed("source")?, needed("type")?);
    if !version.starts_with("1.") {
        return Err(format!("CloudEvents of version {version} are not understood"));
    }
    let subject = text(&attributes, "subject");
    let mut resource = Map::new();
    resource.insert("prefect.resource.id".into(), subject.clone().unwrap_or_else(|| source.clone()).into());
    resource.insert("cloudevents.id".into(), id.clone().into());
    resource.insert("cloudevents.source".into(), source.clone().into());
    if let Some(subject) = subject {
        resource.insert("cloudevents.subject".into(), subject.into());
    }
    let occurred = text(&attributes, "time");
    attributes.retain(|name, value| !ATTRIBUTES.contains(&name.as_str()) && value.is_string());
    for (name, value) in attributes {
        resource.insert(format!("cloudevents.{name}"), value);
    }
    let payload = match data {
        Some(JsonValue::Object(data)) => JsonValue::Object(data),
        Some(data) => json!({ "data": data }),
        None => json!({}),
    };
    let mut event = json!({ "event": kind, "resource": resource, "payload": payload, "id": id_of(&source, &id) });
    if let Some(occurred) = occurred {
        event["occurred"] = occurred.into();
    }
    Ok(event)
}

/// Source and id name a CloudEvent, so one that is delivered twice is one event here too.
fn id_of(source: &str, id: &str) -> String {
    if let Ok(id) = Uuid::parse_str(id) {
        return id.to_string();
    }
    let digest = Sha256::new().chain_update(source).chain_update([0]).chain_update(id).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_make_the_same_event() {
        let whole = json!({
            "specversion": "1.0", "id": "17", "source": "/shop", "type": "order.placed", "subject": "order/3",
            "time": "2026-01-02T03:04:05Z", "datacontenttype": "application/json", "tenant": "a", "data": {"n": 1},
        });
        let structured = event_of(Map::new(), whole.clone()).unwrap();
        let mut attributes = whole.as_object().unwrap().clone();
        let data = attributes.shift_remove("data").unwrap();
        assert_eq!(event_of(attributes, data).unwrap(), structured);
        assert_eq!(structured["event"], "order.placed");
        assert_eq!(structured["resource"]["prefect.resource.id"], "order/3");
        assert_eq!(structured["resource"]["cloudevents.tenant"], "a");
        assert_eq!(
            (&structured["payload"], &structured["occurred"]),
            (&json!({"n": 1}), &json!("2026-01-02T03:04:05Z"))
        );
        assert!(Uuid::parse_str(structured["id"].as_str().unwrap()).is_ok());
    }

    #[test]
    fn what_is_none_is_told() {
        for body in
            [json!("x"), json!({"id": "1"}), json!({"specversion": "0.3", "id": "1", "source": "s", "type": "t"})]
        {
            assert!(event_of(Map::new(), body).is_err());
        }
    }
}
