//! Starting over: deletes a SQLite database, or makes a PostgreSQL one as empty as a new one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Error, Result, postgres::Address, sqlite::FileLock};

/// The connection's own schema, whatever its name is; other schemas of the database belong to others.
const EMPTY: &str = "DO $$ BEGIN EXECUTE format('DROP SCHEMA %I CASCADE; CREATE SCHEMA %I', current_schema(), current_schema()); END $$";

/// Deletes every table in the schema that the URL leads to.
pub async fn empty_postgres(url: &str) -> Result<()> {
    let (client, connection) = Address::of_url(url)?
        .connect()
        .await
        .map_err(|error| Error::Setup(format!("cannot connect to PostgreSQL: {}", Error::from(error))))?;
    let connection = tokio::spawn(connection);
    client.batch_execute(EMPTY).await?;
    drop(client);
    // The connection has done its work; how it closes changes nothing.
    let _ = connection.await;
    Ok(())
}

/// Deletes the files of a SQLite database, whatever state they are in; refused while a server uses them.
pub fn delete_sqlite(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let _lock = FileLock::take(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Setup(format!("cannot delete `{}`: {error}", file.display())));
            }
            _ => {}
        }
    }
    Ok(())
}
