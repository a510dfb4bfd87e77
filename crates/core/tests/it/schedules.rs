//! Our schedules against the reference's, date by date.

use chrono::{Offset, TimeDelta, TimeZone};
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
                None => json!({"error": fields.remove("error").unwrap()}),
            };
            Case { facts, out }
        })
        .collect();
    assert_agreement(&cases, answer, DIFFERENCES);
}

/// The first date is absolute in the recording, each other a distance from the one before.
fn absolute(dates: &Value) -> Vec<f64> {
    let mut at = 0.0;
    dates.as_array().unwrap().iter().map(|step| { at += step.as_f64().unwrap(); at }).collect()
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
    let dates = schedule(&case.facts["schedule"]).dates(instant(&case.facts["start"]), end, count).unwrap();
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
const REFUSED: &[&str] = &[];

const DIFFERENCES: &[Difference] = &[];
