//! `import-from`: copies what is configured on a running Prefect server to ours.

use tidegate_client::{Client, Config, Credentials};

use super::{transfer, values};
use crate::copy::Options;
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::Settings;

#[derive(clap::Args)]
pub struct Arguments {
    /// The API of the server to copy from, such as http://127.0.0.1:4200/api
    url: String,
    /// `user:password` of that server; `@file` or `-` for stdin
    #[arg(long, value_name = "STRING", conflicts_with = "key")]
    auth_string: Option<String>,
    /// API key for that server; `@file` or `-` for stdin
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: &Arguments, client: &Client, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let secret = |text: &String| values::text_of(text).map(|text| text.trim().to_owned());
    // The way to it (certificates, retries, patience) is as to our own.
    let mut config = Config { api_url: address(&arguments.url)?, ..client.config().clone() };
    config.credentials = match (&arguments.auth_string, &arguments.key) {
        (Some(text), _) => Credentials::Basic(secret(text)?),
        (None, Some(key)) => Credentials::Bearer(secret(key)?),
        (None, None) => Credentials::None,
    };
    config.custom_headers.clear();
    let source = Client::new(config)?;
    transfer::between(&source, client, &arguments.options, settings, out).await
}

/// The API's address; the `/api` at its end is easily forgotten.
fn address(url: &str) -> Result<String, Failure> {
    let url = url.trim_end_matches('/');
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let failure = Failure::usage(format!("`{url}` is no address of an API"));
        return Err(failure.hint("for example http://127.0.0.1:4200/api"));
    }
    let has_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    Ok(if has_path { url.to_owned() } else { format!("{url}/api") })
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_without_a_path_gets_the_usual_one() {
        assert_eq!(address("http://h:4200").unwrap(), "http://h:4200/api");
        assert_eq!(address("https://h/base/api/").unwrap(), "https://h/base/api");
        assert!(address("h:4200").is_err());
    }
}
