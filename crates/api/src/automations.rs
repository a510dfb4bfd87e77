//! Automations: what to do when events happen, or fail to.

mod actions;
mod triggers;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_core::{time::Timestamp, triggers::Posture};
use uuid::Uuid;

pub use actions::{Action, FlowRunState, RunDeployment, Source};
pub use triggers::{CompoundTrigger, EventTrigger, Require, SequenceTrigger, Trigger};

use crate::{events::ReceivedEvent, yes};

/// An automation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Automation {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub tags: Vec<String>,
    pub trigger: Trigger,
    /// What is done at each firing.
    pub actions: Vec<Action>,
    /// What is done besides, with the event of the firing itself as the triggering one.
    #[serde(default)]
    pub actions_on_trigger: Vec<Action>,
    /// What is done when a firing is over. Only metric triggers resolve, which this product does not have.
    #[serde(default)]
    pub actions_on_resolve: Vec<Action>,
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
}

/// An automation to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutomationCreate {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub tags: Vec<String>,
    pub trigger: Trigger,
    pub actions: Vec<Action>,
    #[serde(default)]
    pub actions_on_trigger: Vec<Action>,
    #[serde(default)]
    pub actions_on_resolve: Vec<Action>,
    /// Whose automation it is, such as `prefect.deployment.<id>`: it goes when its owner's automations go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_resource: Option<String>,
}

/// What replaces an automation; what is not given stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutomationUpdate {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    pub trigger: Trigger,
    pub actions: Vec<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions_on_trigger: Option<Vec<Action>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions_on_resolve: Option<Vec<Action>>,
}

/// A change of an automation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AutomationPartialUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AutomationSort {
    CreatedDesc,
    UpdatedDesc,
    #[default]
    NameAsc,
    NameDesc,
}

/// One time that a trigger fired, with what made it fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    pub id: Uuid,
    pub trigger: Trigger,
    pub trigger_states: Vec<TriggerState>,
    /// When it fired, which is a little after what made it fire.
    pub triggered: Timestamp,
    /// The values of the trigger's `for_each`.
    #[serde(default)]
    pub triggering_labels: BTreeMap<String, String>,
    /// The firings that a trigger made of triggers consists of.
    #[serde(default)]
    pub triggering_firings: Vec<Firing>,
    /// The event that made a reactive trigger fire, or the last one that a proactive trigger saw.
    #[serde(default)]
    pub triggering_event: Option<ReceivedEvent>,
    #[serde(default)]
    pub triggering_value: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TriggerState {
    Triggered,
    Resolved,
}

impl Firing {
    /// This firing and those that it consists of.
    pub fn all_firings(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.triggering_firings.iter().flat_map(Self::all_firings)).collect()
    }

    /// The events of all its firings, its own first.
    pub fn all_events(&self) -> Vec<&ReceivedEvent> {
        self.all_firings().into_iter().filter_map(|firing| firing.triggering_event.as_ref()).collect()
    }
}

impl AutomationCreate {
    /// Why the automation would start runs that start it again, if it would.
    pub fn loops(&self) -> Option<&'static str> {
        loops(self.enabled, &self.trigger, &self.actions)
    }
}

impl AutomationUpdate {
    /// Why the automation would start runs that start it again, if it would.
    pub fn loops(&self) -> Option<&'static str> {
        loops(self.enabled.unwrap_or(true), &self.trigger, &self.actions)
    }

    /// The automation after the change.
    pub fn applied_to(self, before: Automation) -> Automation {
        Automation {
            name: self.name,
            description: self.description.unwrap_or(before.description),
            enabled: self.enabled.unwrap_or(before.enabled),
            tags: self.tags.unwrap_or(before.tags),
            trigger: self.trigger,
            actions: self.actions,
            actions_on_trigger: self.actions_on_trigger.unwrap_or(before.actions_on_trigger),
            actions_on_resolve: self.actions_on_resolve.unwrap_or(before.actions_on_resolve),
            ..before
        }
    }
}

impl Automation {
    /// Why the automation would start runs that start it again, if it would.
    pub fn loops(&self) -> Option<&'static str> {
        loops(self.enabled, &self.trigger, &self.actions)
    }
}

const FLOW_RUN: &str = "prefect.flow-run";

/// Every run of a deployment passes these states, so a run that is started at one of them is followed by another.
const PASSED_BY_EVERY_RUN: [&str; 4] =
    ["prefect.flow-run.Scheduled", "prefect.flow-run.Pending", "prefect.flow-run.Running", "prefect.flow-run.*"];

fn loops(enabled: bool, trigger: &Trigger, actions: &[Action]) -> Option<&'static str> {
    let Trigger::Event(trigger) = trigger else { return None };
    if !enabled
        || trigger.posture != Posture::Reactive
        || !trigger.expect.iter().any(|event| PASSED_BY_EVERY_RUN.contains(&event.as_str()))
    {
        return None;
    }
    actions.iter().find_map(|action| match action {
        Action::RunDeployment(RunDeployment { source: Source::Inferred, .. }) => Some(
            "Running an inferred deployment from a flow run state change event will lead to an infinite loop of flow runs.  \
             Please choose a specific deployment and add additional filtering labels to the match or match_related for this \
             automation's trigger.",
        ),
        Action::RunDeployment(_)
            if triggers::means_every(&trigger.matching, FLOW_RUN)
                && trigger.match_related.as_slice().iter().any(|labels| triggers::means_every(labels, FLOW_RUN)) =>
        {
            Some(
                "Running a selected deployment from a flow run state change event may lead to an infinite loop of flow \
                 runs.  Please include additional filtering labels on either match or match_related to narrow down which \
                 flow runs will trigger this automation to exclude flow runs from the deployment you've selected.",
            )
        }
        _ => None,
    })
}
