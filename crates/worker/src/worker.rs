//! One worker: takes runs, keeps them, gives account of them. This file wires the loops together; each has its own file.

mod claim;
mod elsewhere;
mod heartbeat;
mod intake;
mod leases;
mod poll;
mod pool;
mod sweep;
mod tend;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tidegate_client::Client;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use self::pool::Pool;
pub(crate) use self::pool::whole;
use crate::{
    Options, Outcome,
    clock::now,
    events::Events,
    health::Health,
    home::Home,
    infrastructure::{Found, Infrastructure},
    job::Caller,
    logs::Logs,
    runs::{Order, Runs},
};

/// How long reports may take after the runs were killed at the very end.
const LAST_REPORTS: Duration = Duration::from_secs(15);
/// How long starts in hand may take when the worker goes away and its runs stay.
const LAST_STARTS: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What all loops of a worker share.
pub(crate) struct Worker<I> {
    pub(crate) options: Options,
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) infrastructure: I,
    pub(crate) caller: Caller,
    pub(crate) pool: Pool,
    pub(crate) runs: Runs,
    pub(crate) logs: Logs,
    pub(crate) events: Events,
    pub(crate) health: Health,
    /// Runs were claimed: their leases are short until they are renewed.
    pub(crate) claimed: Notify,
    pub(crate) tally: Tally,
    /// One task per run, and whatever must end before the worker does.
    pub(crate) tasks: TaskTracker,
    /// No more runs are taken.
    pub(crate) draining: CancellationToken,
}

/// Counts for the [`Outcome`].
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) taken: AtomicU64,
    pub(crate) adopted: AtomicU64,
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl Tally {
    fn outcome(&self) -> Outcome {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Outcome {
            taken: read(&self.taken),
            adopted: read(&self.adopted),
            succeeded: read(&self.succeeded),
            failed: read(&self.failed),
        }
    }
}

/// What the server can do for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dispatch {
    /// It hands runs over, with leases.
    Claim,
    /// It must be asked again and again.
    Poll,
}

impl<I: Infrastructure> Worker<I> {
    pub(crate) fn new(
        options: Options,
        home: &Home,
        client: Client,
        infrastructure: I,
        health: Health,
        draining: CancellationToken,
    ) -> Self {
        // They end with the worker; what they hold is flushed before that.
        let senders = TaskTracker::new();
        Self {
            name: home.name.clone(),
            caller: Caller::new(options.environment.clone(), &client),
            pool: Pool::default(),
            runs: Runs::default(),
            logs: Logs::spawn(client.clone(), Arc::new(now), &senders),
            events: Events::spawn(client.clone(), &senders, I::TYPE, &home.name),
            health,
            claimed: Notify::new(),
            tally: Tally::default(),
            tasks: TaskTracker::new(),
            draining,
            infrastructure,
            client,
            options,
        }
    }

    /// Works until the shutdown is asked for and the runs are gone.
    pub(crate) async fn run(self: Arc<Self>) -> anyhow::Result<Outcome> {
        let Some(dispatch) = self.reach_server().await? else { return Ok(self.tally.outcome()) };
        let pool = self.pool().await.context("reading the work pool")?;
        let found = self.infrastructure.find(&pool).await.context("looking for what an earlier worker left")?;
        // Leases are renewed from the first moment on, before anything else can take time.
        for found in found {
            self.take_back(found);
        }
        let stopped = CancellationToken::new();
        let loops = TaskTracker::new();
        let spawn_loop = |kind: Loop| {
            let (worker, stopped) = (Arc::clone(&self), stopped.clone());
            loops.spawn(async move { stopped.run_until_cancelled(Box::pin(worker.run_loop(kind))).await });
        };
        if dispatch == Dispatch::Claim {
            spawn_loop(Loop::Leases);
            if I::OUTLIVES.is_some() {
                spawn_loop(Loop::Sweep);
            }
        }
        spawn_loop(Loop::Elsewhere);
        self.beat().await;
        let present = self.pool().await.ok().map(|pool| (self.events.started(&pool), pool));
        spawn_loop(Loop::Heartbeat);
        let (pool, name) = (&self.options.pool, &self.name);
        info!(worker.name = name, work_pool.name = pool, ?dispatch, "worker {name} serves the work pool {pool}");
        if self.options.run_once {
            self.take_once(dispatch).await?;
        } else {
            spawn_loop(if dispatch == Dispatch::Claim { Loop::Claim } else { Loop::Poll });
            self.drain().await;
        }
        // Runs that could not be reported on stay in the journal; their tasks end with the program.
        if self.runs.len() == 0 {
            self.tasks.close();
            self.tasks.wait().await;
        }
        if let Some((started, pool)) = present {
            self.events.stopped(&pool, started);
        }
        let _ = timeout(LAST_REPORTS, async { tokio::join!(self.logs.flush(), self.events.flush()) }).await;
        stopped.cancel();
        loops.close();
        loops.wait().await;
        info!(worker.name = name, "worker {name} has ended");
        Ok(self.tally.outcome())
    }

    async fn run_loop(self: Arc<Self>, kind: Loop) {
        match kind {
            Loop::Leases => self.renew_leases().await,
            Loop::Sweep => self.sweep().await,
            Loop::Elsewhere => self.find_elsewhere().await,
            Loop::Heartbeat => self.send_heartbeats().await,
            Loop::Claim => self.claim_runs().await,
            Loop::Poll => self.poll_runs().await,
        }
    }

    /// Waits for the server, makes sure of the pool, and finds out what the server can do. `None`: told to stop first.
    async fn reach_server(&self) -> anyhow::Result<Option<Dispatch>> {
        let mut wait = FIRST_RETRY;
        loop {
            let reached = async {
                let is_ours = self.client.read_tidegate_version().await?.is_some();
                self.ensure_pool().await?;
                anyhow::Ok(if is_ours { Dispatch::Claim } else { Dispatch::Poll })
            };
            match reached.await {
                Ok(dispatch) => return Ok(Some(dispatch)),
                Err(error) if is_transient(&error) => warn!("the server cannot be reached yet: {error:#}"),
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(LAST_RETRY),
                () = self.draining.cancelled() => return Ok(None),
            }
        }
    }

    pub(super) fn take_back(self: &Arc<Self>, found: Found) {
        let attempt = found.attempt();
        let id = attempt.flow_run_id;
        let Some(orders) = self.runs.hold(attempt) else { return };
        self.tally.adopted.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(crate::metrics::RUNS_ADOPTED).increment(1);
        info!(flow_run.id = %id, "flow run {id} was left by an earlier worker and is taken back");
        let worker = Arc::clone(self);
        self.tasks.spawn(async move { worker.tend_found(found, orders).await });
    }

    /// Waits for the shutdown, and then for the runs: politely, then firmly, then by force.
    async fn drain(&self) {
        self.draining.cancelled().await;
        if I::OUTLIVES.is_some() {
            // The runs go on without us; only what is being started is finished, so that nobody wonders what became of it.
            let _ = timeout(LAST_STARTS, self.runs.all_started()).await;
            return info!(runs = self.runs.len(), "{} runs go on without this worker", self.runs.len());
        }
        let (count, grace) = (self.runs.len(), self.options.drain_grace);
        if count > 0 {
            info!(runs = count, grace_seconds = grace.as_secs_f64(), "waiting for {count} runs to end");
        }
        let hard = &self.options.hard_stop;
        if hard.run_until_cancelled(timeout(grace, self.runs.emptied())).await.is_some_and(|ended| ended.is_ok()) {
            return;
        }
        self.runs.order_all(Order::Shutdown);
        let ending = timeout(self.options.process_grace + LAST_REPORTS, self.runs.emptied());
        if hard.run_until_cancelled(ending).await.is_some_and(|ended| ended.is_ok()) {
            return;
        }
        self.runs.order_all(Order::Kill);
        if timeout(LAST_REPORTS, self.runs.emptied()).await.is_err() {
            warn!(
                runs = self.runs.len(),
                "some runs could not be reported on; the next worker of this name will do it"
            );
        }
    }
}

#[derive(Clone, Copy)]
enum Loop {
    Leases,
    Sweep,
    /// Ends when it has looked everywhere.
    Elsewhere,
    Heartbeat,
    Claim,
    Poll,
}

fn is_transient(error: &anyhow::Error) -> bool {
    error.downcast_ref::<tidegate_client::Error>().is_some_and(tidegate_client::Error::is_transient)
}
