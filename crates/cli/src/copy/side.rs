//! One of both servers, spoken to in plain JSON, so that fields of newer servers are carried along.

use anyhow::Context;
use serde_json::{Map, Value};
use tidegate_client::{Client, Method, Page};

use crate::commands::lookup;

pub struct Side<'a>(pub &'a Client);

impl Side<'_> {
    /// All items of `POST …/filter`; `filter` is an object that the body's other keys join, or null.
    pub async fn every(&self, path: &str, filter: &Value) -> anyhow::Result<Vec<Value>> {
        lookup::every(None, async |page| self.page(path, filter, page).await).await
    }

    /// One page of what [`Self::every`] reads.
    pub async fn page(&self, path: &str, filter: &Value, page: Page) -> tidegate_client::Result<Vec<Value>> {
        let mut body = filter.as_object().cloned().unwrap_or_default();
        body.insert("limit".to_owned(), page.limit.into());
        body.insert("offset".to_owned(), page.offset.into());
        self.0.request(Method::POST, path, Some(Value::Object(body).to_string().into())).await?.json()
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(self.0.request(Method::POST, path, Some(body.to_string().into())).await?.json()?)
    }

    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(self.0.request(Method::PUT, path, Some(body.to_string().into())).await?.json()?)
    }

    /// As `post`, of what the server knows by its content: also whether it was there.
    pub async fn post_once(&self, path: &str, body: &Value) -> anyhow::Result<(Value, bool)> {
        let response = self.0.request(Method::POST, path, Some(body.to_string().into())).await?;
        Ok((response.json()?, response.status == 200))
    }

    pub async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        self.0.request(Method::PATCH, path, Some(body.to_string().into())).await?;
        Ok(())
    }

    /// Absence is an answer.
    pub async fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        match self.0.request(Method::GET, path, None).await {
            Ok(response) => Ok(Some(response.json()?)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// These fields of an item, those that it has and that say something.
pub fn only(item: &Value, fields: &[&str]) -> Value {
    let said = |field: &&str| item.get(*field).filter(|value| !value.is_null()).cloned();
    Value::Object(fields.iter().filter_map(|field| Some(((*field).to_owned(), said(field)?))).collect::<Map<_, _>>())
}

/// A field that a thing cannot be without.
pub fn text<'v>(item: &'v Value, field: &str) -> anyhow::Result<&'v str> {
    item[field].as_str().with_context(|| format!("the source tells no `{field}`"))
}
