//! The schema: the same on both databases, brought up to date once, and never taken over from a newer Tidegate.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_store::{Dialect, Options, Row, Store, Tx, sql};

use crate::databases::{self, Database, options};

type Schema = BTreeMap<String, BTreeSet<String>>;

/// The tables and views with their columns, less the weeks that tables are cut into.
async fn schema(database: &Database) -> Schema {
    let sql = match database.store.dialect() {
        Dialect::Sqlite => sql!(
            "SELECT object.name, info.name FROM sqlite_master AS object JOIN pragma_table_info(object.name) AS info \
             WHERE object.type IN ('table', 'view') AND object.name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        ),
        Dialect::Postgres => sql!(
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'"
        ),
    };
    let pair = |row: &mut Row<'_>| Ok((row.next::<String>()?, row.next::<String>()?));
    let mut tables = Schema::new();
    for (table, column) in database.write(async move |tx: &mut Tx| tx.all(&sql, pair).await).await {
        let week = table.rsplit_once("_w").is_some_and(|(_, week)| week.chars().all(|c| c.is_ascii_digit()));
        if !week {
            tables.entry(table).or_default().insert(column);
        }
    }
    tables
}

/// What only PostgreSQL needs: the transaction that wrote a row of the outbox says when it became visible.
const POSTGRES_ONLY: [(&str, &str); 1] = [("event_outbox", "xid")];

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let on_sqlite = schema(&databases::sqlite().await).await;
    let mut on_postgres = schema(&databases::postgres().await).await;
    for (table, column) in POSTGRES_ONLY {
        assert!(on_postgres.get_mut(table).unwrap().remove(column), "{table}.{column} is not there any more");
    }
    assert!(on_sqlite.len() > 30 && on_sqlite.contains_key("log_rest"), "{:?}", on_sqlite.keys());
    assert_eq!(on_sqlite, on_postgres);
}

async fn applied(database: &Database) -> Vec<(i64, String, String)> {
    let sql = sql!("SELECT number, name, checksum FROM tidegate_migration ORDER BY number");
    let read = |row: &mut Row<'_>| Ok((row.next()?, row.next()?, row.next()?));
    database.write(async move |tx: &mut Tx| tx.all(&sql, read).await).await
}

/// Opens the same database again; SQLite allows it once the first handle is gone.
async fn reopened(database: Database, migrate: bool) -> Result<Database, String> {
    let Database { store, clock, fresh } = database;
    let is_sqlite = store.dialect() == Dialect::Sqlite;
    drop(store);
    let open = async || Store::open(Options { migrate, ..options(&fresh.url, &clock) }).await;
    let opened = tidegate_testkit::eventually("the database's release", async || match open().await {
        Err(error) if is_sqlite && error.to_string().contains("in use by another") => None,
        other => Some(other),
    })
    .await;
    opened.map(|store| Database { store, clock: clock.clone(), fresh }).map_err(|error| error.to_string())
}

async fn a_second_time_changes_nothing(database: Database) {
    let before = (schema(&database).await, applied(&database).await);
    assert_eq!(before.1[0].1, "0001_initial");
    // With leave to change the schema and without.
    let database = reopened(database, true).await.unwrap();
    assert_eq!((schema(&database).await, applied(&database).await), before);
    let database = reopened(database, false).await.unwrap();
    assert_eq!((schema(&database).await, applied(&database).await), before);
}

async fn a_database_of_a_newer_tidegate_is_refused(database: Database) {
    let newer =
        sql!("INSERT INTO tidegate_migration (number, name, checksum) VALUES ($1, $2, $3)", 9_999_i64, "later", "x");
    database.write(async move |tx: &mut Tx| tx.execute(&newer).await).await;
    let refusal = reopened(database, true).await.err().unwrap();
    assert!(refusal.contains("written by a newer Tidegate; upgrade this one"), "{refusal}");
}

async fn a_migration_that_differs_is_refused(database: Database) {
    let other = sql!("UPDATE tidegate_migration SET checksum = $1 WHERE number = $2", "other", 1_i64);
    database.write(async move |tx: &mut Tx| tx.execute(&other).await).await;
    let refusal = reopened(database, true).await.err().unwrap();
    assert!(refusal.contains("0001_initial") && refusal.contains("another build"), "{refusal}");
}

async fn a_schema_that_is_behind_is_not_touched_without_leave(database: Database) {
    let forget = sql!("DELETE FROM tidegate_migration");
    database.write(async move |tx: &mut Tx| tx.execute(&forget).await).await;
    let refusal = reopened(database, false).await.err().unwrap();
    assert!(refusal.contains("tidegate server database upgrade"), "{refusal}");
}

/// As after a branch without it was used on a database.
async fn a_migration_that_was_passed_over_is_made_up_for(database: Database) {
    let before = (schema(&database).await, applied(&database).await);
    database
        .write(async move |tx: &mut Tx| {
            tx.batch("DROP INDEX deployment_concurrency_limit").await?;
            tx.execute(&sql!("DELETE FROM tidegate_migration WHERE name = $1", "0008_slot_waiters")).await
        })
        .await;
    let database = reopened(database, true).await.unwrap();
    assert_eq!((schema(&database).await, applied(&database).await), before);
    // It is there again: without it, this fails.
    database.write(async move |tx: &mut Tx| tx.batch("DROP INDEX deployment_concurrency_limit").await).await;
}

/// A file as the release before migration 3 left it.
#[tokio::test]
async fn links_of_events_are_kept_when_their_table_changes() {
    let model = databases::sqlite().await;
    let fresh = tidegate_testkit::sqlite().await;
    let path = fresh.url.strip_prefix("sqlite:///").unwrap().to_owned();
    let old = rusqlite::Connection::open(path).unwrap();
    old.execute_batch(include_str!("../../migrations/sqlite/0001_initial.sql")).unwrap();
    old.execute_batch(include_str!("../../migrations/sqlite/0002_block_document_users.sql")).unwrap();
    old.execute_batch("CREATE TABLE tidegate_migration (number BIGINT PRIMARY KEY, name TEXT, checksum TEXT)").unwrap();
    for (number, name, checksum) in applied(&model).await.into_iter().take(2) {
        old.execute("INSERT INTO tidegate_migration VALUES (?, ?, ?)", (number, name, checksum)).unwrap();
    }
    old.execute("INSERT INTO event_link_rest VALUES (7, 8, x'09')", ()).unwrap();
    drop(old);

    let store = Store::open(options(&fresh.url, &model.clock)).await.unwrap();
    let links = sql!("SELECT resource, occurred, event_id FROM event_link");
    let read = |row: &mut Row<'_>| Ok((row.next::<i64>()?, row.next::<i64>()?, row.next::<Vec<u8>>()?));
    let found = store.write("test", async move |tx: &mut Tx| tx.all(&links, read).await).await.unwrap();
    assert_eq!(found, [(7, 8, vec![9])]);
}

macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::databases::sqlite().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::databases::postgres().await).await;
            })*
        }
    };
}

on_both! {
    a_second_time_changes_nothing,
    a_database_of_a_newer_tidegate_is_refused,
    a_migration_that_differs_is_refused,
    a_migration_that_was_passed_over_is_made_up_for,
    a_schema_that_is_behind_is_not_touched_without_leave,
}
