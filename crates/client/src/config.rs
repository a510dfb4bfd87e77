//! What a client needs to know before its first request.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// How the client says who it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    #[default]
    None,
    /// `user:password` of a self-hosted server.
    Basic(String),
    /// An API key.
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(_) => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

/// Settings of a [`crate::Client`]; start from [`Config::new`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Up to and including `/api`, or `/api/accounts/{a}/workspaces/{w}`.
    pub api_url: String,
    pub credentials: Credentials,
    /// Sent with every request (`PREFECT_CLIENT_CUSTOM_HEADERS`).
    pub custom_headers: BTreeMap<String, String>,
    /// Fetch and send CSRF tokens.
    pub csrf: bool,
    /// Of one attempt, from the first byte sent to the last received.
    pub timeout: Duration,
    pub max_retries: u32,
    /// Part of each wait that is random, from 0 to 1.
    pub retry_jitter: f64,
    /// Status codes to retry beside 408, 429, 502 and 503.
    pub retry_extra_codes: Vec<u16>,
    /// Certificates to trust instead of the system's, PEM.
    pub certificate_file: Option<PathBuf>,
    pub accept_invalid_certificates: bool,
}

impl Config {
    pub fn new(api_url: impl Into<String>) -> Self {
        Self {
            api_url: api_url.into(),
            credentials: Credentials::None,
            custom_headers: BTreeMap::new(),
            csrf: false,
            timeout: Duration::from_mins(1),
            max_retries: 5,
            retry_jitter: 0.2,
            retry_extra_codes: Vec::new(),
            certificate_file: None,
            accept_invalid_certificates: false,
        }
    }
}
