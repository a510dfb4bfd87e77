//! Which pods somebody wants to hear of, by their labels, in the words that Kubernetes has for equality. Pure.

use serde_json::Value;

/// What all of has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Is(String, String),
    IsNot(String, String),
    Has(String),
    HasNot(String),
}

impl Selector {
    /// Reads `name=value`, `name==value`, `name!=value`, `name` and `!name`, between commas.
    pub(crate) fn parse(text: &str) -> Self {
        let word = |text: &str| text.trim().to_owned();
        let requirement = |text: &str| {
            if let Some((name, value)) = text.split_once("!=") {
                Requirement::IsNot(word(name), word(value))
            } else if let Some((name, value)) = text.split_once('=') {
                Requirement::Is(word(name), word(value.trim_start_matches('=')))
            } else if let Some(name) = text.strip_prefix('!') {
                Requirement::HasNot(word(name))
            } else {
                Requirement::Has(word(text))
            }
        };
        Self(text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(requirement).collect())
    }

    pub(crate) fn matches(&self, labels: &Value) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::Is(name, value) => labels[name] == value.as_str(),
            Requirement::IsNot(name, value) => labels[name] != value.as_str(),
            Requirement::Has(name) => labels.get(name).is_some(),
            Requirement::HasNot(name) => labels.get(name).is_none(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_is_required_holds() {
        let labels = json!({"team": "data", "example.com/tier": "batch"});
        for (text, matches) in [
            ("", true),
            ("team=data", true),
            ("team == data, example.com/tier=batch", true),
            ("team=data,example.com/tier=web", false),
            ("team!=web", true),
            ("team!=data", false),
            ("nobody!=data", true),
            ("team", true),
            ("nobody", false),
            ("!nobody,team", true),
            ("!team", false),
        ] {
            assert_eq!(Selector::parse(text).matches(&labels), matches, "{text}");
        }
        assert!(!Selector::parse("team=data").matches(&Value::Null));
    }
}
