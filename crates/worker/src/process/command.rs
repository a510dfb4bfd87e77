//! Which program runs a flow: the job's own command, or the engine in the Python that this worker is to use. Splits
//! words as a POSIX shell does, but never runs a shell.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::infrastructure::{Failure, FailureClass};

/// What starts the SDK's engine; it does the pull steps and finds the entrypoint.
const ENGINE: [&str; 2] = ["-m", "prefect.engine"];

/// A command ready to start, and the PATH that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) words: Vec<OsString>,
    pub(crate) path: OsString,
}

/// Where to look for programs.
pub(crate) struct Surroundings<'a> {
    /// The job's environment.
    pub(crate) job: &'a BTreeMap<String, String>,
    /// An interpreter or a virtual environment, from the worker's settings.
    pub(crate) python: Option<&'a Path>,
    /// The worker's own environment.
    pub(crate) worker: &'a BTreeMap<String, String>,
    pub(crate) working_directory: &'a Path,
}

/// Chooses the program and finds it, so that a missing one is told in words and not by an exit code.
pub(crate) fn choose(command: Option<&str>, around: &Surroundings<'_>) -> Result<Invocation, Failure> {
    let interpreter = interpreter(around);
    let path = search_path(interpreter.as_deref(), around);
    let mut words: Vec<OsString> = if let Some(command) = command {
        split(command)?.into_iter().map(OsString::from).collect()
    } else {
        let found =
            interpreter.or_else(|| ["python3", "python"].into_iter().find_map(|name| find(name, &path, around)));
        let mut words = vec![found.ok_or_else(no_python)?.into_os_string()];
        words.extend(ENGINE.map(OsString::from));
        words
    };
    let Some(program) = words.first() else {
        return Err(Failure::new(FailureClass::ConfigError, "The job variable `command` holds no command."));
    };
    let shown = program.display().to_string();
    let found = find(&shown, &path, around).ok_or_else(|| not_found(&shown, command.is_some()))?;
    words[0] = found.into_os_string();
    Ok(Invocation { words, path })
}

fn not_found(program: &str, is_command: bool) -> Failure {
    let (what, hint) = if is_command {
        ("command", "check the job variable `command`, and PATH where the worker runs")
    } else {
        (
            "Python interpreter",
            "check VIRTUAL_ENV in the job variable `env` and of the worker, and TIDEGATE_WORKER_PYTHON",
        )
    };
    Failure::new(FailureClass::CommandNotFound, format!("The {what} `{program}` was not found on this worker."))
        .with_hint(hint)
}

/// The interpreter that was named, in the order: the job's virtual environment, the worker's setting, the worker's
/// virtual environment.
fn interpreter(around: &Surroundings<'_>) -> Option<PathBuf> {
    let from_job = around.job.get("VIRTUAL_ENV").map(PathBuf::from);
    let from_worker = around.worker.get("VIRTUAL_ENV").map(PathBuf::from);
    let named = from_job.or_else(|| around.python.map(Path::to_owned)).or(from_worker)?;
    Some(if named.is_dir() { named.join("bin/python") } else { named })
}

/// PATH with the interpreter's folder in front, so that its commands (`prefect`, `uv`) are found too.
fn search_path(interpreter: Option<&Path>, around: &Surroundings<'_>) -> OsString {
    let inherited =
        around.job.get("PATH").or_else(|| around.worker.get("PATH")).map(OsString::from).unwrap_or_default();
    let Some(folder) = interpreter.and_then(Path::parent).filter(|folder| folder.is_absolute()) else {
        return inherited;
    };
    let rest = env::split_paths(&inherited).filter(|entry| entry != folder);
    env::join_paths([folder.to_owned()].into_iter().chain(rest)).unwrap_or(inherited)
}

/// As `execvp` would: names with a slash are paths, others are looked for.
fn find(program: &str, path: &OsStr, around: &Surroundings<'_>) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(around.working_directory.join(program)).filter(|path| is_executable(path));
    }
    env::split_paths(path).map(|folder| folder.join(program)).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn no_python() -> Failure {
    Failure::new(FailureClass::ConfigError, "No Python interpreter was found on this worker.").with_hint(
        "activate a virtual environment before starting the worker, set TIDEGATE_WORKER_PYTHON, or give the job variable `command`",
    )
}

/// Splits a command into words: blanks separate, quotes hold together, a backslash takes the next character as it is.
pub(crate) fn split(command: &str) -> Result<Vec<String>, Failure> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut characters = command.chars();
    let unfinished = || {
        let message = format!("The command `{command}` has a quote that is not closed.");
        Failure::new(FailureClass::ConfigError, message)
    };
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or_else(unfinished)? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or_else(unfinished)? {
                        '"' => break,
                        '\\' => match characters.next().ok_or_else(unfinished)? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next().ok_or_else(unfinished)?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder with executables of these names.
    fn bin(folder: &Path, names: &[&str]) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        for name in names {
            fs::write(folder.join(name), "").unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder.to_owned()
    }

    fn variables(pairs: &[(&str, &Path)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string())).collect()
    }

    fn program(
        command: Option<&str>,
        job: &[(&str, &Path)],
        python: Option<&Path>,
        worker: &[(&str, &Path)],
    ) -> String {
        let (job, worker) = (variables(job), variables(worker));
        let working_directory = Path::new("/");
        let around = Surroundings { job: &job, python, worker: &worker, working_directory };
        match choose(command, &around) {
            Ok(invocation) => {
                invocation.words.iter().map(|word| word.display().to_string()).collect::<Vec<_>>().join(" ")
            }
            Err(failure) => failure.class.as_str().to_owned(),
        }
    }

    #[test]
    fn the_nearest_python_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let (path, old) = (bin(&at("path"), &["python3", "python"]), bin(&at("old"), &["python"]));
        for venv in ["job", "setting", "worker"] {
            bin(&at(venv).join("bin"), &["python", "prefect"]);
        }
        let engine = |python: PathBuf| format!("{} -m prefect.engine", python.display());
        let worker = [("VIRTUAL_ENV", at("worker")), ("PATH", path.clone())];
        let worker: Vec<_> = worker.iter().map(|(name, path)| (*name, path.as_path())).collect();

        let setting = at("setting");
        assert_eq!(
            program(None, &[("VIRTUAL_ENV", &at("job"))], Some(&setting), &worker),
            engine(at("job/bin/python"))
        );
        assert_eq!(program(None, &[], Some(&setting), &worker), engine(at("setting/bin/python")));
        assert_eq!(program(None, &[], Some(&old.join("python")), &worker), engine(at("old/python")));
        assert_eq!(program(None, &[], None, &worker), engine(at("worker/bin/python")));
        assert_eq!(program(None, &[], None, &[("PATH", &path)]), engine(at("path/python3")));
        assert_eq!(program(None, &[], None, &[("PATH", &old)]), engine(at("old/python")));
        assert_eq!(program(None, &[], None, &[]), "config_error");
        assert_eq!(program(None, &[("PATH", &at("nowhere"))], None, &[("PATH", &path)]), "config_error");
        assert_eq!(program(None, &[("VIRTUAL_ENV", &at("nowhere"))], None, &worker), "command_not_found");
        assert!(not_found("/venv", false).to_string().contains("VIRTUAL_ENV"));
    }

    #[test]
    fn a_command_is_looked_for_where_the_interpreter_is_and_then_on_path() {
        let home = tempfile::tempdir().unwrap();
        let venv = home.path().join("venv");
        bin(&venv.join("bin"), &["python", "prefect"]);
        let path = bin(&home.path().join("path"), &["prefect", "other"]);
        let worker = [("VIRTUAL_ENV", venv.as_path()), ("PATH", path.as_path())];
        let found = |command: &str| program(Some(command), &[], None, &worker);
        assert_eq!(
            found("prefect flow-run execute"),
            format!("{} flow-run execute", venv.join("bin/prefect").display())
        );
        assert_eq!(found("other 'a b'"), format!("{} a b", path.join("other").display()));
        assert_eq!(found(&format!("{}/other", path.display())), path.join("other").display().to_string());
        assert_eq!(found("nothing-like-this"), "command_not_found");
        assert_eq!(found("  "), "config_error");
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        for (command, words) in [
            ("a b  c\t", &["a", "b", "c"][..]),
            ("a 'b c' \"d e\"", &["a", "b c", "d e"]),
            ("a'b'\"c\"d", &["abcd"]),
            (r#"a\ b "\"q\" \n" 'x\y'"#, &["a b", r#""q" \n"#, r"x\y"]),
            ("'' x", &["", "x"]),
            ("", &[]),
        ] {
            assert_eq!(split(command).unwrap(), words, "{command}");
        }
        for command in ["a 'b", "a \"b", "a \\"] {
            assert_eq!(split(command).unwrap_err().class, FailureClass::ConfigError);
        }
    }
}
