//! The worker channels of this server, so that a message goes to a worker that serves its queue where there is one. Only a
//! preference: what nobody serves goes to anybody.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

#[derive(Debug)]
struct Entry {
    number: u64,
    pool: Uuid,
    queues: Vec<Uuid>,
    /// It takes no message now.
    is_busy: bool,
}

#[derive(Debug, Default)]
struct Entries {
    last: u64,
    open: Vec<Entry>,
}

/// All channels.
#[derive(Clone, Debug, Default)]
pub struct WorkerChannels(Arc<Mutex<Entries>>);

impl WorkerChannels {
    /// Notes a channel for as long as the answer lives.
    pub fn register(&self, pool: Uuid, queues: Vec<Uuid>, is_busy: bool) -> Registered {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.last += 1;
        let number = entries.last;
        entries.open.push(Entry { number, pool, queues, is_busy });
        Registered { channels: self.clone(), number }
    }
}

/// One channel's place.
#[derive(Debug)]
pub struct Registered {
    channels: WorkerChannels,
    number: u64,
}

impl Registered {
    pub fn set_busy(&self, is_busy: bool) {
        let mut entries = self.channels.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.open.iter_mut().find(|entry| entry.number == self.number) {
            entry.is_busy = is_busy;
        }
    }

    /// Queues of the pool that somebody else serves who has a hand free, and this one does not.
    pub fn queues_of_others(&self) -> Vec<Uuid> {
        let entries = self.channels.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = entries.open.iter().find(|entry| entry.number == self.number) else { return Vec::new() };
        let others = entries.open.iter().filter(|entry| entry.pool == own.pool && !entry.is_busy);
        let mut queues: Vec<Uuid> = others.flat_map(|entry| entry.queues.iter().copied()).collect();
        queues.retain(|queue| !own.queues.contains(queue));
        queues.sort_unstable();
        queues.dedup();
        queues
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut entries = self.channels.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.open.retain(|entry| entry.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_left_to_those_who_serve_it_and_are_free() {
        let channels = WorkerChannels::default();
        let id = Uuid::from_u128;
        let own = channels.register(id(1), vec![id(10)], false);
        let other = channels.register(id(1), vec![id(10), id(11)], false);
        let _elsewhere = channels.register(id(2), vec![id(12)], false);
        assert_eq!(own.queues_of_others(), [id(11)]);
        assert!(other.queues_of_others().is_empty());
        other.set_busy(true);
        assert!(own.queues_of_others().is_empty());
        other.set_busy(false);
        drop(other);
        assert!(own.queues_of_others().is_empty());
    }
}
