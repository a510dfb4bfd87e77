//! The supervisor of one run's process as a program of its own, for tests; the `tidegate` binary has it built in.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    tidegate_worker::process::supervisor::main(env::args_os().skip(1))
}
