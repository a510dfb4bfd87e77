//! `event`: follow what happens, and say that something happened.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;
use tidegate_api::events::{Event, EventFilter, OccurredFilter, ReceivedEvent, Resource};
use tidegate_client::Client;
use tidegate_core::json::Json;
use uuid::Uuid;

use super::values;
use crate::failure::Failure;
use crate::out::Out;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Print events as they happen
    Stream {
        /// One JSON document per line, or a line for people
        #[arg(long, value_enum, default_value_t)]
        format: Form,
        /// Append to this file instead of printing
        #[arg(long)]
        output_file: Option<PathBuf>,
        /// Stop after the first event
        #[arg(long)]
        run_once: bool,
        /// Accepted for scripts made for the reference: an account has one workspace
        #[arg(long, hide = true)]
        account: bool,
    },
    /// Send one event
    Emit {
        /// The event's name
        event: String,
        /// A label of the resource, KEY=VALUE, or all as a JSON object; may be repeated
        #[arg(short, long, value_name = "LABEL")]
        resource: Vec<String>,
        /// The resource's id: short for `--resource prefect.resource.id=ID`
        #[arg(long, value_name = "ID")]
        resource_id: Option<String>,
        /// Related resources: a JSON object, or a list of them
        #[arg(long, value_name = "JSON")]
        related: Option<String>,
        /// Details, a JSON object
        #[arg(short, long, value_name = "JSON")]
        payload: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    #[default]
    Json,
    Text,
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Stream { format, output_file, run_once, account: _ } => {
            stream(format, output_file, run_once, client, out).await
        }
        Command::Emit { event, resource, resource_id, related, payload } => {
            let event = Event {
                occurred: out.now,
                event,
                resource: labels(&resource, resource_id)?,
                related: related.as_deref().map(related_resources).transpose()?.unwrap_or_default(),
                payload: Json::from(Value::Object(
                    payload.map(|payload| values::object(&payload, "--payload")).transpose()?.unwrap_or_default(),
                )),
                id: Uuid::now_v7(),
                follows: None,
            };
            client.create_events(std::slice::from_ref(&event)).await?;
            if out.is_json() {
                return Ok(out.json(&event)?);
            }
            out.note(format!("Event `{}` is sent ({}).", event.event, event.id))?;
            Ok(())
        }
    }
}

const YEAR_SECONDS: f64 = 365.0 * 86_400.0;

async fn stream(form: Form, file: Option<PathBuf>, once: bool, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let mut file = match &file {
        Some(path) => {
            let opened = File::options().create(true).append(true).open(path);
            Some(opened.with_context(|| format!("cannot write `{}`", path.display()))?)
        }
        None => None,
    };
    // From now on; a server that gets no end of time would refuse the filter.
    let occurred = OccurredFilter { since: Some(out.now), until: Some(out.now.plus_seconds(YEAR_SECONDS)) };
    let mut events = client.subscribe_events(&EventFilter { occurred: Some(occurred), ..EventFilter::default() });
    Box::pin(events.connect()).await?;
    out.note("Waiting for events; Ctrl-C stops.")?;
    loop {
        let line = line(&Box::pin(events.next()).await?, form)?;
        match &mut file {
            Some(file) => writeln!(file, "{line}").context("cannot write the event")?,
            None => out.line(line)?,
        }
        if once {
            return Ok(());
        }
    }
}

fn line(event: &ReceivedEvent, form: Form) -> anyhow::Result<String> {
    match form {
        Form::Json => Ok(serde_json::to_string(event)?),
        Form::Text => {
            let time = event.occurred.datetime().with_timezone(&chrono::Local).format("%H:%M:%S%.3f");
            let resource = event.resource.get("prefect.resource.id").map_or("", String::as_str);
            Ok(format!("{time} {} {resource}", event.event))
        }
    }
}

fn labels(given: &[String], id: Option<String>) -> anyhow::Result<Resource> {
    let mut labels = Resource::new();
    for text in given {
        if text.trim_start().starts_with('{') {
            let object = values::object(text, "--resource")?;
            labels.extend(object.into_iter().map(|(name, value)| (name, plain(value))));
            continue;
        }
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::usage(format!("`--resource {text}` is neither KEY=VALUE nor a JSON object")).into());
        };
        labels.insert(name.to_owned(), value.to_owned());
    }
    if let Some(id) = id {
        labels.insert("prefect.resource.id".to_owned(), id);
    }
    if !labels.contains_key("prefect.resource.id") {
        let failure = Failure::usage("an event is about a resource, and a resource has an id");
        return Err(failure.hint("add `--resource-id my.thing.1`").into());
    }
    Ok(labels)
}

fn related_resources(text: &str) -> anyhow::Result<Vec<Resource>> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Failure::usage(format!("`--related` is not JSON: {error}")))?;
    let items = match value {
        Value::Array(items) => items,
        item => vec![item],
    };
    let resource = |item| match item {
        Value::Object(labels) => Ok(labels.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        _ => Err(Failure::usage("`--related` must be a JSON object or a list of them").into()),
    };
    items.into_iter().map(resource).collect()
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
