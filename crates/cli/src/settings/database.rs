//! Which database the server uses: reads every spelling of a database URL, and assembles one from its parts.
//! Refuses drivers that the reference does not have either.

use std::fmt::Write;
use std::path::PathBuf;

use super::{Settings, table};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite { path: PathBuf },
    Postgres { url: String },
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DatabaseError {
    #[error("`{0}` is not a database that Tidegate knows: use `sqlite:///path` or `postgresql://user@host/name`")]
    UnknownScheme(String),
    #[error("a database in memory would lose everything at a restart: name a file, `sqlite:///path`")]
    InMemory,
    #[error("database driver `{0}` is not known: use `postgresql+asyncpg` or `sqlite+aiosqlite`")]
    UnknownDriver(String),
    #[error("database driver `{driver}` needs `{setting}`")]
    MissingPart { driver: String, setting: String },
}

impl Database {
    /// The database that the settings name; the embedded one in Tidegate's home when they name none.
    pub fn of_settings(settings: &Settings) -> Result<Self, DatabaseError> {
        if let Some(url) = settings.text(&table::database::CONNECTION_URL) {
            return Self::parse(url, settings);
        }
        match settings.text(&table::database::DRIVER) {
            Some(driver) => Self::assemble(driver, settings),
            None => Ok(Self::Sqlite { path: settings.home().join("tidegate.db") }),
        }
    }

    fn parse(url: &str, settings: &Settings) -> Result<Self, DatabaseError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| DatabaseError::UnknownScheme(hide_password(url)))?;
        match scheme {
            "sqlite" | "sqlite+aiosqlite" => {
                // Three slashes and a relative path, or four and an absolute one; options after `?` are a driver's.
                let path = rest.strip_prefix('/').unwrap_or(rest);
                let path = path.split_once('?').map_or(path, |(path, _)| path);
                match path {
                    "" | ":memory:" => Err(DatabaseError::InMemory),
                    path if path.starts_with("file::memory:") => Err(DatabaseError::InMemory),
                    path => Ok(Self::Sqlite { path: settings.absolute(path) }),
                }
            }
            "postgres" | "postgresql" | "postgresql+asyncpg" => {
                Ok(Self::Postgres { url: format!("postgresql://{rest}") })
            }
            _ => Err(DatabaseError::UnknownScheme(hide_password(url))),
        }
    }

    fn assemble(driver: &str, settings: &Settings) -> Result<Self, DatabaseError> {
        let part = |setting: &'static table::Setting| {
            settings.text(setting).ok_or_else(|| DatabaseError::MissingPart {
                driver: driver.to_owned(),
                setting: setting.tidegate_name(),
            })
        };
        match driver {
            "sqlite" | "sqlite+aiosqlite" => {
                Ok(Self::Sqlite { path: settings.absolute(part(&table::database::NAME)?) })
            }
            "postgresql" | "postgresql+asyncpg" => {
                let user = encode(part(&table::database::USER)?);
                let password =
                    settings.text(&table::database::PASSWORD).map(|p| format!(":{}", encode(p))).unwrap_or_default();
                let host = part(&table::database::HOST)?;
                let number = settings.text(&table::database::PORT).unwrap_or("5432");
                let name = encode(part(&table::database::NAME)?);
                Ok(Self::Postgres { url: format!("postgresql://{user}{password}@{host}:{number}/{name}") })
            }
            _ => Err(DatabaseError::UnknownDriver(driver.to_owned())),
        }
    }

    /// The URL that the store is opened with. What the settings say about connections to PostgreSQL becomes parameters
    /// of the URL, unless the URL says it itself.
    pub fn url(&self, settings: &Settings) -> String {
        let url = match self {
            Self::Sqlite { path } => return format!("sqlite:///{}", path.display()),
            Self::Postgres { url } => url,
        };
        let mut parameters = vec![
            ("connect_timeout", settings.duration(&table::database::CONNECTION_TIMEOUT).as_secs().max(1).to_string()),
            ("application_name", settings.text(&table::database::APPLICATION_NAME).unwrap_or("tidegate").to_owned()),
        ];
        let timeout = settings.duration(&table::database::TIMEOUT).as_millis();
        let search_path = settings.text(&table::database::SEARCH_PATH);
        let search_path = search_path.map(|schema| format!(" -c search_path={schema}")).unwrap_or_default();
        parameters.push(("options", format!("-c statement_timeout={timeout}{search_path}")));
        let names_mode = ["ssl=", "sslmode="].iter().any(|name| url.contains(name));
        if settings.flag(&table::database::TLS_ENABLED) && !names_mode {
            let checks_host = settings.flag(&table::database::TLS_CHECK_HOSTNAME);
            parameters.push(("sslmode", if checks_host { "verify-full" } else { "verify-ca" }.to_owned()));
            for (name, setting) in [
                ("sslrootcert", &table::database::TLS_CA_FILE),
                ("sslcert", &table::database::TLS_CERT_FILE),
                ("sslkey", &table::database::TLS_KEY_FILE),
            ] {
                parameters.extend(settings.text(setting).map(|path| (name, path.to_owned())));
            }
        }
        let mut url = url.clone();
        for (name, value) in parameters {
            if !url.contains(&format!("{name}=")) {
                let mark = if url.contains('?') { '&' } else { '?' };
                let _ = write!(url, "{mark}{name}={}", encode(&value));
            }
        }
        url
    }

    /// For people: where the data is, without the password.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite { path } => format!("SQLite {}", path.display()),
            Self::Postgres { url } => format!("PostgreSQL {}", hide_password(url)),
        }
    }
}

/// Percent-encodes what would otherwise end a part of a URL.
fn encode(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// `postgresql://user:secret@host/name` without the secret.
pub fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((credentials, place)) => {
            let user = credentials.split_once(':').map_or(credentials, |(user, _)| user);
            format!("{scheme}://{user}@{place}")
        }
        None => url.to_owned(),
    }
}
