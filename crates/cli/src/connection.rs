//! The client that commands use, made from the settings. Refuses to send anything.

use tidegate_client::{Client, Config, Credentials};

use crate::commands::server::state;
use crate::settings::{Settings, server, table};

/// Where the API is: as set; else the server that this user started in the background; else where one would be.
pub fn api_url(settings: &Settings) -> String {
    if let Some(url) = settings.text(&table::client::API_URL) {
        return url.trim_end_matches('/').to_owned();
    }
    if let Some(running) = state::ServerFile::of(settings).read_running() {
        return running.api_url;
    }
    let host = settings.text(&table::server::API_HOST).unwrap_or("127.0.0.1");
    url_of(host, settings.count(&table::server::API_PORT), &server::base_path(settings))
}

/// The API's URL at an address; an address that means all of a machine's is replaced by its own.
pub fn url_of(host: &str, port: u64, base_path: &str) -> String {
    let host = match host {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "[::1]",
        host => host,
    };
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    format!("http://{host}:{port}{base_path}/api")
}

/// The web UI's address, if one was set.
pub fn ui_url(settings: &Settings) -> Option<String> {
    settings.text(&table::client::UI_URL).map(|url| url.trim_end_matches('/').to_owned())
}

pub fn config(settings: &Settings) -> Config {
    use table::client as key;
    let secret = |setting| settings.text(setting).map(ToOwned::to_owned);
    let mut config = Config::new(api_url(settings));
    // In the order of the reference, whose profiles may name both.
    config.credentials = match (secret(&key::API_AUTH_STRING), secret(&key::API_KEY)) {
        (Some(auth_string), _) => Credentials::Basic(auth_string),
        (None, Some(api_key)) => Credentials::Bearer(api_key),
        (None, None) => Credentials::None,
    };
    config.custom_headers = settings.map(&key::CLIENT_CUSTOM_HEADERS).into_iter().collect();
    config.csrf = settings.flag(&key::CLIENT_CSRF_SUPPORT_ENABLED);
    config.timeout = settings.duration(&key::API_REQUEST_TIMEOUT);
    config.max_retries = u32::try_from(settings.count(&key::CLIENT_MAX_RETRIES)).unwrap_or(u32::MAX);
    config.retry_jitter = settings.number(&key::CLIENT_RETRY_JITTER_FACTOR);
    config.retry_extra_codes =
        settings.list(&key::CLIENT_RETRY_EXTRA_CODES).iter().filter_map(|code| code.parse().ok()).collect();
    config.certificate_file = settings.path(&key::API_SSL_CERT_FILE);
    config.accept_invalid_certificates = settings.flag(&key::API_TLS_INSECURE_SKIP_VERIFY);
    config
}

/// Tries again for a good second: long enough for a busy server, short enough for somebody who waits to read that there
/// is none.
const RETRIES_OF_COMMANDS: u32 = 3;

/// The client for commands that a person waits for.
pub fn client(settings: &Settings) -> anyhow::Result<Client> {
    let mut config = config(settings);
    if !settings.is_set(&table::client::CLIENT_MAX_RETRIES) {
        config.max_retries = RETRIES_OF_COMMANDS;
    }
    Ok(Client::new(config)?)
}
