//! Where a list starts and how long it is.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Client, Result};

/// A part of a list: the server allows at most 200 rows at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: i64,
    pub offset: i64,
}

impl Page {
    pub const LARGEST: i64 = 200;

    /// The first `limit` rows.
    pub fn first(limit: i64) -> Self {
        Self { limit, offset: 0 }
    }

    /// The page after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self { offset: self.offset + self.limit, ..self }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(Self::LARGEST)
    }
}

/// A list request's body.
#[derive(Serialize)]
struct Listing<'a, Filters, Sort> {
    #[serde(flatten)]
    filters: &'a Filters,
    #[serde(skip_serializing_if = "Option::is_none")]
    sort: Option<Sort>,
    limit: i64,
    offset: i64,
}

/// The order of lists that have none to choose.
pub(crate) const UNSORTED: Option<()> = None;

impl Client {
    /// One page of `POST …/filter`. `filters` is the object that the body's other keys join.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &impl Serialize,
        sort: Option<impl Serialize>,
        page: Page,
    ) -> Result<Vec<T>> {
        self.post(path, &Listing { filters, sort, limit: page.limit, offset: page.offset }).await
    }
}
