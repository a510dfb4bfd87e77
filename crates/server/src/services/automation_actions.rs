//! Carries out what automations have to do: takes actions that are due and does them, those of one firing in their order,
//! those of several at once.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tidegate_store::{Dialect, Tx, Wake};
use uuid::Uuid;

use super::{Report, Service};
use crate::{
    App,
    automations::{self, Outgoing, Requests, Tools},
};

/// Actions taken in one pass.
const BATCH: i64 = 16;
/// Firings whose actions are done at once.
const AT_ONCE: usize = 8;
/// How long a server has actions before another may take them. Longer than so many can take.
const TAKEN_SECONDS: f64 = 180.0;

pub struct AutomationActions {
    holder: Uuid,
    tools: Option<Arc<Tools>>,
    /// It has not looked yet.
    is_new: bool,
}

impl Default for AutomationActions {
    fn default() -> Self {
        Self { holder: Uuid::now_v7(), tools: None, is_new: true }
    }
}

impl Service for AutomationActions {
    const NAME: &'static str = "automation-actions";

    fn wakes_on(&self, wake: Wake) -> bool {
        wake == Wake::Automations
    }

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        if self.is_new && app.store.dialect() == Dialect::Sqlite {
            app.store.write("actions", async move |tx: &mut Tx| tx.release_actions().await).await?;
        }
        self.is_new = false;
        let now = app.store.now();
        let next = app.store.read(async move |tx: &mut Tx| tx.next_action_due().await).await?;
        if next.is_none_or(|due| now < due) {
            return Ok(Report::default());
        }
        let (holder, until) = (self.holder, now.plus_seconds(TAKEN_SECONDS));
        let taken = app
            .store
            .write("actions", async move |tx: &mut Tx| tx.take_due_actions(holder, until, BATCH).await)
            .await?;
        let items = taken.len();
        let tools = self.tools(app)?;
        stream::iter(automations::by_firing(taken))
            .for_each_concurrent(AT_ONCE, |actions| automations::carry_out(app, &tools, holder, actions))
            .await;
        Ok(Report { items: items as u64, more: items as i64 == BATCH })
    }
}

impl AutomationActions {
    /// Made when the first action is due.
    fn tools(&mut self, app: &App) -> anyhow::Result<Arc<Tools>> {
        if let Some(tools) = &self.tools {
            return Ok(tools.clone());
        }
        let tools = Arc::new(Tools {
            requests: Requests::new(app.clone()),
            outgoing: Outgoing::new(app.settings.allows_private_urls())?,
        });
        self.tools = Some(tools.clone());
        Ok(tools)
    }
}
