//! A limit to the work of one statement.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::Result;

/// How many steps of SQLite's machine pass between two looks at the limit.
const STRIDE: i32 = 1_000;

/// Counts the steps of a reader's statements, and stops the one that takes more than it may.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    taken: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Steps {
    pub(crate) fn watch(connection: &rusqlite::Connection) -> Result<Self> {
        let steps = Self { taken: Arc::default(), most: Arc::new(AtomicU64::new(u64::MAX)) };
        let Self { taken, most } = steps.clone();
        let handler = move || taken.fetch_add(STRIDE as u64, Relaxed) + STRIDE as u64 > most.load(Relaxed);
        connection.progress_handler(STRIDE, Some(handler))?;
        Ok(steps)
    }

    /// What follows may take so many steps; a statement that takes more fails.
    pub(super) fn begin(&self, most: u64) {
        self.taken.store(0, Relaxed);
        self.most.store(most, Relaxed);
    }

    /// Ends the limit. Answers how many steps were taken.
    pub(super) fn end(&self) -> u64 {
        self.most.store(u64::MAX, Relaxed);
        self.taken.load(Relaxed)
    }
}
