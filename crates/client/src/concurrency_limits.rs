//! Global concurrency limits, by id or name.

use serde_json::json;
use tidegate_api::{
    concurrency_limits::{ConcurrencyHolder, ConcurrencyLimitV2, ConcurrencyLimitV2Create, ConcurrencyLimitV2Update},
    deployments::GlobalConcurrencyLimit,
};
use uuid::Uuid;

use crate::{Client, Method, Page, Result, http::segment, page::UNSORTED};

impl Client {
    pub async fn create_concurrency_limit(&self, limit: &ConcurrencyLimitV2Create) -> Result<ConcurrencyLimitV2> {
        self.post("/v2/concurrency_limits/", limit).await
    }

    pub async fn read_concurrency_limit(&self, id_or_name: &str) -> Result<Option<GlobalConcurrencyLimit>> {
        self.find(&path(id_or_name)).await
    }

    pub async fn list_concurrency_limits(&self, page: Page) -> Result<Vec<GlobalConcurrencyLimit>> {
        self.list("/v2/concurrency_limits/filter", &json!({}), UNSORTED, page).await
    }

    pub async fn update_concurrency_limit(&self, id_or_name: &str, update: &ConcurrencyLimitV2Update) -> Result<()> {
        self.tell(Method::PATCH, &path(id_or_name), update).await
    }

    pub async fn delete_concurrency_limit(&self, id_or_name: &str) -> Result<()> {
        self.delete(&path(id_or_name)).await
    }

    /// Who holds slots, longest first. On Tidegate servers only.
    pub async fn list_concurrency_holders(&self, id_or_name: &str) -> Result<Vec<ConcurrencyHolder>> {
        self.get(&format!("{}/holders", path(id_or_name))).await
    }

    /// Takes the slots from a holder. On Tidegate servers only.
    pub async fn release_concurrency_holder(&self, id_or_name: &str, lease: Uuid) -> Result<()> {
        let path = format!("{}/holders/{lease}/release", path(id_or_name));
        self.tell(Method::POST, &path, &json!({})).await
    }
}

fn path(id_or_name: &str) -> String {
    format!("/v2/concurrency_limits/{}", segment(id_or_name))
}
