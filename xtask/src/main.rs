//! Tasks of the repository: what CI runs, and the benchmark. `cargo xtask --help` lists them.

mod bench;
mod charts;
mod ci;
mod invariants;
mod layers;
mod matrix;
mod steps;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Tasks of the Tidegate repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that has to pass: format, lints, tests of all layers, contract and compatibility.
    Ci(ci::Arguments),
    /// Measure Tidegate side by side with the reference.
    Bench(bench::Arguments),
    /// The compatibility scenarios with the SDKs of all minor versions.
    CompatMatrix(matrix::Arguments),
    /// Check that the tests that the architecture page names exist.
    Invariants,
    /// Check that dependencies between crates point one way.
    Layers,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Ci(arguments) => return ci::run(&arguments),
        Task::CompatMatrix(arguments) => return matrix::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Invariants => invariants::check(),
        Task::Layers => layers::check(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not the error's own Debug, which brings a backtrace where RUST_BACKTRACE is set.
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
