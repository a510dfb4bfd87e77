//! Finds the triggers that an event may concern without asking each of them: by a resource that they name, or by the name
//! of the event. Whether one really means the event is the trigger's to say.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tidegate_api::events::ReceivedEvent;
use tidegate_store::triggers::TriggerRef;

const ID: &str = "prefect.resource.id";
/// What the reference's own log handler sends; there are too many, and nobody waits for them.
const LOG_WRITTEN: &str = "prefect.log.write";

/// All triggers that are switched on, by what an event must have to concern them.
pub(super) struct Candidates {
    triggers: Arc<Vec<TriggerRef>>,
    by_resource: HashMap<String, Vec<usize>>,
    by_event: HashMap<String, Vec<usize>>,
    others: Vec<usize>,
    /// Names that any trigger waits for, unless one waits for a pattern.
    names: Option<HashSet<String>>,
}

impl Candidates {
    pub(super) fn new(triggers: Vec<TriggerRef>) -> Self {
        let mut candidates = Self {
            triggers: Arc::default(),
            by_resource: HashMap::new(),
            by_event: HashMap::new(),
            others: Vec::new(),
            names: Some(HashSet::new()),
        };
        for (place, trigger) in triggers.iter().enumerate() {
            let Some(rule) = trigger.event_trigger() else { continue };
            let names = rule.plain_names();
            candidates.names = match (candidates.names, &names) {
                (Some(mut all), Some(names)) => {
                    all.extend(names.iter().map(|name| (*name).to_owned()));
                    Some(all)
                }
                _ => None,
            };
            let (map, keys) = match (rule.plain_resources(), names) {
                (Some(resources), _) => (&mut candidates.by_resource, resources),
                (None, Some(names)) => (&mut candidates.by_event, names),
                (None, None) => {
                    candidates.others.push(place);
                    continue;
                }
            };
            for key in keys {
                map.entry(key.to_owned()).or_default().push(place);
            }
        }
        candidates.triggers = Arc::new(triggers);
        candidates
    }

    pub(super) fn triggers(&self) -> &Arc<Vec<TriggerRef>> {
        &self.triggers
    }

    /// Whether an event of this name need be looked at.
    pub(super) fn know_name(&self, name: &str) -> bool {
        name != LOG_WRITTEN && self.names.as_ref().is_none_or(|names| names.contains(name))
    }

    /// The triggers that the event may concern, in their own order.
    pub(super) fn of(&self, event: &ReceivedEvent) -> Vec<&TriggerRef> {
        let resources = std::iter::once(&event.resource).chain(&event.related);
        let named = resources.filter_map(|resource| self.by_resource.get(resource.get(ID)?)).flatten();
        let called = self.by_event.get(&event.event).into_iter().flatten();
        let mut places: Vec<usize> = named.chain(called).chain(&self.others).copied().collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| &self.triggers[place]).collect()
    }
}
