//! Which templates a webhook may have. What a template does is bounded by what it can say: it reads the request, chooses
//! and repeats; it cannot keep what it has built and build on that, which is how small templates make huge texts. So a
//! template that gets by here needs no more memory than a few times its request, and rendering it needs no clock.

use tidegate_api::templates::{self, Invalid};

use super::filters;

/// Characters of a template.
const LONGEST: usize = 64 * 1024;
/// Times that a template may join texts.
const MOST_JOINS: usize = 20;

const TAGS: [&str; 9] = ["for", "endfor", "if", "elif", "else", "endif", "set", "raw", "endraw"];

/// Whether a template may be saved.
pub fn check(template: &str) -> Result<(), Invalid> {
    let whole = |message: String| Err(Invalid { line: 0, message });
    if template.len() > LONGEST {
        return whole(format!("The template is longer than {LONGEST} bytes."));
    }
    let mut joins = 0;
    for part in parts(template) {
        let line = template[..part.at].matches('\n').count() + 1;
        part.check(&mut joins).map_err(|message| Invalid { line, message })?;
    }
    templates::check(template)?;
    if joins > MOST_JOINS {
        return whole(format!("Joins texts {joins} times; templates of webhooks may do so {MOST_JOINS} times."));
    }
    Ok(())
}

/// A tag or an expression.
struct Part {
    at: usize,
    /// `None` of an expression.
    tag: Option<String>,
    /// The inside, with texts in quotes emptied.
    code: String,
}

fn parts(template: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(found) = template[at..].find('{') {
        at += found + 1;
        let rest = &template[at..];
        let (end, skipped) = match rest.as_bytes().first() {
            Some(b'#') => {
                at += rest.find("#}").map_or(rest.len(), |end| end + 2);
                continue;
            }
            Some(b'{') => ("}}", 1),
            Some(b'%') => ("%}", 1),
            _ => continue,
        };
        let (code, length) = inside(&rest[skipped..], end);
        let code = code.trim_start_matches(['-', '+']).trim_start().to_owned();
        let tag = (end == "%}").then(|| word(&code).to_owned());
        let is_raw = tag.as_deref() == Some("raw");
        parts.push(Part { at, tag, code });
        at += skipped + length;
        if is_raw {
            // What looks like tags or comments in there is text.
            at += template[at..].find("endraw").unwrap_or(template.len() - at);
        }
    }
    parts
}

/// What is before `end`, with texts emptied, and how long it was.
fn inside(text: &str, end: &str) -> (String, usize) {
    let mut code = String::new();
    let mut quote = None;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => {
                quote = None;
                code.push(c);
            }
            Some(_) => {}
            None if text[at..].starts_with(end) => return (code, at + end.len()),
            None => {
                if c == '"' || c == '\'' {
                    quote = Some(c);
                }
                code.push(c);
            }
        }
    }
    (code, text.len())
}

/// The name that a text begins with.
fn word(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())]
}

impl Part {
    fn check(&self, joins: &mut usize) -> Result<(), String> {
        let code = &self.code;
        if let Some(tag) = &self.tag
            && !TAGS.contains(&tag.as_str())
        {
            return Err(format!("Webhooks have no tag `{tag}`; they have for, if, set and raw."));
        }
        if code.contains('*') {
            return Err("Templates of webhooks do not multiply.".into());
        }
        if code.contains('{') {
            return Err("Templates of webhooks make no mappings in expressions; write them as JSON around them.".into());
        }
        let joined = code.matches(['~', '+']).count();
        *joins += joined;
        match self.tag.as_deref() {
            Some("set") if !code.contains('=') => return Err("`set` needs a value.".into()),
            Some("set" | "for") if joined > 0 => {
                return Err(
                    "What `set` names and `for` goes through comes from the request as it is; join texts where they \
                            are put out."
                        .into(),
                );
            }
            Some("for") if code.split_whitespace().any(|word| word == "recursive") => {
                return Err("Loops of webhooks are not recursive.".into());
            }
            _ => {}
        }
        lists_are_constant(code)?;
        filters_are_known(code)
    }
}

/// A list in an expression may hold texts and numbers; with other values it could double at every step.
fn lists_are_constant(code: &str) -> Result<(), String> {
    for (at, _) in code.match_indices('[') {
        let before = code[..at].trim_end();
        let indexes = before.ends_with(|c: char| c.is_ascii_alphanumeric() || "_])\"'".contains(c))
            && !["in", "and", "or", "not", "if", "else", "is"].iter().any(|keyword| ends_with_word(before, keyword));
        let list = &code[at + 1..];
        let list = &list[..list.find(']').unwrap_or(list.len())];
        if !indexes && list.contains(|c: char| !c.is_ascii_digit() && !" ,.-\"'\n\t\r".contains(c)) {
            return Err("A list in a template of a webhook holds texts and numbers only.".into());
        }
    }
    Ok(())
}

fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word)
        .is_some_and(|rest| !rest.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.'))
}

fn filters_are_known(code: &str) -> Result<(), String> {
    for (at, _) in code.match_indices('|') {
        let name = word(code[at + 1..].trim_start());
        if !filters::NAMES.contains(&name) {
            return Err(format!("Webhooks have no filter `{name}`; they have {}.", filters::NAMES.join(", ")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_people_write_is_allowed() {
        for template in [
            r#"{"event": "a.{{ body.action }}", "resource": {"prefect.resource.id": "x.{{ body['id'] ~ '.' ~ method }}"}}"#,
            "{{ body|from_cloud_event(headers) }}",
            "{% set message = body.Message|from_json %}{{ message.Records[0].s3 }}{# a*b ~ #}",
            "{% if body.action in ['opened', \"a * b ~ c\"] and body['x'] %}{% for a in body.list %}{{ a }}, {% endfor %}{% endif %}",
            "{%- if headers['x-a'] is defined -%}{{- body.a|default('', true)|tojson -}}{%- endif -%}",
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
    }

    #[test]
    fn what_could_grow_is_not() {
        for (template, why) in [
            ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "no tag `macro`"),
            ("{% set a = 'x' %}{% set b = a ~ a %}", "join texts where"),
            ("{% set a %}x{% endset %}{{ a }}", "needs a value"),
            ("{% with a = 'x' %}{{ a }}{% endwith %}", "no tag `with`"),
            ("{{ 'x' * 100000000 }}", "do not multiply"),
            ("{% for a in body recursive %}{{ loop(a) }}{% endfor %}", "not recursive"),
            ("{% for a in [body, body] %}{{ a }}{% endfor %}", "texts and numbers"),
            ("{% set a = body %}{% set b = [a, a] %}", "texts and numbers"),
            ("{% set a = {'x': body} %}", "no mappings"),
            ("{{ {'x': {'y': 1}} }}", "no mappings"),
            ("{{ body|indent(1000000) }}", "no filter `indent`"),
            ("{% raw %}{# {% endraw %}{{ 2 * 2 }}{# #}", "do not multiply"),
            ("{% include 'x' %}", "no tag `include`"),
            (&"{{ body ~ body }}".repeat(21), "Joins texts 21 times"),
            (&" ".repeat(70_000), "longer than"),
            ("a\n\n{{ 2 * 2 }}", "do not multiply"),
        ] {
            let found = check(template).unwrap_err();
            assert!(found.message.contains(why), "{template}: {}", found.message);
        }
        assert_eq!(check("a\n\n{{ 2 * 2 }}").unwrap_err().line, 3);
    }
}
