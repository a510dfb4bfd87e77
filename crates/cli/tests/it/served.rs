//! A server of a test's own, and how tests talk to it by commands.

use serde_json::Value;

use crate::place::{Place, Running};

/// A place with a server of its own that ends with the test.
pub(crate) struct Served {
    pub(crate) place: Place,
    _server: Running,
}

impl Served {
    pub(crate) fn new() -> Self {
        Self::at(Place::with_own_server())
    }

    pub(crate) fn at(place: Place) -> Self {
        let server = place.start_server();
        Self { place, _server: server }
    }

    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.place.run(arguments).ok()
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        serde_json::from_str(&self.ok(&["api", "POST", path, "--data", &body.to_string()])).unwrap()
    }

    /// Where its API is.
    pub(crate) fn api_url(&self) -> String {
        let written: Value = serde_json::from_str(&self.place.read("user/.tidegate/server.json")).unwrap();
        written["api_url"].as_str().unwrap().to_owned()
    }

    /// A flow `hello` with a deployment `daily` in the pool `p`.
    pub(crate) fn with_deployment() -> Self {
        let served = Self::new();
        served.ok(&["work-pool", "create", "p", "--type", "process"]);
        let flow = served.post("/flows/", &serde_json::json!({"name": "hello"}));
        served.post(
            "/deployments/",
            &serde_json::json!({
                "name": "daily", "flow_id": flow["id"], "work_pool_name": "p", "entrypoint": "flow.py:hello",
                "parameter_openapi_schema": {"type": "object", "properties": {"name": {"type": "string"}}},
            }),
        );
        served
    }
}

/// The words of a table, line by line.
pub(crate) fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}
