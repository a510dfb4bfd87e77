//! CSRF tokens, for servers that ask for them. A server that has the protection off says so once.

use serde::Deserialize;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{Client, Method, Result};

/// This client's token, fetched when first needed.
#[derive(Debug)]
pub(crate) struct Csrf {
    client_id: String,
    token: Mutex<Token>,
}

#[derive(Debug)]
enum Token {
    Unknown,
    NotNeeded,
    Known(String),
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

impl Csrf {
    pub(crate) fn new() -> Self {
        Self { client_id: Uuid::new_v4().to_string(), token: Mutex::new(Token::Unknown) }
    }

    /// The headers of a request that changes something.
    pub(crate) async fn headers(&self, client: &Client) -> Result<Vec<(&'static str, String)>> {
        let mut token = self.token.lock().await;
        if matches!(*token, Token::Unknown) {
            *token = self.fetch(client).await?;
        }
        Ok(match &*token {
            Token::Known(token) => {
                vec![("Prefect-Csrf-Token", token.clone()), ("Prefect-Csrf-Client", self.client_id.clone())]
            }
            Token::Unknown | Token::NotNeeded => Vec::new(),
        })
    }

    /// The server refused the token: fetch another before the next request.
    pub(crate) async fn forget(&self) {
        *self.token.lock().await = Token::Unknown;
    }

    async fn fetch(&self, client: &Client) -> Result<Token> {
        let path = format!("/csrf-token?client={}", self.client_id);
        match client.request(Method::GET, &path, None).await {
            Ok(response) => Ok(Token::Known(response.json::<Answer>()?.token)),
            // 422 is "protection is off"; the others are servers without it.
            Err(error) if error.status() == Some(422) || error.is_unknown_operation() => Ok(Token::NotNeeded),
            Err(error) => Err(error),
        }
    }
}
