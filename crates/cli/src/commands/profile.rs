//! `profile`: named groups of settings, in Tidegate's file and in the reference's.

use comfy_table::Cell;
use serde::Serialize;

use crate::failure::{self, Failure};
use crate::out::Out;
use crate::settings::profiles::ProfilesFile;
use crate::settings::table;
use crate::settings::{DEFAULT_PROFILE, Settings};

#[derive(clap::Subcommand)]
pub enum Command {
    /// List profiles
    Ls,
    /// Make a profile the active one
    Use { name: String },
    /// Create a profile
    Create {
        name: String,
        /// Start with the settings of this profile
        #[arg(long)]
        from: Option<String>,
    },
    /// Delete a profile
    Delete { name: String },
    /// Give a profile another name
    Rename { name: String, new_name: String },
    /// Show the settings of a profile
    Inspect {
        /// The active one when absent
        name: Option<String>,
    },
    /// Add the profiles that Tidegate suggests
    PopulateDefaults,
}

/// What `populate-defaults` adds.
const SUGGESTED: [(&str, &[(&str, &str)]); 2] =
    [(DEFAULT_PROFILE, &[]), ("local", &[("TIDEGATE_API_URL", "http://127.0.0.1:4200/api")])];

pub fn run(command: Command, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let [ours, theirs] = settings.profiles_files()?;
    let mut files = Files { ours, theirs };
    match command {
        Command::Ls => list(&files, settings, out),
        Command::Use { name } => {
            files.require(&name)?;
            files.ours.set_active(&name);
            files.ours.write()?;
            out.note(format!("Profile `{name}` is active."))?;
            if let Some(other) = settings.text(&table::client::PROFILE).filter(|other| *other != name) {
                out.warn(format!("the environment or command line still chooses `{other}`"))?;
            }
            Ok(())
        }
        Command::Create { name, from } => create(&mut files, &name, from.as_deref(), out),
        Command::Delete { name } => delete(&mut files, &name, settings, out),
        Command::Rename { name, new_name } => {
            if files.has(&new_name) {
                return Err(Failure::new(format!("profile `{new_name}` exists already")).into());
            }
            let file = files.require(&name)?;
            file.rename(&name, &new_name)?;
            file.write()?;
            if files.ours.active() == Some(&name) {
                files.ours.set_active(&new_name);
                files.ours.write()?;
            }
            out.note(format!("Profile `{name}` is now `{new_name}`."))?;
            Ok(())
        }
        Command::Inspect { name } => inspect(&files, name.as_deref().unwrap_or(&settings.profile), out),
        Command::PopulateDefaults => {
            for (name, values) in SUGGESTED {
                if files.has(name) {
                    out.note(format!("Profile `{name}` stays as it is."))?;
                    continue;
                }
                let values: Vec<_> =
                    values.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
                files.ours.create(name, &values)?;
                out.note(format!("Profile `{name}` is added."))?;
            }
            files.ours.write()
        }
    }
}

struct Files {
    ours: ProfilesFile,
    theirs: ProfilesFile,
}

impl Files {
    fn has(&self, name: &str) -> bool {
        self.ours.has(name) || self.theirs.has(name)
    }

    /// The file that has a profile, ours first.
    fn require(&mut self, name: &str) -> anyhow::Result<&mut ProfilesFile> {
        if self.ours.has(name) {
            Ok(&mut self.ours)
        } else if self.theirs.has(name) {
            Ok(&mut self.theirs)
        } else {
            Err(failure::not_found("profile", name, "profile ls").into())
        }
    }

    /// A profile's settings as its two files have them together.
    fn settings(&self, name: &str) -> Vec<(String, String)> {
        let mut settings = self.ours.settings(name);
        for (key, text) in self.theirs.settings(name) {
            if !settings.iter().any(|(known, _)| *known == key) {
                settings.push((key, text));
            }
        }
        settings
    }
}

#[derive(Serialize)]
struct Listed {
    name: String,
    active: bool,
    path: String,
}

fn list(files: &Files, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let mut listed: Vec<Listed> = Vec::new();
    for file in [&files.ours, &files.theirs] {
        for name in file.names() {
            let active = name == settings.profile && !listed.iter().any(|other| other.name == name);
            listed.push(Listed { active, name, path: settings.profiles_path_of(&file.path) });
        }
    }
    if !files.has(&settings.profile) {
        let path = settings.profiles_path_of(&files.ours.path);
        listed.insert(0, Listed { name: settings.profile.clone(), active: true, path });
    }
    Ok(out.items(&listed, "profiles", &["", "Name", "File"], |profile, _| {
        vec![Cell::new(if profile.active { "*" } else { "" }), Cell::new(&profile.name), Cell::new(&profile.path)]
    })?)
}

fn create(files: &mut Files, name: &str, from: Option<&str>, out: &mut Out) -> anyhow::Result<()> {
    if name.is_empty() || name.contains(['/', '.', ' ']) {
        return Err(Failure::usage(format!("`{name}` cannot be a profile's name")).into());
    }
    if files.has(name) {
        return Err(Failure::new(format!("profile `{name}` exists already")).into());
    }
    let settings = match from {
        Some(from) => {
            files.require(from)?;
            files.settings(from)
        }
        None => Vec::new(),
    };
    files.ours.create(name, &settings)?;
    files.ours.write()?;
    out.note(format!("Profile `{name}` is created; `tidegate profile use {name}` makes it the active one."))?;
    Ok(())
}

fn delete(files: &mut Files, name: &str, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    if name == settings.profile && files.has(name) {
        let failure = Failure::new(format!("profile `{name}` is active"));
        return Err(failure.hint("`tidegate profile use …` makes another one active").into());
    }
    let file = files.require(name)?;
    if out.confirm(&format!("Delete profile `{name}`?"))? {
        file.remove(name)?;
        file.write()?;
        out.note(format!("Profile `{name}` is deleted."))?;
    }
    Ok(())
}

fn inspect(files: &Files, name: &str, out: &mut Out) -> anyhow::Result<()> {
    if !files.has(name) && name != DEFAULT_PROFILE {
        return Err(failure::not_found("profile", name, "profile ls").into());
    }
    let settings = files.settings(name);
    if out.is_json() {
        let object: serde_json::Map<_, _> = settings
            .into_iter()
            .map(|(name, text)| (veil(&name, text.clone()), name))
            .map(|(text, name)| (name, text.into()))
            .collect();
        return Ok(out.json(&object)?);
    }
    if settings.is_empty() {
        return Ok(out.note(format!("Profile `{name}` has no settings."))?);
    }
    for (setting, text) in settings {
        let text = veil(&setting, text);
        out.line(format!("{setting}={text}"))?;
    }
    Ok(())
}

fn veil(name: &str, text: String) -> String {
    if table::find(name).is_some_and(table::Setting::is_secret) { "********".to_owned() } else { text }
}
