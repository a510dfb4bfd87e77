//! Names as Kubernetes takes them, made of whatever people call their flows, with the reference's rules. Pure.

use deunicode::deunicode;

/// Room for what makes a Job's name unique: label values end at 63.
const NAME: usize = 45;
const LABEL: usize = 63;
const PREFIX: usize = 253;

/// The base of a Job's name; `None` if nothing is left of it.
pub(crate) fn job_name(name: &str) -> Option<String> {
    let slug = cut(&slug(&name.to_lowercase(), ""), NAME);
    let slug = slug.to_lowercase();
    (!slug.is_empty()).then_some(slug)
}

/// A label's value. What has nothing to keep stays as it is, for the API server to refuse.
pub(crate) fn label_value(value: &str) -> String {
    trimmed(&slug(value, "_."), LABEL, value)
}

/// A key of a label or an annotation, with its prefix if it has one.
pub(crate) fn label_key(key: &str) -> String {
    let part = |text: &str, kept, longest| trimmed(&slug(text, kept), longest, text);
    match key.split_once('/') {
        Some((prefix, name)) if !prefix.is_empty() => {
            format!("{}/{}", part(prefix, ".", PREFIX), part(name, "_.", LABEL))
        }
        Some((_, name)) => part(name, "_.", LABEL),
        None => part(key, "_.", LABEL),
    }
}

fn trimmed(slug: &str, longest: usize, original: &str) -> String {
    let name = cut(slug, longest);
    let name = name.trim_matches(|c| "_-.".contains(c));
    if name.is_empty() { original.to_owned() } else { name.to_owned() }
}

fn cut(slug: &str, longest: usize) -> String {
    slug.get(..longest).unwrap_or(slug).trim_matches('-').to_owned()
}

/// Letters, digits, dashes and what else is kept; anything else becomes one dash.
fn slug(text: &str, kept: &str) -> String {
    // Beyond the first plane there are pictures, which have no letters.
    let text: String = text.chars().filter(|c| u32::from(*c) <= 0xFFFF).collect();
    let ascii = deunicode(&text.replace('\'', "-")).replace('\'', "");
    let ascii = without_commas_in_numbers(&decoded(&ascii));
    let mut slug = String::with_capacity(ascii.len());
    for c in ascii.chars() {
        let c = if c.is_ascii_alphanumeric() || kept.contains(c) { c } else { '-' };
        if c != '-' || !slug.ends_with('-') {
            slug.push(c);
        }
    }
    slug.trim_matches('-').to_owned()
}

/// HTML's names and numbers of characters, of which people's texts have but a few.
fn decoded(text: &str) -> String {
    let mut rest = text;
    let mut decoded = String::with_capacity(text.len());
    while let Some(start) = rest.find('&') {
        decoded.push_str(&rest[..start]);
        rest = &rest[start..];
        let entity = rest.find(';').map(|end| &rest[1..end]);
        match entity.and_then(|entity| Some((entity.len() + 2, character(entity)?))) {
            Some((length, text)) => {
                decoded.push_str(&text);
                rest = &rest[length..];
            }
            None => {
                decoded.push('&');
                rest = &rest[1..];
            }
        }
    }
    decoded + rest
}

fn character(entity: &str) -> Option<String> {
    let named = match entity {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" | "nbsp" => " ",
        _ => {
            let number = entity.strip_prefix('#')?;
            let number = match number.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            return Some(deunicode(&char::from_u32(number.ok()?)?.to_string()));
        }
    };
    Some(named.to_owned())
}

fn without_commas_in_numbers(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let is_digit = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(char::is_ascii_digit);
    let stays = |at: usize, c: char| c != ',' || !is_digit(at.checked_sub(1)) || !is_digit(Some(at + 1));
    characters.iter().enumerate().filter(|(at, c)| stays(*at, **c)).map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_references() {
        for (text, name, value) in [
            ("My Flow_Run!", Some("my-flow-run"), "My-Flow_Run"),
            ("日本", Some("ri-ben"), "Ri-Ben"),
            ("2026-01-01T00:00:00+00:00", Some("2026-01-01t00-00-00-00-00"), "2026-01-01T00-00-00-00-00"),
            ("___", None, "___"),
            ("1,000 rows", Some("1000-rows"), "1000-rows"),
            ("it's", Some("it-s"), "it-s"),
            ("a &amp; b", Some("a-b"), "a-b"),
            ("", None, ""),
        ] {
            assert_eq!(job_name(text).as_deref(), name, "{text}");
            assert_eq!(label_value(text), value, "{text}");
        }
        assert_eq!(job_name(&"a".repeat(80)).unwrap().len(), 45);
        assert_eq!(label_value(&"a".repeat(80)).len(), 63);
    }

    #[test]
    fn keys_have_one_prefix() {
        for (key, expected) in [("a/b/c", "a/b-c"), ("team", "team"), ("My Org/the key", "My-Org/the-key"), ("/x", "x")]
        {
            assert_eq!(label_key(key), expected);
        }
    }
}
