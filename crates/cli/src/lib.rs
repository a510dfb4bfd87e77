//! The command line of Tidegate: arguments in, settings resolved, one command run, text out. The binary is `main.rs`;
//! this library exists so that tests reach its parts.

pub mod arguments;
pub mod commands;
pub mod connection;
pub mod copy;
pub mod failure;
pub mod files;
pub mod logging;
pub mod out;
pub mod python;
pub mod settings;
pub mod shutdown;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches};
use tidegate_core::time::Timestamp;

use arguments::{Arguments, Command};
use failure::Failure;
use out::{Colour, Out, Style};
use settings::environment::Environment;
use settings::{Settings, table};

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    if only_wants_version() {
        return say_version();
    }
    if let Some(arguments) = run_process_arguments() {
        return tidegate_worker::process::supervisor::main(arguments);
    }
    let parsed = Arguments::command().try_get_matches();
    let arguments = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if failure::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done when even this cannot be written.
            let _ = writeln!(anstream::stderr(), "{}", failure::describe(&error));
            ExitCode::from(failure::code(&error))
        }
    }
}

/// The version is asked for by scripts and prompts: it needs no settings, no files, and no grammar.
fn only_wants_version() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    arguments.next().is_none() && first.is_some_and(|first| ["--version", "-v", "-V"].iter().any(|flag| first == *flag))
}

/// Workers start `tidegate worker run-process …` for each run: it is no command of people's, and the run's folder and
/// environment are no place to read settings from.
fn run_process_arguments() -> Option<Vec<OsString>> {
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == "worker" && arguments.next()? == "run-process").then(|| arguments.collect())
}

fn say_version() -> ExitCode {
    match writeln!(io::stdout(), "{}", arguments::version_line()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let environment = Environment::of_process().context("cannot read the environment")?;
    let has_no_colour = environment.variable("NO_COLOR").is_some();
    let settings = Settings::load(environment, arguments.overrides())?;
    let colour = match arguments.colour {
        Colour::Auto if has_no_colour || !settings.flag(&table::client::CLI_COLORS) => Colour::Never,
        colour => colour,
    };
    let style = Style {
        format: arguments.output,
        quiet: arguments.quiet,
        colour,
        wraps: settings.flag(&table::client::CLI_WRAP_LINES),
        prompts: arguments.prompts().or_else(|| settings.flag_if_set(&table::client::CLI_PROMPT)),
    };
    let mut out = Out::new(style, now());
    logging::start(&settings, logging::Part::of(&arguments.command), out.has_colour());
    check(&settings, &arguments.command, &mut out)?;
    commands::run(arguments.command, &settings, &mut out)
}

/// Refuses values that cannot be read, except to the commands that can repair them; warns of names that are none.
fn check(settings: &Settings, command: &Command, out: &mut Out) -> anyhow::Result<()> {
    let repairs = matches!(command, Command::Config(_) | Command::Profile(_) | Command::Completion(_));
    if let Some(problem) = settings.problems.first().filter(|_| !repairs) {
        return Err(Failure::new(&problem.text).hint("`tidegate config view` shows where it is set").into());
    }
    for unknown in settings.unknown.iter().filter(|unknown| unknown.name.to_uppercase().starts_with("TIDEGATE_")) {
        out.warn(format!("`{}` ({}) is no setting of Tidegate", unknown.name, unknown.source))?;
    }
    let without_effect = settings.without_effect();
    if !without_effect.is_empty() {
        tracing::debug!(settings = without_effect.join(" "), "settings that Tidegate accepts without acting on them");
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is where the command line takes its time from")]
pub fn now() -> Timestamp {
    chrono::Utc::now().into()
}
