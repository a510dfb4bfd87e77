//! Steps of a task: commands whose output is shown as it comes. Their tests are counted, and those that failed are named.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

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

/// What a step came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub counts: Counts,
    /// The names of the tests that failed, as their runner writes them; of a step that failed otherwise, how it ended.
    pub failures: Vec<String>,
}

/// Runs one command to its end. Its standard output is read for what test runners say; a command that fails, or does not
/// start, without counting a failure counts as one.
pub fn run(name: &str, command: &mut Command) -> Outcome {
    println!("\n== {name}");
    let started = Instant::now();
    let mut outcome = Outcome::default();
    let ended = match show(command, &mut outcome) {
        Ok(status) if status.success() => None,
        Ok(status) => Some(status.to_string()),
        Err(error) => Some(format!("cannot run {}: {error}", command.get_program().display())),
    };
    match ended {
        None if outcome.counts == Counts::default() => outcome.counts.passed = 1,
        None => {}
        Some(ended) => {
            outcome.counts.failed = outcome.counts.failed.max(1);
            if outcome.failures.is_empty() {
                outcome.failures.push(ended);
            }
        }
    }
    let Counts { passed, failed } = outcome.counts;
    println!("== {name}: {passed} passed, {failed} failed in {:.0?}", started.elapsed());
    outcome
}

/// Prints what the command prints, and notes what it says about tests.
fn show(command: &mut Command, outcome: &mut Outcome) -> std::io::Result<std::process::ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            // A test may print anything; what is no text must not hide the lines after it.
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            outcome.counts.add(read(&line));
            outcome.failures.extend(failure(&line).map(ToOwned::to_owned));
        }
    }
    child.wait()
}

/// The test that a line of cargo test, pytest or the contract's replay names as failed.
fn failure(line: &str) -> Option<&str> {
    let cargo = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"));
    let pytest = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR "));
    // Lines of a log may begin like pytest's own; only those of pytest go on with a file.
    let pytest = pytest.map(|rest| rest.split(" - ").next().unwrap_or(rest)).filter(|rest| rest.starts_with("tests/"));
    cargo.or(pytest).or_else(|| line.strip_prefix("FAIL "))
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

    #[test]
    fn failed_tests_are_named() {
        for (line, name) in [
            ("test lease::tests::a_lost_lease_ends ... FAILED", Some("lease::tests::a_lost_lease_ends")),
            ("test lease::tests::a_lost_lease_ends ... ok", None),
            (
                "FAILED tests/compat/test_logs.py::test_order - AssertionError: no",
                Some("tests/compat/test_logs.py::test_order"),
            ),
            ("ERROR tests/faults/test_leases.py::test_x[sqlite]", Some("tests/faults/test_leases.py::test_x[sqlite]")),
            ("ERROR    prefect.flow_runs:engine.py:12 Encountered exception", None),
            ("FAIL flows/create step 3: POST /flows/", Some("flows/create step 3: POST /flows/")),
            ("test result: FAILED. 3 passed; 2 failed", None),
        ] {
            assert_eq!(failure(line), name, "{line}");
        }
    }

    #[test]
    fn a_step_that_ends_badly_counts_and_is_explained() {
        let outcome = run("ends with 3", Command::new("sh").args(["-c", "echo some words; exit 3"]));
        assert_eq!(outcome.counts, Counts { passed: 0, failed: 1 });
        assert_eq!(outcome.failures, ["exit status: 3"]);

        let missing = run("is not there", &mut Command::new("/no/such/program"));
        assert_eq!(missing.counts, Counts { passed: 0, failed: 1 });
        assert!(missing.failures[0].starts_with("cannot run /no/such/program: "), "{:?}", missing.failures);
    }

    #[test]
    fn a_failed_test_of_a_step_is_counted_once_and_named() {
        let says = r"printf 'test a ... FAILED\n\377 no text\ntest result: FAILED. 1 passed; 1 failed\n'; exit 101";
        let outcome = run("one of two fails", Command::new("sh").args(["-c", says]));
        assert_eq!(outcome.counts, Counts { passed: 1, failed: 1 });
        assert_eq!(outcome.failures, ["a"]);
    }
}
