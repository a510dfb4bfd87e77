//! Triggers: which events they mean, and on what terms they fire. When exactly is `core::triggers`' business.

use serde::{Deserialize, Serialize};
use tidegate_core::triggers::{Needs, Posture, Role, Terms};
use uuid::Uuid;

use crate::events::{OneOrMany, ReceivedEvent, Resource, ResourceSpecification, label_matches, specification_matches};

const ID: &str = "prefect.resource.id";
const ROLE: &str = "prefect.resource.role";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Trigger {
    Event(EventTrigger),
    Compound(CompoundTrigger),
    Sequence(SequenceTrigger),
}

/// Fires on events, or on their absence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventTrigger {
    #[serde(default)]
    pub id: Uuid,
    /// Labels of the event's resource.
    #[serde(rename = "match", default)]
    pub matching: ResourceSpecification,
    /// Labels of related resources; each of several must be found.
    #[serde(default = "no_labels")]
    pub match_related: OneOrMany<ResourceSpecification>,
    /// Names of events that must come first. `*` at the end stands for any rest.
    #[serde(default)]
    pub after: Vec<String>,
    /// Names of events that count; none means all.
    #[serde(default)]
    pub expect: Vec<String>,
    /// Labels by whose values events are counted apart: `label` of the resource or `related:<role>:<label>`.
    #[serde(default)]
    pub for_each: Vec<String>,
    pub posture: Posture,
    #[serde(default = "one")]
    pub threshold: i64,
    /// Seconds in which the events must come.
    #[serde(default)]
    pub within: f64,
}

/// Fires when some of its triggers have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompoundTrigger {
    #[serde(default)]
    pub id: Uuid,
    pub triggers: Vec<Trigger>,
    /// Seconds in which they must fire.
    pub within: Option<f64>,
    pub require: Require,
}

/// Fires when its triggers have, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceTrigger {
    #[serde(default)]
    pub id: Uuid,
    pub triggers: Vec<Trigger>,
    /// Seconds in which they must fire.
    pub within: Option<f64>,
}

/// How many triggers must fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Require {
    Count(usize),
    Word(RequireWord),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequireWord {
    Any,
    All,
}

fn no_labels() -> OneOrMany<ResourceSpecification> {
    OneOrMany::One(ResourceSpecification::new())
}

fn one() -> i64 {
    1
}

impl Trigger {
    pub fn id(&self) -> Uuid {
        match self {
            Self::Event(trigger) => trigger.id,
            Self::Compound(trigger) => trigger.id,
            Self::Sequence(trigger) => trigger.id,
        }
    }

    /// The word of its type, as on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "event",
            Self::Compound(_) => "compound",
            Self::Sequence(_) => "sequence",
        }
    }

    /// The triggers that it is made of.
    pub fn children(&self) -> &[Self] {
        match self {
            Self::Event(_) => &[],
            Self::Compound(trigger) => &trigger.triggers,
            Self::Sequence(trigger) => &trigger.triggers,
        }
    }

    /// Gives this trigger and all that it is made of new ids, whatever the client sent.
    pub fn renew_ids(&mut self, new: &mut impl FnMut() -> Uuid) {
        match self {
            Self::Event(trigger) => trigger.id = new(),
            Self::Compound(CompoundTrigger { id, triggers, .. })
            | Self::Sequence(SequenceTrigger { id, triggers, .. }) => {
                *id = new();
                for trigger in triggers {
                    trigger.renew_ids(new);
                }
            }
        }
    }

    /// What it needs of its children, and in how many seconds. Nothing for a trigger on events.
    pub fn needs(&self) -> Option<(Needs, Option<f64>)> {
        match self {
            Self::Event(_) => None,
            Self::Compound(trigger) => {
                let count = match trigger.require {
                    Require::Count(count) => count,
                    Require::Word(RequireWord::Any) => 1,
                    Require::Word(RequireWord::All) => trigger.triggers.len(),
                };
                Some((Needs::Some(count), trigger.within))
            }
            Self::Sequence(trigger) => {
                Some((Needs::InOrder(trigger.triggers.iter().map(Self::id).collect()), trigger.within))
            }
        }
    }

    /// The way from this trigger down to the one of that id, both included.
    pub fn path_to(&self, id: Uuid) -> Option<Vec<&Self>> {
        if self.id() == id {
            return Some(vec![self]);
        }
        self.children().iter().find_map(|child| {
            let mut path = child.path_to(id)?;
            path.insert(0, self);
            Some(path)
        })
    }

    /// The triggers on events among this trigger and all that it is made of.
    pub fn event_triggers(&self) -> Vec<&EventTrigger> {
        match self {
            Self::Event(trigger) => vec![trigger],
            _ => self.children().iter().flat_map(Self::event_triggers).collect(),
        }
    }
}

impl EventTrigger {
    pub fn terms(&self) -> Terms {
        Terms {
            posture: self.posture,
            threshold: self.threshold,
            within: self.within,
            waits_for_start: !self.after.is_empty(),
        }
    }

    /// The names of all events that can concern this trigger, unless patterns are among them, or any event will do.
    pub fn plain_names(&self) -> Option<Vec<&str>> {
        let names = self.expect.iter().chain(&self.after);
        (!self.expect.is_empty() && names.clone().all(|name| is_plain(name)))
            .then(|| names.map(String::as_str).collect())
    }

    /// The ids of resources of which an event must name one to concern this trigger, unless it is known by patterns.
    pub fn plain_resources(&self) -> Option<Vec<&str>> {
        std::iter::once(&self.matching).chain(self.match_related.as_slice()).find_map(|labels| {
            let ids = labels.get(ID)?.as_slice();
            ids.iter().all(|id| is_plain(id)).then(|| ids.iter().map(String::as_str).collect())
        })
    }

    /// What the event is to this trigger; nothing if it has nothing to do with it.
    pub fn role_of(&self, event: &ReceivedEvent) -> Option<Role> {
        let role = Role {
            starts: self.after.iter().any(|name| name_matches(name, &event.event)),
            counts: self.expect.is_empty() || self.expect.iter().any(|name| name_matches(name, &event.event)),
        };
        let is_meant = (role.starts || role.counts)
            && means_one_of(&self.matching, std::slice::from_ref(&event.resource))
            && self.match_related.as_slice().iter().all(|labels| means_one_of(labels, &event.related));
        is_meant.then_some(role)
    }

    /// The values by which events are counted apart, in the order of the labels' names.
    pub fn key_of(&self, event: &ReceivedEvent) -> Vec<String> {
        self.labels().into_iter().map(|label| find_label(event, label).unwrap_or_default().to_owned()).collect()
    }

    /// The labels of `for_each`, sorted: the order of the values in a key.
    pub fn labels(&self) -> Vec<&str> {
        let mut labels: Vec<&str> = self.for_each.iter().map(String::as_str).collect();
        labels.sort_unstable();
        labels
    }
}

/// Means itself alone.
fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '[']) && !pattern.starts_with('!')
}

/// Names know the star only; the other signs of labels' patterns mean nothing here, as in the reference.
fn name_matches(pattern: &str, name: &str) -> bool {
    !pattern.contains(['?', '[']) && !pattern.starts_with('!') && label_matches(pattern, name)
}

/// The value of a label of the resource, or of the first related resource of a role.
fn find_label<'e>(event: &'e ReceivedEvent, label: &str) -> Option<&'e str> {
    let related = label.strip_prefix("related:").and_then(|rest| rest.rsplit_once(':'));
    let (resource, label) = match related {
        Some((role, name)) => {
            let has_role = |resource: &&Resource| resource.get(ROLE).is_some_and(|value| value == role);
            (event.related.iter().find(has_role)?, name)
        }
        None => (&event.resource, label),
    };
    resource.get(label).map(String::as_str)
}

/// One of the resources has all these labels. No labels ask for nothing.
fn means_one_of(labels: &ResourceSpecification, resources: &[Resource]) -> bool {
    labels.is_empty() || resources.iter().any(|resource| specification_matches(labels, resource))
}

/// Whether every resource of a kind is meant.
pub(super) fn means_every(labels: &ResourceSpecification, kind: &str) -> bool {
    let every = format!("{kind}.*");
    labels.is_empty() || (labels.len() == 1 && labels.get(ID).is_some_and(|values| values.as_slice().contains(&every)))
}
