//! Fresh databases: a SQLite file in a temporary folder, or a database of a PostgreSQL server that lives as long as the
//! tests. `TIDEGATE_TEST_POSTGRES` names a server to use instead of starting one.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
};

use tempfile::TempDir;
use tidegate_store::{Error, Options, Store, Tx};
use tokio_postgres::NoTls;

use crate::clock::Clock;

/// An open database and the clock it lives by.
pub struct Database {
    pub store: Store,
    pub clock: Clock,
    _folder: Option<TempDir>,
}

impl Database {
    async fn open(url: String, folder: Option<TempDir>) -> Self {
        let clock = Clock::new();
        let now = clock.clone();
        let options =
            Options { url, readers: 1, writers: 1, migrate: true, clock: std::sync::Arc::new(move || now.now()) };
        Self { store: Store::open(options).await.unwrap(), clock, _folder: folder }
    }

    /// Runs one write that must succeed.
    pub async fn write<T: Send + 'static>(
        &self,
        operation: impl AsyncFn(&mut Tx) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.store.write("test", operation).await.unwrap()
    }

    /// The names of the events so far, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let sql = tidegate_store::sql!("SELECT event FROM event ORDER BY occurred, id");
        self.write(async move |tx: &mut Tx| tx.all(&sql, |row| row.next()).await).await
    }
}

pub async fn sqlite() -> Database {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}", folder.path().join("test.db").display());
    Database::open(url, Some(folder)).await
}

pub async fn postgres() -> Database {
    let server = server_url();
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
    let base = server.rsplit_once('/').unwrap().0;
    Database::open(format!("{base}/{name}"), None).await
}

fn server_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| std::env::var("TIDEGATE_TEST_POSTGRES").unwrap_or_else(|_| start_server()))
}

/// Starts a server that is stopped when this process ends, in whatever way: its keeper waits for the end of a pipe.
fn start_server() -> String {
    static KEEPER: Mutex<Option<Child>> = Mutex::new(None);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let script = r#"folder=$(mktemp -d) && chmod 711 "$folder" && sh scripts/postgres start "$folder/server" && cat >/dev/null
        sh scripts/postgres stop "$folder/server"; rmdir "$folder""#;
    let mut keeper = Command::new("sh")
        .args(["-c", script])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut url).unwrap();
    assert!(url.starts_with("postgresql://"), "PostgreSQL did not start; run `scripts/postgres start DIR` to see why");
    *KEEPER.lock().unwrap() = Some(keeper);
    url.trim().to_owned()
}
