//! The runs that this worker holds now, and what is wanted of each. Knows no infrastructure and no API.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tidegate_api::orchestration::OwnedRun;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::infrastructure::Attempt;

/// What is to become of a run. A later one in this list overrides an earlier one, never the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    #[default]
    GoOn,
    /// Somebody wants it cancelled.
    Cancel,
    /// It has ended, as its process must know: that may finish its last words, but not stay.
    Over,
    /// It was ended, by somebody who took it for lost or cancelled it: its process has nothing more to say.
    Outlived,
    /// The worker goes away and has waited long enough.
    Shutdown,
    /// It is somebody else's now: stop it and say nothing.
    Lose,
    /// The worker goes away this instant.
    Kill,
}

/// The table of held runs.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    held: Mutex<HashMap<Uuid, (Attempt, watch::Sender<Order>)>>,
    freed: Notify,
}

impl Runs {
    /// Takes a run in; `None` if it is here already, so that no run is started twice.
    pub(crate) fn hold(&self, attempt: &Attempt) -> Option<watch::Receiver<Order>> {
        let mut held = self.lock();
        if held.contains_key(&attempt.flow_run_id) {
            return None;
        }
        let (sender, orders) = watch::channel(Order::GoOn);
        held.insert(attempt.flow_run_id, (attempt.clone(), sender));
        Some(orders)
    }

    pub(crate) fn release(&self, flow_run_id: Uuid) {
        self.lock().remove(&flow_run_id);
        self.freed.notify_waiters();
    }

    /// Whether the run is held by an attempt that came before this one.
    pub(crate) fn holds_older(&self, than: &Attempt) -> bool {
        self.lock().get(&than.flow_run_id).is_some_and(|(held, _)| held.token < than.token)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn contains(&self, flow_run_id: Uuid) -> bool {
        self.lock().contains_key(&flow_run_id)
    }

    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// The runs that carry a token, for renewals.
    pub(crate) fn owned(&self) -> Vec<OwnedRun> {
        let owned = |(id, (attempt, _)): (&Uuid, &(Attempt, _))| {
            attempt.token.map(|token| OwnedRun { flow_run_id: *id, token })
        };
        self.lock().iter().filter_map(owned).collect()
    }

    /// Wants something of a run; a token names which attempt is meant. False if that changed nothing.
    pub(crate) fn order(&self, flow_run_id: Uuid, token: Option<i64>, order: Order) -> bool {
        self.lock()
            .get(&flow_run_id)
            .is_some_and(|(attempt, sender)| (token.is_none() || attempt.token == token) && raise(sender, order))
    }

    /// What is wanted of a run so far; `None` if it is not held.
    pub(crate) fn wanted(&self, flow_run_id: Uuid) -> Option<Order> {
        self.lock().get(&flow_run_id).map(|(_, sender)| *sender.borrow())
    }

    pub(crate) fn order_all(&self, order: Order) {
        for (_, sender) in self.lock().values() {
            raise(sender, order);
        }
    }

    /// Waits until some run is released. Made before the state is looked at, it misses nothing.
    pub(crate) fn freed(&self) -> impl Future<Output = ()> + '_ {
        self.freed.notified()
    }

    /// Waits until no run is held.
    pub(crate) async fn emptied(&self) {
        self.until(|runs| runs.len() == 0).await;
    }

    /// Waits until this run is not held.
    pub(crate) async fn released(&self, flow_run_id: Uuid) {
        self.until(|runs| !runs.contains(flow_run_id)).await;
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        loop {
            // Made before the look: a release in between is not missed.
            let freed = self.freed.notified();
            if holds(self) {
                return;
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, (Attempt, watch::Sender<Order>)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn raise(sender: &watch::Sender<Order>, order: Order) -> bool {
    sender.send_if_modified(|current| {
        let is_more = order > *current;
        if is_more {
            *current = order;
        }
        is_more
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(token: i64) -> Attempt {
        Attempt { flow_run_id: Uuid::nil(), flow_run_name: "a".into(), attempt: 1, token: Some(token) }
    }

    #[test]
    fn a_run_is_held_once_and_can_come_back() {
        let runs = Runs::default();
        assert!(runs.hold(&attempt(1)).is_some());
        assert!(runs.hold(&attempt(2)).is_none());
        runs.release(Uuid::nil());
        assert!(runs.hold(&attempt(2)).is_some());
        assert_eq!(runs.owned(), [OwnedRun { flow_run_id: Uuid::nil(), token: 2 }]);
    }

    #[test]
    fn orders_only_become_harder() {
        let runs = Runs::default();
        let orders = runs.hold(&attempt(1)).unwrap();
        assert!(runs.order(Uuid::nil(), Some(1), Order::Lose));
        assert!(!runs.order(Uuid::nil(), Some(1), Order::Cancel));
        assert!(!runs.order(Uuid::nil(), Some(9), Order::Kill));
        assert_eq!(*orders.borrow(), Order::Lose);
    }
}
