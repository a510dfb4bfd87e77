//! Log records of a run: choosing which, printing them, and following them while the run is going on.

use std::collections::HashSet;
use std::time::Duration;

use tidegate_api::filters::{LogFilter, ReferenceFilter, TimeFilter};
use tidegate_api::flow_runs::FlowRun;
use tidegate_api::logs::{Log, LogSort};
use tidegate_client::Client;
use tidegate_core::state::StateType;
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use super::lookup;
use crate::failure::Failure;
use crate::out::Out;

#[derive(clap::Args)]
pub struct Arguments {
    /// Only the first lines
    #[arg(long, conflicts_with = "tail")]
    head: bool,
    /// Only the last lines
    #[arg(short, long)]
    tail: bool,
    /// How many first or last lines
    #[arg(short, long, value_name = "COUNT")]
    num_logs: Option<usize>,
    /// Newest first
    #[arg(short, long, conflicts_with = "tail")]
    reverse: bool,
}

const DEFAULT_COUNT: usize = 20;

/// Whose records.
#[derive(Clone, Copy)]
pub enum Owner {
    FlowRun(Uuid),
    TaskRun(Uuid),
}

impl Owner {
    fn filter(self, after: Option<Timestamp>) -> LogFilter {
        let any = |id| Some(ReferenceFilter { any_: Some(vec![id]), ..ReferenceFilter::default() });
        let timestamp = after.map(|after| TimeFilter { after_: Some(after), ..TimeFilter::default() });
        match self {
            Self::FlowRun(id) => LogFilter { flow_run_id: any(id), timestamp, ..LogFilter::default() },
            Self::TaskRun(id) => LogFilter { task_run_id: any(id), timestamp, ..LogFilter::default() },
        }
    }
}

pub async fn show(arguments: &Arguments, owner: Owner, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    if arguments.num_logs.is_some() && !(arguments.head || arguments.tail || arguments.reverse) {
        return Err(Failure::usage("`--num-logs` needs `--head` or `--tail`").into());
    }
    let limit = (arguments.head || arguments.tail || arguments.num_logs.is_some())
        .then(|| arguments.num_logs.unwrap_or(DEFAULT_COUNT));
    let sort = if arguments.tail || arguments.reverse { LogSort::TimestampDesc } else { LogSort::TimestampAsc };
    let filter = owner.filter(None);
    let mut logs = lookup::every(limit, async |page| client.list_logs(&filter, sort, page).await).await?;
    if arguments.tail {
        logs.reverse();
    }
    if out.is_json() {
        return Ok(out.json(&logs)?);
    }
    for log in &logs {
        print(log, out)?;
    }
    Ok(())
}

pub fn print(log: &Log, out: &mut Out) -> std::io::Result<()> {
    let time = log.timestamp.datetime().with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S%.3f");
    out.line(format!("{time} | {:<8} | {} | {}", level(log.level), log.name, log.message))
}

/// Python's names for the levels of records.
fn level(level: i64) -> String {
    match level {
        10 => "DEBUG".to_owned(),
        20 => "INFO".to_owned(),
        30 => "WARNING".to_owned(),
        40 => "ERROR".to_owned(),
        50 => "CRITICAL".to_owned(),
        other => format!("Level {other}"),
    }
}

/// Prints records as they come, each once, until the flow run has ended and its last records are printed.
pub struct Follower<'a> {
    client: &'a Client,
    owner: Owner,
    printed: HashSet<Uuid>,
    newest: Option<Timestamp>,
}

impl<'a> Follower<'a> {
    pub fn new(client: &'a Client, flow_run: Uuid) -> Self {
        Self { client, owner: Owner::FlowRun(flow_run), printed: HashSet::new(), newest: None }
    }

    /// Prints what has come since the last call. Records may arrive out of order: a little overlap finds the late ones.
    pub async fn catch_up(&mut self, out: &mut Out) -> anyhow::Result<()> {
        const OVERLAP_SECONDS: f64 = 10.0;
        let filter = self.owner.filter(self.newest.map(|newest| newest.plus_seconds(-OVERLAP_SECONDS)));
        let client = self.client;
        let logs =
            lookup::every(None, async |page| client.list_logs(&filter, LogSort::TimestampAsc, page).await).await?;
        for log in &logs {
            self.take(log, out)?;
        }
        Ok(())
    }

    fn take(&mut self, log: &Log, out: &mut Out) -> anyhow::Result<()> {
        if !self.printed.insert(log.id) {
            return Ok(());
        }
        self.newest = self.newest.max(Some(log.timestamp));
        if out.is_json() { Ok(out.line(serde_json::to_string(log)?)?) } else { Ok(print(log, out)?) }
    }

    /// Follows the run to its end. The stream makes records appear at once; looking once a second finds what the stream
    /// lost, and serves alone where there is none.
    pub async fn follow(mut self, flow_run: Uuid, out: &mut Out) -> anyhow::Result<()> {
        let mut stream = Some(self.client.subscribe_logs(&self.owner.filter(None)));
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            let streamed = async {
                match &mut stream {
                    Some(stream) => Box::pin(stream.next()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                log = streamed => match log {
                    Ok(log) => self.take(&log, out)?,
                    Err(error) => {
                        tracing::debug!("no stream of logs: {error}");
                        stream = None;
                    }
                },
                _ = tick.tick() => {
                    let run = self.client.require_flow_run(flow_run).await?;
                    self.catch_up(out).await?;
                    if has_settled(&run) {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Whether the run ended long enough ago that its process has sent its last records: the SDK sends them in batches, and
/// the last one after the state.
fn has_settled(run: &FlowRun) -> bool {
    const LAST_BATCH_SECONDS: f64 = 4.0;
    let is_terminal = run.state_type.is_some_and(StateType::is_terminal);
    let since = run.state.as_ref().map_or(f64::INFINITY, |state| crate::now().seconds_since(state.timestamp));
    is_terminal && since > LAST_BATCH_SECONDS
}
