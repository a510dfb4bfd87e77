//! What operators and the UI ask about the server itself: its settings, less the secret ones, and where results go by
//! default.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate_store::Tx;
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .get("/admin/settings", settings)
        .get("/admin/storage", read_storage)
        .put("/admin/storage", write_storage)
        .delete("/admin/storage", clear_storage)
}

const STORAGE_KEY: &str = "server-default-result-storage";

/// The settings in the nesting that the UI knows. Nothing secret is in here.
async fn settings(State(app): State<App>) -> Json<Value> {
    let settings = &app.settings;
    let services = &settings.services;
    Json(json!({
        "server": {
            "analytics_enabled": false,
            "api": {
                "host": settings.listen.ip().to_string(),
                "port": settings.listen.port(),
                "base_path": settings.base_path,
                "default_limit": settings.default_limit,
                "max_parameter_size": settings.max_parameter_size,
                "cors_allowed_origins": settings.cors_allowed_origins,
                "cors_allowed_methods": settings.cors_allowed_methods,
                "cors_allowed_headers": settings.cors_allowed_headers,
                "csrf_protection_enabled": settings.csrf_enabled,
                "csrf_token_expiration": duration(settings.csrf_token_seconds),
            },
            "events": {
                "stream_out_enabled": settings.events.stream_out,
                "maximum_labels_per_resource": settings.events.maximum_labels,
                "maximum_related_resources": settings.events.maximum_related,
                "maximum_size_bytes": settings.events.maximum_size_bytes,
                "maximum_event_name_length": settings.events.maximum_name_length,
                "retention_period": duration(services.event_retention_seconds),
            },
            "logs": { "stream_out_enabled": settings.logs_stream_out },
            "services": {
                "scheduler": { "enabled": services.scheduler.enabled, "loop_seconds": services.scheduler.seconds },
                "late_runs": { "enabled": services.late_runs.enabled, "loop_seconds": services.late_runs.seconds },
                "foreman": { "enabled": services.foreman.enabled, "loop_seconds": services.foreman.seconds },
            },
        },
    }))
}

/// ISO 8601, as Pydantic writes it: `PT1H`, `P7D`, `P1DT0.5S`.
fn duration(seconds: f64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400.0), seconds.rem_euclid(86_400.0));
    let (hours, rest) = (rest.div_euclid(3600.0), rest.rem_euclid(3600.0));
    let (minutes, rest) = (rest.div_euclid(60.0), rest.rem_euclid(60.0));
    let part = |number: f64, letter: &str| if number > 0.0 { format!("{number}{letter}") } else { String::new() };
    let (day, time) = (part(days, "D"), part(hours, "H") + &part(minutes, "M") + &part(rest, "S"));
    match (day.as_str(), time.as_str()) {
        ("", "") => "PT0S".into(),
        (day, "") => format!("P{day}"),
        (day, time) => format!("P{day}T{time}"),
    }
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Storage {
    default_result_storage_block_id: Option<Uuid>,
}

async fn read_storage(Db(store): Db) -> Result<Json<Storage>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let storage: Storage = tx.read_configuration(STORAGE_KEY).await?.unwrap_or_default();
            // The block may have been deleted since, by itself or with its type or schema.
            match storage.default_result_storage_block_id {
                Some(id) if !tx.is_block_document(id).await? => Ok(Json(Storage::default())),
                _ => Ok(Json(storage)),
            }
        })
        .await
}

async fn write_storage(Db(store): Db, Body(storage): Body<Storage>) -> Result<Json<Storage>, ApiError> {
    store
        .write(STORAGE_KEY, async move |tx: &mut Tx| {
            let id = storage.default_result_storage_block_id.unwrap_or_default();
            match tx.read_block_capabilities(id).await? {
                None => Err(ApiError::not_found(format!("Block document {id} not found."))),
                Some(capabilities) if !capabilities.iter().any(|capability| capability == "write-path") => {
                    Err(ApiError::unprocessable(format!("Block document {id} cannot be used for result storage.")))
                }
                Some(_) => Ok(tx.write_configuration(STORAGE_KEY, &storage).await?),
            }
        })
        .await?;
    Ok(Json(storage))
}

async fn clear_storage(Db(store): Db) -> Result<StatusCode, ApiError> {
    store.write(STORAGE_KEY, async move |tx: &mut Tx| tx.delete_configuration(STORAGE_KEY).await).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_spelled_as_pydantic_does() {
        for (seconds, expected) in
            [(0.0, "PT0S"), (3600.0, "PT1H"), (604_800.0, "P7D"), (90_061.5, "P1DT1H1M1.5S"), (0.5, "PT0.5S")]
        {
            assert_eq!(duration(seconds), expected);
        }
    }
}
