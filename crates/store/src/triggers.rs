//! The evaluation of triggers: events come in the order of the outbox, windows and firings are rows, and how far it has
//! come moves in the transaction of what it did. A restart loses no window and fires nothing twice.

mod firings;
mod followers;
mod progress;
mod windows;

use std::sync::Arc;

use tidegate_api::{
    automations::{Automation, EventTrigger},
    events::ReceivedEvent,
};
use tidegate_core::{time::Timestamp, triggers::Role};
use uuid::Uuid;

pub use firings::{ActionRecord, FiringRecord};
pub use progress::Progress;

use crate::{Position, Result, Tx};

/// What one evaluation has to look at, in this order.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// Who evaluates, and from where to where.
    pub holder: Uuid,
    pub from: Position,
    pub to: Position,
    /// Triggers that always have an open window.
    pub standing: Vec<TriggerRef>,
    pub steps: Vec<Step>,
    /// Windows that closed by now are settled, when the outbox is empty.
    pub elapsed: Option<Timestamp>,
    /// Every trigger there is, for windows that close.
    pub triggers: Arc<Vec<TriggerRef>>,
}

/// One event, and what is to be done about it.
#[derive(Clone, Debug)]
pub struct Step {
    pub event: Arc<ReceivedEvent>,
    /// The triggers that it concerns.
    pub matches: Vec<(TriggerRef, Role)>,
    /// It waits for the event that it follows.
    pub waits: bool,
    /// It waited until now.
    pub waited: bool,
}

/// A trigger on events, in its automation.
#[derive(Clone, Debug)]
pub struct TriggerRef {
    pub automation: Arc<Automation>,
    pub id: Uuid,
    /// Events up to here came before the automation was there.
    pub since: Position,
}

impl TriggerRef {
    /// The trigger itself.
    pub fn event_trigger(&self) -> Option<&EventTrigger> {
        self.automation.trigger.event_triggers().into_iter().find(|trigger| trigger.id == self.id)
    }
}

/// What an evaluation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluated {
    pub firings: u64,
    /// Firings left out because too many automations had fired one by the other.
    pub cut_off: u64,
    /// There may be more windows to settle.
    pub more: bool,
}

/// Windows settled in one transaction.
const WINDOWS: i64 = 500;

impl Tx {
    /// Evaluates; nothing if somebody else went on meanwhile.
    pub async fn evaluate_triggers(&mut self, evaluation: &Evaluation) -> Result<Option<Evaluated>> {
        if !self.advance_triggers(evaluation.holder, evaluation.from, evaluation.to).await? {
            return Ok(None);
        }
        let mut done = Evaluated::default();
        let mut clock = firings::Firings::at(self.now());
        for trigger in &evaluation.standing {
            self.open_standing_window(trigger).await?;
        }
        for step in &evaluation.steps {
            if step.waits {
                self.hold_follower(&step.event).await?;
                continue;
            }
            if step.waited {
                self.release_follower(step.event.id).await?;
            }
            for (trigger, role) in &step.matches {
                self.observe(trigger, *role, &step.event, &mut clock).await?;
            }
        }
        if let Some(now) = evaluation.elapsed {
            done.more = self.settle_windows(&evaluation.triggers, now, &mut clock).await?;
        }
        (done.firings, done.cut_off) = (clock.count(), clock.cut_off);
        Ok(Some(done))
    }
}
