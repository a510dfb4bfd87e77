//! Evaluates triggers: reads the outbox behind the last position, finds the triggers that each event concerns, and hands
//! both to the store, which counts and fires. One server does it at a time; another takes over when that one falls silent.

mod candidates;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tidegate_api::{automations::Automation, events::ReceivedEvent};
use tidegate_core::{
    time::Timestamp,
    triggers::{LOOKBACK_SECONDS, Posture, Role},
};
use tidegate_store::{
    Dialect, Position, StoredEvent, Tx, Wake,
    triggers::{Evaluation, Step, TriggerRef},
};
use uuid::Uuid;

use self::candidates::Candidates;
use super::{Report, Service};
use crate::App;

/// Events looked at in one pass.
const PAGE: i64 = 500;
/// Triggers that these events may concern: others wait for what an evaluation has in hand. One event is always looked at whole.
const MATCHES: usize = 1_000;
/// How long one server is the one that evaluates without saying so again.
const HELD_SECONDS: f64 = 15.0;
const RENEWED_SECONDS: f64 = 5.0;
/// Windows are settled a little after they closed: what happened just before is still on its way.
const GRACE_SECONDS: f64 = 1.0;
/// Positions that concern nobody are written down now and then only.
const UNWRITTEN: u64 = 20;

/// The service, with what it remembers between passes. All of it can be lost.
pub struct Triggers {
    holder: Uuid,
    held_until: Option<Timestamp>,
    known: Option<Known>,
    /// What the database says, and how far this server has read.
    written: Position,
    read: Position,
    unwritten: u64,
    /// When the next window is to be settled.
    next_end: NextEnd,
    /// Events may be waiting for those that they follow.
    holds_followers: bool,
}

/// When a window closes next.
#[derive(Clone, Copy, PartialEq)]
enum NextEnd {
    /// Windows changed since it was looked up.
    Unknown,
    Never,
    At(Timestamp),
}

impl NextEnd {
    fn is_by(self, now: Timestamp) -> bool {
        matches!(self, Self::At(end) if end <= now)
    }
}

/// The automations of one revision.
struct Known {
    revision: i64,
    candidates: Candidates,
    /// Their windows were opened.
    is_standing: bool,
}

impl Default for Triggers {
    fn default() -> Self {
        Self {
            holder: Uuid::now_v7(),
            held_until: None,
            known: None,
            written: Position::default(),
            read: Position::default(),
            unwritten: 0,
            next_end: NextEnd::Unknown,
            holds_followers: true,
        }
    }
}

impl Service for Triggers {
    const NAME: &'static str = "triggers";

    fn wakes_on(&self, wake: Wake) -> bool {
        matches!(wake, Wake::Events | Wake::Automations)
    }

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        if !self.holds(app).await? {
            return Ok(Report::default());
        }
        let from = self.read;
        let revision = self.known.as_ref().map(|known| known.revision);
        // While no automation is switched on, what happens is not even read.
        let page =
            if self.known.as_ref().is_some_and(|known| !known.candidates.triggers().is_empty()) { PAGE } else { 0 };
        // The events come first: whoever made an automation before them is seen.
        let (events, progress, automations) = app
            .store
            .read(async move |tx: &mut Tx| {
                let events = if page > 0 { tx.read_outbox(from, page).await? } else { Vec::new() };
                let progress = tx.read_trigger_progress().await?;
                let is_new = progress.is_some_and(|progress| Some(progress.revision) != revision);
                let automations = if is_new { Some(tx.list_active_automations().await?) } else { None };
                Ok::<_, tidegate_store::Error>((events, progress, automations))
            })
            .await?;
        let Some(progress) = progress else { return Ok(Report::default()) };
        if let Some(automations) = automations {
            self.learn(progress.revision, automations);
            if page == 0 {
                return Ok(Report { items: 0, more: true });
            }
        }
        let (steps, looked_at) = self.matched(&events)?;
        let more = looked_at < events.len() || (page > 0 && events.len() as i64 >= page);
        let events = &events[..looked_at];
        let to = events.last().map_or(self.read, |(position, _)| *position);
        let steps = self.put_in_order(app, events, steps).await?;
        let done = self.evaluate(app, steps, to, more).await?.unwrap_or_default();
        Ok(Report { items: done.firings, more: more || done.more })
    }
}

impl Triggers {
    /// Whether this server is the one that evaluates.
    async fn holds(&mut self, app: &App) -> anyhow::Result<bool> {
        let now = app.store.now();
        if self.held_until.is_some_and(|until| now.plus_seconds(RENEWED_SECONDS) < until) {
            return Ok(true);
        }
        let was_holding = self.held_until.is_some_and(|until| now < until);
        let (holder, until) = (self.holder, now.plus_seconds(HELD_SECONDS));
        let progress = app.store.read(async move |tx: &mut Tx| tx.read_trigger_progress().await).await?;
        let is_free = progress.is_some_and(|progress| {
            app.store.dialect() == Dialect::Sqlite
                || progress.holder.is_none_or(|other| other == holder)
                || progress.held_until.is_none_or(|until| until <= now)
        });
        if !is_free
            || !app.store.write("triggers", async move |tx: &mut Tx| tx.hold_triggers(holder, until).await).await?
        {
            self.held_until = None;
            return Ok(false);
        }
        self.held_until = Some(until);
        if !was_holding {
            let progress = app.store.read(async move |tx: &mut Tx| tx.read_trigger_progress().await).await?;
            self.begin_at(progress.map(|progress| progress.position).unwrap_or_default());
        }
        Ok(true)
    }

    fn begin_at(&mut self, position: Position) {
        (self.written, self.read, self.unwritten) = (position, position, 0);
        self.known = None;
        self.holds_followers = true;
    }

    /// What happened before the first of these automations was there need not be read.
    fn learn(&mut self, revision: i64, automations: Vec<(Automation, Position)>) {
        if let Some(first) = automations.iter().map(|(_, since)| *since).min() {
            self.read = self.read.max(first);
        }
        let mut triggers = Vec::new();
        for (automation, since) in automations {
            let automation = Arc::new(automation);
            for trigger in automation.trigger.event_triggers() {
                triggers.push(TriggerRef { automation: automation.clone(), id: trigger.id, since });
            }
        }
        self.known = Some(Known { revision, candidates: Candidates::new(triggers), is_standing: false });
        self.next_end = NextEnd::Unknown;
    }

    /// What the events of a page mean to the triggers, and how many of the events were looked at.
    fn matched(&self, events: &[(Position, StoredEvent)]) -> anyhow::Result<(Vec<Step>, usize)> {
        let (mut steps, mut count) = (Vec::new(), 0);
        let Some(known) = &self.known else { return Ok((steps, events.len())) };
        for (looked_at, (position, stored)) in events.iter().enumerate() {
            if count >= MATCHES {
                return Ok((steps, looked_at));
            }
            if !known.candidates.know_name(&stored.event) {
                continue;
            }
            let event = Arc::new(stored.parse()?);
            let mut candidates = known.candidates.of(&event);
            candidates.retain(|trigger| trigger.since < *position);
            let matches = matches_of(&candidates, &event);
            if !matches.is_empty() {
                count += matches.len();
                steps.push(Step { event, matches, waits: false, waited: false });
            }
        }
        Ok((steps, events.len()))
    }

    /// Lets events wait for those that they follow, and brings back those that waited for one of these.
    async fn put_in_order(
        &mut self,
        app: &App,
        events: &[(Position, StoredEvent)],
        mut steps: Vec<Step>,
    ) -> anyhow::Result<Vec<Step>> {
        let now = app.store.now();
        let horizon = now.plus_seconds(-LOOKBACK_SECONDS);
        let places: HashMap<Uuid, usize> =
            events.iter().enumerate().map(|(place, (_, event))| (event.id, place)).collect();
        let to = events.last().map_or(self.read, |(position, _)| *position);
        let leaders: Vec<Uuid> = steps.iter().filter_map(|step| step.event.follows).collect();
        let elsewhere: Vec<Uuid> = leaders.into_iter().filter(|leader| !places.contains_key(leader)).collect();
        let stored: HashSet<Uuid> = if elsewhere.is_empty() {
            HashSet::new()
        } else {
            app.store.read(async move |tx: &mut Tx| tx.known_events(&elsewhere, to).await).await?.into_iter().collect()
        };
        for step in &mut steps {
            let Some(leader) = step.event.follows else { continue };
            let came_before = match (places.get(&leader), places.get(&step.event.id)) {
                (Some(leader), Some(own)) => leader < own,
                _ => stored.contains(&leader),
            };
            step.waits = !came_before && leader != step.event.id && horizon < step.event.occurred;
            self.holds_followers |= step.waits;
        }
        if !self.holds_followers {
            return Ok(steps);
        }
        self.with_followers(app, events, steps, horizon).await
    }

    /// Puts events that waited behind the ones that they waited for.
    async fn with_followers(
        &mut self,
        app: &App,
        events: &[(Position, StoredEvent)],
        steps: Vec<Step>,
        horizon: Timestamp,
    ) -> anyhow::Result<Vec<Step>> {
        let Some(known) = &self.known else { return Ok(steps) };
        let ids: Vec<Uuid> = events.iter().map(|(_, event)| event.id).collect();
        let (held, more) = app.store.read(async move |tx: &mut Tx| tx.list_followers(&ids, horizon).await).await?;
        let (mut waiting, steps): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| step.waits);
        self.holds_followers = more || !waiting.is_empty();
        for stored in held {
            let event = Arc::new(stored.parse()?);
            waiting.push(Step {
                matches: matches_of(&known.candidates.of(&event), &event),
                event,
                waits: false,
                waited: true,
            });
        }
        waiting.sort_by_key(|step| step.event.occurred);
        let early: HashSet<Uuid> = waiting.iter().map(|step| step.event.id).collect();
        let mut known_steps: HashMap<Uuid, Step> = steps.into_iter().map(|step| (step.event.id, step)).collect();
        let mut out = Vec::with_capacity(known_steps.len() + waiting.len());
        for (_, event) in events.iter().filter(|(_, event)| !early.contains(&event.id)) {
            out.extend(known_steps.remove(&event.id));
            release(event.id, &mut waiting, &mut out);
        }
        for step in waiting {
            // Whom it follows did not come for so long that it never will.
            let is_lost = step.waited && step.event.received <= horizon;
            if is_lost || step.waits {
                out.push(step);
            }
        }
        Ok(out)
    }

    async fn evaluate(
        &mut self,
        app: &App,
        steps: Vec<Step>,
        to: Position,
        more: bool,
    ) -> anyhow::Result<Option<tidegate_store::triggers::Evaluated>> {
        let Some(known) = &mut self.known else { return Ok(None) };
        let mut settled = app.store.now().plus_seconds(-GRACE_SECONDS);
        let standing = if known.is_standing { Vec::new() } else { standing(known.candidates.triggers()) };
        if self.next_end == NextEnd::Unknown {
            let triggers = known.candidates.triggers().clone();
            let end = app.store.read(async move |tx: &mut Tx| tx.next_window_end(&triggers).await).await?;
            self.next_end = end.map_or(NextEnd::Never, NextEnd::At);
        }
        if !more && self.next_end.is_by(settled) {
            // Nobody can tell what did not happen while there are events that were not read.
            let unread = app.store.read(async move |tx: &mut Tx| tx.oldest_unread(to).await).await?;
            settled = unread.map_or(settled, |unread| settled.min(unread.plus_seconds(-GRACE_SECONDS)));
        }
        let is_over = self.next_end.is_by(settled);
        let elapsed = (!more && is_over).then_some(settled);
        let is_idle = steps.is_empty() && standing.is_empty() && elapsed.is_none();
        if is_idle {
            self.unwritten += u64::from(to != self.read);
            self.read = to;
            if self.unwritten < UNWRITTEN {
                return Ok(None);
            }
        }
        let evaluation = Evaluation {
            holder: self.holder,
            from: self.written,
            to,
            standing,
            steps,
            elapsed,
            triggers: known.candidates.triggers().clone(),
        };
        let done =
            app.store.write("triggers", async move |tx: &mut Tx| tx.evaluate_triggers(&evaluation).await).await?;
        match done {
            Some(done) => {
                if done.cut_off > 0 {
                    metrics::counter!("tidegate_automation_firings_cut_off_total").increment(done.cut_off);
                    tracing::warn!(
                        "{} firing(s) were left out: automations fire each other; look at their triggers",
                        done.cut_off
                    );
                }
                known.is_standing = true;
                self.next_end = NextEnd::Unknown;
                (self.written, self.read, self.unwritten) = (to, to, 0);
            }
            // Another server went on.
            None => self.held_until = None,
        }
        Ok(done)
    }
}

/// Moves those that waited for an event behind it, and those that waited for them.
fn release(id: Uuid, waiting: &mut Vec<Step>, out: &mut Vec<Step>) {
    let mut leaders = vec![id];
    while let Some(leader) = leaders.pop() {
        let (free, rest) = std::mem::take(waiting).into_iter().partition(|step| step.event.follows == Some(leader));
        *waiting = rest;
        let free: Vec<Step> = free;
        leaders.extend(free.iter().map(|step| step.event.id));
        out.extend(free.into_iter().map(|step| Step { waits: false, ..step }));
    }
}

fn matches_of(candidates: &[&TriggerRef], event: &ReceivedEvent) -> Vec<(TriggerRef, Role)> {
    let concerned = candidates.iter().filter(|trigger| !is_echo(event, trigger));
    concerned.filter_map(|trigger| Some(((*trigger).clone(), trigger.event_trigger()?.role_of(event)?))).collect()
}

/// What tells of firings, and of runs that automations started, fires nothing but triggers that name it; what tells of a
/// firing never its own automation. Automations that answer to everything would answer to each other for ever.
fn is_echo(event: &ReceivedEvent, trigger: &TriggerRef) -> bool {
    let kind = event.event.strip_prefix("prefect.automation.").unwrap_or_default();
    let tells_of_firing = kind == "triggered" || kind == "resolved" || kind.starts_with("action.");
    let named = |start: &str| {
        trigger
            .event_trigger()
            .is_some_and(|rule| rule.expect.iter().chain(&rule.after).any(|name| name.starts_with(start)))
    };
    if tells_of_firing {
        let own = format!("prefect.automation.{}", trigger.automation.id);
        return !named("prefect.automation.") || event.resource.get("prefect.resource.id") == Some(&own);
    }
    event.event.starts_with("prefect.flow-run.") && was_started_by_automation(event) && !named("prefect.flow-run.")
}

fn was_started_by_automation(event: &ReceivedEvent) -> bool {
    event.related.iter().any(|resource| {
        resource.get("prefect.resource.role").is_some_and(|role| role == "creator")
            && resource.get("prefect.resource.id").is_some_and(|id| id.starts_with("prefect.automation."))
    })
}

/// Triggers that wait for what does not come, without an event to begin with and without resources to tell apart.
fn standing(triggers: &[TriggerRef]) -> Vec<TriggerRef> {
    let always = |trigger: &&TriggerRef| {
        trigger
            .event_trigger()
            .is_some_and(|rule| rule.posture == Posture::Proactive && rule.after.is_empty() && rule.for_each.is_empty())
    };
    triggers.iter().filter(always).cloned().collect()
}
