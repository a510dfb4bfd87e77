//! Block types over HTTP, and the documents of one type.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tidegate_api::{
    blocks::{BlockDocument, BlockDocumentSort, BlockType, BlockTypeCreate, BlockTypeUpdate},
    filters::{BlockDocumentFilter, BlockSchemaFilter, BlockTypeFilter, IdFilter},
    patch::Patch,
};
use tidegate_store::{DocumentFilters, Protection, Tx};

use crate::{
    App,
    answer::Json,
    blocks::{documents, system},
    error::ApiError,
    extract::{Body, Db, Id, Params},
    router::Routes,
    routes::block_documents::Revealing,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/block_types/", create)
        .get("/block_types/{id}", read)
        .patch("/block_types/{id}", update)
        .delete("/block_types/{id}", delete)
        .get("/block_types/slug/{slug}", read_by_slug)
        .post("/block_types/filter", filter)
        .get("/block_types/slug/{slug}/block_documents", list_documents)
        .get("/block_types/slug/{slug}/block_documents/name/{block_document_name}", read_document)
        .post("/block_types/install_system_block_types", install)
}

#[derive(Deserialize)]
struct Request {
    block_types: Option<BlockTypeFilter>,
    block_schemas: Option<BlockSchemaFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn create(Db(store): Db, Body(body): Body<BlockTypeCreate>) -> Result<(StatusCode, Json<BlockType>), ApiError> {
    if body.name.to_lowercase().starts_with("prefect") {
        return Err(ApiError::forbidden("Block type names beginning with 'Prefect' are reserved."));
    }
    let create = BlockTypeCreate {
        description: body.description.as_deref().map(escape),
        code_example: body.code_example.as_deref().map(escape),
        ..body
    };
    let created = store
        .write(create.slug.clone(), async move |tx: &mut Tx| {
            let created = tx.create_block_type(&create, Protection::None).await?;
            created
                .ok_or_else(|| ApiError::conflict(format!("Block type with name \"{}\" already exists", create.name)))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(created)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<BlockType>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_block_type(id).await?.map(Json).ok_or_else(absent)).await
}

async fn read_by_slug(Db(store): Db, Path(slug): Path<String>) -> Result<Json<BlockType>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_block_type_by_slug(&slug).await?.map(Json).ok_or_else(absent)).await
}

async fn update(Db(store): Db, Id(id): Id, Body(body): Body<BlockTypeUpdate>) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let known = tx.read_block_type(id).await?.ok_or_else(absent)?;
            // Every save of a block sends its type along; most say nothing new.
            if changes(&known, &body) {
                tx.update_block_type(id, body.clone()).await?;
            }
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let known = tx.read_block_type(id).await?.ok_or_else(absent)?;
            if known.is_protected {
                return Err(ApiError::forbidden("protected block types cannot be deleted."));
            }
            tx.delete_block_type(&known).await?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<BlockType>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let types = store
        .read(async move |tx: &mut Tx| {
            tx.list_block_types(body.block_types.as_ref(), body.block_schemas.as_ref(), limit, offset).await
        })
        .await?;
    Ok(Json(types))
}

async fn list_documents(
    State(app): State<App>,
    Db(store): Db,
    Path(slug): Path<String>,
    Params(revealing): Params<Revealing>,
) -> Result<Json<Vec<BlockDocument>>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let kind = tx.read_block_type_by_slug(&slug).await?.ok_or_else(absent)?;
            let documents = BlockDocumentFilter {
                block_type_id: Some(IdFilter { any_: Some(vec![kind.id]), ..IdFilter::default() }),
                ..BlockDocumentFilter::default()
            };
            let filters = DocumentFilters { documents, ..DocumentFilters::default() };
            let (sort, reveal) = (BlockDocumentSort::NameAsc, revealing.reveal());
            Ok(Json(tx.list_block_documents(&app.secrets, &filters, sort, None, reveal).await?))
        })
        .await
}

async fn read_document(
    State(app): State<App>,
    Db(store): Db,
    Path((slug, name)): Path<(String, String)>,
    Params(revealing): Params<Revealing>,
) -> Result<Json<BlockDocument>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let found = tx.read_block_document_by_name(&app.secrets, &slug, &name, revealing.reveal()).await?;
            found.map(Json).ok_or_else(documents::absent)
        })
        .await
}

async fn install(Db(store): Db) -> Result<Json<()>, ApiError> {
    store.write("system blocks", system::install).await.map(Json)
}

fn absent() -> ApiError {
    ApiError::not_found("Block type not found")
}

/// The UI shows these texts as HTML; they are kept as it expects them.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn changes(known: &BlockType, update: &BlockTypeUpdate) -> bool {
    let differs = |known: &Option<String>, update: &Patch<String>| match update {
        Patch::Keep => false,
        Patch::Clear => known.is_some(),
        Patch::Set(text) => known.as_ref().is_none_or(|known| known != text && *known != escape(text)),
    };
    differs(&known.logo_url, &update.logo_url)
        || differs(&known.documentation_url, &update.documentation_url)
        || differs(&known.description, &update.description)
        || differs(&known.code_example, &update.code_example)
}
