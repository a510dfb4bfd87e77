//! Deployments and their schedules.

use serde_json::Value;
use tidegate_api::{
    deployments::{
        Deployment, DeploymentCreate, DeploymentFlowRunCreate, DeploymentSchedule, DeploymentScheduleCreate,
        DeploymentScheduleUpdate, DeploymentSort, DeploymentUpdate,
    },
    filters::RunFilters,
    flow_runs::FlowRun,
};
use uuid::Uuid;

use crate::{Client, Method, Page, Result, http::segment};

impl Client {
    /// Creates the deployment, or replaces the one of this flow and name.
    pub async fn create_deployment(&self, deployment: &DeploymentCreate) -> Result<Deployment> {
        self.post("/deployments/", deployment).await
    }

    pub async fn read_deployment(&self, id: Uuid) -> Result<Option<Deployment>> {
        self.find(&format!("/deployments/{id}")).await
    }

    /// By `flow name` and `deployment name`.
    pub async fn read_deployment_by_name(&self, flow: &str, deployment: &str) -> Result<Option<Deployment>> {
        self.find(&format!("/deployments/name/{}/{}", segment(flow), segment(deployment))).await
    }

    pub async fn list_deployments(
        &self,
        filters: &RunFilters,
        sort: DeploymentSort,
        page: Page,
    ) -> Result<Vec<Deployment>> {
        self.list("/deployments/filter", filters, Some(sort), page).await
    }

    pub async fn count_deployments(&self, filters: &RunFilters) -> Result<i64> {
        self.post("/deployments/count", filters).await
    }

    pub async fn update_deployment(&self, id: Uuid, update: &DeploymentUpdate) -> Result<()> {
        self.tell(Method::PATCH, &format!("/deployments/{id}"), update).await
    }

    pub async fn delete_deployment(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/deployments/{id}")).await
    }

    pub async fn pause_deployment(&self, id: Uuid) -> Result<()> {
        self.tell(Method::POST, &format!("/deployments/{id}/pause_deployment"), &Value::Null).await
    }

    pub async fn resume_deployment(&self, id: Uuid) -> Result<()> {
        self.tell(Method::POST, &format!("/deployments/{id}/resume_deployment"), &Value::Null).await
    }

    /// Creates a run of the deployment; due at once unless its state says otherwise.
    pub async fn create_flow_run_from_deployment(&self, id: Uuid, run: &DeploymentFlowRunCreate) -> Result<FlowRun> {
        self.post(&format!("/deployments/{id}/create_flow_run"), run).await
    }

    pub async fn list_deployment_schedules(&self, id: Uuid) -> Result<Vec<DeploymentSchedule>> {
        self.get(&format!("/deployments/{id}/schedules")).await
    }

    pub async fn create_deployment_schedules(
        &self,
        id: Uuid,
        schedules: &[DeploymentScheduleCreate],
    ) -> Result<Vec<DeploymentSchedule>> {
        self.post(&format!("/deployments/{id}/schedules"), &schedules).await
    }

    pub async fn update_deployment_schedule(
        &self,
        id: Uuid,
        schedule: Uuid,
        update: &DeploymentScheduleUpdate,
    ) -> Result<()> {
        self.tell(Method::PATCH, &format!("/deployments/{id}/schedules/{schedule}"), update).await
    }

    pub async fn delete_deployment_schedule(&self, id: Uuid, schedule: Uuid) -> Result<()> {
        self.delete(&format!("/deployments/{id}/schedules/{schedule}")).await
    }
}
