//! What a run's failure policy says about each class of failure: another try, more memory, how long a hindrance is borne.
//! A policy is an object by class, in the job variable `failure_policy` of pool, deployment or run. Pure.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::infrastructure::{Attempt, Failure, FailureClass, Retry};

/// What nobody is to blame for is tried again by itself.
const USUAL: [(FailureClass, i64); 3] =
    [(FailureClass::Evicted, 3), (FailureClass::Preempted, 3), (FailureClass::NodeLost, 3)];
const DELAY: i64 = 10;

/// A policy, as it was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Policy(Map<String, Value>);

impl Policy {
    /// Reads one; what it says about a class is an object of numbers and quantities.
    pub(crate) fn parse(given: Option<&Value>) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            let hint = "it is an object like {\"oom_killed\": {\"retries\": 2, \"memory_factor\": 1.5, \"memory_cap\": \"8Gi\"}}";
            Failure::new(FailureClass::ConfigError, format!("`failure_policy`: {what}.")).with_hint(hint)
        };
        let classes = match given {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(classes)) => classes,
            Some(_) => return Err(wrong("not an object")),
        };
        for (class, rule) in classes {
            let known = FailureClass::ALL.map(FailureClass::as_str);
            if !known.contains(&class.as_str()) {
                return Err(wrong(&format!("there is no class `{class}`; there are {}", known.join(", "))));
            }
            for (key, value) in rule.as_object().ok_or_else(|| wrong(&format!("`{class}` is not an object")))? {
                let is_valid = match key.as_str() {
                    "retries" | "delay_seconds" | "hold_seconds" => value.as_i64().is_some_and(|number| number >= 0),
                    "memory_factor" => value.as_f64().is_some_and(|factor| factor > 1.0),
                    "memory_cap" => value.as_str().and_then(bytes).is_some(),
                    _ => return Err(wrong(&format!("`{class}` has no `{key}`"))),
                };
                if !is_valid {
                    return Err(wrong(&format!("`{class}.{key}` cannot be {value}")));
                }
            }
        }
        Ok(Self(classes.clone()))
    }

    pub(crate) fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    fn number(&self, class: FailureClass, key: &str) -> Option<i64> {
        self.0.get(class.as_str())?.get(key)?.as_i64()
    }

    /// How long a hindrance of this class is borne, if the policy says so.
    pub(crate) fn hold(&self, class: FailureClass) -> Option<Duration> {
        self.number(class, "hold_seconds").map(seconds)
    }

    /// Another try for a run that failed, if it has one left.
    pub(crate) fn retry(&self, failure: &Failure, attempt: &Attempt, memory: Option<&str>) -> Option<Retry> {
        let class = failure.class;
        let usual = USUAL.iter().find(|(usual, _)| *usual == class).map_or(0, |(_, retries)| *retries);
        let retries = self.number(class, "retries").unwrap_or(usual);
        if attempt.attempt > retries {
            return None;
        }
        let (mut job_variables, mut with) = (Map::new(), String::new());
        if class == FailureClass::OomKilled {
            let more = self.more_memory(memory)?;
            with = format!(" with {more} of memory instead of {}", memory.unwrap_or_default());
            job_variables = Map::from_iter([("memory_limit".to_owned(), json!(more))]);
        }
        let delay = seconds(self.number(class, "delay_seconds").unwrap_or(DELAY));
        let message = format!(
            "Tried again{with} after {} (automatic try {} of {retries}): {}",
            class.as_str(),
            attempt.attempt,
            failure.message
        );
        Some(Retry { delay, message, job_variables })
    }

    /// What a run that ran out of memory gets next; `None`: there is no more for it.
    fn more_memory(&self, memory: Option<&str>) -> Option<String> {
        let rule = self.0.get(FailureClass::OomKilled.as_str())?;
        let had = bytes(memory?)?;
        let wanted = had * rule.get("memory_factor").and_then(Value::as_f64).unwrap_or(1.5);
        let cap = rule.get("memory_cap").and_then(Value::as_str).and_then(bytes);
        let next = cap.map_or(wanted, |cap| wanted.min(cap));
        (next > had).then(|| format!("{}Mi", (next / (1024.0 * 1024.0)).ceil()))
    }
}

/// A number of seconds that somebody gave, who means "for ever" by numbers beyond this.
pub(crate) fn seconds(given: i64) -> Duration {
    const LONGEST: u64 = 10 * 366 * 24 * 60 * 60;
    Duration::from_secs(given.unsigned_abs().min(LONGEST))
}

/// A quantity of memory, as Kubernetes writes it.
fn bytes(quantity: &str) -> Option<f64> {
    let end = quantity.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(quantity.len());
    let factor = match &quantity[end..] {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    quantity[..end].parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn attempt(attempt: i64) -> Attempt {
        Attempt { flow_run_id: Uuid::nil(), flow_run_name: "a".into(), attempt, token: Some(1), owner: None }
    }

    #[test]
    fn what_nobody_is_to_blame_for_is_tried_again() {
        let policy = Policy::default();
        for (class, tries) in [
            (FailureClass::Evicted, 3),
            (FailureClass::Preempted, 3),
            (FailureClass::NodeLost, 3),
            (FailureClass::ExitCode, 0),
            (FailureClass::OomKilled, 0),
            (FailureClass::Deleted, 0),
        ] {
            let failure = Failure::new(class, "It failed.");
            let granted = (1..10).filter(|number| policy.retry(&failure, &attempt(*number), Some("1Gi")).is_some());
            assert_eq!(granted.count(), tries, "{class:?}");
        }
    }

    #[test]
    fn memory_grows_up_to_its_cap() {
        let given = json!({"oom_killed": {"retries": 9, "memory_factor": 2, "memory_cap": "3Gi"}});
        let policy = Policy::parse(Some(&given)).unwrap();
        let failure = Failure::new(FailureClass::OomKilled, "It failed.");
        let next =
            |had| policy.retry(&failure, &attempt(1), had).map(|retry| retry.job_variables["memory_limit"].clone());
        assert_eq!(next(Some("1Gi")), Some(json!("2048Mi")));
        assert_eq!(next(Some("2Gi")), Some(json!("3072Mi")));
        assert_eq!(next(Some("3Gi")), None);
        assert_eq!(next(None), None);
    }

    #[test]
    fn what_a_policy_cannot_say_is_refused() {
        for given in [
            json!("retry"),
            json!({"boredom": {"retries": 1}}),
            json!({"evicted": {"tries": 1}}),
            json!({"evicted": {"retries": -1}}),
            json!({"oom_killed": {"memory_cap": "much"}}),
        ] {
            assert_eq!(Policy::parse(Some(&given)).unwrap_err().class, FailureClass::ConfigError, "{given}");
        }
    }
}
