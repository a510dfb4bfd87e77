//! Brings a database's schema up to date: numbered SQL files, the same list for both databases, applied once and forward
//! only, under a lock.

use sha2::{Digest, Sha256};

use crate::{Dialect, Error, Result, Store, Tx, sql};

struct Migration {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal),* $(,)?) => {
        const MIGRATIONS: &[Migration] = &[$(Migration {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
        }),*];
    };
}

migrations! { 1 "0001_initial", 2 "0002_block_document_users", 3 "0003_event_link_key", 4 "0004_task_queue", 5 "0005_total_orders",
6 "0006_automations", 7 "0007_webhooks", 8 "0008_slot_waiters", 9 "0009_cleanup_messages",
10 "0010_log_blocks", 11 "0011_automation_revision" }

/// Arbitrary and fixed: servers that start together wait here for the one that migrates.
const LOCK: i64 = 0x7469_6465;

/// Applies what is missing; with `apply` off, only checks.
pub(crate) async fn run(store: &Store, apply: bool) -> Result<()> {
    store
        .write("migrations", async move |tx: &mut Tx| {
            if tx.dialect() == Dialect::Postgres {
                tx.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
            }
            tx.batch(
                "CREATE TABLE IF NOT EXISTS tidegate_migration \
                 (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)",
            )
            .await?;
            let applied = tx
                .all(&sql!("SELECT number, checksum FROM tidegate_migration ORDER BY number"), |row| {
                    Ok((row.next::<i64>()?, row.next::<String>()?))
                })
                .await?;
            check(&applied, tx.dialect())?;
            // By number, not by count: of branches that met, one may have brought its migration later.
            let is_missing = |migration: &&Migration| applied.iter().all(|(number, _)| *number != migration.number);
            for migration in MIGRATIONS.iter().filter(is_missing) {
                if !apply {
                    return Err(Error::Setup(format!(
                        "the database's schema is behind (migration {} is missing); run `tidegate server database upgrade`",
                        migration.name
                    )));
                }
                let text = migration.text(tx.dialect());
                tx.batch(text).await?;
                tx.execute(&sql!(
                    "INSERT INTO tidegate_migration (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    checksum(text),
                ))
                .await?;
            }
            if apply {
                tx.prepare_partitions().await?;
            }
            Ok(())
        })
        .await
}

impl Migration {
    fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

fn check(applied: &[(i64, String)], dialect: Dialect) -> Result<()> {
    let newest = MIGRATIONS.iter().map(|migration| migration.number).max().unwrap_or(0);
    for (number, sum) in applied {
        if *number > newest {
            return Err(Error::Setup(
                "the database was written by a newer Tidegate; upgrade this one, or restore a backup of the database"
                    .into(),
            ));
        }
        let known = MIGRATIONS.iter().find(|migration| migration.number == *number);
        if known.is_none_or(|migration| *sum != checksum(migration.text(dialect))) {
            let name = known.map_or_else(|| number.to_string(), |migration| migration.name.to_owned());
            return Err(Error::Setup(format!(
                "migration {name} in the database is not the one this Tidegate knows; the database belongs to another build"
            )));
        }
    }
    Ok(())
}

fn checksum(text: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
