//! Protection against cross-site requests, where it is switched on: whatever changes something carries the token that its
//! client got from `GET /csrf-token`.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;
use tidegate_store::{Store, Tx};

use crate::{access::is_bearer, error::ApiError};

/// What the protection looks at.
#[derive(Clone)]
pub struct Guard {
    pub store: Store,
    /// Whether requests were authenticated before they come here: then a bearer token is proof enough, since no page can
    /// make a browser send one.
    pub trusts_bearers: bool,
}

pub async fn protect(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let changes = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    // Senders of webhooks are no browsers that somebody else could lead.
    let is_hook = request.uri().path().starts_with(crate::routes::hooks::PREFIX);
    if changes && !is_hook && !(guard.trusts_bearers && is_bearer(request.headers())) {
        let (token, client) = match credentials(request.headers()) {
            Ok(credentials) => credentials,
            Err(detail) => return ApiError::forbidden(detail).into_response(),
        };
        let expected = guard.store.read(async move |tx: &mut Tx| tx.read_csrf_token(&client).await).await;
        match expected {
            Ok(Some(expected)) if bool::from(expected.as_bytes().ct_eq(token.as_bytes())) => {}
            Ok(_) => return ApiError::forbidden("Invalid CSRF token or client identifier.").into_response(),
            Err(error) => return ApiError::from(error).into_response(),
        }
    }
    next.run(request).await
}

/// The token and the client that a request names.
fn credentials(headers: &HeaderMap) -> Result<(String, String), &'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let token = text("prefect-csrf-token").ok_or("Missing CSRF token.")?;
    let client = text("prefect-csrf-client").ok_or("Missing client identifier.")?;
    Ok((token, client))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_names_its_token_and_its_client() {
        let mut headers = HeaderMap::new();
        assert_eq!(credentials(&headers), Err("Missing CSRF token."));
        headers.insert("prefect-csrf-token", HeaderValue::from_static("t"));
        assert_eq!(credentials(&headers), Err("Missing client identifier."));
        headers.insert("prefect-csrf-client", HeaderValue::from_static("c"));
        assert_eq!(credentials(&headers), Ok(("t".to_owned(), "c".to_owned())));
    }
}
