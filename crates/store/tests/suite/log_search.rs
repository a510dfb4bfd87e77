//! Searches for words through blocks find exactly what a look at every record finds.

use serde_json::{Value, json};
use tidegate_api::{logs::LogSort, text_search::TextQuery};
use tidegate_store::{Dialect, LogRecord, Partitioned, Sql, Tx, sql};
use uuid::Uuid;

use crate::databases::Database;

const RECORDS: i64 = 5_000;

/// Records of three minutes that repeat themselves, with a rare word now and then, written a hundred at a time.
async fn write_records(database: &Database) -> Vec<LogRecord> {
    let mut all = Vec::new();
    for batch in 0..RECORDS / 100 {
        let records: Vec<LogRecord> = (0..100)
            .map(|place| {
                let number = batch * 100 + place;
                // Every tenth record tells of something earlier.
                let late = if number % 10 == 0 { -45.0 } else { 0.0 };
                LogRecord {
                    id: Uuid::now_v7(),
                    timestamp: database.clock.now().plus_seconds(late + place as f64 / 1e3),
                    name: if number % 7 == 0 { "prefect.task_runs".into() } else { "prefect.flow_runs".into() },
                    level: if number % 3 == 0 { 40 } else { 20 },
                    message: match number {
                        ..100 => format!("First hundred: {number}"),
                        _ if number % 1_500 == 0 => format!("Lost Connection to über-host {number}"),
                        _ => format!("Read {} rows of month {}", number * 7_919 % 10_007, number % 12),
                    },
                    flow_run_id: None,
                    task_run_id: None,
                }
            })
            .collect();
        all.extend(records.iter().cloned());
        database.write(async move |tx: &mut Tx| tx.create_logs(&records).await).await;
        database.clock.advance(4);
    }
    all
}

/// As the service does it. Answers how many blocks there are.
async fn make_blocks(database: &Database) -> i64 {
    // On PostgreSQL a record waits until everybody's transactions are settled.
    database.clock.advance(600);
    loop {
        if database.store.read(async |tx: &mut Tx| tx.has_stale_log_blocks().await).await.unwrap() {
            let gone = database.write(async |tx: &mut Tx| tx.delete_stale_log_blocks().await).await;
            assert!(gone > 0);
        }
        let new = database.store.read(async |tx: &mut Tx| tx.read_new_log_blocks().await).await.unwrap();
        let Some(new) = new else { break };
        database.write(async move |tx: &mut Tx| tx.create_log_blocks(&new).await).await;
    }
    let count = sql!("SELECT count(*) FROM log_block");
    database.write(async move |tx: &mut Tx| tx.one(&count, |row| row.next()).await).await
}

async fn found(database: &Database, filter: Value, sort: LogSort, limit: i64, offset: i64) -> Vec<Uuid> {
    let filter = serde_json::from_value(filter).unwrap();
    let logs = database
        .store
        .read(async move |tx: &mut Tx| tx.list_logs(Some(&filter), sort, limit, offset).await)
        .await
        .unwrap();
    logs.into_iter().map(|log| log.id).collect()
}

fn expected(records: &[LogRecord], query: &str, least_level: i64, sort: LogSort, limit: i64, offset: i64) -> Vec<Uuid> {
    let query = TextQuery::parse(query);
    let mut found: Vec<&LogRecord> = records
        .iter()
        .filter(|record| record.level >= least_level)
        .filter(|record| query.matches(&format!("{} {}", record.message, record.name).to_lowercase()))
        .collect();
    found.sort_by_key(|record| (record.timestamp, record.id));
    if sort == LogSort::TimestampDesc {
        found.reverse();
    }
    found.into_iter().skip(offset as usize).take(limit as usize).map(|record| record.id).collect()
}

async fn assert_same(database: &Database, records: &[LogRecord]) {
    for query in [
        "connection",
        "+lost +3000",
        "\"first hundred\" -7",
        "\"rows of month 11\"",
        "\"month 11 prefect.task\"",
        "connection hundred",
        "nowhere",
        "host -ab",
        "ro",
    ] {
        for sort in [LogSort::TimestampAsc, LogSort::TimestampDesc] {
            for (level, limit, offset) in [(0, 200, 0), (40, 50, 20), (0, 5, 40)] {
                let filter = json!({ "text": { "query": query }, "level": { "ge_": level } });
                let found = found(database, filter, sort, limit, offset).await;
                let expected = expected(records, query, level, sort, limit, offset);
                assert_eq!(found, expected, "{query} {sort:?} level {level}, {limit} from {offset}");
            }
        }
    }
}

pub async fn finds_what_a_look_at_every_record_finds(database: &Database) {
    let mut records = write_records(database).await;
    assert_same(database, &records).await;
    let blocks = make_blocks(database).await;
    assert_eq!(blocks, 4);
    assert_same(database, &records).await;
    // Behind the blocks more records come.
    records.extend(write_records(database).await);
    assert_same(database, &records).await;
    // A span of time leaves blocks out, and nothing else.
    let since = records[6_000].timestamp;
    let filter = json!({ "text": { "query": "connection" }, "timestamp": { "after_": since.to_string() } });
    let found = found(database, filter, LogSort::TimestampAsc, 200, 0).await;
    records.retain(|record| record.timestamp >= since);
    assert_eq!(found, expected(&records, "connection", 0, LogSort::TimestampAsc, 200, 0));
}

/// The newest records go and others take their places, and the file is compacted.
pub async fn believes_no_block_whose_records_moved(database: &Database) {
    let mut records = write_records(database).await;
    make_blocks(database).await;
    let from = records[3_000].timestamp;
    records.retain(|record| record.timestamp < from);
    delete(database, sql!("timestamp >= $1", from)).await;
    assert_same(database, &records).await;
    records.extend(write_records(database).await);
    assert_same(database, &records).await;
    make_blocks(database).await;
    assert_same(database, &records).await;
    // The oldest go too, and then the file is compacted: what is left moves up.
    let until = records[1_000].timestamp;
    records.retain(|record| record.timestamp >= until);
    delete(database, sql!("timestamp < $1", until)).await;
    move_up(database).await;
    assert_same(database, &records).await;
    make_blocks(database).await;
    assert_same(database, &records).await;
}

async fn delete(database: &Database, condition: Sql) {
    database.write(async move |tx: &mut Tx| tx.delete_partitioned(Partitioned::Log, &condition).await).await;
}

/// What `VACUUM` may do to rows of SQLite without a key of their own.
async fn move_up(database: &Database) {
    if database.store.dialect() == Dialect::Postgres {
        return;
    }
    database
        .write(async |tx: &mut Tx| {
            let tables = sql!("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'log_w%'");
            for table in tx.all(&tables, |row| row.next::<String>()).await? {
                tx.execute(&sql!(format!("UPDATE {table} SET rowid = rowid - (SELECT min(rowid) - 1 FROM {table})")))
                    .await?;
            }
            Ok(())
        })
        .await;
}
