//! Events over HTTP: in by list, out by pages and counts. The sockets are elsewhere.

mod counts;
mod pages;

use axum::{
    extract::{Request, State},
    http::StatusCode,
};

use crate::{
    App,
    error::ApiError,
    extract::{content_type, operation_of, read_bytes},
    ingest::{Incoming, events},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/events", create)
        .post("/events/filter", pages::filter)
        .get("/events/filter/next", pages::next)
        .post("/events/count-by/{countable}", counts::count_by)
}

/// Stores events; answered when they are committed.
async fn create(State(app): State<App>, request: Request) -> Result<StatusCode, ApiError> {
    let operation = operation_of(&request);
    let content_type = content_type(request.headers());
    let body = read_bytes(request, &app).await?;
    let events = events::read_many(operation, content_type.as_deref(), &body)?;
    let limit = app.settings.events.maximum_size_bytes;
    if body.len() > limit
        && let Some(id) = events.iter().find_map(|event| oversized(event, limit))
    {
        metrics::counter!("tidegate_events_oversized_total").increment(1);
        return Err(ApiError::Detail(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The event {id} is larger than {limit} bytes; nothing of this request was stored."),
        ));
    }
    app.ingest.events.submit(events).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn oversized(event: &Incoming, limit: usize) -> Option<uuid::Uuid> {
    match event {
        Incoming::Event(record, _) if record.size() > limit => Some(record.id),
        _ => None,
    }
}
