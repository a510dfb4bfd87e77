//! Statements: text with `$1`, `$2` … and the values for them. Fixed statements are written with `sql!`; lists grow their
//! conditions with `Sql::push…`. The same text serves both databases unless a method says otherwise.

use std::{borrow::Cow, fmt::Write};

use uuid::Uuid;

use crate::value::Value;

/// Which database a statement is for; needed only where the two spell a thing differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

/// A statement and its parameters.
#[derive(Clone, Debug)]
pub struct Sql {
    pub text: Cow<'static, str>,
    pub values: Vec<Value>,
}

/// A fixed statement: `sql!("SELECT name FROM flow WHERE id = $1", id)`.
#[macro_export]
macro_rules! sql {
    ($text:expr $(, $value:expr)* $(,)?) => {
        $crate::sql::Sql { text: ::std::borrow::Cow::from($text), values: vec![$($crate::value::Value::from($value)),*] }
    };
}

impl Sql {
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Appends text as it is.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Appends a placeholder for `value`.
    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let number = self.values.len();
        let _ = write!(self.text.to_mut(), "${number}");
        self
    }

    /// `column IN (…)` for ids. An empty list matches nothing.
    pub fn push_ids(&mut self, dialect: Dialect, column: &str, ids: &[Uuid]) -> &mut Self {
        self.push_list(dialect, column, ids, |ids| Value::Uuids(ids.to_vec()))
    }

    /// `column IN (…)` for texts. An empty list matches nothing.
    pub fn push_texts(&mut self, dialect: Dialect, column: &str, texts: &[String]) -> &mut Self {
        self.push_list(dialect, column, texts, |texts| Value::Texts(texts.to_vec()))
    }

    fn push_list<'v, T>(&mut self, dialect: Dialect, column: &str, list: &'v [T], array: fn(&[T]) -> Value) -> &mut Self
    where
        Value: From<&'v T>,
    {
        self.push(column);
        match dialect {
            Dialect::Postgres => self.push(" = ANY(").bind(array(list)).push(")"),
            Dialect::Sqlite => {
                self.push(" IN (");
                for (index, item) in list.iter().enumerate() {
                    if index > 0 {
                        self.push(", ");
                    }
                    self.bind(Value::from(item));
                }
                self.push(")")
            }
        }
    }

    /// ` ORDER BY key`, with one order for rows of the same key too: without it, pages repeat and miss rows. On SQLite
    /// every index ends with the row's number, which follows the order of creation; on PostgreSQL those that lists use
    /// end with the id.
    pub(crate) fn push_order(
        &mut self,
        dialect: Dialect,
        table: &str,
        (key, direction): (&str, Direction),
    ) -> &mut Self {
        let tie_breaker = if dialect == Dialect::Sqlite { "rowid" } else { "id" };
        let direction = if direction == Direction::Ascending { "ASC" } else { "DESC" };
        self.push(&format!(" ORDER BY {key} {direction}, {table}.{tie_breaker} {direction}"))
    }

    /// ` LIMIT n OFFSET m`. Less than none is no limit, as SQLite has it; PostgreSQL would refuse it.
    pub fn push_page(&mut self, limit: i64, offset: i64) -> &mut Self {
        self.push(" LIMIT ").bind(if limit < 0 { i64::MAX } else { limit });
        if offset > 0 {
            self.push(" OFFSET ").bind(offset);
        }
        self
    }
}

/// SQLite numbers its parameters `?1` where PostgreSQL has `$1`.
pub(crate) fn for_sqlite(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        out.push(if after.starts_with(|c: char| c.is_ascii_digit()) { '?' } else { '$' });
        rest = after;
    }
    out.push_str(rest);
    out
}
