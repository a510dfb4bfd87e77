//! Incoming webhooks in the store. Their secrets are sealed: what is read here has them hidden, but for the one reader that
//! checks requests.

mod requests;

pub use requests::{NewWebhookRequest, StoredWebhookRequest};
use tidegate_api::webhooks::{HIDDEN_SECRET, Verification, Webhook, WebhookCreate, WebhookUpdate};
use uuid::Uuid;

use crate::{Error, Result, Row, Secrets, Sql, Tx, sql, value::json};

const COLUMNS: &str = "id, created, updated, name, description, enabled, template, slug, workspace_id, verification, \
                       requests_per_minute";

fn webhook(row: &mut Row<'_>) -> Result<Webhook> {
    Ok(Webhook {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        description: row.next()?,
        enabled: row.next()?,
        template: row.next()?,
        slug: row.next()?,
        workspace: row.next()?,
        service_account_id: None,
        verification: row.parse_optional()?,
        requests_per_minute: row.next()?,
    })
}

/// What is stored of how requests are checked.
struct Sealed {
    verification: Option<Verification>,
    secret: Option<Vec<u8>>,
    key_id: Option<String>,
}

impl Sealed {
    fn new(secrets: &Secrets, id: Uuid, verification: Option<Verification>) -> Result<Self> {
        let secret = verification.as_ref().and_then(Verification::secret).map(str::as_bytes);
        let secret = secret.map(|secret| secrets.seal(id, secret)).transpose()?;
        let key_id = secret.is_some().then(|| secrets.key_id().to_owned());
        Ok(Self { verification: verification.map(|shown| shown.with_secret(HIDDEN_SECRET)), secret, key_id })
    }
}

impl Tx {
    pub async fn create_webhook(&mut self, secrets: &Secrets, slug: &str, create: &WebhookCreate) -> Result<Webhook> {
        self.require_key(secrets).await?;
        let id = Uuid::now_v7();
        let sealed = Sealed::new(secrets, id, create.verification.clone())?;
        self.execute(&sql!(
            "INSERT INTO webhook (id, workspace_id, created, updated, name, description, enabled, template, slug, \
             verification, secret, key_id, requests_per_minute) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            id,
            self.workspace(),
            self.now(),
            &create.name,
            create.description.clone(),
            create.enabled,
            &create.template,
            slug,
            sealed.verification.as_ref().map(json),
            sealed.secret,
            sealed.key_id,
            create.requests_per_minute,
        ))
        .await?;
        self.require_webhook(id).await
    }

    fn select_webhooks(&self) -> Sql {
        sql!(format!("SELECT {COLUMNS} FROM webhook WHERE workspace_id = $1"), self.workspace())
    }

    pub async fn read_webhook(&mut self, id: Uuid) -> Result<Option<Webhook>> {
        let mut sql = self.select_webhooks();
        sql.push(" AND id = ").bind(id);
        self.optional(&sql, webhook).await
    }

    async fn require_webhook(&mut self, id: Uuid) -> Result<Webhook> {
        let found = self.read_webhook(id).await?;
        found.ok_or_else(|| Error::Conflict("the webhook was deleted while it was changed".into()))
    }

    /// The webhook of an address, with its secret. Addresses are one over all workspaces.
    pub async fn open_webhook(&mut self, secrets: &Secrets, slug: &str) -> Result<Option<Webhook>> {
        let sql = sql!(format!("SELECT {COLUMNS}, secret, key_id FROM webhook WHERE slug = $1"), slug);
        let found = self
            .optional(&sql, |row| Ok((webhook(row)?, row.next::<Option<Vec<u8>>>()?, row.next::<Option<String>>()?)))
            .await?;
        let Some((mut webhook, Some(sealed), Some(key_id))) = found else {
            return Ok(found.map(|(webhook, ..)| webhook));
        };
        let problem = |_| Error::Corrupt { column: "secret".into(), problem: "it is no text".into() };
        let secret = String::from_utf8(secrets.open(webhook.id, &key_id, &sealed)?).map_err(problem)?;
        webhook.verification = webhook.verification.map(|hidden| hidden.with_secret(&secret));
        Ok(Some(webhook))
    }

    /// By name, and those of one name as they were made.
    pub async fn list_webhooks(&mut self, limit: i64, offset: i64) -> Result<Vec<Webhook>> {
        let mut sql = self.select_webhooks();
        sql.push(" ORDER BY name, id").push_page(limit, offset);
        self.all(&sql, webhook).await
    }

    /// Changes a webhook. A hidden secret leaves the stored one. `None` when there is no such webhook.
    pub async fn update_webhook(
        &mut self,
        secrets: &Secrets,
        id: Uuid,
        update: WebhookUpdate,
    ) -> Result<Option<Webhook>> {
        if self.read_webhook(id).await?.is_none() {
            return Ok(None);
        }
        let mut sql = sql!("UPDATE webhook SET updated = $1", self.now());
        if let Some(name) = update.name.value() {
            sql.push(", name = ").bind(name);
        }
        if let Some(description) = update.description.change() {
            sql.push(", description = ").bind(description);
        }
        if let Some(enabled) = update.enabled.value() {
            sql.push(", enabled = ").bind(enabled);
        }
        if let Some(template) = update.template.value() {
            sql.push(", template = ").bind(template);
        }
        if let Some(limit) = update.requests_per_minute.change() {
            sql.push(", requests_per_minute = ").bind(limit);
        }
        if let Some(verification) = update.verification.change() {
            let keeps = verification.as_ref().and_then(Verification::secret) == Some(HIDDEN_SECRET);
            sql.push(", verification = ")
                .bind(verification.as_ref().map(|shown| json(&shown.clone().with_secret(HIDDEN_SECRET))));
            if !keeps {
                self.require_key(secrets).await?;
                let sealed = Sealed::new(secrets, id, verification)?;
                sql.push(", secret = ").bind(sealed.secret).push(", key_id = ").bind(sealed.key_id);
            }
        }
        sql.push(" WHERE id = ").bind(id);
        self.execute(&sql).await?;
        self.require_webhook(id).await.map(Some)
    }

    /// Gives a webhook another address; the old one is nobody's then.
    pub async fn rotate_webhook(&mut self, id: Uuid, slug: &str) -> Result<Option<Webhook>> {
        let sql = sql!(
            "UPDATE webhook SET updated = $1, slug = $2 WHERE id = $3 AND workspace_id = $4",
            self.now(),
            slug,
            id,
            self.workspace()
        );
        if self.execute(&sql).await? == 0 {
            return Ok(None);
        }
        self.read_webhook(id).await
    }

    /// Answers whether there was such a webhook. Its requests go with it.
    pub async fn delete_webhook(&mut self, id: Uuid) -> Result<bool> {
        let sql = sql!("DELETE FROM webhook WHERE id = $1 AND workspace_id = $2", id, self.workspace());
        Ok(self.execute(&sql).await? > 0)
    }
}
