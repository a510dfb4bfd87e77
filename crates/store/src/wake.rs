//! Nudges: after a commit, whoever waits for such a change looks again. A nudge carries no data that matters; a lost one
//! costs a poll interval, never correctness.

use tidegate_core::time::Timestamp;
use uuid::Uuid;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wake {
    /// Events were stored.
    Events,
    /// Log records were stored.
    Logs,
    /// A run of this pool is due at the time given (or a place became free).
    Work { pool: Uuid, due: Option<Timestamp> },
    /// A run owned by some worker of this pool shall be cancelled.
    Cancel { pool: Uuid },
    /// A pool was changed or deleted, or its workers have something to clean up.
    Pool { pool: Uuid },
    /// Concurrency slots were given back.
    Slots,
    /// A schedule changed: the scheduler looks again.
    Schedules,
    /// A background task was queued.
    Tasks,
    /// An automation changed or fired.
    Automations,
}

impl Wake {
    /// The text form that crosses replicas with NOTIFY.
    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Events => "events".into(),
            Self::Logs => "logs".into(),
            Self::Work { pool, due } => format!("work {pool} {}", due.map_or(0, Timestamp::micros)),
            Self::Cancel { pool } => format!("cancel {pool}"),
            Self::Pool { pool } => format!("pool {pool}"),
            Self::Slots => "slots".into(),
            Self::Schedules => "schedules".into(),
            Self::Tasks => "tasks".into(),
            Self::Automations => "automations".into(),
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(match words.next()? {
            "events" => Self::Events,
            "logs" => Self::Logs,
            "work" => {
                let pool = words.next()?.parse().ok()?;
                let micros: i64 = words.next()?.parse().ok()?;
                Self::Work { pool, due: (micros != 0).then(|| Timestamp::from_micros(micros)).flatten() }
            }
            "cancel" => Self::Cancel { pool: words.next()?.parse().ok()? },
            "pool" => Self::Pool { pool: words.next()?.parse().ok()? },
            "slots" => Self::Slots,
            "schedules" => Self::Schedules,
            "tasks" => Self::Tasks,
            "automations" => Self::Automations,
            _ => return None,
        })
    }
}
