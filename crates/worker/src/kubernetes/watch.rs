//! Watching one run's Job to its end: what is seen becomes news, patience with what keeps it ends, and only a terminal
//! condition, or the worker's own decision to end it, is an end.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, sleep_until},
};

use super::{
    Live,
    board::Snapshot,
    cluster::jittered,
    kill,
    logs::Follower,
    options::Options,
    policy::{Policy, seconds},
    seal,
    selector::Selector,
    tell::Teller,
    verdict::{self, Hindrance, Phase},
};
use crate::{
    clock::now,
    infrastructure::{Exit, Failure, FailureClass, Level, News},
    job::as_text,
    lock::lock,
};

/// The variable's default in the reference, where it does nothing; nobody who leaves it means a minute.
const UNCHOSEN: i64 = 60;
const LIMITS: &str = "tidegate.io/limits";
/// Warnings in the first moments of a pod are seldom what keeps it.
const BELIEVED: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_secs(1);
/// Between two looks at a Job that cannot be looked at.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What the job says about waiting and output. Kept on the Job for the worker that may come after us.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    /// For all of the Job, in seconds.
    job: Option<i64>,
    /// For a pod that cannot start, in seconds; `None`: as long as its reason deserves.
    pod: Option<i64>,
    stream: bool,
    policy: Policy,
}

impl Limits {
    /// Whether what the job says can be understood.
    pub(crate) fn check(configuration: &Map<String, Value>) -> Result<(), Failure> {
        let is_seconds = |value: &Value| {
            value.is_i64() || value.is_u64() || value.as_str().is_some_and(|text| text.trim().parse::<i64>().is_ok())
        };
        let flags = ["true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n"];
        let is_flag = |value: &Value| {
            value.is_boolean()
                || matches!(value.as_i64(), Some(0 | 1))
                || value.as_str().is_some_and(|text| flags.contains(&text.to_lowercase().as_str()))
        };
        for (key, is_valid, wanted) in [
            (
                "job_watch_timeout_seconds",
                (&|value: &Value| value.is_null() || is_seconds(value)) as &dyn Fn(&Value) -> bool,
                "a whole number",
            ),
            ("pod_watch_timeout_seconds", &is_seconds, "a whole number"),
            ("stream_output", &is_flag, "true or false"),
        ] {
            if configuration.get(key).is_some_and(|value| !is_valid(value)) {
                let message = format!("The job variable `{key}` is not {wanted}.");
                return Err(Failure::new(FailureClass::ConfigError, message).with_hint("correct it, or leave it away"));
            }
        }
        Ok(())
    }

    pub(crate) fn of(configuration: &Map<String, Value>) -> Result<Self, Failure> {
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
        let seconds = |key: &str| configuration.get(key).and_then(number).filter(|seconds| *seconds > 0);
        Ok(Self {
            policy: Policy::parse(configuration.get("failure_policy"))?,
            job: seconds("job_watch_timeout_seconds"),
            pod: seconds("pod_watch_timeout_seconds").filter(|seconds| *seconds != UNCHOSEN),
            stream: !matches!(
                configuration.get("stream_output").map(|value| as_text(value).to_lowercase()).as_deref(),
                Some("false" | "0" | "no" | "off" | "f" | "n")
            ),
        })
    }

    pub(crate) fn write(&self, job: &mut Value) {
        let memory = &job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"];
        let limits = json!({ "job": self.job, "pod": self.pod, "stream": self.stream, "memory": memory,
            "policy": self.policy.to_value() });
        job["metadata"]["annotations"][LIMITS] = limits.to_string().into();
    }

    fn read(job: Option<&Value>) -> (Self, Option<String>) {
        let text = job.and_then(|job| job["metadata"]["annotations"][LIMITS].as_str());
        let limits: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let policy = Policy::parse(limits.get("policy")).unwrap_or_default();
        let memory = limits["memory"].as_str().map(str::to_owned);
        let stream = limits["stream"].as_bool().unwrap_or(true);
        (Self { job: limits["job"].as_i64(), pod: limits["pod"].as_i64(), stream, policy }, memory)
    }

    /// How long a hindrance is borne.
    fn patience(&self, hindrance: &Hindrance) -> Duration {
        let usual = match (hindrance.class, hindrance.reason.as_str()) {
            (_, "InvalidImageName" | "ErrImageNeverPull") => 5,
            (FailureClass::ImagePull, _) => 300,
            (FailureClass::Unschedulable, _) => 600,
            _ => 120,
        };
        let own = self.policy.hold(hindrance.class);
        own.unwrap_or_else(|| seconds(self.pod.unwrap_or(usual)))
    }
}

/// The end of a run that nobody has in hand.
pub(crate) fn unseen() -> Exit {
    let failure = Failure::new(FailureClass::Deleted, "The run's Job is not known to this worker.");
    Exit { failure: Some(failure), ..Exit::default() }
}

pub(crate) async fn watch(live: &Live, options: &Options, streams: Arc<Semaphore>, news: mpsc::Sender<News>) -> Exit {
    let mut seen = live.sight.subscribe();
    let (limits, memory) = Limits::read(seen.borrow().job.as_deref());
    let deadline = limits.job.map(|seconds| Instant::now() + left_of(&seen.borrow(), seconds));
    let how = (live.is_adopted, limits.stream, if options.crash_logs { options.crash_log_lines } else { 0 });
    let mut follower =
        Follower::new(live.place.cluster.clone(), live.sight.namespace.clone(), news.clone(), streams, how);
    let mut teller = Teller::new(news, options.pod_events.then(|| Selector::parse(&options.label_filters)));
    let mut held: Option<(FailureClass, Instant)> = None;
    let (believed, mut pause, mut is_certain) = (Instant::now() + BELIEVED, AGAIN, false);
    let (snapshot, failure) = loop {
        let is_doubtful = seen.borrow_and_update().is_doubtful;
        let mut phase = verdict::assess(&live.sight.snapshot(), &[], now().datetime());
        // Of what happened while nobody looked the Job's end may come before its pod's, which says why.
        let is_unexplained = matches!(&phase, Phase::Ended(_)) && !is_explained(&seen.borrow());
        if is_doubtful || (is_unexplained && !is_certain) {
            is_certain = kill::refresh(live).await;
            if !is_certain {
                tokio::select! {
                    () = sleep(jittered(pause)) => {}
                    () = live.is_unconfirmed.cancelled() => break (live.sight.snapshot(), None),
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            continue;
        }
        pause = AGAIN;
        let snapshot = live.sight.snapshot();
        follower.follow(&snapshot);
        let is_early = Instant::now() < believed;
        if let Phase::Starting(hindrance @ None) = &mut phase {
            *hindrance = verdict::warned(&snapshot).filter(|_| !is_early);
        }
        teller.tell(&snapshot, &phase).await;
        let is_stopping = lock(&live.stop).is_some();
        let patience = match &phase {
            Phase::Ended(failure) if !is_stopping || is_over(&snapshot) => break (snapshot, failure.clone()),
            Phase::Starting(Some(hindrance)) if !is_stopping => {
                let since =
                    held.filter(|(class, _)| *class == hindrance.class).map_or_else(Instant::now, |(_, since)| since);
                held = Some((hindrance.class, since));
                Some((since + limits.patience(hindrance), hindrance.failure()))
            }
            Phase::Starting(_) | Phase::Ended(_) => None,
            Phase::Running => {
                held = None;
                None
            }
        };
        let overdue = || {
            let seconds = limits.job.unwrap_or_default();
            Failure::new(FailureClass::Deadline, format!("The run's Job took longer than {seconds} seconds."))
                .with_hint("raise the job variable `job_watch_timeout_seconds`, or see why the run takes so long")
        };
        let limit = deadline.map(|deadline| (deadline, overdue())).filter(|_| !is_stopping);
        let next = [patience, limit].into_iter().flatten().min_by_key(|(at, _)| *at);
        tokio::select! {
            _ = seen.changed() => is_certain = false,
            () = live.is_unconfirmed.cancelled() => break (snapshot, None),
            () = until(next.as_ref().map(|(at, _)| *at)) => {
                let failure = next.map(|(_, failure)| failure);
                teller.note(Level::Error, "The run's Job is deleted: its time is over.".to_owned()).await;
                kill::give_up(live).await;
                break (snapshot, failure);
            }
            () = sleep_until(believed), if is_early && snapshot.warning.is_some() => {}
            // A node that is gone never says so: only time tells.
            () = sleep(Duration::from_secs(10)), if !snapshot.pods.is_empty() && snapshot.pods.values().all(is_leaving) => {}
        }
    };
    let tail = follower.finish(&snapshot, failure.is_some()).await;
    // What was printed last may name the exception.
    let failure = match verdict::assess(&snapshot, &tail, now().datetime()) {
        Phase::Ended(Some(told)) if failure.as_ref().is_some_and(|known| known.class == told.class) => Some(told),
        _ => failure,
    };
    let stop = *lock(&live.stop);
    let attempt = snapshot.job.as_deref().and_then(seal::attempt_of);
    let retry = attempt.zip(failure.as_ref()).filter(|_| stop.is_none());
    let retry = retry.and_then(|(attempt, failure)| limits.policy.retry(failure, &attempt, memory.as_deref()));
    Exit { failure, is_concluded: false, stop, tail, is_unconfirmed: live.is_unconfirmed.is_cancelled(), retry }
}

/// Whether pods of a Job that has ended are known as they were at their end.
fn is_explained(seen: &Snapshot) -> bool {
    seen.is_gone || (!seen.pods.is_empty() && is_over(seen))
}

/// A Job that was asked to end has ended when nothing of it runs any more.
fn is_over(seen: &Snapshot) -> bool {
    seen.pods.values().all(verdict::has_finished)
}

fn is_leaving(pod: &super::board::Pod) -> bool {
    !pod.object["metadata"]["deletionTimestamp"].is_null()
}

/// What is left of a Job's time, which began when it was made.
fn left_of(seen: &Snapshot, allowed: i64) -> Duration {
    let made = seen.job.as_ref().and_then(|job| job["metadata"]["creationTimestamp"].as_str());
    let made = made.and_then(|text| text.parse::<chrono::DateTime<chrono::Utc>>().ok());
    let spent = made.map_or(0, |made| (now().datetime() - made).num_seconds());
    seconds(allowed.saturating_sub(spent).max(0))
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_end_is_a_long_one() {
        let forever = json!({
            "job_watch_timeout_seconds": i64::MAX, "pod_watch_timeout_seconds": i64::MAX.to_string(),
            "failure_policy": {"image_pull": {"hold_seconds": i64::MAX}},
        });
        let forever = forever.as_object().unwrap();
        Limits::check(forever).unwrap();
        let limits = Limits::of(forever).unwrap();
        let hindrance = |class| Hindrance { class, reason: String::new(), message: String::new() };
        let year = Duration::from_hours(365 * 24);
        for long in [
            left_of(&Snapshot::default(), limits.job.unwrap()),
            limits.patience(&hindrance(FailureClass::ImagePull)),
            limits.patience(&hindrance(FailureClass::Unschedulable)),
        ] {
            assert!(Instant::now() + long > Instant::now() + year);
        }
    }
}
