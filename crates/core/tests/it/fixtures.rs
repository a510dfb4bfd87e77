//! Reading recorded cases, and comparing answers with them: numbers by value, lists of differences by name.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value, json};
use tidegate_core::{
    ids::StateId,
    orchestration::Version,
    state::{State, StateCreate},
    time::Timestamp,
};
use uuid::Uuid;

/// The recording's present: 2026-03-01T12:00:00Z.
pub(crate) const NOW: i64 = 1_772_366_400;

/// The recording's ids are small numbers.
pub(crate) fn uid(number: u64) -> Uuid {
    Uuid::parse_str(&format!("00000000-0000-4000-8000-{number:012}")).unwrap()
}

pub(crate) const RUN: u64 = 1;
pub(crate) const DEPLOYMENT: u64 = 2;
pub(crate) const LIMIT: u64 = 3;
pub(crate) const PARENT_TASK: u64 = 4;
pub(crate) const LEASE: u64 = 5;
pub(crate) const NEW_LEASE: u64 = 6;
pub(crate) const PARENT_RUN: u64 = 7;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(NOW * 1_000_000).unwrap()
}

pub(crate) fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contract/record/fixtures").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text.replace("x*2001", &"x".repeat(2001))).unwrap()
}

/// A recorded case: the facts, and the reference's answer.
pub(crate) struct Case {
    pub(crate) facts: Value,
    pub(crate) out: Value,
}

pub(crate) fn cases(name: &str) -> Vec<Case> {
    let Value::Array(cases) = read(name) else { panic!("{name} is not a list") };
    cases.into_iter().map(|mut case| Case { facts: case["in"].take(), out: case["out"].take() }).collect()
}

pub(crate) fn state(raw: &Value) -> Option<State> {
    if raw.is_null() {
        return None;
    }
    let created: StateCreate = serde_json::from_value(raw.clone()).unwrap();
    let at = raw.get("timestamp").map_or(now(), |at| serde_json::from_value(at.clone()).unwrap());
    Some(created.into_state(StateId::from(uid(90)), at))
}

pub(crate) fn proposed(raw: &Value) -> State {
    let created: StateCreate = serde_json::from_value(raw.clone()).unwrap();
    created.into_state(StateId::from(uid(91)), now())
}

pub(crate) fn version(raw: &Value) -> Option<Version> {
    raw.as_str().map(|text| Version::parse(text).unwrap())
}

pub(crate) fn time(raw: &Value) -> Option<Timestamp> {
    (!raw.is_null()).then(|| serde_json::from_value(raw.clone()).unwrap())
}

pub(crate) fn seconds(at: Timestamp) -> Value {
    json!(at.micros() as f64 / 1e6)
}

/// A state in the recording's form: what is at its default is left out.
pub(crate) fn state_out(state: &State) -> Value {
    let mut details = serde_json::to_value(&state.state_details).unwrap();
    let fields = details.as_object_mut().unwrap();
    fields.retain(|_, value| !value.is_null() && *value != json!(false));
    for name in ["scheduled_time", "cache_expiration", "pause_timeout"] {
        if let Some(value) = fields.get_mut(name) {
            *value = seconds(serde_json::from_value(value.clone()).unwrap());
        }
    }
    let mut out = json!({"type": state.kind, "name": state.name, "timestamp": seconds(state.timestamp), "state_details": details});
    if let Some(message) = &state.message {
        out["message"] = json!(message);
    }
    if let Some(data) = &state.data {
        out["data"] = data.value();
    }
    out
}

/// The columns that changed, in the recording's form.
pub(crate) fn run_changes(before: &Value, after: &Value) -> Value {
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    let mut out = Map::new();
    for (name, value) in after {
        if name == "empirical_policy" {
            let inner = run_changes(&before[name], value);
            if inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                out.insert(name.clone(), inner);
            }
        } else if *value != before[name] {
            out.insert(name.clone(), in_seconds(name, value));
        }
    }
    Value::Object(out)
}

fn in_seconds(name: &str, value: &Value) -> Value {
    match name {
        "pause_keys" => {
            let mut keys: Vec<&str> = value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|key| if key.len() == 36 { "random" } else { key })
                .collect();
            keys.sort_unstable();
            json!(keys)
        }
        _ if name.ends_with("_time") && value.is_string() => seconds(serde_json::from_value(value.clone()).unwrap()),
        _ => value.clone(),
    }
}

/// Numbers as floats, so that 1 and 1.0 are the same.
pub(crate) fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!((number.as_f64().unwrap() * 1e6).round() / 1e6),
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), canonical(value)))
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        ),
        other => other.clone(),
    }
}

/// A difference from the reference that is meant: where it applies, and what our answer is instead.
pub(crate) struct Difference {
    /// As in `docs/compatibility.md`.
    pub(crate) name: &'static str,
    /// Turns the reference's answer into ours; false where the difference does not apply. Ours is given too, for the few
    /// cases in which the reference has no answer to start from.
    pub(crate) adjust: fn(&Case, &mut Value, &Value) -> bool,
}

/// Compares all cases; every difference must be listed, apply somewhere, and be explained in the docs.
pub(crate) fn assert_agreement(cases: &[Case], ours: impl Fn(&Case) -> Value, differences: &[Difference]) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
    let docs = fs::read_to_string(docs).unwrap();
    let mut uses = vec![0; differences.len()];
    let mut wrong = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let ours = canonical(&ours(case));
        let mut expected = canonical(&case.out);
        if ours == expected {
            continue;
        }
        for (difference, uses) in differences.iter().zip(&mut uses) {
            if (difference.adjust)(case, &mut expected, &ours) {
                *uses += 1;
            }
        }
        if ours != canonical(&expected) {
            wrong.push(format!("case {index}: {}\n  reference: {expected}\n  ours:      {ours}", case.facts));
        }
    }
    let most = 12;
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong[..wrong.len().min(most)].join("\n").replace(&"x".repeat(2001), "x*2001")
    );
    for (difference, uses) in differences.iter().zip(uses) {
        assert!(uses > 0, "the difference `{}` applies nowhere: take it out", difference.name);
        assert!(
            docs.contains(&format!("`{}`", difference.name)),
            "`{}` is not in docs/compatibility.md",
            difference.name
        );
    }
}
