//! Logs over HTTP: records in, in bulk; records out, by filter or as a file.

use std::fmt::Write;

use axum::{
    body::Body as ResponseBody,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tidegate_api::{
    filters::LogFilter,
    logs::{Log, LogSort},
};
use tidegate_core::time::Timestamp;
use tidegate_store::{Store, Tx};
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id, content_type, operation_of, read_bytes},
    ingest::logs,
    router::Routes,
};

/// Records of one page of a download.
const PAGE: i64 = 1000;

pub fn routes(routes: Routes) -> Routes {
    routes.post("/logs/", create).post("/logs/filter", filter).get("/flow_runs/{id}/logs/download", download)
}

#[derive(Deserialize)]
struct ListLogs {
    logs: Option<LogFilter>,
    sort: Option<LogSort>,
    limit: Option<i64>,
    offset: Option<i64>,
}

/// Stores records; answered when they are committed.
async fn create(State(app): State<App>, request: Request) -> Result<(StatusCode, Json<Value>), ApiError> {
    let operation = operation_of(&request);
    let content_type = content_type(request.headers());
    let body = read_bytes(request, &app).await?;
    let records = logs::read(operation, content_type.as_deref(), &body)?;
    app.ingest.logs.submit(records).await?;
    Ok((StatusCode::CREATED, Json(Value::Null)))
}

async fn filter(State(app): State<App>, Db(store): Db, Body(body): Body<ListLogs>) -> Result<Json<Vec<Log>>, ApiError> {
    let limit = app.limit(body.limit)?;
    let (sort, offset) = (body.sort.unwrap_or(LogSort::TimestampAsc), body.offset.unwrap_or(0));
    let logs = store.read(async move |tx: &mut Tx| tx.list_logs(body.logs.as_ref(), sort, limit, offset).await).await?;
    Ok(Json(logs))
}

/// All records of a flow run as CSV, page by page, so that a long log is never in memory as a whole.
async fn download(Db(store): Db, Id(id): Id) -> Result<Response, ApiError> {
    let run = store.read(async move |tx: &mut Tx| tx.read_flow_run(id).await).await?;
    let name = run.ok_or_else(|| ApiError::not_found("Flow run not found"))?.name;
    let start = Pages { store, id, after: None, state: Next::Head };
    let pages = futures::stream::try_unfold(start, async |mut pages: Pages| {
        let chunk = pages.next().await?;
        Ok::<_, tidegate_store::Error>(chunk.map(|chunk| (chunk, pages)))
    });
    let disposition =
        format!("attachment; filename=\"flow-run-logs.csv\"; filename*=UTF-8''{}", quoted(&format!("{name}-logs.csv")));
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, ResponseBody::from_stream(pages)).into_response())
}

enum Next {
    Head,
    Page,
    End,
}

struct Pages {
    store: Store,
    id: Uuid,
    after: Option<(Timestamp, Uuid)>,
    state: Next,
}

impl Pages {
    async fn next(&mut self) -> tidegate_store::Result<Option<Bytes>> {
        match self.state {
            Next::Head => {
                self.state = Next::Page;
                Ok(Some(Bytes::from_static(b"timestamp,level,flow_run_id,task_run_id,message\r\n")))
            }
            Next::Page => {
                let (id, after) = (self.id, self.after);
                let logs = self.store.read(async move |tx: &mut Tx| tx.list_logs_after(id, after, PAGE).await).await?;
                let Some(last) = logs.last() else { return Ok(None) };
                self.after = Some((last.timestamp, last.id));
                if (logs.len() as i64) < PAGE {
                    self.state = Next::End;
                }
                let mut text = String::new();
                for log in &logs {
                    push_line(&mut text, log);
                }
                Ok(Some(text.into()))
            }
            Next::End => Ok(None),
        }
    }
}

fn push_line(text: &mut String, log: &Log) {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let time = log.timestamp.datetime();
    let format =
        if time.timestamp_subsec_micros() == 0 { "%Y-%m-%d %H:%M:%S+00:00" } else { "%Y-%m-%d %H:%M:%S%.6f+00:00" };
    // Writing to a string cannot fail.
    let (flow_run, task_run) = (id(log.flow_run_id), id(log.task_run_id));
    let _ = write!(text, "{},{},{flow_run},{task_run},", time.format(format), log.level);
    if log.message.contains([',', '"', '\r', '\n']) {
        text.push('"');
        text.push_str(&log.message.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(&log.message);
    }
    text.push_str("\r\n");
}

/// Percent-encoded, all but letters, digits and `_.-~`.
fn quoted(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
