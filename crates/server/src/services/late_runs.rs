//! Marks runs that nobody has started in time.

use tidegate_core::{
    orchestration::{FlowRunPolicyKind, Status},
    state::{StateCreate, StateDetails, StateType},
};
use tidegate_store::{Tx, flow_run_states::Proposal};

use super::{Report, Service};
use crate::App;

const BATCH: i64 = 400;

pub struct LateRuns;

impl Service for LateRuns {
    const NAME: &'static str = "late_runs";

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        let after = app.settings.services.late_after_seconds;
        let late = app.store.read(async move |tx: &mut Tx| tx.list_late_runs(after, BATCH).await).await?;
        let more = late.len() as i64 == BATCH;
        let proposal = Proposal { waits: app.waits(), ..Proposal::internal().by(FlowRunPolicyKind::MarkLate) };
        let items = app
            .store
            .write("late_runs", async move |tx: &mut Tx| {
                let mut items = 0;
                for (id, scheduled_time) in late.clone() {
                    let details =
                        StateDetails { scheduled_time: Some(scheduled_time.into()), ..StateDetails::default() };
                    let proposed = StateCreate {
                        name: Some("Late".into()),
                        state_details: details,
                        ..StateCreate::of(StateType::Scheduled)
                    };
                    let changed = tx.set_flow_run_state(id, proposed, &proposal).await?;
                    items += u64::from(changed.is_some_and(|changed| changed.result.status == Status::Accept));
                }
                Ok::<_, tidegate_store::Error>(items)
            })
            .await?;
        Ok(Report { items, more: more && items > 0 })
    }
}
