//! Templates that people are writing: whether they are well-formed, and where not.

use axum::http::StatusCode;
use serde_json::Value;
use tidegate_api::templates;

use crate::{error::ApiError, extract::Body, router::Routes};

pub fn routes(routes: Routes) -> Routes {
    routes.post("/templates/validate", validate).post("/automations/templates/validate", validate)
}

/// Says nothing of a template that can be rendered.
async fn validate(Body(body): Body<Value>) -> Result<StatusCode, ApiError> {
    // No body is an empty template.
    let template = body.as_str().unwrap_or_default();
    templates::check(template).map(|()| StatusCode::NO_CONTENT).map_err(|problem| ApiError::InvalidTemplate {
        line: problem.line,
        message: problem.message,
        source: template.to_owned(),
    })
}
