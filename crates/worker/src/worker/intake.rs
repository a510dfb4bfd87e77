//! Taking a run in: from either kind of server, a run becomes a held attempt with a task of its own. Also the one round
//! of a worker that runs once.

use std::sync::{Arc, atomic::Ordering};

use tidegate_api::flow_runs::FlowRun;
use tracing::debug;

use super::{Dispatch, Worker};
use crate::{
    clock::now,
    infrastructure::{Attempt, Infrastructure},
};

impl<I: Infrastructure> Worker<I> {
    /// How many more runs may be taken now.
    pub(super) fn free(&self) -> usize {
        if self.draining.is_cancelled() {
            return 0;
        }
        room(self.options.submission_limit, self.runs.starting())
            .min(self.options.limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.runs.len())))
    }

    pub(super) fn work_queues(&self) -> Option<Vec<String>> {
        (!self.options.work_queues.is_empty()).then(|| self.options.work_queues.clone())
    }

    /// Starts working on a run that the server has given us.
    pub(super) fn take(self: &Arc<Self>, run: FlowRun, attempt: i64, token: Option<i64>, source: &'static str) {
        let attempt = Attempt { flow_run_id: run.id, flow_run_name: run.name.clone(), attempt, token, owner: None };
        let Some(orders) = self.runs.hold(&attempt) else {
            if self.runs.holds_older(&attempt) {
                let worker = Arc::clone(self);
                self.tasks.spawn(async move { worker.take_after_older(run, attempt, source).await });
            } else {
                debug!(flow_run.id = %run.id, "flow run {} is held already", run.id);
            }
            return;
        };
        self.tally.taken.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(crate::metrics::RUNS_TAKEN, "source" => source).increment(1);
        if let Some(due) = run.next_scheduled_start_time.or(run.expected_start_time) {
            metrics::histogram!(crate::metrics::LATENESS_SECONDS).record(now().seconds_since(due).max(0.0));
        }
        let worker = Arc::clone(self);
        self.tasks.spawn(async move { worker.tend_taken(run, attempt, orders).await });
    }

    /// A run that came back to us while the process of its earlier attempt is still on its way out, as a suspended run does
    /// that is resumed at once: its turn comes when that process is gone.
    async fn take_after_older(self: Arc<Self>, run: FlowRun, attempt: Attempt, source: &'static str) {
        self.runs.released(run.id).await;
        // A worker that goes away leaves it to the lease, which ends by itself and makes the run due again.
        if !self.draining.is_cancelled() && self.is_still_ours(&attempt).await {
            self.take(run, attempt.attempt, attempt.token, source);
        }
    }

    /// One round of taking, and the wait for what was taken.
    pub(super) async fn take_once(self: &Arc<Self>, dispatch: Dispatch) -> anyhow::Result<()> {
        match dispatch {
            Dispatch::Claim => self.claim(0.0).await.map(drop)?,
            Dispatch::Poll => self.poll().await?,
        }
        tokio::select! {
            () = self.runs.emptied() => {}
            () = self.drain() => {}
        }
        Ok(())
    }
}

/// How many more runs may be on their way. Nothing until half of the places are free: in a crowd, a question for each place
/// would cost more than it brings.
fn room(limit: usize, starting: usize) -> usize {
    if starting > limit / 2 { 0 } else { limit.saturating_sub(starting) }
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn places_are_filled_when_half_of_them_are_free() {
        for (limit, starting, expected) in
            [(100, 0, 100), (100, 50, 50), (100, 51, 0), (100, 100, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1), (3, 2, 0)]
        {
            assert_eq!(room(limit, starting), expected, "{starting} of {limit}");
        }
    }
}
