//! Liveness, readiness and versions.

use axum::extract::State;
use serde_json::{Value, json};
use tidegate_store::{Tx, sql};

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::Db,
    router::Routes,
    services::reports::{self, Services},
};

/// The API version that the contract belongs to.
pub const API_VERSION: &str = "0.8.4";
/// The client version that the contract belongs to. Clients compare majors and warn when the server looks older.
pub const CONTRACT_VERSION: &str = "3.8.8";

pub fn routes(routes: Routes) -> Routes {
    routes
        .get("/health", health)
        .get("/ready", ready)
        .get("/hello", hello)
        .get("/version", version)
        .get("/admin/version", admin_version)
        .get("/tidegate/version", own_version)
        .get("/admin/services", services)
}

/// The process answers.
async fn health() -> Json<bool> {
    Json(true)
}

/// The database answers too.
async fn ready(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    app.store.read(async move |tx: &mut Tx| tx.one(&sql!("SELECT 1"), |_| Ok(())).await).await?;
    Ok(Json(json!({ "message": "OK" })))
}

async fn hello() -> Json<&'static str> {
    Json("👋")
}

async fn version() -> Json<&'static str> {
    Json(API_VERSION)
}

async fn admin_version() -> Json<&'static str> {
    Json(CONTRACT_VERSION)
}

/// What each background service did last, in this process or where it runs.
async fn services(State(app): State<App>, Db(store): Db) -> Result<Json<Services>, ApiError> {
    Ok(Json(reports::read(&app, &store).await?))
}

/// Tells clients that this is Tidegate, and which.
async fn own_version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "api": API_VERSION }))
}
