//! Waiting for slots. A client that sends `X-Tidegate-Wait: <seconds>` is held until there are slots, behind all who came
//! before it and want one of the same; everybody else is told 423 at once and asks again. The line is this server's own.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{extract::FromRequestParts, http::request::Parts};
use tidegate_api::concurrency_limits::MinimalConcurrencyLimit;
use tidegate_store::{Tx, Wake};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};
use uuid::Uuid;

use super::{Increment, Taken, locked};
use crate::{App, error::ApiError};

const HEADER: &str = "x-tidegate-wait";
const LONGEST_SECONDS: f64 = 60.0;
/// Without a nudge who is first looks again this often: a lost nudge costs a moment, and leases end without one.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const SHORTEST_LOOK: Duration = Duration::from_millis(50);
/// What somebody is told who never came to the front.
const STILL_IN_LINE_SECONDS: f64 = 1.0;

/// How long a client waits; not at all if it does not say.
pub struct Wait(Option<Duration>);

impl<S: Send + Sync> FromRequestParts<S> for Wait {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let seconds: Option<f64> = parts.headers.get(HEADER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let seconds = seconds.filter(|seconds| *seconds > 0.0);
        Ok(Self(seconds.map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST_SECONDS)))))
    }
}

/// Who waits for which names, in the order of arrival.
pub struct Line {
    waiting: Mutex<Waiting>,
    left: watch::Sender<()>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    names: BTreeMap<u64, Vec<String>>,
}

impl Default for Line {
    fn default() -> Self {
        Self { waiting: Mutex::default(), left: watch::Sender::new(()) }
    }
}

impl Line {
    /// How many wait for a name.
    pub fn count(&self, name: &str) -> usize {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.names.values().filter(|names| names.iter().any(|found| found == name)).count()
    }

    fn join(&self, names: &[String]) -> Place<'_> {
        let left = self.left.subscribe();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.last += 1;
        let number = waiting.last;
        waiting.names.insert(number, names.to_vec());
        Place { line: self, number, left }
    }
}

/// A place in the line; given up when it is dropped, also because the client went away.
struct Place<'l> {
    line: &'l Line,
    number: u64,
    left: watch::Receiver<()>,
}

impl Place<'_> {
    /// Whether nobody who came before waits for one of the same names.
    fn is_first(&self) -> bool {
        let waiting = self.line.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mine) = waiting.names.get(&self.number) else { return true };
        !waiting.names.range(..self.number).any(|(_, theirs)| theirs.iter().any(|name| mine.contains(name)))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.line.waiting.lock().unwrap_or_else(PoisonError::into_inner).names.remove(&self.number);
        self.line.left.send_replace(());
    }
}

/// Takes slots, at once or when it is this request's turn.
pub(super) async fn take(
    app: &App,
    request: Increment,
    lease: Option<Uuid>,
    Wait(wait): Wait,
) -> Result<Vec<MinimalConcurrencyLimit>, ApiError> {
    let Some(wait) = wait else {
        return match attempt(app, &request, lease, true).await? {
            Taken::All(limits) => Ok(limits),
            Taken::Full { retry_after, .. } => Err(locked(retry_after)),
        };
    };
    // Before the first look, so that nothing falls between the look and the wait.
    let mut wakes = app.store.wakes();
    let mut place = app.slot_line.join(&request.names);
    let deadline = Instant::now() + wait;
    let mut told = None;
    loop {
        let mut pause = LOOK_AGAIN;
        if place.is_first() {
            match attempt(app, &request, lease, told.is_none()).await? {
                Taken::All(limits) => return Ok(limits),
                Taken::Full { retry_after, decay_per_second } => {
                    told = Some(retry_after);
                    if decay_per_second > 0.0 {
                        pause = Duration::from_secs_f64((1.0 / decay_per_second).min(LOOK_AGAIN.as_secs_f64()));
                    }
                }
            }
        }
        tokio::select! {
            () = slots_freed(&mut wakes) => {}
            _ = place.left.changed() => {}
            () = tokio::time::sleep(pause.max(SHORTEST_LOOK)) => {}
            () = tokio::time::sleep_until(deadline) => return Err(locked(told.unwrap_or(STILL_IN_LINE_SECONDS))),
            () = app.stopping.cancelled() => return Err(locked(told.unwrap_or(STILL_IN_LINE_SECONDS))),
        }
    }
}

async fn attempt(app: &App, request: &Increment, lease: Option<Uuid>, counts_denial: bool) -> Result<Taken, ApiError> {
    let (shared, request) = (app.clone(), request.clone());
    let key = request.names.clone();
    app.store.write(key, async move |tx: &mut Tx| super::take(&shared, tx, &request, lease, counts_denial).await).await
}

async fn slots_freed(wakes: &mut broadcast::Receiver<Wake>) {
    loop {
        match wakes.recv().await {
            Ok(Wake::Slots) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn only_those_who_want_the_same_wait_for_each_other() {
        let line = Line::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let first = line.join(&names(&["a", "b"]));
        let second = line.join(&names(&["b", "c"]));
        let third = line.join(&names(&["c"]));
        let other = line.join(&names(&["d"]));
        assert_eq!([&first, &second, &third, &other].map(|place| place.is_first()), [true, false, false, true]);
        drop(second);
        assert!(third.is_first());
        drop(first);
        assert!(line.join(&names(&["b"])).is_first());
    }
}
