//! `flow`: the flows that runs and deployments belong to.

use comfy_table::Cell;
use tidegate_api::filters::RunFilters;
use tidegate_api::flows::FlowSort;
use tidegate_client::Client;

use super::lookup;
use crate::out::Out;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List flows, the newest first
    Ls {
        #[arg(long, default_value_t = 15)]
        limit: usize,
    },
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let Command::Ls { limit } = command;
    let filters = RunFilters::default();
    let flows =
        lookup::every(Some(limit), async |page| client.list_flows(&filters, FlowSort::CreatedDesc, page).await).await?;
    let columns = ["Id", "Name", "Tags", "Created"];
    Ok(out.items(&flows, "flows", &columns, |flow, out| {
        vec![Cell::new(flow.id), Cell::new(&flow.name), Cell::new(flow.tags.join(", ")), out.relative(flow.created)]
    })?)
}
