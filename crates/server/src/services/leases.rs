//! Ends leases: of runs whose owner went silent, and of concurrency slots that nobody renewed.

use tidegate_store::Tx;

use super::{Report, Service};
use crate::App;

const BATCH: i64 = 100;

pub struct Leases;

impl Service for Leases {
    const NAME: &'static str = "leases";

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        let (lost, expired) = app
            .store
            .read(async move |tx: &mut Tx| {
                Ok::<_, tidegate_store::Error>((tx.list_lost_runs(BATCH).await?, tx.list_expired_leases(BATCH).await?))
            })
            .await?;
        let items = (lost.len() + expired.len()) as u64;
        let more = lost.len() as i64 == BATCH || expired.len() as i64 == BATCH;
        for id in lost {
            let settled = app.store.write(id, async move |tx: &mut Tx| tx.settle_lost_run(id).await).await?;
            if let Some(state) = settled.and_then(|changed| changed.result.state) {
                tracing::warn!(flow_run.id = %id, "the owner of flow run {id} went silent; the run is now {}", state.name);
            }
        }
        for id in expired {
            app.store.write(id, async move |tx: &mut Tx| tx.release_lease(id).await).await?;
        }
        Ok(Report { items, more })
    }
}
