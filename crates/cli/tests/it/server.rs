//! `server`: its life in the foreground and in the background, and its database.

use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, eventually};

#[test]
fn a_server_in_the_background_is_found_without_a_url_and_stopped() {
    let place = Place::with_own_server();
    let started = place.run(&["server", "start", "--background", "--port", "0"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    assert!(
        started.stderr.contains("The server is running in the background: http://127.0.0.1:"),
        "{}",
        started.stderr
    );
    let status: serde_json::Value = serde_json::from_str(&place.run(&["server", "status", "-o", "json"]).ok()).unwrap();
    assert_eq!(status["status"], "running");
    assert_eq!(place.run(&["api", "GET", "/health"]).ok(), "true\n");
    let again = place.run(&["server", "start", "--background", "--port", "0"]).fails(1);
    assert!(again.contains("a server is running already") && again.contains("hint: `tidegate server stop`"), "{again}");
    let reset = place.run(&["server", "database", "reset", "-y"]).fails(1);
    assert!(reset.contains("a server is running"), "{reset}");
    let stopped = place.run(&["server", "stop"]);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    assert!(stopped.stderr.contains("has stopped"), "{}", stopped.stderr);
    assert!(!place.exists("user/.tidegate/server.json"));
    assert_eq!(place.run(&["server", "stop"]).stderr, "No server of yours is running.\n");
}

#[test]
fn a_server_in_the_foreground_tells_its_address_and_ends_well_on_sigterm() {
    let place = Place::with_own_server();
    let server = place.start_server();
    let banner = place.read("log");
    assert!(banner.contains("Tidegate ") && banner.contains("API       http://127.0.0.1:"), "{banner}");
    assert!(banner.contains("tidegate.db"), "{banner}");
    kill_process(Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(server.wait(), 0);
    assert!(place.read("log").ends_with("The server has stopped.\n"), "{}", place.read("log"));
    assert!(!place.exists("user/.tidegate/server.json"));
}

#[test]
fn what_this_version_cannot_do_is_refused_with_a_sentence() {
    let place = Place::with_own_server();
    let ui = place.run(&["server", "start", "--ui", "--port", "0"]).fails(2);
    assert!(ui.contains("no web UI of its own") && ui.contains("hint: `--ui-from DIR` serves"), "{ui}");
    let nothing = place.run(&["server", "start", "--ui-from", ".", "--port", "0"]).fails(1);
    assert!(nothing.contains("there is no web UI in "), "{nothing}");
    let services = place.run(&["server", "services", "start"]).fails(2);
    assert!(services.contains("need PostgreSQL") && services.contains("hint: `tidegate server start`"), "{services}");
    assert_eq!(place.run(&["server", "services", "stop"]).stderr, "No services of yours are running by themselves.\n");
}

#[test]
fn a_second_server_on_the_same_file_is_refused() {
    let place = Place::with_own_server();
    let _server = place.start_server();
    let done = place.run(&["server", "start", "--port", "0"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("tidegate.db"), "{}", done.stderr);
    assert_eq!(place.run(&["api", "GET", "/health"]).ok(), "true\n", "the first one goes on");
}

#[test]
fn a_port_that_is_taken_is_told_with_a_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = Place::with_own_server().run(&["server", "start", "--port", &port]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains(&port) && done.stderr.contains("--port"), "{}", done.stderr);
}

#[test]
fn status_without_a_server_is_a_failure_with_a_hint() {
    let stderr = Place::new().run(&["server", "status"]).fails(1);
    assert_eq!(
        stderr,
        "error: no server answers at http://127.0.0.1:9/api\nhint: `tidegate server start --background` starts one\n"
    );
}

#[test]
fn a_stale_server_file_is_no_server() {
    let place = Place::with_own_server().variable("TIDEGATE_SERVER_API_PORT", "9");
    // Process 1 is alive, but it is not the process that this file was written by.
    place.write(
        "user/.tidegate/server.json",
        r#"{"pid": 1, "api_url": "http://127.0.0.1:10/api", "started_ticks": 18446744073709551615}"#,
    );
    assert!(place.run(&["server", "status"]).fails(1).contains("http://127.0.0.1:9/api"));
}

#[test]
fn the_database_is_upgraded_and_emptied_from_the_command_line() {
    let place = Place::with_own_server();
    let url = format!("sqlite:///{}", place.path("data/own.db").display());
    let upgraded = place.run(&["server", "database", "upgrade", "-y", "--database-url", &url]);
    assert_eq!(upgraded.code, 0, "{}", upgraded.stderr);
    assert!(upgraded.stderr.contains("The schema of SQLite [PLACE]/data/own.db is up to date."), "{}", upgraded.stderr);
    let reset = place.run(&["server", "database", "reset", "-y", "--database-url", &url]);
    assert_eq!(reset.code, 0, "{}", reset.stderr);
    assert!(place.exists("data/own.db"));
    let memory = place.run(&["server", "database", "upgrade", "-y", "--database-url", "sqlite:///:memory:"]).fails(1);
    assert!(memory.contains("a database in memory"), "{memory}");
}

#[test]
fn settings_reach_the_server() {
    let place = Place::with_own_server()
        .variable("PREFECT_SERVER_API_AUTH_STRING", "ada:enigma")
        .variable("PREFECT_API_AUTH_STRING", "ada:enigma")
        .variable("PREFECT_SERVER_LOGGING_LEVEL", "INFO");
    let _server = place.start_server();
    eventually("the server to answer", || (place.run(&["api", "POST", "/flows/count"]).code == 0).then_some(()));
    let place_without = place.run(&["api", "POST", "/flows/count", "-H", "Authorization: Basic bm9ib2R5Om5vYm9keQ=="]);
    assert_ne!(place_without.code, 0, "{}", place_without.stdout);
}
