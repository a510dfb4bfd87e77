//! Tokens against cross-site requests: a client asks for one and sends it with everything it changes.

use std::fmt::Write;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidegate_core::time::Timestamp;
use tidegate_store::Tx;
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Db, Params},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes.get("/csrf-token", create)
}

#[derive(Serialize)]
struct Answer {
    id: Uuid,
    created: Timestamp,
    updated: Timestamp,
    token: String,
    client: String,
    expiration: Timestamp,
}

#[derive(Deserialize)]
struct Query {
    client: String,
}

async fn create(
    State(app): State<App>,
    Db(store): Db,
    Params(Query { client }): Params<Query>,
) -> Result<Json<Answer>, ApiError> {
    if !app.settings.csrf_enabled {
        return Err(ApiError::unprocessable("CSRF protection is disabled."));
    }
    let seconds = app.settings.csrf_token_seconds;
    let token = rand::random::<[u8; 32]>().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let stored =
        store.write(client.clone(), async move |tx: &mut Tx| tx.put_csrf_token(&client, &token, seconds).await).await?;
    let tidegate_store::CsrfToken { id, created, updated, token, client, expiration } = stored;
    Ok(Json(Answer { id, created, updated, token, client, expiration }))
}
