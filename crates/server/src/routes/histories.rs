//! Histories over HTTP: spans of time with the numbers of runs that were expected in them, by state.

use tidegate_api::{
    filters::RunFilters,
    histories::{History, HistoryRequest, HistoryState},
};
use tidegate_core::time::Timestamp;
use tidegate_store::{SpanCount, Spans, Tx};

use crate::{
    answer::Json,
    error::ApiError,
    extract::{Body, Db},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes.post("/flow_runs/history", of_flow_runs).post("/task_runs/history", of_task_runs)
}

/// Longer histories are cut off here.
const MOST_SPANS: i64 = 500;
const SECOND: i64 = 1_000_000;

async fn of_flow_runs(Db(store): Db, Body(body): Body<HistoryRequest>) -> Result<Json<Vec<History>>, ApiError> {
    let Some(asked) = Asked::of(&body)? else { return Ok(Json(Vec::new())) };
    let filters = filters(body);
    let counts = store
        .read(async move |tx: &mut Tx| {
            tx.count_flow_runs_by_span(&filters, asked.spans, asked.start_of(asked.count)).await
        })
        .await?;
    Ok(Json(asked.answer(counts)))
}

async fn of_task_runs(Db(store): Db, Body(body): Body<HistoryRequest>) -> Result<Json<Vec<History>>, ApiError> {
    let Some(asked) = Asked::of(&body)? else { return Ok(Json(Vec::new())) };
    let filters = filters(body);
    let counts = store
        .read(async move |tx: &mut Tx| {
            tx.count_task_runs_by_span(&filters, asked.spans, asked.start_of(asked.count)).await
        })
        .await?;
    Ok(Json(asked.answer(counts)))
}

fn filters(request: HistoryRequest) -> RunFilters {
    RunFilters { work_pool_queues: request.work_queues, ..request.filters }
}

/// The spans that a request asks for.
#[derive(Clone, Copy)]
struct Asked {
    spans: Spans,
    count: i64,
}

impl Asked {
    /// `None` when the history ends before it begins.
    fn of(request: &HistoryRequest) -> Result<Option<Self>, ApiError> {
        let width = (request.history_interval_seconds * SECOND as f64).round_ties_even() as i64;
        if width < SECOND {
            return Err(ApiError::unprocessable("History interval must not be less than 1 second."));
        }
        let elapsed = request.history_end.micros().saturating_sub(request.history_start.micros());
        if elapsed <= 0 {
            return Ok(None);
        }
        let count = (elapsed.saturating_sub(1) / width + 1).min(MOST_SPANS);
        Ok(Some(Self { spans: Spans { start: request.history_start, length: width, parts: 1 }, count }))
    }

    /// The beginning of a span; those beyond the calendar of the wire begin at its end.
    fn start_of(&self, number: i64) -> Timestamp {
        let micros = self.spans.start.micros().saturating_add(number.saturating_mul(self.spans.length));
        Timestamp::nearest(micros)
    }

    /// Every span, also those without runs.
    fn answer(&self, counts: Vec<SpanCount>) -> Vec<History> {
        let empty = |number| History {
            interval_start: self.start_of(number),
            interval_end: self.start_of(number + 1),
            states: Vec::new(),
        };
        let mut history: Vec<History> = (0..self.count).map(empty).collect();
        for found in counts {
            let Some(span) = usize::try_from(found.span).ok().and_then(|span| history.get_mut(span)) else { continue };
            span.states.push(HistoryState {
                state_type: found.state_type,
                state_name: found.state_name,
                count_runs: found.runs,
                sum_estimated_run_time: found.run_time,
                sum_estimated_lateness: found.lateness,
            });
        }
        history
    }
}
