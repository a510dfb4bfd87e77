//! Lists of runs that share what they are sorted by: page after page, each run comes once.

use std::collections::HashSet;

use serde_json::json;
use tidegate_api::{
    Patch, filters::RunFilters, flow_runs::FlowRunUpdate, flows::FlowCreate, task_runs::TaskRunCreate,
    task_runs::TaskRunUpdate,
};
use tidegate_core::state::{StateCreate, StateDetails, StateType};
use tidegate_store::{Tx, flow_runs::NewFlowRun};
use uuid::Uuid;

use crate::databases::Database;

/// Enough that a database sorts a page in another way than the whole.
const RUNS: usize = 60;
const PAGE: i64 = 7;

/// Reads `list` page by page and as a whole, and compares.
macro_rules! compare {
    ($database:ident, $list:ident, $sorts:expr) => {
        for sort in $sorts {
            let page = async |limit: i64, offset: i64| -> Vec<Uuid> {
                let list = async move |tx: &mut Tx| {
                    let sort = serde_json::from_value(json!(sort)).unwrap();
                    tx.$list(&RunFilters::default(), sort, limit, offset).await
                };
                $database.write(list).await.into_iter().map(|run| run.id).collect()
            };
            // Less than none is no limit.
            let whole = page(-1, 0).await;
            let mut pages = Vec::new();
            for offset in (0..RUNS as i64).step_by(PAGE as usize) {
                pages.extend(page(PAGE, offset).await);
            }
            assert_eq!(whole.iter().collect::<HashSet<_>>().len(), RUNS, "{sort}");
            assert_eq!(pages, whole, "{sort}");
        }
    };
}

pub async fn of_flow_runs_have_each_run_once(database: &Database) {
    let at = database.clock.now().plus_seconds(60.0);
    let ids: Vec<Uuid> = database
        .write(async move |tx: &mut Tx| {
            let flow = FlowCreate { name: "flow".into(), tags: Vec::new(), labels: None };
            let (flow, _) = tx.ensure_flow(&flow).await?;
            let mut ids = Vec::new();
            for _ in 0..RUNS {
                let details = StateDetails { scheduled_time: Some(at.into()), ..StateDetails::default() };
                let first = StateCreate { state_details: details, ..StateCreate::of(StateType::Scheduled) };
                let new = NewFlowRun::of_flow(flow.id, "one of many".into());
                ids.push(tx.create_flow_run(new, first).await?.0.id);
            }
            Ok(ids)
        })
        .await;
    // A row that was changed lies elsewhere on PostgreSQL: the order of rows in the table is no order.
    for id in ids.into_iter().step_by(3) {
        let update = FlowRunUpdate { tags: Patch::Set(vec!["changed".into()]), ..FlowRunUpdate::default() };
        database.write(async move |tx: &mut Tx| tx.update_flow_run(id, update.clone()).await).await;
    }
    compare!(
        database,
        list_flow_runs,
        [
            "ID_DESC",
            "START_TIME_ASC",
            "START_TIME_DESC",
            "EXPECTED_START_TIME_ASC",
            "EXPECTED_START_TIME_DESC",
            "NAME_ASC",
            "NAME_DESC",
            "NEXT_SCHEDULED_START_TIME_ASC",
            "END_TIME_DESC",
        ]
    );
}

pub async fn of_task_runs_have_each_run_once(database: &Database) {
    let ids: Vec<Uuid> = database
        .write(async move |tx: &mut Tx| {
            let mut ids = Vec::new();
            for number in 0..RUNS {
                let create: TaskRunCreate = serde_json::from_value(
                    json!({ "name": "one of many", "task_key": "step", "dynamic_key": number.to_string() }),
                )
                .unwrap();
                ids.push(tx.create_task_run(&create).await?.0.id);
            }
            Ok(ids)
        })
        .await;
    for id in ids.into_iter().step_by(3) {
        let update = TaskRunUpdate { name: Patch::Set("one of many".into()) };
        database.write(async move |tx: &mut Tx| tx.update_task_run(id, update.clone()).await).await;
    }
    compare!(
        database,
        list_task_runs,
        [
            "ID_DESC",
            "EXPECTED_START_TIME_ASC",
            "EXPECTED_START_TIME_DESC",
            "NAME_ASC",
            "NAME_DESC",
            "NEXT_SCHEDULED_START_TIME_ASC",
            "END_TIME_DESC",
        ]
    );
}
