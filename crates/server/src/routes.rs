//! Handlers, one module per noun.

pub mod flows;
pub mod list;
pub mod root;
