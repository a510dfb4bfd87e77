//! Schedules of deployments: when runs are due. Pure: the present is an argument, and where it is not given there is none.
//!
//! Dates follow the reference's schedules, which are those of Python's croniter and dateutil: rules are evaluated on local
//! wall clocks, and what they give is then placed in the zone. Differences are listed in `docs/compatibility.md`.

mod cron;
mod cron_syntax;
mod interval;
mod local_time;
mod rrule;
mod rrule_steps;
mod rrule_syntax;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use interval::{AnchorDate, Seconds};

use crate::time::Timestamp;

/// How many candidates a schedule tries at most for one answer.
pub const MAX_ITERATIONS: usize = 1000;

/// A schedule as it is sent and stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Schedule {
    Interval(IntervalSchedule),
    Cron(CronSchedule),
    RRule(RRuleSchedule),
}

/// Every so many seconds, counted from an anchor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalSchedule {
    pub interval: Seconds,
    /// `None` only as clients send it: see [`Schedule::with_defaults`].
    #[serde(default)]
    pub anchor_date: Option<AnchorDate>,
    #[serde(default)]
    pub timezone: Option<String>,
}

/// A cron expression on a zone's wall clock.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronSchedule {
    pub cron: String,
    #[serde(default)]
    pub timezone: Option<String>,
    /// Whether a day matches when its number or its weekday matches (cron's way), or only when both do.
    #[serde(default = "yes")]
    pub day_or: bool,
}

/// An RFC 5545 rule, or a set of them, on a zone's wall clock.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RRuleSchedule {
    pub rrule: String,
    #[serde(default = "utc")]
    pub timezone: Option<String>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::unnecessary_wraps, reason = "a default of an optional field")]
fn utc() -> Option<String> {
    Some("UTC".to_owned())
}

/// Why a schedule cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("`{0}` is not a schedule: give `interval`, `cron` or `rrule`")]
    Shape(String),
    #[error("`{0}` is not a time zone: use a name of the IANA database, like `America/New_York`")]
    TimeZone(String),
    #[error("an interval must be longer than 0 seconds and shorter than 10,000 years")]
    Interval,
    #[error("`{text}` is not a cron expression: {why}")]
    Cron { text: String, why: String },
    #[error("`{text}` is not a recurrence rule: {why}")]
    RRule { text: String, why: String },
}

impl Schedule {
    /// Reads a schedule and checks that it can be used.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let schedule: Self = serde_json::from_str(text).map_err(|_| Error::Shape(text.chars().take(80).collect()))?;
        schedule.check()?;
        Ok(schedule)
    }

    /// Checks that the schedule can be used: its zone, its expression, its rule.
    pub fn check(&self) -> Result<(), Error> {
        zone(self.timezone())?;
        match self {
            Self::Interval(schedule) => interval::micros(schedule).map(drop),
            Self::Cron(schedule) => cron::compile(schedule).map(drop),
            Self::RRule(schedule) => {
                rrule_syntax::parse(&schedule.rrule).and_then(|set| rrule::check(&set, &schedule.rrule))
            }
        }
    }

    /// Fills in what is stored but need not be sent: an interval's anchor (now) and its zone (UTC), and the start of a rule
    /// that has none, so that it need not be followed from 2020 each time.
    #[must_use]
    pub fn with_defaults(mut self, now: Timestamp) -> Self {
        match &mut self {
            Self::Interval(schedule) => {
                schedule.anchor_date.get_or_insert_with(|| AnchorDate::from(now));
                schedule.timezone.get_or_insert_with(|| "UTC".to_owned());
            }
            Self::Cron(_) => {}
            Self::RRule(schedule) => rrule::anchor(schedule, now),
        }
        self
    }

    pub fn timezone(&self) -> Option<&str> {
        match self {
            Self::Interval(IntervalSchedule { timezone, .. })
            | Self::Cron(CronSchedule { timezone, .. })
            | Self::RRule(RRuleSchedule { timezone, .. }) => timezone.as_deref(),
        }
    }

    /// What the schedule is called where it has no name of its own.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Interval(_) => "IntervalSchedule",
            Self::Cron(_) => "CronSchedule",
            Self::RRule(_) => "RRuleSchedule",
        }
    }

    /// A date on the clock of the schedule's zone, as the keys of its runs spell it: `2035-05-31 20:00:00-04:00`.
    pub fn shown(&self, date: Timestamp) -> String {
        let local = date.datetime().with_timezone(&zone(self.timezone()).unwrap_or(Tz::UTC));
        let digits = if date.datetime().timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
        local.format(&format!("%Y-%m-%d %H:%M:%S{digits}%:z")).to_string()
    }

    /// The dates from `start` on, in order and without repetition: `count` of them, or, without a count, all up to `end`
    /// (at most [`MAX_ITERATIONS`]), or one.
    pub fn dates(
        &self,
        start: Timestamp,
        end: Option<Timestamp>,
        count: Option<usize>,
    ) -> Result<Vec<Timestamp>, Error> {
        let zone = zone(self.timezone())?;
        let count = count.unwrap_or(if end.is_some() { MAX_ITERATIONS } else { 1 });
        let mut dates = Collector { dates: Vec::with_capacity(count.min(MAX_ITERATIONS)), end, count, tried: 0 };
        match self {
            Self::Interval(schedule) => interval::collect(schedule, zone, start, &mut dates)?,
            Self::Cron(schedule) => cron::collect(schedule, zone, start, &mut dates)?,
            Self::RRule(schedule) => rrule::collect(schedule, zone, start, &mut dates)?,
        }
        let mut dates = dates.dates;
        dates.sort_unstable();
        Ok(dates)
    }
}

fn zone(name: Option<&str>) -> Result<Tz, Error> {
    match name {
        None | Some("") => Ok(Tz::UTC),
        Some(name) => name.parse().map_err(|_| Error::TimeZone(name.to_owned())),
    }
}

/// Takes dates until there are enough, until one is past the end, or until too many were tried.
struct Collector {
    dates: Vec<Timestamp>,
    end: Option<Timestamp>,
    count: usize,
    tried: usize,
}

/// Whether a schedule goes on giving dates.
#[derive(PartialEq, Eq)]
enum Next {
    More,
    Enough,
}

impl Collector {
    fn offer(&mut self, date: Timestamp) -> Next {
        if self.end.is_some_and(|end| date > end) {
            return Next::Enough;
        }
        // Clock changes make walls meet: the same instant counts once. Repetitions are close by.
        if !self.dates.iter().rev().take(8).any(|known| *known == date) {
            self.dates.push(date);
        }
        self.tried += 1;
        if self.dates.len() >= self.count || self.tried > MAX_ITERATIONS { Next::Enough } else { Next::More }
    }
}
