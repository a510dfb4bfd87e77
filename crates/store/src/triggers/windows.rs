//! Windows of triggers: what they count is a row each, changed as `core::triggers` says.

use tidegate_api::{
    automations::{Automation, EventTrigger},
    events::ReceivedEvent,
};
use tidegate_core::{
    json::to_text,
    time::Timestamp,
    triggers::{Memory, Posture, Role, Step, Window},
};
use uuid::Uuid;

use super::{TriggerRef, WINDOWS, firings::Firings};
use crate::{Result, Row, Sql, Tx, sql, value::json};

/// How long the windows of a reactive trigger are kept after they closed. Nothing can fall into them then.
const KEPT_SECONDS: f64 = 60.0;

/// One trigger's count for one value of its `for_each`.
struct Place<'a> {
    trigger: &'a TriggerRef,
    rule: &'a EventTrigger,
    key: &'a [String],
    key_text: &'a str,
}

/// A window, and the last event that left a trace in it.
struct Counted {
    window: Window,
    last_event: Option<ReceivedEvent>,
}

impl Tx {
    /// An event concerns a trigger.
    pub(super) async fn observe(
        &mut self,
        trigger: &TriggerRef,
        part: Role,
        event: &ReceivedEvent,
        firings: &mut Firings,
    ) -> Result<()> {
        let Some(rule) = trigger.event_trigger() else { return Ok(()) };
        let key = rule.key_of(event);
        let place = Place { trigger, rule, key_text: &to_text(&key), key: &key };
        let mut known = self.read_window(trigger.id, place.key_text).await?;
        let terms = rule.terms();
        // A window that only certain events open is over when it is over, whether somebody looked at it in time or not.
        let is_over = |counted: &mut Counted| {
            terms.waits_for_start && !terms.fires_at_once() && counted.window.end <= event.occurred
        };
        if let Some(counted) = known.take_if(is_over) {
            let step = terms.elapse(counted.window, event.occurred);
            self.follow(&place, step, None, Some(counted), firings).await?;
        }
        let step = terms.observe(known.as_ref().map(|counted| counted.window), event.occurred, part);
        self.follow(&place, step, Some(event), known, firings).await
    }

    /// Makes rows and a firing of what became of a window.
    async fn follow(
        &mut self,
        place: &Place<'_>,
        step: Step,
        event: Option<&ReceivedEvent>,
        before: Option<Counted>,
        firings: &mut Firings,
    ) -> Result<()> {
        let was_there = before.is_some();
        let last = before.and_then(|counted| counted.last_event);
        match step.window {
            Some(window) => {
                let remembered = match step.memory {
                    Memory::Keep => last.as_ref(),
                    Memory::This => event,
                    Memory::Nothing => None,
                };
                self.write_window(place.trigger, place.key_text, window, remembered).await?;
            }
            None if was_there => self.delete_window(place).await?,
            None => {}
        }
        if !step.fires {
            return Ok(());
        }
        let labels = place.rule.labels().into_iter().map(ToOwned::to_owned).zip(place.key.iter().cloned()).collect();
        self.fire(&place.trigger.automation, place.trigger.id, labels, event.cloned().or(last), firings).await
    }

    async fn delete_window(&mut self, place: &Place<'_>) -> Result<()> {
        let (trigger, key) = (place.trigger.id, place.key_text);
        self.execute(&sql!("DELETE FROM trigger_window WHERE trigger_id = $1 AND bucketing_key = $2", trigger, key))
            .await
            .map(drop)
    }

    async fn read_window(&mut self, trigger: Uuid, key: &str) -> Result<Option<Counted>> {
        let sql = sql!(
            "SELECT opens, closes, count, last_event FROM trigger_window WHERE trigger_id = $1 AND bucketing_key = $2",
            trigger,
            key
        );
        self.optional(&sql, counted).await
    }

    async fn write_window(
        &mut self,
        trigger: &TriggerRef,
        key: &str,
        window: Window,
        last: Option<&ReceivedEvent>,
    ) -> Result<()> {
        self.execute(&sql!(
            "INSERT INTO trigger_window (trigger_id, bucketing_key, automation_id, opens, closes, count, last_event) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (trigger_id, bucketing_key) DO UPDATE SET \
             opens = excluded.opens, closes = excluded.closes, count = excluded.count, last_event = excluded.last_event",
            trigger.id,
            key,
            trigger.automation.id,
            window.start,
            window.end,
            window.count,
            last.map(json),
        ))
        .await
        .map(drop)
    }

    /// A trigger that waits for something that does not come, without an event to begin with, waits from now on.
    pub(super) async fn open_standing_window(&mut self, trigger: &TriggerRef) -> Result<()> {
        let Some(rule) = trigger.event_trigger() else { return Ok(()) };
        let key = to_text::<[String]>(&[]);
        if self.read_window(trigger.id, &key).await?.is_none() {
            let window = rule.terms().window_from(self.now());
            self.write_window(trigger, &key, window, None).await?;
        }
        Ok(())
    }

    /// Settles the windows that are over. Answers whether there may be more of them.
    pub(super) async fn settle_windows(
        &mut self,
        triggers: &[TriggerRef],
        now: Timestamp,
        firings: &mut Firings,
    ) -> Result<bool> {
        let waiting: Vec<Uuid> = waiting(triggers);
        let mut sql = sql!("DELETE FROM trigger_window WHERE closes <= $1 AND NOT (", now.plus_seconds(-KEPT_SECONDS));
        sql.push_ids(self.dialect(), "trigger_id", &waiting).push(")");
        self.execute(&sql).await?;
        let mut sql = sql!(
            "SELECT trigger_id, bucketing_key, opens, closes, count, last_event FROM trigger_window WHERE closes <= $1 AND ",
            now
        );
        sql.push_ids(self.dialect(), "trigger_id", &waiting).push(" ORDER BY closes LIMIT ").bind(WINDOWS);
        let over = self.all(&sql, |row| Ok((row.next::<Uuid>()?, row.next::<String>()?, counted(row)?))).await?;
        let more = over.len() as i64 == WINDOWS;
        for (id, key_text, counted) in over {
            let Some(trigger) = triggers.iter().find(|trigger| trigger.id == id) else { continue };
            let Some(rule) = trigger.event_trigger() else { continue };
            let key: Vec<String> = serde_json::from_str(&key_text).unwrap_or_default();
            let step = rule.terms().elapse(counted.window, now);
            let place = Place { trigger, rule, key: &key, key_text: &key_text };
            self.follow(&place, step, None, Some(counted), firings).await?;
        }
        Ok(more)
    }

    /// When the next window closes of a trigger that waits for something that does not come.
    pub async fn next_window_end(&mut self, triggers: &[TriggerRef]) -> Result<Option<Timestamp>> {
        let mut sql = Sql::new("SELECT min(closes) FROM trigger_window WHERE ");
        sql.push_ids(self.dialect(), "trigger_id", &waiting(triggers));
        self.one(&sql, |row| row.next()).await
    }

    /// Forgets what the triggers of an automation had counted.
    pub(crate) async fn forget_counted(&mut self, automation: Uuid) -> Result<()> {
        self.execute(&sql!("DELETE FROM trigger_window WHERE automation_id = $1", automation)).await?;
        self.execute(&sql!("DELETE FROM trigger_part_firing WHERE automation_id = $1", automation)).await.map(drop)
    }
}

impl Tx {
    /// Forgets the windows of an automation that wait for something that does not come.
    pub(crate) async fn forget_waiting(&mut self, automation: &Automation) -> Result<()> {
        let waits = |rule: &&EventTrigger| rule.posture == Posture::Proactive;
        let ids: Vec<Uuid> =
            automation.trigger.event_triggers().into_iter().filter(waits).map(|rule| rule.id).collect();
        let mut sql = Sql::new("DELETE FROM trigger_window WHERE ");
        sql.push_ids(self.dialect(), "trigger_id", &ids);
        self.execute(&sql).await.map(drop)
    }
}

/// The triggers that fire when nothing happens.
fn waiting(triggers: &[TriggerRef]) -> Vec<Uuid> {
    let waits = |trigger: &&TriggerRef| trigger.event_trigger().is_some_and(|rule| rule.posture == Posture::Proactive);
    triggers.iter().filter(waits).map(|trigger| trigger.id).collect()
}

fn counted(row: &mut Row<'_>) -> Result<Counted> {
    let window = Window { start: row.next()?, end: row.next()?, count: row.next()? };
    Ok(Counted { window, last_event: row.parse_optional()? })
}
