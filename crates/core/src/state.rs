//! States of flow runs and task runs as they are stored and sent (`State`), and as clients propose them (`StateCreate`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::StateId,
    json::Json,
    time::{OffsetTimestamp, Timestamp},
};

/// The nine kinds of state; four of them are terminal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StateType {
    Scheduled,
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
    Crashed,
    Paused,
    Cancelling,
}

impl StateType {
    pub const ALL: [Self; 9] = [
        Self::Scheduled,
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Crashed,
        Self::Paused,
        Self::Cancelling,
    ];

    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Crashed)
    }

    /// The wire form, upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Crashed => "CRASHED",
            Self::Paused => "PAUSED",
            Self::Cancelling => "CANCELLING",
        }
    }

    /// The name a state gets when its maker gives none.
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Crashed => "Crashed",
            Self::Paused => "Paused",
            Self::Cancelling => "Cancelling",
        }
    }
}

impl fmt::Display for StateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StateType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| format!("`{text}` is not a state type"))
    }
}

/// What a state carries beside its type: links, times and switches that rules read.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct StateDetails {
    pub flow_run_id: Option<Uuid>,
    pub task_run_id: Option<Uuid>,
    pub child_flow_run_id: Option<Uuid>,
    pub scheduled_time: Option<OffsetTimestamp>,
    pub cache_key: Option<String>,
    pub cache_expiration: Option<OffsetTimestamp>,
    pub deferred: Option<bool>,
    pub untrackable_result: bool,
    pub pause_timeout: Option<OffsetTimestamp>,
    pub pause_reschedule: bool,
    pub pause_key: Option<String>,
    pub run_input_keyset: Option<Json>,
    pub refresh_cache: Option<bool>,
    pub retriable: Option<bool>,
    pub transition_id: Option<Uuid>,
    pub task_parameters_id: Option<Uuid>,
    pub traceparent: Option<String>,
    pub deployment_concurrency_lease_id: Option<Uuid>,
}

impl Default for StateDetails {
    fn default() -> Self {
        Self {
            flow_run_id: None,
            task_run_id: None,
            child_flow_run_id: None,
            scheduled_time: None,
            cache_key: None,
            cache_expiration: None,
            // The wire says `false`, not `null`, where a client said nothing.
            deferred: Some(false),
            untrackable_result: false,
            pause_timeout: None,
            pause_reschedule: false,
            pause_key: None,
            run_input_keyset: None,
            refresh_cache: None,
            retriable: None,
            transition_id: None,
            task_parameters_id: None,
            traceparent: None,
            deployment_concurrency_lease_id: None,
        }
    }
}

/// A state as stored. Field order is the order on the wire.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct State {
    pub id: StateId,
    #[serde(rename = "type")]
    pub kind: StateType,
    pub name: String,
    pub timestamp: Timestamp,
    pub message: Option<String>,
    /// A result record (`{"type": …, "storage_key": …}`), `{"type": "unpersisted"}`, or nothing. Never result bytes.
    pub data: Option<Json>,
    #[serde(default)]
    pub state_details: StateDetails,
}

impl State {
    /// A state with its type's name and nothing else.
    pub fn new(kind: StateType, timestamp: Timestamp) -> Self {
        Self {
            id: StateId::new(),
            kind,
            name: kind.default_name().to_owned(),
            timestamp,
            message: None,
            data: None,
            state_details: StateDetails {
                scheduled_time: (kind == StateType::Scheduled).then(|| timestamp.into()),
                ..StateDetails::default()
            },
        }
    }

    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    pub fn is_terminal(&self) -> bool {
        self.kind.is_terminal()
    }

    /// Whether `data` points at a result that was stored somewhere.
    pub fn has_persisted_data(&self) -> bool {
        #[derive(Deserialize)]
        struct Kind {
            r#type: Option<String>,
        }
        self.data
            .as_ref()
            .filter(|data| !data.is_null())
            .is_some_and(|data| data.parse::<Kind>().map_or(true, |kind| kind.r#type.as_deref() != Some("unpersisted")))
    }
}

impl State {
    /// The state as it is kept: data that points at nothing is not worth remembering.
    #[must_use]
    pub fn stored(&self) -> Self {
        Self { data: self.data.clone().filter(|_| self.has_persisted_data()), ..self.clone() }
    }
}

/// A state as a client proposes it: the id and the timestamp are the server's to give.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StateCreate {
    #[serde(rename = "type")]
    pub kind: StateType,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub data: Option<Json>,
    #[serde(default)]
    pub state_details: StateDetails,
}

impl StateCreate {
    pub fn of(kind: StateType) -> Self {
        Self { kind, name: None, message: None, data: None, state_details: StateDetails::default() }
    }

    /// Gives the state its id and time; a SCHEDULED state without a time is due now.
    pub fn into_state(self, id: StateId, now: Timestamp) -> State {
        let mut details = self.state_details;
        if self.kind == StateType::Scheduled && details.scheduled_time.is_none() {
            details.scheduled_time = Some(now.into());
        }
        State {
            id,
            kind: self.kind,
            name: self.name.unwrap_or_else(|| self.kind.default_name().to_owned()),
            timestamp: now,
            message: self.message,
            data: self.data.filter(|data| !data.is_null()),
            state_details: details,
        }
    }
}
