//! The log of requests that webhooks were sent: written with the event that came of each, in one transaction.

use tidegate_api::webhooks::{WebhookOutcome, WebhookRequest};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::{Error, EventRecord, Result, Row, Sql, Tx, sql};

const COLUMNS: &str = "id, webhook_id, received, method, query, headers, body, body_bytes, status, outcome, detail, event_id, \
                       replay_of";

/// A request to keep.
#[derive(Clone, Debug)]
pub struct NewWebhookRequest {
    pub webhook_id: Uuid,
    pub method: String,
    pub query: String,
    pub headers: Json,
    /// `None` where it is not worth its room.
    pub body: Option<Vec<u8>>,
    pub body_bytes: i64,
    pub status: i64,
    pub outcome: WebhookOutcome,
    pub detail: Option<String>,
    pub replay_of: Option<Uuid>,
}

/// A request as it was kept, its body as bytes.
#[derive(Clone, Debug)]
pub struct StoredWebhookRequest {
    pub request: WebhookRequest,
    pub body: Option<Vec<u8>>,
}

fn stored(row: &mut Row<'_>) -> Result<StoredWebhookRequest> {
    let (id, webhook_id, received) = (row.next()?, row.next()?, row.next()?);
    let (method, query, headers): (String, String, Json) = (row.next()?, row.next()?, row.next()?);
    let (body, body_bytes): (Option<Vec<u8>>, i64) = (row.next()?, row.next()?);
    let status = row.next()?;
    let outcome = match &*row.next::<String>()? {
        "accepted" => WebhookOutcome::Accepted,
        "ignored" => WebhookOutcome::Ignored,
        "refused" => WebhookOutcome::Refused,
        "failed" => WebhookOutcome::Failed,
        other => return Err(Error::Corrupt { column: "outcome".into(), problem: format!("`{other}` is none") }),
    };
    let text = body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
    let (detail, event_id, replay_of) = (row.next()?, row.next()?, row.next()?);
    let request = WebhookRequest {
        id,
        webhook_id,
        received,
        method,
        query,
        headers,
        body: text,
        body_bytes,
        status,
        outcome,
        detail,
        event_id,
        replay_of,
    };
    Ok(StoredWebhookRequest { request, body })
}

impl Tx {
    /// Keeps a request and stores its event. An event that is known already is not stored again.
    pub async fn record_webhook_request(
        &mut self,
        new: &NewWebhookRequest,
        event: Option<EventRecord>,
    ) -> Result<WebhookRequest> {
        let id = Uuid::now_v7();
        self.execute(&sql!(
            "INSERT INTO webhook_request (id, workspace_id, webhook_id, received, method, query, headers, body, body_bytes, \
             status, outcome, detail, event_id, replay_of) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            id,
            self.workspace(),
            new.webhook_id,
            self.now(),
            &new.method,
            &new.query,
            &new.headers,
            new.body.clone(),
            new.body_bytes,
            new.status,
            new.outcome.as_str(),
            new.detail.clone(),
            event.as_ref().map(|event| event.id),
            new.replay_of,
        ))
        .await?;
        if let Some(event) = event {
            self.store_events(vec![event]).await?;
        }
        let kept = self.read_webhook_request(new.webhook_id, id).await?;
        kept.map(|kept| kept.request).ok_or_else(|| Error::Database("a request vanished while it was written".into()))
    }

    fn select_webhook_requests(&self, webhook: Uuid) -> Sql {
        sql!(
            format!("SELECT {COLUMNS} FROM webhook_request WHERE workspace_id = $1 AND webhook_id = $2"),
            self.workspace(),
            webhook
        )
    }

    pub async fn read_webhook_request(&mut self, webhook: Uuid, id: Uuid) -> Result<Option<StoredWebhookRequest>> {
        let mut sql = self.select_webhook_requests(webhook);
        sql.push(" AND id = ").bind(id);
        self.optional(&sql, stored).await
    }

    /// The newest first.
    pub async fn list_webhook_requests(
        &mut self,
        webhook: Uuid,
        outcome: Option<WebhookOutcome>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<WebhookRequest>> {
        let mut sql = self.select_webhook_requests(webhook);
        if let Some(outcome) = outcome {
            sql.push(" AND outcome = ").bind(outcome.as_str());
        }
        sql.push(" ORDER BY received DESC, id DESC").push_page(limit, offset);
        self.all(&sql, |row| stored(row).map(|stored| stored.request)).await
    }

    /// Deletes up to `limit` requests that came before `time`, the oldest first. Answers how many went.
    pub async fn delete_webhook_requests_before(&mut self, time: Timestamp, limit: i64) -> Result<u64> {
        self.execute(&sql!(
            "DELETE FROM webhook_request WHERE id IN \
             (SELECT id FROM webhook_request WHERE received < $1 ORDER BY received LIMIT $2)",
            time,
            limit,
        ))
        .await
    }

    /// Deletes all but the newest `keep` requests of every webhook. Answers how many went.
    pub async fn trim_webhook_requests(&mut self, keep: i64) -> Result<u64> {
        let webhooks: Vec<Uuid> = self.all(&sql!("SELECT id FROM webhook"), |row| row.next()).await?;
        let mut gone = 0;
        for webhook in webhooks {
            let last = sql!(
                "SELECT received FROM webhook_request WHERE webhook_id = $1 ORDER BY received DESC, id DESC LIMIT 1 OFFSET $2",
                webhook,
                keep,
            );
            let Some(last) = self.optional(&last, |row| row.next::<Timestamp>()).await? else { continue };
            gone += self
                .execute(&sql!("DELETE FROM webhook_request WHERE webhook_id = $1 AND received <= $2", webhook, last))
                .await?;
        }
        Ok(gone)
    }
}
