//! Fresh databases: a SQLite file in a temporary folder, or a database of a PostgreSQL server that lives as long as the
//! tests. `TIDEGATE_TEST_POSTGRES_URL` names a server to use instead of starting one.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
};

use tempfile::TempDir;
use tokio_postgres::NoTls;

/// The URL of an empty database. What is temporary about it goes when this value goes.
#[derive(Debug)]
pub struct FreshDatabase {
    pub url: String,
    _folder: Option<TempDir>,
}

/// A file that is not there yet.
pub async fn sqlite() -> FreshDatabase {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}", folder.path().join("test.db").display());
    FreshDatabase { url, _folder: Some(folder) }
}

/// A new database of the tests' server.
pub async fn postgres() -> FreshDatabase {
    let server = server_url();
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
    let base = server.rsplit_once('/').unwrap().0;
    FreshDatabase { url: format!("{base}/{name}"), _folder: None }
}

fn server_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| std::env::var("TIDEGATE_TEST_POSTGRES_URL").unwrap_or_else(|_| start_server()))
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
