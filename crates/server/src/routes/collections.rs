//! Collections: what kinds of workers there are, with the job template that a new pool of each starts with. The other
//! views of the reference are catalogues of its packages, which we do not have; they are empty.

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{error::ApiError, router::Routes};

const WORKER_TYPES: &str = include_str!("collections/worker_types.json");

pub fn routes(routes: Routes) -> Routes {
    routes.get("/collections/views/{view}", read).get("/collections/work_pool_types", worker_types)
}

/// The same view under the name that clients of a hosted server ask for.
async fn worker_types() -> Response {
    json(WORKER_TYPES)
}

async fn read(Path(view): Path<String>) -> Result<Response, ApiError> {
    let text = match view.as_str() {
        "aggregate-worker-metadata" => WORKER_TYPES,
        "aggregate-block-metadata" | "aggregate-flow-metadata" | "demo-flows" => "{}",
        _ => return Err(ApiError::not_found(format!("View {view} not found in registry"))),
    };
    Ok(json(text))
}

fn json(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_variable_of_a_template_is_declared_and_explained() {
        let packages: serde_json::Map<String, Value> = serde_json::from_str(WORKER_TYPES).unwrap();
        let types: Vec<&Value> = packages.values().flat_map(|package| package.as_object().unwrap().values()).collect();
        assert_eq!(types.len(), 4);
        for each in types {
            // The reference's web UI leaves out types without either.
            assert!(each["logo_url"].as_str().unwrap().starts_with("data:image/svg+xml,"), "{}", each["type"]);
            assert!(!each["description"].as_str().unwrap().is_empty(), "{}", each["type"]);
            let template = &each["default_base_job_configuration"];
            let properties = template["variables"]["properties"].as_object().unwrap();
            let configuration = template["job_configuration"].to_string();
            for name in configuration.split("{{ ").skip(1).filter_map(|rest| rest.split_once(" }}")) {
                assert!(properties.contains_key(name.0), "{} of {}", name.0, each["type"]);
            }
            for (name, property) in properties {
                assert!(property["description"].is_string(), "{name} of {}", each["type"]);
            }
        }
    }
}
