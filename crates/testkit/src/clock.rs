//! A clock that moves only when told.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use tidegate_core::time::Timestamp;

/// Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Begins at a round time in 2030, a Sunday evening.
    #[expect(clippy::new_without_default, reason = "where it begins is worth a name")]
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_900_000_000_000_000)))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// The clock as stores and servers take it.
    pub fn shared(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}
