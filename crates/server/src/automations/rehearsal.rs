//! What an automation would have done: its trigger is shown the events of a time that is over, as if it had been there.
//! Nothing is written, and nothing is done.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tidegate_api::{
    automations::{Automation, EventTrigger, Trigger},
    events::ReceivedEvent,
};
use tidegate_core::{
    time::Timestamp,
    triggers::{Memory, Posture, Step, Window},
};
use uuid::Uuid;

/// One time that it would have fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WouldFire {
    pub triggered: Timestamp,
    pub triggering_labels: BTreeMap<String, String>,
    /// The events behind it, the last one first.
    pub events: Vec<EventNote>,
}

/// An event, shortly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventNote {
    pub id: Uuid,
    pub event: String,
    pub occurred: Timestamp,
    pub resource_id: String,
}

/// The windows and firings of one automation.
pub struct Rehearsal<'a> {
    automation: &'a Automation,
    windows: HashMap<Place, Counted>,
    /// What has fired of each trigger made of triggers.
    parts: HashMap<Uuid, Vec<Part>>,
    firings: Vec<WouldFire>,
}

/// A trigger, and the values by which it counts apart.
type Place = (Uuid, Vec<String>);
/// A window, and the last event that left a trace in it.
type Counted = (Window, Option<EventNote>);

#[derive(Clone)]
struct Part {
    child: Uuid,
    fired: Timestamp,
    events: Vec<EventNote>,
}

impl<'a> Rehearsal<'a> {
    /// Begins at a moment.
    pub fn new(automation: &'a Automation, since: Timestamp) -> Self {
        let mut windows = HashMap::new();
        for trigger in automation.trigger.event_triggers() {
            if trigger.posture == Posture::Proactive && trigger.after.is_empty() && trigger.for_each.is_empty() {
                windows.insert((trigger.id, Vec::new()), (trigger.terms().window_from(since), None));
            }
        }
        Self { automation, windows, parts: HashMap::new(), firings: Vec::new() }
    }

    /// The next event; events come by the time when they occurred.
    pub fn observe(&mut self, event: &ReceivedEvent) {
        self.elapse(event.occurred);
        let automation = self.automation;
        for trigger in automation.trigger.event_triggers() {
            let Some(role) = trigger.role_of(event) else { continue };
            let key = trigger.key_of(event);
            let known = self.windows.remove(&(trigger.id, key.clone()));
            let (window, last) = known.map_or((None, None), |(window, last)| (Some(window), last));
            let step = trigger.terms().observe(window, event.occurred, role);
            self.follow(trigger, key, step, Some(note(event)), last, event.occurred);
        }
    }

    /// Nothing happened until a moment.
    pub fn elapse(&mut self, now: Timestamp) {
        let automation = self.automation;
        for trigger in automation.trigger.event_triggers() {
            loop {
                let over = |((id, _), (window, _)): &(&Place, &Counted)| {
                    *id == trigger.id && window.end <= now && ends(trigger)
                };
                let next = self.windows.iter().filter(over).min_by_key(|(_, (window, _))| window.end);
                let Some(((id, key), _)) = next else { break };
                let key = (*id, key.clone());
                let Some((window, last)) = self.windows.remove(&key) else { break };
                let step = trigger.terms().elapse(window, window.end);
                self.follow(trigger, key.1, step, None, last, window.end);
            }
        }
    }

    /// How often it would have fired so far.
    pub fn count(&self) -> usize {
        self.firings.len()
    }

    /// All that would have fired until a moment.
    pub fn end(mut self, until: Timestamp) -> Vec<WouldFire> {
        self.elapse(until);
        self.firings
    }

    fn follow(
        &mut self,
        trigger: &EventTrigger,
        key: Vec<String>,
        step: Step,
        event: Option<EventNote>,
        last: Option<EventNote>,
        now: Timestamp,
    ) {
        if step.fires {
            let labels = trigger.labels().into_iter().map(ToOwned::to_owned).zip(key.iter().cloned()).collect();
            let events = event.clone().or_else(|| last.clone()).into_iter().collect();
            self.fire(trigger.id, labels, events, now);
        }
        if let Some(window) = step.window {
            let remembered = match step.memory {
                Memory::Keep => last,
                Memory::This => event,
                Memory::Nothing => None,
            };
            self.windows.insert((trigger.id, key), (window, remembered));
        }
    }

    fn fire(&mut self, trigger: Uuid, labels: BTreeMap<String, String>, mut events: Vec<EventNote>, now: Timestamp) {
        let Some(mut path) = self.automation.trigger.path_to(trigger) else { return };
        let Some(mut fired) = path.pop().map(Trigger::id) else { return };
        let is_simple = path.is_empty();
        while let Some(parent) = path.pop() {
            let Some((needs, within)) = parent.needs() else { return };
            if !needs.one() {
                let parts = self.parts.entry(parent.id()).or_default();
                if let Some(within) = within {
                    parts.retain(|part| now.plus_seconds(-within) <= part.fired);
                }
                parts.retain(|part| part.child != fired);
                parts.push(Part { child: fired, fired: now, events });
                let times: Vec<(Uuid, Timestamp)> = parts.iter().map(|part| (part.child, part.fired)).collect();
                if !needs.are_met(&times) {
                    return;
                }
                events = std::mem::take(parts).into_iter().rev().flat_map(|part| part.events).collect();
            }
            fired = parent.id();
        }
        let triggering_labels = if is_simple { labels } else { BTreeMap::new() };
        self.firings.push(WouldFire { triggered: now, triggering_labels, events });
    }
}

/// Whether its windows are settled by time: those of a reactive trigger that nothing has to open wait for an event.
fn ends(trigger: &EventTrigger) -> bool {
    trigger.posture == Posture::Proactive || (!trigger.after.is_empty() && !trigger.terms().fires_at_once())
}

fn note(event: &ReceivedEvent) -> EventNote {
    EventNote {
        id: event.id,
        event: event.event.clone(),
        occurred: event.occurred,
        resource_id: event.resource.get("prefect.resource.id").cloned().unwrap_or_default(),
    }
}
