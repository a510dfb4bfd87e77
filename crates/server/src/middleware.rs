//! What happens to every request around its handler: workspace prefixes, authentication, the API version header, request
//! ids, metrics and CORS.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Instant,
};

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{FutureExt, StreamExt, stream};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tracing::Instrument;
use uuid::Uuid;

use crate::{access::Access, error::ApiError, settings::Settings, web::Web};

/// What stands for `/api` in the path that the client asked for, where that is something else.
#[derive(Clone, Debug)]
pub struct Root(pub String);

/// `/base/api/accounts/{a}/workspaces/{w}/flows` and `/api/flows` are the same route: the prefix is taken off before routing.
/// An account's own stream of events is that of its one workspace.
pub fn strip_prefixes(base_path: &str, mut request: Request) -> Request {
    let path = request.uri().path();
    let path = path.strip_prefix(base_path).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let rest = path.strip_prefix("/api/accounts/").and_then(|rest| {
        if let Some((_, rest)) = rest.split_once("/workspaces/") {
            return Some(rest.split_once('/').map_or("/", |(_, rest)| rest));
        }
        let (_, rest) = rest.split_once('/')?;
        (rest == "events/out").then_some(rest)
    });
    let path = match rest {
        Some(rest) => format!("/api/{}", rest.trim_start_matches('/')),
        None if path.len() == request.uri().path().len() => return request,
        None => path.to_owned(),
    };
    let below = path.strip_prefix("/api").unwrap_or(&path);
    let root = request.uri().path().strip_suffix(below).map(|root| Root(root.to_owned()));
    let path_and_query = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    if let Some(root) = root {
        request.extensions_mut().insert(root);
    }
    if let Ok(uri) = path_and_query.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

/// What the API's door asks for, and whether there are pages beside it that need no proof.
#[derive(Clone)]
pub struct Door {
    pub access: Arc<Access>,
    pub has_pages: bool,
}

/// Lets in whoever proves himself. Liveness probes pass without, and so do webhooks, which have checks of their own.
pub async fn authenticate(State(door): State<Door>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let open = matches!(path, "/api/health" | "/api/ready")
        || path.starts_with(crate::routes::hooks::PREFIX)
        || (door.has_pages && Web::is_page(path));
    // Sockets carry their token in the first message, or in this same header.
    let is_socket = request.headers().contains_key(header::SEC_WEBSOCKET_KEY);
    if open || is_socket || request.method() == Method::OPTIONS || door.access.admits_headers(request.headers()) {
        next.run(request).await
    } else {
        ApiError::Unauthorized.into_response()
    }
}

/// Refuses clients of an API that is too old, as the reference words it.
pub async fn check_api_version(request: Request, next: Next) -> Response {
    // An encoded slash belongs to no name: the reference finds no route for it.
    if request.uri().path().to_ascii_lowercase().contains("%2f") {
        return crate::extract::no_route().into_response();
    }
    // Who asks for no operation is told so first.
    let is_operation = request.extensions().get::<MatchedPath>().is_some();
    if !is_operation || matches!(request.uri().path(), "/health" | "/version") {
        return next.run(request).await;
    }
    let given = request.headers().get("x-prefect-api-version").and_then(|value| value.to_str().ok());
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        let parts: Option<Vec<i64>> = given.split('.').map(|part| part.trim().parse().ok()).collect();
        match parts.as_deref() {
            Some([major, minor, patch]) if (*major, *minor, *patch) >= (0, 8, 0) => {}
            Some([_, _, _]) => {
                return ApiError::bad_request(format!(
                    "The request specified API version {given} but this server requires version 0.8.0 or higher."
                ))
                .into_response();
            }
            _ => {
                return ApiError::bad_request(format!(
                    "Invalid X-PREFECT-API-VERSION header format.Expected header in format 'x.y.z' but received {given}"
                ))
                .into_response();
            }
        }
    }
    next.run(request).await
}

/// Bytes of a body that is read before anybody asks for it.
const SMALL_BODY: u64 = 64 * 1024;

/// Keeps a connection usable whether or not the handler looks at the body: the HTTP library closes one whose body was left
/// unread, and the client would learn of it with its next request. A small body is read here; of a large one that was left
/// the client is told.
pub async fn finish_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let size = body.size_hint();
    if size.exact() == Some(0) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    if size.exact().is_some_and(|length| length <= SMALL_BODY) {
        return match to_bytes(body, SMALL_BODY as usize).await {
            Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
            Err(_) => ApiError::bad_request("The request ended before its body did.").into_response(),
        };
    }
    let is_read = Arc::new(AtomicBool::new(false));
    let end = is_read.clone();
    let watched = body.into_data_stream().chain(stream::poll_fn(move |_| {
        end.store(true, Ordering::Relaxed);
        Poll::Ready(None)
    }));
    let mut response = next.run(Request::from_parts(parts, Body::from_stream(watched))).await;
    if !is_read.load(Ordering::Relaxed) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One span, one id and one set of numbers per request.
pub async fn observe(request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| id.len() <= 128)
        .map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned);
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let started = Instant::now();
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    // A fault of ours in one request must neither cut its connection nor go unnoticed.
    let answered = AssertUnwindSafe(next.run(request).instrument(span)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        metrics::counter!("tidegate_http_panics_total", "route" => route.clone()).increment(1);
        ApiError::Internal(anyhow::anyhow!("the handler of {method} {route} failed unexpectedly")).into_response()
    });
    let status = response.status();
    metrics::counter!("tidegate_http_requests_total", "method" => method.to_string(), "route" => route.clone(), "status" => status.as_u16().to_string())
        .increment(1);
    metrics::histogram!("tidegate_http_request_seconds", "route" => route).record(started.elapsed().as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

pub fn cors(settings: &Settings) -> CorsLayer {
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    };
    let origins = if settings.cors_allowed_origins.trim() == "*" {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(list(&settings.cors_allowed_origins).iter().filter_map(|origin| origin.parse().ok()))
    };
    let methods = if settings.cors_allowed_methods.trim() == "*" {
        AllowMethods::any()
    } else {
        AllowMethods::list(list(&settings.cors_allowed_methods).iter().filter_map(|method| method.parse().ok()))
    };
    let headers = if settings.cors_allowed_headers.trim() == "*" {
        AllowHeaders::any()
    } else {
        AllowHeaders::list(list(&settings.cors_allowed_headers).iter().filter_map(|name| name.parse().ok()))
    };
    CorsLayer::new().allow_origin(origins).allow_methods(methods).allow_headers(headers)
}

/// 405 in the reference's words.
pub async fn method_not_allowed() -> ApiError {
    ApiError::Detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".into())
}

#[cfg(test)]
mod tests {
    use axum::{Router, middleware::from_fn, routing::get};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_answers_500_and_has_an_id_for_the_logs() {
        async fn broken() -> StatusCode {
            panic!("on purpose")
        }
        let router = Router::new().route("/", get(broken)).layer(from_fn(observe));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key(REQUEST_ID));
    }
}
