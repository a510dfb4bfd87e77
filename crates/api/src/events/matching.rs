//! Which events a filter means, for events at hand: subscriptions and triggers. The store says the same in SQL.

use super::{
    AnyResourceFilter, Event, EventFilter, EventNameFilter, Patterns, ReceivedEvent, RelatedFilter, Resource,
    ResourceFilter, ResourceSpecification,
};
use crate::text_search::TextQuery;

const ID: &str = "prefect.resource.id";
const ROLE: &str = "prefect.resource.role";

impl EventFilter {
    /// Whether this filter means the event. An end of `occurred` that is not given is open.
    pub fn matches(&self, event: &ReceivedEvent) -> bool {
        let occurred = self.occurred.as_ref();
        occurred.and_then(|filter| filter.since).is_none_or(|since| since <= event.occurred)
            && occurred.and_then(|filter| filter.until).is_none_or(|until| event.occurred <= until)
            && self.event.as_ref().is_none_or(|filter| filter.matches(&event.event))
            && self.resource.as_ref().is_none_or(|filter| filter.matches(&event.resource))
            && self.related.iter().flat_map(|many| many.as_slice()).all(|filter| filter.matches(&event.related))
            && self.any_resource.iter().flat_map(|many| many.as_slice()).all(|filter| {
                std::iter::once(&event.resource).chain(&event.related).any(|resource| filter.matches(resource))
            })
            && self.id.as_ref().and_then(|filter| given(filter.id.as_deref())).is_none_or(|ids| ids.contains(&event.id))
            && self.text.as_ref().is_none_or(|filter| TextQuery::parse(&filter.query).matches(&searchable(event)))
    }
}

/// An empty list restricts nothing.
fn given<T>(list: Option<&[T]>) -> Option<&[T]> {
    list.filter(|list| !list.is_empty())
}

impl EventNameFilter {
    pub fn matches(&self, name: &str) -> bool {
        let starts = |prefixes: &[String]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let is = |names: &[String]| names.iter().any(|other| other == name);
        given(self.prefix.as_deref()).is_none_or(starts)
            && !given(self.exclude_prefix.as_deref()).is_some_and(starts)
            && given(self.name.as_deref()).is_none_or(is)
            && !given(self.exclude_name.as_deref()).is_some_and(is)
    }
}

fn resource_matches(
    resource: &Resource,
    ids: Option<&[String]>,
    prefixes: Option<&[String]>,
    labels: Option<&ResourceSpecification>,
) -> bool {
    let id = resource.get(ID).map_or("", String::as_str);
    given(ids).is_none_or(|ids| ids.iter().any(|other| other == id))
        && given(prefixes).is_none_or(|prefixes| prefixes.iter().any(|prefix| id.starts_with(prefix)))
        && labels.is_none_or(|labels| specification_matches(labels, resource))
}

impl ResourceFilter {
    pub fn matches(&self, resource: &Resource) -> bool {
        resource_matches(resource, self.id.as_deref(), self.id_prefix.as_deref(), self.labels.as_ref())
    }
}

impl AnyResourceFilter {
    pub fn matches(&self, resource: &Resource) -> bool {
        resource_matches(resource, self.id.as_deref(), self.id_prefix.as_deref(), self.labels.as_ref())
    }
}

impl RelatedFilter {
    /// Whether nothing is asked for.
    pub fn is_open(&self) -> bool {
        given(self.id.as_deref()).is_none()
            && given(self.role.as_deref()).is_none()
            && given(self.resources_in_roles.as_deref()).is_none()
            && self.labels.as_ref().is_none_or(ResourceSpecification::is_empty)
    }

    /// Whether one of the related resources has all that is asked for.
    pub fn matches(&self, related: &[Resource]) -> bool {
        self.is_open()
            || related.iter().any(|resource| {
                let id = resource.get(ID).map_or("", String::as_str);
                let role = resource.get(ROLE).map_or("", String::as_str);
                given(self.id.as_deref()).is_none_or(|ids| ids.iter().any(|other| other == id))
                    && given(self.role.as_deref()).is_none_or(|roles| roles.iter().any(|other| other == role))
                    && given(self.resources_in_roles.as_deref()).is_none_or(|pairs| {
                        pairs.iter().any(|(other_id, other_role)| other_id == id && other_role == role)
                    })
                    && self.labels.as_ref().is_none_or(|labels| specification_matches(labels, resource))
            })
    }
}

impl Patterns {
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Every label is there and has a value that one of its patterns means.
pub fn specification_matches(labels: &ResourceSpecification, resource: &Resource) -> bool {
    labels.iter().all(|(label, patterns)| {
        resource.get(label).is_some_and(|value| patterns.as_slice().iter().any(|pattern| label_matches(pattern, value)))
    })
}

/// `*` stands for any text, `?` for one character, `!` in front turns the answer round.
pub fn label_matches(pattern: &str, value: &str) -> bool {
    match pattern.strip_prefix('!') {
        Some(pattern) => !glob(pattern, value),
        None => glob(pattern, value),
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return pattern == text;
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Name, label values and payload, in lower case.
fn searchable(event: &ReceivedEvent) -> String {
    let mut text = event.event.clone();
    for value in event.resource.values().chain(event.related.iter().flat_map(|resource| resource.values())) {
        text.push(' ');
        text.push_str(value);
    }
    text.push(' ');
    text.push_str(event.payload.text());
    text.to_lowercase()
}

impl Event {
    /// The event as the server knows it from now on.
    pub fn received(self, received: tidegate_core::time::Timestamp) -> ReceivedEvent {
        ReceivedEvent {
            occurred: self.occurred,
            event: self.event,
            resource: self.resource,
            related: self.related,
            payload: self.payload,
            id: self.id,
            follows: self.follows,
            received,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{glob, label_matches};

    #[test]
    fn patterns_mean_whole_values() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXcXb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("prefect.flow-run.*", "prefect.flow-run.1", true),
            ("ü*", "über", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
        }
        assert!(label_matches("!a*", "b"));
        assert!(!label_matches("!a*", "ab"));
    }
}
