//! When triggers fire: windows that count events, and the firings of other triggers. Times and counts only; which events
//! a trigger means is decided where events are known.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;

/// How long before a first event its window begins: events that are on their way meanwhile still count, in whatever order
/// they arrive. Also how long an event waits for the one it follows.
pub const LOOKBACK_SECONDS: f64 = 15.0 * 60.0;

/// What a trigger answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Posture {
    /// Events that happen.
    Reactive,
    /// Events that should have happened and did not.
    Proactive,
}

/// The terms of a trigger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    pub posture: Posture,
    /// Reactive: fires at so many events. Proactive: fires at fewer.
    pub threshold: i64,
    /// How long a window is, in seconds. 0 for a reactive trigger means that its windows never end.
    pub within: f64,
    /// Windows open with certain events (`after`), not by themselves.
    pub waits_for_start: bool,
}

/// A span of time and how many events fell into it so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The first moment that belongs to it.
    pub start: Timestamp,
    /// The first moment that does not.
    pub end: Timestamp,
    pub count: i64,
}

/// What an event is to a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// It opens a window (`after`).
    pub starts: bool,
    /// It counts (`expect`).
    pub counts: bool,
}

/// What became of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub fires: bool,
    pub window: Option<Window>,
    /// The window remembers the event as its last one. A window without a memory has just begun by itself.
    pub memory: Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// What was remembered before.
    Keep,
    /// The event at hand.
    This,
    Nothing,
}

impl Terms {
    /// Its windows never end: each event is judged as it comes.
    pub fn fires_at_once(&self) -> bool {
        self.posture == Posture::Reactive && self.within == 0.0
    }

    fn is_met(&self, count: i64) -> bool {
        match self.posture {
            Posture::Reactive => count >= self.threshold,
            Posture::Proactive => count < self.threshold,
        }
    }

    /// A window from a moment on.
    pub fn window_from(&self, start: Timestamp) -> Window {
        Window { start, end: start.plus_seconds(self.within), count: 0 }
    }

    /// An event that this trigger means happened at `at`. `window` is the one that is open now, if any.
    pub fn observe(&self, window: Option<Window>, at: Timestamp, role: Role) -> Step {
        let opened = match window {
            Some(window) => Some(window),
            // An event that opens a window and counts does not count in the window that it opens.
            None if self.waits_for_start && role.starts => {
                Some(Window { count: if role.counts { -1 } else { 0 }, ..self.window_from(at) })
            }
            None if !self.waits_for_start && role.counts => {
                Some(Window { start: at.plus_seconds(-LOOKBACK_SECONDS), end: at.plus_seconds(self.within), count: 0 })
            }
            None => None,
        };
        let touches = if self.waits_for_start { role.starts } else { role.counts };
        match opened {
            Some(window) if role.counts => {
                let step = self.count(window, at, role);
                // Whoever asks for a window leaves its trace in it, whether it counts there or not.
                match step.memory {
                    Memory::Keep if touches => Step { memory: Memory::This, ..step },
                    _ => step,
                }
            }
            window => {
                let memory = if window.is_some() && touches { Memory::This } else { Memory::Keep };
                Step { fires: false, window, memory }
            }
        }
    }

    fn count(&self, mut window: Window, at: Timestamp, role: Role) -> Step {
        if at < window.start {
            return Step { fires: false, window: Some(window), memory: Memory::Keep };
        }
        if self.fires_at_once() || at < window.end {
            window.count += 1;
            return self.judge(window, at, Some(role));
        }
        // The event belongs to a later window; this one is over.
        let over = self.judge(window, at, None);
        match over.window {
            Some(next) if self.posture == Posture::Reactive => {
                let step = self.judge(Window { count: 1, ..next }, at, Some(role));
                Step { fires: over.fires || step.fires, ..step }
            }
            Some(next) => Step { window: Some(Window { count: 1, ..next }), ..over },
            None => over,
        }
    }

    /// Nothing happened until `at`.
    pub fn elapse(&self, window: Window, at: Timestamp) -> Step {
        if at < window.start {
            return Step { fires: false, window: Some(window), memory: Memory::Keep };
        }
        self.judge(window, at, None)
    }

    /// Fires, goes on or begins anew. `counted` is the event that was just counted in this window.
    fn judge(&self, window: Window, at: Timestamp, counted: Option<Role>) -> Step {
        let is_met = self.is_met(window.count);
        let fires = is_met && (self.posture == Posture::Reactive || window.end <= at);
        let memory = if counted.is_some() { Memory::This } else { Memory::Keep };
        if !fires && at < window.end {
            let began_again = self.posture == Posture::Proactive && !is_met && counted.is_some_and(|role| role.starts);
            let window = if began_again { self.window_from(at) } else { window };
            return Step { fires: false, window: Some(window), memory };
        }
        if self.waits_for_start {
            return Step { fires, window: None, memory };
        }
        if self.within == 0.0 {
            return Step { fires, window: (!fires).then_some(window), memory };
        }
        Step { fires, window: Some(self.window_from(window.end.max(at))), memory: Memory::Nothing }
    }
}

/// What a trigger made of other triggers needs of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// So many of them.
    Some(usize),
    /// All of them, fired in this order.
    InOrder(Vec<Uuid>),
}

impl Needs {
    /// One firing is enough: there is nothing to remember.
    pub fn one(&self) -> bool {
        match self {
            Self::Some(count) => *count == 1,
            Self::InOrder(order) => order.len() == 1,
        }
    }

    /// Whether the firings at hand, each trigger's last one with its time, are what is needed.
    pub fn are_met(&self, firings: &[(Uuid, Timestamp)]) -> bool {
        match self {
            Self::Some(count) => firings.len() >= *count,
            Self::InOrder(order) => {
                let mut firings = firings.to_vec();
                firings.sort_by_key(|(_, fired)| *fired);
                firings.iter().map(|(id, _)| id).eq(order)
            }
        }
    }
}
