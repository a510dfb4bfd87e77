//! Work pools, the workers seen in them, and who holds their slots.

use serde_json::json;
use tidegate_api::{
    filters::WorkPoolFilter,
    work_pools::{WorkPool, WorkPoolConcurrencyStatus, WorkPoolCreate, WorkPoolUpdate, Worker, WorkerFlowRun},
};
use tidegate_core::time::Timestamp;

use crate::{Client, Method, Page, Result, http::segment, page::UNSORTED};

impl Client {
    pub async fn create_work_pool(&self, pool: &WorkPoolCreate) -> Result<WorkPool> {
        self.post("/work_pools/", pool).await
    }

    pub async fn read_work_pool(&self, name: &str) -> Result<Option<WorkPool>> {
        self.find(&path(name)).await
    }

    pub async fn list_work_pools(&self, filter: Option<&WorkPoolFilter>, page: Page) -> Result<Vec<WorkPool>> {
        self.list("/work_pools/filter", &json!({"work_pools": filter}), UNSORTED, page).await
    }

    pub async fn update_work_pool(&self, name: &str, update: &WorkPoolUpdate) -> Result<()> {
        self.tell(Method::PATCH, &path(name), update).await
    }

    pub async fn delete_work_pool(&self, name: &str) -> Result<()> {
        self.delete(&path(name)).await
    }

    pub async fn read_work_pool_concurrency_status(&self, name: &str) -> Result<WorkPoolConcurrencyStatus> {
        self.post(&format!("{}/concurrency_status", path(name)), &json!({})).await
    }

    pub async fn list_workers(&self, pool: &str, page: Page) -> Result<Vec<Worker>> {
        self.list(&format!("{}/workers/filter", path(pool)), &json!({}), UNSORTED, page).await
    }

    pub async fn delete_worker(&self, pool: &str, worker: &str) -> Result<()> {
        self.delete(&format!("{}/workers/{}", path(pool), segment(worker))).await
    }

    /// The runs that are due before an instant, for workers that poll.
    pub async fn list_scheduled_flow_runs(
        &self,
        pool: &str,
        work_queues: Option<&[String]>,
        scheduled_before: Timestamp,
        limit: Option<i64>,
    ) -> Result<Vec<WorkerFlowRun>> {
        let mut body = json!({"scheduled_before": scheduled_before});
        if let Some(queues) = work_queues {
            body["work_queue_names"] = json!(queues);
        }
        if let Some(limit) = limit {
            body["limit"] = json!(limit);
        }
        self.post(&format!("{}/get_scheduled_flow_runs", path(pool)), &body).await
    }
}

pub(crate) fn path(pool: &str) -> String {
    format!("/work_pools/{}", segment(pool))
}
