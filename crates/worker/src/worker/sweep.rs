//! The loop that sees to what nobody sees to: infrastructure whose worker went silent is taken over before the server gives
//! its run up, and infrastructure whose run is over, or is another attempt's, is removed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tidegate_core::state::StateType;
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

use super::Worker;
use crate::{
    clock::now,
    infrastructure::{Attempt, Found, Identifier, Infrastructure, Stray},
};

/// Between two looks, give or take a quarter: replicas are not to look at the same time.
const PERIOD: Duration = Duration::from_secs(20);
/// A worker that lives renews in less.
const SILENCE: Duration = Duration::from_secs(45);
/// How long the infrastructure of a run that is over may take to end by itself.
const LAST_WORDS: Duration = Duration::from_mins(1);
/// A second thought this late is a first one. Surveys need not name everything each time.
const FORGOTTEN: Duration = Duration::from_mins(10);

enum Fate {
    /// Somebody sees to it.
    Leave,
    /// Nobody does, and its run goes on.
    Adopt,
    /// Nobody will ever want it.
    Discard,
}

impl<I: Infrastructure> Worker<I> {
    /// Looks again and again. Removal waits for the second thought: a run that has just ended may still say goodbye.
    pub(super) async fn sweep(self: &Arc<Self>) {
        let mut unwanted: HashMap<Identifier, Instant> = HashMap::new();
        let mut over: HashSet<Identifier> = HashSet::new();
        loop {
            let random = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
            sleep(PERIOD.mul_f64(0.75 + random / 2.0)).await;
            unwanted.retain(|_, since| since.elapsed() < FORGOTTEN);
            let strays = self.infrastructure.survey();
            over.retain(|identifier| strays.iter().any(|stray| stray.identifier == *identifier));
            for Stray { attempt, identifier, has_ended } in strays {
                if over.contains(&identifier) {
                    continue;
                }
                if self.runs.contains(attempt.flow_run_id) && !self.runs.holds_newer(&attempt) {
                    continue;
                }
                match self.fate(&attempt).await {
                    Fate::Leave => drop(unwanted.remove(&identifier)),
                    Fate::Adopt => self.take_over(attempt, identifier).await,
                    // What has ended by itself stays as long as its own time says.
                    Fate::Discard if has_ended => drop(over.insert(identifier)),
                    Fate::Discard => {
                        let since = *unwanted.entry(identifier.clone()).or_insert_with(Instant::now);
                        if since.elapsed() >= LAST_WORDS {
                            info!(infrastructure = %identifier, flow_run.id = %attempt.flow_run_id, "{identifier} belongs to no run any more and is removed");
                            self.infrastructure.discard(&identifier).await;
                            unwanted.remove(&identifier);
                        }
                    }
                }
            }
        }
    }

    async fn fate(&self, attempt: &Attempt) -> Fate {
        let known = match self.client.read_flow_run_infrastructure(attempt.flow_run_id).await {
            Ok(Some(known)) => known,
            Ok(None) => return Fate::Discard,
            Err(error) => {
                debug!(flow_run.id = %attempt.flow_run_id, "whose flow run {} is could not be read: {error}", attempt.flow_run_id);
                return Fate::Leave;
            }
        };
        match known.owner {
            Some(owner) if Some(owner.token) == attempt.token => {
                let lease = self.options.lease.max(I::OUTLIVES.unwrap_or_default());
                let believed = lease.saturating_sub(SILENCE.min(lease / 2));
                let left = owner.deadline.seconds_since(now());
                if left < believed.as_secs_f64() { Fate::Adopt } else { Fate::Leave }
            }
            Some(_) => Fate::Discard,
            None => match self.client.read_flow_run(attempt.flow_run_id).await {
                Ok(Some(run)) if run.state_type.is_some_and(StateType::is_terminal) => Fate::Discard,
                Ok(None) => Fate::Discard,
                // Scheduled again, paused, or at a server without leases.
                _ => Fate::Leave,
            },
        }
    }

    async fn take_over(self: &Arc<Self>, attempt: Attempt, identifier: Identifier) {
        if self.infrastructure.adopt(&attempt, &identifier).await {
            self.take_back(Found::Started(attempt, identifier));
            self.claimed.notify_one();
        }
    }
}
