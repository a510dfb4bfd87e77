//! What a copy made, or was about to make, of things that a name does not tell apart from what was there before: a file, so
//! that a second start knows which things at the target are its own.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;
use uuid::Uuid;

pub struct Ledger {
    path: PathBuf,
    known: HashSet<Uuid>,
}

impl Ledger {
    /// One file per source and target. Lines that cannot be read, such as one that was cut off, are left out.
    pub fn open(folder: &Path, source: &str, target: &str) -> anyhow::Result<Self> {
        let plain =
            |url: &str| url.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>();
        let path = folder.join(format!("{}--{}", plain(source), plain(target)));
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        let known = text.lines().filter_map(|line| line.parse().ok()).collect();
        Ok(Self { path, known })
    }

    /// Whether the thing with this id at the source is noted.
    pub fn has(&self, source: &Value) -> bool {
        id(source).is_some_and(|id| self.known.contains(&id))
    }

    /// Notes the thing with this id at the source.
    pub fn put(&mut self, source: &Value) -> anyhow::Result<()> {
        let Some(id) = id(source) else { return Ok(()) };
        self.known.insert(id);
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.path)
            .with_context(|| format!("cannot write `{}`", self.path.display()))?;
        writeln!(file, "{id}").with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}

fn id(value: &Value) -> Option<Uuid> {
    Uuid::parse_str(value.as_str()?).ok()
}
