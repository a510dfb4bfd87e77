//! A clock that moves only when told.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use tidegate_core::time::Timestamp;

#[derive(Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Begins at a round time in 2030.
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_900_000_000_000_000)))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}
