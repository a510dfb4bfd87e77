//! Filters that say numbers, times and lengths of time as people do: `{{ 1234567 | humanize_intcomma }}`. Names, options and
//! words are those of the reference's templates, in English. What is no number, or no time, comes back as it is.

mod clamp;
mod dates;
mod durations;
mod numbers;

use chrono::{DateTime, FixedOffset, Utc};
use minijinja::{
    Environment, Error, ErrorKind, Value,
    value::{Kwargs, Rest},
};
use tidegate_core::time::Timestamp;

use super::moments::Moment;
use durations::{Precision, Unit};
pub(crate) use numbers::with_commas;

/// Adds all of them. Times are told as of `now`.
pub(super) fn add_to(environment: &mut Environment<'_>, now: Timestamp) {
    let now = now.datetime();
    environment.add_filter("humanize_naturalsize", naturalsize);
    environment.add_filter("humanize_intcomma", intcomma);
    environment.add_filter("humanize_intword", intword);
    environment.add_filter("humanize_ordinal", |value: Value, _: Rest<Value>| whole(&value, numbers::ordinal));
    environment.add_filter("humanize_apnumber", |value: Value| whole(&value, numbers::apnumber));
    environment.add_filter("humanize_fractional", |value: Value| said(&value, numbers::fractional));
    environment.add_filter("humanize_scientific", scientific);
    environment.add_filter("humanize_metric", metric);
    environment.add_filter("humanize_naturaldelta", naturaldelta);
    environment.add_filter("humanize_precisedelta", precisedelta);
    environment.add_filter("humanize_abs_timedelta", minijinja::filters::abs);
    environment.add_filter("humanize_clamp", clamped);
    environment.add_filter("humanize_thousands_separator", |_: Value| ",");
    environment.add_filter("humanize_decimal_separator", |_: Value| ".");
    environment.add_filter("humanize_naturalday", move |value: Value| told(&value, |time| dates::day(time, now)));
    environment.add_filter("humanize_naturaldate", move |value: Value| told(&value, |time| dates::date(time, now)));
    let naturaltime = move |value: Value, options: Rest<Value>, named: Kwargs| naturaltime(value, now, options, named);
    environment.add_filter("humanize_naturaltime", naturaltime);
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

/// What is said of a time.
#[expect(clippy::unnecessary_wraps, reason = "what filters answer")]
fn told(value: &Value, say: impl Fn(DateTime<FixedOffset>) -> String) -> Filtered {
    Ok(time(value).map_or_else(|| value.clone(), |time| say(time).into()))
}

/// The time that a value is or spells.
fn time(value: &Value) -> Option<DateTime<FixedOffset>> {
    Moment::in_value(value).map(|time| time.fixed_offset()).or_else(|| value.as_str().and_then(dates::parse))
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
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
        let after_point = |text: &str| {
            let text = text.strip_prefix('%')?.strip_suffix('f')?;
            text.strip_prefix('0').unwrap_or(text).strip_prefix('.')?.parse().ok()
        };
        let digits = format.as_str().and_then(after_point);
        digits
            .filter(|digits| *digits <= 30)
            .ok_or_else(|| refused("a format is written as `%.1f`, with up to 30 digits"))
    }

    fn count(&mut self, name: &str, usual: usize) -> Result<usize, Error> {
        let count = self.option(name)?.map(usize::try_from).transpose()?;
        Ok(count.unwrap_or(usual).min(30))
    }

    fn flag(&mut self, name: &str, usual: bool) -> Result<bool, Error> {
        Ok(self.option(name)?.map_or(usual, |value| value.is_true()))
    }

    /// The smallest unit that is to be named.
    fn minimum_unit(&mut self) -> Result<Unit, Error> {
        self.option("minimum_unit")?.map_or(Ok(Unit::Seconds), |value| unit(&value))
    }

    /// As `minimum_unit`, for words that know nothing larger than seconds there.
    fn small_unit(&mut self) -> Result<Unit, Error> {
        let unit = self.minimum_unit()?;
        if unit <= Unit::Seconds { Ok(unit) } else { Err(refused("the minimum unit is seconds or less here")) }
    }
}

fn unit(value: &Value) -> Result<Unit, Error> {
    value.as_str().and_then(Unit::parse).ok_or_else(|| refused("a unit is `microseconds` to `years`"))
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
    let mut given = Given::of(options, named);
    let (months, minimum) = (given.flag("months", true)?, given.small_unit()?);
    said(&value, |seconds| durations::natural(seconds, months, minimum))
}

/// Of a time, or of a length whose direction the template tells. A text is a time or nothing to tell of.
fn naturaltime(value: Value, now: DateTime<Utc>, options: Rest<Value>, named: Kwargs) -> Filtered {
    let mut given = Given::of(options, named);
    let (future, months, minimum) = (given.flag("future", false)?, given.flag("months", true)?, given.small_unit()?);
    let when = given
        .option("when")?
        .map(|when| time(&when).map(|time| time.to_utc()).ok_or_else(|| refused("`when` is a time")));
    let now = when.transpose()?.unwrap_or(now);
    if value.as_str().is_some() || Moment::in_value(&value).is_some() {
        return told(&value, |time| dates::time(time, now, months, minimum));
    }
    said(&value, |seconds| dates::from_now(seconds.round_ties_even(), future, months, minimum))
}

fn precisedelta(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    let mut given = Given::of(options, named);
    let minimum = given.minimum_unit()?;
    let suppressed = match given.option("suppress")? {
        Some(units) => units.try_iter()?.map(|value| unit(&value)).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let asked = Precision { minimum, suppressed, digits: given.digits(2)? };
    match number(&value).filter(|_| value.as_str().is_none()) {
        Some(seconds) => {
            durations::precise(seconds, &asked).map(Value::from).ok_or_else(|| refused("every unit is suppressed"))
        }
        None => Ok(value),
    }
}

/// Between bounds, which a token tells of when they hold the number back.
fn clamped(value: Value, options: Rest<Value>, named: Kwargs) -> Filtered {
    if value.is_none() {
        return Ok(value);
    }
    let mut given = Given::of(options, named);
    let (floor, ceil, format) = (given.option("floor")?, given.option("ceil")?, given.option("format")?);
    let (below, above) = (given.option("floor_token")?, given.option("ceil_token")?);
    let bound = |bound: Option<&Value>| bound.map(|value| f64::try_from(value.clone())).transpose();
    let (low, high, number) = (bound(floor.as_ref())?, bound(ceil.as_ref())?, f64::try_from(value.clone())?);
    let shown = |token: Option<Value>, usual: &str| token.map_or_else(|| usual.to_owned(), |token| token.to_string());
    let (token, value) = match (floor, ceil) {
        (Some(floor), _) if low.is_some_and(|low| number < low) => (shown(below, "<"), floor),
        (_, Some(ceil)) if high.is_some_and(|high| number > high) => (shown(above, ">"), ceil),
        _ => (String::new(), value),
    };
    let format = format.map_or_else(|| "{:}".to_owned(), |format| format.to_string());
    let text = clamp::format(&format, &value)
        .ok_or_else(|| refused("a format is written as `{:}`, `{:,.2f}`, `{:.0%}` or `{:d}` here"))?;
    Ok((token + &text).into())
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;
    use tidegate_core::time::Timestamp;

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
        ("150 | humanize_naturaldelta", "2 minutes"),
        ("9000 | humanize_naturaldelta", "2 hours"),
        ("86399 | humanize_naturaldelta", "a day"),
        ("2505600 | humanize_naturaldelta", "a month"),
        ("5270400 | humanize_naturaldelta", "2 months"),
        ("5184000 | humanize_naturaldelta(months=false)", "60 days"),
        ("31622400 | humanize_naturaldelta", "1 year, 1 day"),
        ("36720000 | humanize_naturaldelta", "1 year, 2 months"),
        ("86400000000 | humanize_naturaldelta", "2,740 years"),
        ("0.004 | humanize_naturaldelta(minimum_unit='milliseconds')", "4 milliseconds"),
        ("0.004 | humanize_naturaldelta(minimum_unit='microseconds')", "4 milliseconds"),
        ("0.0004 | humanize_naturaldelta(minimum_unit='microseconds')", "400 microseconds"),
        ("'5' | humanize_naturaldelta", "5 seconds"),
        ("'5' | humanize_naturaltime", "5"),
        ("1.6 | humanize_naturaltime", "2 seconds ago"),
        ("0.4 | humanize_naturaltime(minimum_unit='milliseconds')", "0 milliseconds ago"),
        ("-3600 | humanize_naturaltime", "an hour ago"),
        ("1 | humanize_naturaltime", "a second ago"),
        ("0 | humanize_naturaltime", "now"),
        ("3600 | humanize_naturaltime(future=true)", "an hour from now"),
        ("61 | humanize_precisedelta", "1 minute and 1 second"),
        ("176433.123 | humanize_precisedelta", "2 days, 1 hour and 33.12 seconds"),
        ("34560005 | humanize_precisedelta", "1 year, 1 month, 4 days and 5 seconds"),
        ("0.5 | humanize_precisedelta", "0.50 seconds"),
        ("0 | humanize_precisedelta", "0 seconds"),
        ("'5' | humanize_precisedelta", "5"),
        ("3633.123 | humanize_precisedelta(minimum_unit='milliseconds')", "1 hour, 33 seconds and 123 milliseconds"),
        ("3633.123 | humanize_precisedelta('microseconds')", "1 hour, 33 seconds and 123 milliseconds"),
        ("90 | humanize_precisedelta(suppress=['seconds'])", "1.50 minutes"),
        ("176433.123 | humanize_precisedelta(suppress=['days'])", "49 hours and 33.12 seconds"),
        ("1 | humanize_precisedelta(minimum_unit='minutes')", "0.02 minutes"),
        ("0.1 | humanize_precisedelta(minimum_unit='minutes')", "0 minutes"),
        ("3599.99 | humanize_precisedelta", "59 minutes and 59.99 seconds"),
        ("59.999 | humanize_precisedelta", "1 minute"),
        ("86399.999 | humanize_precisedelta(format='%0.1f')", "1 day"),
        ("5400 | humanize_precisedelta(minimum_unit='hours', format='%0.4f')", "1.5000 hours"),
        ("100000000 | humanize_precisedelta(minimum_unit='years')", "3.17 years"),
        ("100000000 | humanize_precisedelta(minimum_unit='months')", "3 years and 2.03 months"),
        ("2678400 | humanize_precisedelta", "1 month"),
        ("2635200 | humanize_precisedelta", "30 days and 12 hours"),
        ("1.7 | humanize_precisedelta(format='%.0f')", "2 seconds"),
        ("31536000000 | humanize_precisedelta", "1,000 years"),
        ("0.000001 | humanize_precisedelta('microseconds')", "1 microsecond"),
        ("1.0016 | humanize_precisedelta('milliseconds', format='%0.1f')", "1 second and 1.6 milliseconds"),
        ("-5 | humanize_abs_timedelta", "5"),
        ("-5.5 | humanize_abs_timedelta", "5.5"),
        ("123.456 | humanize_clamp", "123.456"),
        ("5 | humanize_clamp", "5"),
        ("1e20 | humanize_clamp", "1e+20"),
        ("0.0001 | humanize_clamp(0.01)", "<0.01"),
        ("0.999 | humanize_clamp(format='{:.0%}', ceil=0.99)", ">99%"),
        ("0.99 | humanize_clamp(format='{:.0%}', ceil=0.99)", "99%"),
        ("1234567 | humanize_clamp(format='{:,}')", "1,234,567"),
        ("1234567.891 | humanize_clamp(format='{:,.2f} EUR')", "1,234,567.89 EUR"),
        ("1 | humanize_clamp(10, 20, '{:d}', 'under ')", "under 10"),
        ("30 | humanize_clamp(10, 20, '{:.1f}', 'under ', 'over ')", "over 20.0"),
        ("5 | humanize_clamp(format='{{}}{}')", "{}5"),
        ("5 | humanize_thousands_separator ~ 5 | humanize_decimal_separator", ",."),
        ("5 | humanize_naturalday", "5"),
    ];

    #[test]
    fn numbers_are_said_in_the_references_words() {
        let mut environment = Environment::new();
        super::add_to(&mut environment, now());
        for (expression, expected) in SAID {
            assert_eq!(render(&environment, expression).unwrap(), *expected, "{expression}");
        }
        for refused in [
            "1 | humanize_intword('%s')",
            "1 | humanize_naturaldelta(minimum_unit='hours')",
            "1 | humanize_precisedelta('fortnights')",
            "1 | humanize_precisedelta('years', ['years'])",
            "1 | humanize_clamp(format='{:x}')",
            "'x' | humanize_clamp",
        ] {
            assert!(render(&environment, refused).is_err(), "{refused}");
        }
    }

    /// What the reference's filters say of dates, of which its templates have none; ours read them from texts.
    #[test]
    fn times_are_said_in_the_references_words() {
        let mut environment = Environment::new();
        super::add_to(&mut environment, now());
        for (time, day, date, ago) in [
            ("2026-07-15T11:59:30Z", "today", "today", "30 seconds ago"),
            ("2026-07-15T12:00:00Z", "today", "today", "now"),
            ("2026-07-15T14:00:00Z", "today", "today", "2 hours from now"),
            ("2026-07-15T23:30:00-02:00", "today", "today", "14 hours from now"),
            ("2026-07-15T23:30:00+02:00", "today", "today", "10 hours from now"),
            ("2026-07-15T01:00:00+14:00", "yesterday", "yesterday", "a day ago"),
            ("2026-07-16", "tomorrow", "tomorrow", "12 hours from now"),
            ("2026-07-14", "yesterday", "yesterday", "a day ago"),
            ("2026-07-20", "Jul 20", "Jul 20", "4 days from now"),
            ("2026-12-14", "Dec 14", "Dec 14", "5 months from now"),
            ("2026-12-15", "Dec 15", "Dec 15 2026", "5 months from now"),
            ("2025-01-02", "Jan 02", "Jan 02 2025", "1 year, 6 months ago"),
            ("soon", "soon", "soon", "soon"),
        ] {
            for (filter, expected) in [("naturalday", day), ("naturaldate", date), ("naturaltime", ago)] {
                let said = render(&environment, &format!("'{time}' | humanize_{filter}")).unwrap();
                assert_eq!(said, expected, "{time} {filter}");
            }
        }
        let of_then = "'2026-07-15' | humanize_naturaltime(when='2026-07-14')";
        assert_eq!(render(&environment, of_then).unwrap(), "a day from now");
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-07-15T12:00:00Z").unwrap()
    }

    fn render(environment: &Environment<'_>, expression: &str) -> Result<String, minijinja::Error> {
        environment.render_str(&format!("{{{{ {expression} }}}}"), ())
    }
}
