//! Who executes background tasks: the workers whose sockets are open on this server, and the tasks that they serve.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// A worker's name, and the keys of its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskWorker {
    pub identifier: String,
    pub task_keys: BTreeSet<String>,
}

/// One open socket.
struct Subscription {
    identifier: String,
    task_keys: BTreeSet<String>,
}

/// The open sockets by a number of their own: one worker may have several.
#[derive(Clone, Default)]
pub struct TaskWorkers(Arc<Mutex<Subscriptions>>);

#[derive(Default)]
struct Subscriptions {
    next: u64,
    open: BTreeMap<u64, Subscription>,
}

/// Keeps a worker on the list while its socket is open.
pub struct Listed {
    workers: TaskWorkers,
    number: u64,
}

impl TaskWorkers {
    /// Lists a worker until the answer is dropped.
    pub fn list(&self, identifier: &str, task_keys: &[String]) -> Listed {
        let mut subscriptions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = subscriptions.next;
        subscriptions.next += 1;
        let subscription =
            Subscription { identifier: identifier.to_owned(), task_keys: task_keys.iter().cloned().collect() };
        subscriptions.open.insert(number, subscription);
        Listed { workers: self.clone(), number }
    }

    /// The workers that serve any of the keys; all of them where no key is given.
    pub fn serving(&self, keys: &[String]) -> Vec<TaskWorker> {
        let subscriptions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workers: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for open in subscriptions.open.values() {
            workers.entry(&open.identifier).or_default().extend(open.task_keys.iter().cloned());
        }
        workers
            .into_iter()
            .filter(|(_, served)| keys.is_empty() || keys.iter().any(|key| served.contains(key)))
            .map(|(identifier, task_keys)| TaskWorker { identifier: identifier.to_owned(), task_keys })
            .collect()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut subscriptions = self.workers.0.lock().unwrap_or_else(PoisonError::into_inner);
        subscriptions.open.remove(&self.number);
    }
}
