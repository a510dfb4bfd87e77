//! What was copied to where, of things that a name does not tell apart from what was there before: a file, so that a second
//! start makes no second copy.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;
use uuid::Uuid;

pub struct Ledger {
    path: PathBuf,
    known: HashMap<Uuid, Uuid>,
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
        let pair = |line: &str| {
            let (source, target) = line.split_once(' ')?;
            Some((source.parse().ok()?, target.parse().ok()?))
        };
        Ok(Self { path, known: text.lines().filter_map(pair).collect() })
    }

    pub fn of(&self, source: &Value) -> Option<Uuid> {
        self.known.get(&Uuid::parse_str(source.as_str()?).ok()?).copied()
    }

    pub fn put(&mut self, source: Uuid, target: Uuid) -> anyhow::Result<()> {
        self.known.insert(source, target);
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.path)
            .with_context(|| format!("cannot write `{}`", self.path.display()))?;
        writeln!(file, "{source} {target}").with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}
