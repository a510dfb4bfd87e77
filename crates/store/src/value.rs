//! Parameters of statements, bound to either database: one enum instead of a generic wall.

use std::error::Error as StdError;

use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tidegate_core::{
    json::{Json, to_text},
    state::StateType,
    time::Timestamp,
};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::nul;

/// A bound parameter. SQLite stores ids as 16-byte blobs, times as microseconds and JSON as text; PostgreSQL its own types.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Uuid(Uuid),
    Time(Timestamp),
    Json(String),
    /// PostgreSQL only (`= ANY($n)`); on SQLite lists are spelled out.
    Texts(Vec<String>),
    Uuids(Vec<Uuid>),
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null | Self::Texts(_) | Self::Uuids(_) => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Bool(value) => ToSqlOutput::Owned(i64::from(*value).into()),
            Self::Int(value) => ToSqlOutput::Owned((*value).into()),
            Self::Float(value) => ToSqlOutput::Owned((*value).into()),
            Self::Text(text) | Self::Json(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Uuid(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
            Self::Time(time) => ToSqlOutput::Owned(time.micros().into()),
        })
    }
}

type BoxedError = Box<dyn StdError + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => value.to_sql(ty, out),
            Self::Int(value) => int_to_sql(*value, ty, out),
            Self::Float(value) => match *ty {
                Type::FLOAT4 => (*value as f32).to_sql(ty, out),
                _ => value.to_sql(ty, out),
            },
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
            Self::Uuid(id) => id.to_sql(ty, out),
            Self::Time(time) => time.datetime().to_sql(ty, out),
            Self::Text(text) | Self::Json(text) => match *ty {
                Type::JSON | Type::JSONB => json_to_sql(&nul::left_out_of_json(text), ty, out),
                _ => nul::left_out(text).to_sql(ty, out),
            },
            Self::Texts(texts) => texts.iter().map(|text| nul::left_out(text)).collect::<Vec<_>>().to_sql(ty, out),
            Self::Uuids(ids) => ids.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn int_to_sql(value: i64, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
    match *ty {
        Type::INT2 => i16::try_from(value)?.to_sql(ty, out),
        Type::INT4 => i32::try_from(value)?.to_sql(ty, out),
        Type::FLOAT8 => (value as f64).to_sql(ty, out),
        _ => value.to_sql(ty, out),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what `ToSql` answers")]
fn json_to_sql(text: &str, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
    if *ty == Type::JSONB {
        // The binary form of jsonb is a version byte and the text.
        out.extend_from_slice(&[1]);
    }
    out.extend_from_slice(text.as_bytes());
    Ok(IsNull::No)
}

macro_rules! from {
    ($($from:ty, $value:ident => $make:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self { $make }
        }
    )*};
}

from! {
    bool, value => Self::Bool(value);
    i64, value => Self::Int(value);
    i32, value => Self::Int(value.into());
    u32, value => Self::Int(value.into());
    f64, value => Self::Float(value);
    &str, value => Self::Text(value.to_owned());
    String, value => Self::Text(value);
    &String, value => Self::Text(value.clone());
    Vec<u8>, value => Self::Bytes(value);
    Uuid, value => Self::Uuid(value);
    &Uuid, value => Self::Uuid(*value);
    Timestamp, value => Self::Time(value);
    Json, value => Self::Json(value.text().to_owned());
    &Json, value => Self::Json(value.text().to_owned());
    StateType, value => Self::Text(value.as_str().to_owned());
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Tags and similar lists of text are JSON arrays in both databases.
pub fn json_list(texts: &[String]) -> Value {
    json(texts)
}

/// Any serializable value as a JSON column.
pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Value {
    Value::Json(to_text(value))
}
