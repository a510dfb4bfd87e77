//! Rules by the day, hour, minute and second. The `rrule` crate loses the phase of these when an interval meets a BYHOUR or
//! BYMINUTE (`FREQ=SECONDLY;INTERVAL=97;BYMINUTE=1`), and refuses BYYEARDAY by the day, so they are followed here: one period
//! after the other, past the days, hours and minutes that cannot match.

use std::collections::VecDeque;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use rrule::{Frequency, NWeekday};

use super::rrule_syntax::Rule;

/// The length of a rule's unit in seconds, if it is a day or less.
pub(super) fn unit(frequency: Frequency) -> Option<i64> {
    match frequency {
        Frequency::Hourly => Some(3600),
        Frequency::Minutely => Some(60),
        Frequency::Secondly => Some(1),
        Frequency::Daily => Some(86_400),
        Frequency::Weekly | Frequency::Monthly | Frequency::Yearly => None,
    }
}

/// Checks the parts that these rules can have, and that the rule comes by what it asks for: every third hour from midnight
/// on is never 10 o'clock.
pub(super) fn check(rule: &Rule, start: NaiveDateTime) -> Result<(), String> {
    let is_in = |name: &str, mut values: &mut dyn Iterator<Item = i64>, low: i64, high: i64| {
        let wrong = (&mut values).find(|value| !(low..=high).contains(value) || low < 0 && *value == 0);
        wrong.map_or(Ok(()), |value| Err(format!("{name} cannot be {value}")))
    };
    is_in("BYMONTH", &mut rule.months.iter().copied().map(i64::from), 1, 12)?;
    is_in("BYMONTHDAY", &mut rule.month_days.iter().copied().map(i64::from), -31, 31)?;
    is_in("BYYEARDAY", &mut rule.year_days.iter().copied().map(i64::from), -366, 366)?;
    is_in("BYHOUR", &mut rule.hours.iter().copied().map(i64::from), 0, 23)?;
    is_in("BYMINUTE", &mut rule.minutes.iter().copied().map(i64::from), 0, 59)?;
    is_in("BYSECOND", &mut rule.seconds.iter().copied().map(i64::from), 0, 59)?;
    is_in("BYSETPOS", &mut rule.set_positions.iter().copied().map(i64::from), -366, 366)?;
    if !rule.weeks.is_empty() || rule.easter.is_some() {
        return Err("BYWEEKNO and BYEASTER need a FREQ of months or years".to_owned());
    }
    let (name, asked, first, of) = match rule.frequency {
        Frequency::Hourly => ("BYHOUR", &rule.hours, start.hour(), 24),
        Frequency::Minutely => ("BYMINUTE", &rule.minutes, start.minute(), 60),
        Frequency::Secondly => ("BYSECOND", &rule.seconds, start.second(), 60),
        Frequency::Daily | Frequency::Weekly | Frequency::Monthly | Frequency::Yearly => return Ok(()),
    };
    let step = greatest_common_divisor(u32::from(rule.interval), of);
    let is_met = |value: &u8| (u32::from(*value) + of - first) % step == 0;
    if asked.is_empty() || asked.iter().any(is_met) {
        Ok(())
    } else {
        Err(format!("its INTERVAL passes over all of {name}"))
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// The walls of such a rule, in order.
pub(super) struct Steps {
    rule: Rule,
    period: i64,
    start: NaiveDateTime,
    at: NaiveDateTime,
    /// Of the current period, still to be given.
    ready: VecDeque<NaiveDateTime>,
    left: usize,
}

impl Steps {
    /// `unit` is the rule's own; `most_steps` bounds the way through periods without a date.
    pub(super) fn new(rule: &Rule, unit: i64, start: NaiveDateTime, most_steps: usize) -> Self {
        let mut rule = rule.clone();
        for list in [&mut rule.hours, &mut rule.minutes, &mut rule.seconds] {
            list.sort_unstable();
            list.dedup();
        }
        let period = unit * i64::from(rule.interval);
        Self { rule, period, start, at: start, ready: VecDeque::new(), left: most_steps }
    }

    /// Moves on by whole periods, at least one, until `to` is reached.
    fn jump(&mut self, to: NaiveDateTime) -> Option<()> {
        let distance = (to - self.at).num_seconds();
        let periods = (distance.div_euclid(self.period) + i64::from(distance.rem_euclid(self.period) > 0)).max(1);
        self.at = self.at.checked_add_signed(TimeDelta::try_seconds(periods * self.period)?)?;
        Some(())
    }

    /// Where to look next, if nothing in the current period can match.
    fn past_what_cannot_match(&self) -> Option<NaiveDateTime> {
        let (rule, at) = (&self.rule, self.at);
        let lacks = |list: &[u8], value: u32| !list.is_empty() && !list.contains(&(value as u8));
        let hour = at.date().and_hms_opt(at.hour(), 0, 0)?;
        if !matches_day(rule, at.date()) {
            Some(at.date().succ_opt()?.and_time(NaiveTime::MIN))
        } else if rule.frequency == Frequency::Daily {
            None
        } else if lacks(&rule.hours, at.hour()) {
            Some(hour + TimeDelta::hours(1))
        } else if rule.frequency != Frequency::Hourly && lacks(&rule.minutes, at.minute()) {
            Some(hour + TimeDelta::minutes(i64::from(at.minute()) + 1))
        } else if rule.frequency == Frequency::Secondly && lacks(&rule.seconds, at.second()) {
            Some(at)
        } else {
            None
        }
    }

    /// All dates of the current period, as BYSETPOS picks them.
    fn fill(&mut self) {
        let (rule, at, start) = (&self.rule, self.at, self.start);
        let one = |list: &[u8], own: u32| if list.is_empty() { vec![own as u8] } else { list.to_vec() };
        let (hours, minutes, seconds) = match rule.frequency {
            Frequency::Secondly => (vec![at.hour() as u8], vec![at.minute() as u8], vec![at.second() as u8]),
            Frequency::Minutely => (vec![at.hour() as u8], vec![at.minute() as u8], one(&rule.seconds, start.second())),
            Frequency::Hourly => {
                (vec![at.hour() as u8], one(&rule.minutes, start.minute()), one(&rule.seconds, start.second()))
            }
            Frequency::Daily | Frequency::Weekly | Frequency::Monthly | Frequency::Yearly => {
                (one(&rule.hours, start.hour()), one(&rule.minutes, start.minute()), one(&rule.seconds, start.second()))
            }
        };
        let mut set = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
        for (hour, minute) in hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (*hour, *minute))) {
            set.extend(
                seconds.iter().filter_map(|second| at.date().and_hms_opt(hour.into(), minute.into(), (*second).into())),
            );
        }
        let picked = |index: usize| {
            let (index, length) = (index as i32, set.len() as i32);
            rule.set_positions.is_empty()
                || rule.set_positions.iter().any(|position| *position == index + 1 || *position == index - length)
        };
        self.ready.extend(
            set.iter().enumerate().filter(|(index, wall)| picked(*index) && **wall >= start).map(|(_, wall)| *wall),
        );
    }
}

impl Iterator for Steps {
    type Item = NaiveDateTime;

    fn next(&mut self) -> Option<NaiveDateTime> {
        while self.ready.is_empty() {
            self.left = self.left.checked_sub(1)?;
            if let Some(to) = self.past_what_cannot_match() {
                self.jump(to)?;
            } else {
                self.fill();
                self.jump(self.at)?;
            }
        }
        self.ready.pop_front()
    }
}

fn matches_day(rule: &Rule, date: NaiveDate) -> bool {
    let from_end = |day: i64, length: i64| day - length - 1;
    let in_year = i64::from(date.ordinal());
    let in_month = i64::from(date.day());
    let year_length = if date.leap_year() { 366 } else { 365 };
    let month_length = i64::from(date.num_days_in_month());
    let weekday = |day: &NWeekday| match day {
        NWeekday::Every(day) | NWeekday::Nth(_, day) => *day == date.weekday(),
    };
    (rule.months.is_empty() || rule.months.iter().any(|month| u32::from(*month) == date.month()))
        && (rule.month_days.is_empty()
            || rule
                .month_days
                .iter()
                .any(|day| [in_month, from_end(in_month, month_length)].contains(&i64::from(*day))))
        && (rule.year_days.is_empty()
            || rule.year_days.iter().any(|day| [in_year, from_end(in_year, year_length)].contains(&i64::from(*day))))
        && (rule.weekdays.is_empty() || rule.weekdays.iter().any(weekday))
}
