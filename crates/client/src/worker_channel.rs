//! What a worker says to the server all the time: I am here, give me work, I still hold it. Claims and leases exist on
//! Tidegate servers only; elsewhere they answer [`crate::Error::is_unknown_operation`].

use std::time::Duration;

use serde_json::json;
use tidegate_api::orchestration::{ClaimRequest, ClaimResponse, RenewRequest, RenewResponse};

use crate::{
    Client, Method, Result,
    http::{Patience, encode},
    work_pools::path,
};

/// What a long-poll may take beyond the wait that was asked for.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// A renewal that takes longer than this is better tried again.
const RENEWAL_TIME: Duration = Duration::from_secs(8);

impl Client {
    pub async fn send_worker_heartbeat(&self, pool: &str, worker: &str, interval: Duration) -> Result<()> {
        let body = json!({"name": worker, "heartbeat_interval_seconds": interval.as_secs().max(1)});
        self.tell(Method::POST, &format!("{}/workers/heartbeat", path(pool)), &body).await
    }

    /// Waits for due runs (and for cancellations) and takes them. Not retried: a claim whose answer was lost is given
    /// back by its lease, and asking again is the caller's loop anyway.
    pub async fn claim_flow_runs(&self, pool: &str, claim: &ClaimRequest) -> Result<ClaimResponse> {
        let wait = Duration::try_from_secs_f64(claim.wait_seconds).unwrap_or_default();
        let patience = Patience { timeout: wait + ANSWER_TIME, max_retries: 0 };
        let path = format!("{}/claim", path(pool));
        self.request_with(patience, Method::POST, &path, Some(encode(claim))).await?.json()
    }

    /// Says that runs are alive. Not retried: the caller renews again long before the lease ends.
    pub async fn renew_leases(&self, pool: &str, renewal: &RenewRequest) -> Result<RenewResponse> {
        let patience = Patience { timeout: RENEWAL_TIME, max_retries: 0 };
        let path = format!("{}/leases/renew", path(pool));
        self.request_with(patience, Method::POST, &path, Some(encode(renewal))).await?.json()
    }
}
