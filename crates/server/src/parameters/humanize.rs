//! Filters that say numbers and lengths of time as people do: `{{ 1234567 | humanize_intcomma }}`. Names, options and
//! words are those of the reference's templates, in English. What is no number comes back as it is.

mod durations;
mod numbers;

use minijinja::{
    Environment, Error, ErrorKind, Value,
    value::{Kwargs, Rest},
};

pub(crate) use numbers::with_commas;

/// Adds all of them.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("humanize_naturalsize", naturalsize);
    environment.add_filter("humanize_intcomma", intcomma);
    environment.add_filter("humanize_intword", intword);
    environment.add_filter("humanize_ordinal", |value: Value, _: Rest<Value>| whole(&value, numbers::ordinal));
    environment.add_filter("humanize_apnumber", |value: Value| whole(&value, numbers::apnumber));
    environment.add_filter("humanize_fractional", |value: Value| said(&value, numbers::fractional));
    environment.add_filter("humanize_scientific", scientific);
    environment.add_filter("humanize_metric", metric);
    environment.add_filter("humanize_naturaldelta", naturaldelta);
    environment.add_filter("humanize_naturaltime", naturaltime);
    environment.add_filter("humanize_precisedelta", |value: Value| said(&value, durations::precise));
}

type Filtered = Result<Value, Error>;

/// The number that a value is or spells.
fn number(value: &Value) -> Option<f64> {
    let number = match value.as_str() {
        Some(text) => text.trim().parse().ok()?,
        None => f64::try_from(value.clone()).ok()?,
    };
    number.is_finite().then_some(number)
}

#[expect(clippy::unnecessary_wraps, reason = "what filters answer")]
fn said(value: &Value, say: impl Fn(f64) -> String) -> Filtered {
    Ok(number(value).map_or_else(|| value.clone(), |number| say(number).into()))
}

/// As `said`, of the number without its fraction.
fn whole(value: &Value, say: impl Fn(i128) -> String) -> Filtered {
    said(value, |number| say(number.trunc() as i128))
}

/// Reads options that may come in order or by name.
struct Given {
    ordered: std::vec::IntoIter<Value>,
    named: Kwargs,
}

impl Given {
    fn of(Rest(ordered): Rest<Value>, named: Kwargs) -> Self {
        Self { ordered: ordered.into_iter(), named }
    }

    fn option(&mut self, name: &str) -> Result<Option<Value>, Error> {
        let value = match self.ordered.next() {
            Some(value) => Some(value),
            None => self.named.get::<Option<Value>>(name)?,
        };
        Ok(value.filter(|value| !value.is_none() && !value.is_undefined()))
    }

    /// The digits after the point that a format like `%.2f` asks for.
    fn digits(&mut self, usual: usize) -> Result<usize, Error> {
        let Some(format) = self.option("format")? else { return Ok(usual) };
        let digits = format.as_str().and_then(|text| text.strip_prefix("%.")?.strip_suffix('f')?.parse().ok());
        digits.filter(|digits| *digits <= 30).ok_or_else(|| {
            Error::new(ErrorKind::InvalidOperation, "a format is written as `%.1f`, with up to 30 digits")
        })
    }

    fn count(&mut self, name: &str, usual: usize) -> Result<usize, Error> {
        let count = self.option(name)?.map(usize::try_from).transpose()?;
        Ok(count.unwrap_or(usual).min(30))
    }

    fn flag(&mut self, name: &str, usual: bool) -> Result<bool, Error> {
        Ok(self.option(name)?.map_or(usual, |value| value.is_true()))
    }
}

fn naturalsize(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    let mut given = Given::of(options, named);
    let (binary, gnu, digits) = (given.flag("binary", false)?, given.flag("gnu", false)?, given.digits(1)?);
    said(&value, |bytes| numbers::size(bytes, binary, gnu, digits))
}

fn intcomma(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    let digits = Given::of(options, named).option("ndigits")?.map(usize::try_from).transpose()?;
    // The text of a whole number has all its digits; a float's may not.
    let text = match (number(&value), digits) {
        (None, _) => return Ok(value),
        (Some(number), Some(digits)) => format!("{number:.*}", digits.min(30)),
        (Some(_), None) => value.to_string(),
    };
    Ok(numbers::with_commas(&text).into())
}

fn intword(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    let digits = Given::of(options, named).digits(1)?;
    said(&value, |number| numbers::word(number, digits))
}

fn scientific(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    let digits = Given::of(options, named).count("precision", 2)?;
    said(&value, |number| numbers::scientific(number, digits))
}

fn metric(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    let mut given = Given::of(options, named);
    let unit = given.option("unit")?.map(|unit| unit.to_string()).unwrap_or_default();
    let digits = given.count("precision", 3)?;
    said(&value, |number| numbers::metric(number, &unit, digits))
}

fn naturaldelta(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    let months = Given::of(options, named).flag("months", true)?;
    said(&value, |seconds| durations::natural(seconds, months))
}

fn naturaltime(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    let mut given = Given::of(options, named);
    let (future, months) = (given.flag("future", false)?, given.flag("months", true)?);
    said(&value, |seconds| match durations::natural(seconds, months) {
        moment if moment == durations::MOMENT => "now".into(),
        length if future => format!("{length} from now"),
        length => format!("{length} ago"),
    })
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;

    /// What the reference's filters say.
    const SAID: &[(&str, &str)] = &[
        ("0 | humanize_naturalsize", "0 Bytes"),
        ("1 | humanize_naturalsize", "1 Byte"),
        ("3141592653 | humanize_naturalsize", "3.1 GB"),
        ("-4096 | humanize_naturalsize", "-4.1 kB"),
        ("999999 | humanize_naturalsize", "1.0 MB"),
        ("3000 | humanize_naturalsize(binary=true)", "2.9 KiB"),
        ("3000 | humanize_naturalsize(false, true)", "2.9K"),
        ("123456 | humanize_naturalsize(format='%.3f')", "123.456 kB"),
        ("-12345 | humanize_intcomma", "-12,345"),
        ("12345678.9012 | humanize_intcomma", "12,345,678.9012"),
        ("1234.5454545 | humanize_intcomma(2)", "1,234.55"),
        ("'abc' | humanize_intcomma", "abc"),
        ("999 | humanize_intword", "999"),
        ("999999 | humanize_intword", "1.0 million"),
        ("12000000000 | humanize_intword", "12.0 billion"),
        ("8100000 | humanize_intword('%.3f')", "8.100 million"),
        ("-1200000 | humanize_intword", "-1.2 million"),
        ("1e100 | humanize_intword", "1.0 googol"),
        ("3 | humanize_ordinal", "3rd"),
        ("112 | humanize_ordinal", "112th"),
        ("21 | humanize_ordinal", "21st"),
        ("'x' | humanize_ordinal", "x"),
        ("9 | humanize_apnumber", "nine"),
        ("10 | humanize_apnumber", "10"),
        ("0.3 | humanize_fractional", "3/10"),
        ("-1.5 | humanize_fractional", "-1 1/2"),
        ("3.14159 | humanize_fractional", "3 16/113"),
        ("2.0 | humanize_fractional", "2"),
        ("0.3 | humanize_scientific", "3.00 x 10⁻¹"),
        ("-1000 | humanize_scientific", "-1.00 x 10³"),
        ("0.00012 | humanize_scientific(precision=3)", "1.200 x 10⁻⁴"),
        ("1500 | humanize_metric('V')", "1.50 kV"),
        ("220e-6 | humanize_metric('F')", "220 μF"),
        ("1e-14 | humanize_metric('', 4)", "10.00 f"),
        ("0 | humanize_metric", "0.00"),
        ("999.9 | humanize_metric('m')", "1.00 km"),
        ("1e35 | humanize_metric", "1.00 x 10³⁵"),
        ("0 | humanize_naturaldelta", "a moment"),
        ("59 | humanize_naturaldelta", "59 seconds"),
        ("61 | humanize_naturaldelta", "a minute"),
        ("5400 | humanize_naturaldelta", "2 hours"),
        ("86399 | humanize_naturaldelta", "a day"),
        ("2505600 | humanize_naturaldelta", "a month"),
        ("5270400 | humanize_naturaldelta", "2 months"),
        ("5184000 | humanize_naturaldelta(months=false)", "60 days"),
        ("31622400 | humanize_naturaldelta", "1 year, 1 day"),
        ("36720000 | humanize_naturaldelta", "1 year, 2 months"),
        ("86400000000 | humanize_naturaldelta", "2,740 years"),
        ("1 | humanize_naturaltime", "a second ago"),
        ("0 | humanize_naturaltime", "now"),
        ("3600 | humanize_naturaltime(future=true)", "an hour from now"),
        ("61 | humanize_precisedelta", "1 minute and 1 second"),
        ("176433.123 | humanize_precisedelta", "2 days, 1 hour and 33.12 seconds"),
        ("34560005 | humanize_precisedelta", "1 year, 1 month, 4 days and 5 seconds"),
        ("0.5 | humanize_precisedelta", "0.50 seconds"),
        ("0 | humanize_precisedelta", "0 seconds"),
    ];

    #[test]
    fn numbers_are_said_in_the_references_words() {
        let mut environment = Environment::new();
        super::add_to(&mut environment);
        for (expression, expected) in SAID {
            let said = environment.render_str(&format!("{{{{ {expression} }}}}"), ()).unwrap();
            assert_eq!(said, *expected, "{expression}");
        }
        assert!(environment.render_str("{{ 1 | humanize_intword('%s') }}", ()).is_err());
    }
}
