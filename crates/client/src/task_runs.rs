//! Task runs.

use tidegate_api::{
    filters::RunFilters,
    orchestration::{OrchestrationResult, SetState},
    task_runs::{TaskRun, TaskRunSort},
};
use tidegate_core::state::StateCreate;
use uuid::Uuid;

use crate::{Client, Page, Result};

impl Client {
    pub async fn read_task_run(&self, id: Uuid) -> Result<Option<TaskRun>> {
        self.find(&format!("/task_runs/{id}")).await
    }

    pub async fn list_task_runs(&self, filters: &RunFilters, sort: TaskRunSort, page: Page) -> Result<Vec<TaskRun>> {
        self.list("/task_runs/filter", filters, Some(sort), page).await
    }

    pub async fn count_task_runs(&self, filters: &RunFilters) -> Result<i64> {
        self.post("/task_runs/count", filters).await
    }

    pub async fn set_task_run_state(&self, id: Uuid, state: StateCreate, force: bool) -> Result<OrchestrationResult> {
        self.post(&format!("/task_runs/{id}/set_state"), &SetState { state, force }).await
    }

    pub async fn delete_task_run(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/task_runs/{id}")).await
    }
}
