//! Flow runs, their states, and the end that their infrastructure came to.

use serde_json::{Value, json};
use tidegate_api::{
    filters::RunFilters,
    flow_runs::{FlowRun, FlowRunCreate, FlowRunSort, FlowRunUpdate},
    orchestration::{Infrastructure, OrchestrationResult, SetState, Verdict},
};
use tidegate_core::state::StateCreate;
use uuid::Uuid;

use crate::{Client, Method, Page, Result};

impl Client {
    pub async fn create_flow_run(&self, run: &FlowRunCreate) -> Result<FlowRun> {
        self.post("/flow_runs/", run).await
    }

    pub async fn read_flow_run(&self, id: Uuid) -> Result<Option<FlowRun>> {
        self.find(&format!("/flow_runs/{id}")).await
    }

    pub async fn require_flow_run(&self, id: Uuid) -> Result<FlowRun> {
        self.get(&format!("/flow_runs/{id}")).await
    }

    pub async fn list_flow_runs(&self, filters: &RunFilters, sort: FlowRunSort, page: Page) -> Result<Vec<FlowRun>> {
        self.list("/flow_runs/filter", filters, Some(sort), page).await
    }

    pub async fn count_flow_runs(&self, filters: &RunFilters) -> Result<i64> {
        self.post("/flow_runs/count", filters).await
    }

    pub async fn update_flow_run(&self, id: Uuid, update: &FlowRunUpdate) -> Result<()> {
        self.tell(Method::PATCH, &format!("/flow_runs/{id}"), update).await
    }

    /// Adds labels to those that the run has.
    pub async fn update_flow_run_labels(&self, id: Uuid, labels: &Value) -> Result<()> {
        self.tell(Method::PATCH, &format!("/flow_runs/{id}/labels"), labels).await
    }

    pub async fn delete_flow_run(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/flow_runs/{id}")).await
    }

    /// Proposes a state; the answer says what became of the proposal.
    pub async fn set_flow_run_state(&self, id: Uuid, state: StateCreate, force: bool) -> Result<OrchestrationResult> {
        self.post(&format!("/flow_runs/{id}/set_state"), &SetState { state, force }).await
    }

    /// Lets a paused run go on, with input if it asked for some.
    pub async fn resume_flow_run(&self, id: Uuid, run_input: Option<Value>) -> Result<OrchestrationResult> {
        self.post(&format!("/flow_runs/{id}/resume"), &json!({"run_input": run_input})).await
    }

    /// Tells how a run's infrastructure ended. Only Tidegate servers take it.
    pub async fn send_verdict(&self, id: Uuid, verdict: &Verdict) -> Result<OrchestrationResult> {
        self.post(&format!("/flow_runs/{id}/verdict"), verdict).await
    }

    /// Who runs a flow run, and how it failed; `None` when the server does not know such things.
    pub async fn read_flow_run_infrastructure(&self, id: Uuid) -> Result<Option<Infrastructure>> {
        self.find(&format!("/flow_runs/{id}/infrastructure")).await
    }
}
