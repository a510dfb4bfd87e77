//! Reads a body as JSON. The good case is serde's; the bad case is scanned again the way Python's decoder does, so that
//! message and position are the ones clients of the reference know. Never returns a value that nests too deeply.

use serde_json::Value;

use super::error::FieldError;

/// How deeply a body may nest. A value passes through several parsers that stop at 128 levels and is wrapped in up to
/// eight more on its way out, so a body that got in can always be read again.
pub const MAX_DEPTH: usize = 120;

/// Whether a body of this content type is read as JSON; a body without one is.
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type.filter(|text| !text.is_empty()) else { return true };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    // A type that cannot be parsed counts as text.
    let Some((main, sub)) = essence.split_once('/') else { return false };
    let sub = sub.to_ascii_lowercase();
    main.eq_ignore_ascii_case("application") && (sub == "json" || sub.ends_with("+json"))
}

pub(super) fn parse(body: &[u8]) -> Result<Value, Vec<FieldError>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if let Some(position) = too_deep(body) {
        let error = format!("Nested more than {MAX_DEPTH} levels deep");
        return Err(vec![FieldError::json_invalid(position, &error)]);
    }
    serde_json::from_slice(body).map_err(|error| vec![locate(body, &error)])
}

/// A JSON text inside of a value.
pub(super) fn parse_text(text: &str) -> Result<Value, String> {
    if too_deep(text.as_bytes()).is_some() {
        return Err(format!("Nested more than {MAX_DEPTH} levels deep"));
    }
    serde_json::from_str(text).map_err(|error| {
        let text: Vec<char> = text.chars().collect();
        let Err(fault) = (Scanner { text: &text }).document() else { return error.to_string() };
        let before = &text[..fault.at.min(text.len())];
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
        format!("{}: line {line} column {column} (char {})", fault.message, fault.at)
    })
}

/// The byte at which the nesting passes the limit, not looking into strings.
fn too_deep(body: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for (position, byte) in body.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(position);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn locate(body: &[u8], error: &serde_json::Error) -> FieldError {
    let Ok(text) = std::str::from_utf8(body) else {
        let valid = String::from_utf8_lossy(body);
        let position = valid.chars().position(|c| c == char::REPLACEMENT_CHARACTER).unwrap_or(0);
        return FieldError::json_invalid(position, "Not UTF-8");
    };
    let text: Vec<char> = text.chars().collect();
    match (Scanner { text: &text }).document() {
        Err(fault) => FieldError::json_invalid(fault.at, fault.message),
        // Python takes lone surrogates and numbers beyond a double; nothing after the parser could.
        Ok(()) => FieldError::json_invalid(error.column().saturating_sub(1), "Number or escape out of range"),
    }
}

struct Fault {
    message: &'static str,
    at: usize,
}

fn fault<T>(message: &'static str, at: usize) -> Result<T, Fault> {
    Err(Fault { message, at })
}

/// Python's decoder, less the values: every method takes a position and returns the one after what it read.
struct Scanner<'a> {
    text: &'a [char],
}

impl Scanner<'_> {
    fn document(&self) -> Result<(), Fault> {
        let end = self.blank(self.value(self.blank(0))?);
        if end == self.text.len() { Ok(()) } else { fault("Extra data", end) }
    }

    fn peek(&self, at: usize) -> Option<char> {
        self.text.get(at).copied()
    }

    fn blank(&self, mut at: usize) -> usize {
        while matches!(self.peek(at), Some(' ' | '\t' | '\n' | '\r')) {
            at += 1;
        }
        at
    }

    fn value(&self, at: usize) -> Result<usize, Fault> {
        match self.peek(at) {
            Some('"') => self.string(at + 1),
            Some('{') => self.object(at + 1),
            Some('[') => self.array(at + 1),
            Some('n') => self.word(at, "null"),
            Some('t') => self.word(at, "true"),
            Some('f') => self.word(at, "false"),
            _ => self.number(at),
        }
    }

    fn word(&self, at: usize, word: &str) -> Result<usize, Fault> {
        let end = at + word.len();
        let found = self.text.get(at..end).is_some_and(|found| found.iter().copied().eq(word.chars()));
        if found { Ok(end) } else { fault("Expecting value", at) }
    }

    fn number(&self, start: usize) -> Result<usize, Fault> {
        let digits = |mut at: usize| {
            while self.peek(at).is_some_and(|c| c.is_ascii_digit()) {
                at += 1;
            }
            at
        };
        let first = if self.peek(start) == Some('-') { start + 1 } else { start };
        let mut end = match self.peek(first) {
            Some('0') => first + 1,
            Some('1'..='9') => digits(first),
            _ => return fault("Expecting value", start),
        };
        if self.peek(end) == Some('.') && digits(end + 1) > end + 1 {
            end = digits(end + 1);
        }
        if matches!(self.peek(end), Some('e' | 'E')) {
            let exponent = if matches!(self.peek(end + 1), Some('+' | '-')) { end + 2 } else { end + 1 };
            if digits(exponent) > exponent {
                end = digits(exponent);
            }
        }
        Ok(end)
    }

    fn object(&self, at: usize) -> Result<usize, Fault> {
        let mut at = self.blank(at);
        if self.peek(at) == Some('}') {
            return Ok(at + 1);
        }
        loop {
            if self.peek(at) != Some('"') {
                return fault("Expecting property name enclosed in double quotes", at);
            }
            at = self.blank(self.string(at + 1)?);
            if self.peek(at) != Some(':') {
                return fault("Expecting ':' delimiter", at);
            }
            at = self.blank(self.value(self.blank(at + 1))?);
            match self.peek(at) {
                Some('}') => return Ok(at + 1),
                Some(',') => at = self.blank(at + 1),
                _ => return fault("Expecting ',' delimiter", at),
            }
        }
    }

    fn array(&self, at: usize) -> Result<usize, Fault> {
        let mut at = self.blank(at);
        if self.peek(at) == Some(']') {
            return Ok(at + 1);
        }
        loop {
            at = self.blank(self.value(at)?);
            match self.peek(at) {
                Some(']') => return Ok(at + 1),
                Some(',') => at = self.blank(at + 1),
                _ => return fault("Expecting ',' delimiter", at),
            }
        }
    }

    /// `at` is the place after the opening quote.
    fn string(&self, mut at: usize) -> Result<usize, Fault> {
        let opening = at - 1;
        loop {
            match self.peek(at) {
                None => return fault("Unterminated string starting at", opening),
                Some('"') => return Ok(at + 1),
                Some(c) if c <= '\u{1f}' => return fault("Invalid control character at", at),
                Some('\\') => at = self.escape(at, opening)?,
                Some(_) => at += 1,
            }
        }
    }

    fn escape(&self, at: usize, opening: usize) -> Result<usize, Fault> {
        match self.peek(at + 1) {
            None => fault("Unterminated string starting at", opening),
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => Ok(at + 2),
            Some('u') => {
                let hex = |c: char| c.is_ascii_hexdigit();
                let end = at + 6;
                if end < self.text.len() && self.text[at + 2..end].iter().copied().all(hex) {
                    return Ok(end);
                }
                fault("Invalid \\uXXXX escape", at + 1)
            }
            Some(_) => fault("Invalid \\escape", at),
        }
    }
}
