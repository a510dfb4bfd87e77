//! States of flow runs and task runs as they are stored and sent (`State`), and as clients propose them (`StateCreate`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use uuid::Uuid;

use crate::{
    ids::StateId,
    json::{self, Json},
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
    pub fn stored(mut self) -> Self {
        if !self.has_persisted_data() {
            self.data = None;
        }
        self
    }

    /// The JSON to keep: as `stored`, and without the details that say nothing. Most states have none that do, and every
    /// state is written twice and read in every list.
    pub fn to_stored_json(&self) -> String {
        #[derive(Serialize)]
        struct Stored<'s> {
            id: StateId,
            r#type: StateType,
            name: &'s str,
            timestamp: Timestamp,
            message: Option<&'s str>,
            data: Option<&'s Json>,
            #[serde(skip_serializing_if = "Telling::is_empty")]
            state_details: Telling<'s>,
        }
        let stored = Stored {
            id: self.id,
            r#type: self.kind,
            name: &self.name,
            timestamp: self.timestamp,
            message: self.message.as_deref(),
            data: self.data.as_ref().filter(|_| self.has_persisted_data()),
            state_details: Telling::of(&self.state_details),
        };
        json::to_text(&stored)
    }
}

/// The details that differ from the default.
struct Telling<'s> {
    details: &'s StateDetails,
    default: StateDetails,
}

impl<'s> Telling<'s> {
    fn of(details: &'s StateDetails) -> Self {
        Self { details, default: StateDetails::default() }
    }

    fn is_empty(&self) -> bool {
        *self.details == self.default
    }
}

impl Serialize for Telling<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        macro_rules! told {
            ($($field:ident),* $(,)?) => {
                // Names every field, so that a new one cannot be forgotten here.
                let StateDetails { $($field),* } = self.details;
                $(if *$field != self.default.$field {
                    map.serialize_entry(stringify!($field), $field)?;
                })*
            };
        }
        told!(
            flow_run_id,
            task_run_id,
            child_flow_run_id,
            scheduled_time,
            cache_key,
            cache_expiration,
            deferred,
            untrackable_result,
            pause_timeout,
            pause_reschedule,
            pause_key,
            run_input_keyset,
            refresh_cache,
            retriable,
            transition_id,
            task_parameters_id,
            traceparent,
            deployment_concurrency_lease_id,
        );
        map.end()
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

#[cfg(test)]
mod tests {
    use super::{State, StateDetails, StateType};
    use crate::{json::Json, time::Timestamp};

    #[test]
    fn what_is_kept_reads_back_whole() {
        let mut state = State::new(StateType::Scheduled, Timestamp::UNIX_EPOCH).with_message("soon");
        assert_eq!(serde_json::from_str::<State>(&state.to_stored_json()).ok(), Some(state.clone()));
        state.state_details = StateDetails {
            deferred: None,
            pause_reschedule: true,
            cache_key: Some("key".into()),
            ..StateDetails::default()
        };
        assert_eq!(serde_json::from_str::<State>(&state.to_stored_json()).ok(), Some(state));
    }

    #[test]
    fn nothing_is_kept_that_says_nothing() {
        let mut state = State::new(StateType::Running, Timestamp::UNIX_EPOCH);
        state.data = Json::from_text(r#"{"type":"unpersisted"}"#.into()).ok();
        let text = state.to_stored_json();
        assert!(!text.contains("details") && !text.contains("unpersisted"), "{text}");
    }
}
