//! Bulk operations: how many rows one touches, and what a deletion answers, the same for every noun.

use serde::Serialize;
use uuid::Uuid;

/// Most rows that one bulk operation touches. The contract refuses more.
pub const MOST: i64 = 50;

/// What was deleted.
#[derive(Serialize)]
pub struct Deleted {
    pub deleted: Vec<Uuid>,
}
