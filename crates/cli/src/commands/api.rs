//! `api`: any request to the API, for what has no command of its own. Prints the answer and nothing else to stdout.

use serde_json::Value;
use tidegate_client::{Client, Error, Method};

use super::values;
use crate::failure::Failure;
use crate::out::Out;

#[derive(clap::Args)]
pub struct Arguments {
    /// HTTP method: GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS
    method: String,
    /// Path below the API's URL, such as /flows/filter
    path: String,
    /// Body: JSON, `@file` or `-` for stdin; a POST without one sends {}
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// A header, `Name: value`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Show status and headers of the answer on stderr
    #[arg(short, long)]
    verbose: bool,
    /// PATH starts at the server's root instead of the API's
    #[arg(long)]
    root: bool,
    /// PATH starts at the account instead of the workspace, where the API's URL names them
    #[arg(long, conflicts_with = "root")]
    account: bool,
}

pub async fn run(arguments: Arguments, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let method = Method::from_bytes(arguments.method.to_uppercase().as_bytes())
        .map_err(|_| Failure::usage(format!("`{}` is not an HTTP method", arguments.method)))?;
    let body = match (&arguments.data, &method) {
        (Some(data), _) => Some(values::text_of(data)?),
        (None, &Method::POST) => Some("{}".to_owned()),
        (None, _) => None,
    };
    let client = adjusted(client, &arguments)?;
    let path = format!("/{}", arguments.path.trim_start_matches('/'));
    match client.request(method, &path, body.map(Into::into)).await {
        Ok(response) => {
            if arguments.verbose {
                out.note(format!("HTTP {}", response.status))?;
                for (name, value) in &response.headers {
                    out.note(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))?;
                }
            }
            show(&response.body, out)
        }
        Err(Error::Status { status, body, operation, message }) => {
            out.json(&body)?;
            Err(Error::Status { status, body: Value::Null, operation, message }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The client with the headers and the address that this one request wants.
fn adjusted(client: &Client, arguments: &Arguments) -> anyhow::Result<Client> {
    let mut config = client.config().clone();
    for header in &arguments.headers {
        let Some((name, value)) = header.split_once(':') else {
            return Err(Failure::usage(format!("`--header {header}` is not of the form `Name: value`")).into());
        };
        config.custom_headers.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    if arguments.root {
        let end = config.api_url.find("/api").unwrap_or(config.api_url.len());
        config.api_url.truncate(end);
    }
    if arguments.account {
        let Some(end) = config.api_url.find("/workspaces/") else {
            let failure = Failure::usage(format!("{} names no account", config.api_url));
            return Err(failure.hint("an account's URL is …/api/accounts/ID/workspaces/ID").into());
        };
        config.api_url.truncate(end);
    }
    Ok(Client::new(config)?)
}

fn show(body: &[u8], out: &mut Out) -> anyhow::Result<()> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => out.json(&value)?,
        Err(_) if body.is_empty() => {}
        Err(_) => out.line(String::from_utf8_lossy(body).trim_end())?,
    }
    Ok(())
}
