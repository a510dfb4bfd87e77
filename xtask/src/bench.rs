//! The benchmark: the reference and Tidegate, each alone on this machine and on a database of its own, in turns. Prints
//! ratios and writes them down; never says that something failed for being slow.

mod automations;
mod http;
mod load;
mod measures;
mod products;
mod report;
mod scale;
mod sockets;
mod starts;
mod streams;
mod task_run_events;

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, anyhow, ensure};
use tokio::time::timeout;

use self::{
    load::Figure,
    measures::{Bench, Extent, Measure},
    products::{Product, Programs, Server},
    report::{Better, Line, Report},
    scale::Large,
};
use crate::ci::{environment, root, target_folder};

#[expect(clippy::disallowed_methods, reason = "what the programs under test are told must be the machine's time")]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// How long one figure may take.
const PATIENCE: Duration = Duration::from_mins(4);

#[derive(clap::Args)]
pub struct Arguments {
    /// How often each server takes its turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds under each load.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Connections that are open at once, one load after another.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    connections: Vec<usize>,
    /// Flow runs in the database when pages are read.
    #[arg(long, default_value_t = 100_000)]
    flow_runs: u64,
    /// Flow runs in the large database that all combinations of filters are tried on, once.
    #[arg(long, default_value_t = 1_000_000)]
    large_flow_runs: u64,
    /// Log lines that words are searched in, once.
    #[arg(long, default_value_t = 5_000_000)]
    log_lines: u64,
    /// Only measures whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Leave the reference out.
    #[arg(long)]
    alone: bool,
    /// A `tidegate` to measure, instead of the release build of this checkout.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the figures go as JSON [default: bench.json in cargo's target folder].
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    std::env::set_current_dir(root())?;
    let programs = programs(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(measure(arguments, &programs))?;
    println!("\n{}", report.table());
    let path = match &arguments.json {
        Some(path) => path.clone(),
        None => target_folder()?.join("bench.json"),
    };
    report.write(&path)?;
    println!("\nMedians of {} rounds on this machine; each figure is in {}.", arguments.rounds, path.display());
    Ok(())
}

fn programs(arguments: &Arguments) -> anyhow::Result<Programs> {
    let tidegate = match &arguments.binary {
        Some(binary) => binary.canonicalize().with_context(|| format!("no program at {}", binary.display()))?,
        None => {
            let status = Command::new(env!("CARGO")).args(["build", "--release", "--package", "tidegate"]).status()?;
            ensure!(status.success(), "the release build failed");
            target_folder()?.join("release/tidegate")
        }
    };
    let prefect = if arguments.alone { PathBuf::new() } else { environment("sdk")?.with_file_name("prefect") };
    Ok(Programs { tidegate, prefect })
}

async fn measure(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Report> {
    let extent = Extent { time: Duration::from_secs_f64(arguments.seconds), flow_runs: arguments.flow_runs };
    let mut report = Report::default();
    for round in 1..=arguments.rounds {
        for product in Product::ALL {
            if product == Product::Reference && arguments.alone {
                continue;
            }
            println!("\nround {round} of {}, {}", arguments.rounds, product.name());
            turn(arguments, programs, &extent, product, &mut report)
                .await
                .with_context(|| format!("in round {round}, measuring {}", product.name()))?;
        }
    }
    large(arguments, programs, &mut report).await.context("measuring large databases")?;
    Ok(report)
}

/// Tidegate with much in its database, measured once.
async fn large(arguments: &Arguments, programs: &Programs, report: &mut Report) -> anyhow::Result<()> {
    const FILTERS: &str = "every filter of the runs page";
    const SEARCH: &str = "search in log lines";
    let mut add = |name: String, goal, figure: Figure| {
        for (name, goal, value) in [
            (format!("{name}, median"), None, figure.median),
            (format!("{name}, 99 of 100 within"), Some(goal), figure.slowest),
        ] {
            report.add(Product::Tidegate, Line { name, unit: "ms", better: Better::Less }, goal, value);
        }
    };
    if arguments.wants(FILTERS) {
        println!("\na database of {} flow runs", arguments.large_flow_runs);
        let server = Server::start(Product::Tidegate, programs).await?;
        let large = Large::fill(&server, arguments.large_flow_runs).await?;
        add(FILTERS.to_owned(), 50.0, large.filters().await?);
    }
    if arguments.wants(SEARCH) {
        println!("\na database of {} log lines", arguments.log_lines);
        let server = Server::start(Product::Tidegate, programs).await?;
        scale::fill_logs(&server, arguments.log_lines).await?;
        add(SEARCH.to_owned(), 300.0, scale::searches(&server, arguments.log_lines).await?);
    }
    Ok(())
}

/// One product's turn in a round, on a fresh database.
async fn turn(
    arguments: &Arguments,
    programs: &Programs,
    extent: &Extent,
    product: Product,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut add = |name: String, unit, better, goal, value| {
        report.add(product, Line { name, unit, better }, goal, value);
    };
    let server = Server::start(product, programs).await?;
    add("cold start".to_owned(), "s", Better::Less, Some(0.3), server.cold_start.as_secs_f64());
    add("memory, fresh".to_owned(), "MB", Better::Less, Some(30.0), megabytes(&server).await?);

    let bench = Bench::prepare(&server, extent).await?;
    for measure in Measure::ALL.into_iter().filter(|measure| arguments.wants(measure.name())) {
        for &connections in &arguments.connections {
            let figure = bench.run(measure, connections).await.with_context(|| measure.name())?;
            let name = format!("{}, {connections} open", measure.name());
            let goal = (connections == 64).then(|| measure.goal());
            add(name.clone(), "/s", Better::More, goal, figure.rate);
            if figure.refused > 0 {
                println!("  {:<10} {name}: {} requests were refused (5xx or closed)", product.name(), figure.refused);
            }
            if figure.slowest.is_finite() {
                let goal = (measure == Measure::FilterPage && connections <= 8).then_some(20.0);
                add(format!("{name}, median"), "ms", Better::Less, None, figure.median);
                add(format!("{name}, 99 of 100 within"), "ms", Better::Less, goal, figure.slowest);
            }
        }
    }
    if arguments.wants("events out")
        && let Some(figures) = given(product, "events out", streams::run(&server, extent.time)).await?
    {
        add("events out, to all subscribers".to_owned(), "/s", Better::More, None, figures.rate);
        add("events out, last one behind".to_owned(), "s", Better::Less, Some(1.0), figures.behind);
        add("events out, lost".to_owned(), "", Better::Less, Some(0.0), figures.lost as f64);
    }
    if arguments.wants("automations")
        && let Some(figures) = given(product, "automations", automations::run(&server, extent.time)).await?
    {
        add("automations, event to firing".to_owned(), "s", Better::Less, Some(1.0), figures.slowest);
        add("automations, processors in use".to_owned(), "", Better::Less, Some(1.0), figures.cores);
    }
    add("memory, after load".to_owned(), "MB", Better::Less, Some(100.0), megabytes(&server).await?);
    if arguments.wants("due to process")
        && let Some(value) = given(product, "due to process", starts::due_to_process(&server, programs)).await?
    {
        add("due to process".to_owned(), "ms", Better::Less, Some(50.0), value);
    }
    if arguments.wants("--version") {
        let value = starts::version(product, programs, server.home.path())?;
        add("--version".to_owned(), "ms", Better::Less, Some(20.0), value);
    }
    Ok(())
}

/// A figure, which the reference may fail to give after what it went through: then that is told, and the others are measured.
async fn given<T>(
    product: Product,
    name: &str,
    measure: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    let measured = match timeout(PATIENCE, measure).await {
        Ok(measured) => measured,
        Err(_) => Err(anyhow!("no end within {} s", PATIENCE.as_secs())),
    };
    match measured.with_context(|| name.to_owned()) {
        Ok(figure) => Ok(Some(figure)),
        Err(error) if product == Product::Reference => {
            println!("  {:<10} {name}: none: {error:#}", product.name());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What a server takes when it has come to rest.
async fn megabytes(server: &Server) -> anyhow::Result<f64> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(server.running.memory()? as f64 / 1e6)
}
