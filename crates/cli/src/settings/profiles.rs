//! A `profiles.toml`: named groups of settings and which one is active, in the reference's format. Edits keep comments
//! and order. Refuses to merge files: it is one file, and the caller knows which.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

#[derive(Clone, Debug)]
pub struct ProfilesFile {
    pub path: PathBuf,
    document: DocumentMut,
}

impl ProfilesFile {
    /// Reads the file; an absent one is empty.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read profiles file `{}`", path.display())),
        };
        let document = text.parse().with_context(|| format!("profiles file `{}` is not valid TOML", path.display()))?;
        Ok(Self { path: path.to_owned(), document })
    }

    pub fn active(&self) -> Option<&str> {
        self.document.get("active")?.as_str()
    }

    pub fn set_active(&mut self, name: &str) {
        put(self.document.as_table_mut(), "active", name);
    }

    pub fn clear_active(&mut self) {
        self.document.remove("active");
    }

    pub fn names(&self) -> Vec<String> {
        let profiles = self.document.get("profiles").and_then(Item::as_table_like);
        profiles.map(|table| table.iter().map(|(name, _)| name.to_owned()).collect()).unwrap_or_default()
    }

    pub fn has(&self, name: &str) -> bool {
        self.names().iter().any(|known| known == name)
    }

    /// The settings of a profile as name and text, in the file's order.
    pub fn settings(&self, name: &str) -> Vec<(String, String)> {
        let profile =
            self.document.get("profiles").and_then(|profiles| profiles.get(name)).and_then(Item::as_table_like);
        let Some(profile) = profile else { return Vec::new() };
        profile
            .iter()
            .filter_map(|(key, item)| Some((key.to_owned(), super::toml_file::text_of(item.as_value()?))))
            .collect()
    }

    pub fn create(&mut self, name: &str, settings: &[(String, String)]) -> anyhow::Result<()> {
        if self.has(name) {
            bail!("profile `{name}` exists already");
        }
        let mut table = Table::new();
        for (setting, text) in settings {
            table.insert(setting, value(text));
        }
        self.profiles()?.insert(name, Item::Table(table));
        Ok(())
    }

    pub fn remove(&mut self, name: &str) -> anyhow::Result<()> {
        if self.profiles()?.remove(name).is_none() {
            bail!("profile `{name}` does not exist");
        }
        Ok(())
    }

    pub fn rename(&mut self, name: &str, new_name: &str) -> anyhow::Result<()> {
        if self.has(new_name) {
            bail!("profile `{new_name}` exists already");
        }
        let profiles = self.profiles()?;
        let Some(profile) = profiles.remove(name) else { bail!("profile `{name}` does not exist") };
        profiles.insert(new_name, profile);
        if self.active() == Some(name) {
            self.set_active(new_name);
        }
        Ok(())
    }

    pub fn set(&mut self, profile: &str, setting: &str, text: &str) -> anyhow::Result<()> {
        if !self.has(profile) {
            self.create(profile, &[])?;
        }
        let path = self.path.clone();
        let Some(table) = self.profiles()?.get_mut(profile).and_then(Item::as_table_like_mut) else {
            bail!("profile `{profile}` in `{}` is not a table", path.display());
        };
        put(table, setting, text);
        Ok(())
    }

    /// Removes a setting from a profile; says whether it was there.
    pub fn unset(&mut self, profile: &str, setting: &str) -> anyhow::Result<bool> {
        let profile = self.profiles()?.get_mut(profile).and_then(Item::as_table_like_mut);
        Ok(profile.is_some_and(|table| table.remove(setting).is_some()))
    }

    /// Writes the file in one step, so that a reader never sees half of it; only its owner may read it, for it may
    /// hold keys.
    pub fn write(&self) -> anyhow::Result<()> {
        crate::files::write_private(&self.path, self.document.to_string().as_bytes())
            .with_context(|| format!("cannot write profiles file `{}`", self.path.display()))
    }

    fn profiles(&mut self) -> anyhow::Result<&mut dyn TableLike> {
        let path = self.path.clone();
        let item = self.document.entry("profiles").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        item.as_table_like_mut().with_context(|| format!("`profiles` in `{}` is not a table", path.display()))
    }
}

/// Sets a value in place: replacing the key as well would lose the comments above it.
fn put(table: &mut dyn TableLike, key: &str, text: &str) {
    match table.get_mut(key) {
        Some(item) => *item = value(text),
        None => {
            table.insert(key, value(text));
        }
    }
}
