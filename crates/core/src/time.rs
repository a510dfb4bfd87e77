//! Instants as they cross the wire: RFC 3339 with microseconds, in UTC or with the offset that a client wrote. No clock.

mod utc_text;

use std::{fmt, ops};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, Offset, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use utc_text::UtcText;

/// An instant in UTC, cut to whole microseconds (what both databases and the wire can hold).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    pub const UNIX_EPOCH: Self = Self(DateTime::UNIX_EPOCH);

    /// Microseconds since 1970-01-01T00:00:00Z. `None` when outside chrono's range.
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// The time, or the nearest one that the wire has a form for: years have four digits there.
    #[must_use]
    pub fn nearest(micros: i64) -> Self {
        const FIRST: i64 = -62_135_596_800_000_000;
        const LAST: i64 = 253_402_300_799_999_999;
        Self::from_micros(micros.clamp(FIRST, LAST)).unwrap_or(Self::UNIX_EPOCH)
    }

    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    pub fn datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// Seconds from `earlier` to `self`, negative when `self` is before it.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.micros() - earlier.micros()) as f64 / 1e6
    }

    /// Adds float seconds; saturates at the ends of the calendar.
    #[must_use]
    pub fn plus_seconds(self, seconds: f64) -> Self {
        let micros = self.micros().saturating_add((seconds * 1e6).round() as i64);
        Self::from_micros(micros).unwrap_or(if seconds > 0.0 {
            Self(DateTime::<Utc>::MAX_UTC)
        } else {
            Self(DateTime::<Utc>::MIN_UTC)
        })
    }

    /// Reads what clients send: RFC 3339, a space for the `T`, no zone (taken as UTC), a bare date, or seconds since 1970.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(time) = utc_text::parse(text) {
            return Some(Self(time));
        }
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(time.to_utc().into());
        }
        for format in ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z"] {
            if let Ok(time) = DateTime::parse_from_str(text, format) {
                return Some(time.to_utc().into());
            }
        }
        let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
        for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
            if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
                return Some(time.and_utc().into());
            }
        }
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Some(date.and_hms_opt(0, 0, 0)?.and_utc().into());
        }
        text.parse::<f64>().ok().and_then(Self::from_epoch)
    }

    /// Seconds since 1970, or milliseconds when the number is too large for seconds (as pydantic reads numbers).
    pub fn from_epoch(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let seconds = if number.abs() > 2e10 { number / 1000.0 } else { number };
        Self::from_micros((seconds * 1e6).round() as i64)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time))
    }
}

impl ops::Sub for Timestamp {
    type Output = chrono::TimeDelta;
    fn sub(self, other: Self) -> Self::Output {
        self.0 - other.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = UtcText::of(self.0) {
            return f.write_str(text.as_str());
        }
        let precision = if self.0.timestamp_subsec_micros() == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
        f.write_str(&self.0.to_rfc3339_opts(precision, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match UtcText::of(self.0) {
            Some(text) => serializer.serialize_str(text.as_str()),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 timestamp")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Timestamp, E> {
                Timestamp::from_epoch(number).ok_or_else(|| E::invalid_value(de::Unexpected::Float(number), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Timestamp, E> {
                self.visit_f64(number as f64)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Timestamp, E> {
                self.visit_f64(number as f64)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An instant that remembers the offset it was written with. The details of a state are read back as they were sent; all
/// that compares or computes takes the instant.
#[derive(Clone, Copy)]
pub struct OffsetTimestamp {
    at: Timestamp,
    offset: FixedOffset,
}

impl OffsetTimestamp {
    pub fn at(self) -> Timestamp {
        self.at
    }
}

impl From<Timestamp> for OffsetTimestamp {
    fn from(at: Timestamp) -> Self {
        Self { at, offset: Utc.fix() }
    }
}

/// The same instant is the same time, whatever it was called.
impl PartialEq for OffsetTimestamp {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for OffsetTimestamp {}

impl fmt::Display for OffsetTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.offset.local_minus_utc() == 0 {
            return self.at.fmt(f);
        }
        let precision =
            if self.at.0.timestamp_subsec_micros() == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
        f.write_str(&self.at.0.with_timezone(&self.offset).to_rfc3339_opts(precision, true))
    }
}

impl fmt::Debug for OffsetTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for OffsetTimestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.offset.local_minus_utc() == 0 { self.at.serialize(serializer) } else { serializer.collect_str(self) }
    }
}

impl<'de> Deserialize<'de> for OffsetTimestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = OffsetTimestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 timestamp")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<OffsetTimestamp, E> {
                if let Some(time) = utc_text::parse(text) {
                    return Ok(Timestamp(time).into());
                }
                // Only this form names an offset; the others are taken as UTC.
                if let Ok(time) = DateTime::parse_from_rfc3339(text) {
                    return Ok(OffsetTimestamp { at: time.to_utc().into(), offset: *time.offset() });
                }
                let at = Timestamp::parse(text);
                at.map(Into::into).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<OffsetTimestamp, E> {
                let at = Timestamp::from_epoch(number);
                at.map(Into::into).ok_or_else(|| E::invalid_value(de::Unexpected::Float(number), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<OffsetTimestamp, E> {
                self.visit_f64(number as f64)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<OffsetTimestamp, E> {
                self.visit_f64(number as f64)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::{OffsetTimestamp, Timestamp};

    #[test]
    fn times_stay_within_the_calendar_of_the_wire() {
        assert_eq!(Timestamp::nearest(i64::MIN).to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::nearest(i64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::nearest(0), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn an_offset_is_repeated_and_does_not_matter_to_the_instant() {
        for (sent, repeated) in [
            ("2035-01-01T00:00:00+02:00", "2035-01-01T00:00:00+02:00"),
            ("2035-01-01T00:00:00.250000-05:30", "2035-01-01T00:00:00.250000-05:30"),
            ("2035-01-01T00:00:00+00:00", "2035-01-01T00:00:00Z"),
            ("2035-01-01 00:00:00", "2035-01-01T00:00:00Z"),
        ] {
            let time: OffsetTimestamp = serde_json::from_value(sent.into()).unwrap();
            assert_eq!(time.to_string(), repeated);
            assert_eq!(Some(time.at()), Timestamp::parse(sent), "{sent}");
            assert_eq!(time, time.at().into(), "{sent}");
        }
    }
}
