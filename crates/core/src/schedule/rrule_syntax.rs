//! Reading recurrence rules as dateutil does: a bare rule, or lines of DTSTART, RRULE, EXRULE, RDATE and EXDATE. Zones and
//! `Z` marks in the text are dropped: the digits are wall clock times of the schedule's own zone.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use rrule::{Frequency, NWeekday};

use super::Error;

/// The longest text that is taken.
const LONGEST: usize = 6500;

/// One RRULE or EXRULE.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) frequency: Frequency,
    pub(super) interval: u16,
    pub(super) count: Option<u32>,
    pub(super) until: Option<NaiveDateTime>,
    pub(super) week_start: Weekday,
    pub(super) set_positions: Vec<i32>,
    pub(super) months: Vec<u8>,
    pub(super) month_days: Vec<i8>,
    pub(super) year_days: Vec<i16>,
    pub(super) weeks: Vec<i8>,
    pub(super) weekdays: Vec<NWeekday>,
    pub(super) hours: Vec<u8>,
    pub(super) minutes: Vec<u8>,
    pub(super) seconds: Vec<u8>,
    pub(super) easter: Option<i16>,
}

/// What a text describes.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleSet {
    pub(super) start: Option<NaiveDateTime>,
    pub(super) rules: Vec<Rule>,
    pub(super) exceptions: Vec<Rule>,
    pub(super) dates: Vec<NaiveDateTime>,
    pub(super) excluded_dates: Vec<NaiveDateTime>,
}

pub(super) fn parse(text: &str) -> Result<RuleSet, Error> {
    let error = |why: String| Error::RRule { text: text.chars().take(80).collect(), why };
    if text.len() > LONGEST {
        return Err(error(format!("it is longer than {LONGEST} characters")));
    }
    parse_lines(&text.to_uppercase()).map_err(error)
}

fn parse_lines(text: &str) -> Result<RuleSet, String> {
    let mut set = RuleSet::default();
    for line in text.split_whitespace() {
        let (property, value) = line.split_once(':').unwrap_or(("RRULE", line));
        let (name, parameters) = property.split_once(';').map_or((property, None), |(name, rest)| (name, Some(rest)));
        let takes_parameters = match name {
            "RRULE" | "EXRULE" => false,
            "RDATE" => parameters == Some("VALUE=DATE-TIME"),
            "EXDATE" | "DTSTART" => true,
            _ => return Err(format!("there is no property `{name}`")),
        };
        if parameters.is_some() && !takes_parameters {
            return Err(format!("`{name}` takes no parameters"));
        }
        match name {
            "RRULE" => set.rules.push(rule(value)?),
            "EXRULE" => set.exceptions.push(rule(value)?),
            "RDATE" => set.dates.extend(moments(value)?),
            "EXDATE" => set.excluded_dates.extend(moments(value)?),
            _ => set.start = Some(moment(value).ok_or_else(|| format!("`{value}` is not a date"))?),
        }
    }
    if set.rules.is_empty() && set.exceptions.is_empty() && set.dates.is_empty() && set.excluded_dates.is_empty() {
        return Err("it has no rule".to_owned());
    }
    Ok(set)
}

fn moments(text: &str) -> Result<Vec<NaiveDateTime>, String> {
    text.split(',').map(|part| moment(part).ok_or_else(|| format!("`{part}` is not a date"))).collect()
}

/// A date, or a date and a time, in the compact or the long form.
fn moment(text: &str) -> Option<NaiveDateTime> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    for form in ["%Y%m%dT%H%M%S", "%Y%m%dT%H%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"] {
        if let Ok(moment) = NaiveDateTime::parse_from_str(text, form) {
            return Some(moment);
        }
    }
    let date = ["%Y%m%d", "%Y-%m-%d"].into_iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok())?;
    Some(date.and_time(NaiveTime::MIN))
}

fn rule(text: &str) -> Result<Rule, String> {
    let mut rule = Rule {
        frequency: Frequency::Daily,
        interval: 1,
        count: None,
        until: None,
        week_start: Weekday::Mon,
        set_positions: Vec::new(),
        months: Vec::new(),
        month_days: Vec::new(),
        year_days: Vec::new(),
        weeks: Vec::new(),
        weekdays: Vec::new(),
        hours: Vec::new(),
        minutes: Vec::new(),
        seconds: Vec::new(),
        easter: None,
    };
    let mut frequency = None;
    for pair in text.split(';') {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` is not of the form NAME=VALUE"))?;
        match name {
            "FREQ" => frequency = Some(value.parse().map_err(|_| format!("there is no frequency `{value}`"))?),
            "INTERVAL" => {
                rule.interval = number(name, value)?;
                if rule.interval == 0 {
                    return Err("an INTERVAL of 0 leads nowhere".to_owned());
                }
            }
            "COUNT" => rule.count = Some(number(name, value)?),
            "UNTIL" => rule.until = Some(moment(value).ok_or_else(|| format!("`{value}` is not a date"))?),
            "WKST" => rule.week_start = weekday(value).ok_or_else(|| format!("there is no weekday `{value}`"))?,
            "BYSETPOS" => rule.set_positions = numbers(name, value)?,
            "BYMONTH" => rule.months = numbers(name, value)?,
            "BYMONTHDAY" => rule.month_days = numbers(name, value)?,
            "BYYEARDAY" => rule.year_days = numbers(name, value)?,
            "BYWEEKNO" => rule.weeks = numbers(name, value)?,
            "BYDAY" | "BYWEEKDAY" => {
                rule.weekdays = value
                    .split(',')
                    .map(|day| numbered_weekday(day).ok_or_else(|| format!("there is no weekday `{day}`")))
                    .collect::<Result<_, _>>()?;
            }
            "BYHOUR" => rule.hours = numbers(name, value)?,
            "BYMINUTE" => rule.minutes = numbers(name, value)?,
            "BYSECOND" => rule.seconds = numbers(name, value)?,
            "BYEASTER" => rule.easter = Some(number(name, value)?),
            _ => return Err(format!("there is no part `{name}`")),
        }
    }
    rule.frequency = frequency.ok_or("it has no FREQ")?;
    if !matches!(rule.frequency, Frequency::Yearly | Frequency::Monthly) {
        // Where there is no month or year to count in, numbers of weekdays say nothing.
        for day in &mut rule.weekdays {
            let (NWeekday::Every(plain) | NWeekday::Nth(_, plain)) = *day;
            *day = NWeekday::Every(plain);
        }
    }
    Ok(rule)
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is no number for {name}"))
}

fn numbers<N: std::str::FromStr>(name: &str, text: &str) -> Result<Vec<N>, String> {
    text.split(',').map(|part| number(name, part.strip_prefix('+').unwrap_or(part))).collect()
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    })
}

/// `MO`, `2MO`, `-1MO` or `MO(+2)`.
fn numbered_weekday(text: &str) -> Option<NWeekday> {
    let (number, day) = match text.split_once('(') {
        Some((day, number)) => (number.strip_suffix(')')?, day),
        None => text.split_at_checked(text.len().checked_sub(2)?)?,
    };
    let day = weekday(day)?;
    match number.strip_prefix('+').unwrap_or(number) {
        "" => Some(NWeekday::Every(day)),
        number => number.parse().ok().filter(|number| *number != 0).map(|number| NWeekday::Nth(number, day)),
    }
}
