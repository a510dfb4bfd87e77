//! Block documents over HTTP. Secrets are hidden unless the request asks for them.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use tidegate_api::{
    blocks::{BlockDocument, BlockDocumentCreate, BlockDocumentSort, BlockDocumentUpdate},
    filters::{BlockDocumentFilter, BlockSchemaFilter, BlockTypeFilter},
};
use tidegate_store::{DocumentFilters, Reveal, Tx};

use crate::{
    App,
    answer::Json,
    blocks::documents,
    error::ApiError,
    extract::{Body, Db, Id, Params},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/block_documents/", create)
        .get("/block_documents/{id}", read)
        .patch("/block_documents/{id}", update)
        .delete("/block_documents/{id}", delete)
        .post("/block_documents/filter", filter)
        .post("/block_documents/count", count)
}

/// Writes of documents run one after the other: two at once could refer to each other in a circle.
const LANE: &str = "block documents";

/// Whether a request asks for secrets.
#[derive(Clone, Copy, Deserialize)]
pub struct Revealing {
    include_secrets: Option<bool>,
}

impl Revealing {
    pub fn reveal(self) -> Reveal {
        if self.include_secrets == Some(true) { Reveal::Secrets } else { Reveal::Nothing }
    }
}

#[derive(Deserialize)]
struct Request {
    block_documents: Option<BlockDocumentFilter>,
    block_types: Option<BlockTypeFilter>,
    block_schemas: Option<BlockSchemaFilter>,
    include_secrets: Option<bool>,
    sort: Option<BlockDocumentSort>,
    limit: Option<i64>,
    offset: Option<i64>,
}

impl Request {
    fn filters(self) -> DocumentFilters {
        DocumentFilters {
            documents: self.block_documents.unwrap_or_default(),
            types: self.block_types,
            schemas: self.block_schemas,
        }
    }
}

async fn create(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<BlockDocumentCreate>,
) -> Result<(StatusCode, Json<BlockDocument>), ApiError> {
    let created = store.write(LANE, async move |tx: &mut Tx| documents::create(tx, &app.secrets, &body).await).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

async fn read(
    State(app): State<App>,
    Db(store): Db,
    Id(id): Id,
    Params(revealing): Params<Revealing>,
) -> Result<Json<BlockDocument>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let found = tx.read_block_document(&app.secrets, id, revealing.reveal()).await?;
            found.map(Json).ok_or_else(documents::absent)
        })
        .await
}

async fn update(
    State(app): State<App>,
    Db(store): Db,
    Id(id): Id,
    Body(body): Body<BlockDocumentUpdate>,
) -> Result<StatusCode, ApiError> {
    store.write(LANE, async move |tx: &mut Tx| documents::update(tx, &app.secrets, id, body.clone()).await).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(app): State<App>, Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    store.write(LANE, async move |tx: &mut Tx| documents::delete(tx, &app.secrets, id).await).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<BlockDocument>>, ApiError> {
    let page = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let sort = body.sort.unwrap_or(BlockDocumentSort::NameAsc);
    let reveal = Revealing { include_secrets: body.include_secrets }.reveal();
    let filters = body.filters();
    let documents = store
        .read(async move |tx: &mut Tx| tx.list_block_documents(&app.secrets, &filters, sort, Some(page), reveal).await)
        .await?;
    Ok(Json(documents))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    let filters = body.filters();
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_block_documents(&filters).await).await?))
}
