//! The life of one run at this worker: prepare, start, watch, obey orders, give account. One task per run; whatever
//! happens in it ends with a report, or with the knowledge that the run is somebody else's.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::json;
use tidegate_api::{
    Patch,
    events::Resource,
    flow_runs::{FlowRun, FlowRunUpdate},
};
use tidegate_core::state::{StateCreate, StateType};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{Instrument, debug, info, info_span, warn};

use super::Worker;
use crate::{
    events::{self, Submitted},
    infrastructure::{Attempt, Exit, Failure, FailureClass, Found, Identifier, Infrastructure, News, Stop},
    job::{self, Facts},
    logs::{Level, WORKER},
    output::Output,
    report::{self, Report},
    runs::Order,
};

/// What is on its way from a run's infrastructure to its log.
const NEWS_QUEUE: usize = 2000;
/// The server is not waited for longer to hear what a run waits for.
const WAITING: Duration = Duration::from_secs(5);
/// How often early output is sent, so that an error at the start is visible quickly.
const EARLY_OUTPUT: Duration = Duration::from_millis(400);
/// How long the process of a run that others have ended may take to end by itself.
const OUTLIVED: Duration = Duration::from_secs(5);
const FIRST_REREAD: Duration = Duration::from_secs(1);
const LAST_REREAD: Duration = Duration::from_secs(15);

type Orders = watch::Receiver<Order>;

impl<I: Infrastructure> Worker<I> {
    pub(super) async fn tend_taken(self: Arc<Self>, run: FlowRun, attempt: Attempt, orders: Orders) {
        let span = info_span!("flow_run", flow_run.id = %attempt.flow_run_id, attempt = attempt.attempt);
        let _release = self.runs.release_at_end(attempt.flow_run_id);
        self.tend_new(&run, &attempt, orders, Instant::now()).instrument(span).await;
    }

    /// What an earlier worker of this name left: a process to watch, or a run that it had not come to start.
    pub(super) async fn tend_found(self: Arc<Self>, found: Found, orders: Orders) {
        let attempt = found.attempt();
        let span = info_span!("flow_run", flow_run.id = %attempt.flow_run_id, attempt = attempt.attempt);
        let _release = self.runs.release_at_end(attempt.flow_run_id);
        match &found {
            Found::Started(attempt, identifier) => {
                self.runs.mark_started(attempt.flow_run_id);
                let output = Output::new(I::TYPE, attempt.flow_run_id, self.client.clone(), self.logs.clone());
                let news = mpsc::channel(NEWS_QUEUE);
                self.watch(attempt, identifier, orders, output, news, None).instrument(span).await;
            }
            Found::NeverStarted(attempt) => {
                self.infrastructure.forget(attempt).await;
                // Only a run that still waits for its start may be started: the lease may have moved on.
                if let Some(run) = self.read(attempt).await.filter(|run| run.state_type == Some(StateType::Pending))
                    && self.is_still_ours(attempt).await
                {
                    self.tend_new(&run, attempt, orders, Instant::now()).instrument(span).await;
                }
            }
        }
    }

    pub(super) async fn is_still_ours(&self, attempt: &Attempt) -> bool {
        let Some(token) = attempt.token else { return true };
        let known = self.client.read_flow_run_infrastructure(attempt.flow_run_id).await;
        known.is_ok_and(|known| known.and_then(|known| known.owner).is_some_and(|owner| owner.token == token))
    }

    async fn tend_new(&self, run: &FlowRun, attempt: &Attempt, orders: Orders, began: Instant) {
        let (sender, news) = mpsc::channel(NEWS_QUEUE);
        let output = Output::new(I::TYPE, run.id, self.client.clone(), self.logs.clone());
        let order = *orders.borrow();
        if order > Order::GoOn {
            let exit = Exit::default();
            return Box::pin(self.account(attempt, &exit, order, output)).await;
        }
        let message = format!("Worker `{}` starts attempt {} of this run.", self.name, attempt.attempt);
        self.logs.write(run.id, WORKER, Level::Info, message);
        // What is short takes no room in the task, which lasts as long as the run.
        match Box::pin(self.start(run, attempt, sender.clone())).await {
            Ok((identifier, submitted)) => {
                self.runs.mark_started(run.id);
                // It lasts without us from here on: the server need not hear of it so often.
                self.claimed.notify_one();
                metrics::counter!(crate::metrics::RUNS_STARTED).increment(1);
                metrics::histogram!(crate::metrics::START_SECONDS).record(began.elapsed().as_secs_f64());
                info!(flow_run.id = %run.id, infrastructure = %identifier, "flow run {} runs as {} {identifier}", run.id, I::TYPE);
                let told = Box::pin(self.tell_identifier(attempt, &identifier));
                tokio::join!(told, Box::pin(self.label(attempt, &identifier)), async {
                    metrics::gauge!(crate::metrics::RUNS_LIVE).increment(1.0);
                    self.watch(attempt, &identifier, orders, output, (sender, news), Some(submitted)).await;
                    metrics::gauge!(crate::metrics::RUNS_LIVE).decrement(1.0);
                });
            }
            Err(failure) => {
                let exit = Exit { failure: Some(failure), ..Exit::default() };
                let order = *orders.borrow();
                Box::pin(self.account(attempt, &exit, order, output)).await;
            }
        }
    }

    async fn start(
        &self,
        run: &FlowRun,
        attempt: &Attempt,
        news: mpsc::Sender<News>,
    ) -> Result<(Identifier, Submitted), Failure> {
        let (spec, related) = self.prepare(run, attempt).await?;
        let submitted = self.events.submitted(related);
        let identifier = self.infrastructure.start(attempt, &spec, news).await?;
        Ok((identifier, submitted))
    }

    /// What a run's infrastructure is to be, and what the run is related to.
    pub(super) async fn prepare(&self, run: &FlowRun, attempt: &Attempt) -> Result<(I::Spec, Vec<Resource>), Failure> {
        let unreadable = |error: tidegate_client::Error| {
            Failure::new(FailureClass::ConfigError, format!("What the run needs could not be read: {error}."))
        };
        let read_deployment = async {
            match run.deployment_id {
                Some(id) => self.client.read_deployment(id).await.map(|deployment| (true, deployment)),
                None => Ok((false, None)),
            }
        };
        let (flow, deployment, pool) =
            tokio::try_join!(self.client.read_flow(run.flow_id), read_deployment, self.pool()).map_err(unreadable)?;
        if let (true, None) = deployment {
            let failure = Failure::new(FailureClass::ConfigError, "The run's deployment does not exist any more.");
            return Err(failure.with_hint("deploy the flow again and start a new run"));
        }
        let facts = Facts {
            flow_run: run,
            flow: flow.as_ref(),
            deployment: deployment.1.as_ref(),
            pool: &pool,
            worker_name: &self.name,
        };
        let job = job::resolve(facts, attempt, &self.caller, &self.client).await?;
        let spec = self.infrastructure.prepare(attempt, &job)?;
        Ok((spec, events::related(run, flow.as_ref(), deployment.1.as_ref(), &pool)))
    }

    /// Says on the run who has it, for filters and for people.
    async fn label(&self, attempt: &Attempt, identifier: &Identifier) {
        let mut labels = json!({ "prefect.worker.name": self.name, "prefect.worker.type": I::TYPE });
        if let Some((name, value)) = self.infrastructure.locality(identifier) {
            labels[name] = value.into();
        }
        if let Ok(pool) = self.pool().await {
            labels["prefect.work-pool.name"] = pool.name.clone().into();
            labels["prefect.work-pool.id"] = pool.id.to_string().into();
        }
        if let Err(error) = self.client.update_flow_run_labels(attempt.flow_run_id, &labels).await {
            warn!(flow_run.id = %attempt.flow_run_id, "flow run {} was not labelled: {error}", attempt.flow_run_id);
        }
    }

    /// Tells how a run's infrastructure ended; for a run that an earlier worker started, its relations are read again.
    async fn tell_executed(
        &self,
        attempt: &Attempt,
        identifier: &Identifier,
        exit: &Exit,
        submitted: Option<Submitted>,
    ) {
        if let Some(Submitted { id, related }) = submitted {
            return self.events.executed(related, Some(id), identifier, exit);
        }
        let related = async {
            let run = self.client.read_flow_run(attempt.flow_run_id).await.ok()??;
            let flow = self.client.read_flow(run.flow_id).await.ok()?;
            let deployment = match run.deployment_id {
                Some(id) => self.client.read_deployment(id).await.ok()?,
                None => None,
            };
            Some(events::related(&run, flow.as_ref(), deployment.as_ref(), &*self.pool().await.ok()?))
        };
        if let Some(related) = related.await {
            self.events.executed(related, None, identifier, exit);
        }
    }

    async fn tell_identifier(&self, attempt: &Attempt, identifier: &Identifier) {
        let infrastructure_pid = Patch::Set(identifier.0.clone());
        let update = FlowRunUpdate { infrastructure_pid, ..FlowRunUpdate::default() };
        if let Err(error) = self.client.update_flow_run(attempt.flow_run_id, &update).await {
            warn!(infrastructure = %identifier, "the server does not know {identifier}: {error}");
        }
    }

    /// Watches an attempt to its end and gives account of it.
    async fn watch(
        &self,
        attempt: &Attempt,
        identifier: &Identifier,
        mut orders: Orders,
        mut output: Output,
        (sender, mut news): (mpsc::Sender<News>, mpsc::Receiver<News>),
        submitted: Option<Submitted>,
    ) {
        let mut watching = std::pin::pin!(self.infrastructure.watch(identifier, sender));
        let mut early = interval(EARLY_OUTPUT);
        early.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut obeyed = Order::GoOn;
        let mut patience = std::pin::pin!(sleep(self.options.process_grace));
        let exit = loop {
            let order = *orders.borrow_and_update();
            if order > obeyed {
                obeyed = order;
                let grace = self.options.process_grace;
                match order {
                    Order::Over => patience.as_mut().reset(Instant::now() + grace),
                    Order::Outlived => patience.as_mut().reset(Instant::now() + grace.min(OUTLIVED)),
                    other => Box::pin(self.obey(attempt, identifier, other)).await,
                }
            }
            tokio::select! {
                exit = &mut watching => break exit,
                // Killed without a word: a polite signal would only make it report on a run that is over.
                () = &mut patience, if matches!(obeyed, Order::Over | Order::Outlived) => {
                    obeyed = Order::Lose;
                    self.obey(attempt, identifier, obeyed).await;
                }
                Ok(()) = orders.changed() => {}
                Some(told) = news.recv() => Box::pin(self.pass_on(attempt, told, &mut output)).await,
                _ = early.tick(), if output.has_early_lines() => Box::pin(output.send_early()).await,
            }
        };
        while let Ok(told) = news.try_recv() {
            Box::pin(self.pass_on(attempt, told, &mut output)).await;
        }
        // Its end is what matters; who watches may hear of it a moment later.
        tokio::join!(
            Box::pin(self.account(attempt, &exit, obeyed, output)),
            Box::pin(self.tell_executed(attempt, identifier, &exit, submitted))
        );
    }

    async fn pass_on(&self, attempt: &Attempt, news: News, output: &mut Output) {
        match news {
            News::Line(line) => output.push(line),
            News::Note { level, message } => self.logs.write(attempt.flow_run_id, WORKER, level, message),
            News::Waiting(reason) => self.tell_waiting(attempt, reason).await,
            News::Event(event) => self.events.forward(*event),
        }
    }

    /// Says what a run waits for. One that has begun meanwhile is not asked back.
    async fn tell_waiting(&self, attempt: &Attempt, reason: String) {
        let name = Some("InfrastructurePending".to_owned());
        let waiting = StateCreate { name, message: Some(reason), ..StateCreate::of(StateType::Pending) };
        let told = self.client.set_flow_run_state(attempt.flow_run_id, waiting, false);
        if let Ok(Err(error)) = timeout(WAITING, told).await {
            debug!(flow_run.id = %attempt.flow_run_id, "what flow run {} waits for was not told: {error}", attempt.flow_run_id);
        }
    }

    async fn obey(&self, attempt: &Attempt, identifier: &Identifier, order: Order) {
        let grace = self.options.process_grace;
        let (stop, grace, words) = match order {
            Order::GoOn | Order::Over | Order::Outlived => return,
            Order::Cancel => (Stop::Cancel, grace, "is being cancelled"),
            Order::Shutdown => (Stop::Shutdown, grace, "is stopped because its worker goes away"),
            Order::Lose => (Stop::Shutdown, Duration::ZERO, "is killed: it is over, or not this worker's any more"),
            Order::Kill => (Stop::Shutdown, Duration::ZERO, "is killed because its worker goes away at once"),
        };
        let id = attempt.flow_run_id;
        info!(flow_run.id = %id, infrastructure = %identifier, "flow run {id} {words}");
        if order != Order::Lose {
            self.logs.write(id, WORKER, Level::Info, format!("This run {words}."));
        }
        self.infrastructure.kill(identifier, stop, grace).await;
    }

    /// Reports on an end, and only then forgets it: a worker that dies in between reports again.
    async fn account(&self, attempt: &Attempt, exit: &Exit, order: Order, mut output: Output) {
        let class = exit.failure.as_ref().map_or("none", |failure| failure.class.as_str());
        metrics::counter!(crate::metrics::RUNS_ENDED, "class" => class).increment(1);
        if let Some(run) = self.read(attempt).await {
            let report = report::decide(exit, order, &run);
            if let Some(failure) = report.failure() {
                output.send_last(&exit.tail).await;
                self.logs.write(attempt.flow_run_id, WORKER, Level::Error, failure.to_string());
            }
            let count = match report {
                Report::Nothing if matches!(order, Order::GoOn | Order::Over) && exit.failure.is_none() => {
                    &self.tally.succeeded
                }
                _ => &self.tally.failed,
            };
            count.fetch_add(1, Ordering::Relaxed);
            let is_taken = report::deliver(&self.client, attempt, &report).await;
            if let Report::TriedAgain(_, retry) = &report
                && is_taken
            {
                self.logs.write(attempt.flow_run_id, WORKER, Level::Warning, retry.message.clone());
            }
        }
        self.infrastructure.forget(attempt).await;
    }

    /// The run as the server knows it now; `None` if it was deleted.
    async fn read(&self, attempt: &Attempt) -> Option<FlowRun> {
        let mut wait = FIRST_REREAD;
        loop {
            match self.client.read_flow_run(attempt.flow_run_id).await {
                Ok(run) => return run,
                Err(error) => {
                    warn!(flow_run.id = %attempt.flow_run_id, "flow run {} could not be read: {error}", attempt.flow_run_id);
                    sleep(wait).await;
                    wait = (wait * 2).min(LAST_REREAD);
                }
            }
        }
    }
}
