//! Events over HTTP; for streams of them see [`crate::Subscription`] and [`crate::EventPublisher`].

use serde_json::json;
use tidegate_api::events::{Event, EventFilter, EventPage};

use crate::{Client, Method, Result};

impl Client {
    pub async fn create_events(&self, events: &[Event]) -> Result<()> {
        self.tell(Method::POST, "/events", &events).await
    }

    /// The first page of matching events, at most 50.
    pub async fn list_events(&self, filter: &EventFilter, limit: i64) -> Result<EventPage> {
        self.post("/events/filter", &json!({"filter": filter, "limit": limit})).await
    }

    /// The page after one that was read, if there is one.
    pub async fn list_next_events(&self, page: &EventPage) -> Result<Option<EventPage>> {
        // The server names a whole URL, which may be an inner address of its own; only the token matters.
        match page.next_page.as_deref().and_then(|url| url.split_once('?')) {
            Some((_, query)) => self.get(&format!("/events/filter/next?{query}")).await.map(Some),
            None => Ok(None),
        }
    }
}
