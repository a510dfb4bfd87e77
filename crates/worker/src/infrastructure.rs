//! What a worker asks of the place where runs execute: start, watch, kill, and find again what an earlier worker left.
//! Backends classify how their runs ended; they never talk to the API.

use std::{fmt, future::Future, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_api::{events::Event, work_pools::WorkPool};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use crate::logs::Level;

use crate::job::Job;

/// One try of a flow run. Names of infrastructure are derived from it, so that starting twice finds the first start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub flow_run_id: Uuid,
    pub flow_run_name: String,
    /// From 1; a server that does not count attempts leaves it at 1.
    pub attempt: i64,
    /// The fencing token of the claim; `None` on a server that does not hand out any.
    pub token: Option<i64>,
    /// The worker that claimed it, if that was another: the lease is in its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What the run's infrastructure is called where it lives (`infrastructure_pid` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identifier(pub String);

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of the two outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Out,
    Err,
}

/// A line that the run's process printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub stream: Stream,
    pub text: String,
}

/// What a backend tells of a run while it has it.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The run's process printed it.
    Line(Line),
    /// Words of the backend's own, for the run's log.
    Note {
        level: Level,
        message: String,
    },
    /// The run waits for its infrastructure, and for what.
    Waiting(String),
    Event(Box<Event>),
}

/// Why the infrastructure is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// The run is to be cancelled; its process may say so itself and run its cancellation hooks.
    Cancel,
    /// The worker goes away, or lost the run.
    Shutdown,
}

/// The kinds of failure that the server stores with a run, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    ExitCode,
    Signal,
    OomKilled,
    Evicted,
    Preempted,
    NodeLost,
    ImagePull,
    Unschedulable,
    Deadline,
    LeaseLost,
    ConfigError,
    CommandNotFound,
    StartFailed,
    /// Somebody deleted the infrastructure.
    Deleted,
}

impl FailureClass {
    pub const ALL: [Self; 14] = [
        Self::ExitCode,
        Self::Signal,
        Self::OomKilled,
        Self::Evicted,
        Self::Preempted,
        Self::NodeLost,
        Self::ImagePull,
        Self::Unschedulable,
        Self::Deadline,
        Self::LeaseLost,
        Self::ConfigError,
        Self::CommandNotFound,
        Self::StartFailed,
        Self::Deleted,
    ];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExitCode => "exit_code",
            Self::Signal => "signal",
            Self::OomKilled => "oom_killed",
            Self::Evicted => "evicted",
            Self::Preempted => "preempted",
            Self::NodeLost => "node_lost",
            Self::ImagePull => "image_pull",
            Self::Unschedulable => "unschedulable",
            Self::Deadline => "deadline",
            Self::LeaseLost => "lease_lost",
            Self::ConfigError => "config_error",
            Self::CommandNotFound => "command_not_found",
            Self::StartFailed => "start_failed",
            Self::Deleted => "deleted",
        }
    }
}

/// Why a run's infrastructure failed, in words for people and in a class for rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", hint.as_ref().map(|hint| format!(" Hint: {hint}")).unwrap_or_default())]
pub struct Failure {
    pub class: FailureClass,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, exit_code: None, signal: None, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How a run's infrastructure ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// `None`: it ended as it should.
    pub failure: Option<Failure>,
    /// The engine told its supervisor that it had reported the run's state (or was told to abort).
    pub is_concluded: bool,
    /// Set when the end was asked for through [`Infrastructure::kill`].
    pub stop: Option<Stop>,
    /// The last lines of output, oldest first.
    pub tail: Vec<Line>,
    /// It was asked to end, and whether it did could not be found out.
    pub is_unconfirmed: bool,
    /// The run shall be tried again.
    pub retry: Option<Retry>,
}

/// Another try that a policy grants a run, beside the tries that its flow allows itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    pub delay: Duration,
    /// Why and how often, for people.
    pub message: String,
    /// What the run's next job has otherwise.
    pub job_variables: Map<String, Value>,
}

/// Infrastructure that an earlier worker of the same name started, or was about to start.
#[derive(Clone, Debug)]
pub enum Found {
    /// It exists: watch it. An end that happened meanwhile is told by the watch.
    Started(Attempt, Identifier),
    /// It was never started, and never will be.
    NeverStarted(Attempt),
}

impl Found {
    pub fn attempt(&self) -> &Attempt {
        match self {
            Self::Started(attempt, _) | Self::NeverStarted(attempt) => attempt,
        }
    }
}

/// Infrastructure that is not in this worker's hands.
#[derive(Clone, Debug)]
pub struct Stray {
    pub attempt: Attempt,
    pub identifier: Identifier,
    pub has_ended: bool,
}

/// A base job template that a backend has completed.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    pub template: Value,
    /// What became of its fields, for people.
    pub note: String,
}

/// A place where runs execute. One backend per worker.
pub trait Infrastructure: Send + Sync + 'static {
    /// What a prepared run looks like to this backend.
    type Spec: Send + Sync;

    /// The work pool type that this backend serves.
    const TYPE: &'static str;

    /// What runs here goes on without its worker, and may stay without one for so long. `None`: it ends with the worker.
    const OUTLIVES: Option<Duration> = None;

    /// The job variables that choose where a run's infrastructure is. None where all of it is in one place.
    const PLACED_BY: &'static [&'static str] = &[];

    /// The base job template of a new pool of this type.
    fn base_job_template() -> Value;

    /// Completes a base job template that leaves to this backend what it can know; `None` if it is whole. An error says in
    /// words for people what cannot be understood.
    fn complete(_template: &Value) -> Result<Option<Completed>, String> {
        Ok(None)
    }

    /// Turns a resolved job into what `start` needs. Reads, but changes nothing.
    fn prepare(&self, attempt: &Attempt, job: &Job) -> Result<Self::Spec, Failure>;

    /// Starts an attempt. Starting one that exists already adopts it. Output goes to `news` as it appears.
    fn start(
        &self,
        attempt: &Attempt,
        spec: &Self::Spec,
        news: mpsc::Sender<News>,
    ) -> impl Future<Output = Result<Identifier, Failure>> + Send;

    /// Waits for the end. Only the end of the infrastructure is an answer, never the end of the watching.
    /// What there is to tell meanwhile goes to `news`.
    fn watch(&self, identifier: &Identifier, news: mpsc::Sender<News>) -> impl Future<Output = Exit> + Send;

    /// Asks for the end: politely, and by force after `grace`. Returns at once; `watch` tells when it is done.
    fn kill(&self, identifier: &Identifier, stop: Stop, grace: Duration) -> impl Future<Output = ()> + Send;

    /// Forgets an ended attempt, after its end was reported.
    fn forget(&self, attempt: &Attempt) -> impl Future<Output = ()> + Send;

    /// What earlier workers of this name left behind. Called once, before the first start.
    fn find(&self, pool: &WorkPool) -> impl Future<Output = anyhow::Result<Vec<Found>>> + Send;

    /// What they left where such a job would be, unless that was looked for there before.
    fn find_near(&self, _spec: &Self::Spec) -> impl Future<Output = anyhow::Result<Vec<Found>>> + Send {
        async { Ok(Vec::new()) }
    }

    /// What other workers have running, or left behind: old enough that its worker must have said so to the server.
    fn survey(&self) -> Vec<Stray> {
        Vec::new()
    }

    /// Takes what a survey found into this backend's hands, to be watched.
    fn adopt(&self, _attempt: &Attempt, _identifier: &Identifier) -> impl Future<Output = bool> + Send {
        async { false }
    }

    /// What tells the place of some infrastructure from other places of this backend: a label for its run.
    fn locality(&self, _identifier: &Identifier) -> Option<(&'static str, String)> {
        None
    }

    /// Removes what a survey found and nobody wants.
    fn discard(&self, _identifier: &Identifier) -> impl Future<Output = ()> + Send {
        async {}
    }
}
