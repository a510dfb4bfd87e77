//! The description of the interface, for programs, and a page that shows it to people. The page loads nothing from elsewhere.

use std::sync::LazyLock;

use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};
use tidegate_api::document::document;

use crate::router::Routes;

const PAGE: &str = include_str!("docs/page.html");
static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

pub fn routes(routes: Routes) -> Routes {
    routes.get("/openapi.json", openapi).get("/docs", page)
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

async fn page() -> Html<&'static str> {
    Html(PAGE)
}
