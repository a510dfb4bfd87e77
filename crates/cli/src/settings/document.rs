//! Writes `docs/settings.md` from the table. Refuses to hold any fact about a setting of its own.

use std::fmt::Write;

use super::table::{self, Fallback, Reader, Setting};

const HEAD: &str = "# Settings

<!-- Written by `tidegate document settings`; a test compares. Change the table in `crates/cli/src/settings/table/`. -->

Every setting has a dotted key. The same setting can be given in several places; the first one that names it wins:

1. the command line (`tidegate server start --port 4300`);
2. environment variables: `TIDEGATE_<KEY>`, then the reference's `PREFECT_<KEY>`, then its older aliases;
3. `.env` in the working directory;
4. `tidegate.toml`, then `prefect.toml`, then `[tool.tidegate]` and `[tool.prefect]` of `pyproject.toml`, in the working
   directory; keys are nested tables (`[server.api]` and `port = 4300`);
5. the active profile in `$TIDEGATE_HOME/profiles.toml`, then in `$PREFECT_HOME/profiles.toml`;
6. the default.

`tidegate config view --show-sources` shows what holds and why. An empty environment variable counts as absent.

Durations are seconds or one of `PT5M`, `00:05:00`, `1 day`, `5 minutes`. Lists are separated by commas. Flags are
`true`/`false`, `1`/`0`, `yes`/`no` or `on`/`off`.

An unknown `TIDEGATE_*` variable is warned about; an unknown `PREFECT_*` one is not, since the Python SDK has names of
its own.
";

pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for (title, settings) in table::GROUPS {
        let _ = write!(text, "\n## {title}\n\n");
        text.push_str(introduction(settings[0].reader));
        text.push_str("| key | type | default | names | meaning |\n| --- | --- | --- | --- | --- |\n");
        for setting in *settings {
            let _ = writeln!(text, "{}", row(setting));
        }
    }
    text
}

fn introduction(reader: Reader) -> &'static str {
    match reader {
        Reader::Client | Reader::Server | Reader::Worker => "",
        Reader::Sdk => {
            "Tidegate does not act on these. A worker hands those that are set to the flow runs it starts; the default \
             is the SDK's.\n\n"
        }
        Reader::Nobody => {
            "These tune parts of the reference that Tidegate does not have, or does in a fixed way. They are taken \
             without complaint and named in one debug line at start.\n\n"
        }
    }
}

fn row(setting: &Setting) -> String {
    let default = match setting.fallback {
        Fallback::Unset | Fallback::Is("") => "–".to_owned(),
        Fallback::Is(text) => format!("`{text}`"),
        Fallback::Derived(text) => text.to_owned(),
    };
    let names: Vec<String> = setting.names().iter().map(|name| format!("`{name}`")).collect();
    // The table's lines come from doc comments: one leading space each.
    let doc = setting.doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    format!("| `{}` | {} | {default} | {} | {doc} |", setting.key, setting.kind.describe(), names.join("<br>"))
}
