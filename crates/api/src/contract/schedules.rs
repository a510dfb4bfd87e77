//! Cron expressions and recurrence rules in a body: whether the rules can follow them, and the reference's words when they
//! cannot. What a schedule means is `tidegate_core::schedule`.

use tidegate_core::schedule::{CronSchedule, Error, RRuleSchedule, Schedule};

/// Longest recurrence rule, in characters.
const LONGEST: usize = 6500;
/// How much of a rule that is too long is shown.
const SHOWN: usize = 40;

/// Why a text is no cron expression.
pub(super) fn refuse_cron(text: &str) -> Option<String> {
    let follows = |cron: String| Schedule::Cron(CronSchedule { cron, timezone: None, day_or: true }).check().is_ok();
    if follows(text.to_owned()) {
        return None;
    }
    let is_random = |word: &str| word.eq_ignore_ascii_case("r") || word.eq_ignore_ascii_case("h");
    let plain: Vec<&str> = text.split_whitespace().map(|word| if is_random(word) { "*" } else { word }).collect();
    Some(if text.split_whitespace().any(is_random) && follows(plain.join(" ")) {
        format!("Random and Hashed expressions are unsupported, received: \"{text}\"")
    } else {
        format!("Invalid cron string: \"{text}\"")
    })
}

/// Why a text is no recurrence rule.
pub(super) fn refuse_rrule(text: &str) -> Option<String> {
    let length = text.chars().count();
    let first_line = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
    let Err(error) = check_rrule(text) else { return None };
    // One that is too long but good as far as one can tell is refused for its length.
    if length > LONGEST && broken_pair(&first_line(text)).is_none() {
        let shown: String = text.chars().take(SHOWN).collect();
        return Some(format!("Invalid RRule string \"{shown}...\"\nMax length is {LONGEST}, got {length}"));
    }
    let why = if text.trim().is_empty() {
        "empty string".to_owned()
    } else {
        text.to_uppercase().split_whitespace().find_map(broken_pair).unwrap_or_else(|| match error {
            Error::RRule { why, .. } => why,
            other => other.to_string(),
        })
    };
    Some(format!("Invalid RRule string \"{text}\": {why}"))
}

fn check_rrule(text: &str) -> Result<(), Error> {
    Schedule::RRule(RRuleSchedule { rrule: text.to_owned(), timezone: None }).check()
}

/// The first part of a rule's line that cannot be read, as Python's dateutil tells it.
fn broken_pair(line: &str) -> Option<String> {
    let rule = match line.split_once(':') {
        Some(("RRULE" | "EXRULE", rule)) => rule,
        Some(_) => return None,
        None => line,
    };
    rule.split(';').find_map(|pair| {
        let parts: Vec<&str> = pair.split('=').collect();
        match parts[..] {
            [_] => Some("not enough values to unpack (expected 2, got 1)".to_owned()),
            [name, value] => {
                let alone = if name == "FREQ" { pair.to_owned() } else { format!("FREQ=DAILY;{pair}") };
                let Err(Error::RRule { why, .. }) = check_rrule(&alone) else { return None };
                Some(if why.contains("there is no part") {
                    format!("unknown parameter '{name}'")
                } else {
                    format!("invalid '{name}': {value}")
                })
            }
            _ => Some("too many values to unpack (expected 2)".to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{refuse_cron, refuse_rrule};

    #[test]
    fn cron_expressions_are_refused_in_the_references_words() {
        assert_eq!(refuse_cron("*/5 * * * *"), None);
        assert_eq!(refuse_cron("60 * * * *").unwrap(), "Invalid cron string: \"60 * * * *\"");
        let random = "Random and Hashed expressions are unsupported, received: \"R * * * *\"";
        assert_eq!(refuse_cron("R * * * *").unwrap(), random);
    }

    #[test]
    fn rules_are_refused_in_the_references_words() {
        assert_eq!(refuse_rrule("FREQ=DAILY;COUNT=3"), None);
        for (text, why) in [
            ("", "empty string"),
            ("bad", "not enough values to unpack (expected 2, got 1)"),
            ("FREQ=NEVER", "invalid 'FREQ': NEVER"),
            ("FREQ=DAILY;NONE=1", "unknown parameter 'NONE'"),
            ("FREQ=DAILY;COUNT=x", "invalid 'COUNT': X"),
        ] {
            assert_eq!(refuse_rrule(text).unwrap(), format!("Invalid RRule string \"{text}\": {why}"));
        }
    }
}
