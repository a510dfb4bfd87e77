//! `config`: shows the settings in force and where they come from; changes them in the active profile.

use comfy_table::Cell;
use serde::Serialize;

use crate::failure::Failure;
use crate::out::Out;
use crate::settings::database::hide_password;
use crate::settings::profiles::ProfilesFile;
use crate::settings::sources::Source;
use crate::settings::table::{self, Setting};
use crate::settings::{Settings, value};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show settings
    View {
        /// Those too that are at their default
        #[arg(long, overrides_with = "hide_defaults")]
        show_defaults: bool,
        #[arg(long, hide = true)]
        hide_defaults: bool,
        /// Where each value comes from (this is the default)
        #[arg(long, overrides_with = "hide_sources")]
        show_sources: bool,
        /// Not where each value comes from
        #[arg(long)]
        hide_sources: bool,
        /// Secrets in clear
        #[arg(long, overrides_with = "hide_secrets")]
        show_secrets: bool,
        #[arg(long, hide = true)]
        hide_secrets: bool,
    },
    /// Change settings in the active profile
    Set {
        /// NAME=VALUE; a name is `TIDEGATE_…`, `PREFECT_…` or a dotted key
        #[arg(required = true, value_name = "NAME=VALUE")]
        settings: Vec<String>,
    },
    /// Remove settings from the active profile
    Unset {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Do not ask
        #[arg(short = 'y', long)]
        yes: bool,
    },
    /// Check all settings
    Validate,
}

pub fn run(command: Command, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::View { show_defaults, hide_sources, show_secrets, .. } => {
            view(settings, show_defaults, !hide_sources, show_secrets, out)
        }
        Command::Set { settings: changes } => set(settings, &changes, out),
        Command::Unset { names, yes } => unset(settings, &names, yes, out),
        Command::Validate => validate(settings, out),
    }
}

#[derive(Serialize)]
struct Shown {
    key: &'static str,
    name: String,
    value: Option<String>,
    source: String,
}

fn view(settings: &Settings, defaults: bool, sources: bool, secrets: bool, out: &mut Out) -> anyhow::Result<()> {
    let shown: Vec<Shown> = table::all()
        .filter(|setting| settings.is_set(setting) || (defaults && setting.reader.is_ours()))
        .map(|setting| Shown {
            key: setting.key,
            name: setting.tidegate_name(),
            value: settings.text(setting).map(|text| if secrets { text.to_owned() } else { veiled(setting, text) }),
            source: settings.source(setting).to_string(),
        })
        .collect();
    if !out.is_json() {
        out.note(format!("Profile: {}", settings.profile))?;
        if shown.is_empty() {
            out.note("Every setting is at its default; `--show-defaults` shows them.")?;
            return Ok(());
        }
    }
    let columns = if sources { &["Setting", "Value", "Source"][..] } else { &["Setting", "Value"][..] };
    Ok(out.items(&shown, "settings", columns, |one, _| {
        let mut row = vec![Cell::new(one.key), Cell::new(one.value.as_deref().unwrap_or("–"))];
        if sources {
            row.push(Cell::new(&one.source));
        }
        row
    })?)
}

/// A secret as it may be shown: a database's address without its password, nothing of the others.
fn veiled(setting: &Setting, text: &str) -> String {
    match setting.is_secret() {
        true if setting.key.ends_with("connection_url") => hide_password(text),
        true => "********".to_owned(),
        false => text.to_owned(),
    }
}

/// The file that holds the active profile; ours, if none does yet.
fn file_of_profile(settings: &Settings) -> anyhow::Result<ProfilesFile> {
    let [ours, theirs] = settings.profiles_files()?;
    Ok(if !ours.has(&settings.profile) && theirs.has(&settings.profile) { theirs } else { ours })
}

fn require(name: &str) -> Result<&'static Setting, Failure> {
    table::find(name).ok_or_else(|| {
        let similar = similar(name);
        let failure = Failure::usage(format!("`{name}` is no setting"));
        match similar {
            Some(similar) => failure.hint(format!("did you mean `{similar}`?")),
            None => failure.hint("`tidegate config view --show-defaults` shows what there is"),
        }
    })
}

/// The name that is fewest typing errors away, in the spelling that was used.
fn similar(name: &str) -> Option<String> {
    let typed = if name.contains('.') { name.to_lowercase() } else { name.to_uppercase() };
    let names = table::all().flat_map(|setting| setting.names().into_iter().chain([setting.key.to_owned()]));
    let nearest = names.map(|known| (distance(&typed, &known), known)).min()?;
    (nearest.0 <= 3).then_some(nearest.1)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The name that a setting has in a profiles file: the reference must be able to read its own.
fn name_in(file: &ProfilesFile, settings: &Settings, setting: &Setting) -> anyhow::Result<String> {
    let [ours, _] = settings.profiles_files()?;
    if file.path == ours.path {
        return Ok(setting.tidegate_name());
    }
    setting.prefect_name().ok_or_else(|| {
        let failure = Failure::new(format!(
            "`{}` is no setting of the reference, whose profile `{}` is active",
            setting.key, settings.profile
        ));
        failure.hint("`tidegate profile create NAME --from …` makes a profile of Tidegate's own").into()
    })
}

fn set(settings: &Settings, changes: &[String], out: &mut Out) -> anyhow::Result<()> {
    let mut parsed = Vec::new();
    for change in changes {
        let Some((name, text)) = change.split_once('=') else {
            return Err(Failure::usage(format!("`{change}` is not of the form NAME=VALUE")).into());
        };
        let setting = require(name.trim())?;
        value::check(setting.kind, text)
            .map_err(|error| Failure::usage(format!("setting `{}`: {error}", setting.key)))?;
        if matches!(setting.key, "home" | "profiles_path" | "prefect_home" | "prefect_profiles_path" | "profile") {
            let failure = Failure::usage(format!("`{}` says where profiles are: it cannot be in one", setting.key));
            return Err(failure.hint(format!("set {} in the environment", setting.tidegate_name())).into());
        }
        parsed.push((setting, text));
    }
    for (setting, text) in parsed {
        let file = set_one(settings, setting, text)?;
        out.note(format!("{} = {} in profile `{}` ({file})", setting.key, veiled(setting, text), settings.profile))?;
        if let Source::Environment(name) = settings.source(setting) {
            out.warn(format!("`{name}` in the environment still wins"))?;
        }
    }
    Ok(())
}

/// Sets one setting in the active profile; says in which file.
pub fn set_one(settings: &Settings, setting: &Setting, text: &str) -> anyhow::Result<String> {
    let mut file = file_of_profile(settings)?;
    let name = name_in(&file, settings, setting)?;
    // Any other spelling that the profile has would compete with this one.
    for other in setting.names().iter().filter(|other| **other != name) {
        file.unset(&settings.profile, other)?;
    }
    file.set(&settings.profile, &name, text)?;
    file.write()?;
    Ok(settings.profiles_path_of(&file.path))
}

fn unset(settings: &Settings, names: &[String], yes: bool, out: &mut Out) -> anyhow::Result<()> {
    let unset: Vec<&Setting> = names.iter().map(|name| require(name)).collect::<Result<_, _>>()?;
    let mut file = file_of_profile(settings)?;
    if !yes && !out.confirm(&format!("Remove {} from profile `{}`?", names.join(", "), settings.profile))? {
        return Ok(());
    }
    for setting in unset {
        let mut was_set = false;
        for name in setting.names() {
            was_set |= file.unset(&settings.profile, &name)?;
        }
        if !was_set {
            return Err(Failure::new(format!("`{}` is not set in profile `{}`", setting.key, settings.profile)).into());
        }
        out.note(format!("{} is no longer set in profile `{}`.", setting.key, settings.profile))?;
    }
    file.write()
}

fn validate(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    for unknown in settings.unknown.iter().filter(|unknown| !matches!(unknown.source, Source::Environment(_))) {
        out.warn(format!("`{}` ({}) is no setting", unknown.name, unknown.source))?;
    }
    for name in settings.without_effect() {
        out.note(format!("{name} is accepted; Tidegate itself does not act on it."))?;
    }
    let mut problems: Vec<&str> = settings.problems.iter().map(|problem| problem.text.as_str()).collect();
    let database = crate::settings::database::Database::of_settings(settings).map_err(|error| error.to_string());
    problems.extend(database.as_ref().err().map(String::as_str));
    if problems.is_empty() {
        out.note(format!("The settings of profile `{}` are fine.", settings.profile))?;
        return Ok(());
    }
    Err(Failure::new(problems.join("\nerror: ")).into())
}
