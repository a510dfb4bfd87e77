//! Templates that users write: whether they are well-formed, in the reference's words where those are known. They run on a
//! bounded amount of work wherever they are rendered.

mod growth;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, machinery, syntax::SyntaxConfig};

/// Steps that a template may take; far more than any sensible one needs.
const FUEL: u64 = 50_000;

/// Loops that a template may have, and how deep they may be nested.
const MOST_LOOPS: usize = 10;
const DEEPEST_LOOP: usize = 2;

/// Characters of one tag or expression, and branches of all conditions: the parser calls itself for each of them, and a
/// stack that is full ends the whole process.
const LONGEST_TAG: usize = 2_000;
const MOST_BRANCHES: usize = 100;

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// From 1 on; 0 when it is wrong as a whole.
    pub line: usize,
    pub message: String,
}

/// What every template is rendered in: no functions of its own, absent values are empty, work is bounded.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment
}

/// Whether a template can be rendered at all, without rendering it.
pub fn check(template: &str) -> Result<(), Invalid> {
    if let Err(error) = guard_parser(template).and_then(|()| environment().template_from_str(template).map(drop)) {
        return Err(Invalid { line: error.line().unwrap_or(1), message: syntax(&error, template) });
    }
    let Blocks { loops: count, deepest, .. } = Blocks::of(template);
    let whole = |message: String| Err(Invalid { line: 0, message });
    if count > MOST_LOOPS {
        return whole(format!(
            "Contains {count} for loops. Templates can contain no more than {MOST_LOOPS} for loops."
        ));
    }
    if deepest > DEEPEST_LOOP {
        return whole(format!(
            "Contains nested for loops at a depth of {deepest}. Templates can nest for loops no more than {DEEPEST_LOOP} \
             loops deep."
        ));
    }
    guard_growth(template).or_else(|error| whole(syntax(&error, template)))
}

/// Refuses what must not be parsed or rendered. Every template passes here before that.
pub fn guard(template: &str) -> Result<(), Error> {
    guard_parser(template)?;
    guard_growth(template)
}

fn guard_growth(template: &str) -> Result<(), Error> {
    match machinery::parse(template, "<template>", SyntaxConfig::default()) {
        Ok(parsed) => growth::check(&parsed),
        // Whoever compiles it says what is wrong.
        Err(_) => Ok(()),
    }
}

/// Refuses what no parser should be shown.
fn guard_parser(template: &str) -> Result<(), Error> {
    let refused = |why: String| Err(Error::new(ErrorKind::InvalidOperation, why));
    let mut branches = 0;
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        rest = &rest[at + 1..];
        let end = match rest.as_bytes().first() {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => {
                rest = rest.find("#}").map_or("", |at| &rest[at + 2..]);
                continue;
            }
            _ => continue,
        };
        let inside = &rest[1..];
        let (length, after) = measure(inside, end);
        if length > LONGEST_TAG {
            return refused(format!("an expression may have {LONGEST_TAG} characters, besides its texts"));
        }
        let name = inside.trim_start_matches(['-', '+']).trim_start();
        branches += usize::from(end == "%}" && name.starts_with("elif"));
        if branches > MOST_BRANCHES {
            return refused(format!("a template may have {MOST_BRANCHES} times `elif`"));
        }
        // What looks like tags in there is text.
        rest = if end == "%}" && name.starts_with("raw") {
            after.find("endraw").map_or("", |at| &after[at..])
        } else {
            after
        };
    }
    Ok(())
}

/// How many characters of a tag are in no quotes, and what follows its end, which is in no brackets either.
fn measure<'t>(inside: &'t str, end: &str) -> (usize, &'t str) {
    let (mut quote, mut is_escaped, mut depth, mut length) = (None, false, 0_usize, 0);
    for (at, c) in inside.char_indices() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if depth == 0 && inside[at..].starts_with(end) => return (length, &inside[at + end.len()..]),
            None => {
                length += 1;
                match c {
                    '"' | '\'' => quote = Some(c),
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
        }
    }
    (length, "")
}

/// The blocks of a template, as far as they are well-formed.
#[derive(Default)]
struct Blocks<'t> {
    loops: usize,
    deepest: usize,
    /// `for` and `if`, the innermost last.
    open: Vec<&'t str>,
    /// The last tag has no end.
    is_cut_off: bool,
}

impl<'t> Blocks<'t> {
    fn of(template: &'t str) -> Self {
        let mut blocks = Self::default();
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            rest = &rest[at + 1..];
            rest = match rest.as_bytes().first() {
                Some(b'#') => blocks.after(rest.find("#}").map(|at| &rest[at + 2..])),
                Some(b'{') => blocks.after(after_expression(&rest[1..], "}}")),
                Some(b'%') => blocks.tag(&rest[1..]),
                _ => rest,
            };
        }
        blocks
    }

    /// What follows an end, or nothing where there is no end.
    fn after(&mut self, rest: Option<&'t str>) -> &'t str {
        self.is_cut_off = rest.is_none();
        rest.unwrap_or_default()
    }

    /// Looks at a tag; answers what follows it.
    fn tag(&mut self, inside: &'t str) -> &'t str {
        let name = inside.trim_start_matches(['-', '+']).trim_start();
        let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len())];
        let rest = self.after(after_expression(inside, "%}"));
        match name {
            "for" => {
                self.loops += 1;
                self.open.push(name);
                self.deepest = self.deepest.max(self.open.iter().filter(|open| **open == "for").count());
            }
            "if" => self.open.push(name),
            "endfor" | "endif" => drop(self.open.pop()),
            // What looks like tags in there is text.
            "raw" => {
                let end = rest.find("endraw").and_then(|at| after_expression(&rest[at..], "%}"));
                return self.after(end);
            }
            _ => {}
        }
        rest
    }
}

/// What follows the `end` that is in no quotes.
fn after_expression<'t>(text: &'t str, end: &str) -> Option<&'t str> {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            None if text[at..].starts_with(end) => return Some(&text[at + end.len()..]),
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
    }
    None
}

/// What is wrong with a template that cannot be compiled.
pub fn syntax(error: &Error, template: &str) -> String {
    let detail = error.detail().unwrap_or_default();
    if detail == "unexpected end of block" {
        return "Expected an expression, got 'end of statement block'".into();
    }
    if error.kind() != ErrorKind::SyntaxError || !detail.starts_with("unexpected end of input") {
        return error.to_string();
    }
    let blocks = Blocks::of(template);
    match blocks.open.last().filter(|_| !blocks.is_cut_off) {
        Some(&innermost) => {
            let wanted = if innermost == "for" { "'endfor' or 'else'" } else { "'elif' or 'else' or 'endif'" };
            format!(
                "Unexpected end of template. Jinja was looking for the following tags: {wanted}. The innermost block that \
                 needs to be closed is '{innermost}'."
            )
        }
        None => {
            let open = if template.rfind("{%") > template.rfind("{{") { "statement block" } else { "print statement" };
            format!("unexpected end of template, expected 'end of {open}'.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Invalid, LONGEST_TAG, check};

    #[test]
    fn templates_may_loop_ten_times_and_two_deep() {
        let inner = "{% for b in a %}{{ '{% for' ~ \"}}\" }}{% endfor %}";
        let outer = |inside: &str| format!("{{% for a in x %}}{inside}{{% endfor %}}");
        assert_eq!(check(&outer(inner).repeat(5)), Ok(()));
        let why = check(&outer(inner).repeat(6)).unwrap_err();
        assert_eq!(why.message, "Contains 12 for loops. Templates can contain no more than 10 for loops.");
        let why = check(&outer(&outer(inner))).unwrap_err();
        assert_eq!(why.line, 0);
        assert!(why.message.starts_with("Contains nested for loops at a depth of 3."), "{}", why.message);
    }

    /// Each of these would fill the stack of whoever parses it.
    #[test]
    fn what_would_fill_the_stack_is_not_parsed() {
        let sum = format!("{{{{ 1{} }}}}", " + 1".repeat(100_000));
        for template in [
            sum.clone(),
            format!("{{{{ '}}}}' ~ 1{} }}}}", "+1".repeat(100_000)),
            format!("{{{{ {{1: {{2: 3}}}} | length{} }}}}", "+1".repeat(100_000)),
            format!("{{% raw %}}{{{{ ' {{% endraw %}}{sum}"),
            format!("{{# {{{{ ' #}}{sum}"),
            format!("{{% if 1 %}}{}{{% endif %}}", "{%- elif 0 %}x".repeat(10_000)),
            format!("{{{{ 1{}", "+1".repeat(100_000)),
        ] {
            assert!(check(&template).is_err(), "{template:.60}");
        }
        let text = "a".repeat(10 * LONGEST_TAG);
        assert_eq!(
            check(&format!("{{{{ '{text}' ~ \"it's\" }}}} {text}{{% raw %}}{{{{ {text} {{% endraw %}}")),
            Ok(())
        );
    }

    #[test]
    fn what_only_looks_like_a_loop_is_none() {
        let raw = "{% raw %}{% for a in b %}{% endraw %}{# {% for a in b %} #}";
        assert_eq!(check(&raw.repeat(20)), Ok(()));
    }

    #[test]
    fn a_template_that_does_not_end_tells_its_line() {
        let why = check("one\n{{ bad").unwrap_err();
        let message = "unexpected end of template, expected 'end of print statement'.".to_owned();
        assert_eq!(why, Invalid { line: 2, message });
        let why = check("{% for a in b %}{% if a %}{% endif %}{{ a }}").unwrap_err();
        assert!(why.message.ends_with("The innermost block that needs to be closed is 'for'."), "{}", why.message);
    }
}
