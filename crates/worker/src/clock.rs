//! The worker's one clock. Everything else takes the time as an argument, or asks here.

use tidegate_core::time::Timestamp;

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn now() -> Timestamp {
    chrono::Utc::now().into()
}
