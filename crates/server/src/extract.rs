//! What handlers take from a request: ids from the path, the store in the request's workspace, and bodies that were
//! checked against the contract.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::{
    body::Bytes,
    extract::{FromRef, FromRequest, FromRequestParts, MatchedPath, Query, RawPathParams, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use base64::Engine;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_api::contract::{self, Checked, FieldError, Operation, Unknown};
use tidegate_core::{json::Json, orchestration::Version};
use tidegate_store::Store;
use uuid::Uuid;

use crate::{App, error::ApiError, parameters::with_commas};

/// The store, as the request's workspace sees it.
pub struct Db(pub Store);

impl<S> FromRequestParts<S> for Db
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;
    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(App::from_ref(state).store.clone()))
    }
}

/// The first UUID of the path. Anything else there means that there is no such route, as in the reference.
#[derive(Clone, Copy)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_ids(parts, state).await?.into_iter().next().map(Self).ok_or_else(no_route)
    }
}

/// Two UUIDs of the path.
#[derive(Clone, Copy)]
pub struct Ids(pub Uuid, pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let mut ids = path_ids(parts, state).await?.into_iter();
        Ok(Self(ids.next().ok_or_else(no_route)?, ids.next().ok_or_else(no_route)?))
    }
}

/// Parameters that the contract calls UUIDs (`id`, `…_id`), in the order of the path.
async fn path_ids<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Vec<Uuid>, ApiError> {
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| no_route())?;
    params
        .iter()
        .filter(|(name, _)| *name == "id" || name.ends_with("_id"))
        .map(|(_, text)| parse_path_uuid(text).ok_or_else(no_route))
        .collect()
}

/// Hyphened or plain hex; no braces, no `urn:`.
pub fn parse_path_uuid(text: &str) -> Option<Uuid> {
    matches!(text.len(), 32 | 36).then(|| Uuid::parse_str(text).ok()).flatten()
}

pub fn no_route() -> ApiError {
    ApiError::Detail(StatusCode::NOT_FOUND, "Not Found".into())
}

/// A JSON body, checked and coerced by the contract of the matched route, then read into `T`.
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    T: DeserializeOwned,
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let operation = operation_of(&request);
        let content_type = content_type(request.headers());
        let bytes = read_bytes(request, state).await?;
        let Some(operation) = operation else {
            return serde_json::from_slice(&bytes).map(Self).map_err(|error| malformed(&error, &bytes));
        };
        let checked = check_body(operation, content_type.as_deref(), &bytes)?;
        check_parameter_size(&checked.value, App::from_ref(state).settings.max_parameter_size, &bytes)?;
        // Read from the client's own text where it can be: its numbers stay as it wrote them, and nothing is read twice.
        if checked.is_as_sent
            && let Ok(body) = serde_json::from_slice(&bytes)
        {
            return Ok(Self(body));
        }
        // What was coerced or left out is written anew, and all else as it came.
        let text = std::str::from_utf8(&bytes).ok().and_then(|text| Json::from_text(text.to_owned()).ok());
        match text.filter(|_| checked.value.is_object() || checked.value.is_array()) {
            Some(sent) => read_as(&sent.rewritten(&checked.value)).map(Self),
            None => from_value(checked.value).map(Self),
        }
    }
}

/// The query, checked by the contract of the matched route, then read into `T`.
pub struct Params<T>(pub T);

impl<T, S> FromRequestParts<S> for Params<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let operation = operation_at(parts.method.as_str(), path);
        let value = match operation {
            Some(operation) => {
                let checked = operation.check_query(&pairs);
                Value::Object(checked.map_err(|errors| ApiError::Invalid { errors, body: Value::Null })?)
            }
            None => pairs.into_iter().map(|(name, text)| (name, Value::String(text))).collect(),
        };
        from_value(value).map(Self)
    }
}

/// The operation of the contract that the router matched.
pub fn operation_of(request: &Request) -> Option<&'static Operation> {
    operation_at(request.method().as_str(), request.extensions().get::<MatchedPath>()?.as_str())
}

/// A route may be served without its last slash as well; it is the same operation.
fn operation_at(method: &str, path: &str) -> Option<&'static Operation> {
    let path = path.strip_prefix("/api").unwrap_or(path);
    contract::operation(method, path).or_else(|| contract::operation(method, &format!("{path}/")))
}

pub async fn read_bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::Detail(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The request body is larger than this server accepts; send it in smaller parts.".into(),
        ),
        _ => ApiError::bad_request(rejection.body_text()),
    })
}

pub fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}

/// Checks a body by the contract and answers its value.
pub fn check(operation: &'static Operation, content_type: Option<&str>, bytes: &[u8]) -> Result<Value, ApiError> {
    check_body(operation, content_type, bytes).map(|checked| checked.value)
}

/// Checks a body by the contract; unknown fields are counted by name, never refused unless the operation says so.
fn check_body(operation: &'static Operation, content_type: Option<&str>, bytes: &[u8]) -> Result<Checked, ApiError> {
    let unknown = if needs_every_field(operation) { Unknown::Forbid } else { Unknown::Ignore };
    match operation.check_body(content_type, bytes, unknown) {
        Ok(mut checked) => {
            for field in std::mem::take(&mut checked.unknown) {
                let field = FieldNames::of_process().label(field);
                metrics::counter!("tidegate_unknown_fields_total", "operation" => operation.id(), "field" => field)
                    .increment(1);
            }
            Ok(checked)
        }
        Err(errors) => Err(ApiError::Invalid { errors, body: operation.echo_body(content_type, bytes) }),
    }
}

/// The names of unknown fields that the metric tells. Clients choose them, so their number has a limit; the rest share one
/// name.
#[derive(Default)]
struct FieldNames(Mutex<HashSet<String>>);

impl FieldNames {
    const MOST: usize = 500;
    const LONGEST: usize = 100;

    fn of_process() -> &'static Self {
        static NAMES: LazyLock<FieldNames> = LazyLock::new(FieldNames::default);
        &NAMES
    }

    fn label(&self, field: String) -> String {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.contains(&field) {
            return field;
        }
        if names.len() >= Self::MOST || field.len() > Self::LONGEST {
            return "(others)".to_owned();
        }
        names.insert(field.clone());
        field
    }
}

/// Operations that must not be carried out while a part of them was not understood. Real clients rely on the first: a
/// PATCH with a deployment's name or flow means another deployment. The others change whatever a filter leaves over.
fn needs_every_field(operation: &Operation) -> bool {
    ["update_deployment_deployments", "bulk_delete_", "bulk_set_"].iter().any(|id| operation.id().starts_with(id))
}

/// Parameters that would bloat every row and answer they appear in are refused.
fn check_parameter_size(body: &Value, most: usize, bytes: &[u8]) -> Result<(), ApiError> {
    let Some(parameters) = body.get("parameters").filter(|_| most > 0 && bytes.len() > most) else { return Ok(()) };
    let size = parameters.to_string().len();
    if size <= most {
        return Ok(());
    }
    let problem = format!(
        "Flow run parameters must be less than {} bytes when serialized (got {} bytes).",
        with_commas(&most.to_string()),
        with_commas(&size.to_string())
    );
    let error = FieldError::value_error(vec!["body".into(), "parameters".into()], &problem, parameters.clone());
    Err(ApiError::Invalid { errors: vec![error], body: echo(bytes) })
}

/// The body as the error answer repeats it: parsed where it is JSON, else as text.
fn echo(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// A checked value that our own struct cannot read is a gap in the contract's check; tell the client what did not fit.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    let text = if value.is_null() { "{}".to_owned() } else { value.to_string() };
    serde_json::from_str(&text).map_err(|error| malformed(&error, text.as_bytes()))
}

/// As [`from_value`], of a checked text.
pub fn read_as<T: DeserializeOwned>(body: &Json) -> Result<T, ApiError> {
    body.parse().map_err(|error| malformed(&error, body.text().as_bytes()))
}

fn malformed(error: &serde_json::Error, bytes: &[u8]) -> ApiError {
    ApiError::Invalid {
        errors: vec![FieldError::value_error(vec!["body".into()], &error.to_string(), Value::Null)],
        body: echo(bytes),
    }
}

/// Who calls: versions from the headers, and the fencing token of the attempt that the caller belongs to.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// From `User-Agent: prefect/<version> (API …)`.
    pub client_version: Option<Version>,
    pub api_version: Option<Version>,
    /// From `X-Tidegate-Fence: <flow run id>:<token>`.
    pub fence: Option<(Uuid, i64)>,
    /// From the headers that automations send: id and name. Both or neither.
    pub automation: Option<(Uuid, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let client_version = text("user-agent").and_then(Version::of_user_agent);
        let fence = text("x-tidegate-fence").and_then(|fence| {
            let (id, token) = fence.split_once(':')?;
            Some((Uuid::parse_str(id).ok()?, token.parse().ok()?))
        });
        let name = text("prefect-automation-name")
            .and_then(|name| base64::engine::general_purpose::STANDARD.decode(name).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let automation = match text("prefect-automation-id") {
            Some(id) => contract::uuid_at(vec!["header".into(), "prefect-automation-id".into()], id)
                .map(Some)
                .map_err(|error| ApiError::Invalid { errors: vec![error], body: Value::Null })?,
            None => None,
        }
        .zip(name);
        let api_version = text("x-prefect-api-version").and_then(Version::of_api_header);
        Ok(Self { client_version, api_version, fence, automation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_cannot_fill_the_metrics_with_names_of_their_own() {
        let names = FieldNames::default();
        let labels: HashSet<String> =
            (0..2 * FieldNames::MOST).map(|n| names.label(format!("Model.junk{n}"))).collect();
        assert_eq!(labels.len(), FieldNames::MOST + 1);
        assert_eq!(names.label("Model.junk7".into()), "Model.junk7");
        assert_eq!(FieldNames::default().label("x".repeat(101)), "(others)");
    }
}
