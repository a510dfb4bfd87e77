//! Filters and methods of templates whose answer may be much larger than what they are given: they are asked first how
//! large it could be.

use minijinja::{
    Environment, Error, ErrorKind, State, Value, filters,
    value::{Kwargs, Rest, ValueKind, ValueOrKwargs},
};
use minijinja_contrib::pycompat;

/// Bytes that one of them may add.
const MOST: usize = 1_000_000;
/// Spaces that JSON may be indented by at each level.
const WIDEST_JSON: usize = 8;

/// Puts a bound before the filters that have none.
pub fn add_to(environment: &mut Environment<'_>) {
    let mut add = |name: &'static str, filter: Value| {
        environment.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
            let args = args.into_values();
            check(name, &args)?;
            filter.call(state, &args)
        });
    };
    add("batch", Value::from_function(filters::batch));
    add("format", Value::from_function(filters::format));
    add("indent", Value::from_function(filters::indent));
    add("join", Value::from_function(filters::join));
    add("replace", Value::from_function(filters::replace));
    add("slice", Value::from_function(filters::slice));
    add("tojson", Value::from_function(filters::tojson));
    environment.set_unknown_method_callback(|state, value, method, args| {
        // `', '.join(list)` has its things the other way round.
        let given: Vec<Value> = match (method, args.first()) {
            ("join", Some(list)) => vec![list.clone(), value.clone()],
            _ => std::iter::once(value).chain(args).cloned().collect(),
        };
        check(method, &given)?;
        pycompat::unknown_method_callback(state, value, method, args)
    });
}

fn check(name: &str, args: &[Value]) -> Result<(), Error> {
    let Some((value, args)) = args.split_first() else { return Ok(()) };
    let added = match name {
        "batch" | "slice" => largest(args),
        "format" => formatted(value.as_str().unwrap_or_default(), args),
        "indent" => lines(value).saturating_mul(largest(args)),
        "join" => value.len().unwrap_or_default().saturating_mul(longest(args)),
        "replace" => matches(value, args).saturating_mul(args.get(1).map_or(0, length)),
        "tojson" if largest(args) > WIDEST_JSON => MOST + 1,
        _ => 0,
    };
    if added > MOST {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("`{name}` would make more than {MOST} bytes")));
    }
    Ok(())
}

/// The values of arguments, those with names too.
fn values(args: &[Value]) -> impl Iterator<Item = Value> {
    args.iter().flat_map(|arg| match Kwargs::try_from(arg.clone()) {
        Ok(named) if arg.is_kwargs() => named.args().filter_map(|name| named.get(name).ok()).collect(),
        _ => vec![arg.clone()],
    })
}

fn largest(args: &[Value]) -> usize {
    let number = |value: Value| match value.kind() {
        ValueKind::Number => usize::try_from(value).unwrap_or_default(),
        _ => 0,
    };
    values(args).map(number).max().unwrap_or_default()
}

fn longest(args: &[Value]) -> usize {
    values(args).map(|value| length(&value)).max().unwrap_or_default()
}

fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), str::len)
}

fn lines(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.matches('\n').count() + 1)
}

fn matches(value: &Value, args: &[Value]) -> usize {
    match (value.as_str(), args.first().and_then(Value::as_str)) {
        (Some(text), Some("")) => text.len() + 1,
        (Some(text), Some(from)) => text.matches(from).count(),
        _ => 0,
    }
}

/// Each conversion may put in the longest of the values, or as many characters as its width says.
fn formatted(format: &str, args: &[Value]) -> usize {
    let conversions = format.matches(['%', '{']).count();
    let widths = format.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse::<usize>());
    let widest = widths.map(|width| width.unwrap_or_default()).max().unwrap_or_default();
    // A width may be a value, too.
    let given = if format.contains('*') || format.contains(":{") { largest(args) } else { 0 };
    conversions.saturating_mul(longest(args).max(widest).max(given))
}

#[cfg(test)]
mod tests {
    use crate::parameters::{Fill, templates::render};
    use tidegate_core::time::Timestamp;

    fn rendered(template: &str) -> Result<String, String> {
        render(template, &Fill::plain(Timestamp::nearest(0)))
    }

    #[test]
    fn filters_do_what_they_do_in_jinja() {
        for (template, made) in [
            ("{{ 'a\nb'|indent(2) }}", "a\n  b"),
            ("{{ 'a\nb'|indent(width=1, first=true) }}", " a\n b"),
            ("{{ [1, 2, 3]|batch(2)|length }}{{ [1, 2, 3]|slice(3)|length }}", "23"),
            ("{{ ['a', 'b']|join(', ') }} {{ '-'.join(['a', 'b']) }}", "a, b a-b"),
            ("{{ 'aXa'|replace('X', '-') }} {{ 'aXa'.replace('X', '+') }}", "a-a a+a"),
            ("{{ '%s is %d'|format('x', 3) }} {{ '{} and {n:>3}'.format(1, n=2) }}", "x is 3 1 and   2"),
            ("{{ 'a'|tojson(indent=2) }}", "\"a\""),
        ] {
            assert_eq!(rendered(template).as_deref(), Ok(made), "{template}");
        }
    }

    #[test]
    fn filters_do_not_make_huge_texts() {
        for template in [
            "{{ 'a\nb'|indent(900000000) }}",
            "{{ 'a'|indent(width=900000000, first=true) }}",
            "{{ [1]|batch(900000000, 'x') }}",
            "{{ [1]|slice(900000000) }}",
            "{{ '%900000000d'|format(1) }}",
            "{{ '%*d'|format(900000000, 1) }}",
            "{{ '{:900000000}'.format(1) }}",
            "{{ '{:{}}'.format(1, 900000000) }}",
            "{{ '%.900000000f'|format(1) }}",
            "{{ ('x' * 90000)|replace('x', 'y' * 90000) }}",
            "{{ ('x' * 90000).replace('', 'y' * 90000) }}",
            "{{ ('x' * 90000)|list|join('y' * 90000) }}",
            "{{ ('y' * 90000).join(('x' * 90000)|list) }}",
            "{{ [1]|tojson(900000000) }}",
        ] {
            assert!(rendered(template).is_err(), "{template}");
        }
    }
}
