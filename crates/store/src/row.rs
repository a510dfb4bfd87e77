//! Rows of either database, read column by column in the order of the SELECT.

use rusqlite::types::ValueRef;
use serde::de::DeserializeOwned;
use tidegate_core::{json::Json, state::StateType, time::Timestamp};
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use crate::{Error, Result};

enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

/// One row; `next` reads the columns from left to right.
pub struct Row<'r> {
    source: Source<'r>,
    at: usize,
}

impl<'r> Row<'r> {
    pub(crate) fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Self { source: Source::Sqlite(row), at: 0 }
    }

    pub(crate) fn postgres(row: &'r tokio_postgres::Row) -> Self {
        Self { source: Source::Postgres(row), at: 0 }
    }

    #[expect(clippy::should_implement_trait, reason = "the columns have different types")]
    pub fn next<T: Column>(&mut self) -> Result<T> {
        let at = self.at;
        self.at += 1;
        let value = match &self.source {
            Source::Sqlite(row) => row.get_ref(at).map_err(|error| error.to_string()).and_then(T::from_sqlite),
            Source::Postgres(row) => T::from_postgres(row, at),
        };
        value.map_err(|problem| Error::Corrupt { column: self.column_name(at), problem })
    }

    /// A JSON column read into one of our own types.
    pub fn parse<T: DeserializeOwned>(&mut self) -> Result<T> {
        let at = self.at;
        self.parse_optional()?.ok_or_else(|| Error::Corrupt { column: self.column_name(at), problem: "null".into() })
    }

    /// A nullable JSON column read into one of our own types, from the text where the database keeps it.
    pub fn parse_optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let at = self.at;
        self.at += 1;
        let parsed = match &self.source {
            Source::Sqlite(row) => match row.get_ref(at) {
                Ok(ValueRef::Null) => Ok(None),
                Ok(value) => value.as_str().map_err(|error| error.to_string()).and_then(from_json),
                Err(error) => Err(error.to_string()),
            },
            Source::Postgres(row) => match row.try_get::<_, Option<JsonText>>(at) {
                Ok(None) => Ok(None),
                Ok(Some(JsonText(text))) => from_json(&text),
                Err(error) => Err(error.to_string()),
            },
        };
        parsed.map_err(|problem| Error::Corrupt { column: self.column_name(at), problem })
    }

    fn column_name(&self, at: usize) -> String {
        match &self.source {
            Source::Sqlite(row) => row.as_ref().column_name(at).unwrap_or("?").to_owned(),
            Source::Postgres(row) => row.columns().get(at).map_or("?", |column| column.name()).to_owned(),
        }
    }
}

fn from_json<T: DeserializeOwned>(text: &str) -> Decoded<Option<T>> {
    serde_json::from_str(text).map(Some).map_err(|error| error.to_string())
}

type Decoded<T> = std::result::Result<T, String>;

/// A type that a column of either database can be read into.
pub trait Column: Sized {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self>;
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self>;
}

impl<T: Column> Column for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_sqlite(value).map(Some),
        }
    }

    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        let null = row.try_get::<_, Option<Present>>(at).map_err(|error| error.to_string())?.is_none();
        if null { Ok(None) } else { T::from_postgres(row, at).map(Some) }
    }
}

/// Decodes nothing: only tells that a value is there.
struct Present;

impl FromSql<'_> for Present {
    fn from_sql(_: &Type, _: &[u8]) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The text of a json or jsonb column, as stored.
struct JsonText(String);

impl FromSql<'_> for JsonText {
    fn from_sql(ty: &Type, raw: &[u8]) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let text = if *ty == Type::JSONB { &raw[1..] } else { raw };
        Ok(Self(std::str::from_utf8(text)?.to_owned()))
    }
    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::JSON | Type::JSONB | Type::TEXT | Type::VARCHAR)
    }
}

fn get<'r, T: FromSql<'r>>(row: &'r tokio_postgres::Row, at: usize) -> Decoded<T> {
    row.try_get(at).map_err(|error| error.to_string())
}

impl Column for bool {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        value.as_i64().map(|number| number != 0).map_err(|error| error.to_string())
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        get(row, at)
    }
}

impl Column for i64 {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        value.as_i64().map_err(|error| error.to_string())
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        match *row.columns()[at].type_() {
            Type::INT2 => get::<i16>(row, at).map(Into::into),
            Type::INT4 => get::<i32>(row, at).map(Into::into),
            _ => get(row, at),
        }
    }
}

impl Column for f64 {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        match value {
            ValueRef::Integer(number) => Ok(number as f64),
            value => value.as_f64().map_err(|error| error.to_string()),
        }
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        get(row, at)
    }
}

impl Column for String {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        value.as_str().map(ToOwned::to_owned).map_err(|error| error.to_string())
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        get(row, at)
    }
}

impl Column for Vec<u8> {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        value.as_blob().map(ToOwned::to_owned).map_err(|error| error.to_string())
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        get(row, at)
    }
}

impl Column for Uuid {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        let bytes = value.as_blob().map_err(|error| error.to_string())?;
        Self::from_slice(bytes).map_err(|error| error.to_string())
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        get(row, at)
    }
}

impl Column for Timestamp {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        let micros = value.as_i64().map_err(|error| error.to_string())?;
        Self::from_micros(micros).ok_or_else(|| format!("{micros} µs is outside the calendar"))
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        get::<chrono::DateTime<chrono::Utc>>(row, at).map(Into::into)
    }
}

impl Column for Json {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        value.as_str().map(Self::stored).map_err(|error| error.to_string())
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        let JsonText(text) = get(row, at)?;
        Ok(Self::stored(&text))
    }
}

impl Column for Vec<String> {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        let text = value.as_str().map_err(|error| error.to_string())?;
        if text == "[]" { Ok(Self::new()) } else { serde_json::from_str(text).map_err(|error| error.to_string()) }
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        let JsonText(text) = get(row, at)?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

impl Column for StateType {
    fn from_sqlite(value: ValueRef<'_>) -> Decoded<Self> {
        value.as_str().map_err(|error| error.to_string())?.parse()
    }
    fn from_postgres(row: &tokio_postgres::Row, at: usize) -> Decoded<Self> {
        get::<&str>(row, at)?.parse()
    }
}
