//! What automations do when they fire: each action is carried out, told of in events, and tried again where that helps.

mod context;
mod notifications;
mod outgoing;
mod perform;
mod rehearsal;
mod requests;

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tidegate_api::{
    automations::Trigger,
    events::{Event, ReceivedEvent, Resource},
};
use tidegate_core::{json::Json, time::Timestamp, triggers::Posture};
use tidegate_store::{PendingAction, ResourceEvent, Tx, related};
use uuid::Uuid;

use crate::App;

pub use outgoing::Outgoing;
pub use rehearsal::{Rehearsal, WouldFire};
pub use requests::Requests;

/// How often a request to the outside is tried, and how long after the first failure it is tried again; each later
/// pause is four times as long.
const ATTEMPTS: usize = 5;
const FIRST_PAUSE_SECONDS: f64 = 1.0;
/// Only events that close to their cause can arrive before it; only they say what they follow.
const TIGHT_SECONDS: f64 = 300.0;

/// How an action ended.
#[derive(Debug, Default)]
struct Outcome {
    /// Why it failed, if it did.
    failure: Option<String>,
    /// Another try may go well.
    may_be_tried_again: bool,
    /// What else there is to tell, such as a status code.
    details: Map<String, Value>,
    /// What it acted on.
    related: Vec<Resource>,
}

impl Outcome {
    fn fail(&mut self, reason: impl Into<String>) {
        self.failure = Some(reason.into());
    }
}

/// An action, and what it needs to know of its cause.
struct Cause<'a> {
    pending: &'a PendingAction,
    /// The event that the action answers to.
    event: Option<ReceivedEvent>,
}

/// Does actions of one firing, in their order.
pub async fn carry_out(app: &App, tools: &Tools, holder: Uuid, actions: Vec<PendingAction>) {
    for action in actions {
        if let Err(error) = carry_out_one(app, tools, holder, &action).await {
            // It stays taken until its time is over, then it is tried again.
            tracing::warn!(automation.id = %action.automation.id, "action {} cannot be noted: {error:#}", action.id);
        }
    }
}

/// What actions are done with.
pub struct Tools {
    pub requests: Requests,
    pub outgoing: Outgoing,
}

async fn carry_out_one(app: &App, tools: &Tools, holder: Uuid, pending: &PendingAction) -> anyhow::Result<()> {
    let event = if pending.on_trigger {
        let id = pending.event_id;
        let stored = app.store.read(async move |tx: &mut Tx| tx.read_event(id).await).await?;
        stored.map(|event| event.parse()).transpose()?
    } else {
        pending.firing.triggering_event.clone()
    };
    let cause = Cause { pending, event };
    let begun = app.store.now();
    let mut outcome = perform::perform(app, tools, &cause).await;
    let mut attempts = pending.attempts.value().as_array().cloned().unwrap_or_default();
    let mut attempt = outcome.details.clone();
    attempt.insert("at".into(), json!(begun));
    attempt.insert("error".into(), json!(outcome.failure));
    attempts.push(Value::Object(attempt));
    let (count, key) = (attempts.len(), (pending.id, holder));
    let attempts = Json::from_value(&attempts);
    metrics::counter!(
        "tidegate_automation_actions_total",
        "action" => pending.action.kind(),
        "outcome" => if outcome.failure.is_some() { "failed" } else { "executed" }
    )
    .increment(1);
    if outcome.failure.is_some() && outcome.may_be_tried_again && count < ATTEMPTS {
        let pause = FIRST_PAUSE_SECONDS * 4_f64.powi(count as i32 - 1);
        let due = app.store.now().plus_seconds(pause);
        app.store.write("actions", async move |tx: &mut Tx| tx.postpone_action(key, due, &attempts).await).await?;
        return Ok(());
    }
    let word = if outcome.failure.is_some() { "failed" } else { "executed" };
    if let Some(reason) = &outcome.failure {
        tracing::warn!(automation.id = %pending.automation.id, "action {} failed: {reason}", pending.action.kind());
    }
    let events = events_of(&cause, std::mem::take(&mut outcome), app.store.now());
    app.store.write("actions", async move |tx: &mut Tx| tx.finish_action(key, word, &attempts, &events).await).await?;
    Ok(())
}

/// The events that an action was triggered, and how it ended.
fn events_of(cause: &Cause<'_>, outcome: Outcome, now: Timestamp) -> [Event; 2] {
    let Cause { pending, event } = cause;
    let mut involved = outcome.related;
    involved.push(related(format!("prefect.event.{}", pending.event_id), "automation-triggered-event", None));
    if let Some(event) = event {
        involved.push(related(format!("prefect.event.{}", event.id), "triggering-event", None));
    }
    let told = |what: &str| {
        let automation = &pending.automation;
        let event = ResourceEvent::new("prefect.automation", automation.id, what)
            .named(&automation.name)
            .label("prefect.trigger-type", automation.trigger.kind())
            .with_all(involved.clone());
        match &automation.trigger {
            Trigger::Event(trigger) if trigger.posture == Posture::Proactive => {
                event.label("prefect.posture", "Proactive")
            }
            Trigger::Event(_) => event.label("prefect.posture", "Reactive"),
            _ => event,
        }
    };
    let mut details = Map::new();
    details.insert("action_index".into(), json!(pending.position));
    details.insert("action_type".into(), json!(pending.action.kind()));
    details.insert("invocation".into(), json!(pending.id));
    let triggered_id = Uuid::now_v7();
    let triggered = pending.firing.triggered;
    let leader = event
        .as_ref()
        .filter(|event| triggered.seconds_since(event.occurred).abs() < TIGHT_SECONDS)
        .map(|event| event.id);
    let first = told("action.triggered").id(triggered_id).follows(leader).payload(Value::Object(details.clone()));
    let word = if let Some(reason) = outcome.failure {
        details.insert("reason".into(), reason.into());
        "action.failed"
    } else {
        "action.executed"
    };
    details.extend(outcome.details);
    let second = told(word).follows(Some(triggered_id)).payload(Value::Object(details));
    [first.at(triggered), second.at(now)]
}

/// Actions by the firing that left them, in their order.
pub fn by_firing(actions: Vec<PendingAction>) -> Vec<Vec<PendingAction>> {
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    let mut groups: Vec<Vec<PendingAction>> = Vec::new();
    for action in actions {
        let place = *places.entry(action.firing.id).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(action);
    }
    groups
}
