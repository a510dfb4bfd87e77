//! Runs that have ended, with all that belongs to them: states, task runs, artifacts and logs. They keep their ids, so a copy
//! that was interrupted finds what it copied. What belongs to a run goes first: a run that is there is there as a whole.

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tidegate_client::Page;

use super::Copy;
use super::report::Kind;
use super::side::Side;
use crate::failure::Failure;
use crate::out::{Out, Progress};

/// Flow runs that are gathered at a time.
const RUNS: i64 = 50;
/// Questions to the source at a time.
const QUESTIONS: usize = 8;
/// Bytes of one request to the target.
const LARGEST: usize = 4 * 1024 * 1024;
const PATH: &str = "/imports/runs";

impl Copy<'_> {
    /// Copies the runs that `filter` selects.
    pub(super) async fn history(&mut self, filter: &Value, out: &mut Out) -> anyhow::Result<()> {
        let accepts = self.target.post(PATH, &json!({})).await;
        if let Err(error) = accepts {
            let error = match error.downcast_ref::<tidegate_client::Error>() {
                Some(refused) if refused.is_unknown_operation() => {
                    Failure::usage("the target does not take runs that have ended; only Tidegate does").into()
                }
                _ => error,
            };
            return Err(error);
        }
        let count = self.source.post("/flow_runs/count", &json!({ "flow_runs": filter })).await?;
        let progress = out.progress(count.as_u64().unwrap_or_default());
        let mut page = Page::first(RUNS);
        loop {
            let body = json!({ "flow_runs": filter, "sort": "ID_DESC", "limit": page.limit, "offset": page.offset });
            let runs =
                self.source.post("/flow_runs/filter", &body).await.context("cannot read flow runs of the source")?;
            let Value::Array(runs) = runs else { break };
            let is_last = (runs.len() as i64) < page.limit;
            page.offset += runs.len() as i64;
            self.past_runs(runs, &progress).await?;
            if is_last {
                break;
            }
        }
        progress.done();
        Ok(())
    }

    async fn past_runs(&mut self, runs: Vec<Value>, progress: &Progress) -> anyhow::Result<()> {
        self.report.found(Kind::FlowRun, runs.len());
        let known = self.known(&runs).await?;
        let (kept, mut new): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| known.contains(&run["id"]));
        for _ in kept {
            self.report.kept(Kind::FlowRun);
            progress.step();
        }
        new.retain(|run| {
            let has_flow = self.ids.of(&run["flow_id"]).is_some();
            if !has_flow {
                self.report.failed(Kind::FlowRun, name(run), "its flow was not copied".to_owned());
                progress.step();
            }
            has_flow
        });
        let Some(first) = new.first() else { return Ok(()) };
        progress.at(&format!("flow run {} and {} more", name(first), new.len() - 1));
        let ids: Value = new.iter().map(|run| run["id"].clone()).collect();
        let filter = json!({ "id": { "any_": ids } });
        let of_runs = json!({ "flow_runs": filter, "sort": "ID_DESC" });
        self.hand_over(Kind::TaskRun, "task_runs", "/task_runs/filter", &of_runs).await?;
        let of_runs = json!({ "artifacts": { "flow_run_id": { "any_": ids } }, "sort": "ID_DESC" });
        self.hand_over(Kind::Artifact, "artifacts", "/artifacts/filter", &of_runs).await?;
        for run in &new {
            let of_run = json!({ "logs": { "flow_run_id": { "any_": [run["id"]] } }, "sort": "TIMESTAMP_ASC" });
            self.hand_over(Kind::Log, "logs", "/logs/filter", &of_run).await?;
        }
        for past in with_states(&self.source, "flow_run", new).await? {
            let run = &past["flow_run"];
            let name = name(run).to_owned();
            match self.target.post(PATH, &json!({ "flow_runs": [self.at_target(&past)] })).await {
                Ok(_) => self.report.copied(Kind::FlowRun),
                Err(error) => self.report.failed(Kind::FlowRun, &name, super::refusal(error)?),
            }
            progress.step();
        }
        Ok(())
    }

    /// The ids of those that the target has.
    async fn known(&self, runs: &[Value]) -> anyhow::Result<Vec<Value>> {
        let ids: Value = runs.iter().map(|run| run["id"].clone()).collect();
        let body = json!({ "flow_runs": { "id": { "any_": ids } }, "limit": runs.len() });
        let known = self.target.post("/flow_runs/filter", &body).await?;
        Ok(known.as_array().into_iter().flatten().map(|run| run["id"].clone()).collect())
    }

    /// As the target knows what the run refers to; what was not copied is left out.
    fn at_target(&self, past: &Value) -> Value {
        let mut translated = self.ids.translated(past);
        let run = &mut translated["flow_run"];
        for field in ["deployment_id", "work_queue_id", "infrastructure_document_id"] {
            if self.ids.of(&past["flow_run"][field]).is_none() {
                run[field] = Value::Null;
            }
        }
        translated
    }

    /// Hands over what the source finds, page by page: runs may have more of it than memory holds.
    async fn hand_over(&mut self, kind: Kind, field: &str, path: &str, filter: &Value) -> anyhow::Result<()> {
        let mut page = Page::first(Page::LARGEST);
        loop {
            let mut items = self.source.page(path, filter, page).await?;
            let is_last = (items.len() as i64) < page.limit;
            if kind == Kind::TaskRun {
                items = with_states(&self.source, "task_run", items).await?;
            }
            self.put(kind, field, items).await?;
            if is_last {
                return Ok(());
            }
            page = page.next();
        }
    }

    /// Hands a page's things over, as many at a time as a request may hold.
    async fn put(&mut self, kind: Kind, field: &str, items: Vec<Value>) -> anyhow::Result<()> {
        self.report.found(kind, items.len());
        let mut chunk = Vec::new();
        let mut size = 0;
        let mut items = items.into_iter().peekable();
        while let Some(item) = items.next() {
            let item = self.ids.translated(&item);
            size += item.to_string().len();
            chunk.push(item);
            let next = items.peek().map_or(LARGEST, |next| next.to_string().len());
            if size + next > LARGEST {
                let count = chunk.len();
                let imported = self.target.post(PATH, &json!({ field: std::mem::take(&mut chunk) })).await?;
                let new = imported[field].as_u64().unwrap_or_default() as usize;
                self.report.done(kind, new, count - new);
                size = 0;
            }
        }
        Ok(())
    }
}

/// Runs with all states that they were in.
async fn with_states(source: &Side<'_>, kind: &str, runs: Vec<Value>) -> anyhow::Result<Vec<Value>> {
    let ask = |run: Value| async move {
        let id = run["id"].as_str().unwrap_or_default();
        let states = source.find(&format!("/{kind}_states/?{kind}_id={id}")).await?.unwrap_or(json!([]));
        anyhow::Ok(json!({ kind: run, "states": states }))
    };
    stream::iter(runs).map(ask).buffered(QUESTIONS).try_collect().await
}

fn name(run: &Value) -> &str {
    run["name"].as_str().unwrap_or_default()
}
