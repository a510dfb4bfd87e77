//! Block capabilities over HTTP.

use tidegate_store::Tx;

use crate::{answer::Json, error::ApiError, extract::Db, router::Routes};

pub fn routes(routes: Routes) -> Routes {
    routes.get("/block_capabilities/", list)
}

async fn list(Db(store): Db) -> Result<Json<Vec<String>>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.list_block_capabilities().await).await?))
}
