//! Rules that no schema tells: what the reference's models check in code. `Before` sees a value as it came and may settle
//! it; `After` sees it once its type is right. Only rules that need nothing but the value live here.

use std::str::FromStr;

use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::{check::Edit, schedules};
use crate::{placeholders, templates};

/// What a rule says.
pub(super) enum Verdict {
    Pass,
    Edit(Edit),
    /// The value is settled; its type is not looked at any more.
    Done(Edit),
    Refuse(String),
    /// More characters than this, in the words for a value of any kind.
    TooLong(usize),
}

use Verdict::{Done, Pass, Refuse, TooLong};

const METADATA_LENGTH: usize = 500;
const VARIABLE_NAME_LENGTH: usize = 255;
const VARIABLE_SIZE: usize = 5000;
const CACHE_KEY_LENGTH: usize = 2000;
const RETRY_DELAYS: usize = 50;
const SCHEDULED_RUNS: f64 = 50.0;
const RESOURCE_LABELS: usize = 500;
const RELATED_RESOURCES: usize = 100;
const EVENT_NAME_LENGTH: usize = 1024;
const PROACTIVE_SECONDS: f64 = 10.0;

#[derive(Clone, Copy, Debug)]
pub(super) enum Before {
    /// A run without a name gets one later.
    RunName,
    /// A run that is to lose its name gets another; whatever says so is read as null.
    NewRunName,
    BlockDocumentName,
    PoolName,
    /// Either a limit of its own or a shared one.
    OneConcurrencyLimit,
    VariableSize,
    ProactiveWithin,
    /// A template is text; a structure sent instead is written out.
    PayloadText,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    Dashes(&'static str),
    VariableName,
    Metadata,
    CacheKey,
    RetryDelays,
    RetryJitter,
    ScheduledRuns,
    PositiveInterval,
    PositiveDelay,
    Cron,
    RRule,
    Zone,
    Resource,
    RelatedResource,
    RelatedCount,
    EventName,
    /// `source: selected` needs this field, anything else forbids it.
    SelectedId(&'static str),
    RequiredTriggers,
    JobTemplate,
    /// The field of this name holds a template.
    Template(&'static str),
    /// Values in it that are marked to be filled in can be.
    Placeholders,
}

impl Before {
    pub(super) fn apply(self, value: &Value) -> Verdict {
        match self {
            Self::RunName if is_falsy(value) => Done(Edit::Remove),
            Self::NewRunName if is_falsy(value) => Done(Edit::Set(Value::Null)),
            Self::RunName | Self::NewRunName => Pass,
            Self::VariableSize => variable_size(value),
            Self::PayloadText => match value {
                Value::Null | Value::String(_) => Pass,
                other => {
                    let text = serde_json::to_string_pretty(other).unwrap_or_default();
                    match After::Template("payload").apply_to_text(&text) {
                        Pass => Done(Edit::Set(text.into())),
                        refusal => refusal,
                    }
                }
            },
            Self::PoolName => match value.as_str() {
                Some(name) if name.trim_matches(['\'', ' ', '"']).is_empty() => {
                    Refuse("name cannot be an empty string".into())
                }
                _ => Pass,
            },
            Self::BlockDocumentName | Self::OneConcurrencyLimit | Self::ProactiveWithin => {
                value.as_object().map_or(Pass, |object| self.apply_to_object(object))
            }
        }
    }

    fn apply_to_object(self, object: &Map<String, Value>) -> Verdict {
        let given = |name: &str| object.get(name).is_some_and(|value| !is_falsy(value));
        match self {
            Self::BlockDocumentName if !given("is_anonymous") && !given("name") => {
                Refuse("Names must be provided for block documents.".into())
            }
            Self::OneConcurrencyLimit if given("concurrency_limit") && given("global_concurrency_limit_id") => {
                Refuse("A deployment cannot have both a concurrency limit and a global concurrency limit.".into())
            }
            Self::ProactiveWithin => proactive_within(object),
            _ => Pass,
        }
    }
}

fn proactive_within(trigger: &Map<String, Value>) -> Verdict {
    let within = trigger.get("within");
    if within.is_some_and(Value::is_null) {
        return Refuse("`within` should be a valid timedelta".into());
    }
    if trigger.get("posture").and_then(Value::as_str) != Some("Proactive") {
        return Pass;
    }
    // Python's switches are numbers.
    let number = |value: &Value| value.as_bool().map_or_else(|| value.as_f64(), |flag| Some(f64::from(u8::from(flag))));
    match within.map(number) {
        None | Some(Some(0.0)) => Verdict::Edit(Edit::Insert(vec![("within", json!(PROACTIVE_SECONDS))])),
        Some(Some(seconds)) if seconds < PROACTIVE_SECONDS => {
            Refuse("`within` for Proactive triggers must be greater than or equal to 10 seconds".into())
        }
        _ => Pass,
    }
}

fn variable_size(value: &Value) -> Verdict {
    if value.is_null() || value.to_string().len() <= VARIABLE_SIZE {
        return Pass;
    }
    Refuse(format!("Variable value must be less than {VARIABLE_SIZE} characters"))
}

impl After {
    pub(super) fn apply(self, value: &Value) -> Verdict {
        match value {
            Value::String(text) => self.apply_to_text(text),
            Value::Array(items) => self.apply_to_list(items),
            Value::Object(object) => self.apply_to_object(object),
            Value::Number(number) => self.apply_to_number(number.as_f64().unwrap_or_default()),
            Value::Null | Value::Bool(_) => Pass,
        }
    }

    fn apply_to_text(self, text: &str) -> Verdict {
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match self {
            Self::Dashes(what) if !text.chars().all(lower) => {
                Refuse(format!("{what} must only contain lowercase letters, numbers, and dashes."))
            }
            Self::VariableName if !text.chars().all(|c| lower(c) || c == '_') => {
                Refuse("Variable name must only contain lowercase letters, numbers, and dashes or underscores.".into())
            }
            Self::VariableName if text.len() > VARIABLE_NAME_LENGTH => TooLong(VARIABLE_NAME_LENGTH),
            Self::Cron => schedules::refuse_cron(text).map_or(Pass, Refuse),
            Self::RRule => schedules::refuse_rrule(text).map_or(Pass, Refuse),
            Self::CacheKey if text.chars().count() > CACHE_KEY_LENGTH => {
                Refuse(format!("Cache key exceeded maximum allowed length of {CACHE_KEY_LENGTH} characters."))
            }
            Self::EventName if text.chars().count() > EVENT_NAME_LENGTH => {
                Refuse(format!("Event name must be at most {EVENT_NAME_LENGTH} characters"))
            }
            Self::Template(field) => match templates::check(text) {
                Ok(()) => Pass,
                Err(problem) => Refuse(format!("'{field}' is not a valid template: {}", problem.message)),
            },
            // Other spellings of numbers and durations, which are fine by their type.
            Self::ScheduledRuns | Self::RetryJitter => text.trim().parse().map_or(Pass, |n| self.apply_to_number(n)),
            Self::PositiveInterval | Self::PositiveDelay if text.starts_with('-') => self.apply_to_number(-1.0),
            _ => Pass,
        }
    }

    fn apply_to_number(self, number: f64) -> Verdict {
        match self {
            Self::RetryJitter if number < 0.0 => Refuse("`retry_jitter_factor` must be >= 0.".into()),
            Self::ScheduledRuns if number > SCHEDULED_RUNS => {
                Refuse(format!("`max_scheduled_runs` must be less than or equal to {SCHEDULED_RUNS}."))
            }
            Self::PositiveInterval if number <= 0.0 => Refuse("interval must be positive".into()),
            Self::PositiveDelay if number < 0.0 => Refuse("schedule_after must be non-negative".into()),
            _ => Pass,
        }
    }

    fn apply_to_list(self, items: &[Value]) -> Verdict {
        match self {
            Self::RetryDelays if items.len() > RETRY_DELAYS => {
                Refuse(format!("Can not configure more than {RETRY_DELAYS} retry delays per task."))
            }
            Self::RelatedCount if items.len() > RELATED_RESOURCES => {
                Refuse(format!("The maximum number of related resources is {RELATED_RESOURCES}"))
            }
            _ => Pass,
        }
    }

    fn apply_to_object(self, object: &Map<String, Value>) -> Verdict {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        match self {
            Self::Metadata => cut_metadata(object),
            Self::Placeholders => match placeholders::problems(object) {
                problems if problems.is_empty() => Pass,
                problems => Refuse(format!("Invalid parameters: \n{}", problems.join("\n  "))),
            },
            Self::Zone => match text("timezone") {
                Some(zone) if !zone.is_empty() && Tz::from_str(zone).is_err() => Refuse(format!(
                    "Invalid timezone: \"{zone}\" (specify in IANA tzdata format, for example, America/New_York)"
                )),
                _ => Pass,
            },
            Self::Resource => resource(object),
            Self::RelatedResource => match (resource(object), text("prefect.resource.role")) {
                (Pass, None) => Refuse("Related Resources must include the prefect.resource.role label".into()),
                (Pass, Some("")) => Refuse("The prefect.resource.role label must be non-empty".into()),
                (verdict, _) => verdict,
            },
            Self::SelectedId(name) => {
                let given = object.get(name).is_some_and(|id| !id.is_null());
                match text("source").unwrap_or("selected") == "selected" {
                    true if !given => Refuse(format!("{name} is required")),
                    false if given => Refuse(format!("{name} is not allowed")),
                    _ => Pass,
                }
            }
            Self::RequiredTriggers => required_triggers(object),
            Self::JobTemplate => job_template(object),
            _ => Pass,
        }
    }
}

fn cut_metadata(metadata: &Map<String, Value>) -> Verdict {
    let short = |value: &Value| value.as_str().is_none_or(|text| text.chars().count() <= METADATA_LENGTH);
    if metadata.values().all(short) {
        return Pass;
    }
    let cut = metadata.iter().map(|(key, value)| match value {
        Value::String(text) if !short(value) => {
            let text: String = text.chars().take(METADATA_LENGTH).chain("...".chars()).collect();
            (key.clone(), text.into())
        }
        other => (key.clone(), other.clone()),
    });
    Verdict::Edit(Edit::Set(Value::Object(cut.collect())))
}

fn resource(labels: &Map<String, Value>) -> Verdict {
    if labels.len() > RESOURCE_LABELS {
        return Refuse(format!("The maximum number of labels per resource is {RESOURCE_LABELS}"));
    }
    match labels.get("prefect.resource.id").and_then(Value::as_str) {
        None => Refuse("Resources must include the prefect.resource.id label".into()),
        Some("") => Refuse("The prefect.resource.id label must be non-empty".into()),
        Some(_) => Pass,
    }
}

fn required_triggers(trigger: &Map<String, Value>) -> Verdict {
    let count = trigger.get("triggers").and_then(Value::as_array).map_or(0, Vec::len) as f64;
    match trigger.get("require").and_then(Value::as_f64) {
        Some(required) if required < 1.0 => Refuse("require must be at least 1".into()),
        Some(required) if required > count => {
            Refuse("require must be less than or equal to the number of triggers".into())
        }
        _ => Pass,
    }
}

/// Every `{{ name }}` of the job configuration has to be a property of the variables.
fn job_template(template: &Map<String, Value>) -> Verdict {
    if template.is_empty() {
        return Pass;
    }
    let part = |name: &str| template.get(name).filter(|value| !is_falsy(value));
    let (Some(configuration), Some(variables)) = (part("job_configuration"), part("variables")) else {
        return Refuse(
            "The `base_job_template` must contain both a `job_configuration` key and a `variables` key.".into(),
        );
    };
    let declared = variables.get("properties").and_then(Value::as_object);
    let mut missing: Vec<String> = Vec::new();
    for name in placeholders(&configuration.to_string()) {
        if !declared.is_some_and(|declared| declared.contains_key(&name)) && !missing.contains(&name) {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return Pass;
    }
    Refuse(format!(
        "The variables specified in the job configuration template must be present as properties in the variables \
         schema. Your job configuration uses the following undeclared variable(s): {}.",
        missing.join(" ,")
    ))
}

fn placeholders(text: &str) -> Vec<String> {
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '-');
    text.split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"))
        .map(|(inside, _)| inside.trim())
        .filter(|inside| !inside.is_empty() && inside.chars().all(name))
        .map(str::to_owned)
        .collect()
}

/// What Python takes for false.
pub(super) fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(switch) => !switch,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}
