//! Wall clocks and instants: what a local time means on the days on which the clock is changed.

use chrono::{MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::time::Timestamp;

/// What becomes of a wall time that does not exist, and which one is meant of a time that exists twice.
#[derive(Clone, Copy)]
pub(super) enum Placing {
    /// Rules of the calendar (cron, rrule): a skipped time moves back by what was skipped; of a repeated one, the first.
    Rule,
    /// Steps of days: a skipped time moves forward by what was skipped; of a repeated one, the second.
    Step,
}

/// The local wall clock at an instant.
pub(super) fn wall(zone: Tz, at: Timestamp) -> NaiveDateTime {
    let at = at.datetime().naive_utc();
    at + TimeDelta::seconds(i64::from(zone.offset_from_utc_datetime(&at).fix().local_minus_utc()))
}

/// The instant at which the wall clock shows `wall`; `None` outside the calendar.
pub(super) fn place(zone: Tz, wall: NaiveDateTime, placing: Placing) -> Option<Timestamp> {
    let seconds = |offset: chrono_tz::TzOffset| i64::from(offset.fix().local_minus_utc());
    let offset = match zone.offset_from_local_datetime(&wall) {
        MappedLocalTime::Single(offset) => seconds(offset),
        MappedLocalTime::Ambiguous(first, second) => match placing {
            Placing::Rule => seconds(first),
            Placing::Step => seconds(second),
        },
        MappedLocalTime::None => {
            // No zone was ever more than 26 hours away from another, and none changed twice within that.
            let around = match placing {
                Placing::Rule => wall.checked_add_signed(TimeDelta::hours(26))?,
                Placing::Step => wall.checked_sub_signed(TimeDelta::hours(26))?,
            };
            seconds(zone.offset_from_utc_datetime(&around))
        }
    };
    let instant = wall.checked_sub_signed(TimeDelta::try_seconds(offset)?)?;
    Some(instant.and_utc().into())
}
