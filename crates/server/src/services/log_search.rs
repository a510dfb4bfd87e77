//! Prepares searches for words in log records: notes which letters occur where, behind the records that come in.

use tidegate_store::Tx;

use super::{Report, Service};
use crate::App;

pub struct LogSearch;

impl Service for LogSearch {
    const NAME: &'static str = "log_search";

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        // First what cannot be believed: new blocks take its places.
        let mut gone = 0;
        if app.store.read(async move |tx: &mut Tx| tx.has_stale_log_blocks().await).await? {
            gone = app.store.write("log blocks", async move |tx: &mut Tx| tx.delete_stale_log_blocks().await).await?;
        }
        let Some(new) = app.store.read(async move |tx: &mut Tx| tx.read_new_log_blocks().await).await? else {
            return Ok(Report::items(gone));
        };
        let report = Report { items: gone + new.count(), more: new.more };
        app.store.write("log blocks", async move |tx: &mut Tx| tx.create_log_blocks(&new).await).await?;
        Ok(report)
    }
}
