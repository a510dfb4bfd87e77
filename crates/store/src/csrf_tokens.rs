//! CSRF tokens in the store: one for each client, until it expires.

use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{Result, Tx, sql};

/// A token as it is stored.
#[derive(Clone, Debug)]
pub struct CsrfToken {
    pub id: Uuid,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub token: String,
    pub client: String,
    pub expiration: Timestamp,
}

impl Tx {
    /// Gives a client a token in place of the one it had, and forgets those that have expired.
    pub async fn put_csrf_token(&mut self, client: &str, token: &str, seconds: f64) -> Result<CsrfToken> {
        let (now, expiration) = (self.now(), self.now().plus_seconds(seconds));
        self.execute(&sql!("DELETE FROM csrf_token WHERE expiration < $1", now)).await?;
        self.execute(&sql!(
            "INSERT INTO csrf_token (client, id, created, updated, token, expiration) VALUES ($1, $2, $3, $3, $4, $5) \
             ON CONFLICT (client) DO UPDATE SET updated = excluded.updated, token = excluded.token, \
             expiration = excluded.expiration",
            client,
            Uuid::now_v7(),
            now,
            token,
            expiration,
        ))
        .await?;
        let sql = sql!("SELECT id, created, updated, token, expiration FROM csrf_token WHERE client = $1", client);
        self.one(&sql, |row| {
            Ok(CsrfToken {
                id: row.next()?,
                created: row.next()?,
                updated: row.next()?,
                token: row.next()?,
                client: client.to_owned(),
                expiration: row.next()?,
            })
        })
        .await
    }

    /// The token that a client has to send, if it has one that is still good.
    pub async fn read_csrf_token(&mut self, client: &str) -> Result<Option<String>> {
        let sql = sql!("SELECT token FROM csrf_token WHERE client = $1 AND expiration > $2", client, self.now());
        self.optional(&sql, |row| row.next()).await
    }
}
