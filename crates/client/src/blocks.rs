//! Block types, schemas and documents.

use serde_json::json;
use tidegate_api::{
    blocks::{
        BlockDocument, BlockDocumentCreate, BlockDocumentSort, BlockDocumentUpdate, BlockSchema, BlockSchemaCreate,
        BlockType, BlockTypeCreate,
    },
    filters::{BlockDocumentFilter, BlockSchemaFilter, BlockTypeFilter},
};
use uuid::Uuid;

use crate::{Client, Method, Page, Result, http::segment, page::UNSORTED};

impl Client {
    pub async fn create_block_type(&self, block_type: &BlockTypeCreate) -> Result<BlockType> {
        self.post("/block_types/", block_type).await
    }

    pub async fn read_block_type(&self, slug: &str) -> Result<Option<BlockType>> {
        self.find(&format!("/block_types/slug/{}", segment(slug))).await
    }

    pub async fn list_block_types(&self, filter: Option<&BlockTypeFilter>, page: Page) -> Result<Vec<BlockType>> {
        self.list("/block_types/filter", &json!({"block_types": filter}), UNSORTED, page).await
    }

    pub async fn delete_block_type(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/block_types/{id}")).await
    }

    pub async fn create_block_schema(&self, schema: &BlockSchemaCreate) -> Result<BlockSchema> {
        self.post("/block_schemas/", schema).await
    }

    pub async fn list_block_schemas(&self, filter: Option<&BlockSchemaFilter>, page: Page) -> Result<Vec<BlockSchema>> {
        self.list("/block_schemas/filter", &json!({"block_schemas": filter}), UNSORTED, page).await
    }

    pub async fn create_block_document(&self, document: &BlockDocumentCreate) -> Result<BlockDocument> {
        self.post("/block_documents/", document).await
    }

    /// Secret fields come in clear only with `include_secrets`.
    pub async fn read_block_document(&self, id: Uuid, include_secrets: bool) -> Result<Option<BlockDocument>> {
        self.find(&format!("/block_documents/{id}?include_secrets={include_secrets}")).await
    }

    pub async fn read_block_document_by_name(
        &self,
        type_slug: &str,
        name: &str,
        include_secrets: bool,
    ) -> Result<Option<BlockDocument>> {
        let (slug, name) = (segment(type_slug), segment(name));
        let path = format!("/block_types/slug/{slug}/block_documents/name/{name}?include_secrets={include_secrets}");
        self.find(&path).await
    }

    pub async fn list_block_documents(
        &self,
        filter: Option<&BlockDocumentFilter>,
        sort: BlockDocumentSort,
        page: Page,
    ) -> Result<Vec<BlockDocument>> {
        self.list("/block_documents/filter", &json!({"block_documents": filter}), Some(sort), page).await
    }

    pub async fn update_block_document(&self, id: Uuid, update: &BlockDocumentUpdate) -> Result<()> {
        self.tell(Method::PATCH, &format!("/block_documents/{id}"), update).await
    }

    pub async fn delete_block_document(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/block_documents/{id}")).await
    }
}
