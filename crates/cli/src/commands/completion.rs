//! `completion`: a script that teaches a shell the commands and options.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments as Grammar;
use crate::out::Out;

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(arguments: &Arguments, out: &mut Out) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Grammar::command(), "tidegate", &mut script);
    out.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}
