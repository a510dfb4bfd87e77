//! How many events there were: by name, by resource, or by spans of time.

use axum::extract::{FromRequest, Path, Request, State};
use serde::Deserialize;
use serde_json::json;
use tidegate_api::{
    contract::FieldError,
    events::{EventCount, EventFilter},
};
use tidegate_core::time::Timestamp;
use tidegate_store::{EventKey, Tx, event_range};

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, no_route, read_bytes},
};

/// 2024-04-01, a Monday: spans of every width begin there.
const PIVOT_MICROS: i64 = 1_711_929_600_000_000;
const MAXIMUM_SPANS: i64 = 1000;
const COUNTABLES: [&str; 4] = ["day", "time", "event", "resource"];
const SECOND: f64 = 1e6;

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Week,
    #[default]
    Day,
    Hour,
    Minute,
    Second,
}

impl Unit {
    fn micros(self) -> f64 {
        SECOND
            * match self {
                Self::Week => 604_800.0,
                Self::Day => 86_400.0,
                Self::Hour => 3_600.0,
                Self::Minute => 60.0,
                Self::Second => 1.0,
            }
    }
}

#[derive(Deserialize)]
pub(super) struct CountEvents {
    filter: EventFilter,
    #[serde(default)]
    time_unit: Option<Unit>,
    #[serde(default)]
    time_interval: Option<f64>,
}

pub(super) async fn count_by(
    State(app): State<App>,
    Db(store): Db,
    Path(countable): Path<String>,
    request: Request,
) -> Result<Json<Vec<EventCount>>, ApiError> {
    if !COUNTABLES.contains(&countable.as_str()) {
        return Err(unknown(&countable, &read_bytes(request, &app).await?));
    }
    let Body(body): Body<CountEvents> = Body::from_request(request, &app).await?;
    let (unit, interval) = (body.time_unit.unwrap_or_default(), body.time_interval.unwrap_or(1.0));
    let range = event_range(&body.filter, store.now());
    let key = match countable.as_str() {
        "event" => EventKey::Name,
        "resource" => EventKey::Resource,
        // A day is a day, whatever interval is given.
        "day" | "time" => {
            let asked = Spans::new(range, unit.micros() * interval)?;
            let spans = if countable == "day" { Spans::of(range, Unit::Day.micros() as i64) } else { asked };
            return spans.count(&store, body.filter).await.map(Json);
        }
        _ => return Err(no_route()),
    };
    Spans::new(range, unit.micros() * interval)?;
    let groups = store.read(async move |tx: &mut Tx| tx.count_events_by(&body.filter, key).await).await?;
    let counts = groups.into_iter().map(|group| EventCount {
        value: group.value,
        label: group.label,
        count: group.count,
        start_time: group.first,
        end_time: group.last,
    });
    Ok(Json(counts.collect()))
}

fn unknown(countable: &str, body: &[u8]) -> ApiError {
    let expected = "'day', 'time', 'event' or 'resource'";
    let error = FieldError {
        r#type: "enum",
        loc: vec!["path".into(), "countable".into()],
        msg: format!("Input should be {expected}"),
        input: countable.into(),
        ctx: Some(json!({ "expected": expected })),
    };
    ApiError::Invalid { errors: vec![error], body: serde_json::from_slice(body).unwrap_or_default() }
}

/// Equal spans of time over a range.
struct Spans {
    since: i64,
    until: i64,
    width: i64,
}

impl Spans {
    fn of((since, until): (Timestamp, Timestamp), width: i64) -> Self {
        Self { since: since.micros(), until: until.micros(), width }
    }

    fn new(range: (Timestamp, Timestamp), width: f64) -> Result<Self, ApiError> {
        let spans = Self::of(range, (width.round() as i64).max(1));
        let count = (spans.until - spans.since).div_euclid(spans.width)
            + i64::from((spans.until - spans.since).rem_euclid(spans.width) > 0);
        if count > MAXIMUM_SPANS {
            return Err(ApiError::unprocessable(format!(
                "The given interval would create {count} buckets, which is too many. Please increase the interval or reduce \
                 the time range to produce {MAXIMUM_SPANS} buckets or fewer."
            )));
        }
        Ok(spans)
    }

    async fn count(self, store: &tidegate_store::Store, filter: EventFilter) -> Result<Vec<EventCount>, ApiError> {
        let (pivot, width) = (Timestamp::nearest(PIVOT_MICROS), self.width);
        let counts = store.read(async move |tx: &mut Tx| tx.count_events_by_time(&filter, pivot, width).await).await?;
        let counts: std::collections::HashMap<i64, i64> = counts.into_iter().collect();
        // Spans that nothing can be in yet are not told.
        let until = self.until.min((store.now().micros().div_euclid(width) + 1).saturating_mul(width));
        let mut out = Vec::new();
        let mut number = (self.since - PIVOT_MICROS).div_euclid(width);
        let start_of = |number: i64| PIVOT_MICROS.saturating_add(number.saturating_mul(width));
        while start_of(number) < until {
            let start = start_of(number);
            out.push(EventCount {
                value: out.len().to_string(),
                label: Timestamp::nearest(start).datetime().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false),
                count: counts.get(&number).copied().unwrap_or(0),
                start_time: Timestamp::nearest(start),
                end_time: Timestamp::nearest(start.saturating_add(width - 1)),
            });
            number += 1;
        }
        Ok(out)
    }
}
