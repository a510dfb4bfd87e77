//! `block register`: tells the server of the block types that a Python module or file defines. The SDK, in a Python of the
//! user's, knows how they are described.

use std::path::{Path, PathBuf};

use comfy_table::Cell;
use serde::{Deserialize, Serialize};
use tidegate_client::Client;

use crate::failure::Failure;
use crate::out::Out;
use crate::python::Python;
use crate::settings::Settings;

#[derive(clap::Args)]
#[group(id = "place", required = true, multiple = false)]
pub struct Arguments {
    /// A Python module, such as `prefect_aws.credentials`
    #[arg(short, long, group = "place")]
    module: Option<String>,
    /// A Python file
    #[arg(short, long, group = "place")]
    file: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Interpreter {
    /// The interpreter; else the active environment's
    #[arg(long)]
    python: Option<PathBuf>,
}

/// What was registered, as the script prints it.
#[derive(Serialize, Deserialize)]
struct Registered {
    slug: String,
    name: String,
}

/// Its arguments: what the name is, the name. Only the last line is ours: importing may print.
const REGISTER: &str = r#"
import importlib, json, sys
from prefect.blocks.core import Block

kind, name = sys.argv[1:]
if kind == "file":
    from prefect.utilities.importtools import load_script_as_module
    module = load_script_as_module(name)
else:
    module = importlib.import_module(name)
registered = {}
for found in vars(module).values():
    if Block.is_block_class(found) and found is not Block:
        found.register_type_and_schema()
        registered[found.get_block_type_slug()] = found.get_block_type_name()
print()
print(json.dumps([{"slug": slug, "name": name} for slug, name in registered.items()]))
"#;

pub fn run(
    arguments: &Arguments,
    interpreter: &Interpreter,
    client: &Client,
    settings: &Settings,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (kind, name) = match (&arguments.module, &arguments.file) {
        (_, Some(file)) => ("file", of_file(file)?),
        (module, None) => ("module", module.clone().unwrap_or_default()),
    };
    let printed = Python::new(interpreter.python.as_deref(), client, settings).run(REGISTER, &[kind, &name])?;
    let last = printed.lines().next_back().unwrap_or_default();
    let registered: Vec<Registered> = serde_json::from_str(last)
        .map_err(|_| Failure::new(format!("Python did not say what it registered, but `{last}`")))?;
    if registered.is_empty() {
        let failure = Failure::new(format!("there are no block types in `{name}`"));
        return Err(failure.hint("a block type is a subclass of `prefect.blocks.core.Block`").into());
    }
    Ok(out.items(&registered, "block types", &["Slug", "Name"], |kind, _| {
        vec![Cell::new(&kind.slug), Cell::new(&kind.name)]
    })?)
}

fn of_file(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    if file.extension().is_none_or(|ending| ending != "py") {
        return Err(Failure::usage(format!("`{shown}` is no Python file")).into());
    }
    if !file.is_file() {
        return Err(Failure::new(format!("there is no file `{shown}`")).into());
    }
    Ok(shown.to_string())
}
