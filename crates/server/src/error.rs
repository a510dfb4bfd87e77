//! Every failure of a request, exhaustive to its status and body. Nothing else makes an error status.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tidegate_api::contract::FieldError;
use tidegate_store as store;

use crate::answer::Json;

#[derive(Debug)]
pub enum ApiError {
    /// `{"detail": …}` with the status given: what a handler says about its resource.
    Detail(StatusCode, String),
    /// 404 in the reference's other shape, `{"exception_message": …}`.
    ObjectNotFound(String),
    /// 422 with pydantic's list; the body comes back as it was read.
    Invalid {
        errors: Vec<FieldError>,
        body: Value,
    },
    /// 422 with the place in a template that is wrong.
    InvalidTemplate {
        line: usize,
        message: String,
        source: String,
    },
    /// 423: the slots are taken; the client asks again after so many seconds.
    Locked {
        detail: String,
        retry_after: f64,
    },
    Unauthorized,
    /// 503: the database is away; clients retry.
    Unavailable(String),
    Internal(anyhow::Error),
}

impl ApiError {
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::Detail(StatusCode::NOT_FOUND, detail.into())
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::Detail(StatusCode::CONFLICT, detail.into())
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::Detail(StatusCode::FORBIDDEN, detail.into())
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::Detail(StatusCode::BAD_REQUEST, detail.into())
    }

    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::Detail(StatusCode::UNPROCESSABLE_ENTITY, detail.into())
    }

    /// What the reference answers when a unique or foreign key constraint said no.
    pub fn integrity() -> Self {
        Self::conflict(
            "Data integrity conflict. This usually means a unique or foreign key constraint was violated. See server logs \
             for details.",
        )
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Constraint(_) => Self::integrity(),
            store::Error::Unavailable(text) | store::Error::Conflict(text) => Self::Unavailable(text),
            store::Error::Secret(hint) => {
                tracing::error!("a request failed: {hint}");
                Self::Detail(StatusCode::INTERNAL_SERVER_ERROR, hint)
            }
            error @ (store::Error::Corrupt { .. } | store::Error::Database(_) | store::Error::Setup(_)) => {
                Self::Internal(error.into())
            }
        }
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Detail(status, detail) => (status, Json(json!({ "detail": detail }))).into_response(),
            Self::ObjectNotFound(message) => {
                (StatusCode::NOT_FOUND, Json(json!({ "exception_message": message }))).into_response()
            }
            Self::Invalid { errors, body } => {
                let body = json!({
                    "exception_message": "Invalid request received.",
                    "exception_detail": errors,
                    "request_body": body,
                });
                (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
            }
            Self::InvalidTemplate { line, message, source } => {
                let body = json!({ "error": { "line": line, "message": message, "source": source } });
                (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
            }
            Self::Locked { detail, retry_after } => {
                let mut response = (StatusCode::LOCKED, Json(json!({ "detail": detail }))).into_response();
                let value = HeaderValue::from_str(&retry_after.to_string());
                response.headers_mut().insert(header::RETRY_AFTER, value.unwrap_or(HeaderValue::from_static("1")));
                response
            }
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, Json(json!({ "exception_message": "Unauthorized" }))).into_response()
            }
            Self::Unavailable(reason) => {
                tracing::warn!("answered 503: {reason}");
                let body = Json(json!({ "exception_message": "Service Unavailable" }));
                (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
            }
            Self::Internal(error) => {
                // Logged with the request's id by the request span.
                tracing::error!("a request failed: {error:#}");
                let body = Json(json!({ "exception_message": "Internal Server Error" }));
                (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
            }
        }
    }
}
