//! Between HTTP and the rules: who proposes, in which policy, and how an answer becomes a response.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tidegate_api::orchestration::OrchestrationResult;
use tidegate_core::{
    orchestration::{FlowRunPolicyKind, TaskRunPolicyKind, Waits},
    state::StateCreate,
    time::Timestamp,
};
use tidegate_store::{TaskProposal, flow_run_states::Proposal};
use uuid::Uuid;

use crate::{App, answer::Json, extract::Caller};

impl App {
    pub fn waits(&self) -> Waits {
        Waits {
            deployment_slot: self.settings.deployment_slot_wait_seconds,
            tag_slot: self.settings.tag_slot_wait_seconds,
            deployment_lease: self.settings.deployment_lease_seconds,
        }
    }

    /// A client's proposal for a flow run. A fencing token counts only for the run that it was given for.
    pub fn proposal(&self, caller: &Caller, run: Uuid, force: bool) -> Proposal {
        Proposal {
            client_version: caller.client_version,
            api_version: caller.api_version,
            token: caller.fence.filter(|(id, _)| *id == run).map(|(_, token)| token),
            waits: self.waits(),
            random: rand::random(),
            ..Proposal::internal()
        }
        .by(if force { FlowRunPolicyKind::Minimal } else { FlowRunPolicyKind::Core })
    }

    /// A client's proposal for a task run.
    pub fn task_proposal(&self, caller: &Caller, state: &StateCreate, force: bool) -> TaskProposal {
        let policy = if state.state_details.deferred == Some(true) {
            TaskRunPolicyKind::Background
        } else if force {
            TaskRunPolicyKind::Minimal
        } else {
            TaskRunPolicyKind::Core
        };
        TaskProposal {
            policy,
            client_version: caller.client_version,
            api_version: caller.api_version,
            max_cache_key_length: self.settings.max_cache_key_length,
            waits: self.waits(),
            random: rand::random(),
        }
    }
}

/// 201 when the state in the answer is new, 200 when it is an old one.
pub fn respond(result: OrchestrationResult, started: Timestamp) -> Response {
    let is_new = result.state.as_ref().is_some_and(|state| state.timestamp >= started);
    (if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(result)).into_response()
}
