//! The sentences of the architecture page that must stay true: each names the tests that check it, and they exist.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

const PAGE: &str = "docs/architecture.md";
const MARK: &str = "**Invariant:**";

/// Fails on the first sentence whose tests are not there.
pub fn check() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace has a folder")?;
    let page = std::fs::read_to_string(root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let problems = problems(&page, &|file| std::fs::read_to_string(root.join(file)).ok());
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{PAGE} names tests that are not there:\n  {}", problems.join("\n  "));
}

/// What is wrong with a page; `read` answers a file's text by its path from the root.
fn problems(page: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for sentence in sentences(page) {
        let tests = tests_of(&sentence, read);
        if tests.is_empty() {
            problems.push(format!("no test is named for: {sentence}"));
        }
        for (file, name) in tests {
            let is_there =
                |text: String| [format!("fn {name}("), format!("def {name}(")].iter().any(|it| text.contains(it));
            if !read(&file).is_some_and(is_there) {
                problems.push(format!("`{}` has no test `{name}`", file.display()));
            }
        }
    }
    problems
}

/// The quoted blocks that hold an invariant, each on one line.
fn sentences(page: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in page.lines() {
        match (line.strip_prefix('>'), blocks.last_mut()) {
            (Some(text), Some(block)) => {
                block.push_str(text.trim());
                block.push(' ');
            }
            _ => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| block.contains(MARK));
    blocks
}

/// `` *`file`: `test`, `test`; `other file`: `test`.* `` at the end of a sentence. A file without folders is beside the one
/// before it.
fn tests_of(sentence: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<(PathBuf, String)> {
    let Some((_, named)) = sentence.split_once(" *`") else { return Vec::new() };
    let mut folder = PathBuf::new();
    let mut tests = Vec::new();
    for part in named.split(';') {
        let mut words = part.split('`').map(str::trim).filter(|word| word.chars().any(char::is_alphanumeric));
        let Some(file) = words.next() else { continue };
        let beside = folder.join(file);
        let file =
            if read(Path::new(file)).is_none() && read(&beside).is_some() { beside } else { PathBuf::from(file) };
        folder = file.parent().map(Path::to_owned).unwrap_or_default();
        tests.extend(words.map(|name| (file.clone(), name.to_owned())));
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_names_tests_that_exist() {
        check().unwrap();
    }

    #[test]
    fn the_page_holds_invariants_at_all() {
        let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE)).unwrap();
        let marked = page.lines().filter(|line| line.starts_with(&format!("> {MARK}"))).count();
        assert!(marked > 20, "{marked}");
        assert_eq!(sentences(&page).len(), marked);
    }

    #[test]
    fn a_test_that_is_gone_is_a_problem() {
        let read = |file: &Path| match file.to_str() {
            Some("a/it/one.rs") => Some("fn holds() {}".to_owned()),
            Some("a/it/two.py") => Some("def test_holds(server):".to_owned()),
            _ => None,
        };
        let page = |tests: &str| format!("Text.\n\n> {MARK} the moon is\n> round.\n> {tests}\n\nText.");
        let found = |tests: &str| problems(&page(tests), &read);
        assert_eq!(found("*`a/it/one.rs`: `holds`; `two.py`: `test_holds`.*"), Vec::<String>::new());
        assert_eq!(found("*`a/it/one.rs`: `holds`, `held`.*"), ["`a/it/one.rs` has no test `held`"]);
        assert_eq!(found("*`a/it/one.rs`: `holds`; `three.rs`: `holds`.*"), ["`three.rs` has no test `holds`"]);
        assert_eq!(found("").len(), 1);
    }
}
