//! What tests of several crates share: fresh databases, a clock that moves when told, and waiting with a deadline. A
//! development dependency only; it knows neither the store nor the server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clock;
mod databases;
mod waiting;

pub use clock::Clock;
pub use databases::{FreshDatabase, postgres, sqlite};
pub use waiting::{eventually, within};
