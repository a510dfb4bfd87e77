//! What services did last, told to servers that do not run them: every process with services on a shared database leaves its
//! board there, and takes it away when it stops. On SQLite there is one process, which has nothing to leave.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use tidegate_core::time::Timestamp;
use tidegate_store::{Dialect, Error, Store, Tx};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::ServiceStatus;
use crate::App;

const PREFIX: &str = "services/";
const EVERY: Duration = Duration::from_secs(5);
/// How long a board counts: its process may have been killed.
const FRESH_SECONDS: f64 = 30.0;
/// When a board that nobody took away is thrown away.
const STALE_SECONDS: f64 = 3_600.0;

pub type Services = BTreeMap<String, ServiceStatus>;

/// A board as it lies in the database.
#[derive(Clone, Serialize, Deserialize)]
struct Left {
    at: Timestamp,
    services: Services,
}

impl Left {
    fn is_younger_than(&self, seconds: f64, now: Timestamp) -> bool {
        now.seconds_since(self.at) < seconds
    }
}

/// Leaves this process's board in a shared database for as long as its services run.
pub fn spawn(tasks: &TaskTracker, app: &App) {
    if app.store.dialect() == Dialect::Sqlite {
        return;
    }
    let (app, key) = (app.clone(), format!("{PREFIX}{}", Uuid::now_v7()));
    tasks.spawn(async move {
        while !app.stopping.is_cancelled() {
            let services = own(&app);
            if let Err(error) = leave(&app.store, &key, services).await {
                tracing::debug!("the services' reports could not be left in the database: {error}");
            }
            tokio::select! {
                () = app.stopping.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        let gone = key.clone();
        let taken = app.store.write(key, async move |tx: &mut Tx| tx.delete_configuration(&gone).await);
        if let Err(error) = taken.await {
            tracing::debug!("the services' reports stay in the database for a while: {error}");
        }
    });
}

/// What each service did last: in this process, or where it runs.
pub async fn read(app: &App, store: &Store) -> Result<Services, Error> {
    let own = own(app);
    if app.store.dialect() == Dialect::Sqlite {
        return Ok(own);
    }
    let left: Vec<(String, Left)> = store.read(async move |tx: &mut Tx| tx.list_configuration(PREFIX).await).await?;
    let now = app.store.now();
    let mut all = Services::new();
    for (_, left) in left.into_iter().filter(|(_, left)| left.is_younger_than(FRESH_SECONDS, now)) {
        for (name, status) in left.services {
            if all.get(&name).is_none_or(|known| known.last_run < status.last_run) {
                all.insert(name, status);
            }
        }
    }
    all.extend(own);
    Ok(all)
}

fn own(app: &App) -> Services {
    app.services.snapshot().into_iter().map(|(name, status)| (name.to_owned(), status)).collect()
}

async fn leave(store: &Store, key: &str, services: Services) -> Result<(), Error> {
    let (name, key) = (key.to_owned(), key.to_owned());
    store
        .write(name, async move |tx: &mut Tx| {
            let now = tx.now();
            for (other, left) in tx.list_configuration::<Left>(PREFIX).await? {
                if !left.is_younger_than(STALE_SECONDS, now) {
                    tx.delete_configuration(&other).await?;
                }
            }
            tx.write_configuration(&key, &Left { at: now, services: services.clone() }).await
        })
        .await
}
