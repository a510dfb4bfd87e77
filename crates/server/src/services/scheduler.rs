//! Gives runs to schedules: those of the next hour and at least three, a little at a time. Looks only at schedules whose
//! next look is due, so that its work follows what is due and not how many schedules there are. No catching up: dates that
//! went by while nobody looked are gone.

use tidegate_core::{
    names,
    schedule::{Error, Schedule},
    time::Timestamp,
};
use tidegate_store::{
    Tx, Wake,
    scheduled_runs::{DueSchedule, ScheduledRun},
};

use super::{Report, Service};
use crate::{App, settings::Services};

/// Schedules per transaction: a new one can mean a hundred runs.
const BATCH: i64 = 50;

pub struct Scheduler;

impl Service for Scheduler {
    const NAME: &'static str = "scheduler";

    fn wakes_on(&self, wake: Wake) -> bool {
        wake == Wake::Schedules
    }

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        let horizon = Horizon::of(&app.settings.services);
        let (looked, items) = app
            .store
            .write("scheduler", async move |tx: &mut Tx| {
                let due = tx.lock_due_schedules(BATCH).await?;
                let mut items = 0;
                for schedule in &due {
                    items += give_runs(tx, schedule, horizon).await?;
                }
                Ok::<_, tidegate_store::Error>((due.len() as i64, items))
            })
            .await?;
        Ok(Report { items: items as u64, more: looked == BATCH })
    }
}

async fn give_runs(tx: &mut Tx, due: &DueSchedule, horizon: Horizon) -> Result<usize, tidegate_store::Error> {
    let now = tx.now();
    let plan = read(due).and_then(|schedule| {
        plan(&schedule, now, horizon.at_most(due.max_scheduled_runs)).map(|plan| (schedule, plan))
    });
    let (schedule, plan) = match plan {
        Ok(plan) => plan,
        Err(error) => {
            let (id, deployment) = (due.id, due.deployment_id);
            tracing::warn!(deployment.id = %deployment, "schedule {id} of deployment {deployment} cannot be followed: {error}");
            tx.set_schedule_tick(due.id, None, None).await?;
            return Ok(0);
        }
    };
    let fresh = plan.dates.iter().filter(|date| due.scheduled_until.is_none_or(|until| **date > until));
    let runs = scheduled_runs(due, &schedule, fresh.copied());
    let given = tx.insert_scheduled_runs(due, schedule.kind(), &runs).await?;
    let until = plan.dates.last().copied().max(due.scheduled_until);
    tx.set_schedule_tick(due.id, plan.next_look, until).await?;
    Ok(given)
}

fn read(due: &DueSchedule) -> Result<Schedule, Error> {
    Schedule::parse(due.schedule.text())
}

/// Runs with the keys that make each date of a schedule count once.
fn scheduled_runs(due: &DueSchedule, schedule: &Schedule, dates: impl Iterator<Item = Timestamp>) -> Vec<ScheduledRun> {
    dates
        .map(|date| ScheduledRun {
            date,
            idempotency_key: format!("scheduled {} {} {}", due.deployment_id, due.id, schedule.shown(date)),
            name: names::random_run_name(rand::random()),
        })
        .collect()
}

/// Gives runs of a deployment's active schedules between two times that somebody names, be they past.
pub async fn give_runs_between(
    tx: &mut Tx,
    deployment: uuid::Uuid,
    start: Timestamp,
    end: Timestamp,
    horizon: Horizon,
) -> Result<usize, tidegate_store::Error> {
    let mut given = 0;
    for due in tx.list_active_schedules(deployment).await? {
        let Ok(schedule) = read(&due) else { continue };
        let dates = dates(&schedule, start, end, horizon).unwrap_or_default();
        let runs = scheduled_runs(&due, &schedule, dates.into_iter());
        given += tx.insert_scheduled_runs(&due, schedule.kind(), &runs).await?;
    }
    Ok(given)
}

/// How far ahead runs are given.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    pub least_runs: usize,
    pub most_runs: usize,
    pub least_seconds: f64,
    pub most_seconds: f64,
}

impl Horizon {
    pub fn of(settings: &Services) -> Self {
        let count = |number: i64| usize::try_from(number).unwrap_or(0);
        Self {
            least_runs: count(settings.scheduler_min_runs),
            most_runs: count(settings.scheduler_max_runs),
            least_seconds: settings.scheduler_min_scheduled_seconds,
            most_seconds: settings.scheduler_max_scheduled_seconds,
        }
    }

    fn at_most(mut self, runs: Option<i64>) -> Self {
        if let Some(most) = runs.and_then(|runs| usize::try_from(runs).ok()) {
            self.most_runs = self.most_runs.min(most.max(1));
            self.least_runs = self.least_runs.min(self.most_runs);
        }
        self
    }
}

/// Dates from `start` to `end`: as many as it takes to have the least number and to reach the least time, within the most.
fn dates(schedule: &Schedule, start: Timestamp, end: Timestamp, horizon: Horizon) -> Result<Vec<Timestamp>, Error> {
    if horizon.most_runs == 0 {
        return Ok(Vec::new());
    }
    let enough = start.plus_seconds(horizon.least_seconds);
    let few = horizon.least_runs.clamp(1, horizon.most_runs);
    let mut dates = schedule.dates(start, Some(end), Some(few))?;
    if dates.len() == few && few < horizon.most_runs && dates.last().is_some_and(|last| *last < enough) {
        dates = schedule.dates(start, Some(end), Some(horizon.most_runs))?;
        let reached = dates.iter().position(|date| *date >= enough).map_or(dates.len(), |at| at + 1);
        dates.truncate(reached.max(few));
    }
    Ok(dates)
}

struct Plan {
    dates: Vec<Timestamp>,
    next_look: Option<Timestamp>,
}

/// What a schedule has to be given now, and when to look at it again: when what was given falls short.
fn plan(schedule: &Schedule, now: Timestamp, horizon: Horizon) -> Result<Plan, Error> {
    // What is due this very moment was given before; a change of the schedule does not take it back.
    let start = now.plus_seconds(1e-6);
    let dates = dates(schedule, start, now.plus_seconds(horizon.most_seconds), horizon)?;
    let next_look = match dates.last() {
        Some(last) if dates.len() >= horizon.least_runs.max(1) => {
            let too_few = dates[dates.len() - horizon.least_runs.max(1)];
            let too_near = last.plus_seconds(-horizon.least_seconds);
            let short = *last < now.plus_seconds(horizon.least_seconds);
            // The most runs do not reach as far as they should: look when half of them are gone.
            Some(too_few.min(if short { dates[dates.len() / 2] } else { too_near.max(dates[0]) }))
        }
        // The end of the schedule, or of how far one looks ahead.
        last => {
            let after = last.map_or(start, |last| last.plus_seconds(1e-6));
            schedule.dates(after, None, Some(1))?.first().map(|date| date.plus_seconds(-horizon.most_seconds))
        }
    };
    let soon = now.plus_seconds(LEAST_PAUSE_SECONDS);
    Ok(Plan { dates, next_look: next_look.map(|look| look.max(soon)) })
}

/// No schedule is looked at more often than this, however fast it is.
const LEAST_PAUSE_SECONDS: f64 = 1.0;

#[cfg(test)]
mod tests {
    use tidegate_core::{schedule::Schedule, time::Timestamp};

    use super::{Horizon, plan};

    const HORIZON: Horizon =
        Horizon { least_runs: 3, most_runs: 100, least_seconds: 3600.0, most_seconds: 100.0 * 86_400.0 };

    fn planned(schedule: &str) -> (Timestamp, usize, Option<f64>) {
        let now = Timestamp::parse("2030-01-01T00:30:00Z").unwrap();
        let plan = plan(&Schedule::parse(schedule).unwrap(), now, HORIZON).unwrap();
        (now, plan.dates.len(), plan.next_look.map(|look| look.seconds_since(now)))
    }

    #[test]
    fn an_hourly_schedule_gets_three_runs_and_a_look_when_the_first_is_due() {
        assert_eq!(planned(r#"{"cron": "0 * * * *"}"#).1, 3);
        assert_eq!(planned(r#"{"cron": "0 * * * *"}"#).2, Some(1800.0));
    }

    #[test]
    fn a_fast_schedule_gets_the_runs_of_an_hour() {
        let (_, runs, look) = planned(r#"{"cron": "* * * * *"}"#);
        assert_eq!(runs, 61);
        assert_eq!(look, Some(60.0));
    }

    #[test]
    fn a_schedule_of_seconds_is_cut_at_the_most_and_looked_at_half_way() {
        let (_, runs, look) = planned(r#"{"interval": 1, "anchor_date": "2020-01-01T00:00:00Z"}"#);
        assert_eq!(runs, 100);
        assert_eq!(look, Some(51.0));
    }

    #[test]
    fn a_yearly_schedule_is_looked_at_when_its_date_comes_near() {
        let (now, runs, look) = planned(r#"{"cron": "0 0 1 12 *"}"#);
        assert_eq!(runs, 0);
        let date = Timestamp::parse("2030-12-01T00:00:00Z").unwrap();
        assert_eq!(look, Some(date.plus_seconds(-100.0 * 86_400.0).seconds_since(now)));
    }

    #[test]
    fn a_schedule_that_ended_is_never_looked_at_again() {
        let (_, runs, look) = planned(r#"{"rrule": "DTSTART:20200101T000000\nRRULE:FREQ=DAILY;COUNT=3"}"#);
        assert_eq!((runs, look), (0, None));
    }
}
