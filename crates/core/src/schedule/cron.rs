//! Cron schedules: the expression runs on a wall clock that knows no zone; its walls are then placed in the zone.

use std::{collections::BTreeSet, fmt::Write};

use chrono::{Datelike, NaiveDateTime, TimeDelta, Timelike};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

use super::{
    Collector, CronSchedule, Error, Next,
    cron_syntax::{self, Fields},
    local_time::{Placing, place, wall},
};
use crate::time::Timestamp;

/// How many years without a match end a schedule.
const LONGEST_GAP: i32 = 50;

/// Reads and checks the expression.
pub(super) fn compile(schedule: &CronSchedule) -> Result<Cron, Error> {
    let text = schedule.cron.as_str();
    let error = |why: String| Error::Cron { text: text.chars().take(80).collect(), why };
    let fields = cron_syntax::parse(text).map_err(error)?;
    let parser =
        CronParser::builder().seconds(Seconds::Required).year(Year::Required).dom_and_dow(!schedule.day_or).build();
    parser.parse(&plain_pattern(&fields, schedule.day_or)).map_err(|cause| error(cause.to_string()))
}

/// Seconds first, years last, and only plain lists.
fn plain_pattern(fields: &Fields, day_or: bool) -> String {
    let mut days = list(fields.day.as_ref());
    if fields.last_day {
        days = if fields.day.as_ref().is_none_or(BTreeSet::is_empty) { "L".to_owned() } else { days + ",L" };
    }
    let mut weekdays = list(fields.weekday.as_ref());
    if !fields.nth.is_empty() {
        let named =
            fields.nth.iter().map(|(day, nth)| if *nth == 0 { format!("{day}L") } else { format!("{day}#{nth}") });
        weekdays = named.collect::<Vec<_>>().join(",");
        if day_or {
            // Numbered weekdays always hold: a day of the month beside them adds nothing.
            "*".clone_into(&mut days);
        }
    }
    let mut pattern = String::new();
    for part in [
        list(fields.second.as_ref()),
        list(fields.minute.as_ref()),
        list(fields.hour.as_ref()),
        days,
        list(fields.month.as_ref()),
        weekdays,
        list(fields.year.as_ref()),
    ] {
        let separator = if pattern.is_empty() { "" } else { " " };
        write!(pattern, "{separator}{part}").expect("a string takes all that is written");
    }
    pattern
}

fn list(values: Option<&BTreeSet<u16>>) -> String {
    match values {
        None => "*".to_owned(),
        Some(values) => values.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
    }
}

pub(super) fn collect(schedule: &CronSchedule, zone: Tz, start: Timestamp, dates: &mut Collector) -> Result<(), Error> {
    let cron = compile(schedule)?;
    let Some(mut at) = second_before(zone, start) else { return Ok(()) };
    while let Ok(next) = cron.find_next_occurrence(&at, false) {
        let Some(date) = place(zone, next, Placing::Rule).filter(|_| next.year() - at.year() <= LONGEST_GAP) else {
            return Ok(());
        };
        if dates.offer(date) == Next::Enough {
            return Ok(());
        }
        at = next;
    }
    Ok(())
}

/// The wall clock one second before the start, so that the start itself can match; fractions count up.
fn second_before(zone: Tz, start: Timestamp) -> Option<NaiveDateTime> {
    let before = Timestamp::from_micros(start.micros() - 1_000_000)?;
    let wall = wall(zone, before);
    let up = i64::from(wall.nanosecond() > 0);
    wall.with_nanosecond(0)?.checked_add_signed(TimeDelta::seconds(up))
}
