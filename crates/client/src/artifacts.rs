//! Artifacts, and the newest one of each key.

use serde_json::json;
use tidegate_api::{
    artifacts::{Artifact, ArtifactCollection, ArtifactCollectionSort, ArtifactCreate, ArtifactSort},
    filters::{ArtifactCollectionFilter, ArtifactFilter},
};
use uuid::Uuid;

use crate::{Client, Page, Result, http::segment};

impl Client {
    pub async fn create_artifact(&self, artifact: &ArtifactCreate) -> Result<Artifact> {
        self.post("/artifacts/", artifact).await
    }

    pub async fn read_artifact(&self, id: Uuid) -> Result<Option<Artifact>> {
        self.find(&format!("/artifacts/{id}")).await
    }

    pub async fn read_latest_artifact(&self, key: &str) -> Result<Option<Artifact>> {
        self.find(&format!("/artifacts/{}/latest", segment(key))).await
    }

    pub async fn list_artifacts(
        &self,
        filter: Option<&ArtifactFilter>,
        sort: ArtifactSort,
        page: Page,
    ) -> Result<Vec<Artifact>> {
        self.list("/artifacts/filter", &json!({"artifacts": filter}), Some(sort), page).await
    }

    pub async fn list_latest_artifacts(
        &self,
        filter: Option<&ArtifactCollectionFilter>,
        sort: ArtifactCollectionSort,
        page: Page,
    ) -> Result<Vec<ArtifactCollection>> {
        self.list("/artifacts/latest/filter", &json!({"artifacts": filter}), Some(sort), page).await
    }

    pub async fn delete_artifact(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/artifacts/{id}")).await
    }
}
