//! Waiting for something to become true. A deadline is far longer than anything takes, so that a loaded machine fails no
//! test; nothing waits for a fixed time.

use std::time::Duration;

const DEADLINE: Duration = Duration::from_mins(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Asks again and again until there is an answer.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    within(what, asking).await
}

/// Waits for one thing that must happen.
pub async fn within<T>(what: &str, happening: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(DEADLINE, happening).await;
    in_time.unwrap_or_else(|_| panic!("{what} did not happen within {DEADLINE:?}"))
}
