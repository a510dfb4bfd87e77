//! Work queues, inside a pool and by id.

use serde_json::{Value, json};
use tidegate_api::work_pools::{WorkQueue, WorkQueueConcurrencyStatus, WorkQueueCreate, WorkQueueUpdate};
use uuid::Uuid;

use crate::{Client, Method, Page, Result, http::segment, page::UNSORTED, work_pools::path};

impl Client {
    pub async fn create_work_queue(&self, pool: &str, queue: &WorkQueueCreate) -> Result<WorkQueue> {
        self.post(&format!("{}/queues", path(pool)), queue).await
    }

    pub async fn read_work_queue(&self, id: Uuid) -> Result<Option<WorkQueue>> {
        self.find(&format!("/work_queues/{id}")).await
    }

    pub async fn read_work_queue_by_name(&self, pool: &str, queue: &str) -> Result<Option<WorkQueue>> {
        self.find(&format!("{}/queues/{}", path(pool), segment(queue))).await
    }

    pub async fn list_work_queues(&self, pool: &str, page: Page) -> Result<Vec<WorkQueue>> {
        self.list(&format!("{}/queues/filter", path(pool)), &json!({}), UNSORTED, page).await
    }

    /// Queues of every pool, those without a pool included.
    pub async fn list_all_work_queues(&self, page: Page) -> Result<Vec<WorkQueue>> {
        self.list("/work_queues/filter", &json!({}), UNSORTED, page).await
    }

    pub async fn update_work_queue(&self, pool: &str, queue: &str, update: &WorkQueueUpdate) -> Result<()> {
        self.tell(Method::PATCH, &format!("{}/queues/{}", path(pool), segment(queue)), update).await
    }

    pub async fn delete_work_queue(&self, pool: &str, queue: &str) -> Result<()> {
        self.delete(&format!("{}/queues/{}", path(pool), segment(queue))).await
    }

    /// Health of a queue: late runs and when it was polled last.
    pub async fn read_work_queue_status(&self, id: Uuid) -> Result<Value> {
        self.get(&format!("/work_queues/{id}/status")).await
    }

    pub async fn read_work_queue_concurrency_status(&self, id: Uuid) -> Result<WorkQueueConcurrencyStatus> {
        self.post(&format!("/work_queues/{id}/concurrency_status"), &json!({})).await
    }
}
