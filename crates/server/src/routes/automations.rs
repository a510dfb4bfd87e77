//! Automations: what every deployment asks before it makes its own, namely that the old ones go, and what inspecting one
//! asks. The rest is not served yet.

use axum::{extract::Path, http::StatusCode};
use serde_json::Value;
use tidegate_store::Tx;

use crate::{answer::Json, error::ApiError, extract::Db, router::Routes};

pub fn routes(routes: Routes) -> Routes {
    routes
        .delete("/automations/owned-by/{resource_id}", delete_owned)
        .get("/automations/related-to/{resource_id}", list_related)
}

/// None: as long as none can be created, none is related to anything.
async fn list_related() -> Json<[Value; 0]> {
    Json([])
}

/// Always accepted: a resource without automations is the usual case.
async fn delete_owned(Db(store): Db, Path(resource): Path<String>) -> Result<(StatusCode, Json<Value>), ApiError> {
    store
        .write(resource.clone(), async move |tx: &mut Tx| {
            tx.delete_automations_owned_by(&resource).await.map_err(ApiError::from)
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(Value::Null)))
}
