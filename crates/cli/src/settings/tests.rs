//! What must hold for the table and for the way values are found.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::database::{Database, DatabaseError};
use super::environment::Environment;
use super::sources::Source;
use super::table::{self, Fallback, Kind};
use super::{Settings, document, value};

/// A working directory and a home folder of their own.
struct Place {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "home/.tidegate", "home/.prefect"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        Self { folder, variables: BTreeMap::new() }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn file(self, path: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(path), text).unwrap();
        self
    }

    fn load(&self) -> Settings {
        let environment = Environment {
            variables: self.variables.clone(),
            working_directory: self.folder.path().join("work"),
            user_home: self.folder.path().join("home"),
        };
        Settings::load(environment, Vec::new()).unwrap()
    }
}

#[test]
fn every_name_belongs_to_one_setting_and_every_default_can_be_read() {
    let mut names = HashSet::new();
    let mut keys = HashSet::new();
    for setting in table::all() {
        assert!(keys.insert(setting.key), "key `{}` twice", setting.key);
        for name in setting.names() {
            assert!(names.insert(name.clone()), "name `{name}` twice");
            assert!(std::ptr::eq(table::find(&name).unwrap(), setting), "{name}");
        }
        if let Fallback::Is(text) = setting.fallback {
            assert_eq!(value::check(setting.kind, text), Ok(()), "{}", setting.key);
        }
        assert!(!setting.doc.trim().is_empty(), "{} says nothing", setting.key);
        assert_eq!(setting.kind == Kind::Anything, !setting.reader.is_ours(), "{}", setting.key);
    }
}

#[test]
fn the_settings_of_the_reference_are_all_known() {
    // The reference has 226 settings; its two homes' paths carry its own meaning under names of their own here.
    let of_reference = table::all().filter(|setting| setting.prefect_name().is_some_and(|n| n.starts_with("PREFECT_")));
    let own_additions = ["profile", "server.encryption_key"];
    // Those of its integrations are counted apart.
    let (integrations, own): (Vec<_>, Vec<_>) = of_reference
        .filter(|setting| !own_additions.contains(&setting.key))
        .partition(|setting| setting.key.starts_with("integrations."));
    assert_eq!((own.len(), integrations.len()), (226, 19));
}

#[test]
fn the_document_is_current() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md"));
    let written = fs::read_to_string(path).unwrap();
    assert!(written == document::markdown(), "run `tidegate document settings > docs/settings.md`");
}

#[test]
fn the_nearest_source_wins_and_is_remembered() {
    let port = &table::server::API_PORT;
    let mut place = Place::new()
        .file(
            "home/.prefect/profiles.toml",
            "active='p'\n[profiles.p]\nPREFECT_SERVER_API_PORT='1'\nPREFECT_API_URL='x'",
        )
        .file("home/.tidegate/profiles.toml", "active='p'\n[profiles.p]\nPREFECT_SERVER_API_PORT='2'");
    assert_eq!(place.load().count(port), 2);
    assert_eq!(place.load().text(&table::client::API_URL), Some("x"));
    place = place.file("work/pyproject.toml", "[tool.prefect.server.api]\nport = 3");
    assert_eq!(place.load().count(port), 3);
    place = place.file("work/prefect.toml", "[server.api]\nport = 4");
    assert_eq!(place.load().count(port), 4);
    place = place.file("work/tidegate.toml", "[server.api]\nport = 5\n");
    assert_eq!(place.load().count(port), 5);
    place = place.file("work/.env", "# ports\nexport PREFECT_SERVER_API_PORT=\"6\"\n");
    assert_eq!(place.load().count(port), 6);
    place = place.variable("PREFECT_SERVER_API_PORT", "7");
    assert_eq!(place.load().count(port), 7);
    place = place.variable("TIDEGATE_SERVER_API_PORT", "8");
    let settings = place.load();
    assert_eq!(settings.count(port), 8);
    assert_eq!(settings.source(port), Source::Environment("TIDEGATE_SERVER_API_PORT".to_owned()));
    let environment = settings.environment().clone();
    let settings = Settings::load(environment, vec![(port, "9".to_owned())]).unwrap();
    assert_eq!((settings.count(port), settings.source(port)), (9, Source::CommandLine));
    assert_eq!(settings.source(&table::server::API_HOST), Source::Default);
}

#[test]
fn an_alias_counts_when_no_newer_name_is_set() {
    let late = &table::services::LATE_RUNS_AFTER_SECONDS;
    let place = Place::new().variable("PREFECT_API_SERVICES_LATE_RUNS_AFTER_SECONDS", "20");
    assert_eq!(place.load().duration(late), Duration::from_secs(20));
    let place = place.variable("PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS", "PT1M");
    assert_eq!(place.load().duration(late), Duration::from_mins(1));
}

#[test]
fn an_empty_variable_is_no_value() {
    let settings = Place::new().variable("TIDEGATE_API_URL", "").load();
    assert_eq!(settings.text(&table::client::API_URL), None);
}

#[test]
fn a_value_that_cannot_be_read_is_a_problem_and_a_secret_is_not_shown_in_it() {
    let settings = Place::new()
        .variable("TIDEGATE_SERVER_API_PORT", "many")
        .variable("PREFECT_RESULTS_PERSIST_BY_DEFAULT", "perhaps")
        .load();
    assert_eq!(settings.problems.len(), 1);
    let text = &settings.problems[0].text;
    assert!(text.contains("env TIDEGATE_SERVER_API_PORT") && text.contains("`many` is not a whole number"), "{text}");
    assert_eq!(settings.count(&table::server::API_PORT), 4200);
}

#[test]
fn names_that_are_no_settings_are_told_apart_from_settings_without_effect() {
    let settings = Place::new()
        .variable("TIDEGATE_SERVR_API_PORT", "1")
        .variable("TIDEGATE_BIN", "/bin/tidegate")
        .variable("PREFECT_RESULTS_PERSIST_BY_DEFAULT", "true")
        .variable("PREFECT_MESSAGING_BROKER", "prefect_redis.messaging")
        .load();
    let unknown: Vec<&str> = settings.unknown.iter().map(|unknown| unknown.name.as_str()).collect();
    assert_eq!(unknown, ["TIDEGATE_SERVR_API_PORT"]);
    assert_eq!(
        settings.without_effect(),
        ["PREFECT_RESULTS_PERSIST_BY_DEFAULT", "PREFECT_SERVER_EVENTS_MESSAGING_BROKER"]
    );
    assert_eq!(settings.for_python(), [("PREFECT_RESULTS_PERSIST_BY_DEFAULT".to_owned(), "true".to_owned())]);
}

#[test]
fn headers_can_be_a_table_in_a_file_or_json_in_a_variable() {
    let headers = &table::client::CLIENT_CUSTOM_HEADERS;
    let expected = vec![("X-Team".to_owned(), "data".to_owned())];
    let place = Place::new().file("work/tidegate.toml", "[client.custom_headers]\nX-Team = 'data'\n");
    assert_eq!(place.load().map(headers), expected);
    let place = Place::new().variable("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"X-Team": "data"}"#);
    assert_eq!(place.load().map(headers), expected);
}

#[test]
fn a_profile_is_chosen_by_name_before_the_active_one() {
    let place = Place::new().file(
        "home/.tidegate/profiles.toml",
        "active = 'a'\n[profiles.a]\nTIDEGATE_API_URL = 'A'\n[profiles.b]\nTIDEGATE_API_URL = 'B'\n",
    );
    assert_eq!(place.load().text(&table::client::API_URL), Some("A"));
    let place = place.variable("PREFECT_PROFILE", "b");
    assert_eq!(place.load().text(&table::client::API_URL), Some("B"));
    let place = place.variable("TIDEGATE_PROFILE", "c");
    assert!(place.load().problems[0].text.contains("profile `c` does not exist"));
}

#[test]
fn every_spelling_of_a_database_is_read() {
    let of = |url: &str| {
        Database::of_settings(&Place::new().variable("TIDEGATE_SERVER_DATABASE_CONNECTION_URL", url).load())
    };
    let sqlite = |path: &str| Ok(Database::Sqlite { path: PathBuf::from(path) });
    let postgres = |url: &str| Ok(Database::Postgres { url: url.to_owned() });
    assert_eq!(of("sqlite+aiosqlite:////data/a.db"), sqlite("/data/a.db"));
    assert_eq!(of("sqlite:////data/a.db?timeout=5"), sqlite("/data/a.db"));
    assert_eq!(of("sqlite+aiosqlite:///:memory:"), Err(DatabaseError::InMemory));
    assert_eq!(of("sqlite://"), Err(DatabaseError::InMemory));
    assert_eq!(of("postgresql+asyncpg://u:p@h:5/n"), postgres("postgresql://u:p@h:5/n"));
    assert_eq!(of("postgres://u@h/n"), postgres("postgresql://u@h/n"));
    assert_eq!(
        of("mysql://u:secret@h/n"),
        Err(DatabaseError::UnknownScheme("mysql://u@h/n".to_owned())),
        "the password is not repeated"
    );
    let place = Place::new().variable("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite:///a.db");
    let here = place.folder.path().join("work/a.db");
    assert_eq!(Database::of_settings(&place.load()), Ok(Database::Sqlite { path: here }), "relative to where we are");
    let place = Place::new();
    let default = place.folder.path().join("home/.tidegate/tidegate.db");
    assert_eq!(Database::of_settings(&place.load()), Ok(Database::Sqlite { path: default }));
}

#[test]
fn a_database_is_assembled_from_its_parts() {
    let place = Place::new().variable("PREFECT_SERVER_DATABASE_DRIVER", "postgresql+asyncpg");
    let missing = Database::of_settings(&place.load()).unwrap_err().to_string();
    assert!(missing.contains("TIDEGATE_SERVER_DATABASE_USER"), "{missing}");
    let place = place
        .variable("PREFECT_SERVER_DATABASE_USER", "tide")
        .variable("PREFECT_SERVER_DATABASE_PASSWORD", "p@ss:w/rd")
        .variable("PREFECT_SERVER_DATABASE_HOST", "db")
        .variable("PREFECT_SERVER_DATABASE_NAME", "gate");
    let database = Database::of_settings(&place.load()).unwrap();
    assert_eq!(database, Database::Postgres { url: "postgresql://tide:p%40ss%3Aw%2Frd@db:5432/gate".to_owned() });
    assert_eq!(database.describe(), "PostgreSQL postgresql://tide@db:5432/gate");
}

#[test]
fn editing_a_profiles_file_keeps_comments_and_order() {
    let place = Place::new().file(
        "home/.tidegate/profiles.toml",
        "# mine\nactive = \"a\"\n\n[profiles.a]\n# the office\nPREFECT_API_URL = \"A\"\n\n[profiles.z]\nPREFECT_API_KEY = \"k\"\n",
    );
    let [mut file, _] = place.load().profiles_files().unwrap();
    file.set("a", "PREFECT_API_KEY", "new").unwrap();
    file.rename("z", "b").unwrap();
    file.create("c", &[("TIDEGATE_API_URL".to_owned(), "C".to_owned())]).unwrap();
    file.rename("a", "first").unwrap();
    file.write().unwrap();
    let [again, _] = place.load().profiles_files().unwrap();
    assert_eq!(again.active(), Some("first"));
    assert_eq!(
        again.settings("first"),
        [("PREFECT_API_URL".into(), "A".into()), ("PREFECT_API_KEY".into(), "new".into())]
    );
    assert_eq!(again.settings("b"), [("PREFECT_API_KEY".into(), "k".into())]);
    let text = fs::read_to_string(&again.path).unwrap();
    assert!(text.starts_with("# mine\nactive = \"first\"\n"), "{text}");
    assert!(text.contains("# the office\nPREFECT_API_URL"), "{text}");
    assert!(file.create("c", &[]).is_err() && file.remove("nobody").is_err());
}
