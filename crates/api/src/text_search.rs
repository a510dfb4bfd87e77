//! The little language of text filters: words are alternatives, `-word` or `!word` must be absent, `+word` must be there,
//! quotes hold a phrase together. Knows words, not what they are searched in.

/// A parsed query, in lower case. All lists empty means that everything matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextQuery {
    /// At least one of these.
    pub include: Vec<String>,
    /// None of these.
    pub exclude: Vec<String>,
    /// All of these.
    pub required: Vec<String>,
}

impl TextQuery {
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        let mut rest = query.trim_start();
        while let Some(first) = rest.chars().next() {
            let prefix = matches!(first, '-' | '!' | '+').then_some(first);
            if prefix.is_some() {
                rest = &rest[1..];
                // A sign by itself means nothing.
                if rest.chars().next().is_none_or(char::is_whitespace) {
                    rest = rest.trim_start();
                    continue;
                }
            }
            let (term, after) = match rest.strip_prefix('"') {
                Some(quoted) => take_phrase(quoted),
                None => {
                    let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
                    (rest[..end].to_owned(), &rest[end..])
                }
            };
            rest = after.trim_start();
            if term.trim().is_empty() {
                continue;
            }
            let list = match prefix {
                Some('+') => &mut parsed.required,
                Some(_) => &mut parsed.exclude,
                None => &mut parsed.include,
            };
            list.push(term.to_lowercase());
        }
        parsed
    }

    /// Whether a text, already in lower case, is meant.
    pub fn matches(&self, text: &str) -> bool {
        let has = |term: &String| text.contains(term.as_str());
        (self.include.is_empty() || self.include.iter().any(has))
            && !self.exclude.iter().any(has)
            && self.required.iter().all(has)
    }
}

/// The phrase up to its closing quote (or the end), with `\"` and `\\` resolved, and what follows.
fn take_phrase(text: &str) -> (String, &str) {
    let mut phrase = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (phrase, &text[at + 1..]),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => phrase.push(escaped),
                None => phrase.push('\\'),
            },
            other => phrase.push(other),
        }
    }
    (phrase, "")
}

#[cfg(test)]
mod tests {
    use super::TextQuery;

    fn parsed(query: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let TextQuery { include, exclude, required } = TextQuery::parse(query);
        (include, exclude, required)
    }

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_signs_and_phrases() {
        assert_eq!(parsed(""), (vec![], vec![], vec![]));
        assert_eq!(parsed("  Error  Warning "), (list(&["error", "warning"]), vec![], vec![]));
        assert_eq!(parsed("a -b !c +d"), (list(&["a"]), list(&["b", "c"]), list(&["d"])));
        assert_eq!(parsed("\"two words\" -\"not this\""), (list(&["two words"]), list(&["not this"]), vec![]));
        assert_eq!(parsed(r#""say \"hi\" \n""#), (list(&[r#"say "hi" \n"#]), vec![], vec![]));
        assert_eq!(parsed("- + a"), (list(&["a"]), vec![], vec![]));
        assert_eq!(parsed("open\"end of it"), (list(&["open", "end of it"]), vec![], vec![]));
        assert_eq!(parsed("a-b"), (list(&["a-b"]), vec![], vec![]));
    }

    #[test]
    fn alternatives_exclusions_and_requirements_combine() {
        let query = TextQuery::parse("one two -three +four");
        assert!(query.matches("two and four"));
        assert!(!query.matches("two"));
        assert!(!query.matches("one three four"));
        assert!(!query.matches("four"));
        assert!(TextQuery::default().matches("anything"));
    }
}
