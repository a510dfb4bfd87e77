//! Reading cron expressions as croniter does: five fields, a sixth for seconds, a seventh for years, names, steps, `L`, `#`
//! and `@` forms. What is read is written out as plain lists, the form in which all implementations agree.

use std::collections::BTreeSet;

/// The lists of a cron expression. `None`: any value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) minute: Option<BTreeSet<u16>>,
    pub(super) hour: Option<BTreeSet<u16>>,
    pub(super) day: Option<BTreeSet<u16>>,
    pub(super) last_day: bool,
    pub(super) month: Option<BTreeSet<u16>>,
    pub(super) weekday: Option<BTreeSet<u16>>,
    /// Weekdays that count within their month: (weekday, 1 to 5, or 0 for the last). If there are any, only these count.
    pub(super) nth: BTreeSet<(u16, u16)>,
    pub(super) second: Option<BTreeSet<u16>>,
    pub(super) year: Option<BTreeSet<u16>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
    Second,
    Year,
}

const ORDER: [Field; 7] =
    [Field::Minute, Field::Hour, Field::Day, Field::Month, Field::Weekday, Field::Second, Field::Year];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Field {
    fn range(self) -> (u16, u16) {
        match self {
            Self::Minute | Self::Second => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 6),
            Self::Year => (1970, 2099),
        }
    }

    /// A number or a name of this field.
    fn value(self, text: &str) -> Result<u16, String> {
        let by_name =
            |names: &[&str], first: u16| names.iter().position(|name| *name == text).map(|index| index as u16 + first);
        let number = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().ok()
        } else {
            match self {
                Self::Month => by_name(&MONTHS, 1),
                Self::Weekday => by_name(&WEEKDAYS, 0),
                Self::Minute | Self::Hour | Self::Day | Self::Second | Self::Year => None,
            }
        };
        number.ok_or_else(|| format!("`{text}` is not a value of this field"))
    }
}

/// Values of one field, with the marks that only days have.
#[derive(Default)]
struct List {
    values: BTreeSet<u16>,
    any: bool,
    last: bool,
    nth: BTreeSet<(u16, u16)>,
}

pub(super) fn parse(text: &str) -> Result<Fields, String> {
    let lower = text.to_lowercase();
    let plain = match lower.as_str() {
        "@midnight" | "@daily" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        other => other,
    };
    let parts: Vec<&str> = plain.split_whitespace().collect();
    if !(5..=7).contains(&parts.len()) {
        return Err(
            "it needs five fields (minute, hour, day, month, weekday), and may have second and year after them"
                .to_owned(),
        );
    }
    let has_seconds = parts.len() > 5;
    let mut lists = ORDER.iter().enumerate().map(|(index, field)| match parts.get(index) {
        Some(part) => list(*field, part, parts.len()),
        // Without the field, seconds are 0 and years are any.
        None => Ok(List { any: *field == Field::Year, values: BTreeSet::from([0]), ..List::default() }),
    });
    let mut next = || lists.next().expect("there are seven fields");
    let (minute, hour, day, month, weekday, second, year) =
        (next()?, next()?, next()?, next()?, next()?, next()?, next()?);
    let days_named: BTreeSet<u16> = weekday.nth.iter().map(|(day, _)| *day).collect();
    if !days_named.is_empty() && (weekday.any || !weekday.values.is_subset(&days_named)) {
        return Err("weekdays with and without `#` or `L` cannot be mixed".to_owned());
    }
    // All values are the same as any value, except for days, where it decides how the two day fields combine.
    let plain = |field: Field, list: List| {
        let (low, high) = field.range();
        let all = list.values.len() == usize::from(high - low + 1);
        (!list.any && !all).then_some(list.values)
    };
    let (day_part, weekday_part) = (parts[2], parts[4]);
    let day_is_any =
        day.any && day.values.is_empty() && !day.last || day.values.len() == 31 && weekday_part.contains('*');
    let weekday_is_any =
        weekday.any && weekday.values.is_empty() || weekday.values.len() == 7 && day_part.contains('*');
    Ok(Fields {
        minute: plain(Field::Minute, minute),
        hour: plain(Field::Hour, hour),
        last_day: !day_is_any && day.last,
        day: (!day_is_any && !day.any).then_some(day.values),
        month: plain(Field::Month, month),
        nth: weekday.nth,
        weekday: (!weekday_is_any && !weekday.any).then_some(weekday.values),
        second: if has_seconds { plain(Field::Second, second) } else { Some(second.values) },
        year: plain(Field::Year, year),
    })
}

fn list(field: Field, text: &str, fields: usize) -> Result<List, String> {
    if text.contains('?') {
        if text != "?" || !matches!(field, Field::Day | Field::Weekday) {
            return Err("`?` stands alone, for any day or any weekday".to_owned());
        }
        return Ok(List { any: true, ..List::default() });
    }
    let mut list = List::default();
    for part in text.split(',') {
        item(field, part, fields, &mut list)?;
    }
    Ok(list)
}

fn item(field: Field, part: &str, fields: usize, list: &mut List) -> Result<(), String> {
    let (part, nth) = if field == Field::Weekday { split_nth(part)? } else { (part, None) };
    if part == "*" {
        // Beside other values it still means any.
        list.any = true;
        return Ok(());
    }
    if field == Field::Day && part == "l" {
        list.last = true;
        return Ok(());
    }
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    let step = match step {
        None => 1,
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text
            .parse::<u16>()
            .ok()
            .filter(|step| *step > 0)
            .ok_or_else(|| format!("a step of `{text}` leads nowhere"))?,
        Some(text) => return Err(format!("`{text}` is not a step")),
    };
    let (low, high) = field.range();
    let values: Vec<u16> = match range.split_once('-') {
        None if range == "*" => (low..=high).step_by(step.into()).collect(),
        None => {
            let first = alias(field, field.value(range)?, fields);
            if first < low || first > high {
                return Err(format!("`{range}` is out of range"));
            }
            let until = if part.contains('/') { high } else { first };
            stepped(field, first, until, step, part.contains('/'))
        }
        Some((from, to)) => {
            let to = if field == Field::Day && to == "l" { "31" } else { to };
            let (first, until) = (alias(field, field.value(from)?, fields), alias(field, field.value(to)?, fields));
            if first.max(until) > high || first.min(until) < low {
                return Err(format!("`{range}` is out of range"));
            }
            stepped(field, first, until, step, true)
        }
    };
    if let Some(nth) = nth {
        list.nth.extend(values.iter().map(|day| (*day, nth)));
    }
    list.values.extend(values);
    Ok(())
}

/// `fri#2` is the second Friday, `l5` the last one.
fn split_nth(part: &str) -> Result<(&str, Option<u16>), String> {
    if let Some(day) =
        part.strip_prefix('l').filter(|day| !day.is_empty() && day.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Ok((day, Some(0)));
    }
    match part.split_once('#') {
        None => Ok((part, None)),
        Some((day, nth)) => {
            let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth) && day != "*");
            nth.map(|nth| (day, Some(nth))).ok_or_else(|| format!("`{part}` names no weekday of a month"))
        }
    }
}

/// Sunday is 0 and 7, but not in an expression with seconds.
fn alias(field: Field, value: u16, fields: usize) -> u16 {
    if field == Field::Weekday && value == 7 && fields == 5 { 0 } else { value }
}

/// The values from `first` to `last`; over the end of the field and around where `last` is before `first`.
fn stepped(field: Field, first: u16, last: u16, step: u16, is_range: bool) -> Vec<u16> {
    let (low, high) = field.range();
    let by = usize::from(step);
    if first < last {
        return (first..=last).step_by(by).collect();
    }
    if first == last {
        // `mon-mon` is the whole week.
        return if is_range { (low..=high).step_by(by).collect() } else { vec![first] };
    }
    let mut values: Vec<u16> = (first..=high).step_by(by).collect();
    let left = high - values.last().copied().unwrap_or(first);
    let skip = if step > left + 1 { step - left - 1 } else { 0 };
    values.extend((low + skip..=last).step_by(by));
    values
}
