//! Log records.

use serde_json::json;
use tidegate_api::{
    filters::LogFilter,
    logs::{Log, LogCreate, LogSort},
};

use crate::{Client, Method, Page, Result};

impl Client {
    pub async fn create_logs(&self, logs: &[LogCreate]) -> Result<()> {
        self.tell(Method::POST, "/logs/", &logs).await
    }

    pub async fn list_logs(&self, filter: &LogFilter, sort: LogSort, page: Page) -> Result<Vec<Log>> {
        self.list("/logs/filter", &json!({"logs": filter}), Some(sort), page).await
    }
}
