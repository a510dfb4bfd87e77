//! `document`: what in `docs/` is made from this program: settings from their table, commands from the grammar, the
//! description of the interface from its tables.
//! Refuses to hold sentences about single commands: those are in the grammar.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};
use serde::Serialize;

use crate::arguments::Arguments as Grammar;
use crate::out::Out;
use crate::settings;

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(value_enum)]
    page: Page,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Page {
    Settings,
    Cli,
    Openapi,
}

pub fn run(arguments: &Arguments, out: &mut Out) -> anyhow::Result<()> {
    let page = match arguments.page {
        Page::Settings => settings::document::markdown(),
        Page::Cli => markdown(),
        Page::Openapi => openapi(),
    };
    Ok(out.line(page.trim_end())?)
}

/// Indented by one, so that a change of the interface is a diff that can be read.
fn openapi() -> String {
    let mut bytes = Vec::new();
    let indented = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, indented);
    let written = tidegate_api::document::document().serialize(&mut serializer);
    written.expect("JSON can be written");
    let mut text = String::from_utf8(bytes).expect("JSON is text");
    text.push('\n');
    text
}

const HEAD: &str = "# The command line

<!-- Written by `tidegate document cli`; a test compares. Change the grammar in `crates/cli/src/`. -->

`tidegate` is the server, the worker and the tool in one program. The commands are named as in Prefect 3, so that scripts
work when `prefect` becomes `tidegate`; the plural names (`flow-runs`, `work-pools`, …) and `gcl` mean the same commands.

- Data goes to stdout and everything else to stderr. `--output json` prints what the API answered, for programs;
  `--quiet` leaves only data and errors.
- Exit codes: 0 done; 1 the command was understood and failed, or the run that it waited for did not complete; 2 the
  arguments made no sense. Errors end with a `hint:` where the next step is known.
- Colours appear on a terminal only, and not with `NO_COLOR` or `--color never`. Questions before something is destroyed
  are asked on a terminal only; `--prompt` always asks and `--no-prompt` never does.
- Without an API URL, commands talk to the server that was started with `tidegate server start`, on whatever port it is.
- Settings, profiles and their order of precedence: [settings.md](settings.md).

```text
tidegate server start --background       # a server on http://127.0.0.1:4200, data under ~/.tidegate
tidegate work-pool create local          # where runs wait …
tidegate worker start --pool local       # … and who runs them
tidegate deployment run hello/daily --param name=Ada --watch
tidegate flow-run logs RUN --follow
```
";

fn markdown() -> String {
    let mut grammar = Grammar::command();
    grammar.build();
    let mut text = HEAD.to_owned();
    text.push_str("\n## Global options\n\n");
    for argument in grammar.get_arguments().filter(|argument| !argument.is_hide_set()) {
        option(argument, &mut text);
    }
    for command in grammar.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        let _ = write!(text, "\n## {}\n\n{}.\n", command.get_name(), about(command));
        section(command, &format!("tidegate {}", command.get_name()), &mut text);
    }
    text
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// A command's own arguments, then its subcommands.
fn section(command: &Command, path: &str, text: &mut String) {
    if !command.has_subcommands() {
        let _ = writeln!(text, "\n`{}`\n", usage(command, path));
        for argument in command.get_arguments().filter(|argument| is_own(argument)) {
            option(argument, text);
        }
        return;
    }
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        let path = format!("{path} {}", inner.get_name());
        if inner.has_subcommands() {
            section(inner, &path, text);
            continue;
        }
        let _ = write!(text, "\n### `{}`\n\n{}.\n", usage(inner, &path), about(inner));
        let own: Vec<&Arg> = inner.get_arguments().filter(|argument| is_own(argument)).collect();
        if own.iter().any(|argument| !argument.is_positional() || argument.get_help().is_some()) {
            text.push('\n');
        }
        for argument in own {
            option(argument, text);
        }
    }
}

fn is_own(argument: &Arg) -> bool {
    !argument.is_hide_set() && !argument.is_global_set() && !matches!(argument.get_id().as_str(), "help" | "version")
}

fn usage(command: &Command, path: &str) -> String {
    let mut usage = path.to_owned();
    for argument in command.get_positionals().filter(|argument| !argument.is_hide_set()) {
        let name = value_name(argument);
        let several = if argument.get_num_args().is_some_and(|range| range.max_values() > 1) { "…" } else { "" };
        let _ = if argument.is_required_set() {
            write!(usage, " {name}{several}")
        } else {
            write!(usage, " [{name}{several}]")
        };
    }
    usage
}

fn value_name(argument: &Arg) -> String {
    let given = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    given.unwrap_or_else(|| argument.get_id().as_str().to_uppercase())
}

fn option(argument: &Arg, text: &mut String) {
    let takes_value = argument.get_action().takes_values();
    let mut name = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) if argument.get_help().is_none() => return,
        (None, None) => String::new(),
    };
    if takes_value {
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(&value_name(argument));
    }
    let mut facts: Vec<String> = argument.get_help().map(ToString::to_string).into_iter().collect();
    let choices: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if takes_value && !choices.is_empty() {
        facts.push(choices.join(", "));
    }
    if let Some(default) = argument.get_default_values().first().filter(|_| takes_value) {
        facts.push(format!("default `{}`", default.to_string_lossy()));
    }
    if argument.is_required_set() && !argument.is_positional() {
        facts.push("required".to_owned());
    }
    let _ = writeln!(text, "- `{name}`{}{}", if facts.is_empty() { "" } else { ": " }, facts.join("; "));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert!(written == super::markdown(), "run `tidegate document cli > docs/cli.md`");
    }

    #[test]
    fn the_description_of_the_interface_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == super::openapi(), "run `tidegate document openapi > docs/openapi.json`");
    }
}
