//! Firings: of triggers on events, of triggers made of triggers, and of whole automations, which leave history, an event
//! and actions to do.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_api::{
    automations::{Action, Automation, Firing, Trigger, TriggerState},
    events::{Event, ReceivedEvent},
};
use tidegate_core::{json::Json, time::Timestamp, triggers::Posture};
use uuid::Uuid;

use crate::{ResourceEvent, Result, Tx, Wake, related, sql, value};

/// Automations that fire because of each other do so this often in a row, and no more.
const DEEPEST: i64 = 8;

/// The firings of one evaluation: each a little later than the one before, so that their order can be told.
pub(super) struct Firings {
    now: Timestamp,
    count: u64,
    /// Those that were one too many in a row.
    pub(super) cut_off: u64,
}

impl Firings {
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, count: 0, cut_off: 0 }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    fn next(&mut self) -> Timestamp {
        self.count += 1;
        Timestamp::nearest(self.now.micros() + self.count as i64)
    }
}

/// A firing of an automation, as history tells it.
#[derive(Clone, Debug, Serialize)]
pub struct FiringRecord {
    pub id: Uuid,
    pub triggered: Timestamp,
    /// The event that tells of it.
    pub event_id: Uuid,
    pub firing: Json,
    pub actions: Vec<ActionRecord>,
}

/// What became of one action.
#[derive(Clone, Debug, Serialize)]
pub struct ActionRecord {
    pub id: Uuid,
    pub action: Json,
    pub attempts: Json,
    /// `executed`, `failed`, or nothing while it is to be done.
    pub outcome: Option<String>,
    pub finished: Option<Timestamp>,
}

impl Tx {
    /// A trigger fires. If it is part of another one, that one may fire because of it.
    pub(super) async fn fire(
        &mut self,
        automation: &Automation,
        trigger: Uuid,
        labels: BTreeMap<String, String>,
        event: Option<ReceivedEvent>,
        firings: &mut Firings,
    ) -> Result<()> {
        let Some(mut path) = automation.trigger.path_to(trigger) else { return Ok(()) };
        let Some(fired) = path.pop() else { return Ok(()) };
        let mut firing = new_firing(fired, event, firings);
        firing.triggering_labels = labels;
        while let Some(parent) = path.pop() {
            match self.gather(automation, parent, firing, firings).await? {
                Some(next) => firing = next,
                None => return Ok(()),
            }
        }
        self.act(automation, &firing, firings).await
    }

    /// A part of a trigger fired. Answers the firing of the whole if that made it complete.
    async fn gather(
        &mut self,
        automation: &Automation,
        parent: &Trigger,
        part: Firing,
        firings: &mut Firings,
    ) -> Result<Option<Firing>> {
        let Some((needs, within)) = parent.needs() else { return Ok(None) };
        let event = part.triggering_event.clone();
        let mut parts = vec![part];
        if !needs.one() {
            let part = &parts[0];
            if let Some(within) = within {
                self.execute(&sql!(
                    "DELETE FROM trigger_part_firing WHERE parent_id = $1 AND fired < $2",
                    parent.id(),
                    part.triggered.plus_seconds(-within)
                ))
                .await?;
            }
            self.execute(&sql!(
                "INSERT INTO trigger_part_firing (parent_id, child_id, automation_id, fired, firing) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (parent_id, child_id) \
                 DO UPDATE SET fired = excluded.fired, firing = excluded.firing",
                parent.id(),
                part.trigger.id(),
                automation.id,
                part.triggered,
                value::json(part),
            ))
            .await?;
            let sql = sql!("SELECT firing FROM trigger_part_firing WHERE parent_id = $1 ORDER BY fired", parent.id());
            parts = self.all(&sql, |row| row.parse::<Firing>()).await?;
            let fired: Vec<(Uuid, Timestamp)> = parts.iter().map(|part| (part.trigger.id(), part.triggered)).collect();
            if !needs.are_met(&fired) {
                return Ok(None);
            }
            self.execute(&sql!("DELETE FROM trigger_part_firing WHERE parent_id = $1", parent.id())).await?;
        }
        let mut whole = new_firing(parent, event, firings);
        whole.triggering_firings = parts;
        Ok(Some(whole))
    }

    /// A whole automation fires: tells of it, remembers it, and leaves its actions to do.
    async fn act(&mut self, automation: &Automation, firing: &Firing, firings: &mut Firings) -> Result<()> {
        let depth = self.depth_of(firing.triggering_event.as_ref()).await?;
        if depth > DEEPEST {
            firings.cut_off += 1;
            return Ok(());
        }
        let event = state_change(automation, firing);
        self.emit(&event).await?;
        self.execute(&sql!(
            "INSERT INTO automation_firing (id, workspace_id, automation_id, triggered, event_id, depth, automation, \
             firing) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            firing.id,
            self.workspace(),
            automation.id,
            firing.triggered,
            event.id,
            depth,
            value::json(automation),
            value::json(firing),
        ))
        .await?;
        let always = automation.actions.iter().map(|action| (action, false));
        let on_trigger = automation.actions_on_trigger.iter().map(|action| (action, true));
        for (position, (action, on_trigger)) in always.chain(on_trigger).enumerate() {
            self.leave_action(firing.id, position as i64, action, on_trigger).await?;
        }
        self.wake(Wake::Automations);
        Ok(())
    }

    /// How many firings led to an event: none, unless it tells of a firing itself.
    async fn depth_of(&mut self, event: Option<&ReceivedEvent>) -> Result<i64> {
        let Some(event) = event.filter(|event| event.event.starts_with("prefect.automation.")) else { return Ok(0) };
        let told = event.related.iter().find(|resource| {
            resource.get("prefect.resource.role").is_some_and(|role| role == "automation-triggered-event")
        });
        let told = told.and_then(|resource| resource.get("prefect.resource.id")?.strip_prefix("prefect.event."));
        let id = told.and_then(|id| Uuid::parse_str(id).ok()).unwrap_or(event.id);
        let sql = sql!("SELECT depth FROM automation_firing WHERE event_id = $1", id);
        Ok(self.optional(&sql, |row| row.next::<i64>()).await?.map_or(0, |depth| depth + 1))
    }

    async fn leave_action(&mut self, firing: Uuid, position: i64, action: &Action, on_trigger: bool) -> Result<()> {
        self.execute(&sql!(
            "INSERT INTO automation_action (id, firing_id, position, action, on_trigger, due, attempts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            Uuid::now_v7(),
            firing,
            position,
            value::json(action),
            on_trigger,
            self.now(),
            value::json::<[()]>(&[]),
        ))
        .await
        .map(drop)
    }

    /// The firings of an automation, the newest first, with what was done.
    pub async fn list_firings(&mut self, automation: Uuid, limit: i64, offset: i64) -> Result<Vec<FiringRecord>> {
        let mut sql = sql!(
            "SELECT id, triggered, event_id, firing FROM automation_firing WHERE automation_id = $1 AND workspace_id = $2 \
             ORDER BY triggered DESC, id DESC",
            automation,
            self.workspace(),
        );
        sql.push_page(limit, offset);
        let mut records = self
            .all(&sql, |row| {
                let (id, triggered, event_id, firing) = (row.next()?, row.next()?, row.next()?, row.next()?);
                Ok(FiringRecord { id, triggered, event_id, firing, actions: Vec::new() })
            })
            .await?;
        for record in &mut records {
            let sql = sql!(
                "SELECT id, action, attempts, outcome, finished FROM automation_action WHERE firing_id = $1 ORDER BY position",
                record.id
            );
            record.actions = self
                .all(&sql, |row| {
                    let (id, action, attempts) = (row.next()?, row.next()?, row.next()?);
                    Ok(ActionRecord { id, action, attempts, outcome: row.next()?, finished: row.next()? })
                })
                .await?;
        }
        Ok(records)
    }

    /// Forgets firings from before a moment, with the actions that are done. At most so many at once.
    pub async fn delete_firings_before(&mut self, before: Timestamp, limit: i64) -> Result<u64> {
        self.execute(&sql!(
            "DELETE FROM automation_firing WHERE id IN (SELECT id FROM automation_firing WHERE triggered < $1 \
             AND NOT EXISTS (SELECT 1 FROM automation_action WHERE firing_id = automation_firing.id AND outcome IS NULL) \
             ORDER BY triggered LIMIT $2)",
            before,
            limit,
        ))
        .await
    }
}

fn new_firing(trigger: &Trigger, event: Option<ReceivedEvent>, firings: &mut Firings) -> Firing {
    Firing {
        id: Uuid::now_v7(),
        trigger: trigger.clone(),
        trigger_states: vec![TriggerState::Triggered],
        triggered: firings.next(),
        triggering_labels: BTreeMap::new(),
        triggering_firings: Vec::new(),
        triggering_event: event,
        triggering_value: None,
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    triggering_labels: &'a BTreeMap<String, String>,
    triggering_event: Option<&'a ReceivedEvent>,
}

/// The event that an automation was triggered.
fn state_change(automation: &Automation, firing: &Firing) -> Event {
    let mut event = ResourceEvent::new("prefect.automation", automation.id, "triggered").named(&automation.name);
    if let Trigger::Event(trigger) = &firing.trigger {
        let posture = if trigger.posture == Posture::Reactive { "Reactive" } else { "Proactive" };
        event = event.label("prefect.posture", posture);
    }
    if let Some(triggering) = &firing.triggering_event {
        event = event.with(related(format!("prefect.event.{}", triggering.id), "triggering-event", None));
    }
    let payload =
        Payload { triggering_labels: &firing.triggering_labels, triggering_event: firing.triggering_event.as_ref() };
    event.payload(Json::from_value(&payload)).at(firing.triggered)
}
