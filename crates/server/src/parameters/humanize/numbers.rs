//! Numbers in words. Pure.

const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
const SMALL: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/// Powers of ten and their names.
const WORDS: [(f64, &str); 13] = [
    (1e3, "thousand"),
    (1e6, "million"),
    (1e9, "billion"),
    (1e12, "trillion"),
    (1e15, "quadrillion"),
    (1e18, "quintillion"),
    (1e21, "sextillion"),
    (1e24, "septillion"),
    (1e27, "octillion"),
    (1e30, "nonillion"),
    (1e33, "decillion"),
    (1e100, "googol"),
    (1e303, "centillion"),
];

pub(super) fn size(bytes: f64, binary: bool, gnu: bool, digits: usize) -> String {
    let base: f64 = if gnu || binary { 1024.0 } else { 1000.0 };
    let units: [&str; 10] = match (gnu, binary) {
        (true, _) => ["K", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"],
        (false, true) => [" KiB", " MiB", " GiB", " TiB", " PiB", " EiB", " ZiB", " YiB", " RiB", " QiB"],
        (false, false) => [" kB", " MB", " GB", " TB", " PB", " EB", " ZB", " YB", " RB", " QB"],
    };
    if bytes.abs() < base {
        let count = bytes.trunc() as i64;
        return match (gnu, count.abs() == 1) {
            (true, _) => format!("{count}B"),
            (false, true) => format!("{count} Byte"),
            (false, false) => format!("{count} Bytes"),
        };
    }
    let mut scaled = bytes / base;
    let mut unit = 0;
    // What would be rounded up to a whole unit is one.
    while rounded(scaled, digits).abs() >= base && unit + 1 < units.len() {
        scaled /= base;
        unit += 1;
    }
    format!("{scaled:.digits$}{}", units[unit])
}

/// As it is shown with so many digits after the point.
pub(super) fn rounded(number: f64, digits: usize) -> f64 {
    format!("{number:.digits$}").parse().unwrap_or(number)
}

/// Commas between groups of three digits before the point.
pub(crate) fn with_commas(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (whole, fraction) = rest.split_at(end);
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

pub(super) fn word(number: f64, digits: usize) -> String {
    let size = number.abs().trunc();
    if size < 1000.0 {
        return format!("{}", number.trunc());
    }
    let last = WORDS.iter().rposition(|(power, _)| size >= *power).unwrap_or(0);
    let scaled = |at: usize| number.trunc() / WORDS[at].0;
    // What is rounded up to a thousand of one is one of the next.
    let at = match WORDS.get(last + 1) {
        Some(next) if rounded(scaled(last), digits).abs() * WORDS[last].0 >= next.0 => last + 1,
        _ => last,
    };
    format!("{:.digits$} {}", rounded(scaled(at), digits), WORDS[at].1)
}

pub(super) fn ordinal(number: i128) -> String {
    let suffix = match (number.rem_euclid(100), number.rem_euclid(10)) {
        _ if number < 0 => "th",
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// Below ten in letters, as the Associated Press writes.
pub(super) fn apnumber(number: i128) -> String {
    let small = usize::try_from(number).ok().and_then(|number| SMALL.get(number));
    small.map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

/// The nearest fraction with a denominator up to a thousand, by continued fractions.
pub(super) fn fractional(number: f64) -> String {
    let whole = number.trunc();
    let sign = if number < 0.0 { "-" } else { "" };
    let (numerator, denominator) = nearest(number.abs().fract());
    if numerator == 0 {
        return format!("{whole}");
    }
    if numerator == denominator {
        return format!("{}", whole + number.signum());
    }
    if whole == 0.0 { format!("{sign}{numerator}/{denominator}") } else { format!("{whole} {numerator}/{denominator}") }
}

fn nearest(fraction: f64) -> (i64, i64) {
    const MOST: i64 = 1000;
    let (mut low, mut high) = ((0i64, 1i64), (1i64, 0i64));
    let mut rest = fraction;
    loop {
        let term = rest.floor() as i64;
        let next = (low.0 + term * high.0, low.1 + term * high.1);
        if next.1 > MOST {
            // The last that fits, or the one between it and the one that does not.
            let steps = (MOST - low.1) / high.1;
            let between = (low.0 + steps * high.0, low.1 + steps * high.1);
            let off = |(n, d): (i64, i64)| (n as f64 / d as f64 - fraction).abs();
            return if off(high) <= off(between) { high } else { between };
        }
        (low, high) = (high, next);
        let left = rest - rest.floor();
        if left < 1e-9 {
            return high;
        }
        rest = 1.0 / left;
    }
}

pub(super) fn scientific(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let raised = exponent.chars().map(|c| c.to_digit(10).map_or('⁻', |digit| SUPERSCRIPTS[digit as usize]));
    format!("{mantissa} x 10{}", raised.collect::<String>())
}

/// With a prefix of the international system, to so many digits in all.
pub(super) fn metric(number: f64, unit: &str, digits: usize) -> String {
    const UP: [&str; 10] = ["k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"];
    const DOWN: [&str; 10] = ["m", "μ", "n", "p", "f", "a", "z", "y", "r", "q"];
    // Rounded first: what becomes a thousand needs the next prefix.
    let power: i32 = if number == 0.0 {
        0
    } else {
        let text = format!("{number:.*e}", digits.max(1) - 1);
        text.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0)
    };
    if !(-30..33).contains(&power) {
        return format!("{}{unit}", scientific(number, digits.max(1) - 1));
    }
    let thousands = power.div_euclid(3);
    let scaled = number / 10f64.powi(thousands * 3);
    let after = digits.saturating_sub(1 + power.rem_euclid(3) as usize);
    let prefix = match thousands {
        0 => "",
        1.. => UP[thousands as usize - 1],
        _ => DOWN[(-thousands) as usize - 1],
    };
    let space = if unit.is_empty() && prefix.is_empty() { "" } else { " " };
    format!("{scaled:.after$}{space}{prefix}{unit}")
}
