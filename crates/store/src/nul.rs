//! The one character that PostgreSQL cannot keep, neither in a text nor as an escape in JSON. A record, or a message with
//! binary junk in it, is worth more than that character: it is left out.

use std::borrow::Cow;

/// The text without NUL.
pub fn left_out(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) { text.replace('\0', "").into() } else { text.into() }
}

/// JSON without escaped NUL. A backslash before the escape means that it is none.
pub(crate) fn left_out_of_json(json: &str) -> Cow<'_, str> {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match rest.strip_prefix(NUL) {
            Some(after) => rest = after,
            None => {
                let (escape, after) = rest.split_at(rest.len().min(2));
                out.push_str(escape);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::{left_out, left_out_of_json};

    #[test]
    fn nul_is_left_out_and_other_escapes_stay() {
        assert_eq!(left_out("a\0b"), "ab");
        assert_eq!(left_out_of_json(r#"{"a":"b\u0000c\n"}"#), r#"{"a":"bc\n"}"#);
        // An escaped backslash in front: these are the six characters themselves.
        assert_eq!(left_out_of_json(r#""\\u0000""#), r#""\\u0000""#);
        assert_eq!(left_out_of_json(r#""\\\u0000""#), r#""\\""#);
    }
}
