//! Fails paused runs that nobody resumed in time.

use tidegate_core::state::{StateCreate, StateType};
use tidegate_store::{Tx, flow_run_states::Proposal};

use super::{Report, Service};
use crate::App;

const BATCH: i64 = 200;

pub struct PauseExpirations;

impl Service for PauseExpirations {
    const NAME: &'static str = "pause_expirations";

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        let expired = app.store.read(async move |tx: &mut Tx| tx.list_expired_pauses(BATCH).await).await?;
        let items = expired.len() as u64;
        for id in expired {
            let proposed = StateCreate {
                message: Some("The flow was paused and never resumed.".into()),
                ..StateCreate::of(StateType::Failed)
            };
            app.store
                .write(id, async move |tx: &mut Tx| {
                    tx.set_flow_run_state(id, proposed.clone(), &Proposal::internal()).await
                })
                .await?;
        }
        Ok(Report { items, more: items as i64 == BATCH })
    }
}
