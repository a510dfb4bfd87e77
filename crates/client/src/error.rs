//! What can go wrong between a client and a server, in words that name the operation and the next step.

use serde_json::Value;

/// A request that brought no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{url}` is not an API URL: {reason}")]
    Url { url: String, reason: String },
    #[error("cannot set up the HTTP client: {0}")]
    Setup(String),
    #[error("{operation}: cannot reach the API at {url}")]
    Unreachable {
        operation: String,
        url: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{operation}: the API answered {status}: {message}")]
    Status { operation: String, status: u16, message: String, body: Value },
    #[error("{operation}: the API's answer could not be understood")]
    Decode {
        operation: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("{operation}: the server ended the stream: {reason}")]
    Stream { operation: String, reason: String },
}

impl Error {
    /// The HTTP status, if the server answered at all.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// The server does not know the operation at all (it may be an older one, or not ours).
    pub fn is_unknown_operation(&self) -> bool {
        matches!(self.status(), Some(404 | 405 | 501))
    }

    /// Worth another try later: the server or the way to it was the trouble, not the request.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Stream { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429) || (*status >= 500 && *status != 501),
            Self::Url { .. } | Self::Setup(_) | Self::Decode { .. } => false,
        }
    }

    /// What to try next, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Url { .. } => Some("set PREFECT_API_URL to something like `http://127.0.0.1:4200/api`"),
            Self::Unreachable { .. } => {
                Some("is the server running, and is PREFECT_API_URL right? `tidegate server start` starts one")
            }
            Self::Status { status: 401, .. } => {
                Some("set PREFECT_API_AUTH_STRING (or PREFECT_API_KEY) to what the server expects")
            }
            Self::Status { status: 403, .. } => Some("this account may not do that, or a CSRF token is needed"),
            Self::Status { status: 501, .. } => Some("this server does not offer the operation (yet)"),
            Self::Status { status: 500.., .. } => Some("see the server's log"),
            Self::Decode { .. } => Some("is PREFECT_API_URL the API's address, with `/api` at its end?"),
            Self::Setup(_) | Self::Status { .. } | Self::Stream { .. } => None,
        }
    }
}

/// The words in an error's body, whichever of the API's shapes it has.
pub(crate) fn message(status: u16, body: &Value) -> String {
    let said = match body {
        Value::Object(fields) => {
            let message = ["detail", "exception_message", "message"].into_iter().find_map(|key| fields.get(key));
            let details = fields.get("exception_detail").and_then(Value::as_array).map(|errors| details(errors));
            match (message.map(text), details) {
                (Some(message), Some(details)) if !details.is_empty() => format!("{message} {details}"),
                (Some(message), _) => message,
                (None, _) => String::new(),
            }
        }
        other => text(other),
    };
    if said.is_empty() { reason(status).to_owned() } else { said }
}

/// Validation errors as `body.name: field required; …`.
fn details(errors: &[Value]) -> String {
    let one = |error: &Value| {
        let place: Vec<_> = error["loc"].as_array().into_iter().flatten().map(text).collect();
        format!("{}: {}", place.join("."), text(&error["msg"]))
    };
    errors.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(errors) if errors.iter().all(|error| error.get("msg").is_some()) => details(errors),
        other => other.to_string(),
    }
}

fn reason(status: u16) -> &'static str {
    reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_servers_words_are_found_in_every_shape_of_error() {
        for (body, words) in [
            (json!({"detail": "Flow run not found"}), "Flow run not found"),
            (json!({"exception_message": "Unauthorized"}), "Unauthorized"),
            (
                json!({"exception_message": "Invalid request received.",
                       "exception_detail": [{"loc": ["body", "name"], "msg": "Field required"}]}),
                "Invalid request received. body.name: Field required",
            ),
            (json!({"detail": [{"loc": ["query", "limit"], "msg": "too large"}]}), "query.limit: too large"),
            (json!("plain"), "plain"),
            (Value::Null, "Not Found"),
        ] {
            assert_eq!(message(404, &body), words);
        }
    }
}
