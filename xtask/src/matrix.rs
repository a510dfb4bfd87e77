//! The compatibility scenarios with SDKs of other versions, each in an environment of its own. Makes no verdict on an SDK
//! beyond its scenarios: which of them an old SDK can run at all is told in `tests/compat/support/versions.py`.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::{
    ci,
    steps::{self, Counts},
};

/// The SDKs, oldest first; each has its `tests/requirements/sdk-….txt`, and the newest one is that of all other tests.
const SDKS: &[&str] = &["3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8"];
/// What every SDK does, and what a change of the server breaks first.
pub const SMALL: &[&str] = &["test_flows.py", "test_tasks.py"];

#[derive(clap::Args)]
pub struct Arguments {
    /// Only this SDK (`3.4`); may be repeated.
    #[arg(long)]
    sdk: Vec<String>,
    /// Only the scenarios that CI runs with an old SDK.
    #[arg(long)]
    small: bool,
}

/// Runs the scenarios with each SDK, and ends with a line `N passed, N failed`.
pub fn run(arguments: &Arguments) -> ExitCode {
    match run_all(arguments) {
        Ok(Counts { passed, failed }) => {
            println!("\n{passed} passed, {failed} failed");
            if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_all(arguments: &Arguments) -> anyhow::Result<Counts> {
    std::env::set_current_dir(ci::root())?;
    let mut total = Counts::default();
    let mut table = Vec::new();
    for sdk in SDKS.iter().filter(|sdk| arguments.sdk.is_empty() || arguments.sdk.iter().any(|only| only == *sdk)) {
        let outcome = steps::run(&format!("compatibility with SDK {sdk}"), &mut command(sdk, arguments.small)?);
        let Counts { passed, failed } = outcome.counts;
        table.push(format!("SDK {sdk}: {passed} of {} scenarios", passed + failed));
        table.extend(outcome.failures.iter().map(|failure| format!("  {failure}")));
        total.add(outcome.counts);
    }
    anyhow::ensure!(!table.is_empty(), "no such SDK; there are {}", SDKS.join(", "));
    println!("\n{}", table.join("\n"));
    Ok(total)
}

/// The command that runs the scenarios, or the small set of them, with one SDK.
pub fn command(sdk: &str, small: bool) -> anyhow::Result<Command> {
    let newest = SDKS.last().is_some_and(|newest| *newest == sdk);
    let name = if newest { "sdk".to_owned() } else { format!("sdk-{sdk}") };
    let python = ci::environment(&name).with_context(|| format!("no environment for SDK {sdk}"))?;
    let mut command = Command::new(python);
    command.args(["-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider"]);
    if small {
        command.args(SMALL.iter().map(|file| format!("tests/compat/{file}")));
    } else {
        command.arg("tests/compat");
    }
    Ok(command)
}
