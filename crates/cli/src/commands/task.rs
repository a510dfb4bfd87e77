//! `task`: serves background tasks in a Python of the user's. The Python SDK does the work.

use std::path::PathBuf;

use tidegate_client::Client;

use crate::failure::Failure;
use crate::python::Python;
use crate::settings::Settings;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Run background tasks of these files or modules as they are submitted
    Serve {
        /// `path/to/file.py:task`; may be several
        entrypoints: Vec<String>,
        /// Serve all tasks of a module; may be repeated
        #[arg(short, long = "module", value_name = "MODULE", conflicts_with = "entrypoints")]
        modules: Vec<String>,
        /// How many tasks may run at once
        #[arg(long, default_value_t = 10)]
        limit: u32,
        /// The interpreter; else the active environment's
        #[arg(long)]
        python: Option<PathBuf>,
    },
}

/// Its arguments: how many at once, what the names are, the names.
const SERVE: &str = r#"
import importlib, sys
from prefect import Task
from prefect.task_worker import serve
from prefect.utilities.importtools import import_object

limit, kind, names = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
tasks = []
for name in names:
    if kind == "file":
        tasks.append(import_object(name))
    else:
        tasks += [found for found in vars(importlib.import_module(name)).values() if isinstance(found, Task)]
tasks = [task for task in tasks if isinstance(task, Task)]
if not tasks:
    sys.exit("error: there are no tasks in " + ", ".join(names))
serve(*tasks, limit=limit)
"#;

pub fn run(command: &Command, client: &Client, settings: &Settings) -> anyhow::Result<()> {
    let Command::Serve { entrypoints, modules, limit, python } = command;
    let (kind, names) = match (entrypoints.as_slice(), modules.as_slice()) {
        ([], []) => {
            let failure = Failure::usage("which tasks?");
            return Err(failure.hint("give `path/to/file.py:task`, or `--module my_package.tasks`").into());
        }
        ([], modules) => ("module", modules),
        (entrypoints, _) => ("file", entrypoints),
    };
    if let Some(wrong) = names.iter().find(|name| kind == "file" && !name.contains(".py:")) {
        return Err(Failure::usage(format!("`{wrong}` is not of the form path/to/file.py:task")).into());
    }
    let limit = limit.to_string();
    let mut arguments = vec![limit.as_str(), kind];
    arguments.extend(names.iter().map(String::as_str));
    Err(Python::new(python.as_deref(), client, settings).become_script(SERVE, &arguments))
}
