//! `deployment run`: creates a flow run, now or later, and may wait for its end.

use std::time::Duration;

use serde_json::{Map, Value};
use tidegate_api::deployments::{Deployment, DeploymentFlowRunCreate};
use tidegate_client::Client;
use tidegate_core::json::Json;
use tidegate_core::state::{StateCreate, StateType};

use crate::commands::{lookup, values, watch};
use crate::connection;
use crate::failure::Failure;
use crate::out::{self, Out};
use crate::settings::Settings;

#[derive(clap::Args)]
pub struct Arguments {
    /// FLOW/DEPLOYMENT, or an id
    name: Option<String>,
    #[arg(long)]
    id: Option<String>,
    /// A parameter, KEY=VALUE, the value as JSON or text; may be repeated
    #[arg(short, long = "param", value_name = "KEY=VALUE")]
    parameters: Vec<String>,
    /// All parameters: a JSON object, `@file`, or `-` for stdin
    #[arg(long = "params", value_name = "JSON")]
    parameter_object: Option<String>,
    /// A job variable, KEY=VALUE, the value as JSON or text; may be repeated
    #[arg(long = "job-variable", value_name = "KEY=VALUE")]
    job_variables: Vec<String>,
    /// Start after this time: `5 minutes`, `2h`
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    start_in: Option<String>,
    /// Start at this time: `17:45`, `tomorrow 7:30`, `2026-03-01 07:30`
    #[arg(long, value_name = "TIME")]
    start_at: Option<String>,
    /// May be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Name of the run
    #[arg(long, value_name = "NAME")]
    flow_run_name: Option<String>,
    /// Wait until the run has ended; fail unless it completed
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks at the run
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    watch_interval: f64,
    /// Give up waiting after this many seconds
    #[arg(long, value_name = "SECONDS")]
    watch_timeout: Option<u64>,
}

pub(super) async fn run(
    arguments: Arguments,
    client: &Client,
    settings: &Settings,
    out: &mut Out,
) -> anyhow::Result<()> {
    let interval = Duration::try_from_secs_f64(arguments.watch_interval)
        .map_err(|_| Failure::usage("`--watch-interval` must not be negative"))?;
    let start = values::start_time(arguments.start_in.as_deref(), arguments.start_at.as_deref(), out.now)?;
    let parameters = parameters(&arguments)?;
    let job_variables = values::pairs(&arguments.job_variables, "--job-variable")?;
    let deployment = lookup::deployment_of(client, arguments.name.as_deref(), arguments.id.as_deref()).await?;
    check(&parameters, &deployment)?;
    let mut state = StateCreate::of(StateType::Scheduled);
    state.state_details.scheduled_time = Some(start.unwrap_or(out.now).into());
    let create = DeploymentFlowRunCreate {
        state: Some(state),
        name: arguments.flow_run_name,
        parameters: Json::from(Value::Object(parameters)),
        tags: arguments.tags,
        job_variables: (!job_variables.is_empty()).then(|| Json::from(Value::Object(job_variables))),
        ..DeploymentFlowRunCreate::default()
    };
    let run = client.create_flow_run_from_deployment(deployment.id, &create).await?;
    let when = start.map_or_else(|| "now".to_owned(), |start| out::relative(start, out.now));
    out.note(format!("Flow run `{}` is created; it starts {when}.", run.name))?;
    if let Some(ui_url) = connection::ui_url(settings) {
        out.note(format!("  {ui_url}/runs/flow-run/{}", run.id))?;
    }
    if arguments.watch {
        let timeout = arguments.watch_timeout.map(Duration::from_secs);
        return watch::run(run.id, &watch::Patience { interval, timeout }, client, out).await;
    }
    if out.is_json() { Ok(out.json(&run)?) } else { Ok(out.line(run.id.to_string())?) }
}

/// `--param` goes before `--params`.
fn parameters(arguments: &Arguments) -> anyhow::Result<Map<String, Value>> {
    let mut parameters = match &arguments.parameter_object {
        Some(text) => values::object(text, "--params")?,
        None => Map::new(),
    };
    parameters.extend(values::pairs(&arguments.parameters, "--param")?);
    Ok(parameters)
}

/// A parameter that the flow does not have is a typing error; where flows take any, the server decides.
fn check(parameters: &Map<String, Value>, deployment: &Deployment) -> Result<(), Failure> {
    let schema = deployment.parameter_openapi_schema.as_ref().map(Json::value);
    let Some(known) =
        schema.as_ref().and_then(|schema| schema["properties"].as_object()).filter(|known| !known.is_empty())
    else {
        return Ok(());
    };
    let takes_any = schema.as_ref().is_some_and(|schema| schema["additionalProperties"].as_bool() == Some(true));
    match parameters.keys().find(|name| !known.contains_key(*name) && !takes_any) {
        Some(name) => {
            let names = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("the flow has no parameter `{name}`")).hint(format!("it has: {names}")))
        }
        None => Ok(()),
    }
}
