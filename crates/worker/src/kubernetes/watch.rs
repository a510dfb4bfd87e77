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
    kill, lock,
    logs::Follower,
    options::Options,
    policy::Policy,
    seal,
    tell::Teller,
    verdict::{self, Hindrance, Phase},
};
use crate::{
    clock::now,
    infrastructure::{Exit, Failure, FailureClass, Level, News},
    job::as_text,
};

/// The variable's default in the reference, where it does nothing; nobody who leaves it means a minute.
const UNCHOSEN: i64 = 60;
const LIMITS: &str = "tidegate.io/limits";
/// When events are first asked why a pod does not start; then in growing pauses.
const FIRST_QUESTION: Duration = Duration::from_secs(4);
const QUESTIONS: u32 = 3;
const AGAIN: Duration = Duration::from_secs(2);

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
        own.unwrap_or_else(|| Duration::from_secs(self.pod.unwrap_or(usual).unsigned_abs()))
    }
}

/// The end of a run that nobody has in hand.
pub(crate) fn unseen() -> Exit {
    let failure = Failure::new(FailureClass::Deleted, "The run's Job is not known to this worker.");
    Exit { failure: Some(failure), ..Exit::default() }
}

pub(crate) async fn watch(live: &Live, options: &Options, streams: Arc<Semaphore>, news: mpsc::Sender<News>) -> Exit {
    let mut seen = live.sight.subscribe();
    let (limits, memory) = Limits::read(seen.borrow().job.as_ref());
    let deadline = limits.job.map(|seconds| Instant::now() + left_of(&seen.borrow(), seconds));
    let how = (live.is_adopted, limits.stream, if options.crash_logs { options.crash_log_lines } else { 0 });
    let mut follower =
        Follower::new(live.place.cluster.clone(), live.sight.namespace.clone(), news.clone(), streams, how);
    let mut teller = Teller::new(news, options.pod_events);
    let mut held: Option<(FailureClass, Instant)> = None;
    let mut question = Question::new();
    let (snapshot, failure) = loop {
        if seen.borrow_and_update().is_doubtful && !kill::refresh(live).await {
            sleep(AGAIN).await;
            continue;
        }
        let snapshot = live.sight.snapshot();
        let mut phase = verdict::assess(&snapshot, &[], now().datetime());
        follower.follow(&snapshot);
        if let Phase::Starting(hindrance) = &mut phase {
            *hindrance = hindrance.take().or(question.answer.clone());
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
            _ = seen.changed() => {}
            () = live.is_unconfirmed.cancelled() => break (snapshot, None),
            () = until(next.as_ref().map(|(at, _)| *at)) => {
                let failure = next.map(|(_, failure)| failure);
                teller.note(Level::Error, "The run's Job is deleted: its time is over.".to_owned()).await;
                kill::give_up(live).await;
                break (snapshot, failure);
            }
            () = question.due(), if matches!(phase, Phase::Starting(_)) => question.ask(live).await,
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
    let attempt = snapshot.job.as_ref().and_then(seal::attempt_of);
    let retry = attempt.zip(failure.as_ref()).filter(|_| stop.is_none());
    let retry = retry.and_then(|(attempt, failure)| limits.policy.retry(failure, &attempt, memory.as_deref()));
    Exit { failure, is_concluded: false, stop, tail, is_unconfirmed: live.is_unconfirmed.is_cancelled(), retry }
}

/// A Job that was asked to end has ended when nothing of it runs any more.
fn is_over(seen: &Snapshot) -> bool {
    seen.pods.values().all(verdict::has_finished)
}

fn is_leaving(pod: &super::board::Pod) -> bool {
    !pod.object["metadata"]["deletionTimestamp"].is_null()
}

/// What is left of a Job's time, which began when it was made.
fn left_of(seen: &Snapshot, seconds: i64) -> Duration {
    let made = seen.job.as_ref().and_then(|job| job["metadata"]["creationTimestamp"].as_str());
    let made = made.and_then(|text| text.parse::<chrono::DateTime<chrono::Utc>>().ok());
    let spent = made.map_or(0, |made| (now().datetime() - made).num_seconds());
    Duration::from_secs((seconds - spent).max(0).unsigned_abs())
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Asking the cluster's events why a pod does not start: a volume that cannot be mounted and a quota are told of nowhere else.
struct Question {
    at: Instant,
    asked: u32,
    answer: Option<Hindrance>,
}

impl Question {
    fn new() -> Self {
        Self { at: Instant::now() + FIRST_QUESTION, asked: 0, answer: None }
    }

    async fn due(&self) {
        sleep_until(self.at).await;
    }

    async fn ask(&mut self, live: &Live) {
        self.asked += 1;
        self.at = Instant::now() + FIRST_QUESTION * 4_u32.pow(self.asked.min(QUESTIONS));
        let seen = live.sight.snapshot();
        let pod = seen.pods.values().rfind(|pod| !pod.is_gone).map(|pod| &pod.object);
        let Some(object) = pod.or(seen.job.as_ref()) else { return };
        let Some(uid) = object["metadata"]["uid"].as_str() else { return };
        let path = format!(
            "/api/v1/namespaces/{}/events?limit=20&fieldSelector=type%3DWarning%2CinvolvedObject.uid%3D{uid}",
            live.sight.namespace
        );
        let Ok(events) = live.place.cluster.get(&path).await else { return };
        let last = events["items"].as_array().and_then(|events| events.iter().max_by_key(|event| time_of(event)));
        let Some(last) = last else { return };
        let (reason, message) =
            (last["reason"].as_str().unwrap_or_default(), last["message"].as_str().unwrap_or_default());
        let class = match reason {
            "FailedCreate" if message.contains("quota") => FailureClass::Unschedulable,
            "FailedMount" | "FailedAttachVolume" | "FailedCreate" => FailureClass::ConfigError,
            "FailedCreatePodSandBox" => FailureClass::StartFailed,
            _ => return,
        };
        let what = if pod.is_some() { "Pod" } else { "Job" };
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let message = format!("{what} `{name}` cannot start ({reason}): {message}");
        self.answer = Some(Hindrance { class, reason: reason.to_owned(), message });
    }
}

fn time_of(event: &Value) -> String {
    event["lastTimestamp"].as_str().or(event["eventTime"].as_str()).unwrap_or_default().to_owned()
}
