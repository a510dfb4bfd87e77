//! The runs that this worker holds now, and what is wanted of each. Knows no infrastructure and no API.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use tidegate_api::orchestration::OwnedRun;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{infrastructure::Attempt, lock::lock};

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

#[derive(Debug)]
struct Held {
    attempt: Attempt,
    orders: watch::Sender<Order>,
    /// It has infrastructure.
    is_started: bool,
}

/// Runs whose leases are renewed together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    /// The worker in whose name the leases are; `None`: this one.
    pub(crate) owner: Option<String>,
    pub(crate) is_started: bool,
}

/// Releases a run when it is dropped, whatever has happened to its task.
#[must_use]
pub(crate) struct Release<'a> {
    runs: &'a Runs,
    flow_run_id: Uuid,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.runs.release(self.flow_run_id);
    }
}

/// The table of held runs.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    held: Mutex<HashMap<Uuid, Held>>,
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
        let run = Held { attempt: attempt.clone(), orders: sender, is_started: false };
        held.insert(attempt.flow_run_id, run);
        Some(orders)
    }

    pub(crate) fn mark_started(&self, flow_run_id: Uuid) {
        if let Some(held) = self.lock().get_mut(&flow_run_id) {
            held.is_started = true;
        }
        self.freed.notify_waiters();
    }

    pub(crate) fn release(&self, flow_run_id: Uuid) {
        self.lock().remove(&flow_run_id);
        self.freed.notify_waiters();
    }

    pub(crate) fn release_at_end(&self, flow_run_id: Uuid) -> Release<'_> {
        Release { runs: self, flow_run_id }
    }

    /// Whether the run is held by an attempt that came before this one.
    pub(crate) fn holds_older(&self, than: &Attempt) -> bool {
        self.lock().get(&than.flow_run_id).is_some_and(|held| held.attempt.token < than.token)
    }

    /// Whether the run is held by an attempt that came after this one.
    pub(crate) fn holds_newer(&self, than: &Attempt) -> bool {
        self.lock().get(&than.flow_run_id).is_some_and(|held| held.attempt.token > than.token)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Runs on their way: taken, and without infrastructure yet.
    pub(crate) fn starting(&self) -> usize {
        self.lock().values().filter(|held| !held.is_started).count()
    }

    pub(crate) fn contains(&self, flow_run_id: Uuid) -> bool {
        self.lock().contains_key(&flow_run_id)
    }

    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// The runs that carry a token, for renewals.
    pub(crate) fn owned(&self) -> HashMap<Group, Vec<OwnedRun>> {
        let mut groups: HashMap<Group, Vec<OwnedRun>> = HashMap::new();
        for (id, held) in self.lock().iter() {
            let Some(token) = held.attempt.token else { continue };
            let group = Group { owner: held.attempt.owner.clone(), is_started: held.is_started };
            groups.entry(group).or_default().push(OwnedRun { flow_run_id: *id, token });
        }
        groups
    }

    /// Wants something of a run; a token names which attempt is meant. False if that changed nothing.
    pub(crate) fn order(&self, flow_run_id: Uuid, token: Option<i64>, order: Order) -> bool {
        self.lock()
            .get(&flow_run_id)
            .is_some_and(|held| (token.is_none() || held.attempt.token == token) && raise(&held.orders, order))
    }

    /// What is wanted of a run so far; `None` if it is not held.
    pub(crate) fn wanted(&self, flow_run_id: Uuid) -> Option<Order> {
        self.lock().get(&flow_run_id).map(|held| *held.orders.borrow())
    }

    pub(crate) fn order_all(&self, order: Order) {
        for held in self.lock().values() {
            raise(&held.orders, order);
        }
    }

    /// Waits until no run is held.
    pub(crate) async fn emptied(&self) {
        self.until(|runs| runs.len() == 0).await;
    }

    /// Waits until every run has infrastructure.
    pub(crate) async fn all_started(&self) {
        self.until(|runs| runs.lock().values().all(|held| held.is_started)).await;
    }

    /// Waits until this run is not held.
    pub(crate) async fn released(&self, flow_run_id: Uuid) {
        self.until(|runs| !runs.contains(flow_run_id)).await;
    }

    /// Waits until this holds, which only changes when a run is released or gets its infrastructure.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        loop {
            // Made before the look: a release in between is not missed.
            let freed = self.freed.notified();
            if holds(self) {
                return;
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Held>> {
        lock(&self.held)
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
        Attempt { flow_run_id: Uuid::nil(), flow_run_name: "a".into(), attempt: 1, token: Some(token), owner: None }
    }

    #[test]
    fn a_run_is_held_once_and_can_come_back() {
        let runs = Runs::default();
        assert!(runs.hold(&attempt(1)).is_some());
        assert!(runs.hold(&attempt(2)).is_none());
        runs.release(Uuid::nil());
        assert!(runs.hold(&attempt(2)).is_some());
        let group = Group { owner: None, is_started: false };
        assert_eq!(runs.owned()[&group], [OwnedRun { flow_run_id: Uuid::nil(), token: 2 }]);
    }

    #[test]
    fn a_run_is_on_its_way_until_it_has_infrastructure() {
        let runs = Runs::default();
        let _orders = runs.hold(&attempt(1)).unwrap();
        assert_eq!((runs.starting(), runs.len()), (1, 1));
        runs.mark_started(Uuid::nil());
        assert_eq!((runs.starting(), runs.len()), (0, 1));
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
