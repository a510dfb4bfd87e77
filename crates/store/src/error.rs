//! What can go wrong in the store, as callers can act on it.

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique or foreign key constraint said no.
    #[error("a constraint was violated: {0}")]
    Constraint(String),
    /// The database cannot be reached now; trying again later may work.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Another transaction was in the way; the store tries again by itself before it tells.
    #[error("the transaction lost a race: {0}")]
    Conflict(String),
    /// A stored value cannot be read.
    #[error("column `{column}` holds a value that cannot be read: {problem}")]
    Corrupt { column: String, problem: String },
    #[error("the database refused a statement: {0}")]
    Database(String),
    /// A secret cannot be sealed or opened with this server's key; the message says what to do.
    #[error("{0}")]
    Secret(String),
    /// The database cannot be used as it is; the message says what to do.
    #[error("{0}")]
    Setup(String),
}

impl Error {
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Unavailable(_))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => Self::Constraint(error.to_string()),
            Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure) => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(code) = error.code().map(|code| code.code().to_owned()) else {
            return Self::Unavailable(chain(&error));
        };
        let text = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
        match &code[..2] {
            "23" => Self::Constraint(text),
            // 55: a deferred lock that could not be had.
            "40" | "55" => Self::Conflict(text),
            // Connection trouble, shutdowns, too many connections.
            "08" | "57" | "53" => Self::Unavailable(text),
            _ => Self::Database(text),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
