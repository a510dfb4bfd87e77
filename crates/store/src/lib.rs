//! The store: what Tidegate remembers, in SQLite or PostgreSQL, behind one set of operations. The only crate that knows
//! SQL. Reads run on snapshots; writes run as jobs on lanes that commit many at once (see `lane`).

mod conditions;
mod error;
mod flows;
mod lane;
mod migrations;
mod postgres;
mod row;
pub mod sql;
mod sqlite;
mod store;
mod tx;
pub mod value;
mod wake;

pub use error::{Error, Result};
pub use row::{Column, Row};
pub use sql::{Dialect, Sql};
pub use store::{Options, Store};
pub use tx::Tx;
pub use value::Value;
pub use wake::Wake;
