//! Our schedules against the reference's, date by date.

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use serde_json::{Value, json};
use tidegate_core::{schedule::Schedule, time::Timestamp};

use crate::fixtures::{Case, Difference, assert_agreement, read};

#[test]
fn dates_agree_with_the_reference() {
    let Value::Array(recorded) = read("schedules.json")["cases"].take() else { panic!("no list of cases") };
    assert!(recorded.len() >= 400, "only {} cases", recorded.len());
    let cases: Vec<Case> = recorded
        .into_iter()
        .map(|mut facts| {
            let fields = facts.as_object_mut().unwrap();
            let out = match fields.remove("dates") {
                Some(dates) => json!({"dates": absolute(&dates)}),
                None => match fields.remove("error").unwrap() {
                    Value::String(error) if error.starts_with("ValidationError") => json!({"refused": true}),
                    error => json!({"error": error}),
                },
            };
            Case { facts, out }
        })
        .collect();
    assert_agreement(&cases, answer, DIFFERENCES);
}

/// The first date is absolute in the recording, each other a distance from the one before.
fn absolute(dates: &Value) -> Vec<f64> {
    let mut at = 0.0;
    dates
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            at += step.as_f64().unwrap();
            at
        })
        .collect()
}

fn instant(raw: &Value) -> Timestamp {
    Timestamp::parse(raw.as_str().unwrap()).unwrap()
}

fn schedule(raw: &Value) -> Schedule {
    Schedule::parse(&raw.to_string()).unwrap_or_else(|error| panic!("{raw}: {error}"))
}

fn answer(case: &Case) -> Value {
    let end = case.facts.get("end").map(instant);
    let count = match case.facts.get("n") {
        None => Some(50),
        Some(count) => count.as_u64().map(|count| usize::try_from(count).unwrap()),
    };
    let dates = match Schedule::parse(&case.facts["schedule"].to_string()) {
        Ok(schedule) => schedule.dates(instant(&case.facts["start"]), end, count).unwrap(),
        Err(_) => return json!({"refused": true}),
    };
    let seconds: Vec<f64> = dates.iter().map(|date| date.micros() as f64 / 1e6).collect();
    json!({"dates": seconds})
}

#[test]
fn texts_are_taken_as_the_reference_takes_them() {
    let texts = read("schedules.json")["texts"].take();
    let mut wrong = Vec::new();
    for (key, texts) in texts.as_object().unwrap() {
        for pair in texts.as_array().unwrap() {
            let (text, taken) = (pair[0].as_str().unwrap(), pair[1] == true);
            let ours = Schedule::parse(&json!({key: text}).to_string());
            if ours.is_ok() != taken && !REFUSED.contains(&text) {
                wrong.push(format!("{key} `{text}`: the reference says {taken}, ours {ours:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Taken by the reference, and of no use: see `a-rule-that-cannot-work-is-refused`.
const REFUSED: &[&str] = &[
    "R(1-5) * * * *",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=MONTHLY;BYMONTHDAY=32",
    "FREQ=MONTHLY;BYMONTH=13",
    "FREQ=YEARLY;BYWEEKNO=54",
];

const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "days-are-stepped-on-the-wall-clock",
        adjust: |case, out, ours| {
            let (schedule, zone) = (&case.facts["schedule"], zone(case));
            let interval = schedule["interval"].as_f64().filter(|seconds| *seconds >= 86_400.0);
            let Some(interval) = interval.map(|seconds| (seconds * 1e6) as i64) else { return false };
            let anchor = wall(zone, instant(&schedule["anchor_date"]));
            let dates = seconds(ours);
            // Wherever the clock is not changed on the day itself, the wall clock shows what the anchor says.
            let off =
                |date: &&f64| (wall(zone, at(**date)) - anchor).num_microseconds().unwrap().rem_euclid(interval) != 0;
            assert!(dates.iter().filter(off).count() <= 2, "{ours}");
            assert!(dates[0] >= instant(&case.facts["start"]).micros() as f64 / 1e6);
            assert!(dates[0] < seconds(out)[0] + interval as f64 / 1e6, "none is left out at the start");
            *out = ours.clone();
            true
        },
    },
    Difference {
        name: "a-repeated-hour-is-not-skipped",
        adjust: |case, out, ours| {
            let interval = case.facts["schedule"]["interval"].as_f64().filter(|seconds| *seconds < 86_400.0);
            let Some(interval) = interval else { return false };
            let dates = seconds(ours);
            assert!(dates.windows(2).all(|pair| (pair[1] - pair[0] - interval).abs() < 1e-6), "{ours}");
            assert_eq!(dates[0].to_bits(), seconds(out)[0].to_bits());
            *out = ours.clone();
            true
        },
    },
    Difference {
        name: "summer-time-goes-on-after-2037",
        adjust: |case, out, ours| {
            const JUNE_2037: f64 = 2_127_427_200.0;
            if case.facts["schedule"]["rrule"].is_null() || out.get("error").is_some() {
                return false;
            }
            let (ours_at, theirs) = (seconds(ours), seconds(out));
            let is_late = |(ours, theirs): (&f64, &f64)| {
                (ours - theirs).abs() <= 7200.0 && (*ours > JUNE_2037 || ours.to_bits() == theirs.to_bits())
            };
            let applies = ours_at.len() == theirs.len() && ours_at.iter().zip(&theirs).all(is_late);
            if applies {
                *out = ours.clone();
            }
            applies
        },
    },
    Difference {
        name: "an-end-may-be-marked-as-utc",
        adjust: |_, out, ours| {
            let applies = out["error"].as_str().is_some_and(|error| error.contains("RRULE UNTIL"));
            if applies {
                // The recorded questions are about the time after the end.
                assert_eq!(ours["dates"], json!([]));
                *out = ours.clone();
            }
            applies
        },
    },
    Difference {
        name: "a-schedule-that-ends-keeps-its-last-dates",
        adjust: |_, out, ours| {
            let applies = out["error"].as_str().is_some_and(|error| error.contains("failed to find next date"));
            if applies {
                assert_eq!(seconds(ours).len(), 1);
                *out = ours.clone();
            }
            applies
        },
    },
];

fn seconds(answer: &Value) -> Vec<f64> {
    answer["dates"].as_array().unwrap().iter().map(|date| date.as_f64().unwrap()).collect()
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_micros((seconds * 1e6).round() as i64).unwrap()
}

fn zone(case: &Case) -> Tz {
    case.facts["schedule"]["timezone"].as_str().map_or(Tz::UTC, |name| name.parse().unwrap())
}

fn wall(zone: Tz, at: Timestamp) -> NaiveDateTime {
    at.datetime().with_timezone(&zone).naive_local()
}

#[test]
fn rules_that_never_match_are_answered_soon() {
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    for text in [
        json!({"cron": "0 0 30 2 *"}),
        json!({"cron": "0 0 31 2,4,6,9,11 *"}),
        json!({"cron": "0 0 1 1 * 0 1999"}),
        json!({"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}),
        json!({"rrule": "DTSTART:20200101T000000 RRULE:FREQ=DAILY EXRULE:FREQ=DAILY"}),
        json!({"rrule": "DTSTART:20200101T000000 RRULE:FREQ=SECONDLY;COUNT=1000"}),
        json!({"rrule": "DTSTART:20200101T000000 RRULE:FREQ=SECONDLY;COUNT=4000000000;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12"}),
        json!({"rrule": "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1;COUNT=3"}),
    ] {
        assert_eq!(schedule(&text).dates(start, None, Some(5)).unwrap(), [], "{text}");
    }
}

#[test]
fn old_rules_are_answered_like_new_ones() {
    let start = Timestamp::parse("2026-06-15T12:34:56Z").unwrap();
    for rule in [
        "FREQ=SECONDLY;INTERVAL=97",
        "FREQ=SECONDLY;INTERVAL=97;BYMINUTE=1,2,30",
        "FREQ=MINUTELY;INTERVAL=11",
        "FREQ=HOURLY;INTERVAL=5;BYMINUTE=3,9",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;INTERVAL=5;BYDAY=-1FR",
        "FREQ=YEARLY;INTERVAL=3;BYMONTH=2;BYMONTHDAY=-1",
    ] {
        // A count that is not reached keeps the rule from being shortened.
        let shortened = schedule(&json!({"rrule": format!("DTSTART:20260101T101500 RRULE:{rule}")}));
        let followed = schedule(&json!({"rrule": format!("DTSTART:20260101T101500 RRULE:{rule};COUNT=100000000")}));
        let dates = |schedule: &Schedule| schedule.dates(start, None, Some(40)).unwrap();
        assert_eq!(dates(&shortened), dates(&followed), "{rule}");
    }
}

#[test]
fn defaults_make_a_schedule_complete_and_keep_its_dates() {
    let now = Timestamp::parse("2026-03-01T12:00:30Z").unwrap();
    let complete = schedule(&json!({"interval": 90})).with_defaults(now);
    assert_eq!(
        serde_json::to_value(&complete).unwrap(),
        json!({"interval": 90.0, "anchor_date": "2026-03-01T12:00:30Z", "timezone": "UTC"})
    );
    for rule in ["FREQ=MINUTELY;INTERVAL=7", "FREQ=SECONDLY;INTERVAL=13", "FREQ=DAILY", "FREQ=MINUTELY;COUNT=5000000"] {
        let sent = schedule(&json!({"rrule": rule, "timezone": "America/New_York"}));
        let complete = sent.clone().with_defaults(now);
        assert_ne!(sent, complete, "{rule} gets a start");
        assert_eq!(sent.dates(now, None, Some(20)).unwrap(), complete.dates(now, None, Some(20)).unwrap(), "{rule}");
        assert_eq!(complete.clone().with_defaults(now), complete, "and keeps it");
    }
}

#[test]
fn what_is_no_schedule_is_refused_with_a_reason() {
    for (text, reason) in [
        (json!({}), "is not a schedule"),
        (json!({"cron": "* * * * *", "interval": 5}), "is not a schedule"),
        (json!({"interval": 0}), "longer than 0"),
        (json!({"interval": -5}), "longer than 0"),
        (json!({"cron": "* * * * *", "timezone": "Mars/Olympus"}), "`Mars/Olympus` is not a time zone"),
        (json!({"cron": "61 * * * *"}), "out of range"),
        (json!({"rrule": "FREQ=SOMETIMES"}), "there is no frequency"),
    ] {
        let error = Schedule::parse(&text.to_string()).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}
