//! Resuming a paused flow run, with the input that it waits for.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use tidegate_api::orchestration::{OrchestrationResult, ResultDetails};
use tidegate_core::{
    orchestration::Status,
    state::{State as RunState, StateCreate, StateDetails, StateType},
    time::Timestamp,
};
use tidegate_store::Tx;
use uuid::Uuid;

use super::absent;
use crate::{
    App,
    error::ApiError,
    extract::{Body, Caller, Db, Id},
    orchestration::respond,
    parameters,
};

#[derive(Deserialize)]
pub struct Resume {
    #[serde(default)]
    run_input: Option<Map<String, Value>>,
}

/// Resumes a paused run: in its process, or by scheduling it anew when it was suspended.
pub async fn resume(
    State(app): State<App>,
    Db(store): Db,
    caller: Caller,
    Id(id): Id,
    Body(body): Body<Resume>,
) -> Result<Response, ApiError> {
    let started = store.now();
    let proposal = app.proposal(&caller, id, false);
    let input = body.run_input;
    let result = store
        .write(id, async move |tx: &mut Tx| {
            let run = tx.read_flow_run(id).await?.ok_or_else(absent)?;
            let Some(state) = run.state.filter(|state| state.kind == StateType::Paused) else {
                return Ok::<_, ApiError>(refused(None, Status::Abort, "Cannot resume a flow run that is not paused."));
            };
            let input = match check_input(tx, id, &state, input.clone()).await? {
                Ok(input) => input,
                Err(reason) => return Ok(refused(Some(state), Status::Reject, &reason)),
            };
            let proposed = resumed(&state, tx.now());
            let changed = tx.set_flow_run_state(id, proposed, &proposal).await?.ok_or_else(absent)?;
            if changed.result.status == Status::Accept
                && let Some((key, input)) = input
            {
                let value = serde_json::to_string(&input).unwrap_or_default();
                tx.create_flow_run_input(id, &key, &value, None).await?;
            }
            Ok(changed.result)
        })
        .await?;
    Ok(respond(result, started))
}

/// A suspended run is scheduled again; a paused one goes on where it waits.
fn resumed(state: &RunState, now: Timestamp) -> StateCreate {
    if state.state_details.pause_reschedule {
        let details = StateDetails { scheduled_time: Some(now.into()), ..StateDetails::default() };
        StateCreate { name: Some("Resuming".into()), state_details: details, ..StateCreate::of(StateType::Scheduled) }
    } else {
        StateCreate::of(StateType::Running)
    }
}

type Input = Option<(String, Map<String, Value>)>;

/// The input, hydrated and checked by the schema that the pause stored, with the key to store it under.
async fn check_input(
    tx: &mut Tx,
    id: Uuid,
    state: &RunState,
    input: Option<Map<String, Value>>,
) -> Result<Result<Input, String>, ApiError> {
    #[derive(Deserialize)]
    struct Keyset {
        schema: String,
        response: String,
    }
    let Some(keyset) = state.state_details.run_input_keyset.as_ref().and_then(|keys| keys.parse::<Keyset>().ok())
    else {
        return Ok(Ok(None));
    };
    let input = match parameters::hydrate(tx, input.unwrap_or_default()).await? {
        Ok(input) => input,
        Err(problem) => return Ok(Err(format!("Error hydrating run input: {problem}"))),
    };
    let Some(schema) = tx.read_flow_run_input(id, &keyset.schema).await? else {
        return Ok(Err("Run input schema not found.".into()));
    };
    let Ok(schema) = serde_json::from_str::<Value>(&schema.value) else {
        return Ok(Err("Run input schema is not valid JSON.".into()));
    };
    Ok(match parameters::validate(&schema, &Value::Object(input.clone())) {
        Ok(()) => Ok(Some((keyset.response, input))),
        Err(problem) => Err(format!("Reason: {problem}")),
    })
}

fn refused(state: Option<RunState>, status: Status, reason: &str) -> OrchestrationResult {
    OrchestrationResult { state, status, details: ResultDetails::Abort { reason: Some(reason.to_owned()) } }
}
