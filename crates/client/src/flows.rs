//! Flows.

use serde_json::json;
use tidegate_api::{
    filters::RunFilters,
    flows::{Flow, FlowCreate, FlowSort},
};
use uuid::Uuid;

use crate::{Client, Page, Result, http::segment};

impl Client {
    /// The flow of this name, made if there is none.
    pub async fn create_flow(&self, name: &str) -> Result<Flow> {
        self.post("/flows/", &FlowCreate { name: name.to_owned(), tags: Vec::new(), labels: None }).await
    }

    pub async fn read_flow(&self, id: Uuid) -> Result<Option<Flow>> {
        self.find(&format!("/flows/{id}")).await
    }

    pub async fn read_flow_by_name(&self, name: &str) -> Result<Option<Flow>> {
        self.find(&format!("/flows/name/{}", segment(name))).await
    }

    pub async fn list_flows(&self, filters: &RunFilters, sort: FlowSort, page: Page) -> Result<Vec<Flow>> {
        self.list("/flows/filter", filters, Some(sort), page).await
    }

    pub async fn count_flows(&self, filters: &RunFilters) -> Result<i64> {
        self.post("/flows/count", filters).await
    }

    pub async fn delete_flow(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/flows/{id}")).await
    }

    /// The newest runs' flows by id, for tables that show names.
    pub async fn list_flows_by_id(&self, ids: &[Uuid]) -> Result<Vec<Flow>> {
        let filters = json!({"flows": {"id": {"any_": ids}}});
        self.list("/flows/filter", &filters, Some(FlowSort::NameAsc), Page::default()).await
    }
}
