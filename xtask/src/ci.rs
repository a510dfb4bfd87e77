//! What has to pass before a change lands. Runs every step, even after a failure, names what failed, and ends with the sum.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, bail};

use crate::{
    charts, matrix,
    steps::{self, Counts},
};

/// How many failures of one step are named again at the end.
const NAMED: usize = 50;

#[derive(clap::Args)]
pub struct Arguments {
    /// Only the steps whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

/// A PostgreSQL server that lives as long as this value.
struct Postgres {
    folder: PathBuf,
    url: String,
}

impl Postgres {
    fn start() -> anyhow::Result<Self> {
        let name = |number: u32| format!("tidegate-postgres-{}-{number}", std::process::id());
        // In containers ids of processes come again, and a run that was killed leaves its folder behind.
        let mut folders = (0..).map(|number| std::env::temp_dir().join(name(number)));
        let folder = folders.find(|folder| !folder.exists()).context("no name is free for the database's folder")?;
        let output = Command::new("scripts/postgres").arg("start").arg(&folder).output()?;
        if !output.status.success() {
            bail!("cannot start PostgreSQL for the tests:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(Self { folder, url: String::from_utf8(output.stdout)?.trim().to_owned() })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = Command::new("scripts/postgres").arg("stop").arg(&self.folder).output();
    }
}

/// The sum of all steps, and what failed in them.
#[derive(Default)]
struct Total {
    counts: Counts,
    failures: Vec<String>,
}

impl Total {
    fn step(&mut self, name: &str, command: &mut Command) {
        let outcome = steps::run(name, command);
        self.counts.add(outcome.counts);
        let more = outcome.failures.len().saturating_sub(NAMED);
        self.failures.extend(outcome.failures.iter().take(NAMED).map(|failure| format!("{name}: {failure}")));
        if more > 0 {
            self.failures.push(format!("{name}: … and {more} more"));
        }
    }
}

/// Runs the steps, and ends with a line `N passed, N failed`.
pub fn run(arguments: &Arguments) -> ExitCode {
    let mut total = Total::default();
    if let Err(error) = run_steps(arguments, &mut total) {
        total.counts.failed += 1;
        total.failures.push(format!("{error:#}"));
    }
    let Counts { passed, failed } = total.counts;
    if failed > 0 {
        println!("\nfailed:\n  {}", total.failures.join("\n  "));
        eprintln!("Error: {failed} checks failed");
    }
    println!("\n{passed} passed, {failed} failed");
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run_steps(arguments: &Arguments, total: &mut Total) -> anyhow::Result<()> {
    let root = root();
    std::env::set_current_dir(&root)?;
    let postgres = Postgres::start()?;
    let python = environment("sdk")?;
    let binary = target_folder()?.join("debug/tidegate");
    let wanted = |name: &str| arguments.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let mut step = |name: &str, command: &mut Command| {
        if wanted(name) {
            total.step(name, command.env("TIDEGATE_TEST_POSTGRES_URL", &postgres.url).env("TIDEGATE_BIN", &binary));
        }
    };
    let cargo = || Command::new(env!("CARGO"));
    step("format", cargo().args(["fmt", "--all", "--check"]));
    step("build", cargo().args(["build", "--workspace", "--bins"]));
    step("lints", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    step("rust tests", cargo().args(["test", "--workspace", "--no-fail-fast"]));
    let replay = ["tests/contract/run.py", "replay", "--lines", "4", "--binary"];
    step("contract", Command::new(&python).args(replay).arg(&binary));
    step("faults", Command::new(&python).args(["-m", "pytest", "tests/faults", "-q", "-p", "no:cacheprovider"]));
    step("fuzz", Command::new(environment("fuzz")?).args(["tests/fuzz/run.py", "--small", "--binary"]).arg(&binary));
    // The generation that people get; `make test-ui-upstream` opens the older one, too.
    let pages = ["tests/ui-upstream/run.js", "--only", "^v2", "--binary"];
    step("upstream's web UI", Command::new("node").args(pages).arg(&binary).arg("--python").arg(&python));
    if wanted("charts") {
        match charts::helm() {
            Ok(()) => {
                let pytest = ["-m", "pytest", "tests/charts", "-q", "-n", "2", "-p", "no:cacheprovider"];
                step("charts", Command::new(&python).args(pytest));
            }
            Err(reason) => println!("\n== charts: LEFT OUT, and not counted: {reason}"),
        }
    }
    if wanted("kubernetes") {
        match charts::cluster() {
            // The tests start the cluster, and end it again.
            Ok(()) => {
                let pytest = ["-m", "pytest", "tests/kubernetes", "-q", "-rs", "-m", "short", "-p", "no:cacheprovider"];
                step("kubernetes", Command::new(&python).args(pytest));
            }
            Err(reason) => println!("\n== kubernetes: LEFT OUT, and not counted: {reason}"),
        }
    }
    step("compatibility (SDK 3.0)", &mut matrix::command("3.0", true)?);
    for target in ["tidegate", "tidegate-postgres"] {
        let pytest = ["-m", "pytest", "tests/compat", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider"];
        step(&format!("compatibility ({target})"), Command::new(&python).args(pytest).args(["--target", target]));
    }
    Ok(())
}

/// The checkout.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The Python of a named environment, made if it is not there.
pub fn environment(name: &str) -> anyhow::Result<PathBuf> {
    let output = Command::new("scripts/python-env").arg(name).stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("cannot make the Python environment `{name}`");
    }
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// Where cargo puts what it builds.
pub fn target_folder() -> anyhow::Result<PathBuf> {
    let output =
        Command::new(env!("CARGO")).args(["metadata", "--format-version=1", "--no-deps", "--offline"]).output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata answered something else")?;
    Ok(PathBuf::from(metadata["target_directory"].as_str().context("no target directory in the metadata")?))
}
