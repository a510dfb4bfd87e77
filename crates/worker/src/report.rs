//! Telling the server how a run's infrastructure ended: what to say (pure), and saying it until it is heard.

use std::time::Duration;

use tidegate_api::{
    flow_runs::FlowRun,
    orchestration::{Failure as WireFailure, OrchestrationResult, RetryGrant, Verdict},
};
use tidegate_client::Client;
use tidegate_core::{
    orchestration::Status,
    state::{StateCreate, StateDetails, StateType},
};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::{
    clock::now,
    infrastructure::{Attempt, Exit, Failure, FailureClass, Retry, Stop},
    runs::Order,
};

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(15);

/// What to tell about an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The run says it all itself.
    Nothing,
    Cancelled(String),
    Crashed(Failure),
    /// The run has said that it crashed, and not why.
    Explained(Failure),
    /// It failed, and its policy grants another try.
    TriedAgain(Failure, Retry),
}

impl Report {
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Nothing | Self::Cancelled(_) => None,
            Self::Crashed(failure) | Self::Explained(failure) | Self::TriedAgain(failure, _) => Some(failure),
        }
    }
}

/// Decides what to tell. `run` is the run as the server knows it after the end.
pub(crate) fn decide(exit: &Exit, order: Order, run: &FlowRun) -> Report {
    match (verdict(exit, order, run), &exit.retry) {
        (Report::Crashed(failure) | Report::Explained(failure), Some(retry))
            if matches!(order, Order::GoOn | Order::Outlived) =>
        {
            Report::TriedAgain(failure, retry.clone())
        }
        (report, _) => report,
    }
}

fn verdict(exit: &Exit, order: Order, run: &FlowRun) -> Report {
    let state = run.state_type.unwrap_or(StateType::Pending);
    if let (StateType::Crashed, Order::GoOn | Order::Outlived, Some(failure)) = (state, order, &exit.failure)
        && !exit.is_concluded
        && exit.stop != Some(Stop::Cancel)
    {
        return Report::Explained(failure.clone());
    }
    if order == Order::Lose || state.is_terminal() {
        return Report::Nothing;
    }
    if order == Order::Cancel || exit.stop == Some(Stop::Cancel) || state == StateType::Cancelling {
        let whether = if exit.is_unconfirmed {
            "That its infrastructure is gone could not be confirmed."
        } else {
            "Its infrastructure is gone."
        };
        return Report::Cancelled(format!("The flow run was cancelled. {whether}"));
    }
    if exit.is_concluded {
        return Report::Nothing;
    }
    if matches!(order, Order::Shutdown | Order::Kill) || exit.stop == Some(Stop::Shutdown) {
        let failure = Failure::new(FailureClass::Preempted, "The worker was shut down before the run had ended.");
        let (exit_code, signal) = exit.failure.as_ref().map_or((None, None), |ended| (ended.exit_code, ended.signal));
        return Report::Crashed(Failure { exit_code, signal, ..failure });
    }
    // A run that waits to be resumed, or to be taken again, goes on without this process.
    let waits_elsewhere = match state {
        StateType::Paused => exit.failure.as_ref().is_none_or(|failure| failure.exit_code == Some(0)),
        StateType::Scheduled => run.empirical_policy.retry_type.as_deref() != Some("in_process"),
        _ => false,
    };
    match &exit.failure {
        _ if waits_elsewhere => Report::Nothing,
        Some(failure) => Report::Crashed(failure.clone()),
        None => Report::Crashed(
            Failure {
                exit_code: Some(0),
                ..Failure::new(FailureClass::ExitCode, "The run's process ended without telling how the run ended.")
            }
            .with_hint("the job variable `command` may not run the flow, or the process left before it was done"),
        ),
    }
}

/// Says it, again and again while the server cannot be reached. Answers whether the server took it.
pub(crate) async fn deliver(client: &Client, attempt: &Attempt, report: &Report) -> bool {
    let mut wait = FIRST_RETRY;
    loop {
        match send(client, attempt, report).await {
            Ok(Some(result)) => {
                let id = attempt.flow_run_id;
                let state = result.state.map(|state| state.name).unwrap_or_default();
                info!(flow_run.id = %id, state, status = ?result.status, "flow run {id} is now {state}");
                return result.status == Status::Accept;
            }
            Ok(None) => return false,
            Err(error) if error.is_not_found() => return false,
            Err(error) if error.is_transient() => {
                metrics::counter!(crate::metrics::REPORT_ERRORS).increment(1);
                warn!(flow_run.id = %attempt.flow_run_id, "cannot report on flow run {} yet: {error}", attempt.flow_run_id);
                sleep(wait).await;
                wait = (wait * 2).min(LAST_RETRY);
            }
            Err(error) => {
                warn!(flow_run.id = %attempt.flow_run_id, "the server does not take the report on flow run {}: {error}", attempt.flow_run_id);
                return false;
            }
        }
    }
}

async fn send(
    client: &Client,
    attempt: &Attempt,
    report: &Report,
) -> tidegate_client::Result<Option<OrchestrationResult>> {
    let (kind, message) = match report {
        Report::Nothing => return Ok(None),
        Report::Cancelled(message) => (StateType::Cancelled, message.clone()),
        Report::Crashed(failure) | Report::Explained(failure) | Report::TriedAgain(failure, _) => {
            (StateType::Crashed, failure.to_string())
        }
    };
    let state = StateCreate { message: Some(message), ..StateCreate::of(kind) };
    let is_cancelled = kind == StateType::Cancelled;
    // Servers that lend no leases grant no tries either.
    let Some(token) = attempt.token else {
        if matches!(report, Report::Explained(_)) {
            return Ok(None);
        }
        return client.set_flow_run_state(attempt.flow_run_id, state, is_cancelled).await.map(Some);
    };
    let failure = report.failure().map(to_wire);
    let verdict = match report {
        Report::TriedAgain(_, retry) => Verdict { token, state: awaiting(retry), failure, retry: Some(grant(retry)) },
        _ => Verdict { token, state: state.clone(), failure, retry: None },
    };
    let result = client.send_verdict(attempt.flow_run_id, &verdict).await?;
    // An engine that was stopped before it could learn why has called it a crash.
    let is_crash = result.state.as_ref().is_some_and(|state| state.kind == StateType::Crashed);
    if is_cancelled && result.status == Status::Abort && is_crash {
        return client.set_flow_run_state(attempt.flow_run_id, state, true).await.map(Some);
    }
    Ok(Some(result))
}

/// The state in which a run waits for another try.
fn awaiting(retry: &Retry) -> StateCreate {
    let scheduled_time = Some(now().plus_seconds(retry.delay.as_secs_f64()).into());
    StateCreate {
        name: Some("AwaitingRetry".to_owned()),
        message: Some(retry.message.clone()),
        state_details: StateDetails { scheduled_time, ..StateDetails::default() },
        ..StateCreate::of(StateType::Scheduled)
    }
}

fn grant(retry: &Retry) -> RetryGrant {
    RetryGrant { job_variables: retry.job_variables.clone() }
}

fn to_wire(failure: &Failure) -> WireFailure {
    WireFailure {
        class: failure.class.as_str().to_owned(),
        exit_code: failure.exit_code.map(i64::from),
        signal: failure.signal.map(i64::from),
        message: failure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn run(state: StateType, retry_type: Option<&str>) -> FlowRun {
        let run = json!({"id": Uuid::nil(), "flow_id": Uuid::nil(), "name": "a", "state_type": state.as_str(),
            "empirical_policy": {"retry_type": retry_type}});
        serde_json::from_value(run).unwrap()
    }

    fn exit(failure: Option<FailureClass>, stop: Option<Stop>, is_concluded: bool) -> Exit {
        let failure = failure.map(|class| Failure::new(class, "it failed"));
        Exit { failure, is_concluded, stop, ..Exit::default() }
    }

    fn told(exit: &Exit, order: Order, run: &FlowRun) -> String {
        match decide(exit, order, run) {
            Report::Nothing => "nothing".to_owned(),
            Report::Cancelled(_) => "cancelled".to_owned(),
            Report::Crashed(failure) => failure.class.as_str().to_owned(),
            Report::Explained(_) => "explained".to_owned(),
            Report::TriedAgain(..) => "tried again".to_owned(),
        }
    }

    #[test]
    fn an_end_is_told_unless_the_run_tells_it_itself() {
        use StateType::{Cancelling, Completed, Crashed, Paused, Pending, Running, Scheduled};
        let well = exit(None, None, false);
        let concluded = exit(Some(FailureClass::ExitCode), None, true);
        let failed = exit(Some(FailureClass::Signal), None, false);
        let mut lost = exit(Some(FailureClass::OomKilled), None, false);
        lost.failure.as_mut().unwrap().exit_code = Some(0);
        for (end, order, state, retry_type, expected) in [
            (&well, Order::GoOn, Completed, None, "nothing"),
            (&failed, Order::GoOn, Completed, None, "nothing"),
            (&failed, Order::GoOn, Crashed, None, "explained"),
            (&concluded, Order::GoOn, Crashed, None, "nothing"),
            (&well, Order::GoOn, Running, None, "exit_code"),
            (&well, Order::GoOn, Pending, None, "exit_code"),
            (&failed, Order::GoOn, Pending, None, "signal"),
            (&failed, Order::GoOn, Running, None, "signal"),
            (&concluded, Order::GoOn, Paused, None, "nothing"),
            (&well, Order::GoOn, Paused, None, "nothing"),
            (&failed, Order::GoOn, Paused, None, "signal"),
            (&lost, Order::GoOn, Paused, None, "nothing"),
            (&lost, Order::GoOn, Completed, None, "nothing"),
            (&lost, Order::GoOn, Crashed, None, "explained"),
            (&lost, Order::GoOn, Running, None, "oom_killed"),
            (&well, Order::GoOn, Scheduled, None, "nothing"),
            (&failed, Order::GoOn, Scheduled, Some("in_process"), "signal"),
            (&failed, Order::GoOn, Scheduled, Some("reschedule"), "nothing"),
            (&failed, Order::Cancel, Running, None, "cancelled"),
            (&failed, Order::GoOn, Cancelling, None, "cancelled"),
            (&well, Order::Cancel, Completed, None, "nothing"),
            (&failed, Order::Lose, Running, None, "nothing"),
            (&failed, Order::Over, Completed, None, "nothing"),
            (&failed, Order::Outlived, Crashed, None, "explained"),
            (&failed, Order::Shutdown, Running, None, "preempted"),
            (&failed, Order::Kill, Pending, None, "preempted"),
        ] {
            let run = run(state, retry_type);
            assert_eq!(told(end, order, &run), expected, "{order:?} {state:?} {retry_type:?} {end:?}");
        }
    }

    #[test]
    fn a_granted_try_comes_instead_of_the_end_unless_somebody_wanted_the_end() {
        use StateType::{Cancelling, Crashed, Failed, Running};
        let retry = Retry { delay: Duration::ZERO, message: "again".to_owned(), job_variables: serde_json::Map::new() };
        let evicted = Exit { retry: Some(retry), ..exit(Some(FailureClass::Evicted), None, false) };
        for (order, state, expected) in [
            (Order::GoOn, Running, "tried again"),
            (Order::Outlived, Running, "tried again"),
            (Order::GoOn, Crashed, "tried again"),
            (Order::GoOn, Failed, "nothing"),
            (Order::GoOn, Cancelling, "cancelled"),
            (Order::Cancel, Running, "cancelled"),
            (Order::Shutdown, Running, "preempted"),
            (Order::Lose, Running, "nothing"),
        ] {
            assert_eq!(told(&evicted, order, &run(state, None)), expected, "{order:?} {state:?}");
        }
    }
}
