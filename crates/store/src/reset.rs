//! Starting over: makes a PostgreSQL database as empty as a new one. A SQLite file is simply deleted by who owns it.

use tokio_postgres::NoTls;

use crate::{Error, Result};

/// The connection's own schema, whatever its name is; other schemas of the database belong to others.
const EMPTY: &str = "DO $$ BEGIN EXECUTE format('DROP SCHEMA %I CASCADE; CREATE SCHEMA %I', current_schema(), current_schema()); END $$";

/// Deletes every table in the schema that the URL leads to.
pub async fn empty_postgres(url: &str) -> Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .map_err(|error| Error::Setup(format!("cannot connect to PostgreSQL: {}", Error::from(error))))?;
    let connection = tokio::spawn(connection);
    client.batch_execute(EMPTY).await?;
    drop(client);
    // The connection has done its work; how it closes changes nothing.
    let _ = connection.await;
    Ok(())
}
