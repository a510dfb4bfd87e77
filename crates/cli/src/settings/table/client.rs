//! Settings of everything that talks to an API: commands, workers, the client; and of the command line itself.

use super::Fallback::{Derived, Is, Unset};

super::settings! {
    /// Folder of Tidegate's own data: the embedded database, its key, profiles, pid files.
    HOME = Path "home" Derived("`~/.tidegate`"), Client Own;
    /// File with Tidegate's profiles.
    PROFILES_PATH = Path "profiles_path" Derived("`$TIDEGATE_HOME/profiles.toml`"), Client Own;
    /// Folder of the reference, whose profiles are read as well.
    PREFECT_HOME = Path "prefect_home" Derived("`~/.prefect`"), Client Own also "PREFECT_HOME";
    /// File with the reference's profiles.
    PREFECT_PROFILES_PATH = Path "prefect_profiles_path" Derived("`$PREFECT_HOME/profiles.toml`"), Client Own
        also "PREFECT_PROFILES_PATH";
    /// Profile to use instead of the active one.
    PROFILE = Text "profile" Unset, Client Both;
    /// More output from everything: the log level becomes DEBUG.
    DEBUG_MODE = Flag "debug_mode" Is("false"), Client Both;
    /// Root of the API that commands and workers talk to. When unset: the server started in the background, else
    /// the address of `server.api`.
    API_URL = Text "api.url" Derived("the running background server, else `http://HOST:PORT/api`"), Client Both;
    /// `user:password` for a server that is protected by an auth string.
    API_AUTH_STRING = Secret "api.auth_string" Unset, Client Both;
    /// API key, sent as a bearer token.
    API_KEY = Secret "api.key" Unset, Client Both;
    /// Accept any certificate of the API. For experiments only.
    API_TLS_INSECURE_SKIP_VERIFY = Flag "api.tls_insecure_skip_verify" Is("false"), Client Both;
    /// File with the certificates that the API's one is checked against; unset means the system's.
    API_SSL_CERT_FILE = Path "api.ssl_cert_file" Unset, Client Both;
    /// How long one request may take.
    API_REQUEST_TIMEOUT = Seconds "api.request_timeout" Is("60"), Client Both;
    /// Colours in output to a terminal; `NO_COLOR` switches them off as well.
    CLI_COLORS = Flag "cli.colors" Is("true"), Client Both;
    /// Ask before destroying something; unset means only when a person is at the terminal.
    CLI_PROMPT = Flag "cli.prompt" Unset, Client Both;
    /// Fit tables to the width of the terminal.
    CLI_WRAP_LINES = Flag "cli.wrap_lines" Is("true"), Client Both;
    /// How often a request is tried again after a failure that may pass.
    CLIENT_MAX_RETRIES = Integer "client.max_retries" Is("5"), Client Both;
    /// Share of randomness in the pause before a new try.
    CLIENT_RETRY_JITTER_FACTOR = Number "client.retry_jitter_factor" Is("0.2"), Client Both;
    /// Further HTTP status codes after which a request is tried again.
    CLIENT_RETRY_EXTRA_CODES = List "client.retry_extra_codes" Is(""), Client Both;
    /// Fetch a CSRF token before changing requests, if the server asks for one.
    CLIENT_CSRF_SUPPORT_ENABLED = Flag "client.csrf_support_enabled" Is("true"), Client Both;
    /// Headers added to every request.
    CLIENT_CUSTOM_HEADERS = Map "client.custom_headers" Is("{}"), Client Both;
    /// Address of a web UI; commands print links to it when it is set.
    UI_URL = Text "ui_url" Unset, Client Both;
    /// How much commands and workers log.
    LOGGING_LEVEL = Level "logging.level" Is("INFO"), Client Both;
    /// `pretty` for people or `json` for collectors.
    LOGGING_FORMAT = Text "logging.format" Is("pretty"), Client Own;
    /// Filter of the log by module, such as `info,tidegate_store=debug`; wins over the levels.
    LOGGING_FILTER = Text "logging.filter" Unset, Client Own also "TIDEGATE_LOG";
}
