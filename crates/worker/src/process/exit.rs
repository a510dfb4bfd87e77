//! What a process's end means: exit codes and signals become failure classes with a message and a next step.

use super::directory::ExitRecord;
use crate::infrastructure::{Exit, Failure, FailureClass, Line};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const NOT_FOUND: i32 = 2;
const PERMISSION_DENIED: i32 = 13;

impl From<ExitRecord> for Exit {
    fn from(record: ExitRecord) -> Self {
        Self {
            failure: failure(&record),
            is_concluded: record.is_concluded,
            stop: record.stop,
            tail: record.tail,
            ..Self::default()
        }
    }
}

/// The end of an attempt whose supervisor was killed: nobody saw how the process ended.
pub(crate) fn unseen() -> Exit {
    let failure = Failure::new(FailureClass::Signal, "The run's process was killed together with its supervisor.")
        .with_hint("the system may have run out of memory, or somebody ended both by hand");
    Exit { failure: Some(failure), ..Exit::default() }
}

pub(crate) fn failure(record: &ExitRecord) -> Option<Failure> {
    if let Some((number, words)) = &record.start_error {
        return Some(start_failure(*number, words));
    }
    let (class, message, hint) = match (record.code, record.signal) {
        (Some(0), _) => return None,
        (_, Some(SIGKILL)) | (Some(137 | 247), _) if record.saw_oom_kill => (
            FailureClass::OomKilled,
            "The kernel killed the run's process because memory ran out.".to_owned(),
            "give the worker more memory, or let it run fewer flows at a time (`--limit`)",
        ),
        (_, Some(SIGKILL)) => (
            FailureClass::Signal,
            "The run's process was killed (SIGKILL).".to_owned(),
            "memory may have run out, or somebody killed it by hand",
        ),
        (_, Some(SIGTERM)) => (
            FailureClass::Signal,
            "The run's process was terminated (SIGTERM).".to_owned(),
            "expected after a cancellation or a shutdown; else see who ended it",
        ),
        (_, Some(signal)) => (
            FailureClass::Signal,
            format!("The run's process was ended by signal {signal}{}.", signal_name(signal)),
            "a crash inside native code ends so; the last lines of its output may tell more",
        ),
        (Some(1), _) if lacks_engine(&record.tail) => (
            FailureClass::ConfigError,
            "The Python interpreter of this worker cannot import `prefect`.".to_owned(),
            "install prefect there, or name the right environment (VIRTUAL_ENV, TIDEGATE_WORKER_PYTHON, or the job variable `command`)",
        ),
        (Some(1), _) if last_exception(&record.tail).is_some() => (
            FailureClass::ExitCode,
            format!("The run's process ended with exit code 1: {}", last_exception(&record.tail).unwrap_or_default()),
            "see the run's logs for where it happened",
        ),
        (Some(code), _) => by_code(code),
        (None, None) => {
            (FailureClass::ExitCode, "The run's process ended in an unknown way.".to_owned(), "see its logs")
        }
    };
    Some(Failure { class, exit_code: record.code, signal: record.signal, message, hint: Some(hint.to_owned()) })
}

fn by_code(code: i32) -> (FailureClass, String, &'static str) {
    let (class, what, hint) = match code {
        1 => (FailureClass::ExitCode, "an error that the flow did not handle", "see the run's logs for the exception"),
        2 => (FailureClass::ExitCode, "wrong use of a command", "check the job variable `command`"),
        125 => (FailureClass::StartFailed, "a container that could not be run", "check the image and its entrypoint"),
        126 => (FailureClass::StartFailed, "a command that may not be executed", "check the file's permissions"),
        127 => {
            (FailureClass::CommandNotFound, "a command that was not found", "check PATH and the job variable `command`")
        }
        137 => (FailureClass::Signal, "SIGKILL: memory may have run out", "give the run more memory"),
        143 => (FailureClass::Signal, "SIGTERM", "expected after a cancellation or a shutdown; else see who ended it"),
        247 => (FailureClass::OomKilled, "too much memory in use", "give the run more memory"),
        _ => (FailureClass::ExitCode, "an unusual code", "see the run's logs and the last lines of its output"),
    };
    (class, format!("The run's process ended with exit code {code}: {what}."), hint)
}

fn start_failure(number: i32, words: &str) -> Failure {
    let (class, hint) = match number {
        NOT_FOUND => {
            (FailureClass::CommandNotFound, "check PATH, the job variable `command`, and that its folder exists")
        }
        PERMISSION_DENIED => (FailureClass::StartFailed, "check the file's permissions"),
        _ => (FailureClass::StartFailed, "check the worker's machine: memory, processes, open files"),
    };
    Failure::new(class, format!("The run's process could not be started: {words}.")).with_hint(hint)
}

/// Python's two ways of saying that the module given with `-m` is not there.
fn lacks_engine(tail: &[Line]) -> bool {
    tail.iter().any(|line| {
        line.text.contains("No module named prefect")
            || line.text.contains("ModuleNotFoundError: No module named 'prefect'")
    })
}

/// The last line that Python ends a traceback with, `some.Error: what happened`.
fn last_exception(tail: &[Line]) -> Option<&str> {
    tail.iter().rev().map(|line| line.text.trim_end()).find(|text| {
        let name = text.split_once(": ").map_or(*text, |(name, _)| name);
        let class = name.rsplit('.').next().unwrap_or(name);
        let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        is_name
            && class.starts_with(char::is_uppercase)
            && ["Error", "Exception", "Interrupt"].iter().any(|end| class.ends_with(end))
    })
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        11 => " (SIGSEGV)",
        24 => " (SIGXCPU)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::Stream;

    #[test]
    fn every_end_has_a_class_and_words() {
        let code = |code| ExitRecord { code: Some(code), ..ExitRecord::default() };
        let signal = |signal| ExitRecord { signal: Some(signal), ..ExitRecord::default() };
        let start = |number: i32| ExitRecord { start_error: Some((number, "no".into())), ..ExitRecord::default() };
        let said = |text: &str| ExitRecord {
            code: Some(1),
            tail: vec![Line { stream: Stream::Err, text: text.into() }],
            ..ExitRecord::default()
        };
        for (record, class, words) in [
            (code(1), FailureClass::ExitCode, "exit code 1"),
            (code(3), FailureClass::ExitCode, "exit code 3"),
            (code(126), FailureClass::StartFailed, "may not be executed"),
            (code(127), FailureClass::CommandNotFound, "not found"),
            (code(137), FailureClass::Signal, "memory"),
            (code(143), FailureClass::Signal, "SIGTERM"),
            (code(247), FailureClass::OomKilled, "memory"),
            (signal(9), FailureClass::Signal, "SIGKILL"),
            (signal(11), FailureClass::Signal, "SIGSEGV"),
            (signal(15), FailureClass::Signal, "SIGTERM"),
            (ExitRecord { saw_oom_kill: true, ..signal(9) }, FailureClass::OomKilled, "memory"),
            (ExitRecord { saw_oom_kill: true, ..code(137) }, FailureClass::OomKilled, "memory"),
            (start(NOT_FOUND), FailureClass::CommandNotFound, "could not be started"),
            (start(PERMISSION_DENIED), FailureClass::StartFailed, "could not be started"),
            (said("/usr/bin/python3: No module named prefect"), FailureClass::ConfigError, "cannot import"),
            (said("(ModuleNotFoundError: No module named 'prefect')"), FailureClass::ConfigError, "cannot import"),
            (said("ModuleNotFoundError: No module named 'pandas'"), FailureClass::ExitCode, "named 'pandas'"),
            (said("my.package.CustomError"), FailureClass::ExitCode, "exit code 1: my.package.CustomError"),
            (said("Some words: Error"), FailureClass::ExitCode, "did not handle"),
        ] {
            let failure = failure(&record).unwrap();
            assert_eq!(failure.class, class, "{record:?}");
            assert!(failure.to_string().contains(words), "{failure}");
            assert!(failure.hint.is_some());
        }
        assert_eq!(failure(&code(0)), None);
    }
}
