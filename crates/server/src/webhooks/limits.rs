//! How many requests a webhook takes: a bucket for genuine ones and a smaller one for the others, so that strangers can
//! neither fill the log nor use up what the sender may send. The count is this server's own.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tidegate_core::time::Timestamp;
use uuid::Uuid;

/// Requests of strangers that are looked at, per minute.
const REFUSED_PER_MINUTE: i64 = 30;

/// Which of a webhook's buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Genuine,
    Refused,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    since: Timestamp,
}

/// The buckets of all webhooks that were used since the start.
#[derive(Default)]
pub struct Limits(Mutex<HashMap<(Uuid, Kind), Bucket>>);

impl Limits {
    /// Takes one of `per_minute`; or says after how many seconds there is one.
    pub fn take(&self, webhook: Uuid, kind: Kind, per_minute: i64, now: Timestamp) -> Result<(), f64> {
        let per_minute = if kind == Kind::Refused { REFUSED_PER_MINUTE.min(per_minute) } else { per_minute };
        let most = per_minute.max(1) as f64;
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry((webhook, kind)).or_insert(Bucket { tokens: most, since: now });
        let grown = now.seconds_since(bucket.since).max(0.0) * most / 60.0;
        *bucket = Bucket { tokens: (bucket.tokens + grown).min(most), since: now };
        if bucket.tokens < 1.0 {
            return Err((1.0 - bucket.tokens) * 60.0 / most);
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Forgets a webhook that is gone.
    pub fn forget(&self, webhook: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, _), _| *id != webhook);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (limits, id) = (Limits::default(), Uuid::from_u128(1));
        let now = Timestamp::from_micros(0).unwrap();
        for _ in 0..60 {
            assert_eq!(limits.take(id, Kind::Genuine, 60, now), Ok(()));
        }
        assert_eq!(limits.take(id, Kind::Genuine, 60, now), Err(1.0));
        assert_eq!(limits.take(id, Kind::Refused, 60, now), Ok(()));
        assert_eq!(limits.take(id, Kind::Genuine, 60, now.plus_seconds(1.0)), Ok(()));
        assert!(limits.take(id, Kind::Genuine, 60, now.plus_seconds(1.0)).is_err());
        limits.forget(id);
        assert_eq!(limits.take(id, Kind::Genuine, 60, now.plus_seconds(1.0)), Ok(()));
    }
}
