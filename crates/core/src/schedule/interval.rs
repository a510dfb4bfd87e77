//! Interval schedules. Intervals below a day count elapsed time; from a day on they step on the wall clock, so that what
//! runs at nine runs at nine all year.

use std::fmt;

use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Collector, Error, IntervalSchedule, Next,
    local_time::{Placing, place, wall},
};
use crate::time::Timestamp;

const DAY: i64 = 86_400_000_000;
const LONGEST: f64 = 10_000.0 * 366.0 * 86_400.0;

/// A length of time: float seconds on the wire; ISO 8601 (`P1DT2H`) and numbers as text are read too.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Seconds(pub f64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(seconds) => Ok(Self(seconds)),
            Form::Text(text) => text.parse().ok().or_else(|| iso_duration(&text)).map(Self).ok_or_else(|| {
                de::Error::invalid_value(de::Unexpected::Str(&text), &"seconds or an ISO 8601 duration")
            }),
        }
    }
}

/// Weeks, days, hours, minutes and seconds of an ISO 8601 duration; months and years have no length.
fn iso_duration(text: &str) -> Option<f64> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let mut rest = rest.strip_prefix('P')?;
    let (mut total, mut in_time, mut parts) = (0.0, false, 0);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (rest, in_time) = (after, true);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = match (&rest[end..=end], in_time) {
            ("W", false) => 604_800.0,
            ("D", false) => 86_400.0,
            ("H", true) => 3600.0,
            ("M", true) => 60.0,
            ("S", true) => 1.0,
            _ => return None,
        };
        total += rest[..end].parse::<f64>().ok()? * unit;
        rest = &rest[end + 1..];
        parts += 1;
    }
    (parts > 0).then_some(if negative { -total } else { total })
}

/// The point from which an interval is counted. Its text, offset included, is kept as it came.
#[derive(Clone, PartialEq, Debug)]
pub struct AnchorDate {
    text: String,
    at: Timestamp,
}

impl AnchorDate {
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl From<Timestamp> for AnchorDate {
    fn from(at: Timestamp) -> Self {
        Self { text: at.to_string(), at }
    }
}

impl Serialize for AnchorDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for AnchorDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = AnchorDate;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date with a time")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<AnchorDate, E> {
                let at = Timestamp::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))?;
                Ok(AnchorDate { text: text.to_owned(), at })
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// The interval in microseconds, checked.
pub(super) fn micros(schedule: &IntervalSchedule) -> Result<i64, Error> {
    let seconds = schedule.interval.0;
    let micros = (seconds * 1e6).round() as i64;
    if seconds.is_finite() && seconds < LONGEST && micros > 0 { Ok(micros) } else { Err(Error::Interval) }
}

pub(super) fn collect(
    schedule: &IntervalSchedule,
    zone: Tz,
    start: Timestamp,
    dates: &mut Collector,
) -> Result<(), Error> {
    let interval = micros(schedule)?;
    let anchor = schedule.anchor_date.as_ref().map_or(start, AnchorDate::at);
    if interval < DAY {
        let mut at = first_from(anchor.micros(), start.micros(), interval);
        while let Some(date) = Timestamp::from_micros(at)
            && dates.offer(date) == Next::More
        {
            at += interval;
        }
        return Ok(());
    }
    let (anchor, wall_start) = (wall(zone, anchor), wall(zone, start));
    let micros_of = |wall: NaiveDateTime| wall.and_utc().timestamp_micros();
    // One step early: on the day of a clock change the wall of the start may be ahead of the instant.
    let mut steps = (first_from(micros_of(anchor), micros_of(wall_start), interval) - micros_of(anchor)) / interval - 1;
    loop {
        let wall =
            interval.checked_mul(steps).and_then(|micros| anchor.checked_add_signed(TimeDelta::microseconds(micros)));
        let Some(date) = wall.and_then(|wall| place(zone, wall, Placing::Step)) else { return Ok(()) };
        if date >= start && dates.offer(date) == Next::Enough {
            return Ok(());
        }
        steps += 1;
    }
}

/// The first of `anchor + n * interval` that is not before `start`.
fn first_from(anchor: i64, start: i64, interval: i64) -> i64 {
    let distance = i128::from(start) - i128::from(anchor);
    let steps = distance.div_euclid(i128::from(interval)) + i128::from(distance.rem_euclid(i128::from(interval)) > 0);
    (i128::from(anchor) + steps * i128::from(interval)) as i64
}

#[cfg(test)]
mod tests {
    use super::{Seconds, iso_duration};

    #[test]
    fn lengths_of_time_are_read_in_all_forms() {
        for (text, seconds) in
            [("PT1H", 3600.0), ("P1DT2H30M", 95_400.0), ("P2W", 1_209_600.0), ("PT0.5S", 0.5), ("-PT1S", -1.0)]
        {
            assert_eq!(iso_duration(text), Some(seconds), "{text}");
        }
        for text in ["P", "PT", "P1M", "P1Y", "1H", "PT1D", "PTS", "P1DT", "PT1HX"] {
            let read = iso_duration(text);
            assert!(read.is_none() || text == "P1DT", "{text}: {read:?}");
        }
        assert_eq!(serde_json::from_str::<Seconds>("90").unwrap(), Seconds(90.0));
        assert_eq!(serde_json::from_str::<Seconds>("\"60.5\"").unwrap(), Seconds(60.5));
        assert!(serde_json::from_str::<Seconds>("\"soon\"").is_err());
    }
}
