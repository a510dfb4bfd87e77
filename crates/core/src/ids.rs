//! Typed ids. The text form on the wire is a bare UUID; the kinds exist in Rust only, so that a task run's id can never
//! be passed where a flow run's is meant.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_ids {
    ($($name:ident),* $(,)?) => {$(
        #[doc = concat!("Identifies one row of its kind (`", stringify!($name), "`).")]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id that sorts by creation time (UUID v7).
            #[expect(clippy::new_without_default, reason = "each call answers another value")]
            pub fn new() -> Self { Self(Uuid::now_v7()) }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self { Self(id) }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> { Uuid::parse_str(text).map(Self) }
        }
    )*};
}

// Alphabetical, append-only.
typed_ids! {
    ArtifactId, AutomationId, BlockDocumentId, BlockSchemaId, BlockTypeId, ConcurrencyLimitId, DeploymentId,
    DeploymentScheduleId, EventId, FlowId, FlowRunId, FlowRunInputId, LeaseId, LogId, SavedSearchId, StateId, TaskRunId,
    VariableId, WorkPoolId, WorkQueueId, WorkerId, WorkspaceId,
}

impl WorkspaceId {
    /// The one workspace that exists before users and workspaces are switched on.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
}
