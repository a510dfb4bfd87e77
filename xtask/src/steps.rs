//! Steps of a task: commands whose output is shown as it comes and whose counts of tests are added up.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context;

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs one command to its end. Its standard output is read for closing lines of test runners; a command that fails without
/// counting a failure counts as one.
pub fn run(name: &str, command: &mut Command) -> anyhow::Result<Counts> {
    println!("\n== {name}");
    let started = Instant::now();
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start the step `{name}`"))?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.unwrap_or_default();
            println!("{line}");
            counts.add(read(&line));
        }
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    if status.success() && counts == Counts::default() {
        counts.passed = 1;
    }
    println!("== {name}: {} passed, {} failed in {:.0?}", counts.passed, counts.failed, started.elapsed());
    Ok(counts)
}

/// What runners count.
const COUNTED: &[&str] =
    &["passed", "failed", "error", "errors", "skipped", "deselected", "warning", "warnings", "xfailed", "xpassed"];

/// Counts in a closing line of cargo test, pytest or our own runners; zero in any other line.
fn read(line: &str) -> Counts {
    let is_cargo = line.starts_with("test result:");
    // Pytest closes with its counts and a time: between signs of equality or, when told to be quiet, without them.
    let closing = line.trim_matches(['=', ' ']);
    let counted = closing.split_once(" in ").map_or(closing, |(counts, _)| counts);
    let is_counts = counted.split(", ").all(|part| {
        part.split_once(' ').is_some_and(|(count, word)| count.parse::<u64>().is_ok() && COUNTED.contains(&word))
    });
    let is_pytest = is_counts && counted.len() < closing.len();
    let is_plain = is_counts && counted == line;
    if !(is_cargo || is_pytest || is_plain) {
        return Counts::default();
    }
    let before = |word: &str| {
        let words: Vec<&str> = line.split([' ', ',', ';', '.']).filter(|part| !part.is_empty()).collect();
        let at = words.iter().position(|part| *part == word)?;
        words.get(at.checked_sub(1)?)?.parse().ok()
    };
    let failed =
        before("failed").unwrap_or(0) + if is_pytest { before("error").or(before("errors")).unwrap_or(0) } else { 0 };
    Counts { passed: before("passed").unwrap_or(0), failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_runners_are_read() {
        for (line, passed, failed) in [
            ("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s", 12, 0),
            ("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out", 3, 2),
            ("======= 61 passed, 1 failed in 210.11s (0:03:30) =======", 61, 1),
            ("=== 2 failed, 5 passed, 1 error in 3.1s ===", 5, 3),
            ("1 failed, 167 passed in 707.90s (0:11:47)", 167, 1),
            ("21 passed, 2 deselected in 84.32s", 21, 0),
            ("11858 passed, 4 failed", 11_858, 4),
            ("the run passed, 4 failed attempts before", 0, 0),
            ("", 0, 0),
        ] {
            assert_eq!(read(line), Counts { passed, failed }, "{line}");
        }
    }
}
