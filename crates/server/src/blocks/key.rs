//! The encryption key: from the settings, or from a file in the server's home that is made at the first start. A key that
//! does not fit the database stops the start; nothing is ever written over.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, anyhow, bail};
use tidegate_store::{RecordedKey, Secrets, Store, Tx};
use uuid::Uuid;

use crate::Settings;

const FILE: &str = "encryption.key";
const SETTING: &str = "TIDEGATE_SERVER_ENCRYPTION_KEY";

/// The key of this server, held against the one that the database's secrets were sealed with.
pub async fn open_secrets(store: &Store, settings: &Settings) -> anyhow::Result<Secrets> {
    let recorded = store.read(async move |tx: &mut Tx| tx.read_recorded_key().await).await?;
    let file = settings.home.join(FILE);
    let (secrets, source) = match &settings.encryption_key {
        Some(text) => (parse(text, SETTING)?, SETTING.to_owned()),
        None => (read_or_make(&file, recorded.as_ref())?, file.display().to_string()),
    };
    let kept = secrets.clone();
    let recorded = store.write("encryption key", async move |tx: &mut Tx| tx.record_key(&kept).await).await?;
    if recorded.key_id != secrets.key_id() {
        bail!(
            "the {} secrets (block documents, webhooks) of this database are encrypted with the key {}, but {source} holds the key {}; put \
             the right key into {} or set {SETTING}",
            recorded.secrets,
            recorded.key_id,
            secrets.key_id(),
            file.display(),
        );
    }
    Ok(secrets)
}

fn parse(text: &str, source: &str) -> anyhow::Result<Secrets> {
    Secrets::from_text(text)
        .map_err(|why| anyhow!("the encryption key in {source} cannot be used: {why}; it must be 32 bytes in base64"))
}

fn read_or_make(file: &Path, recorded: Option<&RecordedKey>) -> anyhow::Result<Secrets> {
    match fs::read_to_string(file) {
        Ok(text) => {
            warn_of_readers(file);
            parse(&text, &file.display().to_string())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(recorded) = recorded.filter(|recorded| recorded.secrets > 0) {
                bail!(
                    "the encryption key is missing: {} secrets (block documents, webhooks) of this database are encrypted with the key {}; \
                     restore {} or set {SETTING}",
                    recorded.secrets,
                    recorded.key_id,
                    file.display(),
                );
            }
            make(file).with_context(|| format!("cannot write a new encryption key to {}", file.display()))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read the encryption key {}", file.display())),
    }
}

/// Writes a new key, whole or not at all. If another server was faster, its key counts.
fn make(file: &Path) -> anyhow::Result<Secrets> {
    let home = file.parent().context("the key's file has no folder")?;
    fs::create_dir_all(home)?;
    let draft = home.join(format!("{FILE}.{}", Uuid::new_v4()));
    let text = Secrets::generate()?;
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.sync_all());
    // A link, unlike a rename, fails where there is a file.
    let linked = written.and_then(|()| fs::hard_link(&draft, file));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => File::open(home)?.sync_all()?,
    }
    parse(&fs::read_to_string(file)?, &file.display().to_string())
}

fn warn_of_readers(file: &Path) {
    let mode = fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!("others can read the encryption key {0}; run `chmod 600 {0}`", file.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(secrets: i64) -> RecordedKey {
        RecordedKey { key_id: "abc".into(), secrets }
    }

    #[test]
    fn the_first_start_makes_a_key_that_only_its_owner_reads() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("new").join(FILE);
        let made = read_or_make(&file, None).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(&file, Some(&recorded(3))).unwrap().key_id(), made.key_id());
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_key_is_never_replaced_while_documents_need_it() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(FILE);
        let error = read_or_make(&file, Some(&recorded(3))).unwrap_err().to_string();
        assert!(error.contains("abc") && error.contains(SETTING), "{error}");
        assert!(!file.exists());
        assert!(read_or_make(&file, Some(&recorded(0))).is_ok());
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(FILE);
        fs::write(&file, "oops").unwrap();
        let error = read_or_make(&file, None).unwrap_err().to_string();
        assert!(error.contains("32 bytes in base64"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "oops");
    }
}
