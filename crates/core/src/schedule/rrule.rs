//! Recurrence rules: evaluated on a wall clock that knows no zone; their walls are then placed in the zone. The `rrule`
//! crate gives the dates of rules by the week, month and year; sets, exclusions, ends, and the way to the first date of
//! interest are done here.

use std::{collections::BTreeSet, iter::Peekable};

use chrono::{DateTime, Datelike, Month, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use rrule::{Frequency, RRule, RRuleSet};

use super::{
    Collector, Error, Next, RRuleSchedule,
    local_time::{Placing, place, wall},
    rrule_steps::{self, Steps},
    rrule_syntax::{Rule, RuleSet, parse},
};
use crate::time::Timestamp;

/// How many walls of one rule are looked at: a rule that counts from long ago, or that its exceptions hide, has an end.
const MOST_STEPS: usize = 200_000;

/// How many dates of a set are looked at, those that its exceptions hide included.
const MOST_DATES: usize = 20_000;

/// Where rules begin that do not say it.
fn default_start() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2020, 1, 1).expect("a date of the calendar").and_time(NaiveTime::MIN)
}

/// Checks that all rules of a text can be evaluated.
pub(super) fn check(set: &RuleSet, text: &str) -> Result<(), Error> {
    let start = set.start.unwrap_or_else(default_start);
    let check = |rule: &Rule| match rrule_steps::unit(rule.frequency) {
        Some(_) => rrule_steps::check(rule, start),
        None => compile(rule, start).map(drop),
    };
    set.rules.iter().chain(&set.exceptions).try_for_each(check).map_err(|why| error(text, why))
}

fn error(text: &str, why: String) -> Error {
    Error::RRule { text: text.chars().take(80).collect(), why }
}

/// Gives a rule without DTSTART one. For rules by the minute or second it is a recent one in the same phase, so that no
/// question has to walk there from 2020.
pub(super) fn anchor(schedule: &mut RRuleSchedule, now: Timestamp) {
    let Ok(set) = parse(&schedule.rrule) else { return };
    if set.start.is_some() || ends_in_utc(&schedule.rrule) {
        return;
    }
    let zone = super::zone(schedule.timezone.as_deref()).unwrap_or(Tz::UTC);
    let mut start = default_start();
    let is_one_rule = set.exceptions.is_empty() && set.dates.is_empty() && set.excluded_dates.is_empty();
    if let ([rule], true) = (set.rules.as_slice(), is_one_rule)
        && matches!(rule.frequency, Frequency::Minutely | Frequency::Secondly)
        && rule.count.is_none()
    {
        (start, _) = advance(rule, start, wall(zone, now));
    }
    schedule.rrule = format!("DTSTART:{}\n{}", start.format("%Y%m%dT%H%M%S"), schedule.rrule);
}

/// Whether a rule ends at an instant of UTC. The reference cannot read one together with a start on the wall clock, and so
/// leaves it as it is.
fn ends_in_utc(text: &str) -> bool {
    let text = text.to_uppercase();
    text.split(|c: char| c == ';' || c == ':' || c.is_whitespace())
        .any(|part| part.starts_with("UNTIL=") && part.ends_with('Z'))
}

/// A later start from which the rule gives the same dates at and after `from`, so that old rules are answered as fast as
/// new ones. Rules that count their dates have one only where each period has one date; the second value is how many were
/// passed over.
fn advance(rule: &Rule, start: NaiveDateTime, from: NaiveDateTime) -> (NaiveDateTime, i64) {
    if from <= start || rule.count.is_some() && !has_one_date_a_period(rule) {
        return (start, 0);
    }
    let interval = i64::from(rule.interval);
    // One period early: the one that `from` is in may have begun before.
    let periods = |elapsed: i64, length: i64| (elapsed.div_euclid(length) - 1).max(0) * length;
    let by_seconds = |unit: i64| {
        let later = periods((from - start).num_seconds(), unit * interval);
        (start + TimeDelta::seconds(later), later / (unit * interval))
    };
    let by_months = |unit: i64| {
        // The days that every month has.
        if start.day() > 28 {
            return (start, 0);
        }
        let months = |wall: NaiveDateTime| i64::from(wall.year()) * 12 + i64::from(wall.month());
        let later = periods(months(from) - months(start), unit * interval);
        start
            .checked_add_months(Months::new(later as u32))
            .map_or((start, 0), |start| (start, later / (unit * interval)))
    };
    match rule.frequency {
        Frequency::Secondly => by_seconds(1),
        Frequency::Minutely => by_seconds(60),
        Frequency::Hourly => by_seconds(3600),
        Frequency::Daily => by_seconds(86_400),
        Frequency::Weekly => by_seconds(604_800),
        Frequency::Monthly => by_months(1),
        Frequency::Yearly => by_months(12),
    }
}

fn has_one_date_a_period(rule: &Rule) -> bool {
    let is_empty =
        [rule.month_days.len(), rule.year_days.len(), rule.weeks.len(), rule.weekdays.len(), rule.set_positions.len()];
    let times = [rule.months.len(), rule.hours.len(), rule.minutes.len(), rule.seconds.len()];
    is_empty.iter().chain(&times).all(|parts| *parts == 0) && rule.easter.is_none()
}

fn compile(rule: &Rule, start: NaiveDateTime) -> Result<RRuleSet, String> {
    let month = |number: &u8| Month::try_from(*number).map_err(|_| format!("there is no month {number}"));
    let months = rule.months.iter().map(month).collect::<Result<Vec<_>, _>>()?;
    let mut compiled = RRule::new(rule.frequency)
        .interval(rule.interval)
        .week_start(rule.week_start)
        .by_set_pos(rule.set_positions.clone())
        .by_month(&months)
        .by_month_day(rule.month_days.clone())
        .by_year_day(rule.year_days.clone())
        .by_week_no(rule.weeks.clone())
        .by_weekday(rule.weekdays.clone())
        .by_hour(rule.hours.clone())
        .by_minute(rule.minutes.clone())
        .by_second(rule.seconds.clone());
    if let Some(easter) = rule.easter {
        compiled = compiled.by_easter(easter);
    }
    let start: DateTime<rrule::Tz> = start.and_utc().with_timezone(&rrule::Tz::UTC);
    compiled.build(start).map(RRuleSet::limit).map_err(|cause| cause.to_string())
}

/// Walls in order.
type Walls = Peekable<Box<dyn Iterator<Item = NaiveDateTime>>>;

fn walls(rule: &Rule, start: NaiveDateTime, from: NaiveDateTime) -> Result<Walls, String> {
    let (start, passed) = advance(rule, start, from);
    // A count that is used up leaves nothing.
    let left = rule.count.map(|count| (i64::from(count) - passed).max(0));
    let dates: Box<dyn Iterator<Item = NaiveDateTime>> = if let Some(unit) = rrule_steps::unit(rule.frequency) {
        Box::new(Steps::new(rule, unit, start, MOST_STEPS))
    } else {
        let set = compile(&Rule { count: None, ..rule.clone() }, start)?;
        // The iterator owns what it needs of the set.
        Box::new((&set).into_iter().map(|date| date.naive_utc()))
    };
    let until = rule.until;
    let walls = dates
        .take(left.map_or(MOST_STEPS, |left| MOST_STEPS.min(left as usize)))
        .take_while(move |wall| until.is_none_or(|until| *wall <= until))
        .skip_while(move |wall| *wall < from);
    let walls: Box<dyn Iterator<Item = NaiveDateTime>> = Box::new(walls);
    Ok(walls.peekable())
}

pub(super) fn collect(
    schedule: &RRuleSchedule,
    zone: Tz,
    start: Timestamp,
    dates: &mut Collector,
) -> Result<(), Error> {
    let set = parse(&schedule.rrule)?;
    // A day early: around a change of the clock, a wall may be a little ahead of its instant.
    let from = wall(zone, start) - TimeDelta::days(1);
    let dtstart = set.start.unwrap_or_else(default_start);
    let all = |rules: &[Rule]| {
        let walls = rules.iter().map(|rule| walls(rule, dtstart, from)).collect::<Result<Vec<_>, _>>();
        walls.map_err(|why| error(&schedule.rrule, why))
    };
    let (mut sources, mut exceptions) = (all(&set.rules)?, all(&set.exceptions)?);
    let extra: BTreeSet<NaiveDateTime> = set.dates.into_iter().filter(|wall| *wall >= from).collect();
    let extra: Box<dyn Iterator<Item = NaiveDateTime>> = Box::new(extra.into_iter());
    sources.push(extra.peekable());
    let excluded: BTreeSet<NaiveDateTime> = set.excluded_dates.into_iter().collect();

    for _ in 0..MOST_DATES {
        let Some(next) = sources.iter_mut().filter_map(|walls| walls.peek().copied()).min() else { return Ok(()) };
        for walls in &mut sources {
            walls.next_if_eq(&next);
        }
        let mut is_exception = excluded.contains(&next);
        for walls in &mut exceptions {
            while walls.next_if(|wall| *wall < next).is_some() {}
            is_exception |= walls.peek() == Some(&next);
        }
        if is_exception {
            continue;
        }
        let Some(date) = place(zone, next, Placing::Rule) else { return Ok(()) };
        if date >= start && dates.offer(date) == Next::Enough {
            return Ok(());
        }
    }
    Ok(())
}
