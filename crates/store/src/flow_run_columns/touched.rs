//! What the writer changes, as SQLite tells it: also rows that go or change because others go.

use std::sync::{Arc, Mutex, PoisonError};

use crate::Result;

/// The numbers of the flow runs that the present transaction of the writer has touched.
#[derive(Clone, Default)]
pub(crate) struct Touched(Arc<Mutex<Vec<i64>>>);

impl Touched {
    pub(crate) fn watch(connection: &rusqlite::Connection) -> Result<Self> {
        let touched = Self::default();
        let Self(rows) = touched.clone();
        connection.update_hook(Some(move |_, _: &str, table: &str, rowid| {
            if table == "flow_run" {
                rows.lock().unwrap_or_else(PoisonError::into_inner).push(rowid);
            }
        }))?;
        Ok(touched)
    }

    /// Those of the transaction that has ended.
    pub(crate) fn take(&self) -> Vec<i64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
