//! How large the values of a template can become, beside what it is given: an upper bound that is computed before it is
//! rendered, since the library has no limit of its own for texts that are joined, repeated, or kept and joined again.
//! What grows with every step (a text set to itself twice, macros, namespaces) is refused.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{
    Error, ErrorKind, Value,
    machinery::ast::{BinOpKind, Call, CallArg, CallType, Expr, Stmt},
    value::ValueKind,
};

/// How many times what it is given a template may hold at once.
const MOST: f64 = 64.0;
/// What a constant counts, beside a value that is given.
const CONSTANT: f64 = 1.0 / 16.0;
/// What the product of unknown values counts: one may be a text.
const PRODUCT: f64 = 4.0;
/// Bytes that a text may be repeated to.
const LONGEST_REPEATED: usize = 100_000;
/// Loops within loops.
const DEEPEST: usize = 4;
/// Filters whose answer may be larger than what they were given, and how many times.
const GROWING: [(&str, f64); 11] = [
    ("batch", 2.0),
    ("e", 2.0),
    ("escape", 2.0),
    ("format", 2.0),
    ("indent", 2.0),
    ("join", 2.0),
    ("pprint", 2.0),
    ("replace", 2.0),
    ("slice", 2.0),
    ("tojson", 2.0),
    ("urlencode", 3.0),
];

/// Refuses a template whose values could become too large.
pub fn check(template: &Stmt<'_>) -> Result<(), Error> {
    Walk::default().statement(template)
}

fn refused<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, why.into()))
}

/// Sizes are multiples of what the template is given.
#[derive(Default)]
struct Walk<'t> {
    /// Of names that the template sets. Others are given.
    sizes: BTreeMap<&'t str, f64>,
    /// Of all values that are kept.
    kept: f64,
    /// Of the output that is being kept, where there is some.
    captured: Option<f64>,
    /// What loops go through.
    items: BTreeSet<&'t str>,
    loops: usize,
}

impl<'t> Walk<'t> {
    fn statements(&mut self, body: &'t [Stmt<'t>]) -> Result<(), Error> {
        body.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &'t Stmt<'t>) -> Result<(), Error> {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(emit) => self.emit(&emit.expr),
            Stmt::EmitRaw(text) => self.capture(CONSTANT + text.raw.len() as f64 / 1_000.0),
            Stmt::ForLoop(the) => {
                if the.recursive {
                    return refused("loops of templates are not recursive");
                }
                let size = self.size(&the.iter)?;
                // Its parts are there anyway.
                self.name(&the.target, size);
                self.items.extend(names(&the.target));
                self.sized(the.filter_expr.as_ref())?;
                self.rounds(&the.body)?;
                self.statements(&the.else_body)
            }
            Stmt::IfCond(condition) => {
                self.size(&condition.expr)?;
                self.statements(&condition.true_body)?;
                self.statements(&condition.false_body)
            }
            Stmt::WithBlock(with) => {
                for (target, value) in &with.assignments {
                    let size = self.size(value)?;
                    self.set(target, size)?;
                }
                self.statements(&with.body)
            }
            Stmt::Set(set) => {
                let size = self.size(&set.expr)?;
                self.set(&set.target, size)
            }
            Stmt::SetBlock(set) => {
                let output = self.captured(&set.body)?;
                let size = self.filtered(set.filter.as_ref(), output)?;
                self.set(&set.target, size)
            }
            Stmt::FilterBlock(block) => {
                let output = self.captured(&block.body)?;
                let size = self.filtered(Some(&block.filter), output)?;
                self.capture(size)
            }
            Stmt::AutoEscape(escape) => self.statements(&escape.body),
            Stmt::Do(the) => self.call(&the.call).map(drop),
            Stmt::Macro(_) | Stmt::CallBlock(_) => refused("templates have no macros"),
            Stmt::Block(_) | Stmt::Import(_) | Stmt::FromImport(_) | Stmt::Extends(_) | Stmt::Include(_) => {
                refused("templates stand alone: they have no blocks and include nothing")
            }
        }
    }

    /// A loop's body is looked at twice: what is larger the second time would grow with every round.
    fn rounds(&mut self, body: &'t [Stmt<'t>]) -> Result<(), Error> {
        if self.loops == DEEPEST {
            return refused(format!("loops may be nested {DEEPEST} deep"));
        }
        self.loops += 1;
        self.statements(body)?;
        let first = self.sizes.clone();
        self.statements(body)?;
        self.loops -= 1;
        match self.sizes.iter().find(|(name, size)| first.get(*name).is_some_and(|first| first < size)) {
            Some((name, _)) => refused(format!("`{name}` would grow with every round of a loop")),
            None => Ok(()),
        }
    }

    fn set(&mut self, target: &'t Expr<'t>, size: f64) -> Result<(), Error> {
        self.kept = bounded(self.kept + size)?;
        self.name(target, size);
        Ok(())
    }

    fn name(&mut self, target: &'t Expr<'t>, size: f64) {
        for name in names(target) {
            let known = self.sizes.entry(name).or_default();
            *known = known.max(size);
        }
    }

    /// The size of what a body puts out.
    fn captured(&mut self, body: &'t [Stmt<'t>]) -> Result<f64, Error> {
        let around = self.captured.replace(0.0);
        self.statements(body)?;
        Ok(std::mem::replace(&mut self.captured, around).unwrap_or_default())
    }

    fn emit(&mut self, expression: &'t Expr<'t>) -> Result<(), Error> {
        let size = self.size(expression)?;
        let is_repeated = self.captured.is_some() && self.loops > 0;
        if is_repeated && names(expression).any(|name| name != "loop" && !self.items.contains(name)) {
            return refused("what is kept of a loop's output may only name what the loop goes through");
        }
        self.capture(size)
    }

    fn capture(&mut self, size: f64) -> Result<(), Error> {
        if let Some(captured) = &mut self.captured {
            *captured = bounded(*captured + size)?;
        }
        Ok(())
    }

    fn sized(&mut self, expression: Option<&'t Expr<'t>>) -> Result<f64, Error> {
        expression.map_or(Ok(0.0), |expression| self.size(expression))
    }

    fn size(&mut self, expression: &'t Expr<'t>) -> Result<f64, Error> {
        let size = match expression {
            Expr::Var(name) => self.sizes.get(name.id).copied().unwrap_or(1.0),
            Expr::Const(_) => CONSTANT,
            Expr::Slice(the) => {
                self.all([&the.start, &the.stop, &the.step].into_iter().flatten())?;
                self.size(&the.expr)?
            }
            Expr::UnaryOp(the) => self.size(&the.expr)?,
            Expr::BinOp(the) => {
                let (left, right) = (self.size(&the.left)?, self.size(&the.right)?);
                match the.op {
                    BinOpKind::Concat | BinOpKind::Add => left + right,
                    BinOpKind::ScAnd | BinOpKind::ScOr => left.max(right),
                    BinOpKind::Mul => product(&the.left, &the.right)?,
                    _ => CONSTANT,
                }
            }
            Expr::Compare(the) => {
                self.size(&the.expr)?;
                self.all(the.ops.iter().map(|operand| &operand.expr))?;
                CONSTANT
            }
            Expr::IfExpr(the) => {
                self.size(&the.test_expr)?;
                self.size(&the.true_expr)?.max(self.sized(the.false_expr.as_ref())?)
            }
            Expr::Filter(the) => {
                let given = self.sized(the.expr.as_ref())? + self.arguments(&the.args)?;
                given * growth(the.name)
            }
            Expr::Test(the) => {
                self.size(&the.expr)?;
                self.arguments(&the.args)?;
                CONSTANT
            }
            Expr::GetAttr(the) => self.size(&the.expr)?,
            Expr::GetItem(the) => {
                self.size(&the.subscript_expr)?;
                self.size(&the.expr)?
            }
            Expr::Call(the) => self.call(the)?,
            Expr::List(the) => self.all(&the.items)?,
            Expr::Tuple(the) => self.all(&the.items)?,
            Expr::Map(the) => self.all(the.keys.iter().chain(&the.values))?,
        };
        bounded(size)
    }

    fn call(&mut self, call: &'t Call<'t>) -> Result<f64, Error> {
        let arguments = self.arguments(&call.args)?;
        match call.identify_call() {
            CallType::Function("namespace" | "debug") => refused("templates have no `namespace` and no `debug`"),
            CallType::Function("loop") => refused("loops of templates are not recursive"),
            CallType::Function(_) => Ok(1.0 + arguments),
            CallType::Method(object, name) => Ok((self.size(object)? + arguments) * growth(name)),
            CallType::Block(_) => refused("templates stand alone: they have no blocks"),
            CallType::Object(object) => Ok(self.size(object)? + arguments),
        }
    }

    fn arguments(&mut self, arguments: &'t [CallArg<'t>]) -> Result<f64, Error> {
        self.all(arguments.iter().map(value))
    }

    fn all(&mut self, expressions: impl IntoIterator<Item = &'t Expr<'t>>) -> Result<f64, Error> {
        expressions.into_iter().try_fold(0.0, |sum, expression| bounded(sum + self.size(expression)?))
    }

    /// A filter's answer to a block's output.
    fn filtered(&mut self, filter: Option<&'t Expr<'t>>, output: f64) -> Result<f64, Error> {
        let Some(Expr::Filter(filter)) = filter else { return Ok(output) };
        let inner = self.filtered(filter.expr.as_ref(), output)?;
        bounded((inner + self.arguments(&filter.args)?) * growth(filter.name))
    }
}

fn bounded(size: f64) -> Result<f64, Error> {
    if size > MOST {
        return refused(format!("the template could make values {MOST} times as large as what it is given"));
    }
    Ok(size)
}

fn growth(name: &str) -> f64 {
    GROWING.iter().find(|(known, _)| *known == name).map_or(1.0, |(_, times)| *times)
}

fn value<'t>(argument: &'t CallArg<'t>) -> &'t Expr<'t> {
    match argument {
        CallArg::Pos(value) | CallArg::Kwarg(_, value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => value,
    }
}

/// A product of numbers is a number; one of a text or a list is that text many times.
fn product(left: &Expr<'_>, right: &Expr<'_>) -> Result<f64, Error> {
    match (constant(left), constant(right)) {
        (Some(Constant::Number(_)), Some(Constant::Number(_))) => Ok(CONSTANT),
        (Some(Constant::Repeatable(length)), Some(Constant::Number(times)))
        | (Some(Constant::Number(times)), Some(Constant::Repeatable(length)))
            if length.saturating_mul(times) <= LONGEST_REPEATED =>
        {
            Ok(CONSTANT)
        }
        (Some(_), Some(_)) => refused(format!("a text may be repeated to {LONGEST_REPEATED} characters")),
        _ => Ok(PRODUCT),
    }
}

enum Constant {
    /// As far as it tells how often to repeat something.
    Number(usize),
    /// A text or a list of this length.
    Repeatable(usize),
}

/// What the compiler would compute by itself. Nothing of it is computed here.
fn constant(expression: &Expr<'_>) -> Option<Constant> {
    let of_items = |items: &[Expr<'_>]| {
        let whole = items.iter().map(constant).collect::<Option<Vec<_>>>()?;
        Some(Constant::Repeatable(whole.len()))
    };
    match expression {
        Expr::Const(the) => Some(of_value(&the.value)),
        Expr::List(the) => of_items(&the.items),
        Expr::Tuple(the) => of_items(&the.items),
        Expr::Map(the) => of_items(&the.values),
        Expr::UnaryOp(the) => constant(&the.expr),
        // What is computed of texts may be any length.
        Expr::BinOp(the) => Some(match (constant(&the.left)?, constant(&the.right)?) {
            (Constant::Number(_), Constant::Number(_)) => Constant::Number(usize::MAX),
            _ => Constant::Repeatable(usize::MAX),
        }),
        _ => None,
    }
}

fn of_value(value: &Value) -> Constant {
    match value.kind() {
        ValueKind::Number | ValueKind::Bool | ValueKind::None => {
            Constant::Number(usize::try_from(value.clone()).unwrap_or(usize::MAX))
        }
        _ => Constant::Repeatable(value.as_str().map_or(usize::MAX, str::len)),
    }
}

/// The names in an expression.
fn names<'t>(expression: &'t Expr<'t>) -> impl Iterator<Item = &'t str> {
    let mut found = Vec::new();
    let mut left = vec![expression];
    while let Some(expression) = left.pop() {
        match expression {
            Expr::Var(name) => found.push(name.id),
            Expr::Const(_) => {}
            Expr::Slice(the) => {
                left.push(&the.expr);
                left.extend([&the.start, &the.stop, &the.step].into_iter().flatten());
            }
            Expr::UnaryOp(the) => left.push(&the.expr),
            Expr::BinOp(the) => left.extend([&the.left, &the.right]),
            Expr::Compare(the) => {
                left.push(&the.expr);
                left.extend(the.ops.iter().map(|operand| &operand.expr));
            }
            Expr::IfExpr(the) => {
                left.extend([&the.test_expr, &the.true_expr]);
                left.extend(the.false_expr.as_ref());
            }
            Expr::Filter(the) => {
                left.extend(the.expr.as_ref());
                left.extend(the.args.iter().map(value));
            }
            Expr::Test(the) => {
                left.push(&the.expr);
                left.extend(the.args.iter().map(value));
            }
            Expr::GetAttr(the) => left.push(&the.expr),
            Expr::GetItem(the) => left.extend([&the.expr, &the.subscript_expr]),
            Expr::Call(the) => {
                left.extend(match the.identify_call() {
                    CallType::Method(object, _) | CallType::Object(object) => Some(object),
                    CallType::Function(_) | CallType::Block(_) => None,
                });
                left.extend(the.args.iter().map(value));
            }
            Expr::List(the) => left.extend(&the.items),
            Expr::Tuple(the) => left.extend(&the.items),
            Expr::Map(the) => left.extend(the.keys.iter().chain(&the.values)),
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use crate::templates::check;

    #[test]
    fn what_people_write_is_allowed() {
        for template in [
            "Flow run {{ flow_run.name }} of {{ flow.name }} is {{ flow_run.state.name }}: {{ flow_run.state.message }}",
            "{% set who = flow.name ~ '/' ~ deployment.name %}{{ who }} {{ who|upper }} {{ '-' * 40 }}",
            "{% for event in events %}{% set line = event.id ~ ' ' ~ event.event %}{{ line }}{{ loop.index * 100 }}\n{% endfor %}",
            "{% set text %}{% for item in event.payload['items'] %}{{ item.name|e }}, {% endfor %}{% endset %}{{ text|trim }}",
            "{{ event.payload|tojson(indent=2) }} {{ event.resource.get('a', 'b') }} {{ '%s of %s'|format(1, n) }}",
            "{% if a is defined and a in ['b', \"c\"] %}{{ a.b[0]['c'] }}{% elif b %}{{ b or c }}{% else %}{{ range(3)|list }}{% endif %}",
            "{% with a = b, c = 1 %}{{ a|replace('x', 'y')|join(', ') }}{{ c * 2 ** 3 }}{% endwith %}{% filter upper %}x{{ a }}{% endfilter %}",
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
    }

    #[test]
    fn what_could_grow_without_end_is_not() {
        let doubled = format!("{{% set a = 'x' %}}{}{{{{ a }}}}", "{% set a = a ~ a %}".repeat(30));
        let lists = format!("{{% set a = [1] %}}{}{{{{ a }}}}", "{% set a = [a, a] %}".repeat(30));
        let blocks =
            format!("{{% set a %}}{{{{ b }}}}{{% endset %}}{}", "{% set a %}{{ a }}{{ a }}{% endset %}".repeat(30));
        for (template, why) in [
            (doubled.as_str(), "64 times"),
            (&lists, "64 times"),
            (&blocks, "64 times"),
            (&format!("{{{{ a{} }}}}", " ~ a".repeat(100)), "64 times"),
            (&format!("{{{{ a{} }}}}", "|tojson".repeat(20)), "64 times"),
            ("{% for b in range(99) %}{% set a = a ~ a %}{% endfor %}", "every round"),
            ("{% for b in range(99) %}{% set a %}{{ a }}{{ a }}{% endset %}{% endfor %}", "goes through"),
            ("{% set a %}{% for b in range(99) %}{{ payload }}{% endfor %}{% endset %}", "goes through"),
            (
                "{% set n = namespace(a='x') %}{% for b in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
                "namespace",
            ),
            ("{% macro m(a) %}{{ m(a ~ a) }}{% endmacro %}{{ m('x') }}", "no macros"),
            ("{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}", "not recursive"),
            ("{{ 'x' * 1000000000 }}", "repeated"),
            ("{{ 'x' * 10 ** 9 }}", "repeated"),
            ("{{ ('x' ~ 'y') * 90000000 }}", "repeated"),
            ("{{ [1, 2] * 90000000 }}", "repeated"),
            ("{% set a = [a * b, a * b] %}".repeat(9).as_str(), "64 times"),
            ("{% include 'a' %}", "alone"),
            ("{% block a %}{{ self.a() }}{% endblock %}", "alone"),
        ] {
            let found = check(template).unwrap_err();
            assert!(found.message.contains(why), "{template}: {}", found.message);
        }
    }
}
