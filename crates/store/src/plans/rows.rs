//! Rows for the index tests: many, in the proportions of a server that has run for some weeks. Almost everything is long
//! over; a little waits, runs, or is late.

use serde_json::json;
use tidegate_api::{flows::FlowCreate, work_pools::WorkPoolCreate, work_pools::WorkQueueCreate};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::{Error, EventRecord, Partitioned, Result, Store, Tx, value::Value};

const FLOW_RUNS: usize = 12_000;
const TASK_RUNS: usize = 24_000;
const RECORDS: usize = 20_000;
const LEASES: usize = 5_000;
const FLOWS: usize = 100;
const DEPLOYMENTS: usize = 300;
/// Rows of one transaction.
const CHUNK: usize = 4_000;
const WEEK: f64 = 7.0 * 86_400.0;

/// Ids that the cases ask for.
#[derive(Clone, Debug)]
pub struct Known {
    pub pool: Uuid,
    pub queues: Vec<Uuid>,
    pub flow: Uuid,
    pub deployment: Uuid,
    pub flow_run: Uuid,
    pub task_run: Uuid,
    pub event: Uuid,
    pub now: Timestamp,
}

/// Fills an empty database.
pub async fn fill(store: &Store) -> Result<Known> {
    let (pool, queues, flows) = store.write("few", async |tx: &mut Tx| few(tx).await).await?;
    let deployments: Vec<Uuid> = (0..DEPLOYMENTS).map(|_| Uuid::now_v7()).collect();
    let flow_runs: Vec<Uuid> = (0..FLOW_RUNS).map(|_| Uuid::now_v7()).collect();
    let task_runs: Vec<Uuid> = (0..TASK_RUNS).map(|_| Uuid::now_v7()).collect();
    let now = store.now();
    let known = Known {
        pool,
        queues: queues.clone(),
        flow: flows[7],
        deployment: deployments[7],
        flow_run: flow_runs[77],
        task_run: task_runs[77],
        event: Uuid::now_v7(),
        now,
    };
    let rows = Rows { queues, flows, deployments, flow_runs, task_runs, event: known.event, now };
    let rows = std::sync::Arc::new(rows);
    for (count, kind) in [
        (DEPLOYMENTS, Kind::Deployment),
        (FLOW_RUNS, Kind::FlowRun),
        (TASK_RUNS, Kind::TaskRun),
        (RECORDS, Kind::State),
        (RECORDS, Kind::Log),
        (RECORDS, Kind::Event),
        (LEASES, Kind::Lease),
    ] {
        for first in (0..count).step_by(CHUNK) {
            let (rows, numbers) = (rows.clone(), first..count.min(first + CHUNK));
            store.write("many", async move |tx: &mut Tx| rows.insert(tx, kind, numbers.clone()).await).await?;
        }
    }
    Ok(known)
}

async fn few(tx: &mut Tx) -> Result<(Uuid, Vec<Uuid>, Vec<Uuid>)> {
    let mut pools = Vec::new();
    let mut queues = Vec::new();
    for number in 0..5 {
        let pool = WorkPoolCreate {
            name: format!("pool-{number}"),
            description: None,
            kind: "process".into(),
            base_job_template: Json::empty_object(),
            is_paused: false,
            concurrency_limit: Some(1_000),
            storage_configuration: None,
        };
        let pool = tx.create_work_pool(&pool).await?.expect("the name is free");
        for name in ["a", "b"] {
            let queue = WorkQueueCreate {
                name: name.into(),
                description: None,
                is_paused: false,
                concurrency_limit: Some(500),
                priority: None,
                filter: None,
            };
            let queue = tx.create_work_queue(pool.id, &queue).await?;
            queues.push(queue.ok_or_else(|| Error::Database("the name is free".into()))?.id);
        }
        pools.push(pool.id);
    }
    let mut flows = Vec::new();
    for number in 0..FLOWS {
        let flow = FlowCreate { name: format!("flow-{number}"), tags: Vec::new(), labels: None };
        flows.push(tx.ensure_flow(&flow).await?.0.id);
    }
    Ok((pools[0], queues, flows))
}

#[derive(Clone, Copy)]
enum Kind {
    Deployment,
    FlowRun,
    TaskRun,
    State,
    Log,
    Event,
    Lease,
}

struct Rows {
    queues: Vec<Uuid>,
    flows: Vec<Uuid>,
    deployments: Vec<Uuid>,
    flow_runs: Vec<Uuid>,
    task_runs: Vec<Uuid>,
    event: Uuid,
    now: Timestamp,
}

impl Rows {
    async fn insert(&self, tx: &mut Tx, kind: Kind, numbers: std::ops::Range<usize>) -> Result<()> {
        match kind {
            Kind::Deployment => {
                tx.insert_many(
                    &head("deployment", DEPLOYMENT),
                    "",
                    numbers.clone().map(|n| self.deployment(tx, n)).collect(),
                )
                .await?;
                tx.insert_many(&head("deployment_schedule", SCHEDULE), "", numbers.map(|n| self.schedule(n)).collect())
                    .await?;
            }
            Kind::FlowRun => {
                tx.insert_many(&head("flow_run", FLOW_RUN), "", numbers.map(|n| self.flow_run(tx, n)).collect())
                    .await?;
            }
            Kind::TaskRun => {
                tx.insert_many(&head("task_run", TASK_RUN), "", numbers.map(|n| self.task_run(tx, n)).collect())
                    .await?;
            }
            Kind::State => {
                for (kind, owner, ids) in [
                    (Partitioned::FlowRunState, "flow_run_id", &self.flow_runs),
                    (Partitioned::TaskRunState, "task_run_id", &self.task_runs),
                ] {
                    let columns = format!("id, {owner}, timestamp, type, name, state");
                    let rows = numbers.clone().map(|n| self.state(ids[n % ids.len()], n)).collect();
                    tx.insert_partitioned(kind, &columns, "", rows).await?;
                }
            }
            Kind::Log => {
                let columns = "id, workspace_id, created, timestamp, name, level, message, flow_run_id, task_run_id";
                let rows = numbers.map(|n| self.log(tx, n)).collect();
                tx.insert_partitioned(Partitioned::Log, columns, "", rows).await?;
            }
            Kind::Event => {
                tx.store_events(numbers.map(|n| self.event(n)).collect()).await?;
            }
            Kind::Lease => {
                let columns = "id, workspace_id, created, expires";
                let lease = |n: usize| {
                    let expires = self.now.plus_seconds(n as f64 - 20.0);
                    vec![Uuid::now_v7().into(), tx.workspace().into(), self.now.into(), expires.into()]
                };
                tx.insert_many(&head("concurrency_lease", columns), "", numbers.map(lease).collect()).await?;
            }
        }
        Ok(())
    }

    /// Spread over the last five weeks, the first number the oldest.
    fn time(&self, number: usize, of: usize) -> Timestamp {
        self.now.plus_seconds(-5.0 * WEEK * (1.0 - number as f64 / of as f64))
    }

    fn deployment(&self, tx: &Tx, number: usize) -> Vec<Value> {
        let time = self.time(number, DEPLOYMENTS);
        vec![
            self.deployments[number].into(),
            tx.workspace().into(),
            time.into(),
            time.into(),
            format!("deployment-{number}").into(),
            self.flows[number % FLOWS].into(),
            false.into(),
            object(),
            object(),
            true.into(),
            Value::Json("[]".into()),
            object(),
            self.queues[number % self.queues.len()].into(),
            "READY".into(),
        ]
    }

    fn schedule(&self, number: usize) -> Vec<Value> {
        let time = self.time(number, DEPLOYMENTS);
        vec![
            Uuid::now_v7().into(),
            time.into(),
            time.into(),
            self.deployments[number].into(),
            Value::Json(json!({ "interval": 3600 }).to_string()),
            true.into(),
            object(),
            self.now.plus_seconds(number as f64 - 3.0).into(),
        ]
    }

    /// One in ten is scheduled, some of them late; one in two hundred runs, with an owner.
    fn flow_run(&self, tx: &Tx, number: usize) -> Vec<Value> {
        let time = self.time(number, FLOW_RUNS);
        let (kind, name) = match number % 400 {
            n if n % 10 == 0 && n != 300 => ("SCHEDULED", "Scheduled"),
            300 => ("SCHEDULED", "Late"),
            1 | 201 => ("RUNNING", "Running"),
            2 => ("PENDING", "Pending"),
            3 => ("PAUSED", "Paused"),
            4 => ("CANCELLING", "Cancelling"),
            5 => ("CANCELLED", "Cancelled"),
            n if n % 10 == 9 => ("FAILED", "Failed"),
            _ => ("COMPLETED", "Completed"),
        };
        let is_over = matches!(kind, "COMPLETED" | "FAILED" | "CANCELLED");
        let waits = kind == "SCHEDULED";
        let tags = if number % 500 == 7 { r#"["rare"]"# } else { r#"["often"]"# };
        let due = self.now.plus_seconds((number % 1000) as f64 - 100.0);
        let expected = if waits { due } else { time };
        vec![
            self.flow_runs[number].into(),
            tx.workspace().into(),
            time.into(),
            time.into(),
            format!("run-{number}").into(),
            self.flows[number % FLOWS].into(),
            self.deployments[number % DEPLOYMENTS].into(),
            self.queues[number % self.queues.len()].into(),
            object(),
            object(),
            object(),
            Value::Json(tags.into()),
            object(),
            (number % 20 == 3).then(|| self.task_runs[number % TASK_RUNS]).into(),
            true.into(),
            Uuid::now_v7().into(),
            kind.into(),
            name.into(),
            time.into(),
            state(kind, name, time),
            i64::from(!waits).into(),
            expected.into(),
            waits.then_some(due).into(),
            (!waits).then_some(time).into(),
            is_over.then_some(time.plus_seconds(60.0)).into(),
            60.0.into(),
            (kind == "RUNNING").then(|| "worker".to_owned()).into(),
            (kind == "RUNNING").then(|| self.now.plus_seconds((number % 60) as f64 - 2.0)).into(),
            1_i64.into(),
            1_i64.into(),
        ]
    }

    fn task_run(&self, tx: &Tx, number: usize) -> Vec<Value> {
        let time = self.time(number, TASK_RUNS);
        let (kind, name) = if number.is_multiple_of(300) { ("RUNNING", "Running") } else { ("COMPLETED", "Completed") };
        vec![
            self.task_runs[number].into(),
            tx.workspace().into(),
            time.into(),
            time.into(),
            format!("task-{number}").into(),
            self.flow_runs[number * FLOW_RUNS / TASK_RUNS].into(),
            format!("step-{}", number % 50).into(),
            number.to_string().into(),
            object(),
            Value::Json(r#"["often"]"#.into()),
            object(),
            Uuid::now_v7().into(),
            kind.into(),
            name.into(),
            time.into(),
            state(kind, name, time),
            1_i64.into(),
            1_i64.into(),
            time.into(),
            time.into(),
            (kind == "COMPLETED").then_some(time).into(),
            1.0.into(),
        ]
    }

    fn state(&self, owner: Uuid, number: usize) -> (Timestamp, Vec<Value>) {
        let time = self.time(number, RECORDS);
        let row = vec![
            Uuid::now_v7().into(),
            owner.into(),
            time.into(),
            "COMPLETED".into(),
            "Completed".into(),
            state("COMPLETED", "Completed", time),
        ];
        (time, row)
    }

    fn log(&self, tx: &Tx, number: usize) -> (Timestamp, Vec<Value>) {
        let time = self.time(number, RECORDS);
        let row = vec![
            Uuid::now_v7().into(),
            tx.workspace().into(),
            time.into(),
            time.into(),
            "prefect.flow_runs".into(),
            20_i64.into(),
            format!("line {number}").into(),
            self.flow_runs[number % FLOW_RUNS].into(),
            (number % 3 == 2).then(|| self.task_runs[number % TASK_RUNS]).into(),
        ];
        (time, row)
    }

    fn event(&self, number: usize) -> EventRecord {
        let run = self.flow_runs[number % FLOW_RUNS];
        let resource_id = format!("prefect.flow-run.{run}");
        let related_id = format!("prefect.flow.{}", self.flows[number % FLOWS]);
        let related = json!([{ "prefect.resource.id": related_id, "prefect.resource.role": "flow" }]);
        EventRecord {
            id: if number == 777 { self.event } else { Uuid::now_v7() },
            occurred: self.time(number, RECORDS),
            event: if number.is_multiple_of(700) { "rare.event".into() } else { "prefect.flow-run.Completed".into() },
            resource: json!({ "prefect.resource.id": resource_id }).to_string(),
            resource_id,
            related: related.to_string(),
            payload: "{}".into(),
            follows: None,
            links: vec![crate::link(&related_id)],
        }
    }
}

const DEPLOYMENT: &str = "id, workspace_id, created, updated, name, flow_id, paused, job_variables, parameters, \
    enforce_parameter_schema, tags, labels, work_queue_id, status";
const SCHEDULE: &str = "id, created, updated, deployment_id, schedule, active, parameters, next_tick";
const FLOW_RUN: &str = "id, workspace_id, created, updated, name, flow_id, deployment_id, work_queue_id, parameters, context, \
    empirical_policy, tags, labels, parent_task_run_id, auto_scheduled, state_id, state_type, state_name, state_timestamp, \
    state, run_count, expected_start_time, next_scheduled_start_time, start_time, end_time, total_run_time, owner_name, \
    owner_deadline, owner_token, attempt";
const TASK_RUN: &str = "id, workspace_id, created, updated, name, flow_run_id, task_key, dynamic_key, empirical_policy, tags, \
    task_inputs, state_id, state_type, state_name, state_timestamp, state, run_count, flow_run_run_count, \
    expected_start_time, start_time, end_time, total_run_time";

fn head(table: &str, columns: &str) -> String {
    format!("INSERT INTO {table} ({columns})")
}

fn object() -> Value {
    Value::Json("{}".into())
}

fn state(kind: &str, name: &str, time: Timestamp) -> Value {
    let state = json!({ "id": Uuid::nil(), "type": kind, "name": name, "timestamp": time, "state_details": {} });
    Value::Json(state.to_string())
}
