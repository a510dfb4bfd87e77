//! Index tests: every list that people or services ask for all the time is explained on both databases, filled with
//! enough rows that the planner's choice means something. No big table may be read whole, and each list names the index
//! it relies on. On SQLite with the statistics that the schema brings along, and with those of the rows.

mod cases;
pub(crate) mod rows;

use tidegate_testkit::{Clock, FreshDatabase};

use crate::{Dialect, Options, Result, Sql, Store, Tx, row::Row};
use cases::{Case, cases};

/// Tables that stay small, with the names that queries give them and what looks like a table in a plan.
const SMALL: &[&str] =
    &["flow", "deployment", "work_pool", "work_queue", "queue", "pool", "item", "label", "json_each", "CONSTANT"];

/// One statement's plan, line by line.
pub(crate) struct Plan {
    dialect: Dialect,
    statement: String,
    pub(crate) lines: Vec<String>,
}

impl Plan {
    pub(crate) async fn of(tx: &mut Tx, sql: &Sql) -> Result<Self> {
        let dialect = tx.dialect();
        let head = if dialect == Dialect::Sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
        let explain = Sql { text: format!("{head} {}", sql.text).into(), values: sql.values.clone() };
        let read = |row: &mut Row<'_>| match dialect {
            Dialect::Sqlite => {
                let _ids: (i64, i64, i64) = (row.next()?, row.next()?, row.next()?);
                row.next::<String>()
            }
            Dialect::Postgres => row.next::<String>(),
        };
        let lines = tx.all(&explain, read).await?;
        Ok(Self { dialect, statement: sql.text.to_string(), lines })
    }

    /// Lines that tell of a big table read from one end to the other.
    fn whole_reads(&self) -> Vec<&str> {
        let sorts = self.lines.iter().any(|line| line.contains("USE TEMP B-TREE FOR ORDER BY"));
        let is_whole = |line: &&str| match self.dialect {
            Dialect::Sqlite => {
                let table = line.strip_prefix("SCAN ").or(line.strip_prefix("SEARCH ")).unwrap_or("");
                let table = table.split(' ').next().unwrap_or("");
                let is_made_here = self.lines.iter().any(|line| line.ends_with(&format!("CO-ROUTINE {table}")));
                let is_big = !table.is_empty() && !table.starts_with('(') && !is_made_here && !SMALL.contains(&table);
                // An index of the workspace alone finds everything: good for an order, not for a search.
                let finds_all = line.ends_with("(workspace_id=?)") && sorts;
                let walks = line.starts_with("SCAN ") && (sorts || !line.contains(" INDEX "));
                is_big && (walks || finds_all || line.contains("AUTOMATIC"))
            }
            Dialect::Postgres => {
                let table = line.split("Seq Scan on ").nth(1).and_then(|rest| rest.split(' ').next());
                // Weeks to come are empty, and one that has only begun fits a page or two.
                let cost = line.split("..").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
                table.is_some_and(|table| !SMALL.contains(&table)) && cost.is_none_or(|cost| cost > 20.0)
            }
        };
        self.lines.iter().map(String::as_str).filter(is_whole).collect()
    }
}

/// What is wrong with the plans of a case; nothing when they are as they should be.
async fn problem(tx: &mut Tx, case: &Case, known: &rows::Known, whereabouts: &str) -> Result<Option<String>> {
    tx.statements.take();
    (case.run)(tx, known).await?;
    let mut plans = Vec::new();
    for sql in tx.statements.take() {
        if sql.text.starts_with("SELECT") {
            plans.push(Plan::of(tx, &sql).await?);
        }
    }
    let index = case.index(tx.dialect());
    let names = |line: &String| index.split(" or ").any(|index| line.contains(index));
    let names_index = plans.iter().flat_map(|plan| &plan.lines).any(names);
    let whole: Vec<&str> = plans.iter().flat_map(Plan::whole_reads).collect();
    if names_index && whole.is_empty() {
        return Ok(None);
    }
    let told: Vec<String> =
        plans.iter().map(|plan| format!("{}\n      {}", plan.statement, plan.lines.join("\n      "))).collect();
    let name = case.name;
    Ok(Some(format!(
        "{name} {whereabouts} should use `{index}`, and read none of {whole:?} whole\n    {}",
        told.join("\n    ")
    )))
}

async fn problems(store: &Store, known: &rows::Known, whereabouts: &'static str) -> Vec<String> {
    let known = known.clone();
    // A write, since some of these lists lock what they find.
    let ask = async move |tx: &mut Tx| {
        let mut problems = Vec::new();
        for case in cases() {
            problems.extend(problem(tx, &case, &known, whereabouts).await?);
        }
        Ok::<_, crate::Error>(problems)
    };
    store.write("plans", ask).await.expect("every list is answered and explained")
}

pub(crate) async fn filled(database: &FreshDatabase) -> (Store, rows::Known) {
    let clock = Clock::new();
    let options = Options { url: database.url.clone(), readers: 1, writers: 1, migrate: true, clock: clock.shared() };
    let store = Store::open(options).await.expect("a fresh database opens");
    for _ in 0..5 {
        store.write("weeks", async |tx: &mut Tx| tx.prepare_partitions().await).await.expect("weeks are made");
        clock.advance(7 * 86_400);
    }
    let known = rows::fill(&store).await.expect("rows fit");
    (store, known)
}

async fn analyze(store: &Store) {
    store.write("statistics", async |tx: &mut Tx| tx.batch("ANALYZE").await).await.expect("statistics are made");
}

/// Plans of the first page of all runs, in every order that has an index, that sort what the index has in order.
async fn sorted_pages(store: &Store) -> Vec<String> {
    let ask = async move |tx: &mut Tx| {
        cases::first_pages(tx).await?;
        let mut sorted = Vec::new();
        for sql in tx.statements.take().into_iter().filter(|sql| sql.text.starts_with("SELECT")) {
            let plan = Plan::of(tx, &sql).await?;
            if plan.lines.iter().any(|line| line.contains("Sort") || line.contains("USE TEMP B-TREE")) {
                sorted.push(format!("{}\n      {}", plan.statement, plan.lines.join("\n      ")));
            }
        }
        Ok::<_, crate::Error>(sorted)
    };
    store.write("plans", ask).await.expect("every list is answered and explained")
}

#[tokio::test]
async fn lists_use_their_indexes_on_sqlite() {
    let database = tidegate_testkit::sqlite().await;
    let (store, known) = filled(&database).await;
    let mut found = problems(&store, &known, "as the schema comes").await;
    analyze(&store).await;
    found.extend(problems(&store, &known, "with statistics").await);
    found.extend(sorted_pages(&store).await);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[tokio::test]
async fn lists_use_their_indexes_on_postgres() {
    let database = tidegate_testkit::postgres().await;
    let (store, known) = filled(&database).await;
    analyze(&store).await;
    let mut found = problems(&store, &known, "with statistics").await;
    found.extend(sorted_pages(&store).await);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
