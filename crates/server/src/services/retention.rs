//! Lets old rows go: logs, events and the states of runs by the week, and finished runs with all they hold. A run that is
//! not finished stays, however old it is; only its oldest states go.

use tidegate_core::time::Timestamp;
use tidegate_store::{Partitioned, Tx};

use super::{Report, Service};
use crate::App;

/// Runs deleted in one transaction.
const RUNS: i64 = 100;
/// Firings of automations deleted in one transaction.
const FIRINGS: i64 = 500;
/// Requests of webhooks deleted in one transaction.
const WEBHOOK_REQUESTS: i64 = 1000;
/// How long the outbox remembers: much longer than any subscriber may be behind.
const OUTBOX_SECONDS: f64 = 3600.0;

pub struct Retention;

impl Service for Retention {
    const NAME: &'static str = "retention";

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        let now = app.store.now();
        let settings = &app.settings.services;
        // The weeks to come first: without them PostgreSQL would put new rows into the table of the rest.
        app.store.write("partitions", async move |tx: &mut Tx| tx.prepare_partitions().await).await?;
        let mut report = Report::default();
        for (kind, seconds) in [
            (Partitioned::Event, settings.event_retention_seconds),
            (Partitioned::EventLink, settings.event_retention_seconds),
            (Partitioned::Log, settings.log_retention_seconds),
        ] {
            drop_before(app, kind, now, seconds, &mut report).await?;
        }
        let outbox = now.plus_seconds(-OUTBOX_SECONDS);
        report.items +=
            app.store.write("outbox", async move |tx: &mut Tx| tx.delete_outbox_before(outbox).await).await?;
        let kept = settings.event_retention_seconds;
        if kept > 0.0 {
            // What fired is known for as long as the events that made it fire.
            let before = now.plus_seconds(-kept);
            let firings = app
                .store
                .write("firings", async move |tx: &mut Tx| tx.delete_firings_before(before, FIRINGS).await)
                .await?;
            report.items += firings;
            report.more |= firings as i64 >= FIRINGS;
        }
        forget_webhook_requests(app, now, &mut report).await?;
        let forgotten = now.plus_seconds(-WEEK_SECONDS);
        report.items += app
            .store
            .write("clean-up", async move |tx: &mut Tx| tx.delete_cleanup_messages_before(forgotten).await)
            .await?;
        let kept = settings.run_retention_seconds;
        if kept > 0.0 {
            let before = now.plus_seconds(-kept);
            let runs =
                app.store.write("runs", async move |tx: &mut Tx| tx.delete_runs_before(before, RUNS).await).await?;
            report.items += runs;
            report.more |= runs as i64 >= RUNS;
            // States outlive their runs by no more than a week.
            for kind in [Partitioned::FlowRunState, Partitioned::TaskRunState] {
                drop_before(app, kind, now, kept + WEEK_SECONDS, &mut report).await?;
            }
        }
        Ok(report)
    }
}

/// The log of webhooks: what is old, and what is more than is kept of each.
async fn forget_webhook_requests(app: &App, now: Timestamp, report: &mut Report) -> anyhow::Result<()> {
    let (seconds, keep) = (app.settings.webhooks.request_retention_seconds, app.settings.webhooks.requests_kept);
    let gone = app
        .store
        .write("webhook requests", async move |tx: &mut Tx| {
            let trimmed = tx.trim_webhook_requests(keep).await?;
            if seconds <= 0.0 {
                return Ok((trimmed, 0));
            }
            let old = tx.delete_webhook_requests_before(now.plus_seconds(-seconds), WEBHOOK_REQUESTS).await?;
            Ok::<_, tidegate_store::Error>((trimmed, old))
        })
        .await?;
    report.items += gone.0 + gone.1;
    report.more |= gone.1 as i64 >= WEBHOOK_REQUESTS;
    Ok(())
}

const WEEK_SECONDS: f64 = 7.0 * 86_400.0;

/// Drops what is older than so many seconds; nothing when they are 0.
async fn drop_before(
    app: &App,
    kind: Partitioned,
    now: Timestamp,
    seconds: f64,
    report: &mut Report,
) -> anyhow::Result<()> {
    if seconds <= 0.0 {
        return Ok(());
    }
    let before = now.plus_seconds(-seconds);
    let (tables, rows) =
        app.store.write("partitions", async move |tx: &mut Tx| tx.drop_partitions_before(kind, before).await).await?;
    if tables > 0 {
        tracing::info!("dropped {tables} week(s) of {} older than {before}", kind.table());
    }
    report.items += tables as u64 + rows;
    report.more |= rows > 0;
    Ok(())
}
