//! The columns against SQLite: the same rows in the same order for any filters, whatever happens to the runs.

use proptest::{
    option::{self, weighted},
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use tidegate_api::{
    filters::{
        DeploymentFilter, FlowFilter, FlowRunFilter, IdFilter, Operator, ReferenceFilter, StateFilter, StateTypeFilter,
        TagsFilter, TextFilter, TimeFilter, WorkPoolFilter, WorkQueueFilter,
    },
    flows::FlowCreate,
};
use tidegate_core::{
    state::{StateCreate, StateType},
    time::Timestamp,
};
use tidegate_testkit::eventually;

use super::*;
use crate::{
    Error, Store,
    conditions::{Subject, push_run_filters},
    flow_runs::NewFlowRun,
    plans::{Plan, filled, rows::Known},
};

/// Names, tags, times and references of all kinds, NULL among them, by the row's number.
const VARY: &str = r#"UPDATE flow_run SET
    name = CASE rowid % 5 WHEN 0 THEN 'Brave-Otter' WHEN 1 THEN 'otter ' || rowid WHEN 2 THEN 'Ötter' ELSE 'run-' || rowid % 97 END,
    tags = CASE rowid % 7 WHEN 0 THEN '["a", "b"]' WHEN 1 THEN '["b"]' WHEN 2 THEN '["ä \" b"]' ELSE '[]' END,
    state_name = CASE WHEN rowid % 17 = 0 THEN NULL WHEN rowid % 17 = 1 THEN 'AwaitingRetry' ELSE state_name END,
    state_type = CASE WHEN rowid % 17 = 0 THEN NULL ELSE state_type END,
    start_time = CASE WHEN rowid % 11 = 0 THEN NULL ELSE start_time + rowid % 3 * 1000000 END,
    expected_start_time = CASE WHEN rowid % 13 = 0 THEN NULL ELSE expected_start_time END,
    end_time = CASE WHEN rowid % 19 = 0 THEN NULL ELSE end_time - rowid % 2 * 5000000 END,
    deployment_id = CASE WHEN rowid % 6 = 0 THEN NULL ELSE deployment_id END,
    work_queue_id = CASE WHEN rowid % 9 = 0 THEN NULL ELSE work_queue_id END"#;

const SORTS: [FlowRunSort; 7] = [
    FlowRunSort::StartTimeAsc,
    FlowRunSort::StartTimeDesc,
    FlowRunSort::ExpectedStartTimeAsc,
    FlowRunSort::ExpectedStartTimeDesc,
    FlowRunSort::EndTimeDesc,
    FlowRunSort::NameAsc,
    FlowRunSort::NameDesc,
];

async fn varied(database: &tidegate_testkit::FreshDatabase) -> (Store, Known) {
    let (store, known) = filled(database).await;
    store.write("vary", async |tx: &mut Tx| tx.batch(VARY).await).await.expect("the values fit");
    (store, known)
}

/// One run of ten, which is enough for any question.
async fn varied_and_few(database: &tidegate_testkit::FreshDatabase) -> (Store, Known) {
    let (store, known) = varied(database).await;
    let delete = async |tx: &mut Tx| tx.batch("DELETE FROM flow_run WHERE rowid % 10 <> 3 AND rowid <> 78").await;
    store.write("delete", delete).await.expect("runs can be deleted");
    (store, known)
}

async fn is_awake(store: &Store) -> bool {
    let ask = async |tx: &mut Tx| Ok::<_, Error>(columns(tx).is_awake());
    store.read(ask).await.expect("readers answer")
}

async fn wake(store: &Store) {
    let ask = async |tx: &mut Tx| {
        columns(tx).wake();
        Ok::<_, Error>(())
    };
    store.read(ask).await.expect("readers answer");
    eventually("columns", async || is_awake(store).await.then_some(())).await;
}

fn columns(tx: &Tx) -> &Arc<Columns> {
    tx.sqlite().and_then(|connection| connection.columns.as_ref()).expect("readers on SQLite have columns")
}

/// Asks SQLite and the columns the same things; tells where they differ.
async fn differences(store: &Store, known: &Known, count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let question = (filters(known), select(&SORTS[..]), 0_i64..60, 0_i64..30);
    let questions: Vec<_> =
        (0..count).map(|_| question.new_tree(&mut runner).expect("filters can be made").current()).collect();
    let ask = async move |tx: &mut Tx| {
        let mut told = Vec::new();
        let mut with_rows = 0;
        for (filters, sort, limit, offset) in &questions {
            let mut sql = sql!("SELECT flow_run.rowid FROM flow_run WHERE flow_run.workspace_id = $1", tx.workspace());
            push_run_filters(&mut sql, Dialect::Sqlite, Subject::FlowRun, filters);
            let mut count = Sql::new("SELECT count(*) FROM (");
            count.push(&sql.text).push(")").values.clone_from(&sql.values);
            sql.push_order(Dialect::Sqlite, "flow_run", order(*sort)).push_page(*limit, *offset);
            let by_sqlite: (Vec<i64>, i64) =
                (tx.all(&sql, |row| row.next()).await?, tx.one(&count, |row| row.next()).await?);
            let question = tx.question(filters).await?;
            let key = Key::of(*sort).expect("an order of columns");
            let page = columns(tx).page(&question, key, *limit as usize, *offset as usize);
            let number = columns(tx).count(&question);
            let by_columns = (page.expect("they are awake"), number.expect("they are awake") as i64);
            with_rows += usize::from(!by_sqlite.0.is_empty());
            if by_sqlite != by_columns {
                told.push(format!("{filters:?} {sort:?}\n  SQLite  {by_sqlite:?}\n  columns {by_columns:?}"));
            }
        }
        assert!(with_rows > questions.len() / 4, "only {with_rows} of {} questions mean rows", questions.len());
        Ok::<_, Error>(told)
    };
    store.read(ask).await.expect("every question is answered")
}

fn filters(known: &Known) -> impl Strategy<Value = RunFilters> + use<> {
    let seldom = |strategy: BoxedStrategy<RunFilters>| prop_oneof![3 => Just(RunFilters::default()), 1 => strategy];
    let (flow, queue) = (known.flow, known.queues[0]);
    let flows = one_of_ids(flow).prop_map(|id| RunFilters {
        flows: Some(FlowFilter { id: Some(id), ..FlowFilter::default() }),
        ..RunFilters::default()
    });
    let deployments = text("deployment-1").prop_map(|name| RunFilters {
        deployments: Some(DeploymentFilter { name: Some(name), ..DeploymentFilter::default() }),
        ..RunFilters::default()
    });
    let pools = text("pool-1").prop_map(|name| RunFilters {
        work_pools: Some(WorkPoolFilter { name: Some(name), ..WorkPoolFilter::default() }),
        ..RunFilters::default()
    });
    let queues = one_of_ids(queue).prop_map(|id| RunFilters {
        work_pool_queues: Some(WorkQueueFilter { id: Some(id), ..WorkQueueFilter::default() }),
        ..RunFilters::default()
    });
    let related = [flows.boxed(), deployments.boxed(), pools.boxed(), queues.boxed()].map(seldom);
    let own = weighted(0.9, flow_run_filter(known.deployment, known.now));
    (related, own).prop_map(|([flows, deployments, pools, queues], flow_runs)| RunFilters {
        flows: flows.flows,
        flow_runs,
        task_runs: None,
        deployments: deployments.deployments,
        work_pools: pools.work_pools,
        work_pool_queues: queues.work_pool_queues,
    })
}

fn one_of_ids(id: Uuid) -> impl Strategy<Value = IdFilter> {
    prop_oneof![
        Just(IdFilter { any_: Some(vec![id]), not_any_: None }),
        Just(IdFilter { any_: None, not_any_: Some(vec![id]) }),
    ]
}

fn flow_run_filter(deployment: Uuid, now: Timestamp) -> impl Strategy<Value = FlowRunFilter> {
    let reference = (operator(), lists(vec![deployment]), option::of(any::<bool>()))
        .prop_map(|(operator, any_, is_null_)| ReferenceFilter { operator, any_, is_null_ });
    let parent =
        option::of(any::<bool>()).prop_map(|is_null_| ReferenceFilter { operator: None, any_: None, is_null_ });
    (
        operator(),
        weighted(0.3, prop_oneof![text("otter"), text("Ötter"), text("Brave-Otter")]),
        weighted(0.3, tags()),
        weighted(0.2, reference),
        weighted(0.4, state()),
        weighted(0.3, times(now)),
        weighted(0.1, times(now)),
        weighted(0.3, times(now)),
        weighted(0.2, parent),
    )
        .prop_map(
            |(operator, name, tags, deployment_id, state, start_time, end_time, expected_start_time, parent)| {
                FlowRunFilter {
                    operator,
                    name,
                    tags,
                    deployment_id,
                    state,
                    start_time,
                    end_time,
                    expected_start_time,
                    parent_task_run_id: parent,
                    ..FlowRunFilter::default()
                }
            },
        )
}

fn operator() -> impl Strategy<Value = Option<Operator>> {
    select(vec![None, Some(Operator::And), Some(Operator::Or)])
}

/// No list, an empty one, or parts of this one.
fn lists<T: Clone + std::fmt::Debug + 'static>(of: Vec<T>) -> impl Strategy<Value = Option<Vec<T>>> {
    let most = of.len();
    prop_oneof![4 => Just(None), 1 => Just(Some(Vec::new())), 4 => proptest::sample::subsequence(of, 1..=most).prop_map(Some)]
}

fn text(text: &'static str) -> BoxedStrategy<TextFilter> {
    let parts: Vec<String> = [text, &text.to_uppercase(), "Failed", "run-1"].map(String::from).to_vec();
    let like = weighted(0.3, select(vec![text.to_lowercase(), String::new(), "T".into(), "9".into()]));
    (lists(parts.clone()), lists(parts.clone()), like, lists(parts), weighted(0.1, any::<bool>()))
        .prop_map(|(any_, not_any_, like_, startswith_, exists_)| TextFilter {
            any_,
            not_any_,
            like_,
            startswith_,
            exists_,
        })
        .boxed()
}

fn tags() -> impl Strategy<Value = TagsFilter> {
    let tags: Vec<String> = ["a", "b", "ä \" b", "A"].map(String::from).to_vec();
    (operator(), lists(tags.clone()), lists(tags), weighted(0.3, any::<bool>()))
        .prop_map(|(operator, all_, any_, is_null_)| TagsFilter { operator, all_, any_, is_null_ })
}

fn state() -> impl Strategy<Value = StateFilter> {
    let types = vec![StateType::Scheduled, StateType::Completed, StateType::Failed];
    let kind = (lists(types.clone()), lists(types)).prop_map(|(any_, not_any_)| StateTypeFilter { any_, not_any_ });
    let name = weighted(0.5, text("AwaitingRetry"));
    (operator(), weighted(0.5, kind), name).prop_map(|(operator, kind, name)| StateFilter {
        operator,
        r#type: kind,
        name,
    })
}

fn times(now: Timestamp) -> impl Strategy<Value = TimeFilter> {
    let time = move || option::of((-40.0_f64..2.0).prop_map(move |days| now.plus_seconds(days * 86_400.0)));
    (time(), time(), weighted(0.2, any::<bool>())).prop_map(|(before_, after_, is_null_)| TimeFilter {
        before_,
        after_,
        is_null_,
    })
}

#[tokio::test]
async fn columns_answer_as_sqlite_does() {
    let database = tidegate_testkit::sqlite().await;
    let (store, known) = varied_and_few(&database).await;
    wake(&store).await;
    let found = differences(&store, &known, 1_000).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn columns_follow_what_commits_change() {
    let database = tidegate_testkit::sqlite().await;
    let (store, known) = varied_and_few(&database).await;
    wake(&store).await;
    let (run, flow, queue) = (known.flow_run, known.flow, known.queues[1]);
    let change = async move |tx: &mut Tx| {
        tx.batch("UPDATE flow_run SET name = 'otter', state_name = 'Failed', tags = '[\"a\"]' WHERE rowid % 100 = 3")
            .await?;
        tx.delete_flow_run(run).await?;
        // Runs go with their flow, and lose their queue.
        tx.delete_flow(flow).await?;
        tx.execute(&sql!("DELETE FROM work_queue WHERE id = $1", queue)).await?;
        tx.batch("DELETE FROM flow_run WHERE rowid > (SELECT max(rowid) FROM flow_run) - 5").await
    };
    store.write("change", change).await.expect("runs can be changed");
    let refused = store
        .write("refused", async |tx: &mut Tx| {
            tx.batch("UPDATE flow_run SET name = 'otter', tags = '[]'").await?;
            Err::<(), _>(Error::Database("taken back".into()))
        })
        .await;
    assert!(refused.is_err());
    // Numbers of rows that were deleted at the end come back with new runs.
    let create = async |tx: &mut Tx| {
        let flow = FlowCreate { name: "new".into(), tags: Vec::new(), labels: None };
        let flow = tx.ensure_flow(&flow).await?.0.id;
        for number in 0..20 {
            tx.create_flow_run(
                NewFlowRun::of_flow(flow, format!("otter-{number}")),
                StateCreate::of(StateType::Pending),
            )
            .await?;
        }
        Ok::<_, Error>(())
    };
    store.write("create", create).await.expect("runs can be made");
    assert!(is_awake(&store).await, "columns that follow stay awake");
    let found = differences(&store, &known, 300).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn a_list_that_takes_long_wakes_the_columns_and_is_answered_by_them() {
    let database = tidegate_testkit::sqlite().await;
    let (store, _) = varied(&database).await;
    // No index finds the few in the middle of all these.
    let (like_, startswith_) = (Some("R 99".into()), Some(vec!["OTTER".into()]));
    let name = TextFilter { like_, startswith_, ..TextFilter::default() };
    let filters = RunFilters {
        flow_runs: Some(FlowRunFilter { name: Some(name), ..FlowRunFilter::default() }),
        ..RunFilters::default()
    };
    let list = async |filters: &RunFilters| {
        let filters = filters.clone();
        let ask = async move |tx: &mut Tx| {
            let runs = tx.list_flow_runs(&filters, FlowRunSort::NameAsc, 50, 3).await?;
            let count = tx.count_flow_runs(&filters).await?;
            let names = runs.into_iter().map(|run| run.name).collect::<Vec<_>>();
            Ok::<_, Error>((names, count, tx.statements.take()))
        };
        store.read(ask).await.expect("lists are answered")
    };
    let (names, count, _) = list(&filters).await;
    assert!((10..50).contains(&names.len()), "{names:?}");
    eventually("columns", async || is_awake(&store).await.then_some(())).await;
    let (by_columns, number, statements) = list(&filters).await;
    assert_eq!((by_columns, number), (names, count));
    let rows = statements.into_iter().find(|sql| sql.text.contains("flow_run.rowid IN"));
    let rows = rows.expect("the columns chose the rows");
    let plan = store.read(async move |tx: &mut Tx| Ok::<_, Error>(Plan::of(tx, &rows).await?.lines)).await;
    let plan = plan.expect("statements can be explained");
    assert!(plan.iter().any(|line| line.contains("flow_run USING INTEGER PRIMARY KEY (rowid=?)")), "{plan:#?}");
}

#[tokio::test]
async fn columns_that_cannot_keep_up_are_read_once_and_given_up() {
    let database = tidegate_testkit::sqlite().await;
    let (store, _) = varied_and_few(&database).await;
    let ask = async |tx: &mut Tx| {
        let columns = columns(tx);
        *columns.write() = Phase::Loading { changed: Some(Vec::new()) };
        columns.follow(tx.sqlite().expect("SQLite"), vec![1; CHANGES + 1]);
        // No second reading begins, which the first one would take for its own.
        columns.wake();
        assert!(matches!(*columns.read(), Phase::Loading { changed: None }));
        columns.load()?;
        assert!(matches!(*columns.read(), Phase::Asleep));
        Ok::<_, Error>(())
    };
    store.read(ask).await.expect("readers answer");
    wake(&store).await;
}
