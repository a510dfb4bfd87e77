//! When to try again, and after how long. Pure but for its one source of jitter.

use std::time::Duration;

use uuid::Uuid;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A server may ask for more patience than we would have, but not for more than this.
const LONGEST_OBEYED: Duration = Duration::from_mins(1);

/// The retry rules of one client.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) max_retries: u32,
    pub(crate) jitter: f64,
    pub(crate) extra_codes: Vec<u16>,
}

impl Policy {
    pub(crate) fn is_retried(&self, status: u16) -> bool {
        matches!(status, 408 | 429 | 502 | 503) || self.extra_codes.contains(&status)
    }

    /// How long to wait before try number `retry` (from 1).
    pub(crate) fn wait(&self, retry: u32, retry_after: Option<&str>, random: f64) -> Duration {
        if let Some(asked) = retry_after.and_then(|text| text.trim().parse::<f64>().ok()) {
            return Duration::try_from_secs_f64(asked).unwrap_or_default().min(LONGEST_OBEYED);
        }
        jittered(backoff(retry), self.jitter, random)
    }
}

/// Doubling from the first wait to the longest.
pub(crate) fn backoff(retry: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << retry.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}

/// `wait`, changed by up to ± `jitter` of itself.
pub(crate) fn jittered(wait: Duration, jitter: f64, random: f64) -> Duration {
    wait.mul_f64((1.0 + jitter.clamp(0.0, 1.0) * (2.0 * random - 1.0)).max(0.0))
}

/// A number in [0, 1).
pub(crate) fn random() -> f64 {
    (Uuid::new_v4().as_u128() >> 75) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let policy = Policy { max_retries: 5, jitter: 0.2, extra_codes: vec![500] };
        let waits: Vec<_> = (1..40).map(|retry| policy.wait(retry, None, 0.5)).collect();
        assert!(waits.is_sorted() && *waits.last().unwrap() == LONGEST_WAIT && waits[0] == FIRST_WAIT);
        assert!(policy.wait(1, None, 0.0) < policy.wait(1, None, 0.999));
    }

    #[test]
    fn a_server_that_names_a_wait_is_obeyed_within_reason() {
        let policy = Policy { max_retries: 5, jitter: 0.2, extra_codes: Vec::new() };
        assert_eq!(policy.wait(1, Some("2.5"), 0.9), Duration::from_millis(2500));
        assert_eq!(policy.wait(1, Some("86400"), 0.9), LONGEST_OBEYED);
        assert_eq!(policy.wait(1, Some("Wed, 21 Oct 2026 07:28:00 GMT"), 0.5), FIRST_WAIT);
    }

    #[test]
    fn only_trouble_on_the_way_is_retried() {
        let policy = Policy { max_retries: 5, jitter: 0.0, extra_codes: vec![500] };
        assert!([408, 429, 500, 502, 503].into_iter().all(|status| policy.is_retried(status)));
        assert!(![400, 401, 404, 409, 422, 423, 501, 504].into_iter().any(|status| policy.is_retried(status)));
    }

    #[test]
    fn random_numbers_stay_in_their_range() {
        assert!((0..1000).map(|_| random()).all(|number| (0.0..1.0).contains(&number)));
    }
}
